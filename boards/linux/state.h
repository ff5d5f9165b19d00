// state.h - the directory of a rotation: what src/rotate.h asks of a storage, as files.
//
//     key, key.previous   the keys, without a newline; mode 0600, or 0640 for a group
//     state               what the next run must know; text
//     operation           an unfinished operation, as --operation-file has it
//     status.json         what the last run came to; for people and monitoring; only `rekey status`
//     reads it lock                held while a run lasts
//
// Each is replaced atomically. A format that is not known is refused, and never overwritten.

#ifndef REKEY_COMMAND_STATE_H
#define REKEY_COMMAND_STATE_H

#include <sys/types.h>

#include "operation_file.h"
#include "rotate.h"

struct state {
    const char *directory;
    struct operation_file *file; // of the operation
    gid_t group;                 // of the key file
    uid_t owner;                 // whom root writes for; 0: nobody else
    int lock;                    // its descriptor
    bool opened;                 // it can be written
    const char *fault;           // the file that the last failure was about
    const char *why;             // in words, or NULL: see `what` and `error`
    const char *what;            // what could not be done, as rekey_posix_write_file names it
    int error;                   // errno
    char path[512];
    char text[1024];
};

struct command;

// Opens and locks the directory, and sees to it that it can be written, and that what is there can
// be read. Returns 0 or an exit code.
int open_state(struct command *c);

// As rotate.h asks; the ctx is the struct command. `hook` is in hook.c.
extern const struct rekey_storage state_storage;

// DIR/NAME, in s->path.
const char *state_path(struct state *s, const char *name);

// "Primary", "Secondary", or "none" for 0.
const char *slot_word(enum rekey_key slot);

// Replaces DIR/NAME. Returns 0 or REKEY_E_STORE.
int state_write(struct state *s, const char *name, const char *text, size_t len, gid_t group);

#endif
