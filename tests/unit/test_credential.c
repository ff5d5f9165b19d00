// test_credential.c - every kind of credential over a scripted transport and a virtual clock: the
// bytes that it sends, and the result of each answer. tests/e2e uses stand-ins for the token
// services, real TLS and real files.

#include <stdio.h>
#include <string.h>

#include "credential_entra.h"
#include "credential_managed.h"
#include "fake_port.h"
#include "support.h"

#define GUID "80808080-4567-4a89-bedc-ba9876543210"
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define TOKEN(lifetime) CLOSED("200", "{\"expires_in\":" lifetime ",\"access_token\":\"token-1\"}")
#define ANSWER(status, fields) "HTTP/1.1 " status " X\r\n" DATE fields "Content-Length: 0\r\n\r\n"
#define CLOSED(status, body) "HTTP/1.1 " status " X\r\nConnection: close\r\n\r\n" body

#define EXCHANGES 16
#define REQUESTS_MAX (REKEY_STAGING_MAX + 2048)

// One connection of the script. `answer` NULL ends the script.
struct exchange {
    const char *answer;
    int open; // what open returns; 0: it works
};

static struct {
    const struct exchange *script;
    int connection;
    const char *answer;
    char sent[REQUESTS_MAX]; // all requests, one behind the other
    size_t sent_len;
    char hosts[512]; // host:port, and "s" before it over TLS, of each connection
    uint32_t connect_timeout;
    uint64_t waits[EXCHANGES];
    int wait_count;
    int entropy_good; // calls that work before the first that fails
    bool file_read;
    const char *file; // what the reading callbacks give
    int file_error;
    size_t file_len; // 0: its own
    size_t file_cap; // the size of the buffer
} world;

// For long texts that a test makes: one test at a time.
static char scratch[2 * REKEY_STAGING_MAX];

// The client, and bytes around it that must stay zero.
static struct {
    struct rekey client;
    char behind[1536];
} room;
#define client room.client

static struct rekey_options options;
static struct rekey_report report;
static struct rekey_token token;

static int open_any(const char *mark, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    if (!fake.open) {
        size_t len = strlen(world.hosts);

        world.connection++;
        check(world.connection < EXCHANGES);
        fake.open = true;
        world.answer = world.script[world.connection].answer;
        world.connect_timeout = timeout_ms;
        snprintf(world.hosts + len, sizeof(world.hosts) - len, "%s%.*s:%u ", mark, (int)host.len,
                 host.ptr, port);
    }
    return world.script[world.connection].open;
}

static int fake_open_tls(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    return open_any("s ", host, port, timeout_ms);
}

static int fake_open_plain(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    return open_any("", host, port, timeout_ms);
}

static int fake_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    check(world.sent_len + len < sizeof(world.sent));
    *done = len;
    return fake_send(world.sent, &world.sent_len, data, len);
}

static int fake_read(void *ctx, void *buf, size_t cap, size_t *done) {
    size_t len = strlen(world.answer);

    (void)ctx;
    return len == 0 ? REKEY_END : fake_give(&world.answer, len, buf, cap, done);
}

static int sixteen_bytes(void *ctx, void *buf, size_t len) {
    static const unsigned char bytes[] = {0x80, 0x80, 0x80, 0x80, 0x45, 0x67, 0xCA, 0x89,
                                          0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10};

    (void)ctx;
    check(len <= sizeof(bytes));
    memcpy(buf, bytes, len);
    return world.entropy_good-- > 0 ? REKEY_DONE : REKEY_E_ENTROPY;
}

static void fake_wait(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    check_int(want, REKEY_WANT_TIME);
    fake.now += ms;
    check(world.wait_count < EXCHANGES);
    world.waits[world.wait_count++] = ms;
}

static struct rekey_port port = {
    .tls = {.open = fake_open_tls, .write = fake_write, .read = fake_read, .close = fake_close},
    .plain = {.open = fake_open_plain, .write = fake_write, .read = fake_read, .close = fake_close},
    .now_ms = fake_now,
    .wall_s = fake_wall,
    .entropy = sixteen_bytes,
    .wait = fake_wait,
};

static int fake_file(void *ctx, char *buf, size_t cap, size_t *len) {
    check(ctx == &world);
    world.file_read = true;
    world.file_cap = cap;
    *len = world.file_len != 0 ? world.file_len : strlen(world.file);
    memcpy(buf, world.file, *len <= cap ? strlen(world.file) : 0);
    return world.file_error;
}

static int fake_key_file(void *ctx, struct rekey_span path, char *buf, size_t cap, size_t *len) {
    check_span(path, rekey_span("/var/opt/azcmagent/tokens/a-1.key", 33));
    return fake_file(ctx, buf, cap, len);
}

static void reset(const struct exchange *script) {
    memset(&world, 0, sizeof(world));
    world.script = script;
    world.connection = -1;
    fake = (struct fake_port){.now = 1000, .wall = 1764000000};
    world.entropy_good = 100;
    world.file = "file";
    memset(&token, 0, sizeof(token));
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
}

// Gets a token with `credential`, and says how it ended.
static int get(struct rekey_credential *credential) {
    int result;

    options.credential = credential;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_get_token(&client, &token), 0);
    result = rekey_run(&client);
    rekey_report(&client, &report);
    check(!fake.open);
    check(all_zero(client.token, sizeof(client.token)));
    check(all_zero(&client.staging, sizeof(client.staging)));
    check(all_zero(client.url + 512, sizeof(client.url) - 512));
    check(all_zero(room.behind, sizeof(room.behind)));
    return result;
}

static void check_token(const char *text) {
    check_span(rekey_span(token.value, token.len), rekey_span(text, strlen(text)));
}

static void check_sent(const char *text) {
    check_span(rekey_span(world.sent, world.sent_len), rekey_span(text, strlen(text)));
}

// ---- secret -------------------------------------------------------------------------------------

static const struct rekey_entra entra = {
    .authority = {"login.example", 13},
    .port = 443,
    .tenant = {"tenant-1", 8},
    .client_id = {"client-1", 8},
    .scope = {"https://m/.default", 18},
};

static struct rekey_credential *with_secret(void) {
    static struct rekey_credential_secret secret;

    check_int(rekey_credential_secret_init(&secret, &entra, REKEY_SPAN("s~e&c r%t")), 0);
    return &secret.base;
}

#define HEAD                                                                                       \
    "POST /tenant-1/oauth2/v2.0/token HTTP/1.1\r\nHost: login.example\r\n"                         \
    "User-Agent: rekey/" REKEY_VERSION " (unknown board)\r\nAccept: application/json\r\n"          \
    "Accept-Encoding: identity\r\nclient-request-id: " GUID "\r\n"                                 \
    "Content-Type: application/x-www-form-urlencoded\r\n"

static void test_secret(void **state) {
    static const struct exchange script[] = {{TOKEN("3599"), 0}};

    (void)state;
    row("sent and received");
    reset(script);
    check_int(get(with_secret()), 0);
    check_int(report.outcome, REKEY_SUCCEEDED);
    check_token("token-1");
    check_int(token.lifetime_ms, 3599000);
    check(strcmp(world.hosts, "s login.example:443 ") == 0);
    check_sent(HEAD "Content-Length: 111\r\n\r\n"
                    "client_id=client-1&scope=https%3A%2F%2Fm%2F.default"
                    "&grant_type=client_credentials&client_secret=s~e%26c%20r%25t");
    rows_done();
}

