// arena.c - first fit over blocks that lie next to each other, from one end of the arena to the
// other. A header says how long its block is, and how long the one before it is, so that neighbours
// are found in both directions and two free blocks never lie side by side.

#include "arena.h"

#include <stdint.h>
#include <string.h>

#define USED 0x8000u

// All sizes are in units of REKEY_ARENA_ALIGN, headers included.
struct head {
    uint16_t size; // with USED where the block is in use
    uint16_t before;
};

_Static_assert(sizeof(struct head) <= REKEY_ARENA_ALIGN, "a header takes one unit");

static struct {
    unsigned char *memory;
    size_t units, peak, needed;
    size_t first; // no block before this unit is free
    bool failed;
} arena;

static struct head *head_at(size_t unit) {
    return (struct head *)(void *)(arena.memory + unit * REKEY_ARENA_ALIGN);
}

static size_t size_of(const struct head *h) {
    return h->size & ~USED;
}

// Writes the header of a block, and tells the block behind it.
static void put(size_t unit, size_t size, unsigned used) {
    head_at(unit)->size = (uint16_t)(size | used);
    if (unit + size < arena.units) {
        head_at(unit + size)->before = (uint16_t)size;
    }
}

void rekey_arena_init(void *memory, size_t size) {
    arena.memory = memory;
    arena.units = size / REKEY_ARENA_ALIGN;
    arena.peak = arena.needed = arena.first = 0;
    arena.failed = false;
    if (arena.units > 0) {
        memset(memory, 0, size);
        put(0, arena.units, 0);
    }
}

// With more memory, the last block would have been longer if it is free, or one behind it.
static void *fail(size_t last, size_t need) {
    const bool in_use = last == arena.units || (head_at(last)->size & USED) != 0;

    arena.failed = true;
    arena.needed = ((in_use ? arena.units : last) + need) * REKEY_ARENA_ALIGN;
    return NULL;
}

void *rekey_arena_calloc(size_t count, size_t size) {
    size_t unit = arena.first, last = arena.first, need;

    if (size > 0 && count > REKEY_ARENA_MAX / size) {
        arena.failed = true;
        arena.needed = SIZE_MAX;
        return NULL;
    }
    need = 1 + (count * size + REKEY_ARENA_ALIGN - 1) / REKEY_ARENA_ALIGN;
    while (unit < arena.units &&
           ((head_at(unit)->size & USED) != 0 || head_at(unit)->size < need)) {
        last = unit;
        unit += size_of(head_at(unit));
    }
    if (unit >= arena.units) {
        return fail(last, need);
    }
    if (head_at(unit)->size > need) {
        put(unit + need, head_at(unit)->size - need, 0);
    }
    put(unit, need, USED);
    arena.first = unit == arena.first ? unit + need : arena.first;
    arena.peak = unit + need > arena.peak ? unit + need : arena.peak;
    return head_at(unit + 1); // it is zero: so the arena was at first, and free leaves it so
}

void rekey_arena_free(void *ptr) {
    size_t unit, size;

    if (ptr == NULL) {
        return;
    }
    unit = (size_t)((unsigned char *)ptr - arena.memory) / REKEY_ARENA_ALIGN - 1;
    size = size_of(head_at(unit));
    // Volatile: what was there may be a secret, and the next block made of it must be zero.
    for (volatile uintptr_t *p = ptr; p < (uintptr_t *)(void *)head_at(unit + size); p++) {
        *p = 0;
    }
    if (unit + size < arena.units && (head_at(unit + size)->size & USED) == 0) {
        struct head *next = head_at(unit + size);

        size += next->size;
        memset(next, 0, sizeof(*next));
    }
    if (unit > 0 && (head_at(unit - head_at(unit)->before)->size & USED) == 0) {
        struct head *own = head_at(unit);

        unit -= own->before;
        size += head_at(unit)->size;
        memset(own, 0, sizeof(*own));
    }
    put(unit, size, 0);
    arena.first = unit < arena.first ? unit : arena.first;
}

size_t rekey_arena_peak(void) {
    return arena.peak * REKEY_ARENA_ALIGN;
}

bool rekey_arena_failed(void) {
    bool failed = arena.failed;

    arena.failed = false;
    return failed;
}

size_t rekey_arena_needed(void) {
    return arena.needed;
}
