// test_rotate.c - rotations against a model of the service and of a storage that loses power. The
// invariant is checked at every change of either: the service accepts the key in the storage at
// that moment. Each run is cut at every call of the storage and at every step, and a later run must
// finish the work. tests/e2e uses real files, processes and SIGKILL.

#include <stdio.h>
#include <string.h>

#include "fake_port.h"
#include "rotate.h"
#include "support.h"

#define DONE_STATUS "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define HOST "management.azure.com"

enum regenerate_answer { SAYS_200, SAYS_202, SAYS_NOTHING, SAYS_403, SAYS_429, FAILS_LATER };

static struct {
    // the service
    char keys[2][32];  // that the service accepts
    char stale[2][32]; // that the service lists before fresh_at
    uint64_t fresh_at; // 0: at once
    uint64_t stale_ms; // how long lists are out of date after a regeneration
    int made, posts, lists, polls, shows, probes;
    enum regenerate_answer answer;
    bool loses_it;    // with SAYS_NOTHING: it is not executed
    uint64_t late_ms; // ... or only after so long
    int late_slot;    // 1, 2: executed at late_at
    uint64_t late_at;
    int list_status; // 200; another: so many lists are answered so
    int list_failures;
    const char *list_body; // instead of the keys
    uint64_t taken_at;     // when the scoring URI accepts a new key
    const char *scoring;   // "" : no scoring URI
    int score_status, poll_status;
    bool score_hangs; // the scoring host never answers
    // the connection
    bool scores;
    int opens, tokens; // connections, and questions for a token, since the run began
    char sent[4096], text[2048];
    size_t sent_len;
    const char *rest;
    bool waited; // for this answer
    // the storage
    char key[32], previous[32];
    struct rekey_rotation_state state;
    bool has_state;
    char url[128], id[37];
    struct rekey_record record;
    enum rekey_key operation; // 0: none
    uint64_t begun;           // by a clock that cannot be set
    // what fails, and when
    int calls, fail_at; // the call that fails
    bool power;         // it fails for good: power is lost before the call has an effect
    bool after;         // or after it had
    bool lost;
    int hooks, hook_fails, hook_waits;
    int64_t skew;  // of the wall clock
    bool hook_saw; // the key that the hook saw last was the one in use
} world;

static struct rekey client;
static struct rekey_options options;
static struct rekey_rotation rotation;
static struct rekey_rotation_options rules;
static uint32_t given_ms; // --timeout

// A function of the port, the options or the storage is called. The call with the number `at`
// aborts the run, or calls a function that it must not call.
static struct {
    long at, calls;
    bool aborts, acted, pauses;
    int busy[3];    // the results of these calls
    int sent_after; // calls of open and write in the step in which it was aborted
} meddler;

static void meddle(void) {
    if (meddler.pauses || ++meddler.calls != meddler.at) {
        return;
    }
    meddler.acted = true;
    if (meddler.aborts) {
        rekey_rotation_abort(&rotation);
        rekey_rotation_abort(&rotation); // twice is as good as once
        return;
    }
    meddler.busy[0] = rekey_rotation_step(&rotation);
    meddler.busy[1] = rekey_rotate(&rotation, &endpoint);
    meddler.busy[2] = rekey_rotation_run(&rotation);
}

static uint64_t clock_ms(void *ctx) {
    meddle();
    return fake_now(ctx);
}

static int64_t clock_s(void *ctx) {
    meddle();
    return fake_wall(ctx);
}

static int entropy(void *ctx, void *buf, size_t len) {
    meddle();
    return fake_entropy(ctx, buf, len);
}

static void close_stream(void *ctx) {
    meddle();
    fake_close(ctx);
}

// ---- what must hold -----------------------------------------------------------------------------

static bool takes(const char *key) {
    return strcmp(key, world.keys[0]) == 0 || strcmp(key, world.keys[1]) == 0;
}

static void invariant(void) {
    check(world.key[0] == '\0' || takes(world.key));
}

// ---- the service --------------------------------------------------------------------------------

static void execute(int slot) {
    check(strcmp(world.key, world.keys[slot - 1]) != 0); // the slot in use is never regenerated
    memcpy(world.stale, world.keys, sizeof(world.keys));
    snprintf(world.keys[slot - 1], sizeof(world.keys[0]), "key-%d-%d", slot, ++world.made);
    world.fresh_at = fake.now + world.stale_ms;
    world.taken_at = fake.now + world.taken_at;
    invariant();
}

static void pass(uint64_t ms) {
    fake.now += ms;
    fake.wall = 1764000000 + (int64_t)(fake.now / 1000) + world.skew;
    if (world.late_slot != 0 && fake.now >= world.late_at) {
        execute(world.late_slot);
        world.late_slot = 0;
    }
}

static void answer_regenerate(void) {
    char body[256];
    int slot = strstr(world.sent, "\"Primary\"") != NULL ? 1 : 2;

    world.posts++;
    switch (world.answer) {
    case SAYS_403:
        snprintf(body, sizeof(body), "{\"error\":{\"message\":\"not %s, not %s\"}}", world.keys[0],
                 world.keys[1]);
        snprintf(world.text, sizeof(world.text), "HTTP/1.1 403 No\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
        return;
    case SAYS_429:
        strcpy(world.text, "HTTP/1.1 429 Later\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n");
        return;
    case SAYS_NOTHING:
        world.text[0] = '\0';
        if (world.late_ms != 0) {
            world.late_slot = slot;
            world.late_at = fake.now + world.late_ms;
        } else if (!world.loses_it) {
            execute(slot);
        }
        return;
    case SAYS_200:
        execute(slot);
        strcpy(world.text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        return;
    default: // SAYS_202, FAILS_LATER
        if (world.answer == SAYS_202) {
            execute(slot);
        }
        strcpy(world.text, "HTTP/1.1 202 Accepted\r\nLocation: https://" HOST "/operation\r\n"
                           "Retry-After: 1\r\nContent-Length: 0\r\n\r\n");
    }
}

static void answer_list(void) {
    const char(*keys)[32] =
        (const char(*)[32])(fake.now < world.fresh_at ? world.stale : world.keys);

    world.lists++;
    if (world.list_failures > 0) {
        world.list_failures--;
        snprintf(world.text, sizeof(world.text), "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n",
                 world.list_status);
    } else if (world.list_body != NULL) {
        snprintf(world.text, sizeof(world.text), DONE_STATUS "%s", world.list_body);
    } else {
        snprintf(world.text, sizeof(world.text),
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n"
                 "{\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}",
                 35 + strlen(keys[0]) + strlen(keys[1]), keys[0], keys[1]);
    }
}

static void answer_get(void) {
    if (world.scores) {
        const char *key = strstr(world.sent, "Authorization: Bearer ") + 22;
        int slot = strncmp(key, "key-1-", 6) == 0 ? 0 : 1;
        bool good = strncmp(key, world.keys[slot], strlen(world.keys[slot])) == 0;

        world.probes++;
        check(strncmp(world.sent, "GET /score?x=1 ", 15) == 0 ||
              strncmp(world.sent, "GET / ", 6) == 0);
        snprintf(world.text, world.score_status == 0 ? 1 : sizeof(world.text),
                 "HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}",
                 good && fake.now >= world.taken_at ? world.score_status : 401);
    } else if (strncmp(world.sent, "GET /operation ", 15) == 0) {
        world.polls++;
        snprintf(world.text, sizeof(world.text),
                 world.answer == FAILS_LATER
                     ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"status\":\"Failed\"}"
                     : "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n",
                 world.poll_status);
    } else {
        world.shows++;
        check(strstr(world.sent, "/onlineEndpoints/ep?api-version=2025-09-01 HTTP/1.1") != NULL);
        check(strstr(world.sent, "Content-") == NULL);
        snprintf(world.text, sizeof(world.text),
                 DONE_STATUS "{\"properties\":{\"authMode\":\"Key\",\"scoringUri\":\"%s\"}}",
                 world.scoring);
    }
}

static int fake_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    meddler.sent_after += meddler.acted;
    meddle();
    check(port == 443 && timeout_ms > 0);
    check(!fake.open); // a transport that is open would not connect to this host
    world.scores = rekey_span_equal(host, REKEY_SPAN("scores.example"));
    check(world.scores || rekey_span_equal(host, REKEY_SPAN(HOST)));
    world.opens++;
    fake.open = true;
    world.sent_len = 0;
    world.rest = NULL;
    return REKEY_DONE;
}

static int fake_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    meddler.sent_after += meddler.acted;
    meddle();
    if (world.rest != NULL) { // the next request on this connection
        world.sent_len = 0;
        world.rest = NULL;
    }
    check(world.sent_len + len < sizeof(world.sent));
    world.waited = false;
    *done = len;
    return fake_send(world.sent, &world.sent_len, data, len);
}

static int fake_read(void *ctx, void *buf, size_t cap, size_t *done) {
    size_t len;

    (void)ctx;
    meddle();
    if (!world.waited) {
        world.waited = true;
        return REKEY_WANT_READ;
    }
    if (world.scores && world.score_hangs) {
        return REKEY_WANT_READ;
    }
    if (world.rest == NULL && world.sent_len > 0) {
        if (strncmp(world.sent, "GET ", 4) == 0) {
            answer_get();
        } else if (strstr(world.sent, "/listKeys?") != NULL) {
            answer_list();
        } else {
            answer_regenerate();
        }
        world.rest = world.text;
        world.sent_len = 0;
    }
    if (world.rest == NULL) {
        return REKEY_WANT_READ;
    }
    len = strlen(world.rest);
    if (len == 0) {
        return strstr(world.text, "Content-Length") != NULL ? REKEY_WANT_READ : REKEY_END;
    }
    return fake_give(&world.rest, len, buf, cap, done);
}

static int fake_token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    (void)cap;
    meddle();
    world.tokens++;
    memcpy(buf, "token", 5);
    *len = 5;
    return REKEY_DONE;
}

static void wait_ms(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    meddle();
    pass(want == REKEY_WANT_READ ? 1 : ms);
}

static const struct rekey_port port = {
    .tls = {.open = fake_open, .write = fake_write, .read = fake_read, .close = close_stream},
    .now_ms = clock_ms,
    .wall_s = clock_s,
    .entropy = entropy,
    .wait = wait_ms,
};

// ---- the storage --------------------------------------------------------------------------------

// Counts a call of the storage. Returns whether the call has an effect, and stores its result in
// *result.
static bool call(int *result) {
    bool here = ++world.calls == world.fail_at;

    meddle();
    *result = REKEY_DONE;
    if (world.lost) { // the rest of this step
        return false;
    }
    if (!here) {
        return true;
    }
    if (world.power) {
        world.lost = true;
        return world.after;
    }
    *result = REKEY_E_STORE;
    return false;
}

static int load_key(void *ctx, bool previous, char *key, size_t cap, size_t *len) {
    int result;

    (void)ctx;
    if (call(&result)) {
        const char *which = previous ? world.previous : world.key;

        *len = strlen(which);
        check(*len <= cap);
        memcpy(key, which, *len);
    }
    return result;
}

