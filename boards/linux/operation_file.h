// operation_file.h - the file that lets `rekey wait` finish an operation after a restart
// (azure.md 4.9). Written before the POST with the intent, and again with each polling URL:
// atomically, mode 0600.

#ifndef REKEY_OPERATION_FILE_H
#define REKEY_OPERATION_FILE_H

#include <sys/types.h>

#include "posix.h"
#include "rekey.h"

#define OPERATION_FILE_MAX (REKEY_URL_MAX + REKEY_PATH_MAX + 1024)

struct operation_file {
    const char *path; // NULL: none
    bool written;     // by this run, or read and whole
    int error;        // errno of the last failure
    const char *what; // what could not be done, as rekey_posix_write_file names it; or NULL
    bool exclusive;   // nobody else writes there: its temporary file needs no name of its own
    uid_t owner;      // whom root writes for; 0: nobody else
    // What the record stands for; for a person who reads the file, and for `rekey wait` to show.
    int64_t time;                 // of the intent, seconds since 1970
    struct rekey_span management; // host or host:port
    struct rekey_span endpoint;   // its path
    struct rekey_span key_type;
    // When the intent was saved, by a clock that nobody sets: milliseconds since the boot of this
    // id.
    uint64_t boot_ms;
    char boot[REKEY_POSIX_BOOT_ID_LEN + 1]; // "": not known
    struct rekey_record record;             // after operation_file_read; leads into `text`
    char text[OPERATION_FILE_MAX];
};

// rekey_options.save; `ctx` is the struct operation_file. The first call creates the file and fails
// if it exists.
int operation_file_save(void *ctx, const struct rekey_record *record);

enum operation_file_result {
    OPERATION_FILE_OK,
    OPERATION_FILE_UNREADABLE, // see `error`
    OPERATION_FILE_DAMAGED,    // it is not, or not wholly, such a file
    OPERATION_FILE_FORMAT,     // of a later version
};

// Reads the file `path` into *f.
enum operation_file_result operation_file_read(struct operation_file *f, const char *path);

// Milliseconds since the intent was saved, after operation_file_read. Never more than the truth:
// where another boot saved it, the time since this boot; where the boot is not known, 0.
uint64_t operation_file_age_ms(const struct operation_file *f);

// Removes the file. Returns false, with f->error set, if that failed and the file is still there.
bool operation_file_remove(struct operation_file *f);

// Says in words what could not be done with the file. `ctx` is the struct operation_file.
void operation_file_explain(const void *ctx, char *buf, size_t cap);

// Takes the next line of `rest`, which must be `name`, a space and the value.
bool read_line(struct rekey_span *rest, const char *name, struct rekey_span *value);

// The field name of a kind, as "Azure-AsyncOperation".
const char *poll_kind_name(enum rekey_poll_kind kind);

#endif
