// tls12_client.h - included before mbedTLS's ssl_tls12_client.c (and no other file) by the
// Makefile. mbedTLS 3.6.6 offers RSA-PSS to every server, but aborts with -0x6600 if a TLS 1.2
// server uses it, as OpenSSL does by default. RFC 8446 4.2.3 requires a client to accept it.
// Earlier releases did, and the code that verifies it is still there: only one check refuses it.
// See Mbed-TLS/mbedtls issue 10668. Version 3.6.7 accepts RSA-PSS if PSA_WANT_ALG_RSA_PSS is
// defined; a build without PSA, or with the 3.6.6 of Debian trixie, still needs this header.
// The signature is verified, and keys are exchanged, in lent memory (lend.h). The results of the
// exchange are stored in the arena (ecdh_point.h).

#include "lend.h"

static inline int rekey_tls12_accepts(const mbedtls_ssl_context *ssl, uint16_t sig_alg) {
    return sig_alg == MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256 ||
           sig_alg == MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384 ||
           sig_alg == MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512 ||
           mbedtls_ssl_sig_alg_is_supported(ssl, sig_alg);
}

#define mbedtls_ssl_sig_alg_is_supported rekey_tls12_accepts

#define mbedtls_pk_verify_ext(...) REKEY_WITH_LENT(mbedtls_pk_verify_ext(__VA_ARGS__))
#define mbedtls_pk_verify_restartable(...)                                                         \
    REKEY_WITH_LENT(mbedtls_pk_verify_restartable(__VA_ARGS__))
#define REKEY_EXCHANGE(work) (rekey_lend(ssl), rekey_arena_use_lent(0), rekey_return(work))
#define mbedtls_ecdh_make_public(...) REKEY_EXCHANGE(mbedtls_ecdh_make_public(__VA_ARGS__))
#define mbedtls_ecdh_calc_secret(...) REKEY_EXCHANGE(mbedtls_ecdh_calc_secret(__VA_ARGS__))
