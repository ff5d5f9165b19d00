// credential_arc.c - a token from the agent of Azure Arc. The agent names a file that only members
// of the group himds can read. A request with the content of that file proves the right to obtain a
// token.

#include "credential_managed.h"

#define PATH "/metadata/identity/oauth2/token?api-version=2020-06-01&resource="
#define DIRECTORY "/var/opt/azcmagent/tokens/"
#define SUFFIX ".key"

// The path in the challenge, which must name a file directly in DIRECTORY with the suffix ".key".
// Empty if it does not.
static struct rekey_span key_path(const struct rekey *r) {
    struct rekey_span path =
        rekey_credential_challenge(rekey_credential_authenticate(r), "Basic", "realm");
    const size_t directory = sizeof(DIRECTORY) - 1, suffix = sizeof(SUFFIX) - 1;
    bool good = path.len > directory + suffix && memcmp(path.ptr, DIRECTORY, directory) == 0 &&
                memcmp(path.ptr + path.len - suffix, SUFFIX, suffix) == 0;

    for (size_t i = directory; good && i < path.len; i++) {
        good = rekey_is_alnum(path.ptr[i]) || rekey_is_one_of(path.ptr[i], "-_.");
    }
    return good ? path : rekey_span(path.ptr, 0);
}

// Reads the key file into the token buffer, which is free until the answer comes.
static int read_key(const struct rekey_credential_arc *c, struct rekey *r, struct rekey_span *key) {
    size_t cap = sizeof(r->token) < REKEY_ARC_KEY_MAX ? sizeof(r->token) : REKEY_ARC_KEY_MAX;
    size_t len = 0;
    int error = c->read(c->ctx, key_path(r), r->token, cap, &len);

    if (error != 0) {
        return error;
    }
    while (len > 0 && rekey_is_one_of(r->token[len - 1], "\r\n")) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        if (r->token[i] <= ' ' || r->token[i] > '~') {
            return REKEY_E_KEY_FILE;
        }
    }
    *key = rekey_span(r->token, len);
    return len > 0 ? 0 : REKEY_E_KEY_FILE;
}

static int prepare(struct rekey_credential *base, struct rekey *r) {
    const struct rekey_credential_arc *c = (const struct rekey_credential_arc *)base;
    struct rekey_span key = {NULL, 0};
    int error = base->challenged ? read_key(c, r, &key) : 0;

    base->proof_len = (uint16_t)(key.len > 0 ? key.len + 4 : 0); // the key and the end of the head
    return error != 0 ? error : rekey_managed_request(r, &c->managed, PATH, key);
}

// The first 401 is the challenge. A second one means that the key was refused.
static int answered(struct rekey_credential *c, struct rekey *r, unsigned status) {
    if (status != 401) {
        return rekey_credential_answered(c, r, status);
    }
    if (c->challenged) {
        return REKEY_E_TOKEN_REFUSED;
    }
    if (key_path(r).len == 0) {
        return REKEY_E_CHALLENGE;
    }
    c->challenged = true;
    return REKEY_AGAIN;
}

int rekey_credential_arc_init(struct rekey_credential_arc *c, const struct rekey_managed *managed) {
    static const struct rekey_credential base = REKEY_CREDENTIAL(prepare, answered);

    if (managed == NULL || c->read == NULL) {
        return REKEY_E_OPTIONS;
    }
    c->base = base;
    c->managed = *managed;
    return rekey_credential_plain_host(managed->host) ? 0 : REKEY_E_PLAIN;
}
