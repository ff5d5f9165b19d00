// rotate.c - the machine of rotate.h. The service is the only truth about the slots: which one is
// in use is found by comparing the key with what it lists, in each run anew.

#include "rotate.h"

#include "url.h"

enum phase {
    ENDED,
    BEGIN, // the hook of an earlier run comes first
    FIRST_HOOK,
    RESUMING,      // an unfinished operation is polled
    LISTING,       // before anything is changed
    COMPARING,     // did an operation whose end is not known change its key?
    COMPARE_LATER, // not yet
    DOUBT_LATER,   // the list may be an old one
    REGENERATING,
    LOOKING, // the key has changed: is the new one listed, and listed again after the settling?
    LOOK_LATER,
    SETTLING,
    SHOWING, // where does the endpoint score?
    PROBING, // does it take the new key?
    PROBE_LATER,
    HOOK,
};

#define HOOK_INTERVAL_MS 100u // between two questions to a hook that runs
#define COMPARE_MS 60000u     // for a look at the keys when an operation's own deadline has passed
#define DOUBT_MS 60000u       // in which the service may list what was before; see doubt_ms

enum job { ROTATE, SYNC, ROLLBACK };

static const struct rekey_key_value *value_of(const struct rekey_keys *keys, enum rekey_key slot) {
    return slot == REKEY_KEY_PRIMARY ? &keys->primary : &keys->secondary;
}

// Why no run is going on. Without a client, it was never made ready.
static int error_of(const struct rekey_rotation *x) {
    return x->error != 0 || x->client != NULL ? x->error : REKEY_E_OPTIONS;
}

