// rsa_square.c - a Montgomery square, column by column ("product scanning": Koc, Acar, Kaliski,
// Analyzing and Comparing Montgomery Multiplication Algorithms, 1996, which call it FIPS): column i
// is the sum of all products of two limbs whose indices add up to i. In a square each product of
// two different limbs occurs twice in its column, so that only half of the products must be
// computed.

#include "rsa_square.h"

#if REKEY_RSA_SQUARE

#include <bignum_core.h>
#include <string.h>

typedef unsigned __int128 wide;

// low + top * 2^128. A column has less than 2^64 products, so that top does not overflow.
struct sum {
    wide low;
    mbedtls_mpi_uint top;
};

static inline struct sum add(struct sum sum, wide number) {
    sum.low += number;
    sum.top += sum.low < number;
    return sum;
}

// Adds up[0] * down[0] + up[1] * down[-1] + ..., `count` products.
static inline struct sum add_products(struct sum sum, const mbedtls_mpi_uint *up,
                                      const mbedtls_mpi_uint *down, size_t count) {
    while (count-- > 0) {
        sum = add(sum, (wide)*up++ * *down--);
    }
    return sum;
}

void rekey_rsa_square(mbedtls_mpi_uint *x, const mbedtls_mpi_uint *n, size_t limbs,
                      mbedtls_mpi_uint minus_inverse, mbedtls_mpi_uint *scratch) {
    mbedtls_mpi_uint *multiples = scratch; // of n, which make the lower half of the sum zero
    struct sum sum = {0, 0};
    mbedtls_mpi_uint borrow;

    for (size_t i = 0; i < 2 * limbs; i++) {
        const size_t first = i < limbs ? 0 : i - limbs + 1; // the smallest index in this column
        const size_t pairs = (i + 1) / 2 - first;
        struct sum half = add_products((struct sum){0, 0}, x + first, x + i - first, pairs);

        sum.top += 2 * half.top + (mbedtls_mpi_uint)(half.low >> 127);
        sum = add(sum, 2 * half.low);
        if (i % 2 == 0) {
            sum = add_products(sum, x + i / 2, x + i / 2, 1);
        }
        if (i < limbs) {
            sum = add_products(sum, multiples, n + i, i);
            multiples[i] = (mbedtls_mpi_uint)sum.low * minus_inverse;
            sum = add_products(sum, multiples + i, n, 1); // now the lowest limb is zero
        } else {
            sum = add_products(sum, multiples + first, n + i - first, limbs - first);
            x[i - limbs] =
                (mbedtls_mpi_uint)sum.low; // the higher columns do not need the old value
        }
        sum.low = sum.low >> 64 | (wide)sum.top << 64;
        sum.top = 0;
    }
    borrow = mbedtls_mpi_core_sub(scratch, x, n, limbs);
    if (sum.low >= borrow) { // the result was not less than n
        memcpy(x, scratch, limbs * sizeof(*x));
    }
}

#endif
