// input.h - reads what the user gives: files, pipes and environment variables.

#ifndef REKEY_COMMAND_INPUT_H
#define REKEY_COMMAND_INPUT_H

#include "fault.h"

// Reads the file `path` ("-": standard input) into buf[0..cap), without one newline at its end (LF
// or CRLF) and a byte order mark in front. The file may be a pipe; its writer must be done at the
// time `until` of rekey_posix_now_ms. Returns 0 with the length in *len; if that is more than
// `cap`, buf has only the first `cap` bytes. Returns errno if it cannot be read, EINTR if a signal
// asked to stop.
int input_read(const char *path, uint64_t until, char *buf, size_t cap, size_t *len);

// The text of errno after input_read.
const char *input_error(int number);

// Fills in *f: the file of `option` cannot be read, with errno `number`; or a signal asked to stop.
// Returns the error.
int input_fault(struct fault *f, enum rekey_outcome outcome, int error, const char *option,
                const char *file, int number);

// The value of an environment variable; NULL if it is not set or empty.
const char *input_variable(const char *name);

// Copies the value of the variable `name`, overwrites it in the environment, and unsets it. False
// if it is not set or empty. *len as above.
bool input_move_variable(const char *name, char *buf, size_t cap, size_t *len);

// Overwrites and unsets all other variables that may have a secret.
void input_forget_variables(void);

#endif
