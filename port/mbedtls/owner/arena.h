// arena.h - the allocator of mbedTLS: blocks in a static arena, each with a header of 8 bytes or
// less. mbedTLS's own spends 32 bytes on each block, and has some hundred of them. There is one
// arena in the image, because mbedTLS has one allocator; it is not for use from several threads.
// The first free block that is large enough is taken, so that what is never needed stays free at
// the end.

#ifndef REKEY_ARENA_H
#define REKEY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

// Blocks begin at multiples of this: what mbedTLS puts into them are pointers and 64-bit integers.
#define REKEY_ARENA_ALIGN sizeof(void *)

// The longest arena: block sizes are counted in 15 bits. 128 KB on 32-bit machines.
#define REKEY_ARENA_MAX (32767 * REKEY_ARENA_ALIGN)

// Makes `memory` the arena; without a call of it all allocations fail. `size` is at most
// REKEY_ARENA_MAX, and `memory` is aligned for a pointer.
void rekey_arena_init(void *memory, size_t size);

// As calloc and free of the C library. free zeroizes: keys have been there.
void *rekey_arena_calloc(size_t count, size_t size);
void rekey_arena_free(void *ptr);

// Bytes from the start of the arena that were ever in use.
size_t rekey_arena_peak(void);

// Whether an allocation has failed since the last call.
bool rekey_arena_failed(void);

// The size that the arena needs for the allocation that failed last not to have done so; or 0.
size_t rekey_arena_needed(void);

#endif
