// arena.c - a first-fit allocator. The blocks are adjacent, from one end of the arena to the other.
// A header has the length of its block and of the previous block, so that both neighbours can be
// found, and free neighbours are always joined.

#include "arena.h"

#include <stdint.h>
#include <string.h>

#define USED 0x8000u

// All sizes are in units of REKEY_ARENA_ALIGN, headers included.
struct head {
    uint16_t size; // plus USED if the block is in use
    uint16_t before;
};

_Static_assert(sizeof(struct head) <= REKEY_ARENA_ALIGN, "a header takes one unit");

struct region {
    unsigned char *memory;
    size_t units;
    size_t first; // no block before this unit is free
};

static struct {
    struct region own, lent;
    size_t peak, needed; // of `own`
    bool failed;
    bool uses_lent; // allocations use `lent` if it has room
} arena;

static struct head *head_at(const struct region *r, size_t unit) {
    return (struct head *)(void *)(r->memory + unit * REKEY_ARENA_ALIGN);
}

static size_t size_of(const struct head *h) {
    return h->size & ~USED;
}

static bool is_used(const struct head *h) {
    return (h->size & USED) != 0;
}

// Writes the header of a block, and its length into the header of the next block.
static void put(const struct region *r, size_t unit, size_t size, unsigned used) {
    head_at(r, unit)->size = (uint16_t)(size | used);
    if (unit + size < r->units) {
        head_at(r, unit + size)->before = (uint16_t)size;
    }
}

static void begin(struct region *r, void *memory, size_t size) {
    *r = (struct region){.memory = memory, .units = size / REKEY_ARENA_ALIGN};
    if (r->units > 0) {
        memset(memory, 0, size);
        put(r, 0, r->units, 0);
    }
}

void rekey_arena_init(void *memory, size_t size) {
    memset(&arena, 0, sizeof(arena));
    begin(&arena.own, memory, size);
}

void rekey_arena_lend(void *memory, size_t size) {
    const size_t odd = (uintptr_t)memory % REKEY_ARENA_ALIGN;
    const size_t skipped = odd > 0 ? REKEY_ARENA_ALIGN - odd : 0;

    begin(&arena.lent, (unsigned char *)memory + skipped, size > skipped ? size - skipped : 0);
    arena.uses_lent = true;
}

void rekey_arena_use_lent(bool use) {
    arena.uses_lent = use;
}

bool rekey_arena_return(void) {
    const struct region lent = arena.lent;
    const bool empty = lent.units == 0 || head_at(&lent, 0)->size == lent.units;

    arena.uses_lent = false;
    if (empty && lent.units > 0) {
        memset(lent.memory, 0, sizeof(struct head)); // the rest is already zero
        begin(&arena.lent, NULL, 0);
    }
    return empty;
}

// Computes the size that would have been enough: more memory makes the last block longer if it is
// free, else it is a new block at the end.
static void *fail(size_t need) {
    const struct region *own = &arena.own;
    size_t end = own->units, unit = own->first;

    while (unit < own->units) {
        const struct head *h = head_at(own, unit);

        end = is_used(h) ? own->units : unit;
        unit += size_of(h);
    }
    arena.failed = true;
    arena.needed = (end + need) * REKEY_ARENA_ALIGN;
    return NULL;
}

// Allocates a block of `need` units. Returns the unit behind its header; 0 if no free block is
// large enough.
static size_t take(struct region *r, size_t need) {
    size_t unit = r->first;

    while (unit < r->units && (is_used(head_at(r, unit)) || head_at(r, unit)->size < need)) {
        unit += size_of(head_at(r, unit));
    }
    if (unit >= r->units) {
        return 0;
    }
    if (head_at(r, unit)->size > need) {
        put(r, unit + need, head_at(r, unit)->size - need, 0);
    }
    put(r, unit, need, USED);
    r->first = unit == r->first ? unit + need : r->first;
    return unit + 1;
}

// A new block is zero, because all free memory is: it is zeroed at first, and again by free.
void *rekey_arena_calloc(size_t count, size_t size) {
    size_t need, unit;

    if (size > 0 && count > REKEY_ARENA_MAX / size) {
        arena.failed = true;
        arena.needed = SIZE_MAX;
        return NULL;
    }
    need = 1 + (count * size + REKEY_ARENA_ALIGN - 1) / REKEY_ARENA_ALIGN;
    unit = arena.uses_lent ? take(&arena.lent, need) : 0;
    if (unit > 0) {
        return head_at(&arena.lent, unit);
    }
    unit = take(&arena.own, need);
    if (unit == 0) {
        return fail(need);
    }
    arena.peak = unit - 1 + need > arena.peak ? unit - 1 + need : arena.peak;
    return head_at(&arena.own, unit);
}

static bool is_in(const struct region *r, const void *ptr) {
    return (uintptr_t)ptr - (uintptr_t)r->memory < r->units * REKEY_ARENA_ALIGN;
}

void rekey_arena_free(void *ptr) {
    struct region *r = is_in(&arena.lent, ptr) ? &arena.lent : &arena.own;
    size_t unit, size;

    if (ptr == NULL) {
        return;
    }
    unit = (size_t)((unsigned char *)ptr - r->memory) / REKEY_ARENA_ALIGN - 1;
    size = size_of(head_at(r, unit));
    // Volatile, so that it is not optimized away: the block may have held a secret, and free memory
    // must be zero.
    for (volatile uintptr_t *p = ptr; p < (uintptr_t *)(void *)head_at(r, unit + size); p++) {
        *p = 0;
    }
    if (unit + size < r->units && !is_used(head_at(r, unit + size))) {
        struct head *next = head_at(r, unit + size);

        size += next->size;
        memset(next, 0, sizeof(*next));
    }
    if (unit > 0 && !is_used(head_at(r, unit - head_at(r, unit)->before))) {
        struct head *own = head_at(r, unit);

        unit -= own->before;
        size += head_at(r, unit)->size;
        memset(own, 0, sizeof(*own));
    }
    put(r, unit, size, 0);
    r->first = unit < r->first ? unit : r->first;
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
