// regeneration.h - what regenerate and wait share: an operation that is kept in a file until it has
// ended.

#ifndef REKEY_COMMAND_REGENERATION_H
#define REKEY_COMMAND_REGENERATION_H

#include "session.h"

// The whole end of the operation: says everything, removes the file where it has no more to tell,
// closes the session. `remark` is one more line on the error; or NULL. Returns the exit code.
int regeneration_end(struct session *s, const struct rekey_report *report, const char *remark);

#endif
