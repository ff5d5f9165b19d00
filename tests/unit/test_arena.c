// test_arena.c - the allocator of port/mbedtls: sizes at their bounds, every order of frees, and
// random calls that are compared with a model of the blocks.

#include <limits.h>
#include <string.h>

#include "arena.h"
#include "support.h"

#define UNIT_SIZE REKEY_ARENA_ALIGN
#define HALF_BITS (sizeof(size_t) * CHAR_BIT / 2)

static bool all(const unsigned char *ptr, size_t len, unsigned char value) {
    for (size_t i = 0; i < len; i++) {
        if (ptr[i] != value) {
            return false;
        }
    }
    return true;
}

static void test_bounds(void **state) {
    static const struct {
        const char *name;
        size_t count, size;
        bool fits; // into 64 units
    } rows[] = {
        {"nothing", 0, 0, true},
        {"no size", 5, 0, true},
        {"no count", 0, 5, true},
        {"one byte", 1, 1, true},
        {"all", 63, UNIT_SIZE, true},
        {"all, as bytes", 1, 63 * UNIT_SIZE, true},
        {"a byte more", 1, 63 * UNIT_SIZE + 1, false},
        {"a unit more", 64, UNIT_SIZE, false},
        {"the longest arena", 1, REKEY_ARENA_MAX, false},
        {"beyond it", 1, REKEY_ARENA_MAX + 1, false},
        {"a product that overflows", SIZE_MAX / 2 + 2, 2, false},
        {"a product that is 0", (size_t)1 << HALF_BITS << 4, (size_t)1 << (HALF_BITS - 4), false},
        {"bytes without end", SIZE_MAX, 1, false},
        {"the largest numbers", SIZE_MAX, SIZE_MAX, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned char *memory, *ptr;

        row(rows[i].name);
        memory = guarded(64 * UNIT_SIZE);
        rekey_arena_init(memory, 64 * UNIT_SIZE);
        ptr = rekey_arena_calloc(rows[i].count, rows[i].size);
        check_int(ptr != NULL, rows[i].fits);
        check_int(rekey_arena_failed(), !rows[i].fits);
        check(!rekey_arena_failed()); // the failure is reported only once
        check_int(rekey_arena_needed() == 0, rows[i].fits);
        if (ptr != NULL) {
            check((uintptr_t)ptr % UNIT_SIZE == 0 && ptr == memory + UNIT_SIZE);
            check(all(ptr, rows[i].count * rows[i].size, 0));
            memset(ptr, 0xFF, rows[i].count * rows[i].size);
            rekey_arena_free(ptr);
            check(rekey_arena_peak() >= UNIT_SIZE + rows[i].count * rows[i].size);
            check(rekey_arena_peak() <= 2 * UNIT_SIZE + rows[i].count * rows[i].size);
        } else {
            check_int(rekey_arena_peak(), 0);
        }
        rekey_arena_free(NULL);
        ptr = rekey_arena_calloc(1, 63 * UNIT_SIZE); // all of it is there again
        check(ptr != NULL && all(ptr, 63 * UNIT_SIZE, 0));
    }
    rows_done();
}

static void test_no_arena(void **state) {
    unsigned char *memory, *first;

    (void)state;
    row("no arena");
    rekey_arena_init(NULL, 0);
    check(rekey_arena_calloc(1, 1) == NULL);
    check(rekey_arena_failed());
    row("an arena of a header");
    rekey_arena_init(guarded(UNIT_SIZE), UNIT_SIZE);
    check(rekey_arena_calloc(1, 1) == NULL);
    check(rekey_arena_failed());
    rekey_arena_free(rekey_arena_calloc(0, 1));
    check_int(rekey_arena_peak(), UNIT_SIZE);
    row("what would have been enough: a longer block at the end, or one behind it");
    rekey_arena_init(guarded(32 * UNIT_SIZE), 32 * UNIT_SIZE);
    check(rekey_arena_calloc(10, UNIT_SIZE) != NULL);
    check(rekey_arena_calloc(40, UNIT_SIZE) == NULL);
    check_int(rekey_arena_needed(), (11 + 41) * UNIT_SIZE);
    check(rekey_arena_calloc(20, UNIT_SIZE) != NULL);
    check(rekey_arena_calloc(1, 1) == NULL);
    check_int(rekey_arena_needed(), (32 + 2) * UNIT_SIZE);
    row("a free block before those in use");
    memory = guarded(32 * UNIT_SIZE);
    rekey_arena_init(memory, 32 * UNIT_SIZE);
    first = rekey_arena_calloc(5, UNIT_SIZE);
    check(rekey_arena_calloc(5, UNIT_SIZE) != NULL);
    rekey_arena_free(first);
    check(rekey_arena_calloc(40, UNIT_SIZE) == NULL);
    check_int(rekey_arena_needed(), (12 + 41) * UNIT_SIZE);
    check(rekey_arena_calloc(6, UNIT_SIZE) == memory + 13 * UNIT_SIZE);
    check(rekey_arena_calloc(3, UNIT_SIZE) == first);
    check_int(rekey_arena_peak(), 19 * UNIT_SIZE);
    row("a peak is not taken back");
    rekey_arena_init(memory, 32 * UNIT_SIZE);
    rekey_arena_free(rekey_arena_calloc(5, UNIT_SIZE));
    check(rekey_arena_calloc(4, UNIT_SIZE) == first);
    check_int(rekey_arena_peak(), 6 * UNIT_SIZE);
    rows_done();
}

// Four blocks that fill the arena, freed in each of the 24 orders: then it is one block again.
static void test_orders(void **state) {
    (void)state;
    for (unsigned order = 0; order < 256; order++) {
        unsigned char *blocks[4];
        unsigned freed = 0;

        row_n("order", (long)order);
        rekey_arena_init(guarded(32 * UNIT_SIZE), 32 * UNIT_SIZE);
        for (size_t i = 0; i < 4; i++) {
            blocks[i] = rekey_arena_calloc(7, UNIT_SIZE);
            check(blocks[i] != NULL);
        }
        check(rekey_arena_calloc(1, 1) == NULL);
        for (unsigned k = 0; k < 4; k++) {
            unsigned i = order >> (2 * k) & 3;

            if ((freed & 1u << i) == 0) {
                freed |= 1u << i;
                rekey_arena_free(blocks[i]);
            }
        }
        if (freed == 15) {
            check(rekey_arena_calloc(31, UNIT_SIZE) != NULL);
        }
        check_int(rekey_arena_peak(), 32 * UNIT_SIZE);
    }
    rows_done();
}

static uint32_t random_state;

static uint32_t random_below(uint32_t bound) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % bound;
}