static int save_key(void *ctx, struct rekey_span key) {
    int result;

    (void)ctx;
    if (call(&result)) {
        strcpy(world.previous, world.key);
        memcpy(world.key, key.ptr, key.len);
        world.key[key.len] = '\0';
        invariant();
    }
    return result;
}

static int restore_key(void *ctx) {
    char key[32];
    int result;

    (void)ctx;
    if (call(&result)) {
        strcpy(key, world.key);
        strcpy(world.key, world.previous);
        strcpy(world.previous, key);
    }
    return result;
}

static int load_state(void *ctx, struct rekey_rotation_state *state) {
    int result;

    (void)ctx;
    if (call(&result) && world.has_state) {
        *state = world.state;
    }
    return result;
}

static int save_state(void *ctx, const struct rekey_rotation_state *state) {
    int result;

    (void)ctx;
    if (call(&result)) {
        world.state = *state;
        world.has_state = true;
    }
    return result;
}

static int load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms) {
    int result;

    (void)ctx;
    if (call(&result) && world.operation != 0) {
        *record = world.record;
        *slot = world.operation;
        *age_ms = fake.now > world.begun ? fake.now - world.begun : 0;
    }
    return result;
}

static int save_operation(void *ctx, const struct rekey_record *record, enum rekey_key slot) {
    int result;

    (void)ctx;
    if (call(&result)) {
        memcpy(world.url, record->url.ptr, record->url.len);
        memcpy(world.id, record->request_id.ptr, record->request_id.len);
        world.record = *record;
        world.record.url.ptr = world.url;
        world.record.request_id.ptr = world.id;
        world.begun = record->kind == REKEY_POLL_NONE ? fake.now : world.begun;
        world.operation = slot;
    }
    return result;
}

static int remove_operation(void *ctx) {
    int result;

    (void)ctx;
    if (call(&result)) {
        world.operation = (enum rekey_key)0;
    }
    return result;
}

static int hook(void *ctx) {
    (void)ctx;
    meddle();
    if (world.hook_waits > 0) {
        world.hook_waits--;
        return REKEY_WANT_TIME;
    }
    world.hooks++;
    world.hook_saw = takes(world.key);
    check(all_zero(&rotation.keys, sizeof(rotation.keys)));
    check(!fake.open && all_zero(client.token, sizeof(client.token)));
    check(rotation.result == REKEY_ROTATION_NONE || // the hook of an earlier run
          all_zero(rotation.key, sizeof(rotation.key)));
    if (world.hook_fails > 0) {
        world.hook_fails--;
        return REKEY_E_HOOK;
    }
    return REKEY_DONE;
}

static int sums, sum_fails_at; // calls of `sum`; from the call with this number on, it fails

// Not SHA-256, which belongs to the port, but a sum that differs for these keys.
static void sum(void *ctx, struct rekey_span data, unsigned char out[32]) {
    (void)ctx;
    meddle();
    if (sum_fails_at != 0 && ++sums >= sum_fails_at) {
        memset(out, 0, 32);
        return;
    }
    memset(out, 1, 32);
    for (size_t i = 0; i < data.len; i++) {
        out[i % 31] = (unsigned char)(out[i % 31] * 31 + data.ptr[i]);
    }
}

static struct rekey_storage storage = {
    .load_key = load_key,
    .save_key = save_key,
    .restore_key = restore_key,
    .load_state = load_state,
    .save_state = save_state,
    .load_operation = load_operation,
    .save_operation = save_operation,
    .remove_operation = remove_operation,
    .hook = hook,
    .sha256 = sum,
};

// ---- runs ---------------------------------------------------------------------------------------

static void reset(void) {
    memset(&world, 0, sizeof(world));
    strcpy(world.keys[0], "key-1-0");
    strcpy(world.keys[1], "key-2-0");
    world.scoring = "https://scores.example/score?x=1";
    world.score_status = world.poll_status = 200;
    fake = (struct fake_port){.now = 1000};
    pass(0);
    rules = (struct rekey_rotation_options)REKEY_ROTATION_OPTIONS_INIT;
    storage.hook = hook;
    given_ms = REKEY_TIMEOUT_MS;
}

enum verb { ROTATE, SYNC, ROLLBACK };

static int begin(enum verb verb) {
    world.calls = world.opens = world.tokens = 0;
    fake.open = world.lost = false;
    world.rest = NULL;
    world.sent_len = 0;
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = fake_token;
    options.timeout_ms = given_ms;
    check_int(rekey_init(&client, &port, &options), 0);
    rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
    return verb == ROTATE ? rekey_rotate(&rotation, &endpoint)
           : verb == SYNC ? rekey_sync(&rotation, &endpoint, REKEY_KEY_SECONDARY)
                          : rekey_rollback(&rotation);
}

static bool waited[REKEY_ROTATION_OPERATION + 1]; // for each of enum rekey_rotation_wait

// The reported end of a wait is not earlier than the next list. If lists fail, an operation is
// watched for longer.
static void check_wait(void) {
    uint64_t until;
    enum rekey_rotation_wait wait = rekey_rotation_waits_for(&rotation, &until);

    waited[wait] = true;
    check(wait == REKEY_ROTATION_NO_WAIT || wait == REKEY_ROTATION_OPERATION ||
          until >= fake.now + rekey_rotation_wait_ms(&rotation));
    check(wait != REKEY_ROTATION_SETTLING || until == fake.now + rekey_rotation_wait_ms(&rotation));
}

// Makes a step, and moves the clock by the time that the caller may sleep.
static int step(void) {
    int result = rekey_rotation_step(&rotation);

    if (result == REKEY_WANT_TIME) {
        check_wait();
    }
    if (result > 0 && result != REKEY_AGAIN) {
        pass(result == REKEY_WANT_READ && !(world.scores && world.score_hangs)
                 ? 1
                 : rekey_rotation_wait_ms(&rotation) + 1);
    }
    return result;
}

// Runs until it ends, loses power, or has made `steps` steps. Returns the error.
static int run_for(enum verb verb, int steps) {
    int result = begin(verb);

    while (result >= 0 && !world.lost && steps-- > 0) {
        result = step();
        if (result == 0) {
            break;
        }
        check(result <= REKEY_AGAIN);
        check(fake.now < UINT64_C(8640000000));
    }
    if (steps < 0 || world.lost) {
        return REKEY_AGAIN;
    }
    check_int(rotation.error, result);
    check_int(rekey_rotation_step(&rotation), result); // sticky
    check_int(options.timeout_ms, given_ms);
    check(!fake.open);
    invariant();
    return result;
}

// Continues to the end.
static void finish(void) {
    while (step() > 0) {
    }
}

static int run(enum verb verb) {
    return run_for(verb, 1000000);
}

// Runs, and checks the end.
static void ends(enum verb verb, int error, enum rekey_outcome outcome) {
    check_int(run(verb), error);
    check_int(rotation.outcome, outcome);
}

// A gateway that has its first key, a day ago.
static void adopted(void) {
    reset();
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check(strcmp(world.key, world.keys[0]) == 0);
    check_int(world.hooks, 1);
    check(fake.now < 10000);
    pass(86400u * 1000);
    world.hooks = 0;
}

static void check_rotated(int slot) {
    check_int(rotation.error, 0);
    check_int(rotation.outcome, REKEY_SUCCEEDED);
    check_int(rotation.result, REKEY_ROTATION_ROTATED);
    check(strcmp(world.key, world.keys[slot - 1]) == 0);
    check_int(world.state.slot, slot);
    check(!world.state.hook_pending && world.operation == 0 && world.hook_saw);
}

// Runs, and checks that the key of `slot` was activated.
static void rotates(int slot) {
    check_int(run(ROTATE), 0);
    check_rotated(slot);
}

// The key of `slot` was already activated, and the run finishes the rest.
static void check_finished(int slot) {
    check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
    rotation.result = REKEY_ROTATION_ROTATED;
    check_rotated(slot);
}

static void test_rotations(void **state) {
    (void)state;
    row("first, then in turn");
    adopted();
    for (int i = 1; i <= 6; i++) {
        row_n("first, then in turn", i);
        world.answer = i % 2 == 0 ? SAYS_202 : SAYS_200;
        rotates(i % 2 == 1 ? 2 : 1);
        check_int(world.posts, i);
        check_int(world.hooks, i);
        check(!rotation.found_operation && !rotation.by_comparison && !rotation.foreign);
        check_int(run(ROTATE), 0);
        check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
        check_int(world.posts, i);
        pass(86400u * 1000);
    }
    row("the settling takes a minute");
    {
        uint64_t before = fake.now;

        run(ROTATE);
        check(fake.now - before >= 60000 && fake.now - before < 62000);
    }
    row("no hook");
    adopted();
    storage.hook = NULL;
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_ROTATED);
    row("a hook that takes its time");
    adopted();
    world.hook_waits = 3;
    rotates(2);
    row("lists that are old for five minutes");
    adopted();
    world.stale_ms = 300000;
    rotates(2);
    row("the token is refused after the regeneration");
    adopted();
    world.list_status = 401;
    begin(ROTATE);
    while (world.posts == 0) {
        rekey_rotation_step(&rotation);
    }
    world.list_failures = 9;
    finish();
    check_int(rotation.error, REKEY_E_UNAUTHORIZED);
    check_int(rotation.outcome, REKEY_UNKNOWN);
    check_int(world.list_failures, 8);
    world.list_failures = 0;
    rotates(2);
    row("lists that fail for a while after the regeneration");
    adopted();
    world.list_status = 403;
    begin(ROTATE);
    while (world.posts == 0) {
        rekey_rotation_step(&rotation);
    }
    world.list_failures = 7;
    finish();
    check_rotated(2);
    check(!rotation.by_comparison);
    row("the clock was put back");
    adopted();
    world.state.switched = fake.wall + 1000000;
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
    check_int(world.state.switched, fake.wall);
    row("a key that was put there by hand, and is listed");
    reset();
    strcpy(world.key, world.keys[1]);
    rotates(1);
    rows_done();
}

// The first list uses one connection, and the POST a new one. The polls and the next lists use the
// connection of the POST, unless they come too late for it.
static void test_connections(void **state) {
    static const struct {
        const char *name;
        uint32_t settle_ms;
        int opens, posts;
    } rows[] = {
        {"settled at once", 0, 2, 1},
        {"settled while the connection is kept", REKEY_IDLE_MAX_MS - 1000, 2, 1},
        {"settled later", 60000, 3, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        adopted();
        check_int(world.opens, 1);
        rules.settle_ms = rows[i].settle_ms;
        world.answer = SAYS_202;
        rotates(2);
        check_int(world.opens, rows[i].opens);
        check_int(world.posts, rows[i].posts);
        check_int(world.tokens, 1);
        check(!options.hold);
    }
    row("the scoring URI has one of its own");
    adopted();
    rules.probe = true;
    rotates(2);
    check_int(world.opens, 3);
    check(!options.hold);
    row("not due");
    check_int(run(ROTATE), 0);
    check_int(world.opens, 1);
    rows_done();
}

static void test_refusals(void **state) {
    static const struct {
        const char *name, *body;
        int status, error;
        enum rekey_outcome outcome;
    } rows[] = {
        {"no right", NULL, 403, REKEY_E_REFUSED, REKEY_REFUSED},
        {"throttled for ever", NULL, 429, REKEY_E_NOT_PROCESSED, REKEY_NOT_REACHED},
        {"a null key", "{\"primaryKey\":null,\"secondaryKey\":\"x\"}", 0, REKEY_E_KEYS_NULL,
         REKEY_REFUSED},
        {"the other null key", "{\"primaryKey\":\"x\",\"secondaryKey\":null}", 0, REKEY_E_KEYS_NULL,
         REKEY_REFUSED},
        {"equal keys", "{\"primaryKey\":\"x\",\"secondaryKey\":\"x\"}", 0, REKEY_E_KEYS_EQUAL,
         REKEY_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        adopted();
        world.list_body = rows[i].body;
        world.list_status = rows[i].status;
        world.list_failures = rows[i].status != 0 ? 100 : 0;
        ends(ROTATE, rows[i].error, rows[i].outcome);
        check_int(world.posts, 0);
    }
    row("a refusal that repeats both keys");
    {
        struct rekey_report report;

        adopted();
        world.answer = SAYS_403;
        ends(ROTATE, REKEY_E_REFUSED, REKEY_REFUSED);
        rekey_report(&client, &report);
        check_span(rekey_span(report.service->message.text, report.service->message.len),
                   REKEY_SPAN("not *******, not *******"));
    }
    row("the regeneration is refused");
    adopted();
    world.answer = SAYS_403;
    ends(ROTATE, REKEY_E_REFUSED, REKEY_REFUSED);
    check_int(world.operation, 0);
    row("throttled until the deadline");
    adopted();
    world.answer = SAYS_429;
    ends(ROTATE, REKEY_E_DEADLINE, REKEY_NOT_REACHED);
    check_int(world.operation, 0);
    row("the operation fails");
    adopted();
    world.answer = FAILS_LATER;
    ends(ROTATE, REKEY_E_FAILED, REKEY_FAILED);
    check_int(world.operation, 0);
    row("a bad endpoint");
    {
        const struct rekey_endpoint bad = {.subscription = {"/", 1}};

        adopted();
        begin(ROTATE);
        check_int(rekey_rotate(&rotation, &bad), REKEY_E_BUSY);
        rekey_rotation_abort(&rotation);
        check_int(rekey_rotate(&rotation, &bad), 0);
        while (rekey_rotation_step(&rotation) > 0) {
        }
        check_int(rotation.error, REKEY_E_SUBSCRIPTION);
        check_int(rotation.outcome, REKEY_USAGE);
    }
    row("no time");
    adopted();
    begin(ROTATE);
    pass(REKEY_TIMEOUT_MS);
    while (rekey_rotation_step(&rotation) > 0) {
    }
    check_int(rotation.error, REKEY_E_DEADLINE);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    row("no time after the list");
    adopted();
    begin(ROTATE);
    while (world.lists == 1) {
        check(rekey_rotation_step(&rotation) > 0);
    }
    pass(REKEY_TIMEOUT_MS - 1);
    while (rekey_rotation_step(&rotation) > 0) {
        pass(1);
    }
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    check_int(world.posts, 0);
    rows_done();
}

// Somebody else, or a storage that was changed by hand.
static void test_foreign(void **state) {
    (void)state;
    row("the other key was changed");
    adopted();
    strcpy(world.keys[1], "key-2-by-hand");
    ends(ROTATE, REKEY_E_KEY_FOREIGN, REKEY_REFUSED);
    check(rotation.foreign && world.posts == 0);
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
    pass(86400u * 1000);
    rotates(2);
    row("a key that the service does not list");
    adopted();
    strcpy(world.key, "");
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check(!rotation.foreign);
    row("our own slot was changed: a minute later the other key, which is as it was");
    adopted();
    {
        uint64_t before = fake.now;
        int lists = world.lists;

        strcpy(world.keys[0], "key-1-by-hand");
        world.key[0] = '\0'; // the invariant cannot hold if somebody else changes keys
        begin(ROTATE);
        strcpy(rotation.key, "key-1-0");
        rotation.key_len = 7;
        finish();
        check_int(rotation.error, 0);
        check_int(rotation.result, REKEY_ROTATION_ADOPTED);
        check(rotation.foreign);
        check_int(world.lists - lists, 12);
        check(fake.now - before >= 50000 && fake.now - before < 70000);
        check(strcmp(world.key, "key-2-0") == 0);
    }
    row("both were changed: the primary one");
    adopted();
    strcpy(world.keys[0], "key-1-by-hand");
    strcpy(world.keys[1], "key-2-by-hand");
    world.key[0] = '\0';
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check(strcmp(world.key, "key-1-by-hand") == 0);
    row("the key file was lost: its slot is known");
    adopted();
    rotates(2);
    world.key[0] = '\0';
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check(strcmp(world.key, world.keys[1]) == 0);
    row("lists that never agree: no key is replaced");
    adopted();
    begin(ROTATE);
    strcpy(rotation.key, "key-1-x");
    rotation.key_len = 7;
    for (int i = 0; step() > 0; i++) {
        snprintf(world.keys[0], sizeof(world.keys[0]), "key-1-%d", i + 1);
        snprintf(world.keys[1], sizeof(world.keys[1]), "key-2-%d", i + 1);
    }
    check_int(rotation.error, REKEY_E_DEADLINE);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    check(strcmp(world.key, "key-1-0") == 0);
    strcpy(world.keys[0], world.key);
    row("the other key was put there by hand: a rotation is due a day later");
    adopted();
    rotates(2);
    pass(86400u * 1000);
    strcpy(world.key, world.keys[0]);
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
    check_int(world.state.slot, REKEY_KEY_PRIMARY);
    pass(86400u * 1000);
    rotates(2);
    row("or for half of a short run");
    adopted();
    {
        uint64_t before = fake.now;

        world.keys[0][6] = 'x';
        given_ms = 20000;
        begin(ROTATE);
        world.key[0] = '\0';
        finish();
        check_int(rotation.result, REKEY_ROTATION_ADOPTED);
        check(fake.now - before < 10000);
    }
    for (uint32_t ms = 60000; ms <= 150000; ms += 90000) {
        uint64_t before = fake.now, taken = ms == 60000 ? 25000 : 55000;

        row_n("for half of the timeout, and a minute at most", (long)ms);
        adopted();
        before = fake.now;
        world.keys[0][6] = 'x';
        given_ms = ms;
        begin(ROTATE);
        world.key[0] = '\0';
        finish();
        check_int(rotation.result, REKEY_ROTATION_ADOPTED);
        check(fake.now - before >= taken && fake.now - before < taken + 1000);
    }
    row("one list is never enough, however little time is left");
    adopted();
    world.keys[0][6] = 'x';
    given_ms = 4000;
    begin(ROTATE);
    world.key[0] = '\0';
    world.lists = 0;
    finish();
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check_int(world.lists, 2);
    row("the minute begins with the first list that is in doubt");
    adopted();
    rotates(2);
    pass(86400u * 1000);
    world.state.hook_pending = true;
    world.hook_waits = 900;
    memcpy(world.stale[0], "key-1-0", 8);
    memcpy(world.stale[1], "key-2-0", 8);
    world.fresh_at = fake.now + 130000;
    rotates(1);
    row("lists that are old for longer: a key that is taken");
    adopted();
    rotates(2);
    memcpy(world.stale[0], "key-1-0", 8);
    memcpy(world.stale[1], "key-2-0", 8);
    world.fresh_at = fake.now + 90000;
    check_int(run(ROTATE), 0);
    check(rotation.foreign && strcmp(world.key, "key-1-0") == 0);
    row("an old list is soon seen to be one");
    adopted();
    check_int(run(ROTATE), 0);
    pass(86400u * 1000);
    memcpy(world.stale[0], "key-1-0", 8);
    memcpy(world.stale[1], "key-2-0", 8); // which does not exist any more
    world.fresh_at = fake.now + 20000;
    rotates(1);
    rows_done();
}

static void test_unknown(void **state) {
    (void)state;
    row("executed, and no answer: seen by comparing");
    adopted();
    world.answer = SAYS_NOTHING;
    ends(ROTATE, REKEY_E_END, REKEY_UNKNOWN);
    check_int(world.operation, REKEY_KEY_SECONDARY);
    check(strcmp(world.key, world.keys[0]) == 0);
    rotates(2);
    check(rotation.found_operation && rotation.by_comparison && world.posts == 1);
    row("not executed: given up at its deadline, then begun anew");
    adopted();
    world.answer = SAYS_NOTHING;
    world.loses_it = true;
    check_int(run(ROTATE), REKEY_E_END);
    world.answer = SAYS_200;
    {
        uint64_t before = fake.now;

        check_int(run(ROTATE), 0);
        check(fake.now - before > REKEY_TIMEOUT_MS - 10000);
    }
    check_rotated(2);
    check(rotation.found_operation && !rotation.by_comparison && world.posts == 2);
    row("executed, and the state was lost: that proves nothing");
    adopted();
    world.answer = SAYS_NOTHING;
    check_int(run(ROTATE), REKEY_E_END);
    world.has_state = false;
    world.answer = SAYS_200;
    check_int(run(ROTATE), 0);
    check(!rotation.by_comparison && world.posts == 2 && strcmp(world.key, world.keys[1]) == 0);
    row("executed late");
    adopted();
    world.answer = SAYS_NOTHING;
    world.late_ms = 600000;
    check_int(run(ROTATE), REKEY_E_END);
    rotates(2);
    check(rotation.by_comparison && world.posts == 1 && world.lists > 50);
    row("not executed, and looked for ten minutes later: given up when it would have been");
    adopted();
    world.answer = SAYS_NOTHING;
    world.loses_it = true;
    check_int(run(ROTATE), REKEY_E_END);
    world.answer = SAYS_200;
    pass(600000);
    {
        uint64_t before = fake.now;

        rotates(2);
        check(fake.now - before > REKEY_TIMEOUT_MS - 600000 &&
              fake.now - before < REKEY_TIMEOUT_MS - 600000 + 130000);
    }
    row("executed late, and the wall clock was set");
    for (int i = 0; i < 3; i++) {
        adopted();
        world.answer = SAYS_NOTHING;
        world.late_ms = 600000;
        check_int(run(ROTATE), REKEY_E_END);
        world.skew = i == 0 ? 7200 : i == 1 ? -7200 : 86400 * 365;
        rotates(2);
        check(rotation.by_comparison && world.posts == 1);
    }
    row("executed at the last moment, and lists are old ones for almost a minute");
    adopted();
    world.answer = SAYS_NOTHING;
    world.late_ms = REKEY_TIMEOUT_MS - 3000;
    world.stale_ms = 55000;
    check_int(run(ROTATE), REKEY_E_END);
    rotates(2);
    check(rotation.by_comparison && world.posts == 1);
    row("a list that is older than what was noted");
    adopted();
    world.answer = SAYS_NOTHING;
    check_int(run(ROTATE), REKEY_E_END);
    strcpy(world.stale[1], "key-2-older");
    world.fresh_at = fake.now + 50000;
    rotates(2);
    row("a list after the settling that is an old one");
    adopted();
    begin(ROTATE);
    while (!rotation.settled) {
        check(step() > 0);
    }
    world.fresh_at = fake.now + 90000;
    finish();
    check_rotated(2);
    row("its deadline has passed long ago: one look");
    adopted();
    world.answer = SAYS_NOTHING;
    world.loses_it = true;
    check_int(run(ROTATE), REKEY_E_END);
    world.answer = SAYS_200;
    pass(7200000);
    rotates(2);
    row("how old it is, is not known");
    adopted();
    world.answer = SAYS_NOTHING;
    check_int(run(ROTATE), REKEY_E_END);
    world.begun = UINT64_MAX; // of a boot that nobody knows: its age is 0
    rotates(2);
    row("and it was not executed");
    adopted();
    world.answer = SAYS_NOTHING;
    world.loses_it = true;
    check_int(run(ROTATE), REKEY_E_END);
    world.begun = UINT64_MAX; // of a boot that nobody knows: its age is 0
    world.answer = SAYS_200;
    {
        uint64_t before = fake.now;

        rotates(2);
        check(fake.now - before > REKEY_TIMEOUT_MS && fake.now - before < 2 * REKEY_TIMEOUT_MS);
    }
    row("lists fail while it compares");
    adopted();
    world.answer = SAYS_NOTHING;
    check_int(run(ROTATE), REKEY_E_END);
    world.list_status = 404;
    world.list_failures = 10;
    rotates(2);
    check(rotation.by_comparison);
    row("and go on failing");
    adopted();
    world.answer = SAYS_NOTHING;
    check_int(run(ROTATE), REKEY_E_END);
    world.list_failures = 100000;
    world.list_status = 404;
    ends(ROTATE, REKEY_E_REFUSED, REKEY_UNKNOWN);
    row("no time to look");
    adopted();
    world.stale_ms = 20000;
    begin(ROTATE);
    while (rekey_rotation_step(&rotation) != REKEY_WANT_TIME) {
    }
    pass(REKEY_TIMEOUT_MS);
    check_int(rekey_rotation_wait_ms(&rotation), 0);
    finish();
    check_int(rotation.error, REKEY_E_DEADLINE);
    check_int(rotation.outcome, REKEY_UNKNOWN);
    row("a record without an id");
    adopted();
    world.answer = SAYS_202;
    world.poll_status = 401;
    run(ROTATE);
    world.record.request_id.len = 1;
    rotates(2);
    row("listed as before until the deadline");
    adopted();
    world.stale_ms = 2 * REKEY_TIMEOUT_MS;
    ends(ROTATE, REKEY_E_KEY_UNCHANGED, REKEY_UNKNOWN);
    check(strcmp(world.key, world.keys[0]) == 0);
    pass(3 * REKEY_TIMEOUT_MS);
    rotates(2);
    check_int(world.posts, 1);
    rows_done();
}

// An operation that a run has left unfinished.
static void test_resumed(void **state) {
    (void)state;
    for (int late = 0; late < 2; late++) {
        row_n("stopped while it polls", late);
        adopted();
        world.answer = SAYS_202;
        begin(ROTATE);
        while (world.record.kind == REKEY_POLL_NONE) {
            rekey_rotation_step(&rotation);
        }
        rekey_rotation_abort(&rotation);
        check_int(rotation.outcome, REKEY_RUNNING);
        check_int(rotation.error, REKEY_E_ABORTED);
        check_int(world.operation, REKEY_KEY_SECONDARY);
        rekey_rotation_abort(&rotation); // nothing happens
        pass(late != 0 ? 7200000 : 0);
        rotates(2);
        check(rotation.found_operation && rotation.by_comparison == (late != 0));
        check_int(world.polls, late != 0 ? 0 : 1);
    }
    row("not known any more");
    adopted();
    world.answer = SAYS_202;
    world.poll_status = 404;
    ends(ROTATE, REKEY_E_POLL_NOT_FOUND, REKEY_UNKNOWN);
    rotates(2);
    check(rotation.by_comparison);
    row("running until the deadline");
    adopted();
    world.answer = SAYS_202;
    world.poll_status = 202;
    ends(ROTATE, REKEY_E_DEADLINE, REKEY_RUNNING);
    rotates(2);
    row("the token is refused while it is resumed");
    adopted();
    world.answer = SAYS_202;
    world.poll_status = 401;
    ends(ROTATE, REKEY_E_UNAUTHORIZED, REKEY_RUNNING);
    ends(ROTATE, REKEY_E_UNAUTHORIZED, REKEY_RUNNING);
    row("it has failed: begun anew");
    adopted();
    world.answer = SAYS_202;
    world.poll_status = 401;
    run(ROTATE);
    memcpy(world.keys[1], "key-2-0", 8); // the operation was not executed
    world.answer = FAILS_LATER;
    check_int(run(ROTATE), REKEY_E_FAILED);
    check_int(world.posts, 2);
    row("a record that leads elsewhere");
    adopted();
    world.answer = SAYS_202;
    world.poll_status = 401;
    run(ROTATE);
    strcpy(world.url, "https://elsewhere/");
    world.record.url.len = strlen(world.url);
    rotates(2);
    rows_done();
}

static void test_stopped(void **state) {
    static const struct {
        const char *name;
        int posts, steps_after;
        enum rekey_outcome outcome;
    } rows[] = {
        {"before anything", 0, 0, REKEY_NOT_REACHED},
        {"while it lists", 0, 4, REKEY_NOT_REACHED},
        {"while it settles", 1, 1000, REKEY_RUNNING},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        adopted();
        begin(ROTATE);
        while (world.posts < rows[i].posts) {
            rekey_rotation_step(&rotation);
        }
        for (int n = 0; n < rows[i].steps_after; n++) {
            rekey_rotation_step(&rotation);
        }
        rekey_rotation_abort(&rotation);
        check_int(rotation.outcome, rows[i].outcome);
        check_int(rotation.error, REKEY_E_ABORTED);
        rotates(2);
    }
    row("while it doubts a list");
    adopted();
    world.keys[0][6] = 'x';
    begin(ROTATE);
    while (rotation.stale_until == 0) {
        step();
    }
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    world.keys[0][6] = '0';
    row("while it compares");
    adopted();
    world.answer = SAYS_NOTHING;
    world.loses_it = true;
    run(ROTATE);
    begin(ROTATE);
    while (world.lists < 10) {
        step();
    }
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_UNKNOWN);
    check_int(world.operation, REKEY_KEY_SECONDARY);
    row("before it has looked at what is left: nothing");
    adopted();
    rotates(2);
    begin(ROTATE);
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    row("before it has looked at what is left: an intent");
    adopted();
    world.answer = SAYS_NOTHING;
    run(ROTATE);
    begin(ROTATE);
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_UNKNOWN);
    row("before it has looked at what is left: an operation");
    adopted();
    world.answer = SAYS_202;
    world.poll_status = 401;
    run(ROTATE);
    begin(ROTATE);
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_RUNNING);
    world.poll_status = 200;
    row("before it has looked at what is left: the operation's hook");
    adopted();
    world.hook_fails = 1;
    run(ROTATE);
    begin(ROTATE);
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    row("before it has looked at what is left: a storage that fails");
    adopted();
    begin(ROTATE);
    world.fail_at = world.calls + 1;
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    world.fail_at = 0;
    row("before it has looked at what is left: a sync");
    begin(SYNC);
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    row("while the request goes out");
    adopted();
    begin(ROTATE);
    while (world.operation == 0) {
        rekey_rotation_step(&rotation);
    }
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    check_int(world.operation, 0);
    row("while the hook runs");
    adopted();
    world.hook_waits = 1000000;
    begin(ROTATE);
    while (strcmp(world.key, "key-1-0") == 0 || world.hook_waits == 1000000) {
        if (rekey_rotation_step(&rotation) != REKEY_AGAIN) {
            pass(rekey_rotation_wait_ms(&rotation));
        }
    }
    check_int(rekey_rotation_wait_ms(&rotation), 100);
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_LOCAL);
    begin(ROTATE);
    rekey_rotation_step(&rotation);
    rekey_rotation_step(&rotation);
    check_int(rekey_rotation_wait_ms(&rotation), 100);
    rekey_rotation_abort(&rotation); // the first hook
    check_int(rotation.outcome, REKEY_LOCAL);
    world.hook_waits = 0;
    check_int(run(ROTATE), 0);
    check_finished(2);
    rows_done();
}

