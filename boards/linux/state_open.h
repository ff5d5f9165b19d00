// state_open.h - prepares the directory of a rotation for a run.

#ifndef REKEY_COMMAND_STATE_OPEN_H
#define REKEY_COMMAND_STATE_OPEN_H

#include "fault.h"
#include "state.h"

// Locks the directory, and checks that it can be written and that its files can be read. Returns 0,
// or an error with *f.
int state_open(struct state *s, struct fault *f);

#endif