// Each block is filled with a byte that no other block has, which must still be there when it is
// freed. Which blocks fit does not depend on the size of a unit.
static void test_random(void **state) {
    enum { BLOCKS = 24 };

    (void)state;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct {
            unsigned char *ptr;
            size_t len;
        } blocks[BLOCKS] = {{0}};
        unsigned char *memory;

        row_n("seed", (long)seed);
        random_state = seed;
        memory = guarded(256 * UNIT_SIZE);
        rekey_arena_init(memory, 256 * UNIT_SIZE);
        for (int step = 0; step < 500; step++) {
            size_t i = random_below(BLOCKS);

            if (blocks[i].ptr != NULL) {
                check(all(blocks[i].ptr, blocks[i].len, (unsigned char)(i + 1)));
                rekey_arena_free(blocks[i].ptr);
                blocks[i].ptr = NULL;
                continue;
            }
            blocks[i].len = random_below(30) * UNIT_SIZE;
            blocks[i].len -= blocks[i].len > 0 ? random_below(UNIT_SIZE) : 0;
            blocks[i].ptr = rekey_arena_calloc(1, blocks[i].len);
            if (blocks[i].ptr != NULL) {
                check(all(blocks[i].ptr, blocks[i].len, 0));
                check(blocks[i].ptr + blocks[i].len <= memory + rekey_arena_peak());
                memset(blocks[i].ptr, (int)i + 1, blocks[i].len);
            }
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            rekey_arena_free(blocks[i].ptr);
        }
        check(rekey_arena_calloc(255, UNIT_SIZE) != NULL);
    }
    rows_done();
}