// Whether no function is missing that must be there.
static bool is_whole(const struct rekey_storage *s) {
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

// Whether an earlier run has noted the keys.
static bool known(const struct rekey_rotation *x) {
    static const unsigned char none[32];

    return memcmp(x->state.sha256[0], none, sizeof(none)) != 0;
}

// Whether the slot's key is another one than when it was last noted.
static bool changed(const struct rekey_rotation *x, enum rekey_key slot) {
    unsigned char sha256[32];

    x->storage->sha256(x->storage->ctx, listed(x, slot), sha256);
    return known(x) && memcmp(sha256, x->state.sha256[slot - 1], sizeof(sha256)) != 0;
}

// Whether the slot's key is the one that was listed when this was last asked.
static bool seen_before(struct rekey_rotation *x, enum rekey_key slot) {
    unsigned char sha256[32];
    bool same;

    x->storage->sha256(x->storage->ctx, listed(x, slot), sha256);
    same = memcmp(sha256, x->seen, sizeof(sha256)) == 0;
    memcpy(x->seen, sha256, sizeof(sha256));
    return same;
}

// Notes both keys, as they are listed now.
static void note_keys(struct rekey_rotation *x) {
    for (int slot = REKEY_KEY_PRIMARY; slot <= REKEY_KEY_SECONDARY; slot++) {
        x->storage->sha256(x->storage->ctx, listed(x, (enum rekey_key)slot),
                           x->state.sha256[slot - 1]);
    }
}

static bool in_use(const struct rekey_rotation *x, enum rekey_key slot) {
    return x->key_len > 0 && rekey_span_equal(rekey_span(x->key, x->key_len), listed(x, slot));
}

// Whether the key in use is the one that was noted of the slot.
static bool is_key_of(const struct rekey_rotation *x, enum rekey_key slot) {
    unsigned char sha256[32];

    x->storage->sha256(x->storage->ctx, rekey_span(x->key, x->key_len), sha256);
    return memcmp(sha256, x->state.sha256[slot - 1], sizeof(sha256)) == 0;
}

static void speak_to_management(struct rekey_rotation *x) {
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
    speak_to_management(x);
    forget_keys(x);
    if (error != 0 && error != REKEY_E_HOOK) {
        x->result = REKEY_ROTATION_NONE; // what it was about to do
    }
    x->error = error;
    x->outcome = outcome;
    x->phase = ENDED;
    x->wake = 0;
    return error;
}

// ---- operations of the client -------------------------------------------------------------------

// The client's own deadline is what is left of the run's. What it cannot start it ends at once, and
// says so in its next step.
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

// Waits in `phase`. `error` is what it ends with where the deadline is before that.
static int wait_in(struct rekey_rotation *x, uint32_t ms, enum phase phase, int error) {
    bool begun = x->job == ROTATE && phase != DOUBT_LATER;

    x->wake = now(x) + ms;
    if (x->wake >= x->deadline) {
        return end(x, error, begun ? REKEY_UNKNOWN : REKEY_NOT_REACHED);
    }
    x->phase = (uint8_t)phase;
    return REKEY_AGAIN;
}

static int list_later(struct rekey_rotation *x, enum phase phase, int error) {
    return wait_in(x, x->rotation->list_interval_ms, phase, error);
}

// How long a list may be an old one: a minute, or half of a short timeout.
static uint32_t doubt_ms(const struct rekey_rotation *x) {
    return x->timeout_ms / 2 < DOUBT_MS ? x->timeout_ms / 2 : DOUBT_MS;
}

static void set_deadline(struct rekey_rotation *x, uint64_t ms) {
    x->deadline = now(x) + ms;
}

// A new key is listed: it must be listed again after the settling. Where lists do not agree, that
// begins again, but the deadline moves only once.
static int settle_down(struct rekey_rotation *x) {
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

    note_keys(x); // by which a later run sees whether this one changed the key
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

// ---- a key is activated -------------------------------------------------------------------------

// A rollback where nothing was noted before has nothing to note.
static int save_state(struct rekey_rotation *x) {
    return x->job == ROLLBACK && x->state.slot == 0
               ? 0
               : x->storage->save_state(x->storage->ctx, &x->state);
}

static int finish(struct rekey_rotation *x) {
    int error = x->job == ROTATE ? x->storage->remove_operation(x->storage->ctx) : 0;

    x->state.rolled_back = false;
    if (error == 0) {
        error = save_state(x);
    }
    return error == 0 ? end(x, 0, REKEY_SUCCEEDED) : end(x, error, REKEY_LOCAL);
}

// A run without a hook leaves one that is pending to a later run, and changes nothing before it.
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
        return end(x, result, REKEY_LOCAL); // it is pending, and comes first in the next run
    }
    x->state.hook_pending = x->state.rolled_back = false;
    if (x->phase == HOOK) {
        return finish(x);
    }
    result = x->storage->save_state(x->storage->ctx, &x->state);
    x->phase = BEGIN;
    return result == 0 ? REKEY_AGAIN : end(x, result, REKEY_LOCAL);
}

