// secure_element.c - lists the keys of an endpoint as a device whose private key never leaves a
// secure element. The element's certificate is registered with the application in Microsoft Entra;
// for each token rekey writes an assertion (a JWT), which the element signs. `sign` blocks until
// the element has signed: some 0.1 to 0.5 s for RSA-2048, once for each token, which is valid for
// an hour. A superloop that must not block for that long sets `token` of struct rekey_options
// instead of `credential`; that function may return REKEY_WANT_TIME (modem_token.c).
//
//     secure_element HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT
//                    AUTHORITY AUTHORITY-PORT TENANT CLIENT-ID

#include "secure_element.h"

#include <stdio.h>
#include <stdlib.h>

#include "credential_entra.h"
#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "sha256.h"
#include "tls.h"

#define CERTIFICATE_MAX 2048 // bytes in DER

static struct rekey client;
static struct rekey_keys keys;
static struct rekey_credential_certificate credential;
static struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
static struct rekey_tls tls;
static struct rekey_pem_bundle bundle;
static _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];

// Entra finds the certificate by this.
static int thumbprint(void *ctx, unsigned char sha256[32]) {
    static unsigned char der[CERTIFICATE_MAX];
    size_t len;

    (void)ctx;
    if (element_read_certificate(der, sizeof(der), &len) != 0) {
        return REKEY_E_SIGN;
    }
    rekey_sha256(rekey_span((const char *)der, len), sha256);
    return REKEY_DONE;
}

// An element signs a value that is hashed already.
static int sign(void *ctx, struct rekey_span text, unsigned char *signature, size_t *len) {
    unsigned char sha256[32];

    (void)ctx;
    rekey_sha256(text, sha256);
    return element_sign(sha256, signature, len) == 0 ? REKEY_DONE : REKEY_E_SIGN;
}

int main(int argc, char **argv) {
    const struct rekey_signer signer = {.thumbprint = thumbprint, .sign = sign};
    const struct rekey_port port = {.tls = rekey_tls_transport(&tls),
                                    .ctx = &tcp,
                                    .now_ms = rekey_posix_now_ms,
                                    .wall_s = rekey_posix_wall_s,
                                    .entropy = rekey_posix_entropy,
                                    .wait = rekey_posix_wait};
    struct rekey_options options = REKEY_OPTIONS_INIT;
    struct rekey_endpoint endpoint = {.serverless = false};
    struct rekey_entra entra = {.scope = REKEY_SPAN("https://management.azure.com/.default")};
    struct rekey_span text[12];
    struct rekey_report report;
    int error;

    if (argc != 12) {
        return REKEY_USAGE;
    }
    for (int i = 0; i < argc; i++) {
        text[i] = rekey_span(argv[i], strlen(argv[i]));
    }
    options.host = text[1];
    options.port = (uint16_t)atoi(argv[2]);
    endpoint.subscription = text[4];
    endpoint.resource_group = text[5];
    endpoint.workspace = text[6];
    endpoint.name = text[7];
    entra.authority = text[8];
    entra.port = (uint16_t)atoi(argv[9]);
    entra.tenant = text[10];
    entra.client_id = text[11];

    error = rekey_credential_certificate_init(&credential, &entra, signer);
    if (error != 0) {
        printf("error %s\n", rekey_error_name(error));
        return REKEY_USAGE;
    }
    options.credential = &credential.base;
    rekey_mbedtls_init(&port, arena, sizeof(arena));
    rekey_tls_init(&tls, rekey_posix_transport(&tcp), &port, rekey_pem_bundle(&bundle, argv[3]));
    rekey_init(&client, &port, &options);
    rekey_list_keys(&client, &endpoint, &keys);
    rekey_run(&client);
    rekey_report(&client, &report);
    printf("outcome %d, error %s, ", report.outcome, rekey_error_name(report.error));
    printf("keys of %u and %u bytes\n", keys.primary.len, keys.secondary.len);
    rekey_zeroize(&keys, sizeof(keys));
    rekey_tls_free(&tls);
    rekey_mbedtls_free();
    return rekey_exit_code(report.outcome);
}
