// pk_verify.h - put before mbedTLS's pk_wrap.c (and no other file) by the Makefile.
// Its tables have a row for all that a key can do, so that the linker keeps it all. The keys of a
// handshake only verify here: to sign, encrypt and decrypt through the tables is left out. What
// signs an assertion (client_certificate.c) calls RSA itself.

#include "common.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/rsa.h>

#define mbedtls_rsa_pkcs1_sign(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_rsa_pkcs1_encrypt(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_rsa_pkcs1_decrypt(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
#define mbedtls_ecdsa_write_signature(...) MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE
