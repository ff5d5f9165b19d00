// switch.c - rotate and sync: the machine of src/rotate.h over the files of state.c; and status.

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "json.h"
#include "output.h"

static const char *const result_words[] = {"none",    "rotated",   "adopted",
                                           "not-due", "unchanged", "restored"};

// ---- what is said -------------------------------------------------------------------------------

static void say_result(const struct command *c) {
    const struct rekey_rotation *x = &c->rotation;
    const char *slot = slot_word(x->state.slot), *directory = c->state.directory;
    bool rotates = c->options.command == COMMAND_ROTATE;

    if (x->found_operation && !c->options.quiet) {
        say("this run began with the operation that an earlier one had left");
    }
    if (x->by_comparison) {
        say("that the %s key was regenerated was seen by comparing, and not said by the service: "
            "somebody else may have done it",
            slot_word(x->slot));
    }
    if (x->foreign) {
        say("warning: %s", x->error == REKEY_E_KEY_FOREIGN
                               ? "the key that would be regenerated was changed by somebody else: "
                                 "another rotator, or by hand? It is left alone for --min-age"
                           : x->result == REKEY_ROTATION_ADOPTED
                               ? "the key that was in use here is none of the service's (now): "
                                 "changed by another rotator, or by hand?"
                               : "both keys have changed since the last run: run sync at least "
                                 "twice within the rotator's --min-age");
    }
    switch (x->result) {
    case REKEY_ROTATION_ROTATED:
        if (x->error == 0 && !c->options.quiet) {
            say("the %s key %s, and is in '%s/key' now", slot,
                rotates ? "was regenerated" : "has changed", directory);
        }
        break;
    case REKEY_ROTATION_ADOPTED:
        if (x->error == 0 && !c->options.quiet) {
            say("the %s key is in '%s/key' now; %s", slot, directory,
                rotates ? "a later run rotates" : "later runs follow the rotator");
        }
        break;
    case REKEY_ROTATION_NOT_DUE:
    case REKEY_ROTATION_UNCHANGED:
        if (!c->options.quiet) {
            say(x->result == REKEY_ROTATION_NOT_DUE
                    ? "not due: the %s key in '%s/key' is younger than --min-age"
                    : "nothing has changed: the %s key in '%s/key' stays",
                slot, directory);
        }
        break;
    case REKEY_ROTATION_RESTORED:
        if (x->error == 0 && !c->options.quiet) {
            say("the key before is in '%s/key' again%s", directory,
                c->options.exec == NULL ? "; no --exec: nobody was told" : "");
        }
        break;
    default:
        break;
    }
}

static const char *next_step(const struct command *c) {
    const struct rekey_rotation *x = &c->rotation;

    switch (x->outcome) {
    case REKEY_NOT_REACHED:
        return not_reached_hint(x->error);
    case REKEY_NOT_TRUSTED:
        return "nothing was sent: fix the trust anchors (--ca-file), the name, or the clock";
    case REKEY_UNKNOWN:
        return "the key in use stays; the next run finds out what became of the other one";
    case REKEY_RUNNING:
        return "the key in use stays; the next run goes on";
    case REKEY_LOCAL:
        return x->error != REKEY_E_HOOK && x->error != REKEY_E_ABORTED ? NULL
               : c->options.exec == NULL ? "the hook of an earlier run is due still: give --exec"
                                         : "the next run runs the hook again";
    default:
        return NULL;
    }
}

// ---- status.json --------------------------------------------------------------------------------

// The object, without a newline; its length.
static size_t make_status(const struct command *c, const struct rekey_report *report, int code,
                          char *buf, size_t cap) {
    const struct rekey_rotation *x = &c->rotation;
    int64_t now = rekey_posix_wall_s(NULL);
    size_t id_len = 0;
    int len;

    while (rekey_is_alnum(report->request_id[id_len]) || report->request_id[id_len] == '-') {
        id_len++; // a GUID
    }
    len = snprintf(
        buf, cap,
        "{\"format\":1,\"outcome\":\"%s\",\"exit\":%d,\"result\":\"%s\",\"time\":%" PRId64
        ",\"slot\":\"%s\",\"switched\":%" PRId64 ",\"keyAge\":%" PRId64 ",\"nextDue\":%" PRId64
        ",\"hookPending\":%s,\"requestId\":\"%.*s\"}",
        outcome_word(x->outcome), code, result_words[x->result], now, slot_word(x->state.slot),
        x->state.switched, x->state.slot != 0 ? now - x->state.switched : 0,
        x->state.slot != 0 && c->options.command == COMMAND_ROTATE
            ? x->state.switched + (int64_t)c->options.min_age_s
            : 0,
        x->state.hook_pending ? "true" : "false", (int)id_len, report->request_id);

    return len < 0 || (size_t)len >= cap ? 0 : (size_t)len;
}

// Writes status.json, of which `text` becomes the content. False if it could not.
static bool save_status(struct command *c, const struct rekey_report *report, char text[1024],
                        size_t *len) {
    enum rekey_outcome outcome = c->rotation.outcome;
    int code = outcome == REKEY_FAILED ? REKEY_REFUSED : (int)outcome;

    *len = make_status(c, report, code, text, 1024);
    if (state_write(&c->state, "status.json", text, *len, c->state.group) == 0) {
        return true;
    }
    say("error: '%s/status.json': %s", c->state.directory,
        file_error(c->state.what, c->state.error));
    return false;
}