static void test_hooks(void **state) {
    (void)state;
    row("it fails, and fails, and succeeds");
    adopted();
    world.hook_fails = 2;
    ends(ROTATE, REKEY_E_HOOK, REKEY_LOCAL);
    check_int(rotation.result, REKEY_ROTATION_ROTATED); // the key is in use
    check_int(world.hooks, 1);
    check(strcmp(world.key, world.keys[1]) == 0);
    check_int(run(ROTATE), REKEY_E_HOOK); // no new rotation before
    check_int(world.posts, 1);
    {
        uint64_t before = fake.now;

        check_int(run(ROTATE), 0);
        check_finished(2);
        check(fake.now - before < 10000);
    }
    check_int(world.posts, 1);
    check_int(world.hooks, 3);
    row("it fails for a day, then succeeds: the next rotation is due");
    pass(86400u * 1000);
    world.hook_fails = 2;
    check_int(run(ROTATE), REKEY_E_HOOK);
    pass(86400u * 1000);
    check_int(run(ROTATE), REKEY_E_HOOK);
    check_int(world.posts, 2);
    rotates(2);
    check_int(world.posts, 3);
    pass(86400u * 1000);
    rotates(1);
    rows_done();
}

static void test_probe(void **state) {
    static const struct {
        int status;
        bool taken;
    } rows[] = {{200, true},  {299, true},  {400, true},  {405, true},  {424, true},
                {401, false}, {403, false}, {404, false}, {408, false}, {429, false},
                {500, false}, {302, false}, {300, false}, {0, false}};
    struct rekey_rotation_report report;
    bool more = true;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_n("the scoring URI says", rows[i].status);
        adopted();
        rules.probe = true;
        world.score_status = rows[i].status;
        ends(ROTATE,
             rows[i].taken         ? 0
             : rows[i].status == 0 ? REKEY_E_END
                                   : REKEY_E_KEY_REFUSED,
             rows[i].taken ? REKEY_SUCCEEDED : REKEY_RUNNING);
        if (rows[i].taken) {
            check_rotated(2);
            continue;
        }
        check(strcmp(world.key, world.keys[0]) == 0);
        world.score_status = 200;
        rotates(2);
    }
    row("it never answers");
    adopted();
    rules.probe = true;
    world.score_hangs = true;
    ends(ROTATE, REKEY_E_IDLE_TIMEOUT, REKEY_RUNNING);
    row("nor within a short timeout");
    adopted();
    rules.probe = true;
    world.score_hangs = true;
    given_ms = 50000;
    ends(ROTATE, REKEY_E_DEADLINE, REKEY_RUNNING);
    row("the device slept while it waited");
    adopted();
    rules.probe = true;
    world.score_status = 401;
    begin(ROTATE);
    while (world.probes < 2) {
        step();
    }
    while (fake.open) {
        step();
    }
    step();
    pass(REKEY_TIMEOUT_MS);
    finish();
    check_int(rotation.error, REKEY_E_KEY_REFUSED);
    row("after a while");
    adopted();
    rules.probe = true;
    world.taken_at = 100000;
    rotates(2);
    check(world.probes > 10);
    row("a URI without a path");
    adopted();
    rules.probe = true;
    world.scoring = "https://scores.example";
    rotates(2);
    row("no URI");
    adopted();
    rules.probe = true;
    world.scoring = "";
    ends(ROTATE, REKEY_E_SCORING_URI, REKEY_LOCAL);
    rekey_rotation_report(&rotation, &report);
    check_int(report.probed.len, 0);
    row("not https");
    world.scoring = "http://scores.example/";
    ends(ROTATE, REKEY_E_SCORING_URI, REKEY_LOCAL);
    rekey_rotation_report(&rotation, &report);
    check_span(report.probed, REKEY_SPAN("http://scores.example/"));
    check_int(world.probes, 0);
    check_int(world.posts, 1);
    check(strcmp(world.key, world.keys[0]) == 0);
    row("then without a probe");
    rules.probe = false;
    rotates(2);
    check_int(world.posts, 1);
    for (int at = 1; more; at++) {
        row_n("the storage fails at call", at);
        adopted();
        rules.probe = true;
        world.fail_at = at;
        run(ROTATE);
        more = world.calls >= at;
        check(!fake.open && client.token_len == 0);
        world.fail_at = 0;
        pass(7200000);
        check_int(run(ROTATE), 0);
    }
    row("stopped while it asks");
    adopted();
    rules.probe = true;
    begin(ROTATE);
    while (world.probes == 0) {
        rekey_rotation_step(&rotation);
    }
    rekey_rotation_abort(&rotation);
    check(client.options == &options);
    check_int(rotation.outcome, REKEY_RUNNING);
    row("not shown");
    adopted();
    rules.probe = true;
    begin(ROTATE);
    while (world.shows == 0) {
        rekey_rotation_step(&rotation);
    }
    pass(REKEY_TIMEOUT_MS);
    while (rekey_rotation_step(&rotation) > 0) {
    }
    check_int(rotation.outcome, REKEY_RUNNING);
    row("no time to show");
    adopted();
    rules.probe = true;
    rules.list_interval_ms = REKEY_TIMEOUT_MS - 2000;
    world.stale_ms = 10;
    check_int(run(ROTATE), 0);
    rows_done();
}

