// test_fault.c - every call that the core makes of its port fails once, in every way, and the
// outcome must be true of what happened. A small service behind a scripted transport plays the main
// forms of an operation. It knows what it executed and what it delivered, and the outcome is
// compared with that:
//   succeeded   only if the answer that says so was delivered completely,
//   refused, not reached, not trusted, credentials, local   only if nothing was executed,
//   one POST executed at most, each run ended by its deadline, and no secret left in memory.

#include <stdio.h>
#include <string.h>

#include "fake_port.h"
#include "support.h"

#define HOST "management.azure.com"
#define ASYNC "Azure-AsyncOperation: https://" HOST "/subscriptions/S/operations/1?t=1\r\n"
#define LOCATION "Location: https://" HOST "/results/1?t=2\r\n"
#define EMPTY(status, fields) "HTTP/1.1 " status " X\r\n" fields "Content-Length: 0\r\n\r\n"
#define CHUNKED(status, size, body)                                                                \
    "HTTP/1.1 " status " X\r\nTransfer-Encoding: chunked\r\n\r\n" size "\r\n" body "\r\n0\r\n\r\n"
#define RUNNING CHUNKED("200", "15", "{\"status\":\"Updating\"}")
#define SUCCEEDED CHUNKED("200", "16", "{\"status\":\"Succeeded\"}")
#define FAILED CHUNKED("200", "2A", "{\"status\":\"Failed\",\"error\":{\"code\":\"C\"}}  ")

enum meaning { EXECUTES = 1, ENDS_WELL = 2, ENDS_BADLY = 4, ALLOWS_ANOTHER = 8 };

struct answer {
    const char *bytes;
    unsigned meaning; // EXECUTES: the service regenerates the key when it gets this request
};

static const struct shape {
    const char *name;
    struct answer posts[3], polls[6]; // the last one of each repeats
    bool resume, close_each;
    const char *second_token;
    enum rekey_outcome outcome; // without a fault
} shapes[] = {
    {"200", {{EMPTY("200", ""), EXECUTES | ENDS_WELL}}, .outcome = REKEY_SUCCEEDED},
    {"202 async",
     {{EMPTY("202", ASYNC LOCATION), EXECUTES}},
     {{RUNNING}, {RUNNING}, {SUCCEEDED, ENDS_WELL}},
     .outcome = REKEY_SUCCEEDED},
    {"202 location",
     {{EMPTY("202", LOCATION "Retry-After: 2\r\n"), EXECUTES}},
     {{EMPTY("202", "")}, {EMPTY("200", ""), ENDS_WELL}},
     .outcome = REKEY_SUCCEEDED},
    {"202, connections closed",
     {{EMPTY("202", ASYNC "Connection: close\r\n"), EXECUTES}},
     {{RUNNING}, {SUCCEEDED, ENDS_WELL}},
     .close_each = true,
     .outcome = REKEY_SUCCEEDED},
    {"202, failed",
     {{EMPTY("202", ASYNC), EXECUTES}},
     {{FAILED, ENDS_BADLY}},
     .outcome = REKEY_FAILED},
    {"202 without a URL", {{EMPTY("202", ""), EXECUTES}}, .outcome = REKEY_UNKNOWN},
    {"403", {{EMPTY("403", "")}}, .outcome = REKEY_REFUSED},
    {"500", {{EMPTY("500", ""), EXECUTES}}, .outcome = REKEY_UNKNOWN},
    {"429, then 200",
     {{EMPTY("429", "Retry-After: 1\r\n"), ALLOWS_ANOTHER},
      {EMPTY("200", ""), EXECUTES | ENDS_WELL}},
     .outcome = REKEY_SUCCEEDED},
    {"401, then 202",
     {{EMPTY("401", ""), ALLOWS_ANOTHER}, {EMPTY("202", ASYNC), EXECUTES}},
     {{RUNNING}, {SUCCEEDED, ENDS_WELL}},
     .second_token = "token-b",
     .outcome = REKEY_SUCCEEDED},
    {"polls fail to read",
     {{EMPTY("202", ASYNC), EXECUTES}},
     {{EMPTY("404", "")}, {EMPTY("503", "")}, {EMPTY("429", "")}, {SUCCEEDED, ENDS_WELL}},
     .outcome = REKEY_SUCCEEDED},
    {"resumption",
     {{NULL}},
     {{RUNNING}, {SUCCEEDED, ENDS_WELL}},
     .resume = true,
     .outcome = REKEY_SUCCEEDED},
};

enum fault {
    NO_FAULT,
    BLOCKS_ONCE,
    BLOCKS_FOR_EVER, // of this connection, longer than every timeout
    ONE_BYTE,        // from here on, one byte per call
    RESETS,
    ENDS,     // an orderly end
    IS_CUT,   // an end without close_notify
    IDLES,    // the clock jumps by the idle timeout
    SUSPENDS, // the clock jumps past the deadline
    NOT_TRUSTED_NOW,
    NO_FRAMING, // a byte of the answer is changed
    FAULTS
};

