// broken_notify.c - closes without close_notify. It replaces the function of mbedTLS that sends it
// (port.mk, --wrap).

#include <mbedtls/ssl.h>

#include "subject.h"

int __wrap_mbedtls_ssl_close_notify(mbedtls_ssl_context *ssl);

int __wrap_mbedtls_ssl_close_notify(mbedtls_ssl_context *ssl) {
    (void)ssl;
    return 0;
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    (void)which;
    return good;
}