static void test_sync(void **state) {
    struct rekey_rotation_report report;

    (void)state;
    row("at first the slot that was named");
    reset();
    check_int(run(SYNC), 0);
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check(strcmp(world.key, world.keys[1]) == 0 && world.hooks == 1);
    row("nothing has changed");
    check_int(run(SYNC), 0);
    check_int(rotation.result, REKEY_ROTATION_UNCHANGED);
    check_int(world.hooks, 1);
    for (int slot = 1; slot <= 2; slot++) {
        row_n("one has changed", slot);
        reset();
        check_int(run(SYNC), 0);
        snprintf(world.keys[slot - 1], sizeof(world.keys[0]), "changed-%d", slot);
        world.key[0] = slot == 2 ? '\0' : world.key[0];
        check_int(run(SYNC), 0);
        check(fake.now >= 60000 && fake.now < 63000);
        check_int(rotation.result, REKEY_ROTATION_ROTATED);
        check(!rotation.foreign && strcmp(world.key, world.keys[slot - 1]) == 0);
        check_int(world.hooks, 2);
        rekey_rotation_report(&rotation, &report);
        check_int(report.in_use, slot);
        check_int(report.target, slot);
    }
    row("the list was an old one");
    reset();
    check_int(run(SYNC), 0);
    memcpy(world.stale[0], "key-1-0", 8);
    memcpy(world.stale[1], "key-2-x", 8);
    world.fresh_at = fake.now + 30000;
    check_int(run(SYNC), 0);
    check_int(rotation.result, REKEY_ROTATION_UNCHANGED);
    check(strcmp(world.key, "key-2-0") == 0 && world.hooks == 1);
    row("a settling that is longer than the timeout");
    strcpy(world.keys[0], "changed-1");
    given_ms = 30000;
    check_int(run(SYNC), 0);
    check_int(rotation.result, REKEY_ROTATION_ROTATED);
    row("stopped while it settles");
    strcpy(world.keys[1], "changed-2");
    begin(SYNC);
    while (!rotation.settled) {
        step();
    }
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_NOT_REACHED);
    check(strcmp(world.key, "changed-1") == 0);
    row("both have: a rotation was missed");
    reset();
    rules.settle_ms = 0;
    check_int(run(SYNC), 0);
    strcpy(world.keys[0], "changed-1");
    strcpy(world.keys[1], "changed-2");
    strcpy(world.key, "");
    world.lists = 0;
    check_int(run(SYNC), 0);
    check_int(world.lists, 2);
    check(rotation.foreign && strcmp(world.key, "changed-2") == 0);
    row("the key was changed here");
    strcpy(world.key, "");
    check_int(run(SYNC), 0);
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check(!rotation.foreign && strcmp(world.key, "changed-2") == 0);
    row("to one that the service does not list");
    begin(SYNC);
    strcpy(rotation.key, "by hand");
    rotation.key_len = 7;
    world.lists = 0;
    finish();
    check_int(rotation.result, REKEY_ROTATION_ADOPTED);
    check(rotation.foreign && strcmp(world.key, "changed-2") == 0);
    check(world.lists > 10);
    row("to the other slot's key, which is none of another rotator");
    for (int slot = 1; slot <= 2; slot++) {
        reset();
        check_int(run(SYNC), 0);
        if (slot == 2) {
            strcpy(world.keys[0], "changed-1");
        }
        check_int(run(SYNC), 0);
        check_int(world.state.slot, slot == 1 ? REKEY_KEY_SECONDARY : REKEY_KEY_PRIMARY);
        strcpy(world.key, world.keys[slot - 1]);
        check_int(run(SYNC), 0);
        check_int(rotation.result, REKEY_ROTATION_ADOPTED);
        check(!rotation.foreign && strcmp(world.key, world.keys[2 - slot]) == 0);
    }
    strcpy(world.keys[1], "changed-2");
    check_int(run(SYNC), 0);
    for (uint32_t settle_ms = 0; settle_ms <= 60000; settle_ms += 60000) {
        row_n("lists that never agree: nothing is put to use", (long)settle_ms);
        rules.settle_ms = settle_ms;
        begin(SYNC);
        world.lists = 0;
        for (int i = 0; step() > 0; i++) {
            snprintf(world.keys[0], sizeof(world.keys[0]), "key-1-%d", i);
        }
        check(world.lists > 20 && world.lists < (settle_ms == 0 ? 400 : 40));
        check_int(rotation.error, REKEY_E_KEY_UNCHANGED);
        check_int(rotation.outcome, REKEY_NOT_REACHED);
        check(strcmp(world.key, "changed-2") == 0);
    }
    row("equal keys");
    world.list_body = "{\"primaryKey\":\"x\",\"secondaryKey\":\"x\"}";
    check_int(run(SYNC), REKEY_E_KEYS_EQUAL);
    check_int(world.posts, 0);
    rows_done();
}

static void test_rollback(void **state) {
    struct rekey_rotation_state before;

    (void)state;
    row("back, and back again");
    adopted();
    check_int(run(ROTATE), 0);
    for (int i = 0; i < 2; i++) {
        check_int(run(ROLLBACK), 0);
        check_int(rotation.result, REKEY_ROTATION_RESTORED);
        check(strcmp(world.key, world.keys[i]) == 0);
        check_int(world.state.slot, i + 1);
    }
    check_int(world.hooks, 3);
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
    row("there is none");
    reset();
    ends(ROLLBACK, REKEY_E_NO_PREVIOUS, REKEY_USAGE);
    check(!world.has_state);
    adopted();
    before = world.state;
    ends(ROLLBACK, REKEY_E_NO_PREVIOUS, REKEY_USAGE);
    check(memcmp(&before, &world.state, sizeof(before)) == 0);
    row("it is the same");
    strcpy(world.previous, world.key);
    ends(ROLLBACK, REKEY_E_NO_PREVIOUS, REKEY_USAGE);
    check(memcmp(&before, &world.state, sizeof(before)) == 0);
    row("of a key that nobody noted");
    reset();
    strcpy(world.key, world.keys[0]);
    strcpy(world.previous, world.keys[1]);
    check_int(run(ROLLBACK), 0);
    check(!world.has_state && strcmp(world.key, world.keys[1]) == 0);
    check_int(world.hooks, 1);
    for (int at = 0, more = 1; more; at++) {
        row_n("the key file is lost, and then power at call", at);
        adopted();
        rotates(2);
        world.key[0] = '\0';
        world.fail_at = at;
        world.power = true;
        run(ROLLBACK);
        more = at == 0 || world.calls >= at;
        world.fail_at = 0;
        if (more && at != 0) {
            check_int(run(ROLLBACK), 0);
        }
        check_int(rotation.result, REKEY_ROTATION_RESTORED);
        check(strcmp(world.key, world.keys[0]) == 0);
        check_int(world.state.slot, REKEY_KEY_PRIMARY);
        check_int(rotation.slot, REKEY_KEY_PRIMARY);
    }
    row("nobody is told");
    adopted();
    check_int(run(ROTATE), 0);
    storage.hook = NULL;
    check_int(run(ROLLBACK), 0);
    check(strcmp(world.key, world.keys[0]) == 0 && !world.state.hook_pending);
    row("after a hook that failed: its rotation is over");
    adopted();
    world.hook_fails = 1;
    check_int(run(ROTATE), REKEY_E_HOOK);
    check_int(world.operation, REKEY_KEY_SECONDARY);
    check_int(run(ROLLBACK), 0);
    check(strcmp(world.key, world.keys[0]) == 0 && world.operation == 0);
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
    row("the same, and nobody is told: the hook stays pending");
    adopted();
    world.hook_fails = 1;
    check_int(run(ROTATE), REKEY_E_HOOK);
    storage.hook = NULL;
    check_int(run(ROLLBACK), 0);
    check(world.state.hook_pending);
    ends(ROTATE, REKEY_E_HOOK_PENDING, REKEY_LOCAL);
    check_int(world.posts, 1);
    storage.hook = hook;
    check_int(run(ROTATE), 0);
    check(!world.state.hook_pending && world.hook_saw);
    row("not while an operation is unfinished");
    adopted();
    check_int(run(ROTATE), 0);
    pass(86400u * 1000);
    world.answer = SAYS_NOTHING;
    world.late_ms = 600000;
    check_int(run(ROTATE), REKEY_E_END);
    ends(ROLLBACK, REKEY_E_UNFINISHED, REKEY_USAGE);
    check(strcmp(world.key, world.keys[1]) == 0 && world.operation == REKEY_KEY_PRIMARY);
    check(!world.state.hook_pending);
    for (int at = 1; at <= 8; at++) {
        row_n("after a hook that failed, the storage fails at call", at);
        adopted();
        world.hook_fails = 1;
        check_int(run(ROTATE), REKEY_E_HOOK);
        world.fail_at = at;
        ends(ROLLBACK, REKEY_E_STORE, REKEY_LOCAL);
        world.fail_at = 0;
    }
    row("after a hook that failed: of the primary key");
    adopted();
    rotates(2);
    pass(86400u * 1000);
    world.hook_fails = 1;
    check_int(run(ROTATE), REKEY_E_HOOK);
    check_int(begin(ROLLBACK), 0);
    finish();
    check(strcmp(world.key, world.keys[1]) == 0);
    row("after a regeneration that was refused");
    pass(86400u * 1000);
    world.answer = SAYS_403;
    check_int(run(ROTATE), REKEY_E_REFUSED);
    check_int(run(ROLLBACK), 0);
    check(strcmp(world.key, world.keys[0]) == 0);
    row("its hook fails: the next one runs that hook, and exchanges nothing");
    adopted();
    check_int(run(ROTATE), 0);
    world.hook_fails = 2;
    for (int i = 0; i < 3; i++) {
        check_int(run(ROLLBACK), i < 2 ? REKEY_E_HOOK : 0);
        check_int(rotation.result, REKEY_ROTATION_RESTORED);
        check(strcmp(world.key, world.keys[0]) == 0);
    }
    check_int(run(ROLLBACK), 0);
    check(strcmp(world.key, world.keys[1]) == 0); // which is back again
    row("its hook fails, and a rotation runs it");
    adopted();
    check_int(run(ROTATE), 0);
    world.hook_fails = 1;
    check_int(run(ROLLBACK), REKEY_E_HOOK);
    check_int(run(ROTATE), 0);
    check_int(rotation.result, REKEY_ROTATION_NOT_DUE);
    check(strcmp(world.key, world.keys[0]) == 0 && !world.state.rolled_back);
    rows_done();
}

