// rotation.h - what rotate and sync share: the state machine of src/rotate.h with the files of
// state.c, the hook, and status.json.

#ifndef REKEY_COMMAND_ROTATION_H
#define REKEY_COMMAND_ROTATION_H

#include "rotate.h"
#include "session.h"
#include "state.h"

// The differences between the two.
struct rotation_kind {
    uint32_t settle_ms;  // the default of --settle
    bool due;            // the next run is due --min-age after the last change
    const char *changed; // the verb for a key that is in use now
    const char *later;   // what later runs do, after the first one
};

// Opens the directory of --state, for the session's endpoint. Returns 0, or an error with s->fault.
int rotation_open_state(struct session *s, struct state *state);

// Opens the state and the session. Returns 0 with *x, for rekey_rotate, rekey_sync or
// rekey_rollback; or an exit code, and the run has ended. `kind` lives as long as the process.
int rotation_open(const struct options *o, const struct rotation_kind *kind,
                  struct rekey_rotation **x);

// Runs to the end, prints the result, and closes the session. `begun` is what rekey_rotate,
// rekey_sync or rekey_rollback returned. Returns the exit code.
int rotation_run(int begun);

#endif
