// rsa_public.h - what the verification of RSA signatures does with long numbers. mbedTLS's rsa.c
// calls it, because the Makefile compiles that file with
// -Dmbedtls_mpi_exp_mod_unsafe=rekey_rsa_public.

#ifndef REKEY_RSA_PUBLIC_H
#define REKEY_RSA_PUBLIC_H

#include <mbedtls/bignum.h>

// *x = a^e mod n, for 0 <= a < n, n odd, and e from 1 to the largest limb; `unused` stands where
// mbedTLS keeps a constant. x and a may be one number. Returns 0, MBEDTLS_ERR_MPI_BAD_INPUT_DATA or
// MBEDTLS_ERR_MPI_ALLOC_FAILED; after an error *x is not to be used.
int rekey_rsa_public(mbedtls_mpi *x, const mbedtls_mpi *a, const mbedtls_mpi *e,
                     const mbedtls_mpi *n, mbedtls_mpi *unused);

#endif
