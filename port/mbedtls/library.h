// library.h - checks the mbedTLS that this is compiled with: its version and configuration, and the
// additional functions that its owner may provide.
// The owner of mbedTLS is the code that configures it. Its configuration may define these macros,
// each as the name of a function that it declares. Without them all checks are made as well, but
// the texts have less detail:
//   REKEY_TLS_SHORTAGE      size_t (void): if an allocation has failed since the last call, the
//                           size of the memory with which it would have succeeded; else 0
//   REKEY_TLS_LAST_MESSAGE  struct rekey_tls_message (const mbedtls_ssl_context *): the
//                           message that mbedTLS read last

#ifndef REKEY_MBEDTLS_LIBRARY_H
#define REKEY_MBEDTLS_LIBRARY_H

#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x03060000 ||                                                         \
    (MBEDTLS_VERSION_NUMBER >= 0x03070000 && MBEDTLS_VERSION_NUMBER < 0x04000000) ||               \
    MBEDTLS_VERSION_NUMBER >= 0x05000000
#error "MBEDTLS_VERSION_NUMBER: rekey needs mbedTLS 3.6 or 4.x"
#endif
#ifndef MBEDTLS_SSL_CLI_C
#error "MBEDTLS_SSL_CLI_C: rekey needs mbedTLS with a TLS client"
#endif
#ifndef MBEDTLS_X509_CRT_PARSE_C
#error "MBEDTLS_X509_CRT_PARSE_C: rekey verifies X.509 certificates"
#endif
#ifndef MBEDTLS_HAVE_TIME_DATE
#error "MBEDTLS_HAVE_TIME_DATE: rekey verifies the dates of certificates"
#endif
#ifndef MBEDTLS_SSL_SERVER_NAME_INDICATION
#error "MBEDTLS_SSL_SERVER_NAME_INDICATION: Azure needs the host's name in the handshake"
#endif
#if MBEDTLS_VERSION_NUMBER < 0x04000000 && !defined(MBEDTLS_SHA256_C)
#error "MBEDTLS_SHA256_C: rekey shows fingerprints of certificates"
#endif

#include <mbedtls/ssl.h>

#if MBEDTLS_SSL_IN_CONTENT_LEN < 16384
#error "MBEDTLS_SSL_IN_CONTENT_LEN: servers send records of 16384 bytes"
#endif

#define REKEY_TLS_4 (MBEDTLS_VERSION_NUMBER >= 0x04000000)

#if REKEY_TLS_4 || defined(MBEDTLS_PSA_CRYPTO_C) || defined(MBEDTLS_PSA_CRYPTO_CLIENT)
#define REKEY_TLS_PSA 1
#else
#define REKEY_TLS_PSA 0
#endif

#if defined(MBEDTLS_SSL_PROTO_TLS1_3) && defined(MBEDTLS_SSL_SESSION_TICKETS)
#define REKEY_TLS_13_TICKETS 1
#else
#define REKEY_TLS_13_TICKETS 0
#endif

struct rekey_tls_message; // peer.h

#endif
