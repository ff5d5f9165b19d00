// arena.c - proofs about port/mbedtls/owner/arena.c, by induction over its block list. `init`
// proves that a new arena is intact. `allocate` and `release` prove that one call keeps any intact
// arena intact, and does not change the contents of other blocks. So this holds after any number of
// calls. Both are proved for the arena itself and for memory that is lent to it.

#include "../../port/mbedtls/owner/arena.c"

#include "proof.h"

#define UNITS 9
#define UNIT REKEY_ARENA_ALIGN

static _Alignas(REKEY_ARENA_ALIGN) unsigned char memory[UNITS * UNIT];
static struct region *region = &arena.own; // the region that has memory
unsigned char nondet_uchar(void);

static bool in_use(size_t unit) {
    return is_used(head_at(region, unit));
}

static bool is_zero(size_t first_byte, size_t end_byte) {
    bool zero = true;

    for (size_t i = 0; i < sizeof(memory); i++) {
        zero = zero && (i < first_byte || i >= end_byte || memory[i] == 0);
    }
    return zero;
}

// Intact means: the blocks lie one after the other from the first unit to the last; each knows the
// length of the one before it; no two free blocks are neighbours; free memory is zero, and so is
// the rest of a header's unit. No block before region->first is free; a block begins there, or it
// is the end.
static bool is_whole(void) {
    size_t unit = 0, before = 0;
    bool whole = region->memory == memory && region->units == UNITS && arena.peak <= UNITS;
    bool free_before = false, first = region->first == UNITS;

    for (size_t i = 0; i < UNITS && whole && unit < UNITS; i++) {
        size_t size = size_of(head_at(region, unit));

        whole =
            size > 0 && size <= UNITS - unit &&
            (unit == 0 || head_at(region, unit)->before == before) &&
            (in_use(unit) || !free_before) && (in_use(unit) || unit >= region->first) &&
            is_zero(unit * UNIT + sizeof(struct head), (unit + (in_use(unit) ? 1 : size)) * UNIT);
        first = first || unit == region->first;
        free_before = !in_use(unit);
        before = size;
        unit += size;
    }
    return whole && first && unit == UNITS;
}

// Whether a block begins at `unit` of an intact arena.
static bool is_block(size_t unit) {
    size_t at = 0;

    for (size_t i = 0; i < UNITS && at < unit; i++) {
        at += size_of(head_at(region, at));
    }
    return at == unit && unit < UNITS;
}

static void any_arena(void) {
    for (size_t i = 0; i < sizeof(memory); i++) {
        memory[i] = nondet_uchar();
    }
    arena.uses_lent = nondet_bool();
    region = arena.uses_lent ? &arena.lent : &arena.own;
    region->memory = memory;
    region->units = UNITS;
    region->first = nondet_size();
    arena.peak = nondet_size();
    arena.failed = false;
    ASSUME(is_whole());
}

// Any byte of the content of a block in use.
static size_t any_byte_in_use(size_t *block) {
    size_t byte = nondet_size();

    *block = nondet_size();
    ASSUME(*block < UNITS && is_block(*block) && in_use(*block));
    ASSUME(byte >= (*block + 1) * UNIT &&
           byte < (*block + size_of(head_at(region, *block))) * UNIT);
    return byte;
}

void init(void) {
    for (size_t i = 0; i < sizeof(memory); i++) {
        memory[i] = nondet_uchar();
    }
    rekey_arena_init(memory, sizeof(memory));
    PROVE(is_whole());
    PROVE(!in_use(0));
}

// Lent memory is intact as well, at any address, and nothing outside of it is touched. It can be
// returned as long as it is one free block; after that it is zero.
void lend(void) {
    size_t first = nondet_size(), end = nondet_size(), byte = nondet_size();
    unsigned char before;

    for (size_t i = 0; i < sizeof(memory); i++) {
        memory[i] = nondet_uchar();
    }
    ASSUME(first <= end && end <= sizeof(memory));
    ASSUME(byte < sizeof(memory) && (byte < first || byte >= end));
    before = memory[byte];
    rekey_arena_lend(memory + first, end - first);
    PROVE(arena.lent.units * UNIT + 2 * UNIT > end - first);
    PROVE(arena.lent.units == 0 || (arena.lent.memory >= memory + first &&
                                    arena.lent.memory + arena.lent.units * UNIT <= memory + end));
    PROVE(rekey_arena_return() && arena.lent.units == 0 && !arena.uses_lent);
    PROVE(memory[byte] == before);
    REACHED(first == 1 && end == sizeof(memory));
}

// Memory is not returned while a block of it is in use.
void give_back(void) {
    size_t other, byte;

    any_arena();
    ASSUME(arena.uses_lent);
    byte = any_byte_in_use(&other);
    PROVE(!rekey_arena_return() && arena.lent.units == UNITS && byte < sizeof(memory));
    REACHED(other == 3);
}

void allocate(void) {
    size_t count = nondet_size(), size = nondet_size(), other, byte, at = nondet_size();
    unsigned char before, *block;

    any_arena();
    byte = any_byte_in_use(&other);
    before = memory[byte];
    ASSUME(count <= 2 || size <= 2); // including all overflows of their product
    block = rekey_arena_calloc(count, size);
    PROVE(is_whole());
    PROVE(memory[byte] == before && is_block(other) && in_use(other));
    PROVE(arena.failed == (block == NULL));
    if (block != NULL) {
        size_t bytes = count * size, unit = (size_t)(block - memory) / UNIT;

        PROVE(size == 0 || count <= SIZE_MAX / size);
        PROVE(block >= memory + UNIT && (size_t)(block - memory) % UNIT == 0 &&
              bytes <= sizeof(memory));
        PROVE(is_block(unit - 1) && in_use(unit - 1) && unit - 1 != other);
        PROVE(bytes <= (size_of(head_at(region, unit - 1)) - 1) * UNIT);
        PROVE(at >= bytes || block[at] == 0);
    }
    REACHED(block != NULL && size_of(head_at(region, 0)) == 2 && block == memory + 3 * UNIT);
}

void release(void) {
    size_t other, byte, mine = nondet_size(), size;
    unsigned char before;

    any_arena();
    byte = any_byte_in_use(&other);
    before = memory[byte];
    ASSUME(mine < UNITS && is_block(mine) && in_use(mine) && mine != other);
    size = size_of(head_at(region, mine));
    ASSUME(size > 1 || mine + 1 < UNITS);
    rekey_arena_free(memory + (mine + 1) * UNIT);
    PROVE(is_whole());
    PROVE(memory[byte] == before && is_block(other) && in_use(other));
    PROVE(is_zero((mine + 1) * UNIT, (mine + size) * UNIT));
    REACHED(mine == 3 && size_of(head_at(region, 2)) == 4);
}
