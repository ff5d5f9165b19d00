// rsa_public.c - proofs about port/mbedtls/owner/rsa_public.c: for numbers of any length that
// mbedTLS allows, every call of mbedTLS's long-number functions satisfies the requirements of its
// header, nothing outside of the numbers and of the arena's block is touched, and the block is
// returned. The results of the functions are not part of the proof; test vectors check them. So the
// functions and memcpy are replaced by ones that only check their arguments.

#define memcpy checked_copy
#include "../../port/mbedtls/owner/rsa_public.c"
#undef memcpy

#include "proof.h"

#define LIMB sizeof(mbedtls_mpi_uint)

static const mbedtls_mpi *modulus_given, *exponent_given;
static size_t modulus_bits, exponent_bits;
static bool modulus_is_odd;
static unsigned char *block;
static bool freed;

static bool readable(const mbedtls_mpi_uint *number, size_t limbs) {
    return __CPROVER_r_ok(number, limbs * LIMB);
}

static bool writable(mbedtls_mpi_uint *number, size_t limbs) {
    return __CPROVER_w_ok(number, limbs * LIMB);
}

void *checked_copy(void *to, const void *from, size_t len) {
    PROVE(__CPROVER_w_ok(to, len) && __CPROVER_r_ok(from, len));
    PROVE(!__CPROVER_same_object(to, from) || (const char *)to >= (const char *)from + len ||
          (const char *)from >= (const char *)to + len);
    return to;
}

void *rekey_arena_calloc(size_t count, size_t size) {
    PROVE(block == NULL && count <= SIZE_MAX / size);
    block = nondet_bool() ? NULL : malloc(count * size);
    return block;
}

void rekey_arena_free(void *ptr) {
    PROVE(ptr == block && !freed);
    freed = true;
}

size_t mbedtls_mpi_bitlen(const mbedtls_mpi *number) {
    PROVE(number == modulus_given || number == exponent_given);
    return number == modulus_given ? modulus_bits : exponent_bits;
}

int mbedtls_mpi_get_bit(const mbedtls_mpi *number, size_t bit) {
    PROVE(number == modulus_given && bit == 0);
    return modulus_is_odd;
}

int mbedtls_mpi_cmp_int(const mbedtls_mpi *number, mbedtls_mpi_sint z) {
    bool is_exponent = number == exponent_given;

    PROVE(is_exponent ? z == 1 : z == 0);
    if (number->MBEDTLS_PRIVATE(s) < 0) {
        return -1;
    }
    return is_exponent && exponent_bits == 0 ? -1 : nondet_bool();
}

int mbedtls_mpi_cmp_mpi(const mbedtls_mpi *x, const mbedtls_mpi *y) {
    (void)x;
    PROVE(y == modulus_given);
    return nondet_bool() ? 1 : nondet_bool() ? 0 : -1;
}

// The number moves, as with mbedTLS: pointers to its old place are no longer valid.
int mbedtls_mpi_grow(mbedtls_mpi *number, size_t limbs) {
    PROVE(limbs <= MBEDTLS_MPI_MAX_LIMBS);
    if (number->MBEDTLS_PRIVATE(n) < limbs) {
        if (nondet_bool()) {
            return MBEDTLS_ERR_MPI_ALLOC_FAILED;
        }
        free(number->MBEDTLS_PRIVATE(p));
        number->MBEDTLS_PRIVATE(p) = malloc(limbs * LIMB);
        ASSUME(number->MBEDTLS_PRIVATE(p) != NULL);
        number->MBEDTLS_PRIVATE(n) = (unsigned short)limbs;
    }
    return 0;
}

// A number below the modulus has no more limbs than the modulus, except limbs that are zero.
int mbedtls_mpi_copy(mbedtls_mpi *x, const mbedtls_mpi *y) {
    PROVE(x == y || x->MBEDTLS_PRIVATE(n) * LIMB * 8 >= modulus_bits);
    return 0;
}

int mbedtls_mpi_lset(mbedtls_mpi *number, mbedtls_mpi_sint z) {
    (void)z;
    PROVE(number->MBEDTLS_PRIVATE(n) > 0);
    number->MBEDTLS_PRIVATE(s) = 1;
    return 0;
}

mbedtls_mpi_uint mbedtls_mpi_core_montmul_init(const mbedtls_mpi_uint *n) {
    PROVE(readable(n, 1) && modulus_is_odd);
    return nondet_u64();
}

