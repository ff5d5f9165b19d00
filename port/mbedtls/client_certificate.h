// client_certificate.h - signs assertions (src/credential_entra.h) with a client certificate and
// its RSA private key, by mbedTLS. The caller owns both, in PEM or DER. Each signature imports the
// key, uses it and destroys it, so that the key needs no memory in between.

#ifndef REKEY_CLIENT_CERTIFICATE_H
#define REKEY_CLIENT_CERTIFICATE_H

#include "credential_entra.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REKEY_CERTIFICATE_TIME sizeof("2026-12-31T23:59:59Z")

// Certificate and key must stay valid as long as the signer is used. In PEM they may be one text,
// which may have other sections; the first certificate and the first private key (PKCS#8 or PKCS#1,
// not encrypted) are used.
struct rekey_client_certificate {
    struct rekey_span certificate, key;
    const struct rekey_port *port;          // only its `entropy` is used
    const char *fault;                      // after a failure: the reason, in words
    char not_after[REKEY_CERTIFICATE_TIME]; // after the check: the time at which the certificate
                                            // expires
};

struct rekey_signer rekey_client_certificate_signer(struct rekey_client_certificate *c);

// Checks that the certificate and the key can be read and belong together. If owner.h is used, call
// rekey_mbedtls_init before. Returns 0 with c->not_after set; REKEY_E_SIGN with c->fault set; or
// REKEY_E_LIMIT_ARENA.
int rekey_client_certificate_check(struct rekey_client_certificate *c);

// Whether the certificate has expired or expires within `seconds`. It must have been checked
// before.
bool rekey_client_certificate_ends_within(const struct rekey_client_certificate *c,
                                          uint32_t seconds);

#ifdef __cplusplus
}
#endif

#endif
