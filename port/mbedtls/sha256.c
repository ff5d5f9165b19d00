// sha256.c - see sha256.h.

#include "sha256.h"

#include "library.h"
#if REKEY_TLS_4
#include <psa/crypto.h>
#else
#include <mbedtls/sha256.h>
#endif

void rekey_sha256(struct rekey_span text, unsigned char hash[32]) {
    const unsigned char *bytes = (const unsigned char *)text.ptr;

#if REKEY_TLS_4
    size_t len;

    if (psa_crypto_init() != PSA_SUCCESS ||
        psa_hash_compute(PSA_ALG_SHA_256, bytes, text.len, hash, 32, &len) != PSA_SUCCESS) {
        memset(hash, 0, 32);
    }
#else
    mbedtls_sha256(bytes, text.len, hash, 0);
#endif
}
