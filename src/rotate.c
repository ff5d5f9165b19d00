// rotate.c - the state machine of rotate.h. Only the service knows the keys for certain: each run
// compares the key in use with the listed keys to find the slot that is in use.

#include "rotate.h"

#include "url.h"

enum phase {
    ENDED,
    BEGIN, // run the pending hook of an earlier run first
    FIRST_HOOK,
    RESUMING,      // poll an unfinished operation
    LISTING,       // list the keys before anything is changed
    COMPARING,     // has an operation whose result is unknown changed its key?
    COMPARE_LATER, // not yet: compare again later
    LIST_LATER,    // the list may be out of date: list again later
    REGENERATING,
    CONFIRMING, // the key has changed: is the new key listed, and listed again after the settling?
    CONFIRM_LATER,
    SETTLING,
    SHOWING, // what is the scoring URI?
    PROBING, // does the scoring URI accept the new key?
    PROBE_LATER,
    HOOK,
};

#define HOOK_INTERVAL_MS 100u // between two calls of a hook that is running
#define COMPARE_MS 60000u     // for comparing the keys after the deadline of an operation
#define STALE_LIST_MS 60000u  // in which a list may be out of date; see stale_list_ms

enum action { ROTATE, SYNC, ROLLBACK };

// Whether it is a slot, or 0 for none. Everything else would be an index out of bounds.
static bool is_slot_or_none(enum rekey_key slot) {
    return (unsigned)slot <= REKEY_KEY_SECONDARY;
}

static const struct rekey_key_value *value_of(const struct rekey_keys *keys, enum rekey_key slot) {
    return slot == REKEY_KEY_PRIMARY ? &keys->primary : &keys->secondary;
}

// The reason why no run is going on. Without a client, *x was never initialized.
static int error_of(const struct rekey_rotation *x) {
    return x->error != 0 || x->client != NULL ? x->error : REKEY_E_OPTIONS;
}

// Whether all required functions are there.
static bool is_complete(const struct rekey_storage *s) {
    return s->load_key != NULL && s->save_key != NULL && s->restore_key != NULL &&
           s->load_state != NULL && s->save_state != NULL && s->load_operation != NULL &&
           s->save_operation != NULL && s->remove_operation != NULL && s->sha256 != NULL;
}

static struct rekey_span listed(const struct rekey_rotation *x, enum rekey_key slot) {
    const struct rekey_key_value *value = value_of(&x->keys, slot);

    return rekey_span(value->value, value->len);
}

static enum rekey_key other(enum rekey_key slot) {
    return slot == REKEY_KEY_PRIMARY ? REKEY_KEY_SECONDARY : REKEY_KEY_PRIMARY;
}

static int64_t wall(const struct rekey_rotation *x) {
    return x->client->port->wall_s(x->client->port->ctx);
}

static uint64_t now(const struct rekey_rotation *x) {
    return x->client->port->now_ms(x->client->port->ctx);
}

// Whether it is a hash: all zero stands for none.
static bool is_hash(const unsigned char sha256[32]) {
    static const unsigned char none[32];

    return memcmp(sha256, none, sizeof(none)) != 0;
}

// Computes the SHA-256 of a text. Returns 0, or REKEY_E_STORE if it cannot be computed.
static int hash(const struct rekey_rotation *x, struct rekey_span text, unsigned char sha256[32]) {
    x->storage->sha256(x->storage->ctx, text, sha256);
    return is_hash(sha256) ? 0 : REKEY_E_STORE;
}

// Whether the state has the hashes of the keys from an earlier run.
static bool has_noted_keys(const struct rekey_rotation *x) {
    return is_hash(x->state.sha256[0]);
}

// Whether no earlier run has saved which slot is in use, and both keys.
static bool is_first_run(const struct rekey_rotation *x) {
    return x->state.slot == 0 || !has_noted_keys(x);
}

// Whether the listed key of the slot differs from the noted one.
static bool changed(const struct rekey_rotation *x, enum rekey_key slot) {
    return has_noted_keys(x) && memcmp(x->sha256[slot - 1], x->state.sha256[slot - 1], 32) != 0;
}

// Whether the listed key of the slot is the same as in the last call of this function.
static bool seen_before(struct rekey_rotation *x, enum rekey_key slot) {
    const unsigned char *sha256 = x->sha256[slot - 1];
    bool same = memcmp(sha256, x->seen, sizeof(x->seen)) == 0;

    memcpy(x->seen, sha256, sizeof(x->seen));
    return same;
}

// Notes both listed keys: stores their hashes in the state.
static void note_keys(struct rekey_rotation *x) {
    memcpy(x->state.sha256, x->sha256, sizeof(x->sha256));
}

static bool in_use(const struct rekey_rotation *x, enum rekey_key slot) {
    return x->key_len > 0 && rekey_span_equal(rekey_span(x->key, x->key_len), listed(x, slot));
}

