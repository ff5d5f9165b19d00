// verify_only.h - put before mbedTLS's pk_wrap.c and psa_crypto_rsa.c (and no other file) by
// mbedtls.mk. They have a function for all that a key can do, so that the linker keeps it all. The
// keys of a handshake only verify, and PSA is given no RSA key: the rest is left out. What signs
// an assertion (client_certificate.c) calls RSA itself.

#include "common.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "rsa_internal.h"

#define mbedtls_rsa_pkcs1_sign(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_rsa_pkcs1_encrypt(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_rsa_pkcs1_decrypt(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_ecdsa_write_signature(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_rsa_parse_key(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_rsa_parse_pubkey(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_rsa_check_pub_priv(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_ecp_check_pub_priv(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
