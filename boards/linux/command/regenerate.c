// regenerate.c - `rekey regenerate`: regenerates one key, and waits for the end; with --check-keys
// lists the keys before and after.

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../output.h"
#include "../process.h"
#include "../regeneration.h"
#include "../secret.h"
#include "../session_end.h"
#include "../text.h"
#include "commands.h"
#include "endpoint.h"

static struct {
    char path[REKEY_PATH_MAX + 1]; // of the POST, for the operation file
    char key_value[REKEY_KEY_VALUE_MAX];
    size_t key_value_len;
    // With --check-keys:
    struct rekey_keys before, after;
    struct rekey_secret secrets[2]; // the keys of `before`
    struct rekey checker; // lists the keys afterwards, and keeps the client's report intact
} run;

// An operation file that exists belongs to another operation, and is never overwritten.
static int refuse_used_file(const char *path, struct fault *f) {
    bool there = path != NULL && access(path, F_OK) == 0;

    if (path == NULL || (!there && errno == ENOENT)) {
        return 0;
    }
    return fault_set(
        f, there ? REKEY_USAGE : REKEY_LOCAL, REKEY_E_SAVE, "--operation-file '%s': %s", path,
        there ? "it already exists: finish its operation with `rekey wait`, or remove it"
              : rekey_posix_error_text(errno));
}

static void name_file(struct session *s) {
    struct operation_file *f = &s->file;
    size_t len =
        rekey_endpoint_path(&s->options->endpoint, REKEY_SPAN("/regenerateKeys"), run.path);

    f->path = s->options->operation_file;
    f->management = rekey_span(s->management, strlen(s->management));
    f->endpoint = rekey_span(run.path, len);
    f->key_type = s->key_type;
}

// Checks everything that can be checked before the first packet, in the order in which a user would
// correct it.
static int prepare(struct session *s) {
    const struct options *o = s->options;
    int error = refuse_used_file(o->operation_file, &s->fault);

    name_file(s);
    if (error == 0) {
        error = session_choose(s);
    }
    if (error == 0 && o->key_value_file != NULL) {
        error = secret_load_key_value(o->key_value_file, process.started + o->timeout_ms,
                                      run.key_value, &run.key_value_len, &s->fault);
    }
    return error != 0 ? error : session_connect(s);
}

// The keys as they are before. They are secrets that the service may repeat.
static void list_before(struct session *s, struct rekey_report *report) {
    run.secrets[0].text = rekey_span(run.before.primary.value, sizeof(run.before.primary.value));
    run.secrets[0].next = &run.secrets[1];
    run.secrets[1].text =
        rekey_span(run.before.secondary.value, sizeof(run.before.secondary.value));
    run.secrets[1].next = s->client_options.secrets;
    s->client_options.secrets = run.secrets;
    s->client_options.hold = true; // the token is for the regeneration, too
    rekey_list_keys(&s->client, &s->options->endpoint, &run.before);
    session_run(s, &s->client, report);
    session_use_time_left(s);
}

static const struct rekey_key_value *key_of(const struct options *o,
                                            const struct rekey_keys *keys) {
    return o->key == REKEY_KEY_PRIMARY ? &keys->primary : &keys->secondary;
}

static bool has_changed(const struct options *o) {
    const struct rekey_key_value *before = key_of(o, &run.before), *after = key_of(o, &run.after);

    return !after->null && !rekey_span_equal(rekey_span(before->value, before->len),
                                             rekey_span(after->value, after->len));
}

// docs/service.md 7.3: that a key differs can raise "unknown" to "succeeded"; that it does not
// proves nothing. The report of such a success has nothing of the answer that left the outcome
// unknown.
static void compare_keys(struct session *s, struct rekey_report *report) {
    struct rekey_report listed;

    if (report->outcome != REKEY_SUCCEEDED && report->outcome != REKEY_UNKNOWN) {
        return;
    }
    if (report->outcome == REKEY_UNKNOWN) { // its details are those of the last connection
        session_say_error(s, report);
        s->error_said = true;
    }
    session_use_time_left(s);
    rekey_init(&run.checker, &s->port, &s->client_options);
    rekey_list_keys(&run.checker, &s->options->endpoint, &run.after);
    session_run(s, &run.checker, &listed);
    if (listed.outcome != REKEY_SUCCEEDED) {
        say("--check-keys: the keys could not be listed afterwards: %s",
            rekey_error_text(listed.error));
    } else if (!has_changed(s->options)) {
        say("--check-keys: the listed key is %s, but the list may be out of date: the key may "
            "have been regenerated",
            key_of(s->options, &run.after)->null ? "null now" : "unchanged");
    } else if (report->outcome == REKEY_UNKNOWN) {
        say("--check-keys: the key has changed, which counts as success (somebody else may have "
            "changed it, or the first list was out of date)");
        report->outcome = REKEY_SUCCEEDED;
        report->error = 0;
        report->http_status = 0;
        report->status = "By comparison";
    } else {
        say("--check-keys: the key has changed");
    }
}

static int regenerate(const struct options *o) {
    struct session *s = session_begin(o);
    struct rekey_report report;
    int error;

    if (prepare(s) != 0) {
        return session_refuse(s);
    }
    if (o->check_keys) {
        list_before(s, &report);
        if (report.outcome != REKEY_SUCCEEDED) {
            return session_fail(s, &report);
        }
    }
    error = rekey_regenerate(&s->client, &o->endpoint, o->key,
                             rekey_span(run.key_value, run.key_value_len));
    s->client_options.hold = false;
    rekey_zeroize(run.key_value, sizeof(run.key_value));
    if (error == REKEY_E_KEY_VALUE) {
        fault_set(&s->fault, REKEY_USAGE, error, "--key-value-file '%s': %s", o->key_value_file,
                  rekey_error_text(error));
        return session_refuse(s);
    }
    session_run(s, &s->client, &report);
    if (o->check_keys) {
        compare_keys(s, &report);
    }
    rekey_zeroize(&run.before, sizeof(run.before));
    rekey_zeroize(&run.after, sizeof(run.after));
    return regeneration_end(s, &report, NULL);
}

const struct command_row command_regenerate = {
    .name = "regenerate",
    .summary = "regenerate one key, and wait until it is done",
    .synopsis = "--subscription ID -g RG -w WS -n ENDPOINT\n"
                "           --key-type primary|secondary",
    .example = "-n scoring --key-type primary --operation-file scoring.op",
    .accepts = OPTIONS_ENDPOINT | OPTIONS_KIND | OPTIONS_KEY_TYPE | OPTIONS_NETWORK |
               OPTIONS_MANAGEMENT | OPTIONS_POLLS | OPTIONS_OPERATION | OPTIONS_REGENERATE,
    .needs = OPTIONS_ENDPOINT | OPTIONS_KEY_TYPE,
    .run = regenerate,
};