// The results of answers with status 200.
static void test_answers(void **state) {
    static const struct {
        const char *body, *token;
        int error;
        uint64_t lifetime_ms;
    } rows[] = {
        {"{\"access_token\":\"t\",\"expires_in\":3599}", "t", 0, 3599000},
        {"{\"expires_in\":\"3599\",\"access_token\":\"t\"}", "t", 0, 3599000},
        {"{\"access_token\":\"t\"}", "t", 0, 0},
        {"{\"access_token\":\"t\",\"expires_in\":null}", "t", 0, 0},
        {"{\"access_token\":\"t\",\"expires_in\":-5}", "t", 0, 0},
        {"{\"access_token\":\"t\",\"expires_in\":1.5}", "t", 0, 0},
        {"{\"access_token\":\"t\",\"expires_in\":199999999}", "t", 0, 199999999000},
        {"{\"access_token\":\"t\",\"expires_in\":42949672960}", "t", 0, 200000000000},
        {"{\"access_token\":\"a\\u002eb\\/c\"}", "a.b/c", 0, 0},
        {"{\"access_token\":\"!~\"}", "!~", 0, 0},
        {"{\"access_token\":\" a\"}", "", REKEY_E_TOKEN_ANSWER, 0},
        {"{\"access_token\":\"\"}", "", REKEY_E_TOKEN_ANSWER, 0},
        {"{\"access_token\":\"a b\"}", "", REKEY_E_TOKEN_ANSWER, 0},
        {"{\"access_token\":\"a\\u007f\"}", "", REKEY_E_TOKEN_ANSWER, 0},
        {"{\"access_token\":5}", "", REKEY_E_TOKEN_ANSWER, 0},
        {"{\"access_token\":\"a\",\"access_token\":\"b\"}", "", REKEY_E_TOKEN_ANSWER, 0},
        {"{\"id_token\":\"a\"}", "", REKEY_E_TOKEN_ANSWER, 0},
        {"{\"access_token\":\"a\"", "", REKEY_E_TOKEN_ANSWER, 0},
        {"<html>", "", REKEY_E_TOKEN_ANSWER, 0},
        {"", "", REKEY_E_TOKEN_ANSWER, 0},
    };
    char *text = scratch;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct exchange script[] = {{text, 0}};

        row(rows[i].body);
        snprintf(text, sizeof(scratch), CLOSED("200", "%s"), rows[i].body);
        reset(script);
        check_int(get(with_secret()), rows[i].error);
        check_int(report.outcome, rows[i].error == 0 ? REKEY_SUCCEEDED : REKEY_CREDENTIALS);
        check_token(rows[i].token);
        check_int(token.lifetime_ms, rows[i].lifetime_ms);
    }
    row("coded");
    {
        static const struct exchange script[] = {
            {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n{", 0}};

        reset(script);
        check_int(get(with_secret()), REKEY_E_TOKEN_ANSWER);
    }
    // The whole answer must fit the token buffer: one byte more, and it does not.
    for (size_t more = 0; more < 2; more++) {
        const struct exchange script[] = {{text, 0}};
        const size_t frame = strlen("{\"access_token\":\"\"}");
        int head;

        row_n("as long as the buffer, and more by", (long)more);
        head = snprintf(text, sizeof(scratch), CLOSED("200", "{\"access_token\":\""));
        memset(text + head, 'x', REKEY_TOKEN_MAX - frame + more);
        strcpy(text + head + REKEY_TOKEN_MAX - frame + more, "\"}");
        reset(script);
        check_int(get(with_secret()), more == 0 ? 0 : REKEY_E_LIMIT_TOKEN_ANSWER);
        check_int(report.outcome, more == 0 ? REKEY_SUCCEEDED : REKEY_CREDENTIALS);
        check_int(token.len, more == 0 ? REKEY_TOKEN_MAX - frame : 0);
        check_int(report.needed, more == 0 ? 0 : REKEY_TOKEN_MAX + 1);
    }
    rows_done();
}

static void check_text(const char *text, size_t len, const char *expected) {
    check_span(rekey_span(text, len), rekey_span(expected, strlen(expected)));
}

// The report after a refusal.
static void test_refusals(void **state) {
    static const struct {
        const char *name, *answer, *code, *message, *trace, *correlation;
        bool cut;
    } rows[] = {
        {"all of it",
         CLOSED("401", "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Wrong."
                       "\\r\\nTrace ID: t\",\"error_codes\":[7000215],\"trace_id\":\"trace-1\","
                       "\"correlation_id\":\"correlation-1\"}"),
         "invalid_client", "AADSTS7000215: Wrong.", "trace-1", "correlation-1", false},
        {"ids that are too long",
         CLOSED("400", "{\"trace_id\":\"0123456789012345678901234567890123456789ab\","
                       "\"correlation_id\":\"0123456789012345678901234567890123456789\"}"),
         "", "", "0123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789", false},
        {"a line feed first", CLOSED("400", "{\"error_description\":\"\\nTwo\"}"), "", "", "", "",
         false},
        {"a line feed alone", CLOSED("400", "{\"error_description\":\"One\\nTwo\"}"), "", "One", "",
         "", false},
        {"not JSON", CLOSED("400", "<html>"), "", "", "", "", false},
        {"no strings", CLOSED("403", "{\"error\":5,\"trace_id\":null}"), "", "", "", "", false},
        {"nothing", ANSWER("404", ""), "", "", "", "", false},
        {"coded",
         "HTTP/1.1 400 X\r\nContent-Encoding: br\r\nContent-Length: 13\r\n\r\n{\"error\":\"e\"}",
         "", "", "", "", false},
        {"a redirect", ANSWER("302", "Location: https://elsewhere/\r\n"), "", "", "", "", false},
    };
    static char text[1024];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct exchange script[] = {{rows[i].answer, 0}};

        row(rows[i].name);
        reset(script);
        check_int(get(with_secret()), REKEY_E_TOKEN_REFUSED);
        check_int(report.outcome, REKEY_CREDENTIALS);
        check_text(report.service->code.text, report.service->code.len, rows[i].code);
        check_text(report.service->message.text, report.service->message.len, rows[i].message);
        check(report.service->message.cut == rows[i].cut);
        check(strcmp(report.request_id, rows[i].trace) == 0);
        check(strcmp(report.correlation_id, rows[i].correlation) == 0);
        check(strcmp(world.hosts, "s login.example:443 ") == 0);
    }
    row("a message that does not fit");
    {
        const struct exchange script[] = {{text, 0}};
        int head = snprintf(text, sizeof(text), CLOSED("400", "{\"error_description\":\""));

        memset(text + head, 'm', REKEY_MESSAGE_MAX + 1);
        strcpy(text + head + REKEY_MESSAGE_MAX + 1, "\"}");
        reset(script);
        check_int(get(with_secret()), REKEY_E_TOKEN_REFUSED);
        check_int(report.http_status, 400);
        check_int(report.service->message.len, REKEY_MESSAGE_MAX);
        check(report.service->message.cut);
    }
    rows_done();
}

// The error at the end of an answer that was cut by the buffer cannot be read; its beginning can.
static void test_long_refusal(void **state) {
    char *text = scratch;
    const struct exchange script[] = {{text, 0}};
    int head = snprintf(text, sizeof(scratch), CLOSED("400", "{\"error\":\"e\",\"more\":\""));

    (void)state;
    row("longer than the buffer");
    memset(text + head, 'm', REKEY_TOKEN_MAX);
    strcpy(text + head + REKEY_TOKEN_MAX, "\"}");
    reset(script);
    check_int(get(with_secret()), REKEY_E_TOKEN_REFUSED);
    check_text(report.service->code.text, report.service->code.len, "e");
    rows_done();
}

// Which requests are repeated, and after which waits. The backoffs are 0x80808080 / 2^32 of 0.8 s *
// 2^n.
static void test_repeats(void **state) {
    static const struct {
        const char *name;
        struct exchange script[7];
        int error, outcome;
        uint64_t waits[6];
    } rows[] = {
        {"408, 500, 429 with a wait, 503 with one in ms",
         {{ANSWER("408", ""), 0},
          {ANSWER("500", ""), 0},
          {ANSWER("429", "Retry-After: 7\r\n"), 0},
          {ANSWER("503", "retry-after-ms: 20\r\n"), 0},
          {TOKEN("3599"), 0}},
         0,
         REKEY_SUCCEEDED,
         {402, 803, 7000, 20}},
        {"five tries",
         {{ANSWER("500", ""), 0},
          {ANSWER("502", ""), 0},
          {ANSWER("503", ""), 0},
          {ANSWER("504", ""), 0},
          {ANSWER("599", ""), 0}},
         REKEY_E_TOKEN_REFUSED,
         REKEY_CREDENTIALS,
         {402, 803, 1606, 3213}},
        {"a wait that the deadline cuts",
         {{ANSWER("429", "Retry-After: 100\r\n"), 0}},
         REKEY_E_DEADLINE,
         REKEY_NOT_REACHED,
         {0}},
        {"refused connections",
         {{"", REKEY_E_CONNECT}, {"", REKEY_E_LOOKUP}, {TOKEN("3599"), 0}},
         0,
         REKEY_SUCCEEDED,
         {402, 803}},
        {"never a connection",
         {{"", REKEY_E_CONNECT},
          {"", REKEY_E_CONNECT},
          {"", REKEY_E_CONNECT},
          {"", REKEY_E_CONNECT},
          {"", REKEY_E_CONNECT}},
         REKEY_E_CONNECT,
         REKEY_NOT_REACHED,
         {402, 803, 1606, 3213}},
        {"no answer, then one",
         {{"", 0}, {"HTTP/1.1 200", 0}, {TOKEN("3599"), 0}},
         0,
         REKEY_SUCCEEDED,
         {402, 803}},
        {"the whole connect timeout",
         {{"", REKEY_E_CONNECT_TIMEOUT}},
         REKEY_E_CONNECT_TIMEOUT,
         REKEY_NOT_REACHED,
         {0}},
        {"a proxy that refuses", {{"", REKEY_E_PROXY}}, REKEY_E_PROXY, REKEY_NOT_REACHED, {0}},
        {"no trust", {{"", REKEY_E_CERT_NAME}}, REKEY_E_CERT_NAME, REKEY_NOT_TRUSTED, {0}},
        {"no arena", {{"", REKEY_E_LIMIT_ARENA}}, REKEY_E_LIMIT_ARENA, REKEY_LOCAL, {0}},
        {"not HTTP", {{"220 mail\r\n", 0}}, REKEY_E_TOKEN_ANSWER, REKEY_CREDENTIALS, {0}},
        {"too long",
         {{"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", 0}},
         REKEY_E_TOKEN_ANSWER,
         REKEY_CREDENTIALS,
         {0}},
        {"another 2xx", {{ANSWER("201", ""), 0}}, REKEY_E_TOKEN_REFUSED, REKEY_CREDENTIALS, {0}},
        {"600", {{ANSWER("600", ""), 0}}, REKEY_E_TOKEN_REFUSED, REKEY_CREDENTIALS, {0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        reset(rows[i].script);
        options.timeout_ms = 60000;
        check_int(get(with_secret()), rows[i].error);
        check_int(report.outcome, rows[i].outcome);
        for (int w = 0; w < 6; w++) {
            check_int(w < world.wait_count ? world.waits[w] : 0, rows[i].waits[w]);
        }
    }
    row("a framing error is the cause");
    {
        static const struct exchange script[] = {{"220 mail\r\n", 0}};

        reset(script);
        check_int(get(with_secret()), REKEY_E_TOKEN_ANSWER);
        check_int(report.cause, REKEY_E_STATUS_LINE);
    }
    row("no randomness for the request");
    {
        static const struct exchange script[] = {{TOKEN("3599"), 0}};

        reset(script);
        world.entropy_good = 0;
        check_int(get(with_secret()), REKEY_E_ENTROPY);
        check_int(report.outcome, REKEY_LOCAL);
        check(strcmp(world.hosts, "") == 0);
    }
    row("no randomness for the backoff");
    {
        static const struct exchange script[] = {{ANSWER("500", ""), 0}, {TOKEN("3599"), 0}};

        reset(script);
        world.entropy_good = 1;
        check_int(get(with_secret()), REKEY_E_ENTROPY); // of the second request
        check_int(world.waits[0], 800);
    }
    rows_done();
}

// An operation that was stopped while it got its token leaves nothing behind.
static void test_abort(void **state) {
    static const struct exchange script[] = {{TOKEN("3599"), 0}, {TOKEN("3599"), 0}};
    struct rekey_credential *credential = with_secret();

    (void)state;
    row("aborted, then begun anew");
    reset(script);
    options.credential = credential;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_get_token(&client, &token), 0);
    check_int(rekey_get_token(&client, &token), REKEY_E_BUSY);
    while (world.sent_len == 0) {
        check(rekey_step(&client) > 0);
    }
    rekey_abort(&client);
    check_int(get(credential), 0);
    check_token("token-1");
    row("a step early");
    reset(script);
    options.credential = credential;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_get_token(&client, &token), 0);
    rekey_abort(&client);
    check_int(get(credential), 0);
    rows_done();
}

static int has_token(void *ctx, char *buf, size_t cap, size_t *len) {
    check(ctx == &world && cap >= 4);
    memcpy(buf, "mine", 4);
    *len = 4;
    return REKEY_DONE;
}

static void test_given(void **state) {
    static const struct exchange script[] = {{NULL, 0}};

    (void)state;
    row("a token that the application has");
    reset(script);
    options.token = has_token;
    options.token_ctx = &world;
    check_int(get(NULL), 0);
    check_token("mine");
    check_int(token.lifetime_ms, 0);
    row("neither one nor the other");
    reset(script);
    check_int(rekey_init(&client, &port, &options), REKEY_E_OPTIONS);
    rows_done();
}

// When it is renewed, and when a lifetime is that of the same token again.
static void test_lifetimes(void **state) {
    static const struct {
        const char *first, *then;
        uint64_t before; // the end
    } rows[] = {
        {TOKEN("4000"), NULL, 300000},          {TOKEN("600"), NULL, 300000},
        {TOKEN("700"), NULL, 300000},           {TOKEN("599"), NULL, 299500},
        {TOKEN("4000"), TOKEN("4004"), 30000},  {TOKEN("4000"), TOKEN("4005"), 300000},
        {TOKEN("80"), TOKEN("80"), 30000},      {TOKEN("80"), TOKEN("60"), 30000},
        {TOKEN("80"), TOKEN("50"), 25000},      {TOKEN("4000"), TOKEN("3996"), 30000},
        {TOKEN("4000"), TOKEN("3995"), 300000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct exchange script[] = {{rows[i].first, 0}};
        const struct exchange again[] = {{rows[i].then, 0}};
        struct rekey_credential *credential = with_secret();

        row_n("lifetime", (long)i);
        reset(script);
        check_int(get(credential), 0);
        if (rows[i].then != NULL) {
            reset(again);
            check_int(get(credential), 0);
        }
        check_int(credential->expiry - credential->renew_at, rows[i].before);
        check_int(credential->expiry, 1000 + token.lifetime_ms);
    }
    rows_done();
}

static void test_writer(void **state) {
    struct rekey_writer w;
    char *buf;

    (void)state;
    row("full to the last byte");
    buf = guarded(3);
    w = (struct rekey_writer){.buf = buf, .cap = 3};
    rekey_writer_put(&w, REKEY_SPAN("abc"));
    check(rekey_writer_whole(&w));
    check_span(rekey_span(buf, w.len), REKEY_SPAN("abc"));
    rekey_writer_put(&w, REKEY_SPAN(""));
    check(rekey_writer_whole(&w));
    row("and one more");
    buf = guarded(3);
    w = (struct rekey_writer){.buf = buf, .cap = 3};
    rekey_writer_put(&w, REKEY_SPAN("abc"));
    rekey_writer_put(&w, REKEY_SPAN("d"));
    check(!rekey_writer_whole(&w));
    rekey_writer_put(&w, REKEY_SPAN(""));
    rekey_writer_put(&w, REKEY_SPAN("e"));
    rekey_writer_encode(&w, REKEY_SPAN("f"));
    check(!rekey_writer_whole(&w));
    check_span(rekey_span(buf, 3), REKEY_SPAN("abc"));
    row("encoded to the last byte");
    buf = guarded(3);
    w = (struct rekey_writer){.buf = buf, .cap = 3};
    rekey_writer_encode(&w, REKEY_SPAN("&"));
    check(rekey_writer_whole(&w));
    check_span(rekey_span(buf, w.len), REKEY_SPAN("%26"));
    row("encoded, and one more");
    buf = guarded(5);
    w = (struct rekey_writer){.buf = buf, .cap = 5};
    rekey_writer_encode(&w, REKEY_SPAN("&&"));
    check(!rekey_writer_whole(&w));
    rows_done();
}

static void test_names(void **state) {
    char longest[255];
    struct rekey_credential_secret secret;
    struct rekey_entra e;

    (void)state;
    memset(longest, 'a', sizeof(longest));
#define NAME_ROW(change, error)                                                                    \
    do {                                                                                           \
        row(#change);                                                                              \
        e = entra;                                                                                 \
        change;                                                                                    \
        check_int(rekey_credential_secret_init(&secret, &e, REKEY_SPAN("s")), error);              \
    } while (0)
    NAME_ROW((void)0, 0);
    NAME_ROW(e.authority.len = 0, REKEY_E_HOST);
    NAME_ROW(e.authority = REKEY_SPAN("a b"), REKEY_E_HOST);
    NAME_ROW(e.authority = REKEY_SPAN("::1"), 0);
    NAME_ROW(e.port = 0, REKEY_E_HOST);
    NAME_ROW(e.tenant.len = 0, REKEY_E_IDENTITY);
    NAME_ROW(e.tenant = REKEY_SPAN("a/b"), REKEY_E_IDENTITY);
    NAME_ROW(e.tenant = REKEY_SPAN("/ab"), REKEY_E_IDENTITY);
    NAME_ROW(e.tenant = REKEY_SPAN("a"), 0);
    NAME_ROW(e.tenant = REKEY_SPAN("contoso.example"), 0);
    NAME_ROW(e.tenant = REKEY_SPAN(".."), REKEY_E_IDENTITY);
    NAME_ROW(e.tenant = REKEY_SPAN(".a"), REKEY_E_IDENTITY);
    NAME_ROW(e.tenant = rekey_span(longest, 253), 0);
    NAME_ROW(e.tenant = rekey_span(longest, 254), REKEY_E_IDENTITY);
    NAME_ROW(e.client_id = REKEY_SPAN("a&b"), REKEY_E_IDENTITY);
    NAME_ROW(e.client_id.len = 0, REKEY_E_IDENTITY);
    NAME_ROW(e.client_id = rekey_span(longest, 64), 0);
    NAME_ROW(e.client_id = rekey_span(longest, 65), REKEY_E_IDENTITY);
#undef NAME_ROW
    row("no secret");
    check_int(rekey_credential_secret_init(&secret, &entra, REKEY_SPAN("")), REKEY_E_SECRET);
    rows_done();
}

// Requests that do not fit staging are not sent.
static void test_too_long(void **state) {
    static const struct exchange script[] = {{TOKEN("3599"), 0}};
    char *longest = scratch;
    const size_t form = sizeof("client_id=client-1&scope=https%3A%2F%2Fm%2F.default"
                               "&grant_type=client_credentials&client_secret=") -
                        1;
    const size_t most = (REKEY_STAGING_MAX - REKEY_ENTRA_BODY - form) / 3;
    struct rekey_credential_secret secret;
    struct rekey_entra e = entra;

    (void)state;
    memset(longest, '&', sizeof(scratch));
    for (size_t more = 0; more < 2; more++) {
        row_n("a secret that fits, and more by", (long)more);
        reset(script);
        rekey_credential_secret_init(&secret, &entra, rekey_span(longest, most + more));
        check_int(get(&secret.base), more == 0 ? 0 : REKEY_E_LIMIT_CREDENTIAL);
        check_int(report.outcome, more == 0 ? REKEY_SUCCEEDED : REKEY_CREDENTIALS);
        check(strcmp(world.hosts, more == 0 ? "s login.example:443 " : "") == 0);
    }
    row("a secret without end");
    reset(script);
    rekey_credential_secret_init(&secret, &entra, rekey_span(longest, SIZE_MAX / 2));
    check_int(get(&secret.base), REKEY_E_LIMIT_CREDENTIAL);
    row("the form is too long before the secret comes");
    reset(script);
    e.scope = rekey_span(longest, sizeof(scratch));
    rekey_credential_secret_init(&secret, &e, REKEY_SPAN("s"));
    check_int(get(&secret.base), REKEY_E_LIMIT_CREDENTIAL);
    row("a board without end");
    reset(script);
    options.board = rekey_span(longest, sizeof(scratch));
    check_int(get(with_secret()), REKEY_E_LIMIT_CREDENTIAL);
    rows_done();
}

// ---- workload -----------------------------------------------------------------------------------

#define ASSERTION                                                                                  \
    "client_id=client-1&scope=https%3A%2F%2Fm%2F.default&grant_type=client_credentials"            \
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"      \
    "&client_assertion="

static void test_workload(void **state) {
    static const struct exchange script[] = {{TOKEN("3599"), 0}};
    static const struct {
        const char *file, *sent;
        int file_error, error;
        size_t file_len;
    } rows[] = {
        {"aa.bb-_.cc", "aa.bb-_.cc", 0, 0, 0},
        {" \t\r\naa.bb.cc\r\n\t ", "aa.bb.cc", 0, 0, 0},
        {"", NULL, 0, REKEY_E_ASSERTION, 0},
        {" \n", NULL, 0, REKEY_E_ASSERTION, 0},
        {"aa bb", NULL, 0, REKEY_E_ASSERTION, 0},
        {"aa&client_id=b", NULL, 0, REKEY_E_ASSERTION, 0},
        {"aa", NULL, REKEY_E_ASSERTION, REKEY_E_ASSERTION, 0},
        {"aa", NULL, 0, REKEY_E_LIMIT_CREDENTIAL, 100000},
    };
    struct rekey_credential_workload workload = {.read = fake_file, .ctx = &world};
    struct rekey_entra e = entra;
    char *longest = scratch;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *body;

        row(rows[i].file);
        reset(script);
        world.file = rows[i].file;
        world.file_len = rows[i].file_len;
        world.file_error = rows[i].file_error;
        check_int(rekey_credential_workload_init(&workload, &entra), 0);
        check_int(get(&workload.base), rows[i].error);
        check_int(report.outcome, rows[i].error == 0 ? REKEY_SUCCEEDED : REKEY_CREDENTIALS);
        if (rows[i].sent == NULL) {
            check_int(world.sent_len, 0);
            continue;
        }
        body = strstr(world.sent, "\r\n\r\n" ASSERTION);
        check(body != NULL && strcmp(body + 4 + strlen(ASSERTION), rows[i].sent) == 0);
    }
    check_int(report.needed, REKEY_ENTRA_BODY + strlen(ASSERTION) + 100000);
    row("as long as there is room");
    reset(script);
    memset(scratch, 'a', sizeof(scratch));
    scratch[REKEY_STAGING_MAX - REKEY_ENTRA_BODY - strlen(ASSERTION)] = '\0';
    world.file = scratch;
    check_int(rekey_credential_workload_init(&workload, &entra), 0);
    check_int(get(&workload.base), 0);
    check_int(world.file_cap, strlen(scratch));
    row("and a byte more");
    world.sent_len = 0;
    world.connection = -1;
    world.file_len = strlen(scratch) + 1;
    check_int(rekey_credential_workload_init(&workload, &entra), 0);
    check_int(get(&workload.base), REKEY_E_LIMIT_CREDENTIAL);
    row("no room for it");
    reset(script);
    memset(longest, '&', sizeof(scratch));
    e.scope = rekey_span(longest, sizeof(scratch));
    check_int(rekey_credential_workload_init(&workload, &e), 0);
    check_int(get(&workload.base), REKEY_E_LIMIT_CREDENTIAL);
    check(!world.file_read);
    row("no tenant");
    e.tenant.len = 0;
    check_int(rekey_credential_workload_init(&workload, &e), REKEY_E_IDENTITY);
    rows_done();
}

// ---- in an operation ----------------------------------------------------------------------------

#define ACCEPTED                                                                                   \
    ANSWER("202", "Azure-AsyncOperation: https://management.azure.com/o\r\nRetry-After: 60\r\n")
#define STATUS(word, fields)                                                                       \
    "HTTP/1.1 200 OK\r\nConnection: close\r\n" fields "\r\n{\"status\":\"" word "\"}"

#define CLAIMS                                                                                     \
    ANSWER("401", "WWW-Authenticate: Bearer authorization_uri=\"https://a/, b\", "                 \
                  "error=\"insufficient_claims\", claims=\"eyJ9\"\r\n")
#define CHALLENGED(value) ANSWER("401", "WWW-Authenticate: " value "\r\n")
#define FIFTY "01234567890123456789012345678901234567890123456789"
#define LONG_CHALLENGE                                                                             \
    ANSWER("401", "WWW-Authenticate: Bearer x=\"" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "\"\r\n")

static int regenerate(struct rekey_credential *credential) {
    int result;

    options.credential = credential;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    result = rekey_run(&client);
    rekey_report(&client, &report);
    check(all_zero(client.url + 512, sizeof(client.url) - 512));
    return result;
}

// ---- certificate --------------------------------------------------------------------------------

static struct {
    char text[2048];
    size_t text_len, signature_len;
    int thumbprint_error, sign_error;
    uint32_t outside;
} signer;

// A sum of the client outside of staging. The assertion is built in staging, and must not touch the
// rest.
static uint32_t sum_outside(void) {
    const unsigned char *bytes = (const unsigned char *)&client;
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof(client); i++) {
        if (i < offsetof(struct rekey, staging) || i >= offsetof(struct rekey, token)) {
            sum = sum * 31 + bytes[i];
        }
    }
    return sum;
}

static int fake_thumbprint(void *ctx, unsigned char sha256[32]) {
    check(ctx == &signer);
    signer.outside = sum_outside();
    for (int i = 0; i < 32; i++) {
        sha256[i] = (unsigned char)(0xF8 + i);
    }
    return signer.thumbprint_error;
}

static int fake_sign(void *ctx, struct rekey_span text, unsigned char *signature, size_t *len) {
    check(ctx == &signer);
    check(signer.outside == sum_outside());
    memcpy(signer.text, text.ptr, text.len);
    signer.text_len = text.len;
    memset(signature, 0xFF, signer.signature_len);
    *len = signer.signature_len;
    return signer.sign_error;
}

// Decodes base64url up to the first other character. Returns the length.
static size_t decode(const char *text, char *out) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    size_t len = 0;
    int have = 0;

    for (const char *p; *text != '\0' && (p = strchr(alphabet, *text)) != NULL; text++) {
        bits = bits << 6 | (uint32_t)(p - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (char)(bits >> have);
        }
    }
    out[len] = '\0';
    return len;
}

