// credential_entra.h - tokens of Microsoft Entra (docs/service.md 5): by client secret, by workload
// identity (a federated token), by client certificate. All three send the same form to the
// authority over TLS and differ in the proof of identity. All pointers must stay valid as long as
// the credential is used. The init functions return REKEY_E_OPTIONS if `entra`, `read` or a
// function of the signer is NULL; *c is then unchanged.

#ifndef REKEY_CREDENTIAL_ENTRA_H
#define REKEY_CREDENTIAL_ENTRA_H

#include "credential.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rekey_entra {
    struct rekey_span authority; // host name, such as login.microsoftonline.com
    uint16_t port;               // 443
    struct rekey_span tenant;    // a GUID, or a domain name of at most 253 bytes
    struct rekey_span client_id; // a GUID; at most 64 bytes
    struct rekey_span scope;     // such as https://management.azure.com/.default
};

struct rekey_credential_secret {
    struct rekey_credential base; // base.secret is the client secret
    struct rekey_entra entra;
};

// Initializes *c. Returns 0, REKEY_E_HOST, REKEY_E_IDENTITY or REKEY_E_SECRET.
int rekey_credential_secret_init(struct rekey_credential_secret *c, const struct rekey_entra *entra,
                                 struct rekey_span secret);

struct rekey_credential_workload {
    struct rekey_credential base;
    struct rekey_entra entra;
    // Reads the federated token into buf[0..cap); called for each request. Returns 0 with the
    // length in *len, or an error such as REKEY_E_ASSERTION. White space around the token is
    // ignored.
    int (*read)(void *ctx, char *buf, size_t cap, size_t *len);
    void *ctx;
};

// Initializes *c; `read` and `ctx` must be set before. Returns 0, REKEY_E_HOST or REKEY_E_IDENTITY.
int rekey_credential_workload_init(struct rekey_credential_workload *c,
                                   const struct rekey_entra *entra);

// Signs assertions. Implemented by port/mbedtls/client_certificate.h, or by a driver of a secure
// element.
struct rekey_signer {
    void *ctx;
    // Stores the SHA-256 of the certificate in DER form. Returns 0 or an error such as
    // REKEY_E_SIGN.
    int (*thumbprint)(void *ctx, unsigned char sha256[32]);
    // Signs `text` by RSASSA-PSS with SHA-256 and a salt of 32 bytes (PS256, RFC 7518 3.5) into
    // signature[0..512). Returns 0 with the length in *len, or an error.
    int (*sign)(void *ctx, struct rekey_span text, unsigned char *signature, size_t *len);
};

struct rekey_credential_certificate {
    struct rekey_credential base;
    struct rekey_entra entra;
    struct rekey_signer signer;
};

// Initializes *c. Returns 0, REKEY_E_HOST or REKEY_E_IDENTITY.
int rekey_credential_certificate_init(struct rekey_credential_certificate *c,
                                      const struct rekey_entra *entra, struct rekey_signer signer);

// ---- for the files of the three kinds -----------------------------------------------------------

// Where the body begins in staging. The head of the request is later put in front of it: the
// longest names that rekey_entra_check accepts fit, with a board of 128 bytes.
#define REKEY_ENTRA_BODY 1024

// The last parameters of a form with an assertion.
#define REKEY_ENTRA_ASSERTION                                                                      \
    "&grant_type=client_credentials&client_assertion_type="                                        \
    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="

// Writes data[0..len) to `out` as base64url without padding (RFC 4648 5). Returns the number of
// bytes written; `out` must have 4 bytes for each 3 bytes of data or part of 3.
size_t rekey_base64url(const void *data, size_t len, char *out);

// Checks the host, the tenant and the client id. Returns 0, REKEY_E_HOST or REKEY_E_IDENTITY.
int rekey_entra_check(const struct rekey_entra *entra);

// Writes the beginning of the form to staging, between the REKEY_ENTRA_BODY bytes for the head and
// the last `tail` bytes. This beginning ends with `proof`, such as "&client_secret=".
struct rekey_writer rekey_entra_begin(struct rekey *r, const struct rekey_entra *entra,
                                      const char *proof, size_t tail);

// Puts the head in front of the complete form, at the start of staging. `proof` is the offset in
// the form at which the proof begins; the proof ends the form. Returns the length of the whole
// request, or an error.
int rekey_entra_finish(struct rekey_credential *c, struct rekey *r, const struct rekey_entra *entra,
                       const struct rekey_writer *form, size_t proof);

#ifdef __cplusplus
}
#endif

#endif
