// tls13_client.h - included before mbedTLS's ssl_tls13_client.c (and no other file) by the
// Makefile. It works around two faults of mbedTLS 3.6. First, mbedTLS can echo the cookie of a
// HelloRetryRequest, as RFC 8446 4.2.2 requires, but refuses the cookie as an extension that it did
// not offer (a client never offers it): Mbed-TLS/mbedtls issue 9543. Second, it breaks the
// connection off for a ticket with a lifetime of more than 7 days, possibly after a request was
// sent; RFC 8446 4.6.1 only requires the client not to use the ticket for longer, and tls.c does
// not. The client has no certificate of its own, so the code that proves one is left out.

#include "ssl_misc.h"

static inline int rekey_tls13_accepts(mbedtls_ssl_context *ssl, int message, unsigned int type,
                                      uint32_t allowed) {
    if (message == MBEDTLS_SSL_TLS1_3_HS_HELLO_RETRY_REQUEST && type == MBEDTLS_TLS_EXT_COOKIE) {
        mbedtls_ssl_tls13_set_hs_sent_ext_mask(ssl, type);
    }
    return mbedtls_ssl_tls13_check_received_extension(ssl, message, type, allowed);
}

#define mbedtls_ssl_tls13_check_received_extension rekey_tls13_accepts

#undef MBEDTLS_SSL_TLS1_3_MAX_ALLOWED_TICKET_LIFETIME
#define MBEDTLS_SSL_TLS1_3_MAX_ALLOWED_TICKET_LIFETIME UINT32_MAX

#define mbedtls_ssl_tls13_write_certificate_verify(ssl) MBEDTLS_ERR_SSL_INTERNAL_ERROR
