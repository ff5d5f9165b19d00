// lend.c - lends the end of mbedTLS's input buffer to the arena.

#include "lend.h"

#include "arena.h"

void rekey_lend(const mbedtls_ssl_context *ssl) {
    unsigned char *const unused = ssl->in_msg + ssl->in_msglen;

    if (ssl->in_left == 0 && ssl->in_offt == NULL) {
        rekey_arena_lend(unused, (size_t)(ssl->in_buf + MBEDTLS_SSL_IN_BUFFER_LEN - unused));
    }
}

int rekey_return(int code) {
    // The next record would overwrite a block that is still in use: stop the program instead.
    if (!rekey_arena_return()) {
        __builtin_trap();
    }
    return code;
}
