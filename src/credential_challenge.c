// credential_challenge.c - one parameter out of a WWW-Authenticate field (RFC 9110 11.6.1).
// A field is a list of challenges, each a scheme and a list of parameters, and both lists have the
// comma as their separator: a word that no '=' follows begins a challenge.

#include "credential.h"

// What is left of the field.
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

// Takes what stands before the next byte of `set`.
static struct rekey_span until(struct reader *in, const char *set) {
    struct rekey_span taken = rekey_span(in->rest.ptr, 0);

    while (in->rest.len > 0 && !rekey_is_one_of(first(in), set)) {
        in->rest = rekey_span(in->rest.ptr + 1, in->rest.len - 1);
        taken.len++;
    }
    return taken;
}

// A value: a token, or a quoted string, in which a backslash quotes the next byte (left as it is).
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
    in->rest.len = 0; // no end: no value
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
