// test_rekey.c - the operation as a whole, over a scripted transport and a virtual clock.
// A case is a list of connections, each with its answers. The test checks the error, the outcome,
// the waits to the millisecond, the number of POSTs and polls, and the saved records. tests/e2e
// uses real sockets, TLS and processes.

#include <stdio.h>
#include <string.h>

#include "fake_port.h"
#include "retry.h"
#include "support.h"

#define HOST "management.azure.com"
#define ASYNC "https://" HOST "/subscriptions/S/operations/1?api-version=V&t=1"
#define LOCATION "https://" HOST ":443/results/oe:1:2?c=*"
#define HEAD(status) "HTTP/1.1 " status " X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define BODY0 "Content-Length: 0\r\n\r\n"
#define JSON(body) "Transfer-Encoding: chunked\r\n\r\n" body
#define ACCEPTED_ASYNC HEAD("202") "Azure-AsyncOperation: " ASYNC "\r\n" BODY0
#define ACCEPTED_BOTH                                                                              \
    HEAD("202") "Location: " LOCATION "\r\nAzure-AsyncOperation: " ASYNC "\r\n" BODY0
#define ACCEPTED_LOCATION HEAD("202") "Location: " LOCATION "\r\nRetry-After: 2\r\n" BODY0
#define RUNNING HEAD("200") "Content-Length: 21\r\n\r\n{\"status\":\"Updating\"}"
#define SUCCEEDED HEAD("200") "Content-Length: 22\r\n\r\n{\"status\":\"Succeeded\"}"
#define FAILED                                                                                     \
    HEAD("200")                                                                                    \
    "Content-Length: 61\r\n\r\n{\"error\":{\"code\":\"C\",\"message\":\"it "                       \
    "broke\"},\"status\":\"Failed\"}"
#define EMPTY(status) HEAD(status) BODY0

// The longest request: a path or URL, a token, a key value with each byte escaped, and the rest.
#define REQUEST_MAX (REKEY_URL_MAX + REKEY_TOKEN_MAX + 6 * REKEY_KEY_VALUE_MAX + 1024)

#define CONNECTIONS 8
#define ANSWERS 10

// One connection: what open returns, what is answered to each request, and what read returns when
// there are no more answers (0: nothing comes, for ever).
struct connection {
    int open;
    const char *answers[ANSWERS];
    int after;
    int write_error;   // the first write of the last request fails with it
    const char *extra; // comes after the last answer, when it has been read
    int first;         // what the first read without an answer returns
};

static struct {
    const struct connection *script;
    int connection;         // index of the open one; -1 before the first
    int request;            // index on this connection
    char sent[REQUEST_MAX]; // of this request, or the whole of the last one
    size_t sent_len;
    const char *answer; // the bytes that were not read yet
    size_t write_max;   // bytes that one write accepts
    size_t read_max;
    int posts, polls, lists, connects;
    uint64_t waits[64];
    int wait_count;
    struct rekey_record saved[8];
    char saved_url[8][128];
    int saves, saves_good, save_error; // which the saves after the good ones return
    const char *tokens[4];
    int token_calls;
    int entropy_error;
    bool first_done;
} world;

// For long texts that a test makes: one test at a time.
static char scratch[2 * REKEY_URL_MAX + REKEY_STAGING_MAX + 512];

static struct rekey client;
static struct rekey_options options;
static struct rekey_report report;

static int fake_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    assert_true(rekey_span_equal(host, options.host));
    assert_int_equal(port, options.port);
    assert_true(timeout_ms > 0);
    if (!fake.open) {
        fake.open = true;
        world.connection++;
        world.connects++;
        world.request = 0;
        world.sent_len = 0;
        world.answer = "";
        assert_true(world.connection < CONNECTIONS);
    }
    return world.script[world.connection].open;
}

// The request in world.sent is complete: count it, and lay out the answer.
static void request_sent(void) {
    const struct connection *c = &world.script[world.connection];

    if (strncmp(world.sent, "GET ", 4) == 0) {
        world.polls++;
    } else if (strstr(world.sent, "/listKeys?") != NULL) {
        world.lists++;
    } else {
        world.posts++;
    }
    world.answer = c->answers[world.request] != NULL ? c->answers[world.request] : "";
    world.request++;
    world.sent_len = 0;
}

static int fake_write(void *ctx, const void *data, size_t len, size_t *done) {
    const struct connection *c = &world.script[world.connection];

    (void)ctx;
    assert_true(fake.open && len > 0);
    if (c->write_error != 0 && c->answers[world.request + 1] == NULL) {
        world.answer = c->answers[world.request] != NULL ? c->answers[world.request] : "";
        return c->write_error;
    }
    *done = len < world.write_max ? len : world.write_max;
    assert_true(world.sent_len + *done < sizeof(world.sent));
    fake_send(world.sent, &world.sent_len, data, *done);
    if (fake_sent_whole(world.sent, world.sent_len)) {
        request_sent();
    }
    return REKEY_DONE;
}

static int fake_read(void *ctx, void *buf, size_t cap, size_t *done) {
    const struct connection *c = &world.script[world.connection];
    size_t len = strlen(world.answer);

    (void)ctx;
    assert_true(fake.open && cap > 0);
    if (len == 0 && c->first != 0 && !world.first_done) {
        world.first_done = true;
        return c->first;
    }
    if (len == 0 && c->extra != NULL) {
        world.answer = c->extra;
        len = strlen(world.answer);
    }
    if (len == 0) {
        bool last = c->answers[world.request] == NULL;

        return last && c->after != 0 && world.sent_len == 0 ? c->after : REKEY_WANT_READ;
    }
    cap = cap < world.read_max ? cap : world.read_max;
    return fake_give(&world.answer, len, buf, cap, done);
}

// Sixteen different bytes, for the request id; a backoff takes the first four.
#define ID "80808080-4567-4a89-bedc-ba9876543210"
static int sixteen_bytes(void *ctx, void *buf, size_t len) {
    static const unsigned char bytes[] = {0x80, 0x80, 0x80, 0x80, 0x45, 0x67, 0xCA, 0x89,
                                          0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10};

    (void)ctx;
    assert_true(len <= sizeof(bytes));
    memcpy(buf, bytes, len);
    return world.entropy_error;
}

static void fake_wait(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    assert_true(ms > 0 || want == REKEY_WANT_TIME);
    fake.now += ms;
    if (want == REKEY_WANT_TIME) {
        assert_true(world.wait_count < 64);
        world.waits[world.wait_count++] = ms;
    }
}

static const char empty_token[] = "(empty)"; // a token of no bytes
static const char unset_token[] = "(unset)"; // a callback that does not set the length
static char long_token[REKEY_TOKEN_MAX + 2]; // one byte too long; without it, it fits

static int fake_token(void *ctx, char *buf, size_t cap, size_t *len) {
    const char *token = world.tokens[world.token_calls];

    (void)ctx;
    world.token_calls++;
    if (token == NULL) {
        return REKEY_E_NO_TOKEN;
    }
    if (token == unset_token) {
        buf[0] = 'x';
        return REKEY_DONE;
    }
    *len = token == empty_token ? 0 : strlen(token);
    memcpy(buf, token, *len < cap ? *len : cap);
    return *len <= cap ? REKEY_DONE : REKEY_E_LIMIT_TOKEN;
}

static int fake_save(void *ctx, const struct rekey_record *record) {
    (void)ctx;
    assert_true(world.saves < 8);
    assert_true((record->kind == REKEY_POLL_NONE) == (record->url.len == 0));
    assert_int_equal(record->request_id.len, 36);
    world.saved[world.saves] = *record;
    if (record->url.len > 0 && record->url.len < sizeof(world.saved_url[0])) {
        memcpy(world.saved_url[world.saves], record->url.ptr, record->url.len);
    }
    world.saves++;
    return world.saves > world.saves_good ? world.save_error : REKEY_DONE;
}

static const struct rekey_port port = {
    .tls = {.open = fake_open, .write = fake_write, .read = fake_read, .close = fake_close},
    .now_ms = fake_now,
    .wall_s = fake_wall,
    .entropy = sixteen_bytes,
    .wait = fake_wait,
};

static void reset(const struct connection *script) {
    memset(&world, 0, sizeof(world));
    world.script = script;
    world.connection = -1;
    world.write_max = world.read_max = SIZE_MAX;
    fake = (struct fake_port){.now = 1000, .wall = 784111777 - 100}; // behind the date of HEAD
    memset(long_token, 't', sizeof(long_token) - 1);
    world.tokens[0] = "token-a";
    world.tokens[1] = "token-a";
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = fake_token;
    options.save = fake_save;
    assert_int_equal(rekey_init(&client, &port, &options), 0);
}

// What must hold at every end.
static void check_end(void) {
    rekey_report(&client, &report);
    assert_false(fake.open);
    assert_true(nothing_left(&client));
    assert_int_equal(rekey_step(&client), report.error); // sticky
    assert_int_equal(report.outcome == REKEY_SUCCEEDED, report.error == 0);
}

static int list(struct rekey_keys *keys) {
    assert_int_equal(rekey_list_keys(&client, &endpoint, keys), 0);
    return rekey_run(&client);
}