static void use_management_host(struct rekey_rotation *x) {
    x->options->timeout_ms = x->timeout_ms;
    if (x->client->options != x->options) {
        rekey_init(x->client, x->client->port, x->options);
    }
}

// What comes now needs no key, and speaks to nobody.
static void forget_keys(struct rekey_rotation *x) {
    x->options->hold = false;
    rekey_abort(x->client);
    rekey_zeroize(&x->keys, sizeof(x->keys));
    rekey_zeroize(x->key, sizeof(x->key));
}

static int end(struct rekey_rotation *x, int error, enum rekey_outcome outcome) {
    use_management_host(x);
    forget_keys(x);
    if (error != 0 && error != REKEY_E_HOOK) {
        x->result = REKEY_ROTATION_NONE; // it may have been set in advance
    }
    x->error = error;
    x->outcome = outcome;
    x->phase = ENDED;
    x->wake = 0;
    return error;
}

// ---- operations of the client -------------------------------------------------------------------

// Gives the client the time that is left of the run. If no time is left, the first step of the
// client's operation ends it with REKEY_E_DEADLINE.
static void set_timeout(struct rekey_rotation *x) {
    uint64_t at = now(x);

    x->options->timeout_ms = at < x->deadline ? (uint32_t)(x->deadline - at) : 0;
}

static int list(struct rekey_rotation *x, enum phase phase) {
    set_timeout(x);
    rekey_list_keys(x->client, x->endpoint, &x->keys);
    x->phase = (uint8_t)phase;
    return REKEY_AGAIN;
}

// Waits in `phase`. If the wait would end after the deadline, the run ends with `error`.
static int wait_in(struct rekey_rotation *x, uint32_t ms, enum phase phase, int error) {
    bool begun = x->action == ROTATE && phase != LIST_LATER;

    x->wake = now(x) + ms;
    if (x->wake >= x->deadline) {
        return end(x, error, begun ? REKEY_UNKNOWN : REKEY_NOT_REACHED);
    }
    x->phase = (uint8_t)phase;
    return REKEY_AGAIN;
}

static int list_again(struct rekey_rotation *x, enum phase phase, int error) {
    return wait_in(x, x->rotation->list_interval_ms, phase, error);
}

// How long a list may be out of date: a minute, or half of the timeout if that is shorter.
static uint32_t stale_list_ms(const struct rekey_rotation *x) {
    return x->timeout_ms / 2 < STALE_LIST_MS ? x->timeout_ms / 2 : STALE_LIST_MS;
}

static void set_deadline(struct rekey_rotation *x, uint64_t ms) {
    x->deadline = now(x) + ms;
}

// A new key is listed, and must be listed again after the settling time. If the lists differ, the
// settling time begins again, but the deadline is moved only once.
static int list_after_settling(struct rekey_rotation *x) {
    uint32_t ms = x->rotation->settle_ms;

    if (!x->settled) {
        x->settled = true;
        set_deadline(x, (uint64_t)ms + x->timeout_ms);
    } else if (ms < x->rotation->list_interval_ms) {
        ms = x->rotation->list_interval_ms;
    }
    return wait_in(x, ms, SETTLING, REKEY_E_KEY_UNCHANGED);
}

static int save(void *ctx, const struct rekey_record *record) {
    struct rekey_rotation *x = ctx;

    return x->storage->save_operation(x->storage->ctx, record, x->slot);
}

static int regenerate(struct rekey_rotation *x, enum rekey_key slot) {
    int error;

    note_keys(x); // so that a later run can see whether this run has changed the key
    x->state.slot = other(slot);
    x->state.rolled_back = false;
    error = x->storage->save_state(x->storage->ctx, &x->state);
    if (error != 0) {
        return end(x, error, REKEY_LOCAL);
    }
    set_timeout(x);
    x->slot = slot;
    x->phase = REGENERATING;
    rekey_regenerate(x->client, x->endpoint, slot, rekey_span(NULL, 0));
    return REKEY_AGAIN;
}

// ---- activating a key ---------------------------------------------------------------------------

// A rollback without a saved state saves none.
static int save_state(struct rekey_rotation *x) {
    return x->action == ROLLBACK && x->state.slot == 0
               ? 0
               : x->storage->save_state(x->storage->ctx, &x->state);
}

static int finish(struct rekey_rotation *x) {
    int error = x->action == ROTATE ? x->storage->remove_operation(x->storage->ctx) : 0;

    x->state.rolled_back = false;
    if (error == 0) {
        error = save_state(x);
    }
    return error == 0 ? end(x, 0, REKEY_SUCCEEDED) : end(x, error, REKEY_LOCAL);
}

