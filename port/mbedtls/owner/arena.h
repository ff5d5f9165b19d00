// arena.h - the allocator of mbedTLS: blocks in a static arena, each with a header of at most 8
// bytes. mbedTLS's own allocator needs 32 bytes for each block, and there are about a hundred
// blocks. There is one arena in the image, because mbedTLS has one allocator. It must not be used
// from several threads. It uses the first free block that is large enough, so that unneeded memory
// stays free at the end. For the time of a calculation, it can use memory that is lent to it.

#ifndef REKEY_ARENA_H
#define REKEY_ARENA_H

#include <stdbool.h>
#include <stddef.h>

// Blocks begin at multiples of this: mbedTLS stores pointers and 64-bit integers in them.
#define REKEY_ARENA_ALIGN sizeof(void *)

// The largest arena in bytes, because block sizes have 15 bits: 128 KB on 32-bit machines.
#define REKEY_ARENA_MAX (32767 * REKEY_ARENA_ALIGN)

// Makes `memory` the arena. Before this call all allocations fail. `size` is at most
// REKEY_ARENA_MAX, and `memory` must be aligned for a pointer.
void rekey_arena_init(void *memory, size_t size);

// Like calloc and free of the C library. rekey_arena_free zeroizes the block, because it may have
// held keys.
void *rekey_arena_calloc(size_t count, size_t size);
void rekey_arena_free(void *ptr);

// rekey_arena_lend lends the arena `size` bytes, fewer than REKEY_ARENA_MAX, for the time of a
// calculation, and overwrites them with zeros. Until they are returned, allocations use the lent
// memory if it has room, otherwise the arena. After rekey_arena_use_lent(false) they use only the
// arena, for blocks that must stay. All blocks in the lent memory must be freed before
// rekey_arena_return. It returns true if they are: the memory is then zero again. If it returns
// false, the memory is still lent, and the caller must not use it. Only one piece of memory can be
// lent at a time.
void rekey_arena_lend(void *memory, size_t size);
void rekey_arena_use_lent(bool use);
bool rekey_arena_return(void);

// The largest number of bytes, from the start of the arena, that was ever in use, without lent
// memory.
size_t rekey_arena_peak(void);

// Whether an allocation has failed since the last call.
bool rekey_arena_failed(void);

// The size of the arena with which the last failed allocation would have succeeded; 0: none has
// failed.
size_t rekey_arena_needed(void);

#endif
