// credential_entra.h - tokens of Microsoft Entra (docs/service.md 5): by client secret, by workload
// identity (a federated token), by client certificate. All three send the same form to the
// authority over TLS and differ in what proves the client. What is pointed at lives as long as the
// credential.

#ifndef REKEY_CREDENTIAL_ENTRA_H
#define REKEY_CREDENTIAL_ENTRA_H

#include "credential.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rekey_entra {
    struct rekey_span authority; // host, as login.microsoftonline.com
    uint16_t port;               // 443
    struct rekey_span tenant;    // a GUID, or a domain name
    struct rekey_span client_id;
    struct rekey_span scope; // as https://management.azure.com/.default
};

struct rekey_credential_secret {
    struct rekey_credential base; // its `secret` is the client's
    struct rekey_entra entra;
};

// Makes *c ready. Returns 0, REKEY_E_HOST, REKEY_E_IDENTITY or REKEY_E_SECRET.
int rekey_credential_secret_init(struct rekey_credential_secret *c, const struct rekey_entra *entra,
                                 struct rekey_span secret);

struct rekey_credential_workload {
    struct rekey_credential base;
    struct rekey_entra entra;
    // Reads the federated token, anew for each request, into buf[0..cap). Returns 0 with *len, or
    // an error, as REKEY_E_ASSERTION. White space around it does not count.
    int (*read)(void *ctx, char *buf, size_t cap, size_t *len);
    void *ctx;
};

// Makes *c ready; read and ctx are set. Returns 0, REKEY_E_HOST or REKEY_E_IDENTITY.
int rekey_credential_workload_init(struct rekey_credential_workload *c,
                                   const struct rekey_entra *entra);

// What signs an assertion: port/mbedtls/client_certificate.h, or a secure element.
struct rekey_signer {
    void *ctx;
    // The SHA-256 of the certificate's DER. Returns 0 or an error, as REKEY_E_SIGN.
    int (*thumbprint)(void *ctx, unsigned char sha256[32]);
    // RSASSA-PSS with SHA-256 and a salt of 32 bytes (PS256, RFC 7518 3.5) over `text`, into
    // signature[0..512). Returns 0 with *len, or an error.
    int (*sign)(void *ctx, struct rekey_span text, unsigned char *signature, size_t *len);
};

struct rekey_credential_certificate {
    struct rekey_credential base;
    struct rekey_entra entra;
    struct rekey_signer signer;
};

// Makes *c ready. Returns 0, REKEY_E_HOST or REKEY_E_IDENTITY.
int rekey_credential_certificate_init(struct rekey_credential_certificate *c,
                                      const struct rekey_entra *entra, struct rekey_signer signer);

// ---- for the three files of the kinds -----------------------------------------------------------

// The head of the request is put before the body, which begins here in staging.
#define REKEY_ENTRA_BODY 1024

// What ends the form of a request with an assertion.
#define REKEY_ENTRA_ASSERTION                                                                      \
    "&grant_type=client_credentials&client_assertion_type="                                        \
    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="

// Base64url without padding (RFC 4648 5) of data[0..len), to `out`; returns its length, 4 bytes for
// each 3 begun.
size_t rekey_base64url(const void *data, size_t len, char *out);

// Checks the names. Returns 0, REKEY_E_HOST or REKEY_E_IDENTITY.
int rekey_entra_check(const struct rekey_entra *entra);

// Begins the form in staging, behind the bytes kept for the head and before the last `tail` bytes.
// It ends with `proof`, as "&client_secret=".
struct rekey_writer rekey_entra_begin(struct rekey *r, const struct rekey_entra *entra,
                                      const char *proof, size_t tail);

// The form is complete, and ends with the proof, which begins at `proof` of it: puts the head
// before it, at the start of staging. Returns the length of the whole request, or an error.
int rekey_entra_finish(struct rekey_credential *c, struct rekey *r, const struct rekey_entra *entra,
                       const struct rekey_writer *form, size_t proof);

#ifdef __cplusplus
}
#endif

#endif
