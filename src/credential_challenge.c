// credential_challenge.c - finds one parameter in a WWW-Authenticate field (RFC 9110 11.6.1). The
// field is a list of challenges, and each challenge is a scheme with a list of parameters. Both
// lists are separated by commas: a word that is not followed by '=' begins a challenge.

#include "credential.h"

// The part of the field that was not read yet.
struct reader {
    struct rekey_span rest;
};

static char peek(const struct reader *in) {
    if (in->rest.len > 0) {
        return in->rest.ptr[0];
    }
    return '\0';
}

static void skip(struct reader *in, const char *set) {
    while (rekey_is_one_of(peek(in), set)) {
        in->rest = rekey_span(in->rest.ptr + 1, in->rest.len - 1);
    }
}

// Reads up to the next byte that is in `set`.
static struct rekey_span read_until(struct reader *in, const char *set) {
    struct rekey_span text = rekey_span(in->rest.ptr, 0);

    while (in->rest.len > 0 && !rekey_is_one_of(peek(in), set)) {
        in->rest = rekey_span(in->rest.ptr + 1, in->rest.len - 1);
        text.len++;
    }
    return text;
}

// Reads a value: a token, or a quoted string, in which a backslash quotes the next byte (the
// backslash is kept).
static struct rekey_span read_value(struct reader *in) {
    struct rekey_span text;

    if (peek(in) != '"') {
        return read_until(in, " \t,");
    }
    text = rekey_span(in->rest.ptr + 1, 0);
    for (size_t i = 1; i < in->rest.len; i++) {
        if (in->rest.ptr[i] == '"') {
            text.len = i - 1;
            in->rest = rekey_span(in->rest.ptr + i + 1, in->rest.len - i - 1);
            return text;
        }
        i += in->rest.ptr[i] == '\\';
    }
    in->rest.len = 0; // without a closing quotation mark there is no value
    return text;
}

struct rekey_span rekey_credential_challenge(struct rekey_span field, const char *scheme,
                                             const char *name) {
    struct reader in = {field};
    bool inside = false;

    for (skip(&in, " \t,"); in.rest.len > 0; skip(&in, " \t,")) {
        struct rekey_span word = read_until(&in, " \t,=");

        skip(&in, " \t");
        if (peek(&in) == '=') {
            struct rekey_span text;

            in.rest = rekey_span(in.rest.ptr + 1, in.rest.len - 1);
            skip(&in, " \t");
            text = read_value(&in);
            if (inside && rekey_span_equal_nocase(word, rekey_span(name, strlen(name)))) {
                return text;
            }
        } else {
            inside = rekey_span_equal_nocase(word, rekey_span(scheme, strlen(scheme)));
        }
    }
    return rekey_span(field.ptr, 0);
}