static void test_certificate(void **state) {
    static const struct exchange script[] = {{TOKEN("3599"), 0}};
    static const struct exchange renewed[] = {
        {TOKEN("100"), 0}, {ACCEPTED, 0}, {TOKEN("100"), 0}, {STATUS("Succeeded", ""), 0}};
    char *longest = scratch;
    const struct rekey_signer fake_signer = {&signer, fake_thumbprint, fake_sign};
    struct rekey_credential_certificate certificate;
    struct rekey_entra e = entra;
    char text[1024], signature[1024];
    const char *dot;
    // Each byte of a scope takes three, but for so many that take one: then there are as many rows
    // whatever the limits are.
    const size_t odd = (REKEY_STAGING_MAX - 2048 - 240) % 3;
    const size_t thrice = (REKEY_STAGING_MAX - 2048 - 240) / 3 * 3 + 3 * odd;

    (void)state;
    row("the assertion");
    reset(script);
    memset(&signer, 0, sizeof(signer));
    signer.signature_len = 512;
    e.port = 8443;
    check_int(rekey_credential_certificate_init(&certificate, &e, fake_signer), 0);
    check_int(get(&certificate.base), 0);
    check_token("token-1");
    signer.text[signer.text_len] = '\0';
    decode(signer.text, text);
    check(strcmp(text, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":"
                       "\"-Pn6-_z9_v8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhc\"}") == 0);
    dot = strchr(signer.text, '.');
    check(dot != NULL);
    decode(dot + 1, text);
    check(strcmp(text, "{\"aud\":\"https://login.example:8443/tenant-1/oauth2/v2.0/token\","
                       "\"iss\":\"client-1\",\"sub\":\"client-1\",\"jti\":\"" GUID "\","
                       "\"nbf\":1764000000,\"iat\":1764000000,\"exp\":1764000600}") == 0);
    dot = strstr(world.sent, signer.text); // the signed text is the text that was sent
    check(dot != NULL && dot[signer.text_len] == '.');
    check_int(decode(dot + signer.text_len + 1, signature), 512);
    check_int((unsigned char)signature[511], 0xFF);

#define FAILS(change, expected)                                                                    \
    do {                                                                                           \
        row(#change);                                                                              \
        reset(script);                                                                             \
        memset(&signer, 0, sizeof(signer));                                                        \
        signer.signature_len = 256;                                                                \
        e = entra;                                                                                 \
        change;                                                                                    \
        check_int(rekey_credential_certificate_init(&certificate, &e, fake_signer), 0);            \
        check_int(get(&certificate.base), expected);                                               \
        check_int(world.sent_len, 0);                                                              \
    } while (0)
    memset(longest, 'a', sizeof(scratch));
    FAILS(signer.thumbprint_error = REKEY_E_SIGN, REKEY_E_SIGN);
    FAILS(signer.sign_error = REKEY_E_SIGN, REKEY_E_SIGN);
    FAILS(world.entropy_good = 0, REKEY_E_ENTROPY);
    FAILS(fake.wall = -1, REKEY_E_CLOCK);
    FAILS(fake.wall = UINT32_MAX, REKEY_E_CLOCK);
    memset(longest, '&', sizeof(scratch));
    memset(longest, 'a', odd);
    for (size_t less = 0; less < 616; less++) { // what does not fit: all, or parts of it
        FAILS(e.scope = rekey_span(longest, (thrice - less) / 3), REKEY_E_LIMIT_CREDENTIAL);
    }
    row("as long as it can be");
    {
        size_t less = 616;
        int error = REKEY_E_LIMIT_CREDENTIAL;

        while (error != 0 && less < 1000) {
            reset(script);
            e = entra;
            e.scope = rekey_span(longest, (thrice - ++less) / 3);
            check_int(rekey_credential_certificate_init(&certificate, &e, fake_signer), 0);
            error = get(&certificate.base);
        }
        check_int(error, 0);
        dot = strstr(world.sent, "\r\n\r\n");
        check(dot != NULL && strlen(dot + 4) >= REKEY_STAGING_MAX - 2048 - 8 &&
              strlen(dot + 4) <= REKEY_STAGING_MAX - 2048);
    }
    row("the longest names");
    {
        static char names[253];

        memset(names, 'n', sizeof(names));
        reset(script);
        e = entra;
        e.authority = e.tenant = rekey_span(names, sizeof(names));
        e.client_id = rekey_span(names, 64);
        e.port = 65535;
        options.board = rekey_span(names, 128);
        signer.signature_len = 1;
        check_int(rekey_credential_certificate_init(&certificate, &e, fake_signer), 0);
        check_int(get(&certificate.base), 0);
        signer.text[signer.text_len] = '\0';
        dot = strchr(signer.text, '.');
        check(dot != NULL);
        decode(dot + 1, text);
        check(strstr(text, ",\"exp\":1764000600}") != NULL); // the whole of the claims
    }
    row("the usual port is not named");
    reset(script);
    signer.signature_len = 256;
    check_int(rekey_credential_certificate_init(&certificate, &entra, fake_signer), 0);
    check_int(get(&certificate.base), 0);
    signer.text[signer.text_len] = '\0';
    dot = strchr(signer.text, '.');
    decode(dot + 1, text);
    check(strncmp(text, "{\"aud\":\"https://login.example/tenant-1/", 39) == 0);
    row("renewed while it polls");
    reset(renewed);
    check_int(regenerate(&certificate.base), 0);
    check_int(report.polls, 1);
#undef FAILS
    row("no tenant");
    e.tenant.len = 0;
    check_int(rekey_credential_certificate_init(&certificate, &e, fake_signer), REKEY_E_IDENTITY);
    rows_done();
}

static void test_base64url(void **state) {
    static const struct {
        const char *in, *out;
    } rows[] = {
        // RFC 4648 10, without padding
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xFB\xEF\xFF", "--__"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].out);
        char *out = guarded(len);

        row(rows[i].out);
        out = guarded(len);
        check_int(rekey_base64url(rows[i].in, strlen(rows[i].in), out), len);
        check_span(rekey_span(out, len), rekey_span(rows[i].out, len));
    }
    rows_done();
}

// ---- managed identities -------------------------------------------------------------------------

#define GET(host, query, more)                                                                     \
    "GET /metadata/identity/oauth2/token?api-version=" query " HTTP/1.1\r\nHost: " host "\r\n"     \
    "User-Agent: rekey/" REKEY_VERSION " (unknown board)\r\nAccept-Encoding: identity\r\n"         \
    "Metadata: true\r\n" more "\r\n"

static const struct rekey_managed vm = {
    .host = {"169.254.169.254", 15}, .port = 80, .resource = {"https://m/", 10}};

static void test_imds(void **state) {
    struct rekey_transport plain;
    static const struct exchange good[] = {{TOKEN("\"99\""), 0}};
    static const struct exchange updating[] = {{ANSWER("404", ""), 0},
                                               {ANSWER("410", "Retry-After: 20\r\n"), 0},
                                               {ANSWER("410", "Retry-After: 20\r\n"), 0},
                                               {ANSWER("410", "Retry-After: 20\r\n"), 0},
                                               {ANSWER("410", "Retry-After: 9\r\n"), 0},
                                               {ANSWER("410", "Retry-After: 2\r\n"), 0},
                                               {ANSWER("410", ""), 0},
                                               {TOKEN("3599"), 0}};
    static const struct exchange hurried[] = {{ANSWER("410", "Retry-After: 0\r\n"), 0},
                                              {ANSWER("410", "Retry-After: 0\r\n"), 0},
                                              {ANSWER("410", "retry-after-ms: 0\r\n"), 0},
                                              {ANSWER("410", "Retry-After: 0\r\n"), 0},
                                              {ANSWER("410", "Retry-After: 0\r\n"), 0},
                                              {ANSWER("410", "retry-after-ms: 999\r\n"), 0},
                                              {TOKEN("3599"), 0}};
    static const struct exchange missing[] = {{ANSWER("404", ""), 0},
                                              {ANSWER("404", ""), 0},
                                              {ANSWER("404", ""), 0},
                                              {ANSWER("404", ""), 0},
                                              {ANSWER("404", ""), 0}};
    static const struct exchange refused[] = {
        {CLOSED("400",
                "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}"),
         0}};
    static const struct exchange absent[] = {{"", REKEY_E_CONNECT}};
    static const struct exchange hanging[] = {{"", REKEY_E_CONNECT_TIMEOUT}};
    static const struct exchange broken[] = {{"", 0}, {TOKEN("3599"), 0}};
    struct rekey_credential_imds imds;
    struct rekey_managed m = vm;

    (void)state;
    row("the machine's own identity");
    reset(good);
    check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
    check_int(get(&imds.base), 0);
    check_token("token-1");
    check_int(token.lifetime_ms, 99000);
    check_sent(GET("169.254.169.254", "2018-02-01&resource=https%3A%2F%2Fm%2F", ""));
    check(strcmp(world.hosts, "169.254.169.254:80 ") == 0);
    check_int(world.connect_timeout, REKEY_CONNECT_TIMEOUT_MS);

    row("another one, at another place");
    reset(good);
    m.host = REKEY_SPAN("::1");
    m.port = 8080;
    m.client_id = REKEY_SPAN("id/1");
    check_int(rekey_credential_imds_init(&imds, &m, false), 0);
    check_int(get(&imds.base), 0);
    check_sent(GET("[::1]:8080", "2018-02-01&resource=https%3A%2F%2Fm%2F&client_id=id%2F1", ""));

    row("it is being updated: 70 s");
    reset(updating);
    check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
    check_int(get(&imds.base), REKEY_E_TOKEN_REFUSED);
    check_int(world.wait_count, 6);
    check_int(fake.now, 1000 + 402 + 71000);

    row("and says to come back at once: that is for five tries");
    reset(hurried);
    check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
    check_int(get(&imds.base), 0);
    check_int(world.wait_count, 2);
    check_int(fake.now, 1000 + 2 * 1000);

    row("not there: five tries");
    reset(missing);
    check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
    check_int(get(&imds.base), REKEY_E_TOKEN_REFUSED);
    check_int(world.wait_count, 4);

    row("an id of one byte");
    reset(good);
    m.client_id = REKEY_SPAN("i");
    check_int(rekey_credential_imds_init(&imds, &m, false), 0);
    check_int(get(&imds.base), 0);
    check(strstr(world.sent, "&client_id=i HTTP/1.1\r\n") != NULL);

    row("none is assigned");
    reset(refused);
    check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
    check_int(get(&imds.base), REKEY_E_TOKEN_REFUSED);
    check_text(report.service->message.text, report.service->message.len, "Identity not found");

    row("one of several, and not there");
    reset(absent);
    check_int(rekey_credential_imds_init(&imds, &vm, true), 0);
    check_int(get(&imds.base), REKEY_E_NO_TOKEN);
    check_int(report.outcome, REKEY_CREDENTIALS);
    check_int(report.cause, REKEY_E_CONNECT);
    check_int(world.connect_timeout, 1000);
    row("one of several, and silent");
    reset(hanging);
    options.connect_timeout_ms = 500;
    check_int(get(&imds.base), REKEY_E_NO_TOKEN);
    check_int(world.connect_timeout, 500);
    row("one of several, and there");
    reset(broken);
    check_int(get(&imds.base), 0);

    row("the only limit of a name is that of staging");
    reset(good);
    memset(scratch, 'i', sizeof(scratch));
    m.client_id = rekey_span(scratch, 1000);
    check_int(rekey_credential_imds_init(&imds, &m, false), 0);
    check_int(get(&imds.base), 0);
    check(strstr(world.sent, "&client_id=iiii") != NULL && strstr(world.sent, "i HTTP/1.1\r\n"));
    m.client_id = rekey_span(scratch, REKEY_STAGING_MAX);
    reset(good);
    check_int(rekey_credential_imds_init(&imds, &m, false), 0);
    check_int(get(&imds.base), REKEY_E_LIMIT_CREDENTIAL);
    row("a board without end");
    reset(good);
    check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
    options.board = rekey_span(world.sent, sizeof(world.sent));
    check_int(get(&imds.base), REKEY_E_LIMIT_CREDENTIAL);

    row("elsewhere");
    m.host = REKEY_SPAN("169.254.169.253");
    check_int(rekey_credential_imds_init(&imds, &m, false), REKEY_E_PLAIN);
    reset(good);
    check_int(get(&imds.base), REKEY_E_PLAIN);
    check(strcmp(world.hosts, "") == 0);
    row("a port without plain TCP");
    reset(good);
    plain = port.plain;
    port.plain = (struct rekey_transport){.ctx = NULL};
    check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
    check_int(get(&imds.base), REKEY_E_PLAIN);
    port.plain = plain;
    rows_done();
}

#define TOKENS "/var/opt/azcmagent/tokens/"
#define CHALLENGE(value) ANSWER("401", "WWW-Authenticate: " value "\r\n")
#define BASIC CHALLENGE("Basic realm=" TOKENS "a-1.key")

// The agent of Azure Arc answers instead of IMDS: this is reported at once.
static void test_imds_is_arc(void **state) {
    static const struct {
        const char *name;
        struct exchange answers[2]; // the second one ends the script
        int error;
    } table[] = {
        {"its challenge", {{BASIC, 0}}, REKEY_E_ARC},
        {"in quotation marks", {{CHALLENGE("Basic realm=\"" TOKENS "a.key\""), 0}}, REKEY_E_ARC},
        {"of Windows",
         {{CHALLENGE("Basic realm=C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens\\a.key"), 0}},
         REKEY_E_ARC},
        {"behind another", {{CHALLENGE("Bearer realm=\"x\", basic Realm=/a"), 0}}, REKEY_E_ARC},
        {"no challenge", {{ANSWER("401", ""), 0}}, REKEY_E_TOKEN_REFUSED},
        {"another scheme", {{CHALLENGE("Bearer realm=/a"), 0}}, REKEY_E_TOKEN_REFUSED},
        {"no realm", {{CHALLENGE("Basic charset=x"), 0}}, REKEY_E_TOKEN_REFUSED},
        {"an empty realm", {{CHALLENGE("Basic realm="), 0}}, REKEY_E_TOKEN_REFUSED},
        {"of one byte", {{CHALLENGE("Basic realm=/"), 0}}, REKEY_E_ARC},
        {"another status",
         {{ANSWER("403", "WWW-Authenticate: Basic realm=/a\r\n"), 0}},
         REKEY_E_TOKEN_REFUSED},
        {"a status below",
         {{ANSWER("400", "WWW-Authenticate: Basic realm=/a\r\n"), 0}},
         REKEY_E_TOKEN_REFUSED},
    };
    struct rekey_credential_imds imds;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        row(table[i].name);
        reset(table[i].answers);
        check_int(rekey_credential_imds_init(&imds, &vm, false), 0);
        check_int(get(&imds.base), table[i].error);
        check_int(report.outcome, REKEY_CREDENTIALS);
        check(report.http_status >= 400 && report.http_status <= 403);
        check_int(world.wait_count, 0);
    }
    rows_done();
}

