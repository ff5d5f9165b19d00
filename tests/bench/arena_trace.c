// arena_trace.c - linked into a firmware by `make arena`: prints each allocation and each release
// of mbedTLS's arena, with the function that asked for it, and each state of the handshake. The
// linker puts these functions before the product's own (--wrap). Random numbers are the same in
// every run.

#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "board.h"

void *__real_rekey_arena_calloc(size_t count, size_t size);
void *__wrap_rekey_arena_calloc(size_t count, size_t size);
void __real_rekey_arena_free(void *ptr);
void __wrap_rekey_arena_free(void *ptr);
int __real_mbedtls_ssl_handshake_step(mbedtls_ssl_context *ssl);
int __wrap_mbedtls_ssl_handshake_step(mbedtls_ssl_context *ssl);
int __real_board_read_file(const char *path, void *buf, size_t cap);
int __wrap_board_read_file(const char *path, void *buf, size_t cap);

static void print(const char *what, size_t a, size_t b, size_t c) {
    char line[64];

    snprintf(line, sizeof(line), "trace %s %lx %lu %lx\n", what, (unsigned long)a, (unsigned long)b,
             (unsigned long)c);
    board_print(line);
}

void *__wrap_rekey_arena_calloc(size_t count, size_t size) {
    void *ptr = __real_rekey_arena_calloc(count, size);

    print("take", (uintptr_t)ptr, count * size, (uintptr_t)__builtin_return_address(0));
    return ptr;
}

void __wrap_rekey_arena_free(void *ptr) {
    if (ptr != NULL) {
        print("free", (uintptr_t)ptr, 0, 0);
    }
    __real_rekey_arena_free(ptr);
}

int __wrap_mbedtls_ssl_handshake_step(mbedtls_ssl_context *ssl) {
    static int last = -1;

    if (ssl->MBEDTLS_PRIVATE(state) != last) {
        last = ssl->MBEDTLS_PRIVATE(state);
        print("state", 0, (size_t)last, 0);
    }
    return __real_mbedtls_ssl_handshake_step(ssl);
}

int __wrap_board_read_file(const char *path, void *buf, size_t cap) {
    static uint32_t value = 1;

    if (strcmp(path, "/dev/urandom") != 0) {
        return __real_board_read_file(path, buf, cap);
    }
    for (size_t i = 0; i < cap; i++) {
        value = value * 1664525 + 1013904223;
        ((unsigned char *)buf)[i] = (unsigned char)(value >> 24);
    }
    return (int)cap;
}
