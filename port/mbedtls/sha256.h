// sha256.h - SHA-256 by mbedTLS, of which 3.6 and 4.x have different functions for it.

#ifndef REKEY_SHA256_H
#define REKEY_SHA256_H

#include "span.h"

// The hash is all zero where mbedTLS cannot compute one (4.x: no memory).
void rekey_sha256(struct rekey_span text, unsigned char hash[32]);

#endif