static const struct rekey_managed agent = {
    .host = {"127.0.0.1", 9}, .port = 40342, .resource = {"https://m/", 10}};

static void test_arc(void **state) {
    static const struct exchange good[] = {{BASIC, 0}, {TOKEN("3599"), 0}};
    static const struct exchange unasked[] = {{TOKEN("3599"), 0}};
    static const struct exchange twice[] = {{BASIC, 0}, {BASIC, 0}};
    static const struct exchange anew[] = {
        {BASIC, 0}, {ANSWER("503", ""), 0}, {BASIC, 0}, {TOKEN("3599"), 0}};
    static const struct exchange lost[] = {{BASIC, 0}, {"", 0}, {BASIC, 0}, {TOKEN("3599"), 0}};
    static const struct exchange refused[] = {{BASIC, 0}, {ANSWER("403", ""), 0}};
    static const char first[] =
        GET("127.0.0.1:40342", "2020-06-01&resource=https%3A%2F%2Fm%2F", "");
    static const char with_key[] =
        GET("127.0.0.1:40342", "2020-06-01&resource=https%3A%2F%2Fm%2F", "")
            GET("127.0.0.1:40342", "2020-06-01&resource=https%3A%2F%2Fm%2F",
                "Authorization: Basic the/key+1==\r\n");
    static const char *const bad[] = {
        CHALLENGE("Basic realm=" TOKENS "a-1.txt"),
        CHALLENGE("Basic realm=" TOKENS ".key"),
        CHALLENGE("Basic realm=" TOKENS "../a-1.key"),
        CHALLENGE("Basic realm=" TOKENS "sub/a-1.key"),
        CHALLENGE("Basic realm=/etc/shadow.key"),
        CHALLENGE("Basic realm=/var/opt/azcmagent/tokensX/a-1.key"),
        CHALLENGE("Basic realm=" TOKENS),
        CHALLENGE("Basic realm=\"" TOKENS "a 1.key\""),
        CHALLENGE("Basic"),
        CHALLENGE("Bearer realm=" TOKENS "a-1.key"),
        CHALLENGE(""),
        ANSWER("401", ""),
    };
    static const struct {
        const char *file;
        int file_error, error;
    } files[] = {
        {"the/key+1==\r\n", 0, 0},      {"", 0, REKEY_E_KEY_FILE},
        {"\n", 0, REKEY_E_KEY_FILE},    {"a\r\nX: y", 0, REKEY_E_KEY_FILE},
        {"a b", 0, REKEY_E_KEY_FILE},   {" ab", 0, REKEY_E_KEY_FILE},
        {"a\x7f", 0, REKEY_E_KEY_FILE}, {"a", REKEY_E_KEY_FILE, REKEY_E_KEY_FILE},
    };
    struct rekey_credential_arc arc = {.read = fake_key_file, .ctx = &world};
    struct rekey_managed m = agent;

    (void)state;
    check_int(rekey_credential_arc_init(&arc, &agent), 0);
    row("challenge and key");
    reset(good);
    world.file = "the/key+1==";
    check_int(get(&arc.base), 0);
    check_token("token-1");
    check_sent(with_key);
    check(strcmp(world.hosts, "127.0.0.1:40342 127.0.0.1:40342 ") == 0);
    row("a key of one byte");
    reset(good);
    world.file = "k";
    check_int(get(&arc.base), 0);
    check(strstr(world.sent, "\r\nAuthorization: Basic k\r\n\r\n") != NULL);
    row("a key of other visible bytes");
    reset(good);
    world.file = "!~";
    check_int(get(&arc.base), 0);
    row("a token at once");
    reset(unasked);
    check_int(get(&arc.base), 0);
    check_sent(first);
    check(!world.file_read);
    row("the key is refused");
    reset(twice);
    check_int(get(&arc.base), REKEY_E_TOKEN_REFUSED);
    row("refused for another reason");
    reset(refused);
    check_int(get(&arc.base), REKEY_E_TOKEN_REFUSED);
    check_int(report.http_status, 403);
    row("each try has a challenge of its own");
    reset(anew);
    check_int(get(&arc.base), 0);
    check_int(world.connection, 3);
    check_int(world.wait_count, 1);
    row("also after a connection that broke");
    reset(lost);
    check_int(get(&arc.base), 0);
    check_int(world.connection, 3);
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct exchange script[] = {{bad[i], 0}};

        row(bad[i]);
        reset(script);
        check_int(get(&arc.base), REKEY_E_CHALLENGE);
        check_int(report.outcome, REKEY_CREDENTIALS);
        check(!world.file_read);
    }
    for (size_t i = 0; i < COUNT(files); i++) {
        row(files[i].file);
        reset(good);
        world.file = files[i].file;
        world.file_error = files[i].file_error;
        check_int(get(&arc.base), files[i].error);
        check(world.file_read);
        check_sent(files[i].error == 0 ? with_key : first);
    }
    row("elsewhere");
    m.host = REKEY_SPAN("10.0.0.1");
    check_int(rekey_credential_arc_init(&arc, &m), REKEY_E_PLAIN);
    rows_done();
}

