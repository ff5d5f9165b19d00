// status.c - `rekey status`: prints how the last run of rotate or sync ended. It has no last line
// when it succeeds, because that would look like the outcome of the run that it reports.

#include <stdio.h>

#include "../outcome.h"
#include "../output.h"
#include "../process.h"
#include "../status_file.h"
#include "../text.h"
#include "../time_text.h"
#include "commands.h"
#include "posix.h"

// The directory is the label: a machine may have several.
static void put_metrics(const char *directory, const struct status_file *file) {
    static const struct {
        const char *metric, *member, *help;
    } rows[] = {
        {"rekey_last_run_timestamp_seconds", "time", "When the last run ended."},
        {"rekey_last_exit_code", "exit", "What the exit code of the last run is; 0: success."},
        {"rekey_key_switched_timestamp_seconds", "switched", "When the key in use was activated."},
        {"rekey_next_due_timestamp_seconds", "nextDue", "When the next rotation is due; 0: never."},
    };
    const struct rekey_span label = rekey_span(directory, strlen(directory));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rekey_span value = status_file_member(file, rows[i].member);

        out("# HELP %s %s\n# TYPE %s gauge\n%s{state=", rows[i].metric, rows[i].help,
            rows[i].metric, rows[i].metric);
        out_json(label);
        out("} %.*s\n", (int)value.len, value.ptr);
    }
    out("# HELP rekey_slot_in_use The slot whose key is in use.\n# TYPE rekey_slot_in_use gauge\n"
        "rekey_slot_in_use{state=");
    out_json(label);
    out(",slot=");
    out_json(status_file_member(file, "slot"));
    out("} 1\n");
}

static int refuse(const struct options *o, const char *text) {
    struct fault fault;
    struct outcome_object object = {.message = fault.text};
    struct rekey_report report;

    fault_set(&fault, REKEY_LOCAL, REKEY_E_STORE, "'%s/status.json': %s", o->state, text);
    say("error: %s", fault.text);
    if (o->json) {
        object.elapsed_ms = rekey_posix_now_ms(NULL) - process.started;
        report = outcome_of_fault(&fault);
        outcome_put_json(&report, &object);
    }
    return outcome_finish(REKEY_LOCAL);
}

static void put_member(const struct status_file *file, const char *label, const char *name) {
    char text[256];

    out("%s: %s\n", label, visible(status_file_member(file, name), text, sizeof(text)));
}

// The times are those of the last run; their distances are from now.
static void put_text(const struct status_file *file) {
    int64_t now = rekey_posix_wall_s(NULL), due = status_file_number(file, "nextDue");
    bool used = status_file_number(file, "switched") > 0;
    char text[TIME_TEXT_MAX];

    put_member(file, "outcome", "outcome");
    put_member(file, "exit code", "exit");
    put_member(file, "result", "result");
    out("time: %s\n", time_text(status_file_number(file, "time"), now, text));
    put_member(file, "key type", "slot");
    out("in use since: %s\n", time_text(status_file_number(file, "switched"), now, text));
    out("next due: %s\n",
        due == 0 && used ? "never: sync follows another machine" : time_text(due, now, text));
    put_member(file, "hook pending", "hookPending");
    put_member(file, "request id", "requestId");
}

static int status(const struct options *o) {
    static struct status_file file;
    const char *fault = status_file_read(&file, o->state);

    if (fault != NULL) {
        return refuse(o, fault);
    }
    if (o->prometheus) {
        put_metrics(o->state, &file);
    } else if (o->json) {
        out("%s\n", file.text);
    } else {
        put_text(&file);
    }
    if (out_flush()) {
        return 0;
    }
    say("error: standard output could not be written");
    return outcome_finish(REKEY_LOCAL);
}

const struct command_row command_status = {
    .name = "status",
    .summary = "print the result of the last rotate or sync",
    .synopsis = "--state DIR",
    .example = "--state /var/lib/rekey/a\n--state /var/lib/rekey/a --prometheus",
    .accepts = OPTIONS_STATE | OPTIONS_STATUS,
    .needs = OPTIONS_STATE,
    .run = status,
};
