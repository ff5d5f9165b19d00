// test_rsa.c - rsa_public.c: published signatures, which mbedTLS verifies with it; numbers of all
// sizes, compared with mbedTLS's own function; and the operands that it must refuse.

#include <limits.h>
#include <mbedtls/rsa.h>
#include <string.h>

#include "arena.h"
#include "rsa.h"
#include "rsa_public.h"
#include "support.h"

#define LIMB_BITS (sizeof(mbedtls_mpi_uint) * CHAR_BIT)
#define BITS_MAX 4096

static _Alignas(16) unsigned char memory[20480];

// Whether all of the arena is free again: no block is lost, and no byte outside of a block was
// written.
static bool arena_is_whole(void) {
    const size_t most = sizeof(memory) - REKEY_ARENA_ALIGN;
    void *all = rekey_arena_calloc(1, most);

    rekey_arena_free(all);
    return all != NULL;
}

// ---- signatures ---------------------------------------------------------------------------------

static unsigned digit(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

// Returns how many bytes there are.
static size_t unhex(const char *text, unsigned char *out, size_t cap) {
    const size_t len = strlen(text) / 2;

    assert_true(len <= cap);
    for (size_t i = 0; i < len; i++) {
        out[i] = (unsigned char)(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
    }
    return len;
}

// What mbedTLS says about a signature; `flip` is a bit of it that is changed first, or -1.
static int verify(const struct rsa_vector *v, int flip) {
    const struct rsa_key *key = &rsa_keys[v->key];
    unsigned char message[32], signature[BITS_MAX / 8], hash[MBEDTLS_MD_MAX_SIZE];
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(key->md);
    size_t message_len = unhex(v->message, message, sizeof(message));
    size_t len = unhex(v->signature, signature, sizeof(signature));
    mbedtls_rsa_context rsa;
    mbedtls_mpi n, e;
    int result;

    if (flip >= 0) {
        signature[(size_t)flip / 8] ^= (unsigned char)(1u << flip % 8);
    }
    rekey_arena_init(memory, sizeof(memory));
    mbedtls_rsa_init(&rsa);
    mbedtls_mpi_init(&n);
    mbedtls_mpi_init(&e);
    check_int(mbedtls_md(md, message, message_len, hash), 0);
    check_int(mbedtls_mpi_read_string(&n, 16, key->n), 0);
    check_int(mbedtls_mpi_read_string(&e, 16, key->e), 0);
    check_int(mbedtls_rsa_import(&rsa, &n, NULL, NULL, NULL, &e), 0);
    check_int(mbedtls_rsa_complete(&rsa), 0);
    check_int(mbedtls_rsa_get_len(&rsa), len);
    result = mbedtls_rsa_pkcs1_verify(&rsa, key->md, mbedtls_md_get_size(md), hash, signature);
    mbedtls_mpi_free(&n);
    mbedtls_mpi_free(&e);
    mbedtls_rsa_free(&rsa);
    check(arena_is_whole());
    return result;
}

static void test_signatures(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rsa_vectors); i++) {
        const struct rsa_vector *v = &rsa_vectors[i];
        const int bits = (int)strlen(v->signature) * 4;

        row(v->name);
        check_int(verify(v, -1) == 0, v->good);
        for (int bit = 0; v->good && bit < bits; bit += 509) { // a prime: bits of all bytes
            row_n(v->name, bit);
            check(verify(v, bit) != 0);
        }
    }
    rows_done();
}

// ---- numbers, compared with the reference -------------------------------------------------------

static uint32_t random_state;

static unsigned char random_byte(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (unsigned char)(random_state >> 20);
}

// A number below 2^bits.
static void random_number(mbedtls_mpi *x, size_t bits) {
    unsigned char bytes[BITS_MAX / 8];
    const size_t len = (bits + 7) / 8;

    for (size_t i = 0; i < len; i++) {
        bytes[i] = random_byte();
    }
    bytes[0] &= (unsigned char)(0xFF >> (len * 8 - bits));
    check_int(mbedtls_mpi_read_binary(x, bytes, len), 0);
}

