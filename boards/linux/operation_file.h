// operation_file.h - the file that lets `rekey wait` finish an operation after a restart
// (docs/service.md 4.9). Written before the POST with the intent, and again with each polling URL:
// atomically, mode 0600.

#ifndef REKEY_OPERATION_FILE_H
#define REKEY_OPERATION_FILE_H

#include <sys/types.h>

#include "posix.h"
#include "rekey.h"

#define OPERATION_FILE_MAX (REKEY_URL_MAX + REKEY_PATH_MAX + 1024)

struct operation_file {
    const char *path; // NULL: no file
    bool written;     // by this run; or read, and complete
    bool has_url;     // what is written has a polling URL, by which the operation can be continued
    int error;        // errno of the last failure
    const char *what; // what could not be done, as rekey_posix_write_file names it; or NULL
    bool exclusive;   // no other process writes there: the temporary file needs no unique name
    uid_t owner;      // the owner that root gives the file to; 0: root keeps it
    // What the record is about, for people who read the file, and for `rekey wait`.
    int64_t time;                 // of the intent, seconds since 1970
    struct rekey_span management; // host or host:port
    struct rekey_span endpoint;   // its path
    struct rekey_span key_type;
    // When the intent was saved: milliseconds since the boot with this id. Nobody can set this
    // clock.
    uint64_t boot_ms;
    char boot[REKEY_POSIX_BOOT_ID_LEN + 1]; // "": not known
    struct rekey_record record;             // after operation_file_read; points into `text`
    char text[OPERATION_FILE_MAX];
};

// rekey_options.save; `ctx` is the struct operation_file. The first call creates the file and fails
// if it exists.
int operation_file_save(void *ctx, const struct rekey_record *record);

enum operation_file_result {
    OPERATION_FILE_OK,
    OPERATION_FILE_UNREADABLE, // see `error`
    OPERATION_FILE_DAMAGED,    // it is not such a file, or is incomplete
    OPERATION_FILE_FORMAT,     // it is of a later version
};

// Reads the file `path` into *f.
enum operation_file_result operation_file_read(struct operation_file *f, const char *path);

// Milliseconds since the intent was saved, after operation_file_read. Never more than the real
// time: if it was saved before this boot, the time since this boot; if the boot is not known, 0.
uint64_t operation_file_age_ms(const struct operation_file *f);

// Removes the file. Returns false, with f->error set, if that failed and the file is still there.
bool operation_file_remove(struct operation_file *f);

// Writes what could not be done with the file. `ctx` is the struct operation_file.
void operation_file_explain(const void *ctx, char *buf, size_t cap);

// Reads the next line of `rest`, which must be `name`, a space and the value.
bool read_line(struct rekey_span *rest, const char *name, struct rekey_span *value);

// The field name of a kind, for example "Azure-AsyncOperation".
const char *poll_kind_name(enum rekey_poll_kind kind);

#endif
