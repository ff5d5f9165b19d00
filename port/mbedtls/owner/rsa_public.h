// rsa_public.h - the arithmetic for the verification of RSA signatures. mbedTLS's rsa.c calls it,
// because the Makefile compiles that file with -Dmbedtls_mpi_exp_mod_unsafe=rekey_rsa_public.

#ifndef REKEY_RSA_PUBLIC_H
#define REKEY_RSA_PUBLIC_H

#include <mbedtls/bignum.h>

// *x = a^e mod n, for 0 <= a < n, n odd, and e from 1 to the largest limb; `unused` is the
// parameter in which mbedTLS keeps a constant. x and a may be the same. Returns 0,
// MBEDTLS_ERR_MPI_BAD_INPUT_DATA or MBEDTLS_ERR_MPI_ALLOC_FAILED; after an error the value of *x is
// undefined.
int rekey_rsa_public(mbedtls_mpi *x, const mbedtls_mpi *a, const mbedtls_mpi *e,
                     const mbedtls_mpi *n, mbedtls_mpi *unused);

#endif