// A rollback that is cut, or whose storage fails, at any call: the next run completes or undoes it,
// and the next rotation comes a day after it. One that is repeated completes it.
static void test_cuts_of_a_rollback(void **state) {
    static const struct {
        const char *name;
        bool power, after, told;
        enum verb next;
    } rows[] = {
        {"the storage fails, then a rotation, at call", false, false, true, ROTATE},
        {"power is lost before, then a rotation, at call", true, false, true, ROTATE},
        {"power is lost after, then a rotation, at call", true, true, true, ROTATE},
        {"the storage fails, then a rollback, at call", false, false, true, ROLLBACK},
        {"power is lost before, then a rollback, at call", true, false, true, ROLLBACK},
        {"power is lost after, then a rollback, at call", true, true, true, ROLLBACK},
        {"nobody is told; power is lost before, then a rollback, at call", true, false, false,
         ROLLBACK},
        {"nobody is told; power is lost after, then a rotation, at call", true, true, false,
         ROTATE},
        {"power is lost before, then a sync, at call", true, false, true, SYNC},
        {"power is lost after, then a sync, at call", true, true, true, SYNC},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool more = true;

        for (int at = 1; more; at++) {
            int posts, hooks;
            bool changed, completed, noted;

            row_n(rows[i].name, at);
            adopted();
            rotates(2);
            pass(86400u * 1000);
            posts = world.posts;
            hooks = world.hooks;
            storage.hook = rows[i].told ? hook : NULL;
            world.fail_at = at;
            world.power = rows[i].power;
            world.after = rows[i].after;
            check(run(ROLLBACK) <= 0 || world.lost);
            more = world.calls >= at;
            check(!more || world.lost || rotation.outcome == REKEY_LOCAL);
            world.fail_at = 0;
            noted = world.state.switched == fake.wall;
            changed = strcmp(world.key, world.keys[0]) == 0;
            check(changed || strcmp(world.key, world.keys[1]) == 0);
            completed = changed && !world.state.rolled_back;
            if (more) {
                check_int(run(rows[i].next), 0);
            }
            if (rows[i].next == ROLLBACK && more && completed) {
                check(strcmp(world.key, world.keys[1]) == 0); // it had nothing left to do
            } else if (rows[i].next == ROLLBACK || changed) {
                check(strcmp(world.key, world.keys[0]) == 0); // never turned round
            }
            changed = strcmp(world.key, world.keys[0]) == 0;
            check(!changed || !rows[i].told || (world.hooks > hooks && world.hook_saw));
            check(!world.state.hook_pending);
            // Due as before if the rollback was cut before it saved anything.
            check_int(world.posts, posts + (rows[i].next == ROTATE && !noted ? 1 : 0));
        }
        check_int(world.calls > 0, 1);
    }
    rows_done();
}

// A run that is stopped at any step ends with an outcome, and the next run finishes the work.
static void test_stopped_anywhere(void **state) {
    static const enum regenerate_answer answers[] = {SAYS_200, SAYS_202, SAYS_NOTHING, FAILS_LATER};

    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        for (int first = 0; first < 2; first++) {
            for (int steps = 0;; steps++) {
                int made;
                bool left, regenerated;

                row_nn("stopped after step", steps, (long)(i * 2) + first);
                adopted();
                world.answer = answers[i];
                world.poll_status = first != 0 ? 401 : 200;
                if (first != 0) { // the second run is stopped
                    run(ROTATE);
                    world.poll_status = 200;
                }
                made = world.made;
                left = world.operation != 0;
                if (run_for(ROTATE, steps) <= 0) {
                    break;
                }
                regenerated = world.made > made || left;
                rekey_rotation_abort(&rotation);
                check(rotation.error != 0 && rotation.outcome != REKEY_NONE &&
                      rotation.outcome != REKEY_SUCCEEDED);
                check(rotation.outcome != REKEY_NOT_REACHED || !regenerated);
                world.answer = SAYS_200;
                pass(7200000);
                check(run(ROTATE) == 0 || rotation.error == REKEY_E_KEY_FOREIGN);
            }
        }
    }
    rows_done();
}

// ---- mistakes of an application -----------------------------------------------------------------

// A gateway before one of the runs that there are; which begins as `*verb` says.
static void prepare(int kind, enum verb *verb) {
    *verb = ROTATE;
    memset(&meddler, 0, sizeof(meddler));
    adopted();
    world.answer = SAYS_202;
    switch (kind) {
    case 0: // the first one of all
        reset();
        break;
    case 1:
        break;
    case 2:
        world.answer = FAILS_LATER;
        break;
    case 3: // continues to poll
        world.poll_status = 401;
        run(ROTATE);
        world.poll_status = 200;
        break;
    case 4: // compares
        world.answer = SAYS_NOTHING;
        run(ROTATE);
        break;
    case 5: // the hook of an earlier run comes first, and takes some time
        world.hook_fails = 1;
        run(ROTATE);
        world.hook_waits = 2;
        pass(86400u * 1000);
        break;
    case 6:
        rules.probe = true;
        world.answer = SAYS_200;
        world.taken_at = 7000;
        break;
    case 7:
        *verb = ROLLBACK;
        world.answer = SAYS_200;
        run(ROTATE);
        break;
    default:
        *verb = SYNC;
        run(SYNC);
        strcpy(world.keys[1], "key-2-9");
        break;
    }
    memset(&meddler, 0, sizeof(meddler));
}

#define KINDS 9

// The run is aborted by each function that it calls, at each of its calls.
static void test_aborted_by_calls(void **state) {
    long aborted = 0;

    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        for (long at = 1;; at++) {
            enum verb verb;
            bool left;
            int made, result;

            row_nn("aborted by call", kind, at);
            prepare(kind, &verb);
            left = world.operation != 0 && world.operation != world.state.slot;
            made = world.made;
            meddler.aborts = true;
            meddler.at = at;
            result = begin(verb);
            for (int steps = 0; result >= 0 && steps < 100000; steps++) {
                // A call outside of a step has ended the run by now.
                meddler.sent_after = 0;
                result = rekey_rotation_step(&rotation);
                if (result == 0) {
                    break;
                }
                if (result > 0 && result != REKEY_AGAIN) {
                    uint32_t ms = rekey_rotation_wait_ms(&rotation);

                    check(rotation.outcome == REKEY_NONE || ms == 0); // its clock has aborted
                    pass(result == REKEY_WANT_READ ? 1 : ms);
                }
            }
            if (!meddler.acted) {
                check_int(result, kind == 2 ? REKEY_E_FAILED : 0);
                break;
            }
            check_int(meddler.sent_after, 0);
            check_int(rekey_rotation_step(&rotation), result);
            check(result == 0 || result == REKEY_E_ABORTED ||
                  (kind == 2 && result == REKEY_E_FAILED));
            check_int(rotation.outcome == REKEY_SUCCEEDED, result == 0);
            check(rotation.outcome != REKEY_NONE);
            check(rotation.outcome != REKEY_NOT_REACHED || (world.made == made && !left));
            check(!fake.open && all_zero(&rotation.keys, sizeof(rotation.keys)) &&
                  all_zero(rotation.key, sizeof(rotation.key)));
            check_int(options.timeout_ms, given_ms);
            invariant();
            aborted += result == REKEY_E_ABORTED;
            meddler.aborts = false;
            world.answer = SAYS_200;
            pass(7200000);
            check(run(verb == SYNC ? SYNC : ROTATE) == 0 || rotation.error == REKEY_E_KEY_FOREIGN);
        }
    }
    check(aborted > 500);
    rows_done();
}

// Each function calls the rotation in each of its calls, which changes nothing.
static void test_busy(void **state) {
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        for (long at = 1;; at++) {
            enum verb verb;
            int result;

            row_nn("called by call", kind, at);
            prepare(kind, &verb);
            begin(verb);
            meddler.at = meddler.calls + at;
            do {
                result = rekey_rotation_step(&rotation);
                meddler.pauses = true; // the clock may be read by the caller, too
                fake.now += result > 0 ? rekey_rotation_wait_ms(&rotation) : 0;
                meddler.pauses = false;
            } while (result > 0 && !meddler.acted);
            if (!meddler.acted) {
                check_int(result, kind == 2 ? REKEY_E_FAILED : 0);
                break;
            }
            for (size_t i = 0; i < COUNT(meddler.busy); i++) {
                check_int(meddler.busy[i], REKEY_E_BUSY);
            }
            finish();
            check_int(rotation.error, kind == 2 ? REKEY_E_FAILED : 0);
        }
    }
    rows_done();
}

