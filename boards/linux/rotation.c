// rotation.c - see rotation.h.

#include "rotation.h"

#include <inttypes.h>
#include <stdio.h>

#include "endpoint.h"
#include "hook.h"
#include "outcome.h"
#include "output.h"
#include "process.h"
#include "session_end.h"
#include "state_open.h"
#include "status_file.h"
#include "text.h"

static struct {
    const struct rotation_kind *kind;
    bool due; // this machine rotates, so that a rotation becomes due
    struct session *session;
    struct hook hook;
    struct rekey_rotation_options options;
    struct rekey_storage storage;
    struct rekey_rotation rotation;
    struct rekey_rotation_report report; // at the end of the run
    struct state state;
} run;

static const char *const result_words[] = {"none",    "rotated",   "adopted",
                                           "not-due", "unchanged", "restored"};

// ---- messages -----------------------------------------------------------------------------------

static void say_result(void) {
    const struct rekey_rotation_report *x = &run.report;
    const struct options *o = run.session->options;
    const char *slot = slot_name(x->in_use), *directory = o->state;

    if (x->found_operation && !o->quiet) {
        say("before its own work, this run continued the operation of an earlier run");
    }
    if (x->by_comparison) {
        say("the %s key has changed, but the service did not confirm that this run did it: "
            "somebody else may have changed it",
            slot_name(x->target));
    }
    if (x->foreign) {
        if (x->error == REKEY_E_KEY_FOREIGN) {
            say("warning: another machine or a person has changed the key that is not in use: "
                "rekey leaves that key alone until it is --min-age old");
        } else if (x->result == REKEY_ROTATION_ADOPTED) {
            say("warning: another machine or a person has changed the key that was in use, and "
                "clients were refused: the key file now has the %s key",
                slot);
        } else {
            say("warning: both keys have changed since the last run: run sync more often, at least "
                "twice within the rotator's --min-age");
        }
    }
    switch (x->result) {
    case REKEY_ROTATION_ROTATED:
        if (x->error == 0 && !o->quiet) {
            say("the %s key %s, and is in '%s/key' now", slot, run.kind->changed, directory);
        }
        break;
    case REKEY_ROTATION_ADOPTED:
        if (x->error == 0 && !o->quiet) {
            say("the %s key is in '%s/key' now; %s", slot, directory, run.kind->later);
        }
        break;
    case REKEY_ROTATION_NOT_DUE:
    case REKEY_ROTATION_UNCHANGED:
        if (!o->quiet) {
            say(x->result == REKEY_ROTATION_NOT_DUE
                    ? "not due: the %s key in '%s/key' is younger than --min-age"
                    : "nothing has changed: the %s key stays in '%s/key'",
                slot, directory);
        }
        break;
    case REKEY_ROTATION_RESTORED:
        if (x->error == 0 && !o->quiet) {
            say("the previous key is in '%s/key' again%s", directory,
                o->exec == NULL
                    ? "; no program was run (no --exec), so reload the applications yourself"
                    : "");
        }
        break;
    default:
        break;
    }
}

static const char *next_step(void) {
    const struct rekey_rotation_report *x = &run.report;

    switch (x->outcome) {
    case REKEY_USAGE:
        return x->error == REKEY_E_KEY_TYPE ? "--key-type is missing: the first sync needs it"
                                            : NULL;
    case REKEY_NOT_REACHED:
    case REKEY_NOT_TRUSTED:
        return outcome_hint(x->outcome, x->error);
    case REKEY_UNKNOWN:
        return "the key in use is unchanged; the next run checks whether the other key has changed";
    case REKEY_RUNNING:
        return "the key in use is unchanged; the next run continues the operation";
    case REKEY_LOCAL:
        return x->error == REKEY_E_HOOK_PENDING                          ? "give --exec PROGRAM"
               : x->error != REKEY_E_HOOK && x->error != REKEY_E_ABORTED ? NULL
               : run.storage.hook == NULL
                   ? "the hook of an earlier run is still pending: give --exec PROGRAM"
                   : "the next run runs the hook again";
    default:
        return NULL;
    }
}

// ---- status.json --------------------------------------------------------------------------------

