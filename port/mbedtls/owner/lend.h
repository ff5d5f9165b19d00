// lend.h - the end of mbedTLS's input buffer as memory for calculations. The buffer has 16 KB; what
// is behind the record that was read last is not in use before the next one is read. The headers
// that mbedtls.mk puts before mbedTLS's TLS files lend it to the arena (arena.h) while a
// certificate chain or a signature is verified and while keys are exchanged: there a handshake
// needs the most.

#ifndef REKEY_LEND_H
#define REKEY_LEND_H

#include "ssl_misc.h"

// Lends what is behind the record. The record itself stays as it is: it may have another message,
// and its bytes are hashed later. If no record has been read completely, nothing is lent.
void rekey_lend(const mbedtls_ssl_context *ssl);

// The memory belongs to mbedTLS again. Returns `code`.
int rekey_return(int code);

// Evaluates `work`, an error of mbedTLS, with lent memory; it has freed all that it allocates.
#define REKEY_WITH_LENT(work) (rekey_lend(ssl), rekey_return(work))

#endif