void note_refusal(struct command *c, enum rekey_outcome outcome) {
    struct rekey_rotation *x = &c->rotation;
    const struct rekey_report none = {.request_id = ""};
    char text[1024];
    size_t len;

    x->outcome = outcome;
    if (state_storage.load_state(c, &x->state) == 0) {
        save_status(c, &none, text, &len);
    }
}

static int conclude_rotation(struct command *c) {
    struct rekey_rotation *x = &c->rotation;
    enum rekey_outcome outcome = x->outcome;
    struct rekey_report report;
    char text[1024];
    size_t len;

    rekey_report(&c->client, &report);
    report.error = x->error;
    if (report.host.ptr == NULL) { // nothing was spoken to, or the scoring host last
        report.host = x->probe_options.host.ptr != NULL ? x->probe_options.host : c->options.host;
    }
    if (x->error != 0) {
        say_error(c, &report);
    }
    say_result(c);
    if (next_step(c) != NULL) {
        say("%s", next_step(c));
    }
    if (!save_status(c, &report, text, &len)) {
        outcome = outcome == REKEY_SUCCEEDED ? REKEY_LOCAL : outcome;
    }
    if (c->options.json) {
        out("%.*s\n", (int)len, text);
    }
    return finish(outcome);
}

int run_rotation(struct command *c) {
    struct rekey_rotation *x = &c->rotation;
    struct rekey_report report;
    int result;

    c->rotation_options = (struct rekey_rotation_options)REKEY_ROTATION_OPTIONS_INIT;
    c->rotation_options.settle_ms = c->options.settle_ms;
    c->rotation_options.probe = c->options.probe;
    c->rotation_options.min_age_s = c->options.min_age_s;
    if (c->options.poll_interval_ms < c->rotation_options.list_interval_ms) {
        c->rotation_options.list_interval_ms =
            c->options.poll_interval_ms < 1000 ? 1000 : c->options.poll_interval_ms;
    }
    c->storage = state_storage;
    c->storage.ctx = c;
    c->storage.hook = c->options.exec != NULL ? run_hook : NULL;
    rekey_rotation_init(x, &c->client, &c->client_options, &c->rotation_options, &c->storage);
    result = c->options.rollback ? rekey_rollback(x)
             : c->options.command == COMMAND_ROTATE
                 ? rekey_rotate(x, &c->options.endpoint)
                 : rekey_sync(x, &c->options.endpoint, c->options.key);
    rekey_report(&c->client, &report);
    if (result == 0 && c->options.command == COMMAND_SYNC && c->options.key == 0 &&
        x->state.slot == 0) {
        return refuse(c, REKEY_USAGE, REKEY_E_KEY_TYPE,
                      "--key-type is missing: the first sync has no default");
    }
    if (result == 0) {
        result = REKEY_AGAIN;
    }
    while (result > 0) {
        struct rekey_report before = report;
        char status[32];

        memcpy(status, report.status, sizeof(status));
        before.status = status;
        result = rekey_rotation_step(x);
        rekey_report(&c->client, &report);
        tell(c, &report, &before);
        if (stop_signal != 0) {
            stop_hook(c);
            rekey_rotation_abort(x);
            result = 0;
        } else if (result > 0 && result != REKEY_AGAIN) {
            rekey_posix_wait(&c->tcp, result, rekey_rotation_wait_ms(x));
        }
    }
    return conclude_rotation(c);
}

// ---- status -------------------------------------------------------------------------------------

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

int print_status(struct command *c) {
    static const char *const names[] = {"outcome",     "exit",     "result", "time",
                                        "slot",        "switched", "keyAge", "nextDue",
                                        "hookPending", "requestId"};
    static int tokens[256]; // room for 64
    struct rekey_json json;
    char text[1024];
    size_t len = 0;

    c->state.directory = c->options.state;
    if (rekey_posix_read_file(state_path(&c->state, "status.json"), text, sizeof(text), &len,
                              REKEY_POSIX_ONE_NAME) != 0) {
        return refuse(c, REKEY_LOCAL, REKEY_E_STORE, "'%s/status.json': %s", c->options.state,
                      error_word(errno));
    }
    if (rekey_json_parse(&json, rekey_span(text, len), false, tokens, 64) != 0 ||
        !rekey_span_equal(member(&json, "format"), REKEY_SPAN("1"))) {
        return refuse(c, REKEY_LOCAL, REKEY_E_STORE,
                      "'%s/status.json': it is damaged, or of another version of rekey",
                      c->options.state);
    }
    if (c->options.prometheus) {
        put_metrics(c->options.state, &json);
    } else if (c->options.json) {
        out("%.*s\n", (int)len, text);
    } else {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            struct rekey_span value = member(&json, names[i]);

            out("%s: %.*s\n", names[i], (int)value.len, value.ptr);
        }
    }
    return finish(REKEY_SUCCEEDED);
}
