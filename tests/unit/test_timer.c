// test_timer.c - a transport with its own timer: how long the caller may sleep, and that each loop
// which follows the rule of rekey.h calls the transport in time. The transport here never becomes
// ready: each of its calls continues when its time has passed, and not before.

#include <string.h>

#include "fake_port.h"
#include "rotate.h"
#include "support.h"

#define ANSWER "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"

static struct {
    uint64_t due;       // when the waiting call may continue; 0: no call waits
    uint32_t delays[3]; // of open, write and read; 0: they continue at once
    int more;           // calls of open that have more to do at once
    unsigned early;     // calls before their time
    unsigned calls;     // after which a wait began
    unsigned asked;     // how often wait_ms was called
    bool asked_at_once; // ... although no call had to be repeated
    const char *answer;
    char sent[8192];
    size_t sent_len;
    unsigned slept; // sleeps of a loop
} world;

static struct rekey client;
static struct rekey_options options;
static struct rekey_report report;

enum call { OPEN, WRITE, READ };

// Whether the call must wait: it is called for the first time, or too early.
static bool waits(enum call call) {
    if (world.delays[call] == 0) {
        return false;
    }
    if (world.due == 0) {
        world.due = fake.now + world.delays[call];
        world.calls++;
        return true;
    }
    if (fake.now < world.due) {
        world.early++;
        return true;
    }
    world.due = 0;
    return false;
}

static int timed_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    (void)host;
    (void)port;
    (void)timeout_ms;
    fake.open = true;
    if (world.more > 0) {
        world.more--;
        return REKEY_AGAIN;
    }
    return waits(OPEN) ? REKEY_WANT_WRITE : REKEY_DONE;
}

static int timed_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    if (waits(WRITE)) {
        return REKEY_WANT_WRITE;
    }
    *done = len;
    return fake_send(world.sent, &world.sent_len, data, len);
}

static int timed_read(void *ctx, void *buf, size_t cap, size_t *done) {
    (void)ctx;
    if (waits(READ)) {
        return REKEY_WANT_READ;
    }
    return fake_give(&world.answer, strlen(world.answer), buf, cap, done);
}

static uint32_t timed_wait_ms(void *ctx) {
    (void)ctx;
    world.asked++;
    world.asked_at_once |= world.due == 0;
    return world.due > fake.now ? (uint32_t)(world.due - fake.now) : 0;
}

static uint32_t never(void *ctx) {
    (void)ctx;
    return UINT32_MAX;
}

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    assert_true(cap > 0);
    buf[0] = 't';
    *len = 1;
    return REKEY_DONE;
}

static void sleep_ms(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    (void)want;
    world.slept++;
    fake.now += ms;
}

static struct rekey_port port = {
    .tls = {.open = timed_open,
            .write = timed_write,
            .read = timed_read,
            .close = fake_close,
            .wait_ms = timed_wait_ms},
    .now_ms = fake_now,
    .wall_s = fake_wall,
    .entropy = fake_entropy,
    .wait = sleep_ms,
};

static void begin(void) {
    memset(&world, 0, sizeof(world));
    world.answer = ANSWER;
    fake = (struct fake_port){.now = 1000};
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = token;
    assert_int_equal(rekey_init(&client, &port, &options), 0);
    assert_int_equal(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)),
                     0);
}

static void ends_well(uint64_t ms) {
    rekey_report(&client, &report);
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(report.error, 0);
    check_int(world.early, 0);
    check_int(fake.now, 1000 + ms);
    check(!world.asked_at_once);
}

// The loop of rekey.h, where nothing ever becomes ready. It sleeps after REKEY_AGAIN, too: that is
// 0 milliseconds.
static void loop(void) {
    int result;

    do {
        result = rekey_step(&client);
        fake.now += rekey_wait_ms(&client);
    } while (result > 0);
}

static void run(void) {
    rekey_run(&client);
}

// Each delay is short against the timeouts. The requests go out in several writes, and each of them
// waits.
static void test_called_in_time(void **state) {
    static const uint32_t rows[][3] = {
        {250, 0, 0}, {0, 40, 0}, {0, 0, 7000}, {14999, 1, 99999}, {2000, 3, 500},
    };
    void (*const loops[])(void) = {loop, run};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(loops); k++) {
            unsigned opens = rows[i][OPEN] > 0, reads = rows[i][READ] > 0, writes;

            row_nn("row, loop", (long)i, (long)k);
            begin();
            memcpy(world.delays, rows[i], sizeof(world.delays));
            loops[k]();
            writes = world.calls - opens - reads;
            check((writes > 0) == (rows[i][WRITE] > 0));
            ends_well(rows[i][OPEN] + writes * (uint64_t)rows[i][WRITE] + rows[i][READ]);
            check_int(world.asked, world.calls);
        }
    }
    rows_done();
}

// How long the caller may sleep after a step that wants something.
static uint32_t wait_after(enum call call) {
    int result;

    do {
        result = rekey_step(&client);
        if (result == REKEY_AGAIN) {
            check_int(rekey_wait_ms(&client), 0);
        }
    } while (result == REKEY_AGAIN);
    check_int(result, call == READ ? REKEY_WANT_READ : REKEY_WANT_WRITE);
    return rekey_wait_ms(&client);
}

