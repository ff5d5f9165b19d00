// owner.h - mbedTLS as this project builds it, for an image without another user of mbedTLS. It
// allocates in a static arena, and uses the time and randomness of the port. All struct rekey_tls
// of the image share it. It must not be used from several threads.

#ifndef REKEY_OWNER_H
#define REKEY_OWNER_H

#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of arena for one connection with a chain of 6 KB, with some reserve (`make bench` shows the
// peak). Each further connection needs up to 40 KB more on a 64-bit machine, even if the others
// have completed their handshakes.
#ifndef REKEY_ARENA_SIZE
#define REKEY_ARENA_SIZE 65536
#endif

// Initializes mbedTLS; call it before the first connection is opened. `arena` must be aligned for a
// pointer, and have at most REKEY_ARENA_MAX bytes (arena.h). `arena` and *port must stay valid
// until rekey_mbedtls_free.
void rekey_mbedtls_init(const struct rekey_port *port, void *arena, size_t arena_size);

// Zeroizes the arena. All connections must be freed before.
void rekey_mbedtls_free(void);

#ifdef __cplusplus
}
#endif

#endif
