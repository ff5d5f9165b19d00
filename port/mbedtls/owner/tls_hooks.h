// tls_hooks.h - included before mbedTLS's ssl_tls.c and ssl_tls13_generic.c (and no other file) by
// mbedtls.mk. peer.c parses the certificates of the server, and skips those that it does not need.
// The chain is verified only by peer.c, not by mbedTLS before. Signatures are verified in lent
// memory (lend.h).

#include "lend.h"

int rekey_peer_parse(void *ctx, mbedtls_x509_crt *chain, const unsigned char *der, size_t len,
                     _Bool copy);

// In the functions that parse a server's certificates, `ssl` is an argument. In all others it is
// this variable, which is NULL: they copy a session. The copy needs no certificate, because a
// resumption does not use it. That saves 5 KB of arena, which the next full handshake needs if the
// server has forgotten the session.
static mbedtls_ssl_context *const ssl;

static inline int rekey_parse(const mbedtls_ssl_context *of, mbedtls_x509_crt *chain,
                              const unsigned char *der, size_t len, _Bool copy) {
    if (of == NULL) {
        return 0;
    }
#if !defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
    if (chain->version == 0) {
        rekey_lend(of); // for the chain; returned when the chain is freed
    }
#endif
    return rekey_peer_parse(mbedtls_ssl_get_user_data_p(of), chain, der, len, copy);
}

static inline int rekey_verify(mbedtls_x509_crt *leaf, uint32_t *flags,
                               int (*check)(void *, mbedtls_x509_crt *, int, uint32_t *),
                               void *ctx) {
    int result = check(ctx, leaf, 0, flags);

    return result != 0 ? result : *flags != 0 ? MBEDTLS_ERR_X509_CERT_VERIFY_FAILED : 0;
}

#define mbedtls_x509_crt_parse_der(chain, der, len) rekey_parse(ssl, chain, der, len, 1)
#define mbedtls_x509_crt_parse_der_nocopy(chain, der, len) rekey_parse(ssl, chain, der, len, 0)
#define mbedtls_pk_verify_ext(...) REKEY_WITH_LENT(mbedtls_pk_verify_ext(__VA_ARGS__))
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
#define mbedtls_x509_crt_verify_restartable(leaf, ca, crl, profile, host, flags, check, ctx, rs)   \
    REKEY_WITH_LENT(rekey_verify(leaf, flags, check, ctx))
#else
#define mbedtls_x509_crt_verify_restartable(leaf, ca, crl, profile, host, flags, check, ctx, rs)   \
    rekey_verify(leaf, flags, check, ctx)
#define mbedtls_x509_crt_free(chain) (mbedtls_x509_crt_free(chain), (void)rekey_return(0))
#endif
