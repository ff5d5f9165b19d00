// secret.h - the secrets that the user gives: a bearer token, a client secret, the value of a key.
// Each is checked before anything is sent; what is wrong is said with the name of the option or
// variable that it came from, and without the secret.

#ifndef REKEY_COMMAND_SECRET_H
#define REKEY_COMMAND_SECRET_H

#include "fault.h"

#define SECRET_CLIENT_MAX 512 // bytes of a client secret

// Each reads its secret into buf. `until` is when the writer of a pipe must be done, by
// rekey_posix_now_ms. Returns 0 with *len > 0, or an error with *f.

// The bearer token: of `file`, or if that is NULL of AZURE_ACCESS_TOKEN, which is unset.
int secret_load_token(const char *file, uint64_t until, char buf[REKEY_TOKEN_MAX], size_t *len,
                      struct fault *f);

// The bearer token of `file`, read once more after the service has refused it. *f is filled in with
// REKEY_E_NO_TOKEN only, and not with REKEY_E_ABORTED and REKEY_E_LIMIT_TOKEN.
int secret_read_token(const char *file, uint64_t until, char *buf, size_t cap, size_t *len,
                      struct fault *f);

// The client secret: of `file`, or if that is NULL of AZURE_CLIENT_SECRET, which is unset.
int secret_load_client(const char *file, uint64_t until, char buf[SECRET_CLIENT_MAX], size_t *len,
                       struct fault *f);

// The key value of `file`.
int secret_load_key_value(const char *file, uint64_t until, char buf[REKEY_KEY_VALUE_MAX],
                          size_t *len, struct fault *f);

#endif
