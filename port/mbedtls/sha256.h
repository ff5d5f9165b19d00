// sha256.h - SHA-256 by mbedTLS 3.6 or 4.x, which have different functions for it.

#ifndef REKEY_SHA256_H
#define REKEY_SHA256_H

#include "span.h"

// The hash is all zero if mbedTLS cannot compute it (4.x: out of memory).
void rekey_sha256(struct rekey_span text, unsigned char hash[32]);

#endif