// Runs the hook. A run without a hook leaves a pending hook to a later run, and changes nothing
// before that.
static int step_hook(struct rekey_rotation *x) {
    int result;

    if (x->storage->hook == NULL) {
        return x->phase == HOOK ? finish(x) : end(x, REKEY_E_HOOK_PENDING, REKEY_LOCAL);
    }
    result = x->storage->hook(x->storage->ctx);
    if (result > 0) {
        return result;
    }
    if (result < 0) {
        return end(x, result, REKEY_LOCAL); // it stays pending, and the next run begins with it
    }
    x->state.hook_pending = x->state.rolled_back = false;
    if (x->phase == HOOK) {
        return finish(x);
    }
    result = x->storage->save_state(x->storage->ctx, &x->state);
    x->phase = BEGIN;
    return result == 0 ? REKEY_AGAIN : end(x, result, REKEY_LOCAL);
}

// Saves that a hook is pending before the key is saved, because an unnecessary hook does no harm,
// but a missing one does. After the key is saved, it saves the slot in use. The rest of the run
// needs no keys, and a hook may take minutes, so the keys are zeroized.
static int activate(struct rekey_rotation *x, enum rekey_key slot) {
    int error;

    x->slot = slot;
    x->state.hook_pending |= x->storage->hook != NULL;
    x->state.rolled_back = false;
    error = save_state(x);
    if (error == 0 && !in_use(x, slot)) {
        error = x->storage->save_key(x->storage->ctx, listed(x, slot));
    }
    if (error == 0) {
        note_keys(x);
        x->state.slot = slot;
        x->state.switched = wall(x);
        error = save_state(x);
    }
    if (error != 0) {
        return end(x, error, REKEY_LOCAL);
    }
    forget_keys(x);
    x->phase = HOOK;
    return REKEY_AGAIN;
}

// ---- the step after a list ----------------------------------------------------------------------

// Computes the hashes of both listed keys.
static int hash_keys(struct rekey_rotation *x) {
    int error = hash(x, listed(x, REKEY_KEY_PRIMARY), x->sha256[0]);

    return error == 0 ? hash(x, listed(x, REKEY_KEY_SECONDARY), x->sha256[1]) : error;
}

static int keys_error(const struct rekey_rotation *x) {
    struct rekey_span primary = listed(x, REKEY_KEY_PRIMARY);
    struct rekey_span secondary = listed(x, REKEY_KEY_SECONDARY);

    if (primary.len == 0 || secondary.len == 0) {
        return REKEY_E_KEYS_NULL;
    }
    return rekey_span_equal(primary, secondary) ? REKEY_E_KEYS_EQUAL : 0;
}

// The slot to activate if the key in use is not listed. A slot whose key is as noted is preferred,
// because a list with other keys may be out of date.
static enum rekey_key best_slot(const struct rekey_rotation *x) {
    enum rekey_key slot = x->state.slot != 0 ? x->state.slot : REKEY_KEY_PRIMARY;

    return !changed(x, slot) ? slot : !changed(x, other(slot)) ? other(slot) : REKEY_KEY_PRIMARY;
}

// Activates a listed key if the key in use is missing or not listed. The list may be out of date,
// so the keys are listed again for some time first. A key is never replaced because of a single
// list.
static int adopt(struct rekey_rotation *x, enum rekey_key slot) {
    const uint32_t interval = x->rotation->list_interval_ms, minute = stale_list_ms(x);
    uint32_t ms = interval < minute ? interval : minute;
    uint64_t at = now(x);
    bool sure = x->key_len > 0 ? in_use(x, slot) : !changed(x, slot);
    bool before = seen_before(x, slot);

    if (!sure && !before) {
        x->stale_until = at + minute;
    }
    if (!sure && (!before || at + ms < x->stale_until)) {
        return wait_in(x, ms, LIST_LATER, REKEY_E_DEADLINE);
    }
    x->foreign = x->key_len > 0 && !in_use(x, REKEY_KEY_PRIMARY) && !in_use(x, REKEY_KEY_SECONDARY);
    x->result = REKEY_ROTATION_ADOPTED;
    return activate(x, slot);
}

// Nothing is unfinished: decides what to do now.
static int decide_rotation(struct rekey_rotation *x) {
    bool primary = in_use(x, REKEY_KEY_PRIMARY);
    enum rekey_key slot = primary ? REKEY_KEY_PRIMARY : REKEY_KEY_SECONDARY;
    int64_t age = wall(x) - x->state.switched;
    int error;

    if (!primary && !in_use(x, REKEY_KEY_SECONDARY)) {
        return adopt(x, best_slot(x));
    }
    if (changed(x, other(slot))) {
        // Somebody else may use that key: it is not regenerated before min_age_s has passed.
        x->foreign = true;
        note_keys(x);
        x->state.switched = wall(x);
        error = x->storage->save_state(x->storage->ctx, &x->state);
        return error == 0 ? end(x, REKEY_E_KEY_FOREIGN, REKEY_REFUSED) : end(x, error, REKEY_LOCAL);
    }
    if (x->state.slot != 0 && (age < 0 || slot != x->state.slot)) {
        // The clock was set back; or a key was activated by hand, or by a run that was cut before
        // it saved the slot.
        note_keys(x);
        x->state.slot = slot;
        x->state.switched = wall(x);
        age = 0;
        error = x->storage->save_state(x->storage->ctx, &x->state);
        if (error != 0) {
            return end(x, error, REKEY_LOCAL);
        }
    }
    if (x->state.slot != 0 && age < x->rotation->min_age_s) {
        x->result = REKEY_ROTATION_NOT_DUE;
        return end(x, 0, REKEY_SUCCEEDED);
    }
    return regenerate(x, other(slot));
}

