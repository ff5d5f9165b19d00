// mbedtls_config.h - the configuration of mbedTLS 3.6: a TLS client that verifies X.509 chains.
// Cipher suites are ECDHE with AES-GCM; keys and signatures are those that docs/service.md 6.2
// requires. A board can define REKEY_TLS13 to 0, which saves 25 KB of flash (on a Cortex-M3)
// and 14 KB of arena (on x86-64).

#ifndef REKEY_MBEDTLS_CONFIG_H
#define REKEY_MBEDTLS_CONFIG_H

#include "rekey_config.h" // because of REKEY_CONFIG_FILE

#ifndef REKEY_TLS13
#define REKEY_TLS13 1
#endif
// 1: 33 KB more code, and an operation needs only two thirds of the instructions. A board sets
// BOARD_FAST (mbedtls.mk).
#ifndef REKEY_FAST
#define REKEY_FAST 0
#endif

// Memory: the static arena of arena.h. calloc and free of the C library are not used.
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO rekey_arena_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO rekey_arena_free
#include "arena.h"

// Time: the port's wall clock and boot clock, through owner.c. gmtime of the C library allocates.
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_TIME_ALT
#define MBEDTLS_PLATFORM_STD_TIME rekey_owner_time
#define MBEDTLS_PLATFORM_GMTIME_R_ALT
#define MBEDTLS_PLATFORM_MS_TIME_ALT
#include <time.h>
time_t rekey_owner_time(time_t *out);

// Randomness: that of the port, passed to TLS by tls.c and to PSA by owner.c.
#define MBEDTLS_NO_PLATFORM_ENTROPY

// TLS
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_SESSION_TICKETS
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384 // the Certificate message alone is 4.5 to 6 KB
#ifndef MBEDTLS_SSL_OUT_CONTENT_LEN
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096
#endif

// Without this list, mbedTLS has a list of all suites that it supports, and searches it.
#define REKEY_TLS12_SUITES                                                                         \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,                                               \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,                                             \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,                                           \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
#if REKEY_TLS13
#define MBEDTLS_SSL_CIPHERSUITES                                                                   \
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384, MBEDTLS_TLS1_3_AES_128_GCM_SHA256, REKEY_TLS12_SUITES
#else
#define MBEDTLS_SSL_CIPHERSUITES REKEY_TLS12_SUITES
#endif

#if REKEY_TLS13
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY 1 // records are not padded, by default to 16
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE // required by TLS 1.3
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_PSA_KEY_SLOT_COUNT 8
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS // there is one thread, and one caller
#define MBEDTLS_HKDF_C
#endif

// X.509: a chain in DER, and trust anchors that are looked up
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_X509_REMOVE_INFO // no texts that describe certificates
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C

// Ciphers, hashes, keys
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT // GCM encrypts only
#if REKEY_FAST && defined(__x86_64__)
#define MBEDTLS_AESNI_C // used if the processor has it, which is checked at run time
#elif REKEY_FAST && defined(__aarch64__)
#define MBEDTLS_AESCE_C // the same
#endif
#define MBEDTLS_GCM_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_SHA512_SMALLER // for transcripts and certificates with SHA-384 and SHA-512
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_FIXED_POINT_OPTIM REKEY_FAST // 11 to 20 KB for 5.5 M instructions of a key pair
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_HAVE_ASM

// The functions that the owner provides for tls.c and peer.c (library.h).
#define REKEY_TLS_SHORTAGE rekey_owner_shortage
#define REKEY_TLS_LAST_MESSAGE rekey_owner_last_message
size_t rekey_owner_shortage(void);
struct mbedtls_ssl_context;
struct rekey_tls_message rekey_owner_last_message(const struct mbedtls_ssl_context *ssl);

#endif
