// test_explain.c - rekey_explain: the text of the transport that was used last, for the error that
// ended the operation, or else for its cause.

#include <stdio.h>
#include <string.h>

#include "credential_managed.h"
#include "fake_port.h"
#include "support.h"

#define REFUSED "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n"

// A transport that fails in open, or returns the given answer.
struct transport {
    const char *name;
    int error;       // of open
    int explains[2]; // the errors that it can explain
    const char *answer;
    size_t sent_len;
    char sent[8192];
    uint32_t delay; // of open
};

static struct transport tls, plain;
static struct rekey client;
static struct rekey_options options;
static struct rekey_report report;

static int script_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct transport *t = ctx;

    (void)host;
    (void)port;
    (void)timeout_ms;
    t->sent_len = 0;
    fake.now += t->delay;
    return t->error;
}

static int script_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct transport *t = ctx;

    *done = len;
    return fake_send(t->sent, &t->sent_len, data, len);
}

static int script_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct transport *t = ctx;

    return fake_give(&t->answer, strlen(t->answer), buf, cap, done);
}

static void script_explain(void *ctx, int error, char *buf, size_t cap) {
    const struct transport *t = ctx;

    assert_true(error < 0);
    buf[0] = '\0';
    for (size_t i = 0; i < COUNT(t->explains); i++) {
        if (error == t->explains[i]) {
            snprintf(buf, cap, "%s: %d", t->name, error);
        }
    }
}

static int no_token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    (void)buf;
    (void)cap;
    (void)len;
    return REKEY_E_NO_TOKEN;
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
    fake.now += ms;
}

static struct rekey_port port = {
    .now_ms = fake_now, .wall_s = fake_wall, .entropy = fake_entropy, .wait = sleep_ms};

static void begin(void) {
    const struct rekey_transport script = {.open = script_open,
                                           .write = script_write,
                                           .read = script_read,
                                           .close = fake_close,
                                           .explain = script_explain};

    fake = (struct fake_port){.now = 1000};
    tls = (struct transport){.name = "tls", .answer = REFUSED};
    plain = (struct transport){.name = "plain", .answer = REFUSED};
    port.tls = port.plain = script;
    port.tls.ctx = &tls;
    port.plain.ctx = &plain;
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = token;
}

// The text at the end, and the same with a buffer of `cap` bytes.
static void explains(int error, const char *expected) {
    char text[64], cut[4];

    check_int(rekey_init(&client, &port, &options), 0);
    rekey_explain(&client, text, sizeof(text));
    check_int(text[0], '\0');
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    rekey_run(&client);
    rekey_report(&client, &report);
    check_int(report.error, error);
    memset(text, 'x', sizeof(text));
    rekey_explain(&client, text, sizeof(text));
    check_span(rekey_span(text, strlen(text)), rekey_span(expected, strlen(expected)));
    rekey_explain(&client, cut, sizeof(cut));
    check_int(strncmp(cut, expected, sizeof(cut) - 1), 0);
    check(strlen(cut) < sizeof(cut));
}

static void test_explain(void **state) {
    static struct rekey_credential_imds imds;
    const struct rekey_managed managed = {.host = REKEY_SPAN("127.0.0.1"), .port = 80};

    (void)state;
    row("the error");
    begin();
    tls.error = tls.explains[0] = REKEY_E_CERT_NAME;
    explains(REKEY_E_CERT_NAME, "tls: -301");
    row("not the cause, where there are both");
    begin();
    tls.error = REKEY_E_CONNECT;
    tls.explains[0] = REKEY_E_CONNECT;
    tls.explains[1] = REKEY_E_DEADLINE;
    options.timeout_ms = 10;
    tls.delay = 3;
    explains(REKEY_E_DEADLINE, "tls: -207");
    row("the cause");
    begin();
    tls.error = tls.explains[0] = REKEY_E_CONNECT;
    options.timeout_ms = 10;
    explains(REKEY_E_DEADLINE, "tls: -201");
    row("nothing is known");
    begin();
    tls.error = REKEY_E_CERT_OTHER;
    explains(REKEY_E_CERT_OTHER, "");
    row("no transport was used");
    begin();
    options.token = no_token;
    explains(REKEY_E_NO_TOKEN, "");
    row("the transport explains nothing");
    begin();
    tls.error = REKEY_E_CERT_NAME;
    port.tls.explain = NULL;
    explains(REKEY_E_CERT_NAME, "");
    row("the service has refused");
    begin();
    tls.explains[0] = REKEY_E_CERT_NAME;
    explains(REKEY_E_REFUSED, "");
    row("of the token service");
    begin();
    check_int(rekey_credential_imds_init(&imds, &managed, true), 0);
    options.credential = &imds.base;
    plain.error = plain.explains[0] = tls.explains[0] = REKEY_E_CONNECT;
    explains(REKEY_E_NO_TOKEN, "plain: -201");
    row("nothing was made ready");
    memset(&client, 0, sizeof(client));
    {
        char text[4] = "abc";

        rekey_explain(&client, text, sizeof(text));
        check_int(text[0], '\0');
    }
    row("while it runs, the cause");
    begin();
    tls.error = tls.explains[0] = REKEY_E_LOOKUP;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    while (rekey_step(&client) != REKEY_WANT_TIME) {
    }
    {
        char text[16];

        rekey_explain(&client, text, sizeof(text));
        check_int(strcmp(text, "tls: -200"), 0);
    }
    rekey_abort(&client);
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_explain)};

    return cmocka_run_group_tests_name("explain", tests, NULL, rows_total);
}
