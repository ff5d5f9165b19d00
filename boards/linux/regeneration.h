// regeneration.h - what regenerate and wait share: the end of an operation that is saved in a file.

#ifndef REKEY_COMMAND_REGENERATION_H
#define REKEY_COMMAND_REGENERATION_H

#include "session.h"

// Ends the run: prints the result, removes the file if the operation has ended, closes the session.
// `remark` is one more line about the error; or NULL. Returns the exit code.
int regeneration_end(struct session *s, const struct rekey_report *report, const char *remark);

#endif