static void regenerate(void) {
    assert_int_equal(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    rekey_run(&client);
    check_end();
}

// ---- the table ----------------------------------------------------------------------------------

// The backoffs 402, 803, 1606, 3213 are 0x80808080 / 2^32 of 0.8 s * 2^n, as sixteen_bytes gives
// them.
#define END_OF_WAITS UINT64_MAX

struct operation {
    const char *name;
    struct connection script[CONNECTIONS];
    int error;
    enum rekey_outcome outcome;
    int posts, polls;
    uint64_t waits[12]; // ended by END_OF_WAITS
    const char *tokens[3];
    bool retry_unsafe;
    uint32_t timeout_ms;
};

#define NO_WAITS                                                                                   \
    { END_OF_WAITS }

#define HUNDRED                                                                                    \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"                                           \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct operation operations[] = {
    {"200", {{0, {EMPTY("200")}}}, 0, REKEY_SUCCEEDED, 1, 0, NO_WAITS},
    {"201", {{0, {EMPTY("201")}}}, 0, REKEY_SUCCEEDED, 1, 0, NO_WAITS},
    {"204", {{0, {HEAD("204") "\r\n"}}}, 0, REKEY_SUCCEEDED, 1, 0, NO_WAITS},
    {"200 by close", {{0, {HEAD("200") "\r\n{}"}, REKEY_END}}, 0, REKEY_SUCCEEDED, 1, 0, NO_WAITS},
    {"200 that is not JSON",
     {{0, {HEAD("200") "\r\nx"}, REKEY_END}},
     REKEY_E_JSON,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"201 that is coded",
     {{0, {HEAD("201") "Content-Encoding: gzip\r\n\r\nx"}, REKEY_END}},
     REKEY_E_CONTENT_CODING,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"200 that says failed", {{0, {FAILED}}}, REKEY_E_FAILED, REKEY_FAILED, 1, 0, NO_WAITS},
    {"201 that says canceled",
     {{0, {HEAD("201") "\r\n{\"status\":\"Canceled\"}"}, REKEY_END}},
     REKEY_E_CANCELED,
     REKEY_FAILED,
     1,
     0,
     NO_WAITS},
    {"200 that says running",
     {{0, {RUNNING}}},
     REKEY_E_CONTRADICTORY,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"200 that says succeeded", {{0, {SUCCEEDED}}}, 0, REKEY_SUCCEEDED, 1, 0, NO_WAITS},
    {"201 with an error",
     {{0, {HEAD("201") "\r\n{\"error\":{}}"}, REKEY_END}},
     REKEY_E_CONTRADICTORY,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"204 has no body that could count",
     {{0, {HEAD("204") "\r\n{\"status\":\"Failed\"}"}}},
     0,
     REKEY_SUCCEEDED,
     1,
     0,
     NO_WAITS},
    {"unsafe: 500 then a 200 that says failed",
     {{0, {EMPTY("500")}}, {0, {FAILED}}},
     REKEY_E_FAILED,
     REKEY_UNKNOWN,
     2,
     0,
     {402, END_OF_WAITS},
     .retry_unsafe = true},
    {"202 whose body does not count",
     {{0,
       {HEAD("202") "Azure-AsyncOperation: " ASYNC "\r\nContent-Length: 19\r\n\r\n"
                    "{\"status\":\"Failed\"}",
        SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: 200 of a Location that is not JSON",
     {{0, {ACCEPTED_LOCATION, HEAD("200") "\r\n<html>"}, REKEY_END}},
     REKEY_E_JSON,
     REKEY_UNKNOWN,
     1,
     1,
     {2000, END_OF_WAITS}},
    {"poll: 200 of a Location with an error",
     {{0, {ACCEPTED_LOCATION, HEAD("200") "\r\n{\"error\":{}}"}, REKEY_END}},
     REKEY_E_CONTRADICTORY,
     REKEY_UNKNOWN,
     1,
     1,
     {2000, END_OF_WAITS}},
    {"200 cut",
     {{0, {HEAD("200") "\r\nx"}, REKEY_E_END}},
     REKEY_E_END,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"200 with monitor",
     {{0, {HEAD("200") "Azure-AsyncOperation: " ASYNC "\r\n" BODY0, SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"200 with location",
     {{0, {HEAD("200") "Location: " LOCATION "\r\n" BODY0}}},
     0,
     REKEY_SUCCEEDED,
     1,
     0,
     NO_WAITS},
    {"200 with operation-location and location",
     {{0,
       {HEAD("200") "Operation-Location: " ASYNC "\r\nLocation: https://evil/\r\n" BODY0,
        SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"202 async, three polls",
     {{0, {ACCEPTED_ASYNC, RUNNING, RUNNING, SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     3,
     {10000, 10000, 10000, END_OF_WAITS}},
    {"202 both, async is polled",
     {{0, {ACCEPTED_BOTH, SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"202 location",
     {{0, {ACCEPTED_LOCATION, EMPTY("202"), EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     1,
     2,
     {2000, 10000, END_OF_WAITS}},
    {"202 no url", {{0, {EMPTY("202")}}}, REKEY_E_NO_POLL_URL, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"202 foreign host",
     {{0, {HEAD("202") "Location: https://evil/x\r\n" BODY0}}},
     REKEY_E_URL_FOREIGN,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"202 foreign async, good location",
     {{0,
       {HEAD("202") "Azure-AsyncOperation: https://evil/x\r\nLocation: " LOCATION "\r\n" BODY0}}},
     REKEY_E_URL_FOREIGN,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"202 async twice",
     {{0,
       {HEAD("202") "Azure-AsyncOperation: " ASYNC "\r\nAzure-AsyncOperation: " ASYNC
                    "\r\n" BODY0}}},
     REKEY_E_REPEATED_FIELD,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"operation failed",
     {{0, {ACCEPTED_ASYNC, FAILED}}},
     REKEY_E_FAILED,
     REKEY_FAILED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"400", {{0, {EMPTY("400")}}}, REKEY_E_REFUSED, REKEY_REFUSED, 1, 0, NO_WAITS},
    {"409", {{0, {EMPTY("409")}}}, REKEY_E_REFUSED, REKEY_REFUSED, 1, 0, NO_WAITS},
    {"307",
     {{0, {HEAD("307") "Location: https://evil/\r\n" BODY0}}},
     REKEY_E_REDIRECT,
     REKEY_REFUSED,
     1,
     0,
     NO_WAITS},
    {"206", {{0, {EMPTY("206")}}}, REKEY_E_STATUS, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"101", {{0, {HEAD("101") "\r\n"}}}, REKEY_E_STATUS, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"500", {{0, {EMPTY("500")}}}, REKEY_E_MAYBE_EXECUTED, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"503 without retry-after",
     {{0, {EMPTY("503")}}},
     REKEY_E_MAYBE_EXECUTED,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"503 with retry-after",
     {{0, {HEAD("503") "Retry-After: 3\r\n" BODY0}}, {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     2,
     0,
     {3000, END_OF_WAITS}},
    {"503 with malformed retry-after",
     {{0, {HEAD("503") "Retry-After: soon\r\n" BODY0}}},
     REKEY_E_MAYBE_EXECUTED,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"429 then 200",
     {{0, {EMPTY("429")}}, {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     2,
     0,
     {402, END_OF_WAITS}},
    {"429 milliseconds",
     {{0, {HEAD("429") "retry-after-ms: 250\r\n" BODY0}}, {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     2,
     0,
     {250, END_OF_WAITS}},
    {"at once after 429 and 503",
     {{0, {HEAD("429") "Retry-After: 0\r\n" BODY0}},
      {0, {HEAD("503") "Retry-After: 0\r\n" BODY0}},
      {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     3,
     0,
     NO_WAITS},
    {"coding of an empty body",
     {{0, {ACCEPTED_LOCATION, HEAD("200") "Content-Encoding: gzip\r\n" BODY0}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {2000, END_OF_WAITS}},
    {"429 five times",
     {{0, {HEAD("429") "Retry-After: 1\r\n" BODY0}},
      {0, {HEAD("429") "Retry-After: 1\r\n" BODY0}},
      {0, {HEAD("429") "Retry-After: 1\r\n" BODY0}},
      {0, {HEAD("429") "Retry-After: 1\r\n" BODY0}},
      {0, {HEAD("429") "Retry-After: 1\r\n" BODY0}}},
     REKEY_E_NOT_PROCESSED,
     REKEY_NOT_REACHED,
     5,
     0,
     {1000, 1000, 1000, 1000, END_OF_WAITS}},
    {"429 beyond the deadline",
     {{0, {HEAD("429") "Retry-After: 600\r\n" BODY0}}},
     REKEY_E_DEADLINE,
     REKEY_NOT_REACHED,
     1,
     0,
     NO_WAITS,
     .timeout_ms = 600000},
    {"401, same token",
     {{0, {EMPTY("401")}}},
     REKEY_E_UNAUTHORIZED,
     REKEY_CREDENTIALS,
     1,
     0,
     NO_WAITS},
    {"401, new token",
     {{0, {EMPTY("401")}}, {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     2,
     0,
     NO_WAITS,
     {"token-a", "token-b"}},
    {"401 twice",
     {{0, {EMPTY("401")}}, {0, {EMPTY("401")}}},
     REKEY_E_UNAUTHORIZED,
     REKEY_CREDENTIALS,
     2,
     0,
     NO_WAITS,
     {"token-a", "token-b", "token-c"}},
    {"401 while polling, same token",
     {{0, {ACCEPTED_ASYNC, EMPTY("401")}}},
     REKEY_E_UNAUTHORIZED,
     REKEY_RUNNING,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"401 while polling, new token",
     {{0, {ACCEPTED_ASYNC, EMPTY("401"), SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     2,
     {10000, END_OF_WAITS},
     {"token-a", "token-b"}},
    {"401 while polling, no token",
     {{0, {ACCEPTED_ASYNC, EMPTY("401")}}},
     REKEY_E_NO_TOKEN,
     REKEY_RUNNING,
     1,
     1,
     {10000, END_OF_WAITS},
     {"token-a", ""}},
    {"refused five times",
     {{REKEY_E_CONNECT}, {REKEY_E_LOOKUP}, {REKEY_E_TLS}, {REKEY_E_CONNECT}, {REKEY_E_CONNECT}},
     REKEY_E_CONNECT,
     REKEY_NOT_REACHED,
     0,
     0,
     {402, 803, 1606, 3213, END_OF_WAITS}},
    {"refused, then there",
     {{REKEY_E_CONNECT}, {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     1,
     0,
     {402, END_OF_WAITS}},
    {"connect timeout",
     {{REKEY_WANT_READ}},
     REKEY_E_CONNECT_TIMEOUT,
     REKEY_NOT_REACHED,
     0,
     0,
     NO_WAITS},
    {"a proxy that refuses", {{REKEY_E_PROXY}}, REKEY_E_PROXY, REKEY_NOT_REACHED, 0, 0, NO_WAITS},
    {"a proxy that cannot get through, then can",
     {{REKEY_E_PROXY_TARGET}, {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     1,
     0,
     {402, END_OF_WAITS}},
    {"a proxy that refuses after the post",
     {{0, {ACCEPTED_ASYNC}, REKEY_END}, {REKEY_E_PROXY}},
     REKEY_E_PROXY,
     REKEY_RUNNING,
     1,
     0,
     {10000, END_OF_WAITS}},
    {"certificate",
     {{REKEY_E_CERT_ISSUER}},
     REKEY_E_CERT_ISSUER,
     REKEY_NOT_TRUSTED,
     0,
     0,
     NO_WAITS},
    {"clock", {{REKEY_E_CLOCK}}, REKEY_E_CLOCK, REKEY_NOT_TRUSTED, 0, 0, NO_WAITS},
    {"an error that is not in the list", {{-1000}}, -1000, REKEY_REFUSED, 0, 0, NO_WAITS},
    {"an error of no group", {{-1}}, -1, REKEY_REFUSED, 0, 0, NO_WAITS},
    {"arena", {{REKEY_E_LIMIT_ARENA}}, REKEY_E_LIMIT_ARENA, REKEY_LOCAL, 0, 0, NO_WAITS},
    {"reset after the post", {{0, {NULL}, REKEY_E_IO}}, REKEY_E_IO, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"end after the post", {{0, {NULL}, REKEY_END}}, REKEY_E_END, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"silence after the post", {{0, {NULL}}}, REKEY_E_IDLE_TIMEOUT, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"half an answer",
     {{0, {"HTTP/1.1 20"}, REKEY_E_IO}},
     REKEY_E_IO,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"no HTTP", {{0, {"SSH-2.0\r\n"}}}, REKEY_E_STATUS_LINE, REKEY_UNKNOWN, 1, 0, NO_WAITS},
    {"write fails, answer is there",
     {{0, {EMPTY("403")}, REKEY_E_IO, REKEY_E_IO}},
     REKEY_E_REFUSED,
     REKEY_REFUSED,
     0,
     0,
     NO_WAITS},
    {"write fails, no answer",
     {{0, {NULL}, REKEY_E_IO, REKEY_E_IO}},
     REKEY_E_IO,
     REKEY_UNKNOWN,
     0,
     0,
     NO_WAITS},
    {"unsafe: 500 then 200",
     {{0, {EMPTY("500")}}, {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     2,
     0,
     {402, END_OF_WAITS},
     .retry_unsafe = true},
    {"unsafe: 500 then 409",
     {{0, {EMPTY("500")}}, {0, {EMPTY("409")}}},
     REKEY_E_REFUSED,
     REKEY_UNKNOWN,
     2,
     0,
     {402, END_OF_WAITS},
     .retry_unsafe = true},
    {"unsafe: reset then refused connections",
     {{0, {NULL}, REKEY_E_IO},
      {REKEY_E_CONNECT},
      {REKEY_E_CONNECT},
      {REKEY_E_CONNECT},
      {REKEY_E_CONNECT}},
     REKEY_E_CONNECT,
     REKEY_UNKNOWN,
     1,
     0,
     {402, 803, 1606, 3213, END_OF_WAITS},
     .retry_unsafe = true},
    {"unsafe: reset then 401",
     {{0, {NULL}, REKEY_E_IO}, {0, {EMPTY("401")}}},
     REKEY_E_UNAUTHORIZED,
     REKEY_UNKNOWN,
     2,
     0,
     {402, END_OF_WAITS},
     .retry_unsafe = true},
    {"unsafe: reset then failed",
     {{0, {NULL}, REKEY_E_IO}, {0, {ACCEPTED_ASYNC, FAILED}}},
     REKEY_E_FAILED,
     REKEY_UNKNOWN,
     2,
     1,
     {402, 10000, END_OF_WAITS},
     .retry_unsafe = true},
    {"poll: 404 three times, then done",
     {{0, {ACCEPTED_ASYNC, EMPTY("404"), EMPTY("404"), EMPTY("404"), SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     4,
     {10000, 10000, 10000, 10000, END_OF_WAITS}},
    {"poll: 404 four times",
     {{0, {ACCEPTED_ASYNC, EMPTY("404"), EMPTY("404"), EMPTY("404"), EMPTY("404")}}},
     REKEY_E_POLL_NOT_FOUND,
     REKEY_UNKNOWN,
     1,
     4,
     {10000, 10000, 10000, 10000, END_OF_WAITS}},
    {"poll: 404 not in a row",
     {{0,
       {ACCEPTED_ASYNC, EMPTY("404"), EMPTY("404"), EMPTY("404"), RUNNING, EMPTY("404"),
        EMPTY("404"), EMPTY("404"), SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     8,
     {10000, 10000, 10000, 10000, 10000, 10000, 10000, 10000, END_OF_WAITS}},
    {"poll: 403",
     {{0, {ACCEPTED_ASYNC, EMPTY("403")}}},
     REKEY_E_POLL_REFUSED,
     REKEY_UNKNOWN,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: 302",
     {{0, {ACCEPTED_ASYNC, HEAD("302") "Location: https://evil/\r\n" BODY0}}},
     REKEY_E_REDIRECT,
     REKEY_UNKNOWN,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: 500, 429, 408, then done",
     {{0,
       {ACCEPTED_ASYNC, EMPTY("500"), HEAD("429") "Retry-After: 7\r\n" BODY0, EMPTY("408"),
        SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     4,
     {10000, 402, 7000, 1606, END_OF_WAITS}},
    {"poll: framing error",
     {{0, {ACCEPTED_ASYNC, "HTTP/1.1 200 OK\nX: y\n\n"}}},
     REKEY_E_STATUS_LINE,
     REKEY_UNKNOWN,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: gzip",
     {{0, {ACCEPTED_ASYNC, HEAD("200") "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"}}},
     REKEY_E_CONTENT_CODING,
     REKEY_UNKNOWN,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: idle close, repeated at once",
     {{0, {ACCEPTED_ASYNC, RUNNING, NULL}, 0}, {0, {SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     3,
     {10000, 10000, 402, END_OF_WAITS}},
    {"poll: adopted url",
     {{0,
       {ACCEPTED_ASYNC, HEAD("202") "Azure-AsyncOperation: https://" HOST "/new\r\n" BODY0,
        SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     2,
     {10000, 10000, END_OF_WAITS}},
    {"poll: adopted foreign url",
     {{0, {ACCEPTED_ASYNC, HEAD("202") "Azure-AsyncOperation: https://evil/new\r\n" BODY0}}},
     REKEY_E_URL_FOREIGN,
     REKEY_UNKNOWN,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: location of another kind is not looked at",
     {{0, {ACCEPTED_ASYNC, HEAD("202") "Location: https://evil/new\r\n" BODY0, SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     2,
     {10000, 10000, END_OF_WAITS}},
    {"poll: certificate turns bad",
     {{0, {ACCEPTED_ASYNC}, REKEY_END}, {REKEY_E_CERT_DATES}},
     REKEY_E_CERT_DATES,
     REKEY_RUNNING,
     1,
     0,
     {10000, END_OF_WAITS}},
    {"poll: dead network",
     {{0, {ACCEPTED_ASYNC}, REKEY_END}, {REKEY_E_CONNECT}, {REKEY_E_CONNECT}, {REKEY_E_CONNECT}},
     REKEY_E_DEADLINE,
     REKEY_RUNNING,
     1,
     0,
     {10000, 402, 803, END_OF_WAITS},
     .timeout_ms = 12500},
    {"poll: deadline in a wait",
     {{0, {ACCEPTED_ASYNC, RUNNING}}},
     REKEY_E_DEADLINE,
     REKEY_RUNNING,
     1,
     1,
     {10000, END_OF_WAITS},
     .timeout_ms = 20000},
    {"deadline while connecting",
     {{REKEY_WANT_READ}},
     REKEY_E_DEADLINE,
     REKEY_NOT_REACHED,
     0,
     0,
     NO_WAITS,
     .timeout_ms = 5000},
    {"deadline while answering",
     {{0, {NULL}}},
     REKEY_E_DEADLINE,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS,
     .timeout_ms = 5000},
    {"canceled",
     {{0, {ACCEPTED_ASYNC, HEAD("200") "Content-Length: 21\r\n\r\n{\"status\":\"Canceled\"}"}}},
     REKEY_E_CANCELED,
     REKEY_FAILED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"token too long while polling",
     {{0, {ACCEPTED_ASYNC, EMPTY("401")}}},
     REKEY_E_LIMIT_TOKEN,
     REKEY_RUNNING,
     1,
     1,
     {10000, END_OF_WAITS},
     {"token-a", long_token}},
    {"token too long", {{0}}, REKEY_E_LIMIT_TOKEN, REKEY_USAGE, 0, 0, NO_WAITS, {long_token}},
    {"the second token is too long",
     {{0, {EMPTY("401")}}},
     REKEY_E_LIMIT_TOKEN,
     REKEY_CREDENTIALS,
     1,
     0,
     NO_WAITS,
     {"token-a", long_token}},
    {"token not ASCII", {{0}}, REKEY_E_TOKEN, REKEY_CREDENTIALS, 0, 0, NO_WAITS, {"a\x7F"}},
    {"token empty", {{0}}, REKEY_E_TOKEN, REKEY_CREDENTIALS, 0, 0, NO_WAITS, {empty_token}},
    {"arena while polling",
     {{0, {ACCEPTED_ASYNC}, REKEY_END}, {REKEY_E_LIMIT_ARENA}},
     REKEY_E_LIMIT_ARENA,
     REKEY_RUNNING,
     1,
     0,
     {10000, END_OF_WAITS}},
    {"300", {{0, {EMPTY("300")}}}, REKEY_E_REDIRECT, REKEY_REFUSED, 1, 0, NO_WAITS},
    {"307 with operation-location",
     {{0, {HEAD("307") "Operation-Location: https://evil/\r\nLocation: https://evil/\r\n" BODY0}}},
     REKEY_E_REDIRECT,
     REKEY_REFUSED,
     1,
     0,
     NO_WAITS},
    {"399", {{0, {EMPTY("399")}}}, REKEY_E_REDIRECT, REKEY_REFUSED, 1, 0, NO_WAITS},
    {"404 with a coded body",
     {{0, {HEAD("404") "Content-Encoding: br\r\n" BODY0}}},
     REKEY_E_REFUSED,
     REKEY_REFUSED,
     1,
     0,
     NO_WAITS},
    {"200 with both, the monitor is too long",
     {{0, {HEAD("201") "Location: " LOCATION "\r\nAzure-AsyncOperation: https://evil/\r\n" BODY0}}},
     REKEY_E_URL_FOREIGN,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"both monitors, the preferred is foreign",
     {{0,
       {HEAD("202") "Operation-Location: " ASYNC
                    "\r\nAzure-AsyncOperation: https://evil/\r\n" BODY0}}},
     REKEY_E_URL_FOREIGN,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"202 on another port",
     {{0, {HEAD("202") "Location: https://" HOST ":444/x\r\n" BODY0}}},
     REKEY_E_URL_FOREIGN,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"202 on a very long host",
     {{0, {HEAD("202") "Location: https://" HUNDRED ".example/x\r\n" BODY0}}},
     REKEY_E_URL_FOREIGN,
     REKEY_UNKNOWN,
     1,
     0,
     NO_WAITS},
    {"poll: silence on a reused connection",
     {{0, {ACCEPTED_ASYNC}, 0}, {0, {SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     2,
     {10000, 402, END_OF_WAITS}},
    {"poll: framing error in the first byte",
     {{0, {ACCEPTED_ASYNC, "x"}}},
     REKEY_E_STATUS_LINE,
     REKEY_UNKNOWN,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: 100 and 299 are not in the contract",
     {{0, {ACCEPTED_ASYNC, EMPTY("299")}}},
     REKEY_E_STATUS,
     REKEY_UNKNOWN,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"poll: ten failures in a row",
     {{0,
       {ACCEPTED_ASYNC, EMPTY("500"), EMPTY("500"), EMPTY("500"), EMPTY("500"), EMPTY("500"),
        EMPTY("500"), EMPTY("500")}},
      {0, {EMPTY("500")}},
      {0, {EMPTY("500")}},
      {0, {EMPTY("500")}},
      {0, {SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     11,
     {10000, 402, 803, 1606, 3213, 6425, 12850, 25700, 30118, 30118, 30118, END_OF_WAITS}},
    {"201 with both monitors",
     {{0,
       {HEAD("201") "Operation-Location: https://evil/\r\nAzure-AsyncOperation: " ASYNC
                    "\r\n" BODY0,
        SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"retry-after too long to be one",
     {{0,
       {HEAD("202") "Retry-After: "
                    "0000000000000000000000000000000000000000000000007\r\nLocation: " LOCATION
                    "\r\n" BODY0,
        EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"bytes after the answer: another connection",
     {{0, {ACCEPTED_ASYNC "x"}}, {0, {SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"bytes before the next request: another connection",
     {{0, {ACCEPTED_ASYNC, NULL}, 0, 0, "HTTP/1.1 200 X\r\n\r\n"}, {0, {SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"a reused connection says write",
     {{0, {ACCEPTED_ASYNC, SUCCEEDED}, 0, 0, NULL, REKEY_WANT_WRITE}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"a reused connection has a ticket",
     {{0, {ACCEPTED_ASYNC, SUCCEEDED}, 0, 0, NULL, REKEY_AGAIN}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {10000, END_OF_WAITS}},
    {"no token", {{0}}, REKEY_E_NO_TOKEN, REKEY_CREDENTIALS, 0, 0, NO_WAITS, {""}},
    {"token with a space", {{0}}, REKEY_E_TOKEN, REKEY_CREDENTIALS, 0, 0, NO_WAITS, {"a b"}},
    {"token that fills its buffer",
     {{0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     1,
     0,
     NO_WAITS,
     {long_token + 1}},
    {"token of the first and the last byte",
     {{0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     1,
     0,
     NO_WAITS,
     {"!~"}},
    {"token that begins with a space",
     {{0}},
     REKEY_E_TOKEN,
     REKEY_CREDENTIALS,
     0,
     0,
     NO_WAITS,
     {" a"}},
    {"token of no known length",
     {{0}},
     REKEY_E_TOKEN,
     REKEY_CREDENTIALS,
     0,
     0,
     NO_WAITS,
     {unset_token}},
    {"401 while polling, twice",
     {{0, {ACCEPTED_ASYNC, EMPTY("401"), EMPTY("401")}}},
     REKEY_E_UNAUTHORIZED,
     REKEY_RUNNING,
     1,
     2,
     {10000, END_OF_WAITS},
     {"token-a", "token-b", "token-c"}},
    {"401 while polling, not in a row",
     {{0, {ACCEPTED_ASYNC, EMPTY("401"), RUNNING, EMPTY("401"), SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     4,
     {10000, 10000, END_OF_WAITS},
     {"token-a", "token-b", "token-c"}},
    {"unsafe: reset then certificate",
     {{0, {NULL}, REKEY_E_IO}, {REKEY_E_CERT_ISSUER}},
     REKEY_E_CERT_ISSUER,
     REKEY_UNKNOWN,
     1,
     0,
     {402, END_OF_WAITS},
     .retry_unsafe = true},
    {"poll: closed while it went out, repeated at once",
     {{0, {ACCEPTED_ASYNC}, REKEY_END, 0, NULL, REKEY_WANT_READ}, {0, {SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     2,
     {10000, END_OF_WAITS}},
    {"poll: adopted location, beside another kind of url",
     {{0,
       {ACCEPTED_LOCATION,
        HEAD("202") "Azure-AsyncOperation: https://evil/\r\nLocation: " LOCATION "\r\n" BODY0,
        EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     1,
     2,
     {2000, 10000, END_OF_WAITS}},
    {"x-ms-retry-after-ms comes first",
     {{0,
       {HEAD("429") "Retry-After: 9\r\nretry-after-ms: 250\r\nx-ms-retry-after-ms: 120\r\n" BODY0}},
      {0, {HEAD("429") "Retry-After: 9\r\nretry-after-ms: 250\r\n" BODY0}},
      {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     3,
     0,
     {120, 250, END_OF_WAITS}},
    {"waits that fill their buffers",
     {{0, {HEAD("429") "Retry-After: 0000000000000000000000000000000000000007\r\n" BODY0}},
      {0, {HEAD("429") "retry-after-ms: 0000000000000000000000000000000000000250\r\n" BODY0}},
      {0, {HEAD("429") "x-ms-retry-after-ms: 0000000000000000000000000000000000000120\r\n" BODY0}},
      {0, {EMPTY("200")}}},
     0,
     REKEY_SUCCEEDED,
     4,
     0,
     {7000, 250, 120, END_OF_WAITS}},
    {"retry-after date, and milliseconds that are none",
     {{0,
       {HEAD("202") "Azure-AsyncOperation: " ASYNC "\r\nx-ms-retry-after-ms: soon\r\n"
                    "Retry-After: Sun, 06 Nov 1994 08:49:42 GMT\r\n" BODY0,
        SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {5000, END_OF_WAITS}},
    {"retry-after date",
     {{0,
       {HEAD("202") "Azure-AsyncOperation: " ASYNC
                    "\r\nRetry-After: Sun, 06 Nov 1994 08:49:42 GMT\r\n" BODY0,
        SUCCEEDED}}},
     0,
     REKEY_SUCCEEDED,
     1,
     1,
     {5000, END_OF_WAITS}},
};

static void prepare(const struct operation *o, size_t bytes_at_a_time) {
    reset(o->script);
    for (int i = 0; o->tokens[0] != NULL && i < 3; i++) {
        world.tokens[i] = o->tokens[i] != NULL && o->tokens[i][0] != '\0' ? o->tokens[i] : NULL;
    }
    options.retry_unsafe = o->retry_unsafe;
    options.timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : options.timeout_ms;
    world.read_max = world.write_max = bytes_at_a_time;
}

static void test_operations(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(operations); i++) {
        const struct operation *o = &operations[i];
        int n = 0;

        row(o->name);
        prepare(o, SIZE_MAX);
        regenerate();
        check_int(report.error, o->error);
        check_int(report.outcome, o->outcome);
        check_int(world.posts, o->posts);
        check_int(world.polls, o->polls);
        for (; o->waits[n] != END_OF_WAITS; n++) {
            check_int(world.waits[n], o->waits[n]);
        }
        check_int(world.wait_count, n);
    }
    rows_done();
}

// The same with one byte taken and given at a time: nothing may depend on how bytes are cut.
static void test_operations_byte_by_byte(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(operations); i++) {
        const struct operation *o = &operations[i];

        row(o->name);
        prepare(o, 1);
        regenerate();
        check_int(report.error, o->error);
        check_int(report.outcome, o->outcome);
        check_int(world.polls, o->polls);
    }
    rows_done();
}

// ---- single points ------------------------------------------------------------------------------

static void test_requests(void **state) {
    static const struct connection script[] = {{0, {ACCEPTED_LOCATION, SUCCEEDED}}};
    static const char post[] =
        "POST /subscriptions/sub/resourceGroups/rg/providers/"
        "Microsoft.MachineLearningServices/workspaces/wks/onlineEndpoints/ep/"
        "regenerateKeys?api-version=2025-09-01 HTTP/1.1\r\n"
        "Host: " HOST "\r\nUser-Agent: rekey/" REKEY_VERSION " (unknown board)\r\n"
        "Accept-Encoding: identity\r\n"
        "x-ms-client-request-id: " ID "\r\n"
        "Authorization: Bearer token-a\r\nContent-Type: application/json\r\n"
        "Content-Length: 41\r\n\r\n{\"keyType\":\"Secondary\",\"keyValue\":\"a\\\"b\"}";
    static const char get[] =
        "GET /results/oe:1:2?c=* HTTP/1.1\r\n"
        "Host: " HOST "\r\nUser-Agent: rekey/" REKEY_VERSION " (unknown board)\r\n"
        "Accept-Encoding: identity\r\n"
        "x-ms-client-request-id: " ID "\r\n"
        "Authorization: Bearer token-a\r\n\r\n";
    static const char list[] =
        "POST /subscriptions/sub/resourceGroups/rg/providers/"
        "Microsoft.MachineLearningServices/workspaces/wks/onlineEndpoints/ep/"
        "listKeys?api-version=2025-09-01 HTTP/1.1\r\n"
        "Host: " HOST "\r\nUser-Agent: rekey/" REKEY_VERSION " (unknown board)\r\n"
        "Accept-Encoding: identity\r\n"
        "x-ms-client-request-id: " ID "\r\n"
        "Authorization: Bearer token-a\r\nContent-Length: 0\r\n\r\n";
    static const struct connection refused[] = {{0, {EMPTY("403")}}};
    static struct rekey_keys keys;

    (void)state;
    row("post");
    reset(script);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_SECONDARY, REKEY_SPAN("a\"b")), 0);
    while (world.posts == 0) {
        check(rekey_step(&client) > 0);
    }
    check_int(strcmp(world.sent, post), 0);
    row("get");
    rekey_run(&client);
    check_end();
    check_int(strcmp(world.sent, get), 0);
    check_int(world.connects, 1);
    row("key value of one byte");
    reset(refused);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("k")), 0);
    rekey_run(&client);
    check(strstr(world.sent, "{\"keyType\":\"Primary\",\"keyValue\":\"k\"}") != NULL);
    row("list keys");
    reset(refused);
    check_int(rekey_list_keys(&client, &endpoint, &keys), 0);
    rekey_run(&client);
    check_int(strcmp(world.sent, list), 0);
    rows_done();
}

// The intent before the POST, then the polling URL with its kind, then an adopted one.
static void test_records(void **state) {
    static const struct connection script[] = {
        {0,
         {ACCEPTED_BOTH,
          HEAD("200") "Azure-AsyncOperation: https://" HOST "/new\r\nContent-Length: "
                      "21\r\n\r\n{\"status\":\"Updating\"}",
          SUCCEEDED}}};

    (void)state;
    row("saved");
    reset(script);
    regenerate();
    check_int(world.saves, 3);
    check_int(world.saved[0].kind, REKEY_POLL_NONE);
    check_int(world.saved[0].url.len, 0);
    check_int(world.saved[1].kind, REKEY_POLL_ASYNC_OPERATION);
    check_int(strcmp(world.saved_url[1], ASYNC), 0);
    check_int(strcmp(world.saved_url[2], "https://" HOST "/new"), 0);
    check(!report.save_failed);

    row("cannot be saved after the POST");
    reset(script);
    world.saves_good = 1;
    world.save_error = REKEY_E_SAVE;
    regenerate();
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(world.saves, 3);
    check(report.save_failed);

    row("cannot be saved before the POST");
    reset(script);
    world.save_error = REKEY_E_SAVE;
    regenerate();
    check_int(report.error, REKEY_E_SAVE);
    check_int(report.outcome, REKEY_LOCAL);
    check_int(world.posts, 0);
    rows_done();
}

static void test_resume(void **state) {
    char *const full_url = scratch, *const long_url = scratch + REKEY_URL_MAX + 1;
    static const struct connection script[] = {{0, {RUNNING, SUCCEEDED}}};
    static const struct connection failing[] = {{0, {FAILED}}};
    static const struct {
        const char *name, *url;
        enum rekey_poll_kind kind;
        const char *id;
        bool unsure;
        int error;
        enum rekey_outcome outcome;
        const struct connection *script;
    } table[] = {
        {"good", ASYNC, REKEY_POLL_ASYNC_OPERATION, ID, false, 0, REKEY_SUCCEEDED, script},
        {"failed", ASYNC, REKEY_POLL_ASYNC_OPERATION, ID, false, REKEY_E_FAILED, REKEY_FAILED,
         failing},
        {"failed, but an earlier POST may have been executed", ASYNC, REKEY_POLL_ASYNC_OPERATION,
         ID, true, REKEY_E_FAILED, REKEY_UNKNOWN, failing},
        {"intent", "", REKEY_POLL_NONE, ID, false, REKEY_E_RESUME_NO_URL, REKEY_UNKNOWN, script},
        {"foreign", "https://evil/", REKEY_POLL_LOCATION, ID, false, REKEY_E_URL_FOREIGN,
         REKEY_UNKNOWN, script},
        {"http", "http://" HOST "/", REKEY_POLL_LOCATION, ID, false, REKEY_E_URL_SCHEME,
         REKEY_UNKNOWN, script},
        {"fills its buffer", scratch, REKEY_POLL_ASYNC_OPERATION, ID, false, 0, REKEY_SUCCEEDED,
         script},
        {"too long", scratch + REKEY_URL_MAX + 1, REKEY_POLL_LOCATION, ID, false, REKEY_E_LIMIT_URL,
         REKEY_UNKNOWN, script},
        {"short id", ASYNC, REKEY_POLL_LOCATION, "x", false, REKEY_E_RECORD, REKEY_UNKNOWN, script},
        {"long id", ASYNC, REKEY_POLL_LOCATION, ID "0", false, REKEY_E_RECORD, REKEY_UNKNOWN,
         script},
        {"an id with a line end", ASYNC, REKEY_POLL_LOCATION,
         "01234567-89ab-4def-8123-456789abcde\n", false, REKEY_E_RECORD, REKEY_UNKNOWN, script},
        {"an id that begins with a line end", ASYNC, REKEY_POLL_LOCATION,
         "\n1234567-89ab-4def-8123-456789abcdef", false, REKEY_E_RECORD, REKEY_UNKNOWN, script},
        {"an intent with a damaged id", "", REKEY_POLL_NONE, "x", false, REKEY_E_RECORD,
         REKEY_UNKNOWN, script},
        {"the kind after the last", ASYNC, (enum rekey_poll_kind)4, ID, false, REKEY_E_RECORD,
         REKEY_UNKNOWN, script},
        {"a negative kind", ASYNC, (enum rekey_poll_kind) - 1, ID, false, REKEY_E_RECORD,
         REKEY_UNKNOWN, script},
    };

    (void)state;
    memset(scratch, 0, sizeof(scratch));
    memset(full_url, 'u', REKEY_URL_MAX);
    memset(long_url, 'u', REKEY_URL_MAX + 1);
    memcpy(full_url, "https://" HOST "/", sizeof("https://" HOST "/") - 1);
    for (size_t i = 0; i < COUNT(table); i++) {
        struct rekey_record record = {.kind = table[i].kind,
                                      .url = {table[i].url, strlen(table[i].url)},
                                      .request_id = {table[i].id, strlen(table[i].id)},
                                      .unsure = table[i].unsure};

        row(table[i].name);
        reset(table[i].script);
        rekey_resume(&client, &record);
        rekey_run(&client);
        check_end();
        check_int(report.error, table[i].error);
        check_int(report.outcome, table[i].outcome);
        check_int(world.posts, 0);
        check_int(world.wait_count, table[i].error == 0 ? 1 : 0); // the first poll goes at once
    }
    rows_done();
}

static void test_list_keys(void **state) {
#define KEYS(body) HEAD("200") "Content-Length: " body
    static const struct {
        const char *name;
        struct connection script[CONNECTIONS];
        int error;
        enum rekey_outcome outcome;
        int lists;
    } table[] = {
        {"keys",
         {{0, {KEYS("38\r\n\r\n{\"primaryKey\":\"a\",\"secondaryKey\":null}")}}},
         0,
         REKEY_SUCCEEDED,
         1},
        {"repeated",
         {{0, {EMPTY("500")}},
          {0, {NULL}, REKEY_E_IO},
          {REKEY_E_CONNECT},
          {0, {KEYS("38\r\n\r\n{\"primaryKey\":\"a\",\"secondaryKey\":null}")}}},
         0,
         REKEY_SUCCEEDED,
         3},
        {"no keys", {{0, {KEYS("2\r\n\r\n{}")}}}, REKEY_E_JSON_KEYS, REKEY_NOT_REACHED, 1},
        {"coded",
         {{0, {HEAD("200") "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"}}},
         REKEY_E_CONTENT_CODING,
         REKEY_NOT_REACHED,
         1},
        {"too long", {{0, {scratch}}}, REKEY_E_LIMIT_STAGING, REKEY_LOCAL, 1},
        {"byte order mark",
         {{0, {KEYS("41\r\n\r\n\xEF\xBB\xBF{\"primaryKey\":\"a\",\"secondaryKey\":null}")}}},
         0,
         REKEY_SUCCEEDED,
         1},
        {"no JSON", {{0, {KEYS("1\r\n\r\n{")}}}, REKEY_E_JSON, REKEY_NOT_REACHED, 1},
        {"403", {{0, {EMPTY("403")}}}, REKEY_E_REFUSED, REKEY_REFUSED, 1},
        {"202", {{0, {EMPTY("202")}}}, REKEY_E_NO_POLL_URL, REKEY_REFUSED, 1},
        {"framing", {{0, {"nonsense"}}}, REKEY_E_STATUS_LINE, REKEY_NOT_REACHED, 1},
        {"500 five times",
         {{0, {EMPTY("500")}},
          {0, {EMPTY("500")}},
          {0, {EMPTY("500")}},
          {0, {EMPTY("500")}},
          {0, {EMPTY("500")}}},
         REKEY_E_NOT_PROCESSED,
         REKEY_NOT_REACHED,
         5},
        {"401", {{0, {EMPTY("401")}}}, REKEY_E_UNAUTHORIZED, REKEY_CREDENTIALS, 1},
    };
    static struct rekey_keys keys;
    struct rekey_endpoint bad = endpoint;
    int len = sprintf(scratch, HEAD("200") "Content-Length: %d\r\n\r\n", REKEY_STAGING_MAX);

    (void)state;
    memset(scratch + len, ' ', REKEY_STAGING_MAX);
    scratch[len + REKEY_STAGING_MAX] = '\0';
    row("bad endpoint, and busy");
    reset(table[0].script);
    bad.workspace = REKEY_SPAN("x");
    check_int(rekey_list_keys(&client, &bad, &keys), REKEY_E_WORKSPACE);
    check_int(rekey_list_keys(&client, &endpoint, &keys), 0);
    check_int(rekey_list_keys(&client, &endpoint, &keys), REKEY_E_BUSY);
    check_int(rekey_resume(&client, &(struct rekey_record){.url = REKEY_SPAN("")}), REKEY_E_BUSY);
    for (size_t i = 0; i < COUNT(table); i++) {
        row(table[i].name);
        reset(table[i].script);
        memset(&keys, 0xA5, sizeof(keys));
        check_int(rekey_list_keys(&client, &endpoint, &keys), 0);
        check_int(keys.primary.len + keys.secondary.len, 0);
        rekey_run(&client);
        check_end();
        check_int(report.error, table[i].error);
        check_int(report.outcome, table[i].outcome);
        check_int(world.lists, table[i].lists);
        check_int(world.saves, 0);
        if (table[i].error == 0) {
            check_span(rekey_span(keys.primary.value, keys.primary.len), REKEY_SPAN("a"));
            check(keys.secondary.null && !keys.primary.null);
        } else {
            check_int(keys.primary.len, 0);
        }
    }
    rows_done();
}

// Ten polls may follow at once; the eleventh waits a second.
static void test_poll_floor(void **state) {
#define AT_ONCE HEAD("200") "Retry-After: 0\r\nContent-Length: 21\r\n\r\n{\"status\":\"Updating\"}"
    static const struct connection script[] = {
        {0,
         {ACCEPTED_ASYNC,
          HEAD("200") "Retry-After: 1\r\nContent-Length: 21\r\n\r\n{\"status\":\"Updating\"}",
          AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE},
         REKEY_END},
        {0, {AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, SUCCEEDED}}};
#define FAILS HEAD("500") "Retry-After: 0\r\n" BODY0
#define BUSY HEAD("429") "retry-after-ms: 0\r\n" BODY0
    static const struct connection failing[] = {
        {0, {ACCEPTED_ASYNC, FAILS, BUSY, FAILS, BUSY, FAILS, BUSY}, REKEY_END},
        {0, {FAILS, BUSY, FAILS, BUSY, FAILS, BUSY, SUCCEEDED}}};

    (void)state;
    row("floor");
    reset(script);
    regenerate();
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(world.polls, 14);
    check_int(world.waits[0], 10000);
    check_int(world.wait_count, 4);  // the first two, and one before each of the last two polls
    check_int(world.waits[1], 1000); // named by the answer: it does not count as one of the ten
    check_int(world.waits[2], 1000);
    check_int(world.waits[3], 1000);
    row("the same for polls that fail");
    reset(failing);
    regenerate();
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(world.polls, 13);
    check_int(world.waits[0], 10000);
    check_int(world.wait_count, 3);
    check_int(world.waits[1], 1000);
    check_int(world.waits[2], 1000);
    rows_done();
}

// A long wait closes the connection; a short one keeps it.
static void test_kept_connection(void **state) {
    static const struct connection script[] = {
        {0, {HEAD("202") "Retry-After: 16\r\nLocation: " LOCATION "\r\n" BODY0}},
        {0, {HEAD("202") "Retry-After: 15\r\n" BODY0, EMPTY("200")}}};

    (void)state;
    row("kept");
    reset(script);
    regenerate();
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(world.connects, 2);
    rows_done();
}

// A token that fills its buffer is unchanged after answers were read.
static void test_full_token(void **state) {
    static const struct connection script[] = {{0, {ACCEPTED_ASYNC, RUNNING, SUCCEEDED}}};
    const char *sent;

    (void)state;
    row("full token");
    reset(script);
    world.tokens[0] = long_token + 1;
    regenerate();
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(world.polls, 2);
    sent = strstr(world.sent, "Bearer ");
    if (check(sent != NULL)) {
        check_span(rekey_span(sent + 7, strcspn(sent + 7, "\r")),
                   rekey_span(long_token + 1, REKEY_TOKEN_MAX));
    }
    rows_done();
}

// Aborted after every possible number of steps: the outcome matches the requests that were sent.
static void test_abort(void **state) {
    static const struct connection script[] = {{0, {ACCEPTED_ASYNC, RUNNING, SUCCEEDED}}};

    (void)state;
    for (int steps = 0;; steps++) {
        int result = REKEY_AGAIN;

        row_n("steps", steps);
        reset(script);
        world.write_max = world.read_max = 100;
        check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
        for (int i = 0; i < steps && result > 0; i++) {
            result = rekey_step(&client);
            if (result > 0 && result != REKEY_AGAIN) {
                fake_wait(NULL, result, rekey_wait_ms(&client));
            }
        }
        if (result <= 0) {
            check_int(result, 0);
            check(steps > 20);
            break;
        }
        rekey_abort(&client);
        check_end();
        check_int(report.error, REKEY_E_ABORTED);
        check_int(report.outcome, report.kind != REKEY_POLL_NONE          ? REKEY_RUNNING
                                  : world.posts > 0 || world.sent_len > 0 ? REKEY_UNKNOWN
                                                                          : REKEY_NOT_REACHED);
    }
    rows_done();
}

// An answer with a URL of each length around the limit, in each field, alone and with a short one.
static void test_url_limit(void **state) {
    char *const answer = scratch;
    static const struct {
        const char *name;
        size_t async, location; // lengths of the URLs; 0: not there
        int error;
        enum rekey_outcome outcome;
        enum rekey_poll_kind kind;
        const char *other; // the field that brings the second; Location
        const char *head;  // 202
    } table[] = {
        {"async fits", REKEY_URL_MAX, 0, 0, REKEY_SUCCEEDED, REKEY_POLL_ASYNC_OPERATION},
        {"async is too long", REKEY_URL_MAX + 1, 0, REKEY_E_LIMIT_URL, REKEY_UNKNOWN,
         REKEY_POLL_NONE},
        {"location fits", 0, REKEY_URL_MAX, 0, REKEY_SUCCEEDED, REKEY_POLL_LOCATION},
        {"location is too long", 0, REKEY_URL_MAX + 1, REKEY_E_LIMIT_URL, REKEY_UNKNOWN,
         REKEY_POLL_NONE},
        {"both fit", REKEY_URL_MAX, REKEY_URL_MAX, 0, REKEY_SUCCEEDED, REKEY_POLL_ASYNC_OPERATION},
        {"the other is used", REKEY_URL_MAX + 1, REKEY_URL_MAX, 0, REKEY_SUCCEEDED,
         REKEY_POLL_LOCATION},
        {"the other monitor is used", REKEY_URL_MAX + 1, REKEY_URL_MAX, 0, REKEY_SUCCEEDED,
         REKEY_POLL_OPERATION_LOCATION, "Operation-Location: "},
        {"both are too long", REKEY_URL_MAX + 1, REKEY_URL_MAX + 1, REKEY_E_LIMIT_URL,
         REKEY_UNKNOWN, REKEY_POLL_NONE},
        {"a redirect that is too long", 0, REKEY_URL_MAX + 1, REKEY_E_REDIRECT, REKEY_REFUSED,
         REKEY_POLL_NONE, .head = HEAD("307")},
    };
    static const char base[] = "https://" HOST "/";

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct connection script[] = {{0, {answer, SUCCEEDED}}};
        const size_t lengths[] = {table[i].location, table[i].async};
        const char *const names[] = {table[i].other != NULL ? table[i].other : "Location: ",
                                     "Azure-AsyncOperation: "};
        size_t len =
            (size_t)sprintf(answer, "%s", table[i].head != NULL ? table[i].head : HEAD("202"));

        row(table[i].name);
        for (int k = 0; k < 2; k++) {
            if (lengths[k] > 0) {
                len += (size_t)sprintf(answer + len, "%s%s", names[k], base);
                memset(answer + len, 'a' + k, lengths[k] - (sizeof(base) - 1));
                len += lengths[k] - (sizeof(base) - 1);
                len += (size_t)sprintf(answer + len, "\r\n");
            }
        }
        sprintf(answer + len, BODY0);
        reset(script);
        regenerate();
        check_int(report.error, table[i].error);
        check_int(report.outcome, table[i].outcome);
        check_int(report.kind, table[i].kind);
        check_int(report.needed, table[i].error == REKEY_E_LIMIT_URL ? REKEY_URL_MAX + 1 : 0);
        check_int(report.subject.len, 0);
        check_int(report.url.len, table[i].kind != REKEY_POLL_NONE ? REKEY_URL_MAX : 0);
        for (size_t k = sizeof(base) - 1; k < report.url.len; k++) { // all of it as it came
            char byte = report.kind == REKEY_POLL_ASYNC_OPERATION ? 'b' : 'a';

            if (report.url.ptr[k] != byte) {
                check_int(report.url.ptr[k], byte);
                break;
            }
        }
    }
    rows_done();
}

// A status body that is longer than staging proves nothing, whatever its beginning says.
static void test_body_limit(void **state) {
    char *const answer = scratch;
    const size_t room = REKEY_STAGING_MAX - REKEY_JSON_TOKENS * 16;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        struct connection script[] = {{0, {ACCEPTED_ASYNC, answer}}};
        size_t size = room + over;
        size_t len =
            (size_t)sprintf(answer, HEAD("200") "Content-Length: %u\r\n\r\n", (unsigned)size);
        size_t start = len;

        row_n("bytes over", (long)over);
        len += (size_t)sprintf(answer + len, "{\"status\":\"Succeeded\"");
        memset(answer + len, ' ', size);
        strcpy(answer + start + size - 1, "}");
        reset(script);
        regenerate();
        check_int(report.error, over == 0 ? 0 : REKEY_E_LIMIT_STAGING);
        check_int(report.outcome, over == 0 ? REKEY_SUCCEEDED : REKEY_UNKNOWN);
        check_int(report.needed, over == 0 ? 0 : REKEY_STAGING_MAX + 1);
    }
    rows_done();
}

// A management host with a port, or an IPv6 address; a polling URL without a path.
static void test_hosts(void **state) {
    static const struct {
        const char *name, *host;
        uint16_t port;
        const char *answer, *host_field, *get;
        const char *poll; // the answer to the poll before the last one, if there is one
    } table[] = {
        {"port", "h.example", 8443, HEAD("202") "Location: https://H.example.:8443/r\r\n" BODY0,
         "Host: h.example:8443\r\n", "GET /r HTTP/1.1\r\n"},
        {"IPv6", "::1", 443, HEAD("202") "Location: https://[::1]?q\r\n" BODY0, "Host: [::1]\r\n",
         "GET /?q HTTP/1.1\r\n"},
        {"IPv6 and port", "::1", 65535, HEAD("202") "Location: https://[::1]:65535\r\n" BODY0,
         "Host: [::1]:65535\r\n", "GET / HTTP/1.1\r\n"},
        {"no path, and what the buffer held goes on with a slash", "::1", 443,
         HEAD("202") "Location: https://[::1]:0443\r\n" BODY0, "Host: [::1]\r\n",
         "GET / HTTP/1.1\r\n"},
        {"shortest path", "h", 443, HEAD("202") "Location: https://h/\r\n" BODY0, "Host: h\r\n",
         "GET / HTTP/1.1\r\n"},
        {"a poll brings another kind of url behind its own", HOST, 443, ACCEPTED_LOCATION,
         "Host: " HOST "\r\n", "GET /new HTTP/1.1\r\n",
         HEAD("202") "Location: https://" HOST "/new\r\nAzure-AsyncOperation: x\r\n" BODY0},
        {"a poll brings another kind of url", HOST, 443, ACCEPTED_ASYNC, "Host: " HOST "\r\n",
         "GET /subscriptions/S/operations/1?api-version=V&t=1 HTTP/1.1\r\n",
         HEAD("202") "Location: https://" HOST "/another\r\n" BODY0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct connection script[] = {{0, {table[i].answer, SUCCEEDED}}};

        if (table[i].poll != NULL) {
            script[0].answers[1] = table[i].poll;
            script[0].answers[2] = SUCCEEDED;
        }
        row(table[i].name);
        reset(script);
        options.host = (struct rekey_span){table[i].host, strlen(table[i].host)};
        options.port = table[i].port;
        options.save = NULL;
        check_int(rekey_init(&client, &port, &options), 0);
        regenerate();
        check_int(report.outcome, REKEY_SUCCEEDED);
        check(strstr(world.sent, table[i].host_field) != NULL);
        check_int(strncmp(world.sent, table[i].get, strlen(table[i].get)), 0);
    }
    rows_done();
}

// A callback that needs time, on a clock beyond 32 bits of milliseconds; a report in the middle.
static int slow_token(void *ctx, char *buf, size_t cap, size_t *len) {
    static const int first[] = {REKEY_WANT_READ, REKEY_AGAIN, REKEY_WANT_TIME};

    if (world.token_calls < 3) {
        return first[world.token_calls++];
    }
    world.token_calls = 0;
    return fake_token(ctx, buf, cap, len);
}

static void test_waiting(void **state) {
    static const struct connection script[] = {{0, {EMPTY("200")}}};
    static const struct connection throttled[] = {{0, {HEAD("429") "Retry-After: 2\r\n" BODY0}}};

    (void)state;
    row("slow token");
    reset(script);
    options.token = slow_token;
    options.timeout_ms = UINT32_MAX;
    fake.now = UINT32_MAX;
    check_int(rekey_wait_ms(&client), 0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    rekey_report(&client, &report);
    check(!report.waiting);
    check_int(rekey_step(&client), REKEY_AGAIN);
    check_int(rekey_step(&client), REKEY_WANT_READ);
    check_int(rekey_wait_ms(&client), REKEY_TOKEN_WAIT_MS);
    rekey_report(&client, &report);
    check_int(report.outcome, REKEY_NONE);
    check_int(report.error, 0);
    check_int(report.percent, -1);
    check(!report.waiting);
    fake.now += 5;
    check_int(rekey_wait_ms(&client), REKEY_TOKEN_WAIT_MS - 5);
    check_int(rekey_step(&client), REKEY_AGAIN);
    check_int(rekey_wait_ms(&client), 0);
    check_int(rekey_step(&client), REKEY_WANT_TIME);
    check_int(rekey_step(&client), REKEY_AGAIN);
    check_int(rekey_wait_ms(&client), 0);
    check_int(rekey_run(&client), 0);
    check_int(rekey_wait_ms(&client), 0);
    check_end();
    row("between two requests");
    reset(throttled);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    while (rekey_step(&client) != REKEY_WANT_TIME) {
    }
    rekey_report(&client, &report);
    check(report.waiting);
    check_int(report.wait_ms, 2000);
    check_int(report.url.len, 0);
    row("at the time zero");
    reset(script);
    fake.now = 0;
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    check_int(rekey_step(&client), REKEY_AGAIN);
    check_int(rekey_wait_ms(&client), 0);
    rows_done();
}

// Several operations in a row with the option `hold`.
static void test_hold(void **state) {
#define LISTED HEAD("200") "Content-Length: 38\r\n\r\n{\"primaryKey\":\"a\",\"secondaryKey\":null}"
    static const struct connection rotation[] = {{0, {LISTED}},
                                                 {0, {ACCEPTED_ASYNC, SUCCEEDED, LISTED, LISTED}},
                                                 {0, {LISTED, EMPTY("403")}}};
    // The server closes it while nothing is under way, or when the next request has gone out.
    static const struct connection closed[] = {{0, {LISTED}, REKEY_END}, {0, {LISTED}}};
    static const struct connection crossed[] = {{0, {LISTED, ""}, REKEY_E_IO}, {0, {LISTED}}};
    static const struct connection refused[] = {{0, {LISTED, EMPTY("401"), LISTED}}, {0, {LISTED}}};
    static struct rekey_keys keys;
    struct rekey_token token;

    (void)state;
    row("a list, a regeneration and two lists");
    reset(rotation);
    options.hold = true;
    check_int(list(&keys), 0);
    check(fake.open && world.connects == 1);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    check_int(rekey_run(&client), 0);
    check_int(world.connects, 2); // the POST uses a new connection
    fake.now += REKEY_IDLE_MAX_MS;
    check_int(list(&keys), 0);
    check_int(world.connects, 2);
    row("too long after it");
    fake.now += REKEY_IDLE_MAX_MS + 1;
    check_int(list(&keys), 0);
    check_int(world.connects, 3);
    check_int(world.token_calls, 1);
    check(fake.open && !nothing_left(&client));
    row("one that fails holds nothing");
    check_int(list(&keys), REKEY_E_REFUSED);
    check_end();
    check_int(world.connects, 3);
    check_int(world.lists, 4);

    row("let go");
    reset(closed);
    options.hold = true;
    check_int(list(&keys), 0);
    rekey_abort(&client);
    check_end();
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(list(&keys), 0);
    check_int(world.connects, 2);
    check_int(world.token_calls, 2);

    row("without it");
    reset(rotation);
    check_int(list(&keys), 0);
    check_end();

    row("closed meanwhile");
    reset(closed);
    options.hold = true;
    check_int(list(&keys), 0);
    check_int(list(&keys), 0);
    check_int(world.connects, 2);
    check_int(world.lists, 2);

    row("closed when the request crossed it");
    reset(crossed);
    options.hold = true;
    check_int(list(&keys), 0);
    check_int(list(&keys), 0);
    check_int(world.connects, 2);
    check_int(world.lists, 3);
    check_int(world.wait_count, 0); // at once

    row("the token is refused");
    reset(refused);
    world.tokens[1] = "token-b";
    options.hold = true;
    check_int(list(&keys), 0);
    check_int(list(&keys), 0);
    check_int(world.token_calls, 2);
    check_int(world.lists, 3);

    row("a token is asked for, a shorter one");
    check_int(rekey_get_token(&client, &token), 0);
    world.tokens[2] = "tok";
    check_int(rekey_run(&client), 0);
    check_int(world.token_calls, 3);
    check(client.token_len == 3 && client.token[3] == '\0'); // the rest of the old one is gone
    rekey_abort(&client);
    check_end();
    rows_done();
}

// The fields of the report about the answers.
static void test_report(void **state) {
#define IDS(n) "x-ms-request-id: r" n "\r\nx-ms-correlation-request-id: c" n "\r\n"
#define ERROR "Content-Length: 22\r\n\r\n{\"error\":{\"code\":\"C\"}}"
#define FORTY "0123456789012345678901234567890123456789"
#define EVIL "Location: https://evil.example:1/x\r\n"
    static const struct {
        const char *name;
        struct connection script[CONNECTIONS];
        int error, cause;
        unsigned http_status;
        uint32_t requests, answers, polls;
        const char *code, *subject, *id, *correlation; // NULL: empty
        const char *status;
        int percent;     // -1 is taken for 0
        uint32_t needed; // 0: none
        const char *token, *second_token;
    } table[] = {
        {"nothing was sent", {{REKEY_E_CERT_ISSUER}}, REKEY_E_CERT_ISSUER, 0, 0, 0, 0, 0},
        {"200 with an error",
         {{0, {HEAD("200") IDS("1") ERROR}}},
         REKEY_E_CONTRADICTORY,
         0,
         200,
         1,
         1,
         0,
         "C",
         NULL,
         "r1",
         "c1"},
        {"200 with an error, a poll",
         {{0, {ACCEPTED_LOCATION, HEAD("200") IDS("1") ERROR}}},
         REKEY_E_CONTRADICTORY,
         0,
         200,
         2,
         2,
         1,
         "C",
         NULL,
         "r1",
         "c1"},
        {"399", {{0, {HEAD("399") ERROR}}}, REKEY_E_REDIRECT, 0, 399, 1, 1, 0},
        {"400", {{0, {HEAD("400") ERROR}}}, REKEY_E_REFUSED, 0, 400, 1, 1, 0, "C"},
        {"500", {{0, {HEAD("500") ERROR}}}, REKEY_E_MAYBE_EXECUTED, 0, 500, 1, 1, 0, "C"},
        {"403, coded",
         {{0, {HEAD("403") "Content-Encoding: br\r\n" ERROR}}},
         REKEY_E_REFUSED,
         0,
         403,
         1,
         1,
         0},
        {"ids that fit",
         {{0,
           {HEAD("200") "x-ms-request-id: " FORTY "\r\n"
                        "x-ms-correlation-request-id: " FORTY "\r\n" BODY0}}},
         0,
         0,
         200,
         1,
         1,
         0,
         NULL,
         NULL,
         FORTY,
         FORTY},
        {"ids that are cut",
         {{0,
           {HEAD("200") "x-ms-request-id: " FORTY "45\r\n"
                        "x-ms-correlation-request-id: " FORTY "45\r\n" BODY0}}},
         0,
         0,
         200,
         1,
         1,
         0,
         NULL,
         NULL,
         FORTY,
         FORTY},
        {"ids of the last answer",
         {{0, {HEAD("429") IDS("1") ERROR}}, {0, {HEAD("403") IDS("2") BODY0}}},
         REKEY_E_REFUSED,
         REKEY_E_NOT_PROCESSED,
         403,
         2,
         2,
         0,
         NULL,
         NULL,
         "r2",
         "c2"},
        {"a new token",
         {{0, {HEAD("401") IDS("1") ERROR}}, {0, {EMPTY("200")}}},
         0,
         REKEY_E_UNAUTHORIZED,
         200,
         2,
         2,
         0,
         .second_token = "token-b"},
        {"token too long",
         {{0}},
         REKEY_E_LIMIT_TOKEN,
         .needed = REKEY_TOKEN_MAX + 1,
         .token = long_token},
        {"status and percentage",
         {{0,
           {ACCEPTED_ASYNC, RUNNING,
            HEAD("200") "\r\n{\"status\":\"Failed\",\"percentComplete\":42.5,"
                        "\"error\":{\"code\":\"C\"}}"},
           REKEY_END}},
         REKEY_E_FAILED,
         0,
         200,
         3,
         3,
         2,
         "C",
         .status = "Failed",
         .percent = 42},
        {"write fails, then read",
         {{0, {NULL}, REKEY_E_TLS, REKEY_E_IO}},
         REKEY_E_TLS,
         REKEY_E_IO,
         0,
         1,
         0,
         0},
        {"write fails, but it was accepted: another connection",
         {{0, {ACCEPTED_ASYNC}, REKEY_E_IO, REKEY_E_IO}, {0, {SUCCEEDED}}},
         0,
         REKEY_E_IO,
         200,
         2,
         2,
         1,
         .status = "Succeeded"},
        {"300, and where it leads",
         {{0, {HEAD("300") EVIL BODY0}}},
         REKEY_E_REDIRECT,
         0,
         300,
         1,
         1,
         0,
         NULL,
         "evil.example:1"},
        {"399, and where it leads",
         {{0, {HEAD("399") EVIL BODY0}}},
         REKEY_E_REDIRECT,
         0,
         399,
         1,
         1,
         0,
         NULL,
         "evil.example:1"},
        {"299 leads nowhere", {{0, {HEAD("299") EVIL BODY0}}}, REKEY_E_STATUS, 0, 299, 1, 1, 0},
        {"400 leads nowhere", {{0, {HEAD("400") EVIL BODY0}}}, REKEY_E_REFUSED, 0, 400, 1, 1, 0},
        {"307 with a monitor",
         {{0, {HEAD("307") "Operation-Location: https://m/\r\n" EVIL BODY0}}},
         REKEY_E_REDIRECT,
         0,
         307,
         1,
         1,
         0},
        {"307 of a poll",
         {{0, {ACCEPTED_LOCATION, HEAD("307") EVIL BODY0}}},
         REKEY_E_REDIRECT,
         0,
         307,
         2,
         2,
         1},
        {"202 on a foreign host",
         {{0, {HEAD("202") EVIL BODY0}}},
         REKEY_E_URL_FOREIGN,
         0,
         202,
         1,
         1,
         0,
         NULL,
         "evil.example:1"},
        {"202 on a very long host",
         {{0, {HEAD("202") "Location: https://" HUNDRED "/\r\n" BODY0}}},
         REKEY_E_URL_FOREIGN,
         0,
         202,
         1,
         1,
         0,
         NULL,
         HUNDRED},
        {"202 on our host",
         {{0, {ACCEPTED_BOTH, SUCCEEDED}}},
         0,
         0,
         200,
         2,
         2,
         1,
         .status = "Succeeded"},
        {"203 has no polling URL",
         {{0, {HEAD("203") "Azure-AsyncOperation: https://m/\r\n" BODY0}}},
         REKEY_E_STATUS,
         0,
         203,
         1,
         1,
         0},
        {"403 has no polling URL",
         {{0, {HEAD("403") "Azure-AsyncOperation: https://m/\r\n" BODY0}}},
         REKEY_E_REFUSED,
         0,
         403,
         1,
         1,
         0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const char *const texts[] = {table[i].code, table[i].subject, table[i].id,
                                     table[i].correlation, table[i].status};

        row(table[i].name);
        reset(table[i].script);
        world.tokens[0] = table[i].token != NULL ? table[i].token : world.tokens[0];
        world.tokens[1] = table[i].second_token;
        regenerate();
        check_int(report.error, table[i].error);
        check_int(report.cause, table[i].cause);
        check_int(report.http_status, table[i].http_status);
        check_int(report.requests, table[i].requests);
        check_int(report.answers, table[i].answers);
        check_int(report.polls, table[i].polls);
        check_int(report.percent, table[i].percent != 0 ? table[i].percent : -1);
        check_int(report.needed, table[i].needed);
        for (size_t k = 0; k < COUNT(texts); k++) {
            const struct rekey_span actual[] = {
                rekey_span(report.service->code.text, report.service->code.len),
                report.subject,
                rekey_span(report.request_id, strlen(report.request_id)),
                rekey_span(report.correlation_id, strlen(report.correlation_id)),
                rekey_span(report.status, strlen(report.status)),
            };
            const char *expected = texts[k] != NULL ? texts[k] : "";
            size_t len = strlen(expected);

            row_n(table[i].name, (long)k);
            check_span(actual[k],
                       rekey_span(expected, len < REKEY_SUBJECT_MAX ? len : REKEY_SUBJECT_MAX));
        }
    }
    rows_done();
}

#define TOKEN_OF_OURS "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.Zm9vYmFyYmF6cXV1eA"
#define VALUE_OF_OURS "TopSecretKeyValue0123456789abcdefghijklmnopqrst"
#define OTHER_OF_OURS "the proxy's password, which is long"

static bool is_in(const void *memory, size_t size, const char *text) {
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= size; i++) {
        if (memcmp((const char *)memory + i, text, len) == 0) {
            return true;
        }
    }
    return false;
}

// Even if the service repeats a secret, the report does not have it: when the POST is refused, when
// a poll says failed, and in the host of a redirect.
static void test_echo(void **state) {
    static const struct {
        const char *name, *first, *answer;
        int error;
        bool in_url;
    } rows[] = {
        {"refused", NULL,
         HEAD("400") "Connection: close\r\n\r\n{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
         REKEY_E_REFUSED},
        {"refused, the target and details", NULL,
         HEAD("400") "Connection: "
                     "close\r\n\r\n{\"error\":{\"target\":\"%s\",\"details\":[{\"code\":\"%s\"}]}}",
         REKEY_E_REFUSED},
        {"ids", NULL,
         HEAD("403") "x-ms-request-id: %s\r\nx-ms-correlation-request-id: %s\r\n" BODY0,
         REKEY_E_REFUSED},
        {"ids of an answer that is malformed", NULL,
         HEAD("403") "x-ms-request-id: %s\r\nx-ms-correlation-request-id: %s\r\n"
                     "Content-Length: A6\r\n\r\n",
         REKEY_E_CONTENT_LENGTH},
        {"ids of an answer that is not complete", NULL,
         HEAD("403") "x-ms-request-id: %s\r\nx-ms-correlation-request-id: %s\r\n"
                     "Content-Length: 6\r\n\r\n",
         REKEY_E_END},
        {"failed at once", NULL,
         HEAD("200") "\r\n{\"status\":\"Failed\",\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
         REKEY_E_FAILED},
        {"a poll that fails", ACCEPTED_ASYNC,
         HEAD("200") "\r\n{\"status\":\"Failed\",\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
         REKEY_E_FAILED},
        {"a contradiction", ACCEPTED_LOCATION,
         HEAD("200") "\r\n{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", REKEY_E_CONTRADICTORY},
        {"a poll that is refused", ACCEPTED_ASYNC,
         HEAD("403") "\r\n{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", REKEY_E_POLL_REFUSED},
        {"a redirect", NULL, HEAD("302") "Location: https://%s.%s/\r\n" BODY0, REKEY_E_REDIRECT,
         true},
        {"another host", NULL, HEAD("202") "Location: https://%s.%s/\r\n" BODY0,
         REKEY_E_URL_FOREIGN, true},
    };
    static const char *const secrets[] = {TOKEN_OF_OURS, VALUE_OF_OURS, OTHER_OF_OURS};
    static const struct rekey_secret other = {.text = {OTHER_OF_OURS, sizeof(OTHER_OF_OURS) - 1}};
    static char answer[1024];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(secrets); k++) {
            const char *first = rows[i].first != NULL ? rows[i].first : answer;
            const struct connection script[] = {
                {0, {first, rows[i].first != NULL ? answer : NULL}, REKEY_END}};

            if (rows[i].in_url && strchr(secrets[k], ' ') != NULL) {
                continue;
            }
            row_n(rows[i].name, (long)k);
            snprintf(answer, sizeof(answer), rows[i].answer, secrets[k], secrets[k]);
            reset(script);
            world.tokens[0] = TOKEN_OF_OURS;
            options.secrets = &other;
            check_int(
                rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN(VALUE_OF_OURS)),
                0);
            check_int(rekey_run(&client), rows[i].error);
            check_end();
            check(!is_in(report.service, sizeof(*report.service), secrets[k]));
            for (size_t at = 0; at + 16 <= strlen(secrets[k]); at++) {
                char run[17] = "";

                memcpy(run, secrets[k] + at, 16);
                check(!is_in(report.service, sizeof(*report.service), run));
                check(!is_in(report.request_id, strlen(report.request_id), run));
                check(!is_in(report.correlation_id, strlen(report.correlation_id), run));
                check(!is_in(report.subject.ptr, report.subject.len, run));
            }
            check(is_in(&client.service, sizeof(client.service), "********") ||
                  is_in(client.captured, sizeof(client.captured), "********") ||
                  is_in(report.subject.ptr, report.subject.len, "********"));
        }
    }
    rows_done();
}

// What a client holds while it waits: for the answer to the POST the key value, which may have to
// be sent again, and the token, once each; for a poll the token.
static void test_memory(void **state) {
    static const struct connection script[] = {{0, {HEAD("503") "Retry-After: 7\r\n" BODY0}},
                                               {0, {ACCEPTED_ASYNC, RUNNING, SUCCEEDED}}};
    static const struct connection silent[] = {{0, {NULL}}};
    static const struct connection broken[] = {{0, {NULL}, 0, REKEY_E_IO}};
    int result = REKEY_AGAIN;

    (void)state;
    reset(script);
    world.tokens[0] = TOKEN_OF_OURS;
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN(VALUE_OF_OURS)),
              0);
    while (result > 0) {
        result = rekey_step(&client);
        row_nn("posts, polls", world.posts, world.polls);
        if (result == REKEY_WANT_TIME) {
            fake.now += rekey_wait_ms(&client);
            check(!is_in(&client.staging, sizeof(client.staging), "TopSecretKeyValu"));
            check(!is_in(&client.staging, sizeof(client.staging), "eyJ0eXAiOiJKV1Qi"));
            check(is_in(client.token, sizeof(client.token), TOKEN_OF_OURS));
            check_int(is_in(client.key_value, sizeof(client.key_value), VALUE_OF_OURS),
                      world.posts == 1);
            check_int(is_in(&client, sizeof(client), "TopSecr"), world.posts == 1);
        }
    }
    check_int(result, 0);
    check_int(world.posts, 2);
    check_int(world.polls, 2);
    check_end();
    row("before the answer comes");
    reset(silent);
    world.tokens[0] = TOKEN_OF_OURS;
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN(VALUE_OF_OURS)),
              0);
    while (rekey_step(&client) != REKEY_WANT_READ) {
    }
    check_int(world.posts, 1);
    check(all_zero(&client.staging, sizeof(client.staging)));
    rekey_abort(&client);
    row("a request that could not be sent whole");
    reset(broken);
    world.tokens[0] = TOKEN_OF_OURS;
    world.write_max = 100;
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN(VALUE_OF_OURS)),
              0);
    while (rekey_step(&client) != REKEY_WANT_READ) {
    }
    check(all_zero(&client.staging, sizeof(client.staging)));
    rekey_abort(&client);
    rows_done();
}

static void test_usage(void **state) {
    static const struct connection script[] = {{0, {EMPTY("200")}}};
    static char long_value[REKEY_KEY_VALUE_MAX + 1];
    struct rekey_endpoint bad = endpoint;
    struct rekey_options other;

    (void)state;
    memset(long_value, 'v', sizeof(long_value));
    row("nothing started");
    reset(script);
    check_int(rekey_step(&client), REKEY_E_IDLE);
    rekey_abort(&client);
    memset(&client, 0xA5, sizeof(client));
    check_int(rekey_init(&client, &port, &options), 0);
    rekey_report(&client, &report);
    check_int(report.outcome, REKEY_NONE);
    check_int(report.cause, 0);
    check_int(report.requests, 0);
    check_int(report.kind, REKEY_POLL_NONE);
    check_int(report.url.len, 0);
    row("endpoint");
    bad.name = REKEY_SPAN("a/b");
    check_int(rekey_regenerate(&client, &bad, REKEY_KEY_PRIMARY, REKEY_SPAN("")), REKEY_E_ENDPOINT);
    check_end();
    check_int(report.outcome, REKEY_USAGE);
    row("key type");
    check_int(rekey_regenerate(&client, &endpoint, (enum rekey_key)3, REKEY_SPAN("")),
              REKEY_E_KEY_TYPE);
    row("key value: length");
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY,
                               rekey_span(long_value, sizeof(long_value))),
              REKEY_E_LIMIT_KEY_VALUE);
    check_end();
    check_int(report.needed, REKEY_KEY_VALUE_MAX + 1);
    check_int(report.outcome, REKEY_USAGE);
    row("key value: UTF-8");
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("\xff")),
              REKEY_E_KEY_VALUE);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("ab\xff")),
              REKEY_E_KEY_VALUE);
    row("key value: no pointer");
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    rekey_abort(&client);
    row("busy");
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY,
                               rekey_span(long_value, sizeof(long_value) - 1)),
              0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")),
              REKEY_E_BUSY);
    rekey_run(&client);
    check_end();
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_int(world.posts, 1);
    row("options");
    other = options;
    other.host = REKEY_SPAN("a b");
    check_int(rekey_init(&client, &port, &other), REKEY_E_HOST);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")),
              REKEY_E_HOST);
    other.host = rekey_span(NULL, 0);
    check_int(rekey_init(&client, &port, &other), REKEY_E_HOST);
    for (int i = 0; i < 5; i++) {
        other = options;
        other.token = i == 0 ? NULL : other.token;
        other.port = i == 1 ? 0 : 443;
        other.timeout_ms = i == 2 ? 0 : 1;
        other.connect_timeout_ms = i == 3 ? 0 : 1;
        other.idle_timeout_ms = i == 4 ? 0 : 1;
        row_n("option", i);
        check_int(rekey_init(&client, &port, &other), REKEY_E_OPTIONS);
        check_int(rekey_list_keys(&client, &endpoint, NULL), REKEY_E_OPTIONS);
        check_int(rekey_step(&client), REKEY_E_OPTIONS);
    }
    row("no entropy");
    reset(script);
    world.entropy_error = REKEY_E_ENTROPY;
    regenerate();
    check_int(report.outcome, REKEY_LOCAL);
    check_int(world.posts, 0);
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_operations), UNIT(test_operations_byte_by_byte),
        UNIT(test_requests),   UNIT(test_records),
        UNIT(test_resume),     UNIT(test_list_keys),
        UNIT(test_poll_floor), UNIT(test_kept_connection),
        UNIT(test_full_token), UNIT(test_abort),
        UNIT(test_url_limit),  UNIT(test_body_limit),
        UNIT(test_echo),       UNIT(test_memory),
        UNIT(test_usage),      UNIT(test_hosts),
        UNIT(test_waiting),    UNIT(test_hold),
        UNIT(test_report),
    };

    return cmocka_run_group_tests_name("rekey", tests, NULL, rows_total);
}