// How a modulus looks: bits at random, all of them set, none but the first and the last.
enum shape { RANDOM, ONES, SPARSE, SHAPES };

static void make_modulus(mbedtls_mpi *n, size_t bits, enum shape shape) {
    check_int(mbedtls_mpi_lset(n, 0), 0);
    if (shape == RANDOM) {
        random_number(n, bits);
    }
    check_int(mbedtls_mpi_set_bit(n, bits - 1, 1), 0);
    check_int(mbedtls_mpi_set_bit(n, 0, 1), 0);
    for (size_t i = 0; shape == ONES && i < bits; i++) {
        check_int(mbedtls_mpi_set_bit(n, i, 1), 0);
    }
}

enum base { ZERO, ONE, LAST, ANY, BASES };

static void make_base(mbedtls_mpi *a, const mbedtls_mpi *n, enum base base) {
    if (base == LAST) {
        check_int(mbedtls_mpi_sub_int(a, n, 1), 0);
    } else if (base == ANY) {
        random_number(a, mbedtls_mpi_bitlen(n));
        check_int(mbedtls_mpi_mod_mpi(a, a, n), 0);
    } else {
        check_int(mbedtls_mpi_lset(a, base == ONE), 0);
    }
}

// One power: into a new number, into a number that had another value, and in place.
static void check_power(const mbedtls_mpi *a, const mbedtls_mpi *e, const mbedtls_mpi *n) {
    mbedtls_mpi x, expected;

    mbedtls_mpi_init(&x);
    mbedtls_mpi_init(&expected);
    check_int(mbedtls_mpi_exp_mod(&expected, a, e, n, NULL), 0);
    check_int(rekey_rsa_public(&x, a, e, n, NULL), 0);
    check_int(mbedtls_mpi_cmp_mpi(&x, &expected), 0);
    check_int(mbedtls_mpi_sub_mpi(&x, &x, n), 0); // a negative one
    check_int(rekey_rsa_public(&x, a, e, n, NULL), 0);
    check_int(mbedtls_mpi_cmp_mpi(&x, &expected), 0);
    check_int(mbedtls_mpi_copy(&x, a), 0);
    check_int(rekey_rsa_public(&x, &x, e, n, NULL), 0);
    check_int(mbedtls_mpi_cmp_mpi(&x, &expected), 0);
    mbedtls_mpi_free(&x);
    mbedtls_mpi_free(&expected);
}

static void test_powers(void **state) {
    static const size_t sizes[] = {2,    3,    8,    31,   32,   33,   63,   64,   65,   95,   96,
                                   97,   127,  128,  129,  160,  191,  192,  193,  255,  257,  509,
                                   512,  521,  761,  768,  999,  1023, 1024, 1025, 2000, 2047, 2048,
                                   2049, 3071, 3072, 4000, 4064, 4065, 4095, 4096};
    static const uint32_t exponents[] = {1, 2, 3, 17, 65537, 0x80000000, 0xFFFFFFFF};

    (void)state;
    random_state = 1;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (enum shape shape = RANDOM; shape < SHAPES; shape++) {
            for (size_t k = 0; k < COUNT(exponents); k++) {
                mbedtls_mpi a, e, n;
                unsigned char bytes[4];

                if (shape != RANDOM && sizes[i] > 1025 && exponents[k] != 65537) {
                    continue; // slow in an emulator
                }
                row_nn("bits, exponent", (long)sizes[i], (long)exponents[k]);
                rekey_arena_init(memory, sizeof(memory));
                mbedtls_mpi_init(&a);
                mbedtls_mpi_init(&e);
                mbedtls_mpi_init(&n);
                make_modulus(&n, sizes[i], shape);
                make_base(&a, &n, sizes[i] > 1025 && k % 2 == 0 ? ANY : (enum base)(k % BASES));
                for (size_t at = 0; at < 4; at++) {
                    bytes[at] = (unsigned char)(exponents[k] >> (24 - 8 * at));
                }
                check_int(mbedtls_mpi_read_binary(&e, bytes, sizeof(bytes)), 0);
                check_power(&a, &e, &n);
                mbedtls_mpi_free(&a);
                mbedtls_mpi_free(&e);
                mbedtls_mpi_free(&n);
                check(arena_is_whole());
            }
        }
    }
    rows_done();
}