// Finds the slot that has changed since the last run. The change must be listed twice, with the
// settling time in between, because the scoring URI may not accept the new key yet, and because a
// list may be out of date. If both slots have changed, a rotation was missed. The rotator
// regenerates the slots in turn, so the slot that was in use here is in use again.
static int decide_sync(struct rekey_rotation *x) {
    bool primary, secondary;

    if (is_first_run(x)) {
        return adopt(x, x->slot);
    }
    primary = changed(x, REKEY_KEY_PRIMARY);
    secondary = changed(x, REKEY_KEY_SECONDARY);
    if (primary || secondary) {
        enum rekey_key slot = primary && secondary ? x->state.slot
                              : primary            ? REKEY_KEY_PRIMARY
                                                   : REKEY_KEY_SECONDARY;

        if (!seen_before(x, slot)) {
            return list_after_settling(x);
        }
        x->foreign = primary && secondary;
        x->result = REKEY_ROTATION_ROTATED;
        return activate(x, slot);
    }
    if (!in_use(x, x->state.slot)) { // the key in the storage was changed
        return adopt(x, x->state.slot);
    }
    x->result = REKEY_ROTATION_UNCHANGED;
    return end(x, 0, REKEY_SUCCEEDED);
}

// The new key is listed.
static int new_key_listed(struct rekey_rotation *x) {
    x->result = REKEY_ROTATION_ROTATED;
    if (in_use(x, x->slot)) { // it was activated, and then power failed
        return activate(x, x->slot);
    }
    if (x->rotation->probe) {
        x->probe_error = REKEY_E_DEADLINE;
        set_timeout(x);
        rekey_show(x->client, x->endpoint, &x->shown);
        x->phase = SHOWING;
        return REKEY_AGAIN;
    }
    return seen_before(x, x->slot) ? activate(x, x->slot) : list_after_settling(x);
}

// rekey_options.token for the scoring URI: returns the new key.
static int provide_new_key(void *ctx, char *buf, size_t cap, size_t *len) {
    const struct rekey_rotation *x = ctx;
    struct rekey_span key = listed(x, x->slot);

    *len = key.len;
    memcpy(buf, key.ptr, key.len < cap ? key.len : cap);
    return REKEY_DONE;
}

static int ignore_answer(void *out, const struct rekey_json *json, uint32_t *needed) {
    (void)out;
    (void)json;
    (void)needed;
    return 0;
}

// Points the client to the scoring URI, with the new key as its token, until probe_ended.
static int probe(struct rekey_rotation *x) {
    const struct rekey_port *port = x->client->port;
    struct rekey_span uri = rekey_span(x->shown.scoring_uri, strlen(x->shown.scoring_uri));
    struct rekey_url url;

    if (rekey_url_parse(uri, &url) != 0) {
        // It is the same in the next run, unless the application changes `probe`.
        x->probe_options.host = uri;
        return end(x, REKEY_E_SCORING_URI, REKEY_LOCAL);
    }
    set_timeout(x);
    if (x->options->timeout_ms == 0) {
        return end(x, x->probe_error, REKEY_RUNNING);
    }
    x->probe_options = *x->options;
    x->probe_options.host = url.host;
    x->probe_options.port = url.port;
    x->probe_options.hold = false; // the connection and the key are for this request only
    x->probe_options.credential = NULL;
    x->probe_options.token = provide_new_key;
    x->probe_options.token_ctx = x;
    x->probe_read = (struct rekey_read){
        .action = url.target.len > 0 ? url.target : REKEY_SPAN("/"),
        .get = true,
        .parse = ignore_answer,
    };
    rekey_abort(x->client); // closes the connection and zeroizes the token that it has kept
    rekey_init(x->client, port, &x->probe_options);
    rekey_start_read(x->client, NULL, &x->probe_read, &x->shown);
    x->phase = PROBING;
    return REKEY_AGAIN;
}

