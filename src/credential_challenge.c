// credential_challenge.c - finds one parameter in a WWW-Authenticate field (RFC 9110 11.6.1). The
// field is a list of challenges, and each challenge is a scheme with a list of parameters. Both
// lists are separated by commas: a word that is not followed by '=' begins a challenge.

#include "credential.h"

// The part of the field that was not read yet.
struct reader {
    struct rekey_span rest;
};

static char first(const struct reader *in) {
    if (in->rest.len > 0) {
        return in->rest.ptr[0];
    }
    return '\0';
}

static void skip(struct reader *in, const char *set) {
    while (rekey_is_one_of(first(in), set)) {
        in->rest = rekey_span(in->rest.ptr + 1, in->rest.len - 1);
    }
}

// Reads up to the next byte that is in `set`.
static struct rekey_span until(struct reader *in, const char *set) {
    struct rekey_span taken = rekey_span(in->rest.ptr, 0);

    while (in->rest.len > 0 && !rekey_is_one_of(first(in), set)) {
        in->rest = rekey_span(in->rest.ptr + 1, in->rest.len - 1);
        taken.len++;
    }
    return taken;
}

// Reads a value: a token, or a quoted string, in which a backslash quotes the next byte (the
// backslash is kept).
static struct rekey_span value(struct reader *in) {
    struct rekey_span taken;

    if (first(in) != '"') {
        return until(in, " \t,");
    }
    taken = rekey_span(in->rest.ptr + 1, 0);
    for (size_t i = 1; i < in->rest.len; i++) {
        if (in->rest.ptr[i] == '"') {
            taken.len = i - 1;
            in->rest = rekey_span(in->rest.ptr + i + 1, in->rest.len - i - 1);
            return taken;
        }
        i += in->rest.ptr[i] == '\\';
    }
    in->rest.len = 0; // without a closing quotation mark there is no value
    return taken;
}

struct rekey_span rekey_credential_challenge(struct rekey_span field, const char *scheme,
                                             const char *name) {
    struct reader in = {field};
    bool inside = false;

    for (skip(&in, " \t,"); in.rest.len > 0; skip(&in, " \t,")) {
        struct rekey_span word = until(&in, " \t,=");

        skip(&in, " \t");
        if (first(&in) == '=') {
            struct rekey_span taken;

            in.rest = rekey_span(in.rest.ptr + 1, in.rest.len - 1);
            skip(&in, " \t");
            taken = value(&in);
            if (inside && rekey_span_equal_nocase(word, rekey_span(name, strlen(name)))) {
                return taken;
            }
        } else {
            inside = rekey_span_equal_nocase(word, rekey_span(scheme, strlen(scheme)));
        }
    }
    return rekey_span(field.ptr, 0);
}
