// wait.c - `rekey wait`: continues an operation that another run has saved in a file. If there is
// no such file, there is nothing to do, so that it can be called after every restart.

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../outcome.h"
#include "../output.h"
#include "../process.h"
#include "../regeneration.h"
#include "../session_end.h"
#include "../text.h"
#include "commands.h"

// Whether there is no file, but its directory exists. If the directory is missing as well, the path
// is wrong, or a file system is not mounted.
static bool is_nothing_left(const char *path) {
    char directory[512];
    struct stat there;
    int n = snprintf(directory, sizeof(directory), "./%s", path);
    char *start = path[0] == '/' ? directory + 2 : directory;

    if (n < 0 || (size_t)n >= sizeof(directory) || lstat(path, &there) == 0 || errno != ENOENT) {
        return false;
    }
    strrchr(directory, '/')[1] = '\0';
    return stat(start, &there) == 0 && S_ISDIR(there.st_mode);
}

static int end_without_operation(const struct options *o) {
    const struct fault none = {.outcome = REKEY_SUCCEEDED};
    const struct rekey_report report = outcome_of_fault(&none);
    const struct outcome_object object = {.elapsed_ms = rekey_posix_now_ms(NULL) - process.started};

    say("nothing to wait for: there is no '%s'", o->operation_file);
    if (o->json) {
        outcome_put_json(&report, &object);
    }
    return outcome_finish(REKEY_SUCCEEDED);
}

static int read_file(struct session *s) {
    const char *path = s->options->operation_file, *why = "it is damaged";
    struct operation_file *file = &s->file;
    enum rekey_outcome outcome = REKEY_UNKNOWN;
    int error = REKEY_E_RECORD;

    switch (operation_file_read(file, path)) {
    case OPERATION_FILE_OK:
        s->key_type = file->key_type;
        if (file->record.kind != REKEY_POLL_NONE) {
            return 0;
        }
        error = REKEY_E_RESUME_NO_URL;
        why = rekey_error_text(error);
        break;
    case OPERATION_FILE_UNREADABLE:
        outcome = file->error == ENOENT ? REKEY_USAGE : REKEY_LOCAL;
        why = rekey_posix_error_text(file->error);
        break;
    case OPERATION_FILE_FORMAT:
        outcome = REKEY_LOCAL;
        why = "it was written by another version of rekey";
        break;
    default: // OPERATION_FILE_DAMAGED
        break;
    }
    return fault_set(&s->fault, outcome, error, "--operation-file '%s': %s", path, why);
}

// One more line about an error that another host or another identity may cause.
static const char *remark(const struct session *s, const struct rekey_report *report) {
    static char text[512];

    switch (report->error) {
    case REKEY_E_POLL_REFUSED:
    case REKEY_E_POLL_NOT_FOUND:
        return "is this the identity that began the operation?";
    case REKEY_E_URL_FOREIGN:
        snprintf(text, sizeof(text),
                 "the operation was begun at another host: give --management-url https://%.*s",
                 (int)s->file.management.len, s->file.management.ptr);
        return text;
    default:
        return NULL;
    }
}

static int wait_for_end(const struct options *o) {
    struct rekey_report report;
    struct session *s;

    if (is_nothing_left(o->operation_file)) {
        return end_without_operation(o);
    }
    s = session_begin(o);
    s->resumes = true;
    if (read_file(s) != 0 || session_open(s) != 0) {
        return session_refuse(s);
    }
    rekey_resume(&s->client, &s->file.record);
    session_run(s, &s->client, &report);
    return regeneration_end(s, &report, remark(s, &report));
}

const struct command_row command_wait = {
    .name = "wait",
    .summary = "wait for an operation that regenerate began",
    .synopsis = "--operation-file FILE",
    .example = "--operation-file scoring.op",
    .accepts = OPTIONS_NETWORK | OPTIONS_MANAGEMENT | OPTIONS_POLLS | OPTIONS_OPERATION,
    .needs = OPTIONS_OPERATION,
    .run = wait_for_end,
};