// The key is accepted if the answer is not a refusal of the key, and can come from the scoring
// server.
static int probe_ended(struct rekey_rotation *x, const struct rekey_report *report) {
    unsigned status = report->http_status;
    int error = status != 0                         ? REKEY_E_KEY_REFUSED
                : report->error == REKEY_E_DEADLINE ? report->cause
                                                    : report->error;
    bool accepted = (status >= 200 && status < 300) ||
                    (status >= 400 && status < 500 && status != 401 && status != 403 &&
                     status != 404 && status != 408 && status != 429);

    if (accepted) {
        return activate(x, x->slot);
    }
    x->probe_error = error != 0 ? error : x->probe_error;
    x->wake = now(x) + x->rotation->list_interval_ms;
    x->phase = PROBE_LATER;
    return x->wake < x->deadline ? REKEY_AGAIN : end(x, x->probe_error, REKEY_RUNNING);
}

// The operation of an earlier run has changed nothing: removes it, and begins this run.
static int give_up_operation(struct rekey_rotation *x) {
    set_deadline(x, x->timeout_ms);
    return x->storage->remove_operation(x->storage->ctx);
}

// The result of an operation is unknown, and its key is unchanged. The key may still change until
// the deadline of the operation.
static int key_unchanged(struct rekey_rotation *x) {
    uint64_t at = now(x);
    int error;

    if (at < x->compare_until) {
        x->wake = at + x->rotation->list_interval_ms;
        x->wake = x->wake < x->compare_until ? x->wake : x->compare_until;
        x->phase = COMPARE_LATER;
        return REKEY_AGAIN;
    }
    error = give_up_operation(x);
    return error == 0 ? decide_rotation(x) : end(x, error, REKEY_LOCAL);
}

static int list_ended(struct rekey_rotation *x, const struct rekey_report *report) {
    enum phase phase = (enum phase)x->phase;
    int error = report->error != 0 ? report->error : keys_error(x);

    if (error != 0 && phase == LISTING) {
        return end(x, error, report->error != 0 ? report->outcome : REKEY_REFUSED);
    }
    if (report->error != 0 && report->outcome != REKEY_NOT_REACHED &&
        report->outcome != REKEY_REFUSED) {
        return end(x, error, REKEY_UNKNOWN); // identity, trust, device: will not pass soon
    }
    if (error != 0) {
        return list_again(x, phase == CONFIRMING ? CONFIRM_LATER : COMPARE_LATER, error);
    }
    error = hash_keys(x);
    if (error != 0) {
        return end(x, error, REKEY_LOCAL);
    }
    if (phase == LISTING) {
        return x->action == SYNC ? decide_sync(x) : decide_rotation(x);
    }
    if (changed(x, x->slot)) {
        x->by_comparison |= phase == COMPARING;
        return new_key_listed(x);
    }
    return phase == CONFIRMING ? list_again(x, CONFIRM_LATER, REKEY_E_KEY_UNCHANGED)
                               : key_unchanged(x);
}

// ---- the steps ----------------------------------------------------------------------------------

// Begins to check whether an operation whose result is unknown has changed its key. This continues
// until the deadline of the operation and for stale_list_ms more, because a list may be out of
// date.
static int begin_comparing(struct rekey_rotation *x) {
    x->compare_until = x->deadline + stale_list_ms(x);
    set_deadline(x, (uint64_t)x->timeout_ms + stale_list_ms(x) + COMPARE_MS);
    return list(x, COMPARING);
}

static int begin(struct rekey_rotation *x) {
    struct rekey_record record = {.kind = REKEY_POLL_NONE};
    enum rekey_key slot = (enum rekey_key)0;
    uint64_t age = 0;
    int error;

    if (x->state.hook_pending) {
        x->phase = FIRST_HOOK;
        return REKEY_AGAIN;
    }
    error =
        x->action == ROTATE ? x->storage->load_operation(x->storage->ctx, &record, &slot, &age) : 0;
    if (error == 0 && !is_slot_or_none(slot)) {
        error = REKEY_E_STORE;
    }
    if (error != 0) {
        return end(x, error, REKEY_LOCAL);
    }
    if (slot != 0 && slot == x->state.slot) { // its key was activated; only the record was left
        slot = (enum rekey_key)0;
        error = x->storage->remove_operation(x->storage->ctx);
        if (error != 0) {
            return end(x, error, REKEY_LOCAL);
        }
    }
    if (slot == 0) {
        return list(x, LISTING);
    }
    x->found_operation = true;
    x->slot = slot;
    set_deadline(x, age < x->timeout_ms ? x->timeout_ms - age : 0);
    if (record.kind == REKEY_POLL_NONE || age >= x->timeout_ms) {
        return begin_comparing(x);
    }
    set_timeout(x);
    rekey_resume(x->client, &record);
    x->phase = RESUMING;
    return REKEY_AGAIN;
}

static int operation_ended(struct rekey_rotation *x, const struct rekey_report *report) {
    bool resumed = x->phase == RESUMING;
    int error = 0;

    if (report->outcome == REKEY_SUCCEEDED) {
        set_deadline(x, x->timeout_ms);
        return list(x, CONFIRMING);
    }
    if (resumed && (report->outcome == REKEY_UNKNOWN || report->error == REKEY_E_DEADLINE)) {
        return begin_comparing(x);
    }
    if (report->outcome != REKEY_UNKNOWN && report->outcome != REKEY_RUNNING) {
        error = give_up_operation(x); // the service has changed nothing
        if (error == 0 && resumed) {
            return list(x, LISTING);
        }
    }
    return error == 0 ? end(x, report->error, report->outcome) : end(x, error, REKEY_LOCAL);
}

