// arena_trace.c - linked into a firmware by `make arena`: prints each allocation and each release
// of mbedTLS's arena, with the function that asked for it and the current activity. The linker puts
// these functions in front of the product's own (--wrap, boards/lm3s6965evb/rules.mk). The random
// numbers are the same in every run.

#include <mbedtls/ecdh.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "board.h"

// Declares __real_NAME, the function itself, and begins __wrap_NAME, which is called instead.
#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

static const char *work = "other";
static int state = -1;

static void print(const char *what, const void *ptr, size_t size, const void *caller) {
    char line[80];

    snprintf(line, sizeof(line), "arena: %s %lx %lu %lx %d %s\n", what,
             (unsigned long)(uintptr_t)ptr, (unsigned long)size, (unsigned long)(uintptr_t)caller,
             state, work);
    board_print(line);
}

WRAP(void *, rekey_arena_calloc, size_t count, size_t size) {
    void *ptr = __real_rekey_arena_calloc(count, size);

    print("take", ptr, count * size, __builtin_return_address(0));
    return ptr;
}

WRAP(void, rekey_arena_free, void *ptr) {
    if (ptr != NULL) {
        print("free", ptr, 0, NULL);
    }
    __real_rekey_arena_free(ptr);
}

WRAP(int, mbedtls_ssl_handshake_step, mbedtls_ssl_context *ssl) {
    state = ssl->MBEDTLS_PRIVATE(state);
    return __real_mbedtls_ssl_handshake_step(ssl);
}

WRAP(int, mbedtls_ssl_write, mbedtls_ssl_context *ssl, const unsigned char *buf, size_t len) {
    state = MBEDTLS_SSL_HANDSHAKE_OVER;
    return __real_mbedtls_ssl_write(ssl, buf, len);
}

static int done(int code) {
    work = "other";
    return code;
}

WRAP(int, mbedtls_pk_verify_ext, mbedtls_pk_type_t type, const void *options,
     mbedtls_pk_context *pk, mbedtls_md_type_t md, const unsigned char *hash, size_t hash_len,
     const unsigned char *signature, size_t len) {
    work = "signature";
    return done(
        __real_mbedtls_pk_verify_ext(type, options, pk, md, hash, hash_len, signature, len));
}

WRAP(int, mbedtls_pk_verify_restartable, mbedtls_pk_context *pk, mbedtls_md_type_t md,
     const unsigned char *hash, size_t hash_len, const unsigned char *signature, size_t len,
     mbedtls_pk_restart_ctx *restart) {
    work = "signature";
    return done(
        __real_mbedtls_pk_verify_restartable(pk, md, hash, hash_len, signature, len, restart));
}

WRAP(int, board_read_file, const char *path, void *buf, size_t cap) {
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
