// rotation.h - what rotate and sync share: the machine of src/rotate.h over the files of state.c,
// its hook, and status.json.

#ifndef REKEY_COMMAND_ROTATION_H
#define REKEY_COMMAND_ROTATION_H

#include "rotate.h"
#include "session.h"
#include "state.h"

// What the two do and say differently.
struct rotation_kind {
    uint32_t settle_ms;  // the default of --settle
    bool due;            // the next run is due --min-age after the last change
    const char *changed; // what became of a key that is in use now
    const char *later;   // what later runs do, after the first one
};

// Opens the directory of --state, for the session's endpoint. Returns 0, or an error with s->fault.
int rotation_open_state(struct session *s, struct state *state);

// Opens the state and the session. Returns 0 with *x, for rekey_rotate and its like; or an exit
// code: the run has ended. `kind` lives as long as the process.
int rotation_open(const struct options *o, const struct rotation_kind *kind,
                  struct rekey_rotation **x);

// Runs what was begun to its end, says how it ended, and closes all. `begun` is what rekey_rotate
// or its like returned. Returns the exit code.
int rotation_run(int begun);

// Ends a run that cannot begin after all. Returns the exit code.
int rotation_refuse(enum rekey_outcome outcome, int error, const char *text);

#endif