static int step_client(struct rekey_rotation *x) {
    int result = rekey_step(x->client);
    struct rekey_report report;

    if (result > 0) {
        return result;
    }
    x->client_ended = !x->client_ended;
    if (x->client_ended) { // let the caller read the client's report before the next operation
                           // begins
        return REKEY_AGAIN;
    }
    rekey_report(x->client, &report);
    switch (x->phase) {
    case RESUMING:
    case REGENERATING:
        return operation_ended(x, &report);
    case SHOWING:
        return report.error == 0 ? probe(x) : end(x, report.error, REKEY_RUNNING);
    case PROBING:
        return probe_ended(x, &report);
    default:
        return list_ended(x, &report);
    }
}

static bool waiting(const struct rekey_rotation *x) {
    return x->phase == COMPARE_LATER || x->phase == CONFIRM_LATER || x->phase == LIST_LATER ||
           x->phase == PROBE_LATER || x->phase == SETTLING;
}

static int step(struct rekey_rotation *x) {
    if (waiting(x) && now(x) < x->wake) {
        return REKEY_WANT_TIME;
    }
    switch (x->phase) {
    case BEGIN:
        return begin(x);
    case FIRST_HOOK:
    case HOOK:
        return step_hook(x);
    case COMPARE_LATER:
        return list(x, COMPARING);
    case CONFIRM_LATER:
        return list(x, CONFIRMING);
    case LIST_LATER:
        return list(x, LISTING);
    case SETTLING:
        return list(x, x->action == SYNC ? LISTING : CONFIRMING);
    case PROBE_LATER:
        return probe(x);
    default:
        return step_client(x);
    }
}

uint32_t rekey_rotation_wait_ms(const struct rekey_rotation *x) {
    uint64_t at;

    if (x->phase == ENDED) {
        return 0;
    }
    if (x->phase == HOOK || x->phase == FIRST_HOOK) {
        return HOOK_INTERVAL_MS;
    }
    if (!waiting(x)) {
        return rekey_wait_ms(x->client);
    }
    at = now(x);
    return x->wake > at ? (uint32_t)(x->wake - at) : 0;
}

enum rekey_rotation_wait rekey_rotation_waits_for(const struct rekey_rotation *x, uint64_t *until) {
    *until = x->deadline;
    switch (x->phase) {
    case CONFIRM_LATER:
        return REKEY_ROTATION_NEW_KEY;
    case PROBE_LATER:
        return REKEY_ROTATION_PROBING;
    case LIST_LATER:
        *until = x->stale_until;
        return REKEY_ROTATION_KEY_IN_USE;
    case SETTLING:
        *until = x->wake;
        return REKEY_ROTATION_SETTLING;
    case COMPARE_LATER:
        *until = x->compare_until;
        return REKEY_ROTATION_OPERATION;
    default:
        return REKEY_ROTATION_NO_WAIT;
    }
}

// The outcome of an operation that an earlier run has left, and that this run has not loaded yet.
static enum rekey_outcome outcome_of_record(const struct rekey_rotation *x) {
    struct rekey_record record = {.kind = REKEY_POLL_NONE};
    enum rekey_key slot = (enum rekey_key)0;
    uint64_t age;

    if (x->storage->load_operation(x->storage->ctx, &record, &slot, &age) != 0 || slot == 0 ||
        slot == x->state.slot) {
        return REKEY_NOT_REACHED;
    }
    return record.kind == REKEY_POLL_NONE ? REKEY_UNKNOWN : REKEY_RUNNING;
}

// The outcome of a run that is stopped in its current phase.
static enum rekey_outcome outcome_of_phase(const struct rekey_rotation *x) {
    switch (x->phase) {
    case FIRST_HOOK:
    case HOOK:
        return REKEY_LOCAL;
    case BEGIN:
        return x->action == ROTATE ? outcome_of_record(x) : REKEY_NOT_REACHED;
    case LISTING:
    case LIST_LATER:
        return REKEY_NOT_REACHED;
    case COMPARING:
    case COMPARE_LATER:
        return REKEY_UNKNOWN;
    default: // the key was regenerated; the next run continues
        return x->action == SYNC ? REKEY_NOT_REACHED : REKEY_RUNNING;
    }
}

// Ends the current run. Returns its error.
static int stop(struct rekey_rotation *x) {
    struct rekey_report report;

    rekey_abort(x->client);
    rekey_report(x->client, &report);
    if (x->phase == RESUMING || x->phase == REGENERATING) {
        operation_ended(x, &report); // the operation may have ended; this may begin the next one
    }
    if (x->phase != ENDED) {
        rekey_abort(x->client);
        end(x, REKEY_E_ABORTED, outcome_of_phase(x));
    }
    return x->error;
}

