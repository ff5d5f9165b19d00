// rsa_square.h - squares for rsa_public.c, on machines with limbs of 64 bits. mbedTLS has no
// special function for squares, and its multiplication takes a third more instructions.

#ifndef REKEY_RSA_SQUARE_H
#define REKEY_RSA_SQUARE_H

#include <mbedtls/bignum.h>

// Whether this machine and its compiler support rsa_square.c.
#if defined(MBEDTLS_HAVE_INT64) && defined(__SIZEOF_INT128__)
#define REKEY_RSA_SQUARE 1
#else
#define REKEY_RSA_SQUARE 0
#endif

// x = x^2 / 2^(64 * limbs) mod n, for 0 <= x < n and n odd. `minus_inverse` is the negative inverse
// of n modulo 2^64; `scratch` has `limbs` limbs. Its time depends on x.
void rekey_rsa_square(mbedtls_mpi_uint *x, const mbedtls_mpi_uint *n, size_t limbs,
                      mbedtls_mpi_uint minus_inverse, mbedtls_mpi_uint *scratch);

#endif