// Writes the object, without a newline. Returns its length, or 0.
static size_t make_status(const char *request_id, char *buf, size_t cap) {
    const struct rekey_rotation_report *x = &run.report;
    int64_t now = rekey_posix_wall_s(NULL);
    size_t id_len = 0;
    int len;

    while (rekey_is_alnum(request_id[id_len]) || request_id[id_len] == '-') {
        id_len++; // a GUID
    }
    len =
        snprintf(buf, cap,
                 "{\"format\":1,\"outcome\":\"%s\",\"exit\":%d,\"result\":\"%s\",\"time\":%" PRId64
                 ",\"slot\":\"%s\",\"switched\":%" PRId64 ",\"keyAge\":%" PRId64
                 ",\"nextDue\":%" PRId64 ",\"hookPending\":%s,\"requestId\":\"%.*s\"}",
                 outcome_word(x->outcome), outcome_exit_code(x->outcome), result_words[x->result],
                 now, slot_name(x->in_use), x->switched, x->in_use != 0 ? now - x->switched : 0,
                 x->in_use != 0 && run.due ? x->switched + run.options.min_age_s : 0,
                 x->hook_pending ? "true" : "false", (int)id_len, request_id);

    return len < 0 || (size_t)len >= cap ? 0 : (size_t)len;
}

// Writes status.json, and stores its content in `text`. False if that failed.
static bool save_status(const char *request_id, char text[1024], size_t *len) {
    struct state *s = &run.state;

    *len = make_status(request_id, text, 1024);
    if (state_write(s, "status.json", text, *len, s->group) == 0) {
        return true;
    }
    say("error: '%s/status.json': %s", s->directory, file_error(s->what, s->error));
    return false;
}

// ---- a run --------------------------------------------------------------------------------------

static void hook_not_started(const char *program, int error) {
    hold_lines(false); // this is the child, which has a copy of the held lines
    say("error: --exec '%s': %s", program, rekey_posix_error_text(error));
}

// Fills run.report. The attribute saves space: the function has two callers.
__attribute__((noinline)) static void read_report(void) {
    rekey_rotation_report(&run.rotation, &run.report);
}

// rekey_storage.hook
static int run_hook(void *ctx) {
    struct hook_event event = {.key_file = state_path(&run.state, "key"),
                               .endpoint = run.state.endpoint};
    int result;

    (void)ctx; // the struct state, as for the storage's other functions
    read_report();
    event.key_type = slot_name(run.report.in_use);
    if (run.hook.child == 0 &&
        run.report.result != REKEY_ROTATION_NONE) { // otherwise it is the hook of an earlier run,
                                                    // and the secrets are needed later
        session_forget(run.session);
    }
    erase_progress(); // the program may print
    result = hook_run(&run.hook, &event, &run.session->fault);
    if (result == REKEY_E_HOOK) {
        say("error: %s", run.session->fault.text);
    }
    return result;
}

// Ends a run that cannot start because of session->fault. Records it in status.json, if that can be
// written.
static int refuse(void) {
    struct session *s = run.session;
    struct rekey_rotation_state state = {.hook_pending = false};
    char text[1024];
    size_t len;

    run.report.outcome = session_say_refusal(s);
    if (run.state.opened && state_storage.load_state(&run.state, &state) == 0) {
        run.report.in_use = state.slot;
        run.report.switched = state.switched;
        run.report.hook_pending = state.hook_pending;
        save_status("", text, &len);
    }
    return session_end(s, run.report.outcome);
}

int rotation_open_state(struct session *s, struct state *state) {
    const struct options *o = s->options;
    int error;

    state->operation = &s->file;
    state->directory = o->state;
    state->key_group = o->key_group;
    state->keep_group = o->rollback;
    state->volatile_ok = o->volatile_ok;
    state->management = rekey_span(s->management, strlen(s->management));
    if (o->endpoint.name.ptr != NULL) { // --rollback needs no endpoint
        // Without the query: the path names the endpoint in all versions of the API.
        size_t len = rekey_endpoint_path(&o->endpoint, REKEY_SPAN(""), state->endpoint);

        *(char *)memchr(state->endpoint, '?', len) = '\0';
    }
    error = state_open(state, &s->fault);
    if (state->lock_error != 0) {
        say("warning: '%s': %s", state_path(state, "lock"),
            rekey_posix_error_text(state->lock_error));
    }
    return error;
}