static void not_ready(int error) {
    struct rekey_rotation_report report;
    uint64_t until;

    check_int(rekey_rotation_step(&rotation), error);
    check_int(rekey_rotation_run(&rotation), error);
    check_int(rekey_rotation_wait_ms(&rotation), 0);
    check_int(rekey_rotation_waits_for(&rotation, &until), REKEY_ROTATION_NO_WAIT);
    rekey_rotation_abort(&rotation);
    rekey_rotation_report(&rotation, &report);
    check_int(report.outcome, error == REKEY_E_IDLE ? REKEY_NONE : REKEY_USAGE);
    check_int(report.error, error == REKEY_E_IDLE ? 0 : error);
    check_int(report.result, REKEY_ROTATION_NONE);
}

static void test_not_ready(void **state) {
    static struct rekey_port deaf;
    struct rekey_rotation_report report;

    (void)state;
    row("zeroed");
    memset(&rotation, 0, sizeof(rotation));
    not_ready(REKEY_E_OPTIONS);
    check_int(rekey_rotate(&rotation, &endpoint), REKEY_E_OPTIONS);
    check_int(rekey_sync(&rotation, &endpoint, REKEY_KEY_PRIMARY), REKEY_E_OPTIONS);
    check_int(rekey_rollback(&rotation), REKEY_E_OPTIONS);
    row("nothing was begun");
    reset();
    begin(ROTATE);
    rekey_rotation_abort(&rotation);
    rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
    not_ready(REKEY_E_IDLE);
    row("one is going on");
    check_int(rekey_rotate(&rotation, &endpoint), 0);
    check_int(rekey_rotate(&rotation, &endpoint), REKEY_E_BUSY);
    check_int(rekey_sync(&rotation, &endpoint, REKEY_KEY_PRIMARY), REKEY_E_BUSY);
    check_int(rekey_rollback(&rotation), REKEY_E_BUSY);
    check_int(rekey_rotation_run(&rotation), 0);
    rekey_rotation_report(&rotation, &report);
    check_int(report.result, REKEY_ROTATION_ADOPTED);
    row("a client that was not made ready");
    memset(&client, 0, sizeof(client));
    rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
    check_int(rekey_rotate(&rotation, &endpoint), REKEY_E_OPTIONS);
    not_ready(REKEY_E_OPTIONS);
    row("a client that could not be made ready");
    deaf.tls = port.tls;
    check_int(rekey_init(&client, &deaf, &options), REKEY_E_PORT);
    rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
    check_int(rekey_rotate(&rotation, &endpoint), REKEY_E_OPTIONS);
    not_ready(REKEY_E_OPTIONS);
    for (int missing = 0; missing < 9; missing++) {
        struct rekey_storage part = storage;
        static const size_t functions[] = {offsetof(struct rekey_storage, load_key),
                                           offsetof(struct rekey_storage, save_key),
                                           offsetof(struct rekey_storage, restore_key),
                                           offsetof(struct rekey_storage, load_state),
                                           offsetof(struct rekey_storage, save_state),
                                           offsetof(struct rekey_storage, load_operation),
                                           offsetof(struct rekey_storage, save_operation),
                                           offsetof(struct rekey_storage, remove_operation),
                                           offsetof(struct rekey_storage, sha256)};

        row_n("a storage without one of its functions", missing);
        reset();
        memset((char *)&part + functions[missing], 0, sizeof(part.sha256));
        rekey_rotation_init(&rotation, &client, &options, &rules, &part);
        check_int(rekey_rotate(&rotation, &endpoint), REKEY_E_PORT);
        not_ready(REKEY_E_PORT);
    }
    for (int begun = 0; begun < 2; begun++) {
        row_n("a port without wait", begun);
        reset();
        world.answer = SAYS_200;
        begin(ROTATE);
        run(ROTATE);
        pass(86400u * 1000);
        begin(ROTATE);
        while (begun != 0 && world.posts == 0) {
            step();
        }
        deaf = port;
        deaf.wait = NULL;
        client.port = &deaf;
        check_int(rekey_rotation_run(&rotation), REKEY_E_PORT);
        rekey_rotation_report(&rotation, &report);
        check_int(report.error, REKEY_E_PORT);
        check_int(report.outcome, begun != 0 ? REKEY_UNKNOWN : REKEY_USAGE);
        check(!fake.open);
    }
    row("a port without wait, in a call");
    reset();
    begin(ROTATE);
    client.port = &deaf;
    meddler.calls = 0;
    meddler.at = 1;
    finish();
    check(meddler.acted && meddler.busy[2] == REKEY_E_BUSY);
    check_int(rotation.error, 0);
    rows_done();
}

// The longest run: each of its five parts takes nearly the whole timeout (docs/rotation.md). The
// operation of an earlier run never ends, and lists fail; then the new operation takes its time,
// and so do the list of the new key, the list after the settling, and the hook.
static void test_longest_run(void **state) {
    const uint64_t part = REKEY_TIMEOUT_MS, other_waits = 2 * 60000 + 60000 + 60000;
    uint64_t start, posted = 0, settled = 0;

    (void)state;
    row("five times the timeout");
    adopted();
    world.answer = FAILS_LATER; // it is accepted, and not executed
    begin(ROTATE);
    while (world.record.kind == REKEY_POLL_NONE) {
        rekey_rotation_step(&rotation);
    }
    rekey_rotation_abort(&rotation);
    check_int(rotation.outcome, REKEY_RUNNING);
    world.answer = SAYS_202;
    world.list_status = 500;
    world.stale_ms = 2 * part - 60000;
    world.hook_waits = 590;
    start = fake.now;
    begin(ROTATE);
    do {
        bool list_fails = world.posts == 1 && fake.now < start + 2 * part + 90000;

        posted = posted == 0 && world.posts == 2 ? fake.now : posted;
        settled = settled == 0 && rotation.settled ? fake.now : settled;
        list_fails |= settled != 0 && fake.now < settled + 60000 + part - 30000;
        world.list_failures = list_fails;
        world.poll_status = posted != 0 && fake.now >= posted + part - 30000 ? 200 : 202;
    } while (step() > 0);
    check_rotated(2);
    check_int(world.posts, 2);
    check(fake.now - start <= 5 * part + other_waits);
    check(fake.now - start > 5 * part + other_waits - 300000);
    rows_done();
}

// A hash that cannot be computed is no reason to take a key for a new one.
static void test_hash_fails(void **state) {
    struct rekey_rotation_report report;
    bool more = true;

    (void)state;
    for (int at = 1; more; at++) {
        row_n("an operation that has changed nothing; the hash fails at call", at);
        adopted();
        world.answer = SAYS_NOTHING;
        world.loses_it = true;
        ends(ROTATE, REKEY_E_END, REKEY_UNKNOWN);
        world.answer = SAYS_200;
        sums = 0;
        sum_fails_at = at;
        run(ROTATE);
        more = sums >= at;
        sum_fails_at = 0;
        rekey_rotation_report(&rotation, &report);
        check_int(report.error, more ? REKEY_E_STORE : 0);
        check_int(report.outcome, more ? REKEY_LOCAL : REKEY_SUCCEEDED);
        check(!more || strcmp(world.key, "key-1-0") == 0);
        check(!report.by_comparison);
        if (more) {
            pass(7200000);
            rotates(2);
        }
    }
    row("a first run");
    reset();
    sums = 0;
    sum_fails_at = 1;
    ends(ROTATE, REKEY_E_STORE, REKEY_LOCAL);
    ends(SYNC, REKEY_E_STORE, REKEY_LOCAL);
    check(world.key[0] == '\0' && world.hooks == 0);
    sum_fails_at = 0;
    row("after a rollback that is not complete");
    adopted();
    rotates(2);
    world.hook_fails = 1;
    ends(ROLLBACK, REKEY_E_HOOK, REKEY_LOCAL);
    check(world.state.rolled_back);
    sums = 0;
    sum_fails_at = 1;
    ends(ROLLBACK, REKEY_E_STORE, REKEY_LOCAL);
    sum_fails_at = 0;
    check_int(run(ROLLBACK), 0);
    check(strcmp(world.key, world.keys[0]) == 0);
    rows_done();
}

// A parameter, or a value from the storage, that no run can use. Nothing is sent.
static void test_bad_parameters(void **state) {
    static const struct {
        const char *name;
        enum verb verb;
        int first; // of rekey_sync
        int saved; // slot in the saved state; -1: no state
        int slot;  // of the saved operation
        bool no_endpoint;
        int error;
        enum rekey_outcome outcome;
    } rows[] = {
        {"rotate without an endpoint", ROTATE, 0, -1, 0, true, REKEY_E_OPTIONS, REKEY_USAGE},
        {"sync without an endpoint", SYNC, 1, -1, 0, true, REKEY_E_OPTIONS, REKEY_USAGE},
        {"sync: no slot in the first run", SYNC, 0, -1, 0, false, REKEY_E_KEY_TYPE, REKEY_USAGE},
        {"sync: no slot, and none is saved", SYNC, 0, 0, 0, false, REKEY_E_KEY_TYPE, REKEY_USAGE},
        {"sync: slot 3 in the first run", SYNC, 3, -1, 0, false, REKEY_E_KEY_TYPE, REKEY_USAGE},
        {"sync: slot 7 later", SYNC, 7, 1, 0, false, REKEY_E_KEY_TYPE, REKEY_USAGE},
        {"sync: no slot later", SYNC, 0, 1, 0, false, 0, REKEY_SUCCEEDED},
        {"sync: slot 3 is saved", SYNC, 1, 3, 0, false, REKEY_E_STORE, REKEY_LOCAL},
        {"rotate: slot 7 is saved", ROTATE, 0, 7, 0, false, REKEY_E_STORE, REKEY_LOCAL},
        {"rollback: slot 7 is saved", ROLLBACK, 0, 7, 0, false, REKEY_E_STORE, REKEY_LOCAL},
        {"rotate: an operation of slot 3", ROTATE, 0, 1, 3, false, REKEY_E_STORE, REKEY_LOCAL},
    };
    struct rekey_rotation_report report;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int result;

        row(rows[i].name);
        adopted();
        world.has_state = rows[i].saved >= 0;
        world.state.slot = (enum rekey_key)rows[i].saved;
        world.operation = (enum rekey_key)rows[i].slot;
        world.record = (struct rekey_record){.kind = REKEY_POLL_NONE};
        begin(ROTATE); // initializes everything
        rekey_rotation_abort(&rotation);
        world.lists = 0;
        result = rows[i].verb == ROLLBACK ? rekey_rollback(&rotation)
                 : rows[i].verb == ROTATE
                     ? rekey_rotate(&rotation, rows[i].no_endpoint ? NULL : &endpoint)
                     : rekey_sync(&rotation, rows[i].no_endpoint ? NULL : &endpoint,
                                  (enum rekey_key)rows[i].first);
        while (result >= 0 && (result = step()) > 0) {
        }
        check_int(result, rows[i].error);
        rekey_rotation_report(&rotation, &report);
        check_int(report.outcome, rows[i].outcome);
        check_int(report.error, rows[i].error);
        check(report.in_use <= REKEY_KEY_SECONDARY);
        check_int(world.lists, rows[i].error == 0);
        check(all_zero(rotation.key, sizeof(rotation.key)) && !options.hold);
    }
    row("sync: no slot, and no hashes are saved");
    adopted();
    memset(world.state.sha256, 0, sizeof(world.state.sha256));
    begin(ROTATE);
    rekey_rotation_abort(&rotation);
    check_int(rekey_sync(&rotation, &endpoint, (enum rekey_key)0), REKEY_E_KEY_TYPE);
    for (int missing = 0; missing < 4; missing++) {
        row_n("initialized without pointer", missing);
        reset();
        begin(ROTATE);
        rekey_rotation_abort(&rotation);
        rekey_rotation_init(&rotation, missing == 0 ? NULL : &client,
                            missing == 1 ? NULL : &options, missing == 2 ? NULL : &rules,
                            missing == 3 ? NULL : &storage);
        check_int(rekey_rotate(&rotation, &endpoint), REKEY_E_OPTIONS);
        check_int(rekey_sync(&rotation, &endpoint, REKEY_KEY_PRIMARY), REKEY_E_OPTIONS);
        check_int(rekey_rollback(&rotation), REKEY_E_OPTIONS);
        not_ready(REKEY_E_OPTIONS);
    }
    rows_done();
}

