// arena.h - the allocator of mbedTLS: blocks in a static arena, each with a header of 8 bytes or
// less. mbedTLS's own spends 32 bytes on each block, and has some hundred of them. There is one
// arena in the image, because mbedTLS has one allocator; it is not for use from several threads.
// The first free block that is large enough is taken, so that what is never needed stays free at
// the end. For a calculation it may be lent memory that somebody else needs only later.

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

// Lends the arena more memory, for a calculation: `size` bytes, fewer than REKEY_ARENA_MAX, which
// are overwritten with zeros. Until it is returned, allocations come out of it if it has room, and
// else out of the arena; with use_lent(false) they do not, for what is to stay. What was allocated
// there is freed before: return says whether this is so. Then the memory is zero again; if not, it
// is still lent, and the caller cannot go on. One piece of memory is lent at a time.
void rekey_arena_lend(void *memory, size_t size);
void rekey_arena_use_lent(bool use);
bool rekey_arena_return(void);

// Bytes from the start of the arena that were ever in use, without what was lent.
size_t rekey_arena_peak(void);

// Whether an allocation has failed since the last call.
bool rekey_arena_failed(void);

// The size that the arena needs for the allocation that failed last not to have done so; or 0.
size_t rekey_arena_needed(void);

#endif
