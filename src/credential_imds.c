// credential_imds.c - a token from the instance metadata service of an Azure VM.

#include "credential_managed.h"

#define PATH "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
#define PROBE_MS 1000u   // outside of Azure the address does not answer
#define UPDATE_MS 70000u // how long the service may answer 410 while it is updated

static int prepare(struct rekey_credential *base, struct rekey *r) {
    const struct rekey_credential_imds *c = (const struct rekey_credential_imds *)base;

    if (c->probing && r->x.connect_timeout_ms > PROBE_MS) {
        r->x.connect_timeout_ms = PROBE_MS;
    }
    return rekey_managed_request(r, &c->managed, PATH, rekey_span(NULL, 0));
}

// The agent of Azure Arc has the same path as IMDS, but it answers with a challenge that names a
// file.
static bool is_arc(const struct rekey *r) {
    return rekey_credential_challenge(rekey_credential_authenticate(r), "Basic", "realm").len > 0;
}

static int answered(struct rekey_credential *c, struct rekey *r, unsigned status) {
    if (status == 401 && is_arc(r)) {
        return REKEY_E_ARC;
    }
    if (status == 410 && c->patient_until == 0) {
        c->patient_until = r->now + UPDATE_MS;
    }
    return status == 404 || status == 410 ? REKEY_WANT_TIME
                                          : rekey_credential_answered(c, r, status);
}

int rekey_credential_imds_init(struct rekey_credential_imds *c, const struct rekey_managed *managed,
                               bool probing) {
    if (managed == NULL) {
        return REKEY_E_OPTIONS;
    }
    *c = (struct rekey_credential_imds){
        .base = REKEY_CREDENTIAL(prepare, answered), .managed = *managed, .probing = probing};
    c->base.once = probing;
    return rekey_credential_plain_host(managed->host) ? 0 : REKEY_E_PLAIN;
}
