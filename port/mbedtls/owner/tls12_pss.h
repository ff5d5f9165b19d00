// tls12_pss.h - put before mbedTLS's ssl_tls12_client.c (and no other file) by the Makefile.
// mbedTLS 3.6.6 offers RSA-PSS to every server, but aborts with -0x6600 when a TLS 1.2 server takes
// it up, as OpenSSL does by default. RFC 8446 4.2.3 demands that it be accepted, releases before it
// did, and the code that verifies it is still there: only this check refuses. Mbed-TLS/mbedtls
// issue 10668. Version 3.6.7 accepts it where PSA_WANT_ALG_RSA_PSS is defined; a build without PSA,
// and one with the 3.6.6 that Debian trixie has, still need this.

#include "ssl_misc.h"

static inline int rekey_tls12_accepts(const mbedtls_ssl_context *ssl, uint16_t sig_alg) {
    return sig_alg == MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256 ||
           sig_alg == MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384 ||
           sig_alg == MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512 ||
           mbedtls_ssl_sig_alg_is_supported(ssl, sig_alg);
}

#define mbedtls_ssl_sig_alg_is_supported rekey_tls12_accepts