// The loop of the library, and what its report says.
static void test_report(void **state) {
    static const struct rekey_rotation_options defaults = REKEY_ROTATION_OPTIONS_INIT;
    struct rekey_rotation_report report;
    int64_t adopted_at;

    (void)state;
    row("the defaults");
    check(defaults.settle_ms == 60000 && !defaults.probe && defaults.min_age_s == 86400 &&
          defaults.list_interval_ms == 5000);
    row("the first run");
    reset();
    memset(&meddler, 0, sizeof(meddler));
    check_int(begin(ROTATE), 0);
    rekey_rotation_report(&rotation, &report);
    check_int(report.outcome, REKEY_NONE);
    check_int(report.error, 0);
    check_int(report.in_use, 0);
    check_int(rekey_rotation_run(&rotation), 0);
    rekey_rotation_report(&rotation, &report);
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(report.result, REKEY_ROTATION_ADOPTED);
    check_int(report.in_use, REKEY_KEY_PRIMARY);
    adopted_at = report.switched;
    check(adopted_at > 0);
    row("the hook fails");
    pass(86400u * 1000);
    world.answer = SAYS_NOTHING;
    rules.probe = true;
    world.hook_fails = 1;
    check(begin(ROTATE) == 0 && rekey_rotation_run(&rotation) == REKEY_E_END);
    check(begin(ROTATE) == 0 && rekey_rotation_run(&rotation) == REKEY_E_HOOK);
    rekey_rotation_report(&rotation, &report);
    check_int(report.outcome, REKEY_LOCAL);
    check_int(report.error, REKEY_E_HOOK);
    check_int(report.result, REKEY_ROTATION_ROTATED);
    check(report.in_use == REKEY_KEY_SECONDARY && report.target == REKEY_KEY_SECONDARY);
    check(report.switched > adopted_at && report.hook_pending);
    check(report.found_operation && report.by_comparison && !report.foreign);
    check_span(report.probed, REKEY_SPAN("scores.example"));
    rows_done();
}

// Power is lost, or the storage fails, at every call of the storage, before or after its effect;
// and at every step. In all cases one more run finishes the work, or two if a hook is pending.
static void cut(enum regenerate_answer answer, bool power, bool after, bool first) {
    bool more = true;

    for (int at = 1; more; at++) {
        row_nn(power ? "power is lost at call" : "the storage fails at call", at, answer);
        adopted();
        if (first) {
            reset();
        }
        world.answer = answer;
        world.fail_at = at;
        world.power = power;
        world.after = after;
        run(ROTATE);
        more = world.calls >= at;
        // The run continues if a polling URL cannot be saved.
        check(rotation.error != REKEY_E_STORE || rotation.result == REKEY_ROTATION_NONE);
        check(!more || world.lost || rotation.error == REKEY_E_STORE ||
              rotation.error == REKEY_E_SAVE || (answer == SAYS_202 && rotation.error == 0));
        invariant();
        world.fail_at = 0;
        world.answer = SAYS_200;
        pass(7200000);
        check_int(run(ROTATE), 0);
        pass(86400u * 1000);
        check_int(run(ROTATE), 0);
        check_int(rotation.result, REKEY_ROTATION_ROTATED);
        check(!world.state.hook_pending && world.operation == 0 && world.hook_saw);
    }
    check(first || world.calls > 0);
}

static void test_cuts(void **state) {
    static const enum regenerate_answer answers[] = {SAYS_200, SAYS_202};

    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        for (int first = 0; first < 2; first++) {
            cut(answers[i], true, false, first != 0);
            cut(answers[i], true, true, first != 0);
            cut(answers[i], false, false, first != 0);
        }
    }
    for (int steps = 1;; steps++) {
        int result;

        row_n("power is lost after step", steps);
        adopted();
        world.answer = SAYS_202;
        result = run_for(ROTATE, steps);
        invariant();
        if (result == 0) {
            check(steps > 30);
            break;
        }
        pass(7200000);
        check_int(run(ROTATE), 0);
        check(rotation.result == REKEY_ROTATION_ROTATED ||
              (rotation.result == REKEY_ROTATION_NOT_DUE && strcmp(world.key, "key-2-1") == 0));
    }
    rows_done();
}

// The storage also fails in the runs that finish the work of an earlier run.
static void test_cuts_of_what_was_left(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        bool went = true;

        for (int at = 1; went; at++) {
            row_nn("the storage fails at call", at, kind);
            adopted();
            world.answer = kind == 3 ? SAYS_202 : SAYS_NOTHING;
            world.loses_it = kind == 1;
            world.hook_fails = kind == 2;
            world.poll_status = 401;
            run(ROTATE);
            world.poll_status = 200;
            if (kind == 2) {
                run(ROTATE);
            }
            world.answer = kind == 3 ? FAILS_LATER : SAYS_200;
            world.fail_at = at;
            went = run(ROTATE) == REKEY_E_STORE;
            check(!went || rotation.outcome == REKEY_LOCAL);
            world.fail_at = 0;
            world.answer = SAYS_200;
            world.state.switched = 0;
            // Here an operation that failed has changed its key nevertheless: the run believes that
            // somebody else has changed it.
            check(run(ROTATE) == 0 || (kind == 3 && rotation.error == REKEY_E_KEY_FOREIGN));
        }
    }
    for (int at = 1; at < 9; at++) {
        row_n("and where somebody else has changed a key", at);
        adopted();
        strcpy(world.keys[1], "key-2-by-hand");
        world.fail_at = at;
        run(ROTATE);
        check(rotation.outcome == REKEY_LOCAL || rotation.error == REKEY_E_KEY_FOREIGN);
        row_n("or the clock", at);
        adopted();
        world.state.switched = fake.wall + 1000;
        world.fail_at = at;
        run(ROTATE);
        check(rotation.outcome == REKEY_LOCAL || rotation.result == REKEY_ROTATION_NOT_DUE);
    }
    rows_done();
}

static void test_show(void **state) {
    static const struct {
        const char *body, *mode, *uri;
        int error;
    } rows[] = {
        {"{\"properties\":{\"authMode\":\"AADToken\",\"provisioningState\":\"Succeeded\","
         "\"scoringUri\":\"https://s/\"}}",
         "AADToken", "https://s/", 0},
        {"{\"properties\":{\"authMode\":5}}", "", "", 0},
        {"{\"properties\":{\"authMode\":\"a mode that is far too long\"}}", "", "", 0},
        {"{\"properties\":{\"authMode\":\"0123456789abcde\"}}", "0123456789abcde", "", 0},
        {"{\"properties\":{\"authMode\":\"0123456789abcdef\"}}", "", "", 0},
        {"{\"properties\":{\"authMode\":\"0123456789abcdefg\"}}", "", "", 0},
        {"{\"name\":\"x\"}", "", "", 0},
        {"{\"properties\":{},\"properties\":{}}", "", "", REKEY_E_JSON_DUPLICATE},
        {"<html>", "", "", REKEY_E_JSON},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_shown shown;
        struct rekey_report report;
        int result;

        row(rows[i].body);
        reset();
        begin(ROTATE);
        check_int(rekey_show(&client, &endpoint, &shown), 0);
        while (!fake.open || world.sent_len == 0 || strstr(world.sent, "\r\n\r\n") == NULL) {
            rekey_step(&client);
        }
        snprintf(world.text, sizeof(world.text), DONE_STATUS "%s", rows[i].body);
        world.rest = world.text;
        while ((result = rekey_step(&client)) > 0) {
        }
        rekey_report(&client, &report);
        check_int(result, rows[i].error);
        check_int(report.outcome, rows[i].error == 0 ? REKEY_SUCCEEDED : REKEY_NOT_REACHED);
        check(strcmp(shown.auth_mode, rows[i].mode) == 0);
        check(strcmp(shown.scoring_uri, rows[i].uri) == 0);
    }
    rows_done();
}

static size_t secrets_of(const struct rekey_options *o) {
    size_t count = 0;

    for (const struct rekey_secret *s = o->secrets; s != NULL && count < 10; s = s->next) {
        count++;
    }
    return count;
}

// Its secrets come before those of the application, also if it is initialized again.
static void test_secrets(void **state) {
    const struct rekey_secret mine = {.text = {"mine", 4}};

    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        row_n("of the application", (long)more);
        reset();
        options = (struct rekey_options)REKEY_OPTIONS_INIT;
        options.token = fake_token;
        options.secrets = more > 0 ? &mine : NULL;
        check_int(rekey_init(&client, &port, &options), 0);
        for (int times = 0; times < 3; times++) {
            rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
            check_int((long)secrets_of(&options), (long)(3 + more));
            check(options.secrets[0].text.ptr == rotation.keys.primary.value);
            check(options.secrets[0].next->text.ptr == rotation.keys.secondary.value);
            check(options.secrets[0].next->next->text.ptr == rotation.key);
            check(options.secrets[0].next->next->next == (more > 0 ? &mine : NULL));
        }
    }
    rows_done();
}

// The runs of the tests before this one have waited for everything that there is.
static void test_waits(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(waited); i++) {
        row_n("wait", (long)i);
        check(waited[i]);
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_rotations),
        UNIT(test_connections),
        UNIT(test_refusals),
        UNIT(test_foreign),
        UNIT(test_unknown),
        UNIT(test_resumed),
        UNIT(test_stopped),
        UNIT(test_hooks),
        UNIT(test_probe),
        UNIT(test_sync),
        UNIT(test_rollback),
        UNIT(test_cuts_of_a_rollback),
        UNIT(test_stopped_anywhere),
        UNIT(test_aborted_by_calls),
        UNIT(test_busy),
        UNIT(test_not_ready),
        UNIT(test_hash_fails),
        UNIT(test_longest_run),
        UNIT(test_bad_parameters),
        UNIT(test_report),
        UNIT(test_cuts),
        UNIT(test_cuts_of_what_was_left),
        UNIT(test_show),
        UNIT(test_secrets),
        UNIT(test_waits),
    };

    return cmocka_run_group_tests_name("rotate", tests, NULL, rows_total);
}
