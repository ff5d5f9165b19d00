// secret.h - the secrets that the user gives: a bearer token, a client secret, the value of a key.
// Each is checked before anything is sent. An error names the option or variable, and never shows
// the secret.

#ifndef REKEY_COMMAND_SECRET_H
#define REKEY_COMMAND_SECRET_H

#include "fault.h"

#define SECRET_CLIENT_MAX 512 // bytes of a client secret

// Each reads its secret into buf. `until` is when the writer of a pipe must be done, by
// rekey_posix_now_ms. Returns 0 with *len > 0, or an error with *f.

// The bearer token, from `file`; if that is NULL, from AZURE_ACCESS_TOKEN, which is unset.
int secret_load_token(const char *file, uint64_t until, char buf[REKEY_TOKEN_MAX], size_t *len,
                      struct fault *f);

// The bearer token from `file`, read again after the service has refused the previous one. Fills in
// *f only with REKEY_E_NO_TOKEN; it may also return REKEY_E_ABORTED and REKEY_E_LIMIT_TOKEN.
int secret_read_token(const char *file, uint64_t until, char *buf, size_t cap, size_t *len,
                      struct fault *f);

// The client secret, from `file`; if that is NULL, from AZURE_CLIENT_SECRET, which is unset.
int secret_load_client(const char *file, uint64_t until, char buf[SECRET_CLIENT_MAX], size_t *len,
                       struct fault *f);

// The key value, from `file`.
int secret_load_key_value(const char *file, uint64_t until, char buf[REKEY_KEY_VALUE_MAX],
                          size_t *len, struct fault *f);

#endif