// Memory that is lent is used first, the arena when it has no room, and neither for what is to
// stay.
static void test_lent(void **state) {
    unsigned char *memory, *lent, *in_lent, *in_own, *again;

    (void)state;
    row("at any address");
    memory = guarded(64 * UNIT_SIZE);
    rekey_arena_init(memory, 64 * UNIT_SIZE);
    lent = guarded(8 * UNIT_SIZE);
    for (size_t quarters = 0; quarters <= 32; quarters++) {
        const size_t skipped = quarters / 4 * UNIT_SIZE + quarters % 4;
        const size_t whole = (8 * UNIT_SIZE - skipped) / UNIT_SIZE;
        const size_t first = (8 - whole) * UNIT_SIZE;

        memset(lent, 0xFF, 8 * UNIT_SIZE);
        rekey_arena_lend(lent + skipped, 8 * UNIT_SIZE - skipped);
        check(all(lent, first, 0xFF));
        in_lent = rekey_arena_calloc(1, whole > 1 ? (whole - 1) * UNIT_SIZE : 1);
        check(in_lent == (whole > 1 ? lent + first : memory) + UNIT_SIZE);
        check_int(rekey_arena_return(), whole <= 1);
        rekey_arena_free(in_lent);
        check(rekey_arena_return());
        check(all(lent, first, 0xFF) && all(lent + first, whole * UNIT_SIZE, 0));
    }
    row("first, and then the arena");
    rekey_arena_init(memory, 64 * UNIT_SIZE);
    memset(lent, 0xFF, 8 * UNIT_SIZE);
    rekey_arena_lend(lent, 8 * UNIT_SIZE);
    in_lent = rekey_arena_calloc(3, UNIT_SIZE);
    check(in_lent == lent + UNIT_SIZE && all(in_lent, 3 * UNIT_SIZE, 0));
    check_int(rekey_arena_peak(), 0);
    memset(in_lent, 0xFF, 3 * UNIT_SIZE);
    in_own = rekey_arena_calloc(4, UNIT_SIZE);
    check(in_own == memory + UNIT_SIZE && !rekey_arena_failed());
    check_int(rekey_arena_peak(), 5 * UNIT_SIZE);
    again = rekey_arena_calloc(3, UNIT_SIZE);
    check(again == lent + 5 * UNIT_SIZE);
    row("nor for what is to stay");
    rekey_arena_free(again);
    rekey_arena_use_lent(false);
    again = rekey_arena_calloc(1, UNIT_SIZE);
    check(again == memory + 6 * UNIT_SIZE);
    row("what did not fit into either, would have into a longer arena");
    rekey_arena_use_lent(true);
    check(rekey_arena_calloc(60, UNIT_SIZE) == NULL && rekey_arena_failed());
    check_int(rekey_arena_needed(), (7 + 61) * UNIT_SIZE);
    row("it is not returned while a block is in use");
    check(!rekey_arena_return());
    check(all(in_lent, 3 * UNIT_SIZE, 0xFF));
    rekey_arena_free(in_own);
    check(!rekey_arena_return());
    rekey_arena_free(in_lent);
    check(all(in_lent, 3 * UNIT_SIZE, 0));
    check(rekey_arena_return());
    check(all(lent, 8 * UNIT_SIZE, 0));
    row("and afterwards it is not used");
    in_own = rekey_arena_calloc(3, UNIT_SIZE);
    check(in_own == memory + UNIT_SIZE);
    check(rekey_arena_return());
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_bounds), UNIT(test_no_arena), UNIT(test_orders),
                                       UNIT(test_random), UNIT(test_lent)};

    return cmocka_run_group_tests_name("arena", tests, NULL, rows_total);
}
