// owner.h - until port/mbedtls/owner is there: what the examples call, by what there is. Goes with
// the lines of examples.mk that name this folder.

#ifndef REKEY_OWNER_H
#define REKEY_OWNER_H

#include "tls.h"

static void *owner_arena;
static size_t owner_arena_size;

static inline void rekey_mbedtls_init(const struct rekey_port *port, void *arena, size_t size) {
    (void)port;
    owner_arena = arena;
    owner_arena_size = size;
}

static inline void rekey_mbedtls_free(void) {
}

#define rekey_tls_init(t, lower, port, anchors)                                                    \
    rekey_tls_init(t, lower, port, anchors, owner_arena, owner_arena_size)

#endif