void mbedtls_mpi_core_montmul(mbedtls_mpi_uint *x, const mbedtls_mpi_uint *a,
                              const mbedtls_mpi_uint *b, size_t b_limbs, const mbedtls_mpi_uint *n,
                              size_t limbs, mbedtls_mpi_uint minus_inverse, mbedtls_mpi_uint *t) {
    (void)minus_inverse;
    PROVE(b_limbs >= 1 && b_limbs <= limbs);
    PROVE(readable(a, limbs) && readable(b, b_limbs) && readable(n, limbs) && writable(x, limbs));
    PROVE(writable(t, 2 * limbs + 1));
    // The temporary numbers do not overlap with any others.
    PROVE(!__CPROVER_same_object(t, x) || x + limbs <= t);
    PROVE(!__CPROVER_same_object(t, a) || a + limbs <= t);
    PROVE(!__CPROVER_same_object(t, b) || b + limbs <= t);
}

void rekey_rsa_square(mbedtls_mpi_uint *x, const mbedtls_mpi_uint *n, size_t limbs,
                      mbedtls_mpi_uint minus_inverse, mbedtls_mpi_uint *scratch) {
    (void)minus_inverse;
    PROVE(limbs >= 1 && readable(n, limbs) && writable(x, limbs) && writable(scratch, limbs));
    PROVE(__CPROVER_same_object(scratch, x) && x + limbs <= scratch);
}

mbedtls_mpi_uint mbedtls_mpi_core_add(mbedtls_mpi_uint *x, const mbedtls_mpi_uint *a,
                                      const mbedtls_mpi_uint *b, size_t limbs) {
    PROVE(writable(x, limbs) && readable(a, limbs) && readable(b, limbs));
    return nondet_bool();
}

mbedtls_mpi_uint mbedtls_mpi_core_sub(mbedtls_mpi_uint *x, const mbedtls_mpi_uint *a,
                                      const mbedtls_mpi_uint *b, size_t limbs) {
    PROVE(writable(x, limbs) && readable(a, limbs) && readable(b, limbs));
    return nondet_bool();
}

static mbedtls_mpi any_number(void) {
    mbedtls_mpi number;

    number.MBEDTLS_PRIVATE(s) = nondet_bool() ? 1 : -1;
    number.MBEDTLS_PRIVATE(n) = nondet_u16();
    ASSUME(number.MBEDTLS_PRIVATE(n) <= MBEDTLS_MPI_MAX_LIMBS);
    number.MBEDTLS_PRIVATE(p) = NULL; // a number that was never set has no limbs
    if (number.MBEDTLS_PRIVATE(n) > 0) {
        number.MBEDTLS_PRIVATE(p) = malloc(number.MBEDTLS_PRIVATE(n) * LIMB);
        ASSUME(number.MBEDTLS_PRIVATE(p) != NULL);
    }
    return number;
}

void power(void) {
    mbedtls_mpi x = any_number(), a = any_number(), e = any_number(), n = any_number();
    bool in_place = nondet_bool(); // x and a are the same number
    size_t limbs;
    int result;

    modulus_given = &n;
    exponent_given = &e;
    modulus_bits = nondet_size();
    exponent_bits = nondet_size();
    limbs = (modulus_bits + LIMB * 8 - 1) / (LIMB * 8);
    modulus_is_odd = nondet_bool();
    ASSUME(modulus_bits <= n.MBEDTLS_PRIVATE(n) * LIMB * 8);
    ASSUME(exponent_bits <= e.MBEDTLS_PRIVATE(n) * LIMB * 8);
    // Only the bounds of the loops: each round makes the same calls.
    ASSUME(exponent_bits <= 17 || exponent_bits > LIMB * 8);
    ASSUME(modulus_bits < 2 || (modulus_bits - 1) % (LIMB * 8) > LIMB * 8 - 6);
    ASSUME((limbs & (limbs - 1)) == 0);
    result = rekey_rsa_public(in_place ? &a : &x, &a, &e, &n, NULL);
    PROVE(result == 0 || result == MBEDTLS_ERR_MPI_BAD_INPUT_DATA ||
          result == MBEDTLS_ERR_MPI_ALLOC_FAILED);
    PROVE(result != 0 || (modulus_is_odd && modulus_bits > 1 && exponent_bits <= LIMB * 8));
    PROVE(freed == (block != NULL));
    REACHED(result == 0 && in_place);
    REACHED(result == 0 && modulus_bits == 8192);
}