// ---- what a token service repeats ---------------------------------------------------------------

enum proof { CLIENT_SECRET, ENCODED_SECRET, FEDERATED, SIGNED, ARC_KEY, PROOFS };

#define LONG_SECRET "A~long&secret of%the+client/with=all.signs"
#define LONG_ENCODED "A~long%26secret%20of%25the%2Bclient%2Fwith%3Dall.signs"
#define LONG_FEDERATED "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhLWRldmljZSJ9.c2lnbmF0dXJlLW9mLWl0"
#define LONG_KEY "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

// The credential that sends the proof.
static struct rekey_credential *sends(enum proof proof) {
    static struct rekey_credential_secret secret;
    static struct rekey_credential_workload workload = {.read = fake_file, .ctx = &world};
    static struct rekey_credential_certificate certificate;
    static struct rekey_credential_arc arc = {.read = fake_key_file, .ctx = &world};
    const struct rekey_signer fake_signer = {&signer, fake_thumbprint, fake_sign};

    memset(&signer, 0, sizeof(signer));
    signer.signature_len = 256;
    world.file = proof == ARC_KEY ? LONG_KEY "\n" : LONG_FEDERATED;
    switch (proof) {
    case CLIENT_SECRET:
    case ENCODED_SECRET:
        check_int(rekey_credential_secret_init(&secret, &entra, REKEY_SPAN(LONG_SECRET)), 0);
        return &secret.base;
    case FEDERATED:
        check_int(rekey_credential_workload_init(&workload, &entra), 0);
        return &workload.base;
    case SIGNED:
        check_int(rekey_credential_certificate_init(&certificate, &entra, fake_signer), 0);
        return &certificate.base;
    default:
        check_int(rekey_credential_arc_init(&arc, &agent), 0);
        return &arc.base;
    }
}