// Without --min-age, --rollback uses the least age of the last run, as status.json shows it,
// because the run of the timer will use that again.
static void choose_min_age(const struct options *o) {
    static struct status_file file;
    int64_t switched, age;

    run.due = run.kind->due;
    run.options.min_age_s = o->min_age_s != OPTION_NOT_GIVEN ? o->min_age_s : 86400;
    if (!o->rollback || o->min_age_s != OPTION_NOT_GIVEN ||
        status_file_read(&file, o->state) != NULL) {
        return;
    }
    switched = status_file_number(&file, "switched");
    age = status_file_number(&file, "nextDue") - switched;
    if (switched > 0 && age + switched == 0) {
        run.due = false; // with sync no rotation becomes due
    } else if (switched > 0 && age >= 0 && age <= OPTION_MIN_AGE_MAX) {
        run.options.min_age_s = (uint32_t)age;
    }
}

int rotation_open(const struct options *o, const struct rotation_kind *kind,
                  struct rekey_rotation **x) {
    struct session *s = session_begin(o);
    int error;

    run.kind = kind;
    run.options = (struct rekey_rotation_options)REKEY_ROTATION_OPTIONS_INIT;
    choose_min_age(o);
    run.session = s;
    s->explain_store = state_explain;
    s->store = &run.state;
    error = rotation_open_state(s, &run.state);
    if (error == 0 && o->rollback) {
        session_open_offline(s);
    } else if (error == 0) {
        error = session_open(s);
    }
    if (error != 0) {
        return refuse();
    }
    run.options.settle_ms = o->settle_ms != OPTION_NOT_GIVEN ? o->settle_ms : kind->settle_ms;
    run.options.probe = o->probe;
    if (o->poll_interval_ms < run.options.list_interval_ms) {
        run.options.list_interval_ms = o->poll_interval_ms < 1000 ? 1000 : o->poll_interval_ms;
    }
    run.hook.program = o->exec;
    run.hook.timeout_ms = o->exec_timeout_ms;
    run.hook.not_started = hook_not_started;
    run.storage = state_storage;
    run.storage.ctx = &run.state;
    run.storage.hook = o->exec != NULL ? run_hook : NULL;
    rekey_rotation_init(&run.rotation, &s->client, &s->client_options, &run.options, &run.storage);
    *x = &run.rotation;
    return 0;
}

static int conclude(void) {
    const struct rekey_rotation_report *x = &run.report;
    struct session *s = run.session;
    enum rekey_outcome outcome;
    struct rekey_report report;
    char text[1024];
    size_t len;

    read_report();
    outcome = x->outcome;
    rekey_report(&s->client, &report);
    report.error = x->error;
    if (x->error == REKEY_E_SCORING_URI) {
        report.subject = x->probed;
    }
    if (report.host.ptr == NULL) { // no host was called, or the scoring host was the last one
        report.host = x->probed.ptr != NULL ? x->probed : s->options->host;
    }
    if (x->error != 0) {
        session_say_error(s, &report);
    }
    say_result();
    if (next_step() != NULL) {
        say("%s", next_step());
    }
    if (!save_status(report.request_id, text, &len) && outcome == REKEY_SUCCEEDED) {
        outcome = REKEY_LOCAL;
    }
    if (s->options->json) {
        out("%.*s\n", (int)len, text);
    }
    return session_end(s, outcome);
}

// session->waits_for
static const char *waits_for(uint64_t *until) {
    uint64_t end;
    enum rekey_rotation_wait wait = rekey_rotation_waits_for(&run.rotation, &end);

    if (run.hook.child > 0) {
        *until = run.hook.started + run.hook.timeout_ms;
        return "the program of --exec";
    }
    if (wait == REKEY_ROTATION_NO_WAIT) {
        return NULL;
    }
    *until = end;
    switch (wait) {
    case REKEY_ROTATION_NEW_KEY:
        return "the service to list the new key";
    case REKEY_ROTATION_KEY_IN_USE:
        return "the service to list the key in use again";
    case REKEY_ROTATION_SETTLING:
        return "the new key to be listed again (--settle)";
    case REKEY_ROTATION_PROBING:
        return "the scoring URI to accept the new key";
    default:
        return "an operation of an earlier run, which may still regenerate a key";
    }
}

int rotation_run(int begun) {
    struct rekey_rotation *x = &run.rotation;
    int result = begun == 0 ? REKEY_AGAIN : begun;

    session_watch(run.session, &run.session->client);
    run.session->waits_for = waits_for;
    while (result > 0) {
        result = rekey_rotation_step(x);
        if (!session_follow(run.session, result, rekey_rotation_wait_ms(x))) {
            break;
        }
    }
    if (stop_signal != 0) {
        hook_stop(&run.hook);
        rekey_rotation_abort(x);
    }
    return conclude();
}