// Call it at the end of each function of the API that calls the storage, the client or the port.
// Ends the run if one of these has aborted it. Returns `result`, or the error of the aborted run.
static int leave(struct rekey_rotation *x, int result) {
    if (x->aborted && x->phase != ENDED) {
        result = stop(x);
    }
    x->in_call = false;
    return result;
}

int rekey_rotation_step(struct rekey_rotation *x) {
    if (x->in_call) {
        return REKEY_E_BUSY;
    }
    if (x->phase == ENDED) {
        return error_of(x);
    }
    x->in_call = true;
    return leave(x, step(x));
}

void rekey_rotation_abort(struct rekey_rotation *x) {
    x->aborted = true;
    if (x->phase == ENDED) {
        return;
    }
    if (x->in_call) {
        rekey_abort(x->client); // nothing more is sent; leave() ends the run
    } else {
        x->in_call = true;
        leave(x, 0);
    }
}

int rekey_rotation_run(struct rekey_rotation *x) {
    int result;

    if (x->phase != ENDED && !x->in_call && x->client->port->wait == NULL) {
        rekey_rotation_abort(x);
        x->error = REKEY_E_PORT;
        x->outcome = x->outcome == REKEY_NOT_REACHED ? REKEY_USAGE : x->outcome;
    }
    while ((result = rekey_rotation_step(x)) > 0) {
        if (result != REKEY_AGAIN) {
            x->client->port->wait(x->client->port->ctx, result, rekey_rotation_wait_ms(x));
        }
    }
    return result;
}

void rekey_rotation_report(const struct rekey_rotation *x, struct rekey_rotation_report *report) {
    report->outcome = x->client != NULL ? x->outcome : REKEY_USAGE;
    report->error = report->outcome != REKEY_NONE ? error_of(x) : 0;
    report->result = x->result;
    report->in_use = x->state.slot;
    report->target = x->slot;
    report->switched = x->state.switched;
    report->hook_pending = x->state.hook_pending;
    report->found_operation = x->found_operation;
    report->by_comparison = x->by_comparison;
    report->foreign = x->foreign;
    report->probed = x->probe_options.host;
}

// ---- the beginning ------------------------------------------------------------------------------

void rekey_rotation_init(struct rekey_rotation *x, struct rekey *client,
                         struct rekey_options *options,
                         const struct rekey_rotation_options *rotation,
                         const struct rekey_storage *storage) {
    const struct rekey_secret *more;

    if (client == NULL || options == NULL || rotation == NULL || storage == NULL) {
        memset(x, 0, sizeof(*x)); // each call then returns REKEY_E_OPTIONS
        return;
    }
    // If *x is initialized again, its own secrets are already in the list.
    more = options->secrets == x->secrets ? x->secrets[2].next : options->secrets;
    memset(x, 0, sizeof(*x));
    x->secrets[0].text = rekey_span(x->keys.primary.value, sizeof(x->keys.primary.value));
    x->secrets[0].next = &x->secrets[1];
    x->secrets[1].text = rekey_span(x->keys.secondary.value, sizeof(x->keys.secondary.value));
    x->secrets[1].next = &x->secrets[2];
    x->secrets[2].text = rekey_span(x->key, sizeof(x->key));
    x->secrets[2].next = more;
    options->secrets = x->secrets;
    if (!is_complete(storage)) {
        x->error = REKEY_E_PORT;
    } else if (rekey_usable(client)) {
        x->client = client;
        x->outcome = REKEY_NONE;
        x->error = REKEY_E_IDLE;
    }
    x->options = options;
    x->rotation = rotation;
    x->storage = storage;
    x->timeout_ms = options->timeout_ms;
    options->save = save;
    options->save_ctx = x;
}

// If a rollback was cut before it exchanged the keys, the slot in use is still the other one.
// Without a key in use, nothing was exchanged.
static int undo_cut_rollback(struct rekey_rotation *x) {
    enum rekey_key slot = other(x->state.slot);
    unsigned char sha256[32];
    int error = hash(x, rekey_span(x->key, x->key_len), sha256);

    if (error == 0 &&
        (x->key_len == 0 || memcmp(sha256, x->state.sha256[slot - 1], sizeof(sha256)) == 0)) {
        x->state.slot = slot;
        x->state.rolled_back = false;
    }
    return error;
}

// Returns the error of a parameter that the run cannot use, or 0. A run of rekey_sync needs `first`
// if no earlier run has saved the slot in use and both keys.
static int check_parameters(const struct rekey_rotation *x) {
    if (x->action != ROLLBACK && x->endpoint == NULL) {
        return REKEY_E_OPTIONS;
    }
    if (!is_slot_or_none(x->slot) || (x->action == SYNC && x->slot == 0 && is_first_run(x))) {
        return REKEY_E_KEY_TYPE;
    }
    return 0;
}