static const char *const fault_names[] = {"none",     "blocks once", "blocks for ever",  "one byte",
                                          "resets",   "ends",        "is cut",           "idles",
                                          "suspends", "not trusted", "a byte is another"};

static struct {
    const struct shape *shape;
    enum fault fault;
    long at, calls; // the fault occurs at call number `at`
    bool dead_end, connected;
    int broken; // the result of every later call on this connection; 0: it works
    size_t read_max, write_max;
    char request[8192];
    size_t request_len;
    struct answer current; // the part that is still to be delivered
    int posts, polls, executed, allowed;
    bool post_counted; // the request being written is a POST, and was counted
    bool ended_well, ended_badly;
    int tokens;
} world;

static struct rekey client;
static struct rekey_options options;

// One call of the port. Returns true if the fault occurs now.
static bool strikes(void) {
    return ++world.calls == world.at && world.fault != NO_FAULT;
}

// The faults that are common to open, read and write. Returns a status, or 0 to continue.
static int common_fault(int want, int lost) {
    if (world.broken != 0) {
        return world.broken;
    }
    if (!strikes()) {
        return 0;
    }
    switch (world.fault) {
    case BLOCKS_ONCE:
        return want;
    case BLOCKS_FOR_EVER:
        return world.broken = want;
    case ONE_BYTE:
        world.read_max = world.write_max = 1;
        return 0;
    case RESETS:
        return world.broken = lost;
    case IDLES:
        fake.now += REKEY_IDLE_TIMEOUT_MS;
        return 0;
    case SUSPENDS:
        fake.now += REKEY_TIMEOUT_MS;
        return 0;
    default:
        return 0;
    }
}

static bool strikes_now(enum fault fault) {
    return world.calls == world.at && world.fault == fault;
}

static int service_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    int result = common_fault(REKEY_WANT_WRITE, REKEY_E_CONNECT);

    (void)ctx;
    (void)host;
    (void)port;
    (void)timeout_ms;
    fake.open = true;
    if (result != 0) {
        return result;
    }
    if (strikes_now(NOT_TRUSTED_NOW)) {
        return REKEY_E_CERT_ISSUER;
    }
    if (strikes_now(ENDS) || strikes_now(IS_CUT)) {
        return REKEY_E_TLS;
    }
    world.connected = true;
    world.request_len = 0;
    world.current = (struct answer){"", 0};
    world.dead_end = world.post_counted = false;
    return REKEY_DONE;
}

static struct answer next_answer(const struct answer *list, size_t count, int index) {
    size_t i = (size_t)index;

    while (i >= count || list[i].bytes == NULL) {
        i--;
    }
    return list[i];
}

// The request has arrived completely: the service executes it, and begins to answer.
static void request_complete(void) {
    if (strncmp(world.request, "GET ", 4) == 0) {
        world.current = next_answer(world.shape->polls, 6, world.polls++);
    } else {
        world.current = next_answer(world.shape->posts, 3, world.posts - 1);
    }
    world.executed += (world.current.meaning & EXECUTES) != 0;
    world.request_len = 0;
    world.post_counted = false;
}

static int service_write(void *ctx, const void *data, size_t len, size_t *done) {
    int result;

    (void)ctx;
    assert_true(world.connected && len > 0);
    if (!world.post_counted && world.request_len == 0 && *(const char *)data == 'P') {
        world.posts++; // write was called for a POST, whatever its result
        world.post_counted = true;
    }
    result = common_fault(REKEY_WANT_WRITE, REKEY_E_IO);
    if (result != 0) {
        return result;
    }
    if (strikes_now(ENDS) || strikes_now(IS_CUT)) {
        return world.broken = REKEY_E_IO;
    }
    *done = len < world.write_max ? len : world.write_max;
    assert_true(world.request_len + *done < sizeof(world.request));
    fake_send(world.request, &world.request_len, data, *done);
    if (fake_sent_whole(world.request, world.request_len)) {
        request_complete();
    }
    return REKEY_DONE;
}

static int service_read(void *ctx, void *buf, size_t cap, size_t *done) {
    size_t left = strlen(world.current.bytes);
    int result;

    (void)ctx;
    assert_true(world.connected && cap > 0);
    result = common_fault(REKEY_WANT_READ, REKEY_E_IO);
    if (result != 0) {
        return result;
    }
    if (strikes_now(ENDS)) {
        return world.broken = REKEY_END;
    }
    if (strikes_now(IS_CUT)) {
        return world.broken = REKEY_E_END;
    }
    if (left == 0) {
        return world.dead_end ? REKEY_END : REKEY_WANT_READ;
    }
    cap = cap < world.read_max ? cap : world.read_max;
    fake_give(&world.current.bytes, left, buf, cap, done);
    if (strikes_now(NO_FRAMING)) {
        *(char *)buf = '\0';
        world.current.meaning &= EXECUTES; // it no longer says what it said
    }
    if (*done == left) {
        world.ended_well |= (world.current.meaning & ENDS_WELL) != 0;
        world.ended_badly |= (world.current.meaning & ENDS_BADLY) != 0;
        world.allowed += (world.current.meaning & ALLOWS_ANOTHER) != 0;
        world.dead_end = world.shape->close_each;
    }
    return REKEY_DONE;
}

