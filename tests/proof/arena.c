// arena.c - proofs about port/mbedtls/owner/arena.c, by induction over its block list.
// `init` proves that a new arena is whole. `allocate` and `release` prove that one call leaves it
// whole, from any arena that is whole, and that the contents of other blocks stay as they were. So
// this holds after any number of calls.

#include "../../port/mbedtls/owner/arena.c"

#include "proof.h"

#define UNITS 9
#define UNIT REKEY_ARENA_ALIGN

static _Alignas(REKEY_ARENA_ALIGN) unsigned char memory[UNITS * UNIT];
unsigned char nondet_uchar(void);

static bool is_used(size_t unit) {
    return (head_at(unit)->size & USED) != 0;
}

static bool is_zero(size_t first_byte, size_t end_byte) {
    bool zero = true;

    for (size_t i = 0; i < sizeof(memory); i++) {
        zero = zero && (i < first_byte || i >= end_byte || memory[i] == 0);
    }
    return zero;
}

// Whole: the blocks lie one after the other from the first unit to the last, each knows the length
// of the one before it, no two free ones are neighbours, and free memory is zero; so is what is
// left of the unit of a header. No block before arena.first is free, and one begins there, or it is
// the end.
static bool is_whole(void) {
    size_t unit = 0, before = 0;
    bool whole = arena.memory == memory && arena.units == UNITS && arena.peak <= UNITS;
    bool free_before = false, first = arena.first == UNITS;

    for (size_t i = 0; i < UNITS && whole && unit < UNITS; i++) {
        size_t size = size_of(head_at(unit));

        whole =
            size > 0 && size <= UNITS - unit && (unit == 0 || head_at(unit)->before == before) &&
            (is_used(unit) || !free_before) && (is_used(unit) || unit >= arena.first) &&
            is_zero(unit * UNIT + sizeof(struct head), (unit + (is_used(unit) ? 1 : size)) * UNIT);
        first = first || unit == arena.first;
        free_before = !is_used(unit);
        before = size;
        unit += size;
    }
    return whole && first && unit == UNITS;
}

// Whether a block begins at `unit` of a whole arena.
static bool is_block(size_t unit) {
    size_t at = 0;

    for (size_t i = 0; i < UNITS && at < unit; i++) {
        at += size_of(head_at(at));
    }
    return at == unit && unit < UNITS;
}

static void any_arena(void) {
    for (size_t i = 0; i < sizeof(memory); i++) {
        memory[i] = nondet_uchar();
    }
    arena.memory = memory;
    arena.units = UNITS;
    arena.peak = nondet_size();
    arena.first = nondet_size();
    arena.failed = false;
    ASSUME(is_whole());
}

// Any byte of what a block in use holds.
static size_t any_byte_in_use(size_t *block) {
    size_t byte = nondet_size();

    *block = nondet_size();
    ASSUME(*block < UNITS && is_block(*block) && is_used(*block));
    ASSUME(byte >= (*block + 1) * UNIT && byte < (*block + size_of(head_at(*block))) * UNIT);
    return byte;
}

void init(void) {
    for (size_t i = 0; i < sizeof(memory); i++) {
        memory[i] = nondet_uchar();
    }
    rekey_arena_init(memory, sizeof(memory));
    PROVE(is_whole());
    PROVE(!is_used(0));
}

void allocate(void) {
    size_t count = nondet_size(), size = nondet_size(), other, byte, at = nondet_size();
    unsigned char before, *block;

    any_arena();
    byte = any_byte_in_use(&other);
    before = memory[byte];
    ASSUME(count <= 2 || size <= 2); // and all overflows of their product
    block = rekey_arena_calloc(count, size);
    PROVE(is_whole());
    PROVE(memory[byte] == before && is_block(other) && is_used(other));
    PROVE(arena.failed == (block == NULL));
    if (block != NULL) {
        size_t bytes = count * size, unit = (size_t)(block - memory) / UNIT;

        PROVE(size == 0 || count <= SIZE_MAX / size);
        PROVE(block >= memory + UNIT && (size_t)(block - memory) % UNIT == 0 &&
              bytes <= sizeof(memory));
        PROVE(is_block(unit - 1) && is_used(unit - 1) && unit - 1 != other);
        PROVE(bytes <= (size_of(head_at(unit - 1)) - 1) * UNIT);
        PROVE(at >= bytes || block[at] == 0);
    }
    REACHED(block != NULL && size_of(head_at(0)) == 2 && block == memory + 3 * UNIT);
}

void release(void) {
    size_t other, byte, mine = nondet_size(), size;
    unsigned char before;

    any_arena();
    byte = any_byte_in_use(&other);
    before = memory[byte];
    ASSUME(mine < UNITS && is_block(mine) && is_used(mine) && mine != other);
    size = size_of(head_at(mine));
    ASSUME(size > 1 || mine + 1 < UNITS);
    rekey_arena_free(memory + (mine + 1) * UNIT);
    PROVE(is_whole());
    PROVE(memory[byte] == before && is_block(other) && is_used(other));
    PROVE(is_zero((mine + 1) * UNIT, (mine + size) * UNIT));
    REACHED(mine == 3 && size_of(head_at(2)) == 4);
}