static void test_minimum(void **state) {
    static const struct {
        enum call call;
        uint32_t delay, expected;
    } rows[] = {
        {OPEN, 1, 1},
        {OPEN, REKEY_CONNECT_TIMEOUT_MS - 1, REKEY_CONNECT_TIMEOUT_MS - 1},
        {OPEN, REKEY_CONNECT_TIMEOUT_MS + 1, REKEY_CONNECT_TIMEOUT_MS},
        {WRITE, 2, 2},
        {WRITE, REKEY_IDLE_TIMEOUT_MS + 1, REKEY_IDLE_TIMEOUT_MS},
        {READ, 3, 3},
        {READ, REKEY_IDLE_TIMEOUT_MS + 1, REKEY_IDLE_TIMEOUT_MS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_n("row", (long)i);
        begin();
        world.delays[rows[i].call] = rows[i].delay;
        check_int(wait_after(rows[i].call), rows[i].expected);
        fake.now += 1; // as time passes, less is left
        check_int(rekey_wait_ms(&client), rows[i].expected - 1);
        rekey_abort(&client);
        check_int(rekey_wait_ms(&client), 0);
    }
    row("the deadline comes first");
    options.timeout_ms = 5;
    check_int(rekey_list_keys(&client, &endpoint, &(struct rekey_keys){.primary = {0}}), 0);
    world.due = 0;
    world.delays[OPEN] = world.delays[READ] = 10;
    check_int(wait_after(OPEN), 5);
    rekey_abort(&client);
    row("more to do at once");
    begin();
    world.more = 3;
    world.delays[OPEN] = 9;
    check_int(wait_after(OPEN), 9);
    check(world.more == 0 && world.asked == 1);
    rekey_abort(&client);
    row("no time of its own");
    for (int i = 0; i < 2; i++) {
        begin();
        port.tls.wait_ms = i == 0 ? NULL : never;
        world.delays[READ] = 20;
        check_int(wait_after(READ), REKEY_IDLE_TIMEOUT_MS);
        rekey_abort(&client);
    }
    port.tls.wait_ms = timed_wait_ms;
    rows_done();
}

// Between two requests the transport is not asked: it has nothing to do.
static void test_between_requests(void **state) {
    static const char accepted[] =
        "HTTP/1.1 202 X\r\nRetry-After: 3\r\nLocation: https://management.azure.com/a\r\n"
        "Content-Length: 0\r\n\r\n";

    (void)state;
    row("a kept connection");
    begin();
    world.delays[READ] = 10;
    world.answer = accepted;
    for (int result = REKEY_AGAIN; result != REKEY_WANT_TIME;) {
        result = rekey_step(&client);
        check(result > 0);
        fake.now += result == REKEY_WANT_TIME ? 0 : rekey_wait_ms(&client);
    }
    check(fake.open);
    check_int(world.asked, 1);
    check_int(rekey_wait_ms(&client), 3000);
    check_int(world.asked, 1);
    rekey_abort(&client);
    rows_done();
}

// A rotation sleeps as the client does.
static int load_key(void *ctx, bool previous, char *key, size_t cap, size_t *len) {
    (void)ctx;
    (void)previous;
    (void)key;
    (void)cap;
    *len = 0;
    return REKEY_DONE;
}

static int load_state(void *ctx, struct rekey_rotation_state *state) {
    (void)ctx;
    (void)state;
    return REKEY_DONE;
}

static int load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms) {
    (void)ctx;
    (void)record;
    (void)slot;
    (void)age_ms;
    return REKEY_DONE;
}

// The run is left before it saves anything.
static int save_key(void *ctx, struct rekey_span key) {
    (void)ctx;
    (void)key;
    return REKEY_E_STORE;
}

static int save_state(void *ctx, const struct rekey_rotation_state *state) {
    (void)ctx;
    (void)state;
    return REKEY_E_STORE;
}

static int save_operation(void *ctx, const struct rekey_record *record, enum rekey_key slot) {
    (void)ctx;
    (void)record;
    (void)slot;
    return REKEY_E_STORE;
}

static int fails(void *ctx) {
    (void)ctx;
    return REKEY_E_STORE;
}

static void sha256(void *ctx, struct rekey_span data, unsigned char out[32]) {
    (void)ctx;
    (void)data;
    memset(out, 0, 32);
}

static void test_rotation(void **state) {
    static const struct rekey_rotation_options rotation_options = REKEY_ROTATION_OPTIONS_INIT;
    static const struct rekey_storage storage = {.load_key = load_key,
                                                 .save_key = save_key,
                                                 .restore_key = fails,
                                                 .load_state = load_state,
                                                 .save_state = save_state,
                                                 .load_operation = load_operation,
                                                 .save_operation = save_operation,
                                                 .remove_operation = fails,
                                                 .sha256 = sha256};
    static struct rekey_rotation rotation;
    int result;

    (void)state;
    row("listKeys");
    begin();
    rekey_abort(&client);
    world.delays[OPEN] = 250;
    rekey_rotation_init(&rotation, &client, &options, &rotation_options, &storage);
    check_int(rekey_rotate(&rotation, &endpoint), 0);
    do {
        result = rekey_rotation_step(&rotation);
    } while (result == REKEY_AGAIN);
    check_int(result, REKEY_WANT_WRITE);
    check_int(rekey_rotation_wait_ms(&rotation), 250);
    rekey_rotation_abort(&rotation);
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_called_in_time),
        UNIT(test_minimum),
        UNIT(test_between_requests),
        UNIT(test_rotation),
    };

    return cmocka_run_group_tests_name("timer", tests, NULL, rows_total);
}
