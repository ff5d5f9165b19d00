// state_open.h - the directory of a rotation, made ready for a run.

#ifndef REKEY_COMMAND_STATE_OPEN_H
#define REKEY_COMMAND_STATE_OPEN_H

#include "fault.h"
#include "state.h"

// Opens and locks the directory, and sees to it that it can be written, and that what is there can
// be read. Returns 0, or an error with *f.
int state_open(struct state *s, struct fault *f);

#endif