static int start(struct rekey_rotation *x, enum action action) {
    size_t len = 0;
    int error;

    memset(&x->state, 0, sizeof(x->state));
    x->action = (uint8_t)action;
    x->outcome = REKEY_NONE;
    x->error = 0;
    x->result = REKEY_ROTATION_NONE;
    x->found_operation = x->by_comparison = x->foreign = false;
    x->phase = BEGIN;
    x->client_ended = x->settled = false;
    x->options->hold = true;
    memset(x->seen, 0, sizeof(x->seen));
    set_deadline(x, x->timeout_ms);
    error = x->storage->load_key(x->storage->ctx, false, x->key, sizeof(x->key), &len);
    x->key_len = (uint16_t)len;
    if (error == 0) {
        error = x->storage->load_state(x->storage->ctx, &x->state);
    }
    if (error == 0 && !is_slot_or_none(x->state.slot)) {
        x->state.slot = (enum rekey_key)0;
        error = REKEY_E_STORE;
    }
    if (error != 0) {
        return end(x, error, REKEY_LOCAL);
    }
    error = check_parameters(x);
    if (error != 0) {
        return end(x, error, REKEY_USAGE);
    }
    error = x->state.rolled_back ? undo_cut_rollback(x) : 0;
    return error == 0 ? 0 : end(x, error, REKEY_LOCAL);
}

// Checks whether a rollback is possible, and changes nothing. *finished is set if a saved operation
// has already activated its key, so that only its hook was missing. An unfinished operation may be
// regenerating the very key that would be restored.
static int check_rollback(struct rekey_rotation *x, bool *finished) {
    struct rekey_key_value *previous = &x->keys.primary; // unused memory: a rollback lists no keys
    struct rekey_record record;
    enum rekey_key slot = (enum rekey_key)0;
    uint64_t age;
    size_t len = 0;
    int error = x->storage->load_operation(x->storage->ctx, &record, &slot, &age);

    *finished = slot != 0 && slot == x->state.slot;
    if (error == 0 && slot != 0 && !*finished) {
        error = REKEY_E_UNFINISHED;
    }
    if (error == 0) {
        error = x->storage->load_key(x->storage->ctx, true, previous->value,
                                     sizeof(previous->value), &len);
    }
    if (error == 0 && !x->state.rolled_back &&
        (len == 0 ||
         rekey_span_equal(rekey_span(previous->value, len), rekey_span(x->key, x->key_len)))) {
        error = REKEY_E_NO_PREVIOUS;
    }
    return error;
}

// Saves the state first, with the slot that will be in use and `rolled_back`. If power fails after
// that, the next run finds out by the key whether the keys were exchanged.
static int rollback(struct rekey_rotation *x) {
    bool finished;
    int error = start(x, ROLLBACK);

    if (error != 0) {
        return error;
    }
    error = check_rollback(x, &finished);
    if (error == 0 && finished) {
        error = x->storage->remove_operation(x->storage->ctx);
    }
    if (error == 0 && !x->state.rolled_back) { // else an earlier rollback has exchanged the keys
        x->state.slot = x->state.slot == 0 ? x->state.slot : other(x->state.slot);
        x->state.hook_pending |= x->storage->hook != NULL;
        x->state.rolled_back = true;
        x->state.switched = wall(x);
        error = save_state(x);
        if (error == 0) {
            error = x->storage->restore_key(x->storage->ctx);
        }
    }
    if (error != 0) {
        return end(x, error,
                   error == REKEY_E_NO_PREVIOUS || error == REKEY_E_UNFINISHED ? REKEY_USAGE
                                                                               : REKEY_LOCAL);
    }
    forget_keys(x);
    x->slot = x->state.slot;
    x->result = REKEY_ROTATION_RESTORED;
    x->phase = HOOK;
    return 0;
}

static int begin_run(struct rekey_rotation *x, enum action action,
                     const struct rekey_endpoint *endpoint, enum rekey_key slot) {
    if (x->client == NULL) {
        return error_of(x);
    }
    if (x->phase != ENDED) {
        return REKEY_E_BUSY;
    }
    x->in_call = true;
    x->aborted = false;
    x->endpoint = endpoint;
    x->slot = slot;
    return leave(x, action == ROLLBACK ? rollback(x) : start(x, action));
}

int rekey_rotate(struct rekey_rotation *x, const struct rekey_endpoint *endpoint) {
    return begin_run(x, ROTATE, endpoint, (enum rekey_key)0);
}

int rekey_sync(struct rekey_rotation *x, const struct rekey_endpoint *endpoint,
               enum rekey_key first) {
    return begin_run(x, SYNC, endpoint, first);
}

int rekey_rollback(struct rekey_rotation *x) {
    return begin_run(x, ROLLBACK, NULL, (enum rekey_key)0);
}
