// status.c - `rekey status`: prints how the last run of rotate or sync ended.

#include <errno.h>
#include <stdio.h>

#include "../outcome.h"
#include "../output.h"
#include "../process.h"
#include "../text.h"
#include "commands.h"
#include "json.h"
#include "posix.h"

#define TOKENS 64 // of the JSON, of 4 int each

// The member of status.json as it stands.
static struct rekey_span member(const struct rekey_json *json, const char *name) {
    int at = rekey_json_find(json, 0, name);

    return at > 0 ? rekey_json_raw(json, at) : rekey_span("", 0);
}

// The directory is the label: a machine may have several.
static void put_metrics(const char *directory, const struct rekey_json *json) {
    static const struct {
        const char *metric, *member, *help;
    } rows[] = {
        {"rekey_last_run_timestamp_seconds", "time", "When rekey last ran."},
        {"rekey_last_exit_code", "exit", "What it ended with; 0 is good."},
        {"rekey_key_switched_timestamp_seconds", "switched", "When the key was put to use."},
        {"rekey_next_due_timestamp_seconds", "nextDue", "When the next rotation is due; 0: never."},
    };
    const struct rekey_span label = rekey_span(directory, strlen(directory));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rekey_span value = member(json, rows[i].member);

        out("# HELP %s %s\n# TYPE %s gauge\n%s{state=", rows[i].metric, rows[i].help,
            rows[i].metric, rows[i].metric);
        out_json(label);
        out("} %.*s\n", (int)value.len, value.ptr);
    }
    out("# HELP rekey_slot_in_use The slot whose key is in use.\n# TYPE rekey_slot_in_use gauge\n"
        "rekey_slot_in_use{state=");
    out_json(label);
    out(",slot=");
    out_json(member(json, "slot"));
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

static int status(const struct options *o) {
    static const char *const names[] = {"outcome",     "exit",     "result", "time",
                                        "slot",        "switched", "keyAge", "nextDue",
                                        "hookPending", "requestId"};
    static int tokens[4 * TOKENS];
    struct rekey_json json;
    char path[512], text[1024];
    size_t len = 0;
    int n = snprintf(path, sizeof(path), "%s/status.json", o->state);

    if (n < 0 || (size_t)n >= sizeof(path)) {
        path[0] = '\0';
    }
    if (rekey_posix_read_file(path, text, sizeof(text), &len, REKEY_POSIX_ONE_NAME) != 0) {
        return refuse(o, error_word(errno));
    }
    if (rekey_json_parse(&json, rekey_span(text, len), false, tokens, TOKENS) != 0 ||
        !rekey_span_equal(member(&json, "format"), REKEY_SPAN("1"))) {
        return refuse(o, "it is damaged, or of another version of rekey");
    }
    if (o->prometheus) {
        put_metrics(o->state, &json);
    } else if (o->json) {
        out("%.*s\n", (int)len, text);
    } else {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            struct rekey_span value = member(&json, names[i]);

            out("%s: %.*s\n", names[i], (int)value.len, value.ptr);
        }
    }
    return outcome_finish(REKEY_SUCCEEDED);
}

const struct command_row command_status = {
    .name = "status",
    .summary = "print the result of the last rotate or sync",
    .synopsis = "--state DIR",
    .example = "--state /var/lib/rekey/a\n--state /var/lib/rekey/a --prometheus",
    .takes = OPTIONS_STATE | OPTIONS_STATUS,
    .needs = OPTIONS_STATE,
    .run = status,
};