static void service_close(void *ctx) {
    (void)ctx;
    fake.open = world.connected = false;
    world.broken = 0;
}

// Entropy, token and storage can fail in only one way.
static int entropy(void *ctx, void *buf, size_t len) {
    fake_entropy(ctx, buf, len);
    return strikes() && world.fault == RESETS ? REKEY_E_ENTROPY : REKEY_DONE;
}

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    const char *text = "token-a";

    (void)ctx;
    (void)cap;
    if (strikes()) {
        if (world.fault == RESETS) {
            return REKEY_E_NO_TOKEN;
        }
        if (world.fault == BLOCKS_ONCE) {
            return REKEY_AGAIN;
        }
    }
    if (world.tokens++ > 0 && world.shape->second_token != NULL) {
        text = world.shape->second_token;
    }
    *len = strlen(text);
    memcpy(buf, text, *len);
    return REKEY_DONE;
}

static int save(void *ctx, const struct rekey_record *record) {
    (void)ctx;
    (void)record;
    return strikes() && world.fault == RESETS ? REKEY_E_SAVE : REKEY_DONE;
}

static const struct rekey_port port = {
    .tls = {.open = service_open,
            .write = service_write,
            .read = service_read,
            .close = service_close},
    .now_ms = fake_now,
    .wall_s = fake_wall,
    .entropy = entropy,
};

// Runs the operation to its end. Returns the result.
static int drive(void) {
    const struct rekey_record record = {.kind = REKEY_POLL_ASYNC_OPERATION,
                                        .url = REKEY_SPAN("https://" HOST "/operations/1"),
                                        .request_id =
                                            REKEY_SPAN("55555555-5555-4555-9555-555555555555")};
    int result, steps = 0;

    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = token;
    options.save = save;
    assert_int_equal(rekey_init(&client, &port, &options), 0);
    if (world.shape->resume) {
        assert_int_equal(rekey_resume(&client, &record), 0);
    } else {
        assert_int_equal(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("v")),
                         0);
    }
    while ((result = fake_step(&client)) > 0) {
        assert_true(++steps < 100000);
    }
    return result;
}

static void check_run(int result) {
    struct rekey_report report;
    enum rekey_outcome outcome;
    uint64_t late = world.fault == SUSPENDS ? REKEY_TIMEOUT_MS : REKEY_IDLE_TIMEOUT_MS;

    rekey_report(&client, &report);
    outcome = report.outcome;
    check_int(report.error, result);
    check_int(outcome == REKEY_SUCCEEDED, result == 0);
    check(outcome != REKEY_SUCCEEDED || world.ended_well);
    check(outcome != REKEY_FAILED || world.ended_badly);
    check(outcome != REKEY_RUNNING || report.kind != REKEY_POLL_NONE);
    check(outcome != REKEY_NONE && outcome != REKEY_USAGE);
    if (outcome == REKEY_REFUSED || outcome == REKEY_NOT_REACHED || outcome == REKEY_NOT_TRUSTED ||
        outcome == REKEY_CREDENTIALS || outcome == REKEY_LOCAL) {
        check_int(world.executed, 0);
        check(world.posts <= world.allowed + (outcome == REKEY_REFUSED)); // each got that answer
    }
    check(world.executed <= 1);
    check(world.posts <= 1 + world.allowed);
    check(fake.now <= 1000 + REKEY_TIMEOUT_MS + late);
    check(!fake.open);
    check(nothing_left(&client));
    if (world.fault == NO_FAULT || world.fault == BLOCKS_ONCE || world.fault == ONE_BYTE) {
        check_int(outcome, world.shape->outcome);
    }
}

static void run_once(const struct shape *shape, enum fault fault, long at, size_t bytes) {
    memset(&world, 0, sizeof(world));
    world.shape = shape;
    world.fault = fault;
    world.at = at;
    fake = (struct fake_port){.now = 1000, .wall = 784111777};
    world.read_max = world.write_max = bytes;
    world.executed = 0;
    check_run(drive());
}

static long runs;

// `bytes` is how much the transport accepts and returns per call: with fewer bytes there are more
// calls that can fail.
static void sweep(size_t bytes) {
    for (size_t s = 0; s < COUNT(shapes); s++) {
        for (int fault = NO_FAULT; fault < FAULTS; fault++) {
            for (long at = 1;; at++) {
                row_nn(shapes[s].name, fault, at);
                run_once(&shapes[s], (enum fault)fault, at, bytes);
                runs++;
                if (world.calls < at) {
                    break; // the fault did not occur any more
                }
            }
        }
    }
}

static void test_faults(void **state) {
    static const size_t bytes[] = {SIZE_MAX, 100, 7};

    (void)state;
    for (size_t i = 0; i < COUNT(bytes); i++) {
        sweep(bytes[i]);
    }
    printf("%ld runs:", runs);
    for (int i = 0; i < FAULTS; i++) {
        printf(" %s%s", fault_names[i], i + 1 < FAULTS ? "," : "\n");
    }
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_faults)};

    return cmocka_run_group_tests_name("fault", tests, NULL, rows_total);
}
