// secret.h - reading a token or a key value from where a user keeps it.

#ifndef REKEY_SECRET_H
#define REKEY_SECRET_H

#include "span.h"

// Reads the file `path` ("-": standard input) into buf[0..cap), without one newline at its end (LF
// or CRLF). Returns 0 with the length in *len; that can be more than `cap`: then it did not fit,
// and buf holds its beginning. Returns errno if it cannot be read.
int read_secret(const char *path, char *buf, size_t cap, size_t *len);

// Copies the environment variable `name`, overwrites it where it stands, and unsets it. Returns
// false if it is not set or empty. *len as above.
bool take_environment(const char *name, char *buf, size_t cap, size_t *len);

#endif
