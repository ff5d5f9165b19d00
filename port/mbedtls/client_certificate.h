// client_certificate.h - a client certificate and its RSA private key, as what signs an assertion
// (src/credential_entra.h), by mbedTLS. Both stay the caller's, in PEM or DER; each signature
// imports the key, uses it and destroys it, so that it needs no memory between.

#ifndef REKEY_CLIENT_CERTIFICATE_H
#define REKEY_CLIENT_CERTIFICATE_H

#include "credential_entra.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REKEY_CERTIFICATE_TIME sizeof("2026-12-31T23:59:59Z")

// Both live as long as the signer. In PEM they may be one text, in which other sections may stand;
// the first certificate counts, and the first private key (PKCS#8 or PKCS#1, not encrypted).
struct rekey_client_certificate {
    struct rekey_span certificate, key;
    const struct rekey_port *port;          // its entropy
    const char *fault;                      // after a failure: what is wrong, in words
    char not_after[REKEY_CERTIFICATE_TIME]; // after the check: when the certificate ends
};

struct rekey_signer rekey_client_certificate_signer(struct rekey_client_certificate *c);

// Whether the two can be read and belong together. Where owner.h is used, rekey_mbedtls_init comes
// before it. Returns 0 with c->not_after; REKEY_E_SIGN with c->fault; or REKEY_E_LIMIT_ARENA.
int rekey_client_certificate_check(struct rekey_client_certificate *c);

// Whether the certificate, which was checked, has ended or ends within so many seconds.
bool rekey_client_certificate_ends_within(const struct rekey_client_certificate *c,
                                          uint32_t seconds);

#ifdef __cplusplus
}
#endif

#endif
