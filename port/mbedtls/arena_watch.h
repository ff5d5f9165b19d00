// arena_watch.h - put before mbedTLS's memory_buffer_alloc.c (and no other file) by the Makefile.
// mbedTLS takes a failed allocation inside a signature check for "not signed by this issuer". So
// that a full arena is not told as a certificate that is not trusted, tls.c puts itself between the
// allocator and its users, and notes each failure.

#include "mbedtls/platform.h"

int rekey_tls_watch_arena(void *(*calloc_function)(size_t, size_t), void (*free_function)(void *));

#define mbedtls_platform_set_calloc_free(calloc_function, free_function)                           \
    rekey_tls_watch_arena(calloc_function, free_function)