// ---- one call, in all ways ----------------------------------------------------------------------

struct call {
    const char *name;
    const char *a, *e, *n; // in hexadecimal
    int result;
};

// "LIMB" stands for 2^LIMB_BITS, and no text for a number as it is initialized.
static void read_number(mbedtls_mpi *x, const char *text) {
    if (strcmp(text, "LIMB") == 0 || strcmp(text, "LIMB-1") == 0) {
        check_int(mbedtls_mpi_lset(x, 1), 0);
        check_int(mbedtls_mpi_shift_l(x, LIMB_BITS), 0);
        check_int(mbedtls_mpi_sub_int(x, x, text[4] == '-'), 0);
    } else if (text[0] != '\0') {
        check_int(mbedtls_mpi_read_string(x, 16, text), 0);
    }
}

static void test_refused(void **state) {
    enum { BAD = MBEDTLS_ERR_MPI_BAD_INPUT_DATA };
    static const char n128[] = "f0000000000000000000000000000001";
    static const struct call rows[] = {
        {"the smallest modulus", "2", "3", "3", 0},
        {"a is 0", "0", "3", n128, 0},
        {"a was never set", "", "3", n128, 0},
        {"a is n - 1", "f0000000000000000000000000000000", "3", n128, 0},
        {"a is n", n128, "3", n128, BAD},
        {"a is n + 1", "f0000000000000000000000000000002", "3", n128, BAD},
        {"a is longer than n", "1000000000000000000000000000000000", "3", n128, BAD},
        {"a is -1", "-1", "3", n128, BAD},
        {"e is 1", "5", "1", n128, 0},
        {"e is 0", "5", "0", n128, BAD},
        {"e was never set", "5", "", n128, BAD},
        {"e is -1", "5", "-1", n128, BAD},
        {"e is -3", "5", "-3", n128, BAD},
        {"the largest e", "5", "LIMB-1", n128, 0},
        {"e has two limbs", "5", "LIMB", n128, BAD},
        {"n is even", "5", "3", "f0000000000000000000000000000000", BAD},
        {"n is a power of two", "5", "3", "LIMB", BAD},
        {"n is 2", "1", "3", "2", BAD},
        {"n is 1", "0", "3", "1", BAD},
        {"n is 0", "0", "3", "0", BAD},
        {"n was never set", "0", "3", "", BAD},
        {"n is -1", "0", "3", "-1", BAD},
        {"n is negative", "5", "3", "-f0000000000000000000000000000001", BAD},
        {"n and a are negative", "-f1", "3", "-f0", BAD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        mbedtls_mpi a, e, n, x;

        row(rows[i].name);
        rekey_arena_init(memory, sizeof(memory));
        mbedtls_mpi_init(&a);
        mbedtls_mpi_init(&e);
        mbedtls_mpi_init(&n);
        mbedtls_mpi_init(&x);
        read_number(&a, rows[i].a);
        read_number(&e, rows[i].e);
        read_number(&n, rows[i].n);
        check_int(rekey_rsa_public(&x, &a, &e, &n, NULL), rows[i].result);
        if (rows[i].result == 0) {
            check_power(&a, &e, &n);
        }
        mbedtls_mpi_free(&a);
        mbedtls_mpi_free(&e);
        mbedtls_mpi_free(&n);
        mbedtls_mpi_free(&x);
        check(arena_is_whole());
    }
    rows_done();
}

// Numbers may have limbs of zero in front; any of the three may have more than the others.
static void test_longer_numbers(void **state) {
    (void)state;
    for (unsigned which = 0; which < 16; which++) {
        mbedtls_mpi numbers[4]; // a, e, n, x

        row_n("which have zeros in front", (long)which);
        rekey_arena_init(memory, sizeof(memory));
        for (size_t i = 0; i < 4; i++) {
            mbedtls_mpi_init(&numbers[i]);
        }
        read_number(&numbers[0], "123456789abcdef0123456789abcdef");
        read_number(&numbers[1], "10001");
        read_number(&numbers[2], "f123456789abcdef0123456789abcdef");
        for (size_t i = 0; i < 4; i++) {
            if ((which >> i & 1) != 0) {
                check_int(mbedtls_mpi_grow(&numbers[i], 40), 0);
            }
        }
        check_int(rekey_rsa_public(&numbers[3], &numbers[0], &numbers[1], &numbers[2], NULL), 0);
        check_power(&numbers[0], &numbers[1], &numbers[2]);
        for (size_t i = 0; i < 4; i++) {
            mbedtls_mpi_free(&numbers[i]);
        }
        check(arena_is_whole());
    }
    rows_done();
}

// `left` bytes of the arena are there for it. It needs three numbers and a limb,
// and the result is a fourth; with less than that it fails, and gives back what it took.
static void test_arena_use(void **state) {
    const size_t number = BITS_MAX / 8;
    const size_t limb = (sizeof(mbedtls_mpi_uint) + REKEY_ARENA_ALIGN - 1) / REKEY_ARENA_ALIGN *
                        REKEY_ARENA_ALIGN; // a half one, where a limb has 32 of 64 bits
    const size_t need = 3 * number + limb + REKEY_ARENA_ALIGN;
    const size_t need_all = need + number + REKEY_ARENA_ALIGN;

    (void)state;
    for (size_t i = 0; i <= 4 * number / 8 + 11; i++) { // the last ones in steps of a limb
        const size_t left =
            i <= 4 * number / 8 ? 8 * i : 4 * number + (i - 4 * number / 8) * REKEY_ARENA_ALIGN;
        mbedtls_mpi a, e, n, x;
        size_t used;
        void *filler;
        int result;

        row_n("bytes left", (long)left);
        rekey_arena_init(memory, sizeof(memory));
        mbedtls_mpi_init(&a);
        mbedtls_mpi_init(&e);
        mbedtls_mpi_init(&n);
        mbedtls_mpi_init(&x);
        make_modulus(&n, BITS_MAX, SPARSE);
        check_int(mbedtls_mpi_lset(&a, 2), 0);
        check_int(mbedtls_mpi_lset(&e, 3), 0);
        used = rekey_arena_peak();
        filler = rekey_arena_calloc(1, sizeof(memory) - used - left - REKEY_ARENA_ALIGN);
        check(filler != NULL);
        result = rekey_rsa_public(&x, &a, &e, &n, NULL);
        check_int(result, left >= need_all ? 0 : MBEDTLS_ERR_MPI_ALLOC_FAILED);
        check_int(rekey_arena_failed(), left < need_all);
        if (result == 0) {
            check_int(mbedtls_mpi_cmp_int(&x, 8), 0);
            check(rekey_arena_peak() == sizeof(memory) - left + need_all);
        }
        rekey_arena_free(filler);
        mbedtls_mpi_free(&a);
        mbedtls_mpi_free(&e);
        mbedtls_mpi_free(&n);
        mbedtls_mpi_free(&x);
        check(arena_is_whole());
    }
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_signatures), UNIT(test_powers), UNIT(test_refused),
                                       UNIT(test_longer_numbers), UNIT(test_arena_use)};

    return cmocka_run_group_tests_name("rsa", tests, NULL, rows_total);
}
