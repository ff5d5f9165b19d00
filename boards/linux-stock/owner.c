// owner.c - in place of port/mbedtls/owner: mbedTLS is somebody else's, who has made it ready, and
// allocates by the C library's heap.

#include "owner.h"

#include "arena.h"

void rekey_mbedtls_init(const struct rekey_port *port, void *arena, size_t arena_size) {
    (void)port;
    (void)arena;
    (void)arena_size;
}

void rekey_mbedtls_free(void) {
}

size_t rekey_arena_peak(void) {
    return 0;
}

size_t rekey_arena_needed(void) {
    return 0;
}
