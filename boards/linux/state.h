// state.h - the directory of a rotation: what src/rotate.h asks of a storage, as files.
//
//     key, key.previous   the keys, without a newline; mode 0600, or 0640 for a group
//     state               what the next run must know; text
//     operation           an unfinished operation, as --operation-file has it
//     status.json         how the last run ended, for people and monitoring; only `rekey status`
//                         reads it
//     lock                held while a run lasts
//
// Each is replaced atomically. A format that is not known is refused, and never overwritten.

#ifndef REKEY_COMMAND_STATE_H
#define REKEY_COMMAND_STATE_H

#include <sys/types.h>

#include "operation_file.h"
#include "rotate.h"

struct state {
    // For the caller to set.
    struct operation_file *operation;
    const char *directory;
    const char *key_group;        // by name or number; NULL: only the owner may read the key file
    bool keep_group;              // if key_group is NULL, the key file keeps its group
    bool volatile_ok;             // allow a directory that a restart empties
    bool check_only;              // correct and remove nothing
    struct rekey_span management; // host or host:port, for the operation file
    char endpoint[REKEY_PATH_MAX + 1]; // its path; "": use that of the loaded state

    gid_t group;       // of the key file
    uid_t owner;       // the owner that root gives the files to; 0: root keeps them
    int lock;          // its descriptor
    int lock_error;    // errno, if the lock could not be given to the owner of the directory
    bool busy;         // another run has the lock
    bool opened;       // it is locked, and can be written
    const char *fault; // the file that the last failure was about
    const char *why;   // the reason in words; if NULL, see `what` and `error`
    const char *what;  // what could not be done, as rekey_posix_write_file names it
    int error;         // errno
    char path[512];
    char operation_path[512];
    char text[REKEY_PATH_MAX + 512]; // of each file but the operation; `state` contains a path
};

// For rotate.h; the ctx is the struct state. The hook is not part of it.
extern const struct rekey_storage state_storage;

// Writes the details of the last failure; an empty text if there was none. `ctx` is the struct
// state.
void state_explain(const void *ctx, char *buf, size_t cap);

// DIR/NAME, in s->path.
const char *state_path(struct state *s, const char *name);

// "Primary", "Secondary", or "none" for 0.
const char *slot_name(enum rekey_key slot);

// Replaces DIR/NAME. Returns 0 or REKEY_E_STORE.
int state_write(struct state *s, const char *name, const char *text, size_t len, gid_t group);

#endif
