// sha256.h - until port/mbedtls/sha256.h is there. Goes with owner.h.

#ifndef REKEY_SHA256_H
#define REKEY_SHA256_H

#include <mbedtls/sha256.h>

#include "span.h"

static inline void rekey_sha256(struct rekey_span text, unsigned char hash[32]) {
    mbedtls_sha256((const unsigned char *)text.ptr, text.len, hash, 0);
}

#endif
