// input.h - what the user gives: files, pipes and variables of the environment.

#ifndef REKEY_COMMAND_INPUT_H
#define REKEY_COMMAND_INPUT_H

#include "fault.h"

// Reads the file `path` ("-": standard input) into buf[0..cap), without one newline at its end (LF
// or CRLF) and a byte order mark in front. It may be a pipe, whose writer must be done at the time
// `until` of rekey_posix_now_ms. Returns 0 with the length in *len; that can be more than `cap`:
// then it did not fit, and buf holds its beginning. Returns errno if it cannot be read, EINTR if a
// signal asked to stop.
int input_read(const char *path, uint64_t until, char *buf, size_t cap, size_t *len);

// What errno means for a file that input_read could not read.
const char *input_error(int number);

// Says in *f that `option` names a file that cannot be read, with errno `number`; or that a signal
// asked to stop meanwhile. Returns the error.
int input_fault(struct fault *f, enum rekey_outcome outcome, int error, const char *option,
                const char *file, int number);

// A variable of the environment; NULL if it is not set, or empty.
const char *input_variable(const char *name);

// Copies the variable `name`, overwrites it where it stands, and unsets it. False if it is not set,
// or empty. *len as above.
bool input_move_variable(const char *name, char *buf, size_t cap, size_t *len);

// Overwrites and unsets every variable that may hold a secret and was not taken.
void input_forget_variables(void);

#endif
