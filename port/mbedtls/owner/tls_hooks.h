// tls_hooks.h - put before mbedTLS's ssl_tls.c and ssl_tls13_generic.c (and no other file) by
// mbedtls.mk. Certificates of the server are parsed by peer.c, which passes over what is of no use;
// and its chain is verified by peer.c alone, and not by mbedTLS before that.

#include "ssl_misc.h"

int rekey_peer_parse(void *ctx, mbedtls_x509_crt *chain, const unsigned char *der, size_t len,
                     _Bool copy);

// Where a server's certificates are parsed, `ssl` is an argument. Elsewhere it is this one: there a
// session is copied. The copy needs no certificate, for a resumption does not look at it: 5 KB of
// arena, which the next full handshake needs if the server has forgotten the session.
static mbedtls_ssl_context *const ssl;

static inline int rekey_parse(mbedtls_ssl_context *of, mbedtls_x509_crt *chain,
                              const unsigned char *der, size_t len, _Bool copy) {
    return of == NULL ? 0
                      : rekey_peer_parse(mbedtls_ssl_get_user_data_p(of), chain, der, len, copy);
}

static inline int rekey_verify(mbedtls_x509_crt *leaf, uint32_t *flags,
                               int (*check)(void *, mbedtls_x509_crt *, int, uint32_t *),
                               void *ctx) {
    int result = check(ctx, leaf, 0, flags);

    return result != 0 ? result : *flags != 0 ? MBEDTLS_ERR_X509_CERT_VERIFY_FAILED : 0;
}

#define mbedtls_x509_crt_parse_der(chain, der, len) rekey_parse(ssl, chain, der, len, 1)
#define mbedtls_x509_crt_parse_der_nocopy(chain, der, len) rekey_parse(ssl, chain, der, len, 0)
#define mbedtls_x509_crt_verify_restartable(leaf, ca, crl, profile, host, flags, check, ctx, rs)   \
    rekey_verify(leaf, flags, check, ctx)
