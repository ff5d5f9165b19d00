// owner.h - mbedTLS as this project builds it, for an image that has none of its own: it allocates
// in a static arena, and takes time and randomness from the port. All struct rekey_tls of the image
// share it. It is not for use from several threads.

#ifndef REKEY_OWNER_H
#define REKEY_OWNER_H

#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of arena that one connection needs with a chain of 6 KB, and some slack (`make bench` shows
// the peak). Each connection more needs 22 KB beside that, for its two buffers, and 42 KB where
// both are in their handshakes at the same time.
#ifndef REKEY_ARENA_SIZE
#define REKEY_ARENA_SIZE 65536
#endif

// Makes mbedTLS ready; comes before the first connection is opened. `arena` is aligned for a
// pointer, has at most REKEY_ARENA_MAX bytes (arena.h), and lives as long as *port until
// rekey_mbedtls_free.
void rekey_mbedtls_init(const struct rekey_port *port, void *arena, size_t arena_size);

// Zeroizes the arena. All connections have been freed before.
void rekey_mbedtls_free(void);

#ifdef __cplusplus
}
#endif

#endif