// The proof itself: the bytes that were sent, except that a secret is sent encoded.
static void find_proof(enum proof proof, char *text, size_t cap) {
    const char *found = proof == ARC_KEY ? strstr(world.sent, "Basic ") + 6
                                         : strstr(world.sent, "client_assertion=");

    snprintf(text, cap, "%s",
             proof == CLIENT_SECRET    ? LONG_SECRET
             : proof == ENCODED_SECRET ? LONG_ENCODED
             : proof == ARC_KEY        ? found
                                       : found + strlen("client_assertion="));
    text[strcspn(text, "\r")] = '\0';
}

// Whether the text has a run of 16 bytes of the secret, or all of it.
static bool repeats(const char *text, size_t len, const char *secret) {
    size_t secret_len = strlen(secret), run = secret_len < 16 ? secret_len : 16;

    for (size_t at = 0; at + run <= len; at++) {
        for (size_t from = 0; from + run <= secret_len; from++) {
            if (memcmp(text + at, secret + from, run) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void test_echo(void **state) {
    static const char *const places[] = {
        "{\"error\":\"%s\"}",
        "{\"error_description\":\"AADSTS1: the proof '%s' is bad\"}",
        "{\"error_description\":\"%.250s\"}",
        "{\"trace_id\":\"%s\",\"correlation_id\":\"%s\"}",
        "{\"correlation_id\":\"see %s\"}",
    };
    static char proof[1024], body[2048];
    char *const text = scratch;
    const size_t cap = sizeof(scratch);
    const struct exchange script[] = {{text, 0}};
    const struct exchange challenged[] = {{BASIC, 0}, {text, 0}};
    int seen = 0;

    (void)state;
    for (enum proof kind = CLIENT_SECRET; kind < PROOFS; kind++) {
        strcpy(text, CLOSED("400", "{}"));
        reset(kind == ARC_KEY ? challenged : script);
        row_n("the proof", kind);
        check_int(get(sends(kind)), REKEY_E_TOKEN_REFUSED);
        find_proof(kind, proof, sizeof(proof));
        check(strlen(proof) >= 32);
        for (size_t i = 0; i < COUNT(places); i++) {
            const struct rekey_arm_error *e;

            row_nn("repeated", kind, (long)i);
            snprintf(body, sizeof(body), places[i], proof, proof);
            snprintf(text, cap, CLOSED("400", "%s"), body);
            reset(kind == ARC_KEY ? challenged : script);
            check_int(get(sends(kind)), REKEY_E_TOKEN_REFUSED);
            e = report.service;
            for (size_t k = 0; k < e->code.len; k++) {
                check_int(e->code.text[k], '*');
            }
            check(i != 4 || strncmp(report.correlation_id, "see *", 5) == 0);
            check(!repeats(e->message.text, e->message.len, proof));
            check(!repeats(report.request_id, strlen(report.request_id), proof));
            check(!repeats(report.correlation_id, strlen(report.correlation_id), proof));
            seen += memchr(e->code.text, '*', e->code.len) != NULL ||
                    memchr(e->message.text, '*', e->message.len) != NULL ||
                    strchr(report.correlation_id, '*') != NULL;
        }
    }
    check_int(seen, PROOFS * (int)COUNT(places)); // each was there to be found
    for (enum proof kind = CLIENT_SECRET; kind < ARC_KEY; kind++) {
        static const char *const answers[] = {"200 X\r\nConnection: close\r\n%s\r\n{}",
                                              "400 X\r\n%sContent-Length: A6\r\n\r\n",
                                              "302 X\r\nContent-Length: 0\r\n%s\r\n"};

        strcpy(text, CLOSED("400", "{}"));
        reset(script);
        row_n("the proof", kind);
        check_int(get(sends(kind)), REKEY_E_TOKEN_REFUSED);
        find_proof(kind, proof, sizeof(proof));
        for (size_t i = 0; i < COUNT(answers); i++) {
            row_nn("in the ids of an answer without a token", kind, (long)i);
            snprintf(body, sizeof(body),
                     "x-ms-request-id: %s\r\nx-ms-correlation-request-id: id %.20s\r\n", proof,
                     proof);
            snprintf(text, cap, "HTTP/1.1 ");
            snprintf(text + 9, cap - 9, answers[i], body);
            reset(script);
            check(get(sends(kind)) < 0);
            check(!repeats(report.request_id, strlen(report.request_id), proof));
            check(!repeats(report.correlation_id, strlen(report.correlation_id), proof));
            check(i == 2 || (report.request_id[0] == '*' && report.correlation_id[0] == 'i'));
        }
    }
    for (enum proof kind = CLIENT_SECRET; kind < ARC_KEY; kind++) {
        static const char sent[] = "scope=https%3A%2F%2Fm%2F.default&grant_type";

        row_n("what is no secret of what was sent", kind);
        snprintf(text, cap, CLOSED("400", "{\"error_description\":\"%s\"}"), sent);
        reset(script);
        check_int(get(sends(kind)), REKEY_E_TOKEN_REFUSED);
        check_text(report.service->message.text, report.service->message.len, sent);
    }
    for (size_t length = 39; length <= 41; length++) { // of which 40 bytes are kept
        char id[64];

        row_n("the beginning of a proof at the end of an id", (long)length);
        memset(id, '-', length - 1);
        id[length - 1] = LONG_FEDERATED[0];
        id[length] = '\0';
        snprintf(text, cap, "HTTP/1.1 200 X\r\nx-ms-request-id: %s\r\nConnection: close\r\n\r\n{}",
                 id);
        reset(script);
        check_int(get(sends(FEDERATED)), REKEY_E_TOKEN_ANSWER);
        check_int(report.request_id[38], length == 39 ? LONG_FEDERATED[0] : '-');
        check_int(report.request_id[39], length == 39 ? '\0' : length == 40 ? '*' : '-');
    }
    row("empty lines in an answer to a request without a key");
    strcpy(text, CLOSED("403", "{\r\n\r\n\"error\":\"e\"}"));
    reset(script);
    check_int(get(sends(ARC_KEY)), REKEY_E_TOKEN_REFUSED);
    check_text(report.service->code.text, report.service->code.len, "e");
    row("in an answer that is cut");
    snprintf(text, cap, CLOSED("400", "{\"error\":\"e\",\"error_description\":\"%s\",\"x\":\""),
             LONG_FEDERATED);
    {
        size_t len = strlen(text);

        memset(text + len, 'x', REKEY_TOKEN_MAX);
        text[len + REKEY_TOKEN_MAX] = '\0';
    }
    reset(script);
    check_int(get(sends(FEDERATED)), REKEY_E_TOKEN_REFUSED);
    check_text(report.service->code.text, report.service->code.len, "e");
    check(report.service->message.len == strlen(LONG_FEDERATED));
    check(report.service->message.text[0] == '*');
    row("a token may look like what was sent");
    snprintf(text, cap, CLOSED("200", "{\"access_token\":\"%s\"}"), LONG_FEDERATED);
    reset(script);
    check_int(get(sends(FEDERATED)), 0);
    check_token(LONG_FEDERATED);
    rows_done();
}

// What was sent is forgotten once it was answered, or the connection has failed: also while it
// waits for the next try.
static void test_forgotten_while_waiting(void **state) {
    static const struct exchange scripts[][3] = {
        {{ANSWER("503", "Retry-After: 60\r\n"), 0}, {TOKEN("3599"), 0}},
        {{"", 0}, {TOKEN("3599"), 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        int result = REKEY_AGAIN;

        row_n("script", (long)i);
        reset(scripts[i]);
        options.credential = sends(CLIENT_SECRET);
        check_int(rekey_init(&client, &port, &options), 0);
        check_int(rekey_get_token(&client, &token), 0);
        while (result > 0 && result != REKEY_WANT_TIME) {
            result = rekey_step(&client);
        }
        check_int(result, REKEY_WANT_TIME);
        check(all_zero(&client.staging, sizeof(client.staging)));
        check(!repeats((const char *)&client, sizeof(client), LONG_ENCODED));
        rekey_abort(&client);
    }
    rows_done();
}

static void test_plain_hosts(void **state) {
    static const struct {
        const char *host;
        bool plain;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.1.2.3", true},
        {"localhost", true},
        {"LocalHost", true},
        {"::1", true},
        {"169.254.169.254", true},
        {"", false},
        {"127.", false},
        {"127.1", true},
        {"127", false},
        {"128.0.0.1", false},
        {"127.0.0.1.example", false},
        {"127-0.0.1", false},
        {"localhost.example", false},
        {"169.254.169.253", false},
        {"0.0.0.0", false},
        {"login.example", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].host);
        check(rekey_credential_plain_host(
                  guarded_copy(rekey_span(rows[i].host, strlen(rows[i].host)))) == rows[i].plain);
    }
    rows_done();
}

static void test_challenge(void **state) {
    static const struct {
        const char *field, *scheme, *name, *value;
    } rows[] = {
        {"Basic realm=a", "Basic", "realm", "a"},
        {"basic REALM=a", "Basic", "realm", "a"},
        {"Basic realm=\"a b, c=d\"", "Basic", "realm", "a b, c=d"},
        {"Basic realm = \"a\" , x = y", "Basic", "x", "y"},
        {"Bearer a=\"1, Basic realm=evil\", b=2, Basic realm=good", "Basic", "realm", "good"},
        {"Bearer a=\"x\\\", Basic realm=evil\", Basic realm=good", "Basic", "realm", "good"},
        {"Bearer realm=no", "Basic", "realm", ""},
        {"Basic x=1, Bearer realm=no", "Basic", "realm", ""},
        {"Negotiate, Basic realm=r", "Basic", "realm", "r"},
        {"Negotiate YWJj==, Basic realm=r", "Basic", "realm", "r"},
        {", ,Basic realm=r", "Basic", "realm", "r"},
        {"Basic realm=\"no end", "Basic", "realm", ""},
        {"Basic realm=\"", "Basic", "realm", ""},
        {"Basic realm=\"\", x=y", "Basic", "x", "y"},
        {"Basic realm=\"no end\\", "Basic", "realm", ""},
        {"Basic realm=", "Basic", "realm", ""},
        {"Basic =a, realm=b", "Basic", "realm", ""},
        {"Basic", "Basic", "realm", ""},
        {"", "Basic", "realm", ""},
        {"Bearer authorization_uri=\"https://a/\", error=\"insufficient_claims\", claims=\"eyJ9\"",
         "Bearer", "claims", "eyJ9"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span field;

        row(rows[i].field);
        field = guarded_copy(rekey_span(rows[i].field, strlen(rows[i].field)));
        check_span(rekey_credential_challenge(field, rows[i].scheme, rows[i].name),
                   rekey_span(rows[i].value, strlen(rows[i].value)));
    }
    rows_done();
}

#define LOGIN "s login.example:443 "
#define MANAGEMENT "s management.azure.com:443 "

static void test_operation(void **state) {
    static const struct {
        const char *name;
        struct exchange script[EXCHANGES];
        int error, outcome;
        const char *hosts;
    } rows[] = {
        {"renewed while it polls: half of 100 s is over after 60",
         {{TOKEN("100"), 0}, {ACCEPTED, 0}, {TOKEN("100"), 0}, {STATUS("Succeeded", ""), 0}},
         0,
         REKEY_SUCCEEDED,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"not renewed: 300 s before the end of 3599 s",
         {{TOKEN("3599"), 0}, {ACCEPTED, 0}, {STATUS("Succeeded", ""), 0}},
         0,
         REKEY_SUCCEEDED,
         LOGIN MANAGEMENT MANAGEMENT},
        {"the same token again is used until 30 s before its end",
         {{TOKEN("320"), 0},
          {ANSWER("202", "Location: https://management.azure.com/o\r\nRetry-After: 161\r\n"), 0},
          {TOKEN("159"), 0}, // that of before: it ends at 320 s
          {ANSWER("202", "Retry-After: 100\r\nConnection: close\r\n"), 0},
          {ANSWER("202", "Retry-After: 30\r\nConnection: close\r\n"), 0},
          {TOKEN("3599"), 0},
          {ANSWER("200", ""), 0}},
         0,
         REKEY_SUCCEEDED,
         LOGIN MANAGEMENT LOGIN MANAGEMENT MANAGEMENT LOGIN MANAGEMENT},
        {"the same token again, with less than a minute left",
         {{TOKEN("50"), 0},
          {ANSWER("202", "Location: https://management.azure.com/o\r\nRetry-After: 30\r\n"), 0},
          {TOKEN("20"), 0},
          {ANSWER("202", "Retry-After: 9\r\nConnection: close\r\n"), 0},
          {ANSWER("200", ""), 0}},
         0,
         REKEY_SUCCEEDED,
         LOGIN MANAGEMENT LOGIN MANAGEMENT MANAGEMENT},
        {"a lifetime that is not known",
         {{TOKEN("0"), 0}, {ACCEPTED, 0}, {STATUS("Succeeded", ""), 0}},
         0,
         REKEY_SUCCEEDED,
         LOGIN MANAGEMENT MANAGEMENT},
        {"refused once",
         {{TOKEN("3599"), 0}, {ANSWER("401", ""), 0}, {TOKEN("3599"), 0}, {ANSWER("200", ""), 0}},
         0,
         REKEY_SUCCEEDED,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"refused twice",
         {{TOKEN("3599"), 0}, {ANSWER("401", ""), 0}, {TOKEN("3599"), 0}, {ANSWER("401", ""), 0}},
         REKEY_E_UNAUTHORIZED,
         REKEY_CREDENTIALS,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"refused with a claims challenge, twice",
         {{TOKEN("3599"), 0}, {CLAIMS, 0}, {TOKEN("3599"), 0}, {CLAIMS, 0}},
         REKEY_E_CLAIMS,
         REKEY_CREDENTIALS,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"and then with another one, which is longer than its place",
         {{TOKEN("3599"), 0}, {CLAIMS, 0}, {TOKEN("3599"), 0}, {LONG_CHALLENGE, 0}},
         REKEY_E_UNAUTHORIZED,
         REKEY_CREDENTIALS,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"and then with a short one, over what is left of the first",
         {{TOKEN("3599"), 0}, {CLAIMS, 0}, {TOKEN("3599"), 0}, {CHALLENGED("Bearer x"), 0}},
         REKEY_E_UNAUTHORIZED,
         REKEY_CREDENTIALS,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"with the word and nothing else",
         {{TOKEN("3599"), 0},
          {CHALLENGED("insufficient_claims"), 0},
          {TOKEN("3599"), 0},
          {CHALLENGED("insufficient_claims"), 0}},
         REKEY_E_CLAIMS,
         REKEY_CREDENTIALS,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"with another word, or a part of it",
         {{TOKEN("3599"), 0},
          {CHALLENGED("insufficient_claim"), 0},
          {TOKEN("3599"), 0},
          {CHALLENGED("insufficient_claimX"), 0}},
         REKEY_E_UNAUTHORIZED,
         REKEY_CREDENTIALS,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"at the beginning of a long one",
         {{TOKEN("3599"), 0},
          {CHALLENGED("insufficient_claims" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY), 0},
          {TOKEN("3599"), 0},
          {CHALLENGED("insufficient_claims" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY), 0}},
         REKEY_E_CLAIMS,
         REKEY_CREDENTIALS,
         LOGIN MANAGEMENT LOGIN MANAGEMENT},
        {"a claims challenge with another status",
         {{TOKEN("3599"), 0},
          {ANSWER("403", "WWW-Authenticate: Bearer error=\"insufficient_claims\"\r\n"), 0}},
         REKEY_E_REFUSED,
         REKEY_REFUSED,
         LOGIN MANAGEMENT},
        {"no token in the middle",
         {{TOKEN("100"), 0}, {ACCEPTED, 0}, {ANSWER("400", ""), 0}},
         REKEY_E_TOKEN_REFUSED,
         REKEY_RUNNING,
         LOGIN MANAGEMENT LOGIN},
        {"an answer without end in the middle",
         {{TOKEN("100"), 0},
          {ACCEPTED, 0},
          {"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", 0}},
         REKEY_E_TOKEN_ANSWER,
         REKEY_RUNNING,
         LOGIN MANAGEMENT LOGIN},
        {"no token at first",
         {{ANSWER("401", ""), 0}},
         REKEY_E_TOKEN_REFUSED,
         REKEY_CREDENTIALS,
         LOGIN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        reset(rows[i].script);
        check_int(regenerate(with_secret()), rows[i].error);
        check_int(report.outcome, rows[i].outcome);
        check_span(rekey_span(world.hosts, strlen(world.hosts)),
                   rekey_span(rows[i].hosts, strlen(rows[i].hosts)));
        check(rekey_span_equal(
            report.host, rows[i].error == 0 || report.error == REKEY_E_UNAUTHORIZED ||
                                 report.error == REKEY_E_CLAIMS || report.error == REKEY_E_REFUSED
                             ? options.host
                             : entra.authority));
    }
    rows_done();
}

// With the option `hold` the token is used by the next operations while it is valid.
static void test_hold(void **state) {
    static const struct exchange script[] = {
        {TOKEN("3599"), 0}, {ANSWER("403", ""), 0},       {TOKEN("3599"), 0},
        {ACCEPTED, 0},      {STATUS("Succeeded", ""), 0}, {ANSWER("403", ""), 0},
        {TOKEN("0"), 0},    {ANSWER("200", ""), 0},       {ANSWER("200", ""), 0}};
    static const struct {
        const char *name;
        uint64_t later_ms; // since the last one
        int error;
        const char *hosts;
    } rows[] = {
        {"one that fails holds none", 0, REKEY_E_REFUSED, LOGIN MANAGEMENT},
        {"a new one", 0, 0, LOGIN MANAGEMENT MANAGEMENT},
        {"the same, until 300 s before its end", 3200000, REKEY_E_REFUSED, MANAGEMENT},
        {"one whose end is not known", 0, 0, LOGIN MANAGEMENT},
        {"the same, at any time", 86400000, 0, MANAGEMENT},
    };

    (void)state;
    reset(script);
    options.credential = with_secret();
    options.hold = true;
    check_int(rekey_init(&client, &port, &options), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        world.hosts[0] = '\0';
        world.sent_len = 0;
        fake.now += rows[i].later_ms;
        check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
        check_int(rekey_run(&client), rows[i].error);
        check(strcmp(world.hosts, rows[i].hosts) == 0);
        check_int(all_zero(client.token, sizeof(client.token)), rows[i].error != 0);
    }
    rekey_abort(&client);
    check(!fake.open && all_zero(client.token, sizeof(client.token)));

    row("too old");
    reset(script + 2);
    options.credential = with_secret();
    options.hold = true;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    check_int(rekey_run(&client), 0);
    fake.now += 3299000;
    world.script = script;
    world.connection = -1;
    world.hosts[0] = '\0';
    world.sent_len = 0;
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN("")), 0);
    check_int(rekey_run(&client), REKEY_E_REFUSED);
    check(strcmp(world.hosts, LOGIN MANAGEMENT) == 0);
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_secret),
        UNIT(test_answers),
        UNIT(test_refusals),
        UNIT(test_long_refusal),
        UNIT(test_repeats),
        UNIT(test_abort),
        UNIT(test_given),
        UNIT(test_lifetimes),
        UNIT(test_writer),
        UNIT(test_names),
        UNIT(test_too_long),
        UNIT(test_workload),
        UNIT(test_certificate),
        UNIT(test_base64url),
        UNIT(test_imds),
        UNIT(test_imds_is_arc),
        UNIT(test_arc),
        UNIT(test_echo),
        UNIT(test_forgotten_while_waiting),
        UNIT(test_plain_hosts),
        UNIT(test_challenge),
        UNIT(test_operation),
        UNIT(test_hold),
    };

    return cmocka_run_group_tests_name("credential", tests, NULL, rows_total);
}
