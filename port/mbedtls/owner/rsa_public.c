// rsa_public.c - X = A^E mod N for the verification of RSA signatures, instead of mbedTLS's
// function. That function needs 11.9 KB of arena for an RSA-4096 signature, and a division of long
// numbers; this one needs 1.5 KB, and only Montgomery multiplications (by mbedTLS). All operands
// are public, so the time may depend on them. rsa_public.h says how it is used by rsa.c.

#include <bignum_core.h>

#include "arena.h"
#include "rsa_public.h"
#include "rsa_square.h"

// Not for private keys: exponents have one limb.
struct modulus {
    const mbedtls_mpi_uint *n;
    size_t limbs;
    mbedtls_mpi_uint minus_inverse; // the negative inverse of n modulo 2^(bits of a limb)
    mbedtls_mpi_uint *scratch;      // 2 * limbs + 1 limbs
};

static void multiply(const struct modulus *m, mbedtls_mpi_uint *x, const mbedtls_mpi_uint *a,
                     const mbedtls_mpi_uint *b) {
    mbedtls_mpi_core_montmul(x, a, b, m->limbs, m->n, m->limbs, m->minus_inverse, m->scratch);
}

static void square(const struct modulus *m, mbedtls_mpi_uint *x) {
#if REKEY_RSA_SQUARE
    rekey_rsa_square(x, m->n, m->limbs, m->minus_inverse, m->scratch);
#else
    multiply(m, x, x, x);
#endif
}

// x = 2^times x mod n
static void double_it(const struct modulus *m, mbedtls_mpi_uint *x, size_t times) {
    for (; times > 0; times--) {
        mbedtls_mpi_uint carry = mbedtls_mpi_core_add(x, x, x, m->limbs);
        mbedtls_mpi_uint borrow = mbedtls_mpi_core_sub(m->scratch, x, m->n, m->limbs);

        if (carry >= borrow) { // x was not less than n
            memcpy(x, m->scratch, m->limbs * sizeof(*x));
        }
    }
}

// x = R^2 mod n, where R = 2^bits is the factor of Montgomery's method. It computes R * 2^times by
// doubling the largest power of two below n. Then each squaring doubles `times`, until it is
// `bits`. Up to 32, doubling is faster than squaring.
static void square_of_r(const struct modulus *m, mbedtls_mpi_uint *x, size_t n_bits) {
    const size_t bits = m->limbs * sizeof(*x) * 8;
    size_t times = bits;

    while (times > 32 && times % 2 == 0) {
        times /= 2;
    }
    x[m->limbs - 1] = (mbedtls_mpi_uint)1 << (n_bits - 1) % (sizeof(*x) * 8);
    double_it(m, x, bits - (n_bits - 1) + times);
    for (; times < bits; times *= 2) {
        square(m, x);
    }
}

int rekey_rsa_public(mbedtls_mpi *x, const mbedtls_mpi *a, const mbedtls_mpi *e,
                     const mbedtls_mpi *n, mbedtls_mpi *unused) {
    const size_t n_bits = mbedtls_mpi_bitlen(n);
    struct modulus m = {.n = n->MBEDTLS_PRIVATE(p),
                        .limbs = (n_bits + sizeof(mbedtls_mpi_uint) * 8 - 1) /
                                 (sizeof(mbedtls_mpi_uint) * 8)};
    mbedtls_mpi_uint *power, *base, exponent;
    int result;

    (void)unused;
    // A negative n is refused, too, because it is less than any a >= 0.
    if (n_bits < 2 || mbedtls_mpi_get_bit(n, 0) == 0 || mbedtls_mpi_cmp_int(a, 0) < 0 ||
        mbedtls_mpi_cmp_mpi(a, n) >= 0 || mbedtls_mpi_cmp_int(e, 1) < 0 ||
        mbedtls_mpi_bitlen(e) > sizeof(exponent) * 8) {
        return MBEDTLS_ERR_MPI_BAD_INPUT_DATA;
    }
    power = rekey_arena_calloc(3 * m.limbs + 1, sizeof(*power));
    if (power == NULL) {
        return MBEDTLS_ERR_MPI_ALLOC_FAILED;
    }
    m.scratch = power + m.limbs;
    m.minus_inverse = mbedtls_mpi_core_montmul_init(m.n);
    exponent = e->MBEDTLS_PRIVATE(p)[0];
    result = mbedtls_mpi_grow(x, m.limbs);
    if (result == 0) {
        result = mbedtls_mpi_copy(x, a); // does nothing if x and a are the same, as in rsa.c
    }
    if (result == 0) {
        base = x->MBEDTLS_PRIVATE(p);
        square_of_r(&m, power, n_bits);
        multiply(&m, base, base, power);
        memcpy(power, base, m.limbs * sizeof(*power));
        for (size_t bit = mbedtls_mpi_bitlen(e) - 1; bit > 0; bit--) {
            square(&m, power);
            if ((exponent >> (bit - 1) & 1) != 0) {
                multiply(&m, power, power, base);
            }
        }
        result = mbedtls_mpi_lset(x, 1);
        multiply(&m, power, power, base); // converts out of Montgomery's form
        memcpy(base, power, m.limbs * sizeof(*power));
    }
    rekey_arena_free(power);
    return result;
}
