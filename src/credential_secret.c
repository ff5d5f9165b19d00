// credential_secret.c - a token for a client secret.

#include "credential_entra.h"

static int prepare(struct rekey_credential *base, struct rekey *r) {
    const struct rekey_credential_secret *c = (const struct rekey_credential_secret *)base;
    struct rekey_writer form =
        rekey_entra_begin(r, &c->entra, "&grant_type=client_credentials&client_secret=", 0);
    size_t proof = form.len;

    rekey_writer_encode(&form, base->secret);
    return rekey_entra_finish(base, r, &c->entra, &form, proof);
}

int rekey_credential_secret_init(struct rekey_credential_secret *c, const struct rekey_entra *entra,
                                 struct rekey_span secret) {
    if (entra == NULL) {
        return REKEY_E_OPTIONS;
    }
    *c = (struct rekey_credential_secret){
        .base = REKEY_CREDENTIAL(prepare, rekey_credential_answered), .entra = *entra};
    c->base.secret = secret;
    return secret.len == 0 ? REKEY_E_SECRET : rekey_entra_check(entra);
}
