// regeneration.c - see regeneration.h.

#include "regeneration.h"

#include <stdio.h>

#include "output.h"
#include "process.h"
#include "session_end.h"
#include "text.h"

// Prints the command that continues the operation, quoted for a shell.
static void say_wait_line(const struct session *s) {
    const struct options *o = s->options;
    const struct {
        const char *option, *value;
    } given[] = {{"--ca-file", o->ca_file},
                 {"--cloud", o->cloud != &clouds[0] ? o->cloud->name : NULL},
                 {"--auth", o->auth != AUTH_DEFAULT ? auth_names[o->auth] : NULL},
                 {"--secret-file", o->secret_file},
                 {"--token-file", o->token_file},
                 {"--proxy", o->proxy},
                 {"--proxy-auth-file", o->proxy_auth_file}};
    char word[1024], options[3072] = "";
    size_t len = 0;

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]) && len < sizeof(options); i++) {
        if (given[i].value != NULL) {
            len += (size_t)snprintf(options + len, sizeof(options) - len, " %s %s", given[i].option,
                                    quoted(given[i].value, word, sizeof(word)));
        }
    }
    say("to continue: rekey wait --operation-file %s --management-url https://%s%s",
        quoted(s->file.path, word, sizeof(word)), s->management, options);
}

// Removes the file if the operation has certainly ended, or nothing was executed.
static bool settle_file(struct operation_file *f, enum rekey_outcome outcome) {
    if (outcome == REKEY_UNKNOWN || outcome == REKEY_RUNNING || operation_file_remove(f)) {
        return true;
    }
    say("error: '%s' could not be removed: %s", f->path, rekey_posix_error_text(f->error));
    return false;
}

int regeneration_end(struct session *s, const struct rekey_report *report, const char *remark) {
    const struct options *o = s->options;
    struct operation_file *f = &s->file;
    bool left_running = o->no_wait && report->error == REKEY_E_ABORTED && stop_signal == 0;
    const char *hint = session_hint(s, report);
    struct rekey_report told = *report;

    if (report->outcome != REKEY_SUCCEEDED && !left_running && !s->error_said) {
        session_say_error(s, report);
    }
    if (remark != NULL) {
        say("%s", remark);
    }
    if (hint != NULL) {
        say("%s", hint);
    }
    if (report->outcome == REKEY_SUCCEEDED && !o->quiet) {
        say("%s: the %.*s key was regenerated",
            report->status[0] != '\0' ? report->status : "Succeeded", (int)s->key_type.len,
            s->key_type.ptr);
    }
    if (report->outcome == REKEY_RUNNING && f->has_url) {
        say_wait_line(s);
    }
    if (report->save_failed) {
        say("error: the polling URL could not be saved: '%s': %s", f->path,
            file_error(f->what, f->error));
    }
    session_say_memory(s);
    if (!settle_file(f, report->outcome) && told.outcome == REKEY_SUCCEEDED) {
        told.outcome = REKEY_LOCAL;
    }
    if (left_running) {
        told.error = 0; // with --no-wait this is not an error
    }
    session_put_json(s, &told);
    return session_end(s, told.outcome);
}
