// lend.h - lends the end of mbedTLS's input buffer to the arena (arena.h) as memory for
// calculations. The buffer has 16 KB, and the part behind the last record is unused until the next
// record is read. The headers that mbedtls.mk puts before mbedTLS's TLS files lend it while a
// certificate chain or a signature is verified, and while keys are exchanged: a handshake needs the
// most memory then.

#ifndef REKEY_LEND_H
#define REKEY_LEND_H

#include "ssl_misc.h"

// Lends the part behind the record. The record itself is unchanged, because it may contain another
// message, and because its bytes are hashed later. If no record has been read completely, nothing
// is lent.
void rekey_lend(const mbedtls_ssl_context *ssl);

// Returns the memory to mbedTLS. The result is `code`.
int rekey_return(int code);

// Evaluates `work`, an expression with a result of mbedTLS, with lent memory. It must free all that
// it allocates.
#define REKEY_WITH_LENT(work) (rekey_lend(ssl), rekey_return(work))

#endif