// Notes that a hook is pending before the key is there: a hook too many does no harm, and one too
// few does. Then the slot that is in use, once its key is there. What comes now needs no key: a
// hook may take minutes.
static int activate(struct rekey_rotation *x, enum rekey_key slot) {
    int error;

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

// ---- what a list leads to -----------------------------------------------------------------------

static int keys_error(const struct rekey_rotation *x) {
    struct rekey_span primary = listed(x, REKEY_KEY_PRIMARY);
    struct rekey_span secondary = listed(x, REKEY_KEY_SECONDARY);

    if (primary.len == 0 || secondary.len == 0) {
        return REKEY_E_KEYS_NULL;
    }
    return rekey_span_equal(primary, secondary) ? REKEY_E_KEYS_EQUAL : 0;
}

// The slot whose key is taken where the one in use is not listed: one whose key is as it was noted,
// because a list that differs from that may be an old one.
static enum rekey_key best_slot(const struct rekey_rotation *x) {
    enum rekey_key slot = x->state.slot != 0 ? x->state.slot : REKEY_KEY_PRIMARY;

    return !changed(x, slot) ? slot : !changed(x, other(slot)) ? other(slot) : REKEY_KEY_PRIMARY;
}

// Takes a listed key where the one in use is not listed, or is not there. The list may be an old
// one: that is seen soon after the first list that says so. No key is replaced on one list alone.
static int adopt(struct rekey_rotation *x, enum rekey_key slot) {
    const uint32_t interval = x->rotation->list_interval_ms, minute = doubt_ms(x);
    uint32_t ms = interval < minute ? interval : minute;
    uint64_t at = now(x);
    bool sure = x->key_len > 0 ? in_use(x, slot) : !changed(x, slot);
    bool before = seen_before(x, slot);

    if (!sure && !before) {
        x->doubt = at + minute;
    }
    if (!sure && (!before || at + ms < x->doubt)) {
        return wait_in(x, ms, DOUBT_LATER, REKEY_E_DEADLINE);
    }
    x->foreign = x->key_len > 0 && !in_use(x, REKEY_KEY_PRIMARY) && !in_use(x, REKEY_KEY_SECONDARY);
    x->result = REKEY_ROTATION_ADOPTED;
    return activate(x, slot);
}

// Nothing is unfinished: what is to be done now?
static int decide_rotation(struct rekey_rotation *x) {
    bool primary = in_use(x, REKEY_KEY_PRIMARY);
    enum rekey_key slot = primary ? REKEY_KEY_PRIMARY : REKEY_KEY_SECONDARY;
    int64_t age = wall(x) - x->state.switched;
    int error;

    if (!primary && !in_use(x, REKEY_KEY_SECONDARY)) {
        return adopt(x, best_slot(x));
    }
    if (changed(x, other(slot))) {
        // Somebody may be using that key: it is left alone until it is as old as one of ours.
        x->foreign = true;
        note_keys(x);
        x->state.switched = wall(x);
        error = x->storage->save_state(x->storage->ctx, &x->state);
        return error == 0 ? end(x, REKEY_E_KEY_FOREIGN, REKEY_REFUSED) : end(x, error, REKEY_LOCAL);
    }
    if (x->state.slot != 0 && (age < 0 || slot != x->state.slot)) {
        // The clock was set back; or a switch was made by hand, or cut before it was noted.
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

// Which slot has changed since the last run? That must be listed twice, with the settling between:
// what scores may not know the key yet, and a list may be an old one. If both have changed, a
// rotation was missed: the rotator regenerates the slots in turn, so that the one that was in use
// here is the one that is now.
static int decide_sync(struct rekey_rotation *x) {
    bool primary, secondary;

    if (!known(x)) {
        return adopt(x, x->slot);
    }
    primary = changed(x, REKEY_KEY_PRIMARY);
    secondary = changed(x, REKEY_KEY_SECONDARY);
    if (primary || secondary) {
        enum rekey_key slot = primary && secondary ? x->state.slot
                              : primary            ? REKEY_KEY_PRIMARY
                                                   : REKEY_KEY_SECONDARY;

        if (!seen_before(x, slot)) {
            return settle_down(x);
        }
        x->foreign = primary && secondary;
        x->result = REKEY_ROTATION_ROTATED;
        return activate(x, slot);
    }
    if (!in_use(x, x->state.slot)) { // the key was changed here
        return adopt(x, x->state.slot);
    }
    x->result = REKEY_ROTATION_UNCHANGED;
    return end(x, 0, REKEY_SUCCEEDED);
}

// The new key is listed.
static int settle(struct rekey_rotation *x) {
    x->result = REKEY_ROTATION_ROTATED;
    if (in_use(x, x->slot)) { // power failed after it was activated
        return activate(x, x->slot);
    }
    if (x->rotation->probe) {
        x->probe_error = REKEY_E_DEADLINE;
        set_timeout(x);
        rekey_show(x->client, x->endpoint, &x->shown);
        x->phase = SHOWING;
        return REKEY_AGAIN;
    }
    return seen_before(x, x->slot) ? activate(x, x->slot) : settle_down(x);
}

// rekey_options.token while the scoring URI is asked: the new key.
static int give_key(void *ctx, char *buf, size_t cap, size_t *len) {
    const struct rekey_rotation *x = ctx;
    struct rekey_span key = listed(x, x->slot);

    *len = key.len;
    memcpy(buf, key.ptr, key.len < cap ? key.len : cap);
    return REKEY_DONE;
}

static int take_nothing(void *out, const struct rekey_json *json, uint32_t *needed) {
    (void)out;
    (void)json;
    (void)needed;
    return 0;
}

// The client speaks to the scoring URI, with the new key for a token, until probe_ended.
static int probe(struct rekey_rotation *x) {
    const struct rekey_port *port = x->client->port;
    struct rekey_span uri = rekey_span(x->shown.scoring_uri, strlen(x->shown.scoring_uri));
    struct rekey_url url;
    int error = rekey_url_parse(uri, &url);

    if (error != 0) {
        return end(x, error, REKEY_RUNNING);
    }
    set_timeout(x);
    if (x->options->timeout_ms == 0) {
        return end(x, x->probe_error, REKEY_RUNNING);
    }
    x->probe_options = *x->options;
    x->probe_options.host = url.host;
    x->probe_options.port = url.port;
    x->probe_options.credential = NULL;
    x->probe_options.token = give_key;
    x->probe_options.token_ctx = x;
    x->probe_read = (struct rekey_read){
        .action = url.target.len > 0 ? url.target : REKEY_SPAN("/"),
        .get = true,
        .take = take_nothing,
    };
    rekey_abort(x->client); // it holds a connection, and the token
    rekey_init(x->client, port, &x->probe_options);
    rekey_start_read(x->client, NULL, &x->probe_read, &x->shown);
    x->phase = PROBING;
    return REKEY_AGAIN;
}

// A key is taken where the answer is anything but a refusal of the key, and comes from what scores.
static int probe_ended(struct rekey_rotation *x, const struct rekey_report *report) {
    unsigned status = report->http_status;
    int error = status != 0                         ? REKEY_E_KEY_REFUSED
                : report->error == REKEY_E_DEADLINE ? report->cause
                                                    : report->error;
    bool taken = (status >= 200 && status < 300) ||
                 (status >= 400 && status < 500 && status != 401 && status != 403 &&
                  status != 404 && status != 408 && status != 429);

    if (taken) {
        return activate(x, x->slot);
    }
    x->probe_error = error != 0 ? error : x->probe_error;
    x->wake = now(x) + x->rotation->list_interval_ms;
    x->phase = PROBE_LATER;
    return x->wake < x->deadline ? REKEY_AGAIN : end(x, x->probe_error, REKEY_RUNNING);
}

// The operation of an earlier run has come to nothing: this run begins.
static int give_up_operation(struct rekey_rotation *x) {
    set_deadline(x, x->timeout_ms);
    return x->storage->remove_operation(x->storage->ctx);
}

// The end of an operation is not known, and its key is as it was: it may still change, until the
// deadline of the operation has passed.
static int not_changed(struct rekey_rotation *x) {
    uint64_t at = now(x);
    int error;

    if (at < x->give_up) {
        x->wake = at + x->rotation->list_interval_ms;
        x->wake = x->wake < x->give_up ? x->wake : x->give_up;
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
        return end(x, error, REKEY_UNKNOWN); // identity, trust, device: that does not pass soon
    }
    if (error != 0) {
        return list_later(x, phase == LOOKING ? LOOK_LATER : COMPARE_LATER, error);
    }
    if (phase == LISTING) {
        return x->job == SYNC ? decide_sync(x) : decide_rotation(x);
    }
    if (changed(x, x->slot)) {
        x->by_comparison |= phase == COMPARING;
        return settle(x);
    }
    return phase == LOOKING ? list_later(x, LOOK_LATER, REKEY_E_KEY_UNCHANGED) : not_changed(x);
}

// ---- the steps ----------------------------------------------------------------------------------

// Did an operation whose end is not known change its key? That is looked at until the deadline of
// the operation, and for a minute more: a list may be an old one.
static int compare(struct rekey_rotation *x) {
    x->give_up = x->deadline + doubt_ms(x);
    set_deadline(x, (uint64_t)x->timeout_ms + doubt_ms(x) + COMPARE_MS);
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
        x->job == ROTATE ? x->storage->load_operation(x->storage->ctx, &record, &slot, &age) : 0;
    if (error != 0) {
        return end(x, error, REKEY_LOCAL);
    }
    if (slot != 0 && slot == x->state.slot) { // its key was activated; only this was left
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
        return compare(x);
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
        return list(x, LOOKING);
    }
    if (resumed && (report->outcome == REKEY_UNKNOWN || report->outcome == REKEY_USAGE ||
                    report->error == REKEY_E_DEADLINE)) {
        return compare(x);
    }
    if (report->outcome != REKEY_UNKNOWN && report->outcome != REKEY_RUNNING) {
        error = give_up_operation(x); // nothing was changed
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
    x->ended = !x->ended;
    if (x->ended) { // a caller can look at the report before the next operation begins
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
    return x->phase == COMPARE_LATER || x->phase == LOOK_LATER || x->phase == DOUBT_LATER ||
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
    case LOOK_LATER:
        return list(x, LOOKING);
    case DOUBT_LATER:
        return list(x, LISTING);
    case SETTLING:
        return list(x, x->job == SYNC ? LISTING : LOOKING);
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
    case LOOK_LATER:
        return REKEY_ROTATION_NEW_KEY;
    case PROBE_LATER:
        return REKEY_ROTATION_PROBING;
    case DOUBT_LATER:
        *until = x->doubt;
        return REKEY_ROTATION_KEY_IN_USE;
    case SETTLING:
        *until = x->wake;
        return REKEY_ROTATION_SETTLING;
    case COMPARE_LATER:
        *until = x->give_up;
        return REKEY_ROTATION_OPERATION;
    default:
        return REKEY_ROTATION_NO_WAIT;
    }
}

// What an earlier run has left, where this one has not looked at it yet.
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

// What a run that is stopped in its phase leaves behind.
static enum rekey_outcome outcome_of_phase(const struct rekey_rotation *x) {
    switch (x->phase) {
    case FIRST_HOOK:
    case HOOK:
        return REKEY_LOCAL;
    case BEGIN:
        return x->job == ROTATE ? outcome_of_record(x) : REKEY_NOT_REACHED;
    case LISTING:
    case DOUBT_LATER:
        return REKEY_NOT_REACHED;
    case COMPARING:
    case COMPARE_LATER:
        return REKEY_UNKNOWN;
    default: // the key was regenerated; the next run goes on
        return x->job == SYNC ? REKEY_NOT_REACHED : REKEY_RUNNING;
    }
}

// Ends the run that is going on. Returns its error.
static int stop(struct rekey_rotation *x) {
    struct rekey_report report;

    rekey_abort(x->client);
    rekey_report(x->client, &report);
    if (x->phase == RESUMING || x->phase == REGENERATING) {
        operation_ended(x, &report); // it may have ended already, and the next thing is begun then
    }
    if (x->phase != ENDED) {
        rekey_abort(x->client);
        end(x, REKEY_E_ABORTED, outcome_of_phase(x));
    }
    return x->error;
}

// A call of the storage, of the client or of the port is over, which has returned `result`. Ends
// the run where one of them has aborted it.
static int leave(struct rekey_rotation *x, int result) {
    if (x->aborted && x->phase != ENDED) {
        result = stop(x);
    }
    x->inside = false;
    return result;
}

int rekey_rotation_step(struct rekey_rotation *x) {
    if (x->inside) {
        return REKEY_E_BUSY;
    }
    if (x->phase == ENDED) {
        return error_of(x);
    }
    x->inside = true;
    return leave(x, step(x));
}

void rekey_rotation_abort(struct rekey_rotation *x) {
    x->aborted = true;
    if (x->phase == ENDED) {
        return;
    }
    if (x->inside) {
        rekey_abort(x->client); // nothing more is sent; leave() does the rest
    } else {
        x->inside = true;
        leave(x, 0);
    }
}

int rekey_rotation_run(struct rekey_rotation *x) {
    int result;

    if (x->phase != ENDED && !x->inside && x->client->port->wait == NULL) {
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
    // Where it is made ready once more, its own secrets are in the list already.
    const struct rekey_secret *more =
        options->secrets == x->secrets ? x->secrets[2].next : options->secrets;

    memset(x, 0, sizeof(*x));
    x->secrets[0].text = rekey_span(x->keys.primary.value, sizeof(x->keys.primary.value));
    x->secrets[0].next = &x->secrets[1];
    x->secrets[1].text = rekey_span(x->keys.secondary.value, sizeof(x->keys.secondary.value));
    x->secrets[1].next = &x->secrets[2];
    x->secrets[2].text = rekey_span(x->key, sizeof(x->key));
    x->secrets[2].next = more;
    options->secrets = x->secrets;
    if (!is_whole(storage)) {
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

static int start(struct rekey_rotation *x, enum job job) {
    size_t len = 0;
    int error;

    memset(&x->state, 0, sizeof(x->state));
    x->job = (uint8_t)job;
    x->outcome = REKEY_NONE;
    x->error = 0;
    x->result = REKEY_ROTATION_NONE;
    x->found_operation = x->by_comparison = x->foreign = false;
    x->phase = BEGIN;
    x->ended = x->settled = false;
    x->options->hold = true;
    memset(x->seen, 0, sizeof(x->seen));
    set_deadline(x, x->timeout_ms);
    error = x->storage->load_key(x->storage->ctx, false, x->key, sizeof(x->key), &len);
    x->key_len = (uint16_t)len;
    if (error == 0) {
        error = x->storage->load_state(x->storage->ctx, &x->state);
    }
    if (error != 0) {
        return end(x, error, REKEY_LOCAL);
    }
    if (x->state.rolled_back && is_key_of(x, other(x->state.slot))) {
        x->state.slot = other(x->state.slot); // a rollback that was cut before it changed the key
        x->state.rolled_back = false;
    }
    return 0;
}

// Whether a rollback can be made, before anything is changed. *finished: an operation is left whose
// key is in use; its hook was all that was missing. An operation that is unfinished may be
// regenerating the very key that would come back.
static int check_rollback(struct rekey_rotation *x, bool *finished) {
    struct rekey_key_value *previous = &x->keys.primary; // no list is made
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

// The state comes first: it notes the slot that will be in use, and that a rollback is under way.
// Where that is cut, the next run sees by the key which of the two it was.
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
    if (error == 0 && !x->state.rolled_back) { // else an earlier one has exchanged the keys
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
    x->result = REKEY_ROTATION_RESTORED;
    x->phase = HOOK;
    return 0;
}

static int begin_run(struct rekey_rotation *x, enum job job, const struct rekey_endpoint *endpoint,
                     enum rekey_key slot) {
    if (x->client == NULL) {
        return error_of(x);
    }
    if (x->phase != ENDED) {
        return REKEY_E_BUSY;
    }
    x->inside = true;
    x->aborted = false;
    x->endpoint = endpoint;
    x->slot = slot;
    return leave(x, job == ROLLBACK ? rollback(x) : start(x, job));
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
