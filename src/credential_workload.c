// credential_workload.c - a token for a workload identity: the federated token is the assertion.

#include "credential_entra.h"

static bool is_space(char c) {
    return rekey_is_one_of(c, " \t\r\n");
}

// Moves the token in text[0..len), without the white space around it, to the start of `text`.
// Returns its length; 0 if it is not a JWT in compact form (RFC 7515 3.1).
static size_t trim(char *text, size_t len) {
    size_t start = 0;

    while (start < len && is_space(text[start])) {
        start++;
    }
    while (len > start && is_space(text[len - 1])) {
        len--;
    }
    for (size_t i = start; i < len; i++) {
        if (!rekey_is_alnum(text[i]) && !rekey_is_one_of(text[i], "-_.")) {
            return 0;
        }
    }
    memmove(text, text + start, len - start);
    return len - start;
}

static int prepare(struct rekey_credential *base, struct rekey *r) {
    const struct rekey_credential_workload *c = (const struct rekey_credential_workload *)base;
    struct rekey_writer form = rekey_entra_begin(r, &c->entra, REKEY_ENTRA_ASSERTION, 0);
    size_t proof = form.len, n = 0;
    int error;

    if (!rekey_writer_whole(&form)) {
        return REKEY_E_LIMIT_CREDENTIAL;
    }
    error = c->read(c->ctx, form.buf + form.len, form.cap - form.len, &n);
    if (error != 0) {
        return error;
    }
    if (n > form.cap - form.len) {
        r->needed = (uint32_t)(REKEY_ENTRA_BODY + form.len + n);
        return REKEY_E_LIMIT_CREDENTIAL;
    }
    n = trim(form.buf + form.len, n);
    form.len += n;
    return n == 0 ? REKEY_E_ASSERTION : rekey_entra_finish(base, r, &c->entra, &form, proof);
}

int rekey_credential_workload_init(struct rekey_credential_workload *c,
                                   const struct rekey_entra *entra) {
    static const struct rekey_credential base =
        REKEY_CREDENTIAL(prepare, rekey_credential_answered);

    if (entra == NULL || c->read == NULL) {
        return REKEY_E_OPTIONS;
    }
    c->base = base;
    c->entra = *entra;
    return rekey_entra_check(entra);
}
