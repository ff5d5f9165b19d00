// test_foreign.c - a kind of credential as an application would write it: as credential.h says, and
// using only documented functions. It includes no other header of the core, and uses no field of
// the client. A scripted token service answers it.

#include "credential.h"

#include <stdio.h>

#include "fake_port.h"
#include "support.h"

// ---- the kind: its proof is a number that a secure element makes from a challenge ---------------

struct element {
    struct rekey_credential base;
    const struct rekey_transport *transport;
    struct rekey_span host;
    uint16_t port;
    char proof[16];
    size_t padding; // of the request, to pass the buffer
};

static int element_prepare(struct rekey_credential *base, struct rekey *r) {
    struct element *c = (struct element *)base;
    struct rekey_writer w = {.len = 0};
    struct rekey_span host[3];
    char port[12];

    w.buf = rekey_credential_buffer(r, &w.cap);
    rekey_credential_aim(r, c->transport, c->host, c->port);
    rekey_writer_put(&w, REKEY_SPAN("GET /token?for="));
    rekey_writer_encode(&w, REKEY_SPAN("https://management.azure.com/"));
    rekey_writer_put(&w, REKEY_SPAN(" HTTP/1.1\r\nHost: "));
    rekey_credential_host(r, 443, port, host);
    for (size_t i = 0; i < COUNT(host); i++) {
        rekey_writer_put(&w, host[i]);
    }
    for (size_t i = 0; i < c->padding; i++) {
        rekey_writer_put(&w, REKEY_SPAN("\r\nX: x"));
    }
    if (base->challenged) {
        rekey_writer_put(&w, REKEY_SPAN("\r\nProof: "));
        rekey_writer_put(&w, rekey_span(c->proof, strlen(c->proof)));
        base->proof_len = (uint16_t)(strlen(c->proof) + 4); // and the end of the head
    }
    rekey_writer_put(&w, REKEY_SPAN("\r\n\r\n"));
    return (int)w.len;
}

static int element_answered(struct rekey_credential *base, struct rekey *r, unsigned status) {
    struct element *c = (struct element *)base;
    struct rekey_span number =
        rekey_credential_challenge(rekey_credential_authenticate(r), "Element", "number");

    if (status != 401 || base->challenged || number.len == 0) {
        return rekey_credential_answered(base, r, status);
    }
    snprintf(c->proof, sizeof(c->proof), "proof-%.*s", (int)number.len, number.ptr);
    base->challenged = true;
    return REKEY_AGAIN;
}

static void element_init(struct element *c, const struct rekey_transport *transport) {
    const struct element made = {
        .base = REKEY_CREDENTIAL(element_prepare, element_answered),
        .transport = transport,
        .host = REKEY_SPAN("tokens.example"),
        .port = 8443,
    };

    *c = made;
    c->base.secret = REKEY_SPAN("the secret of the element");
}

// ---- the token service, and the service ---------------------------------------------------------

static struct {
    char host[64];
    char sent[8192], requests[4][512]; // of the token service
    size_t sent_len;
    const char *answers[4]; // of the token service
    int asked, posts;
    const char *rest;
    char authorization[64];
} world;

static struct rekey client;
static struct rekey_options options;
static struct rekey_report report;

#define UNAUTHORIZED(challenge)                                                                    \
    "HTTP/1.1 401 X\r\nWWW-Authenticate: " challenge "\r\nContent-Length: 0\r\n\r\n"
#define TOKEN(token, lifetime)                                                                     \
    "HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n{\"access_token\":\"" token           \
    "\",\"expires_in\":" lifetime "}"
#define STATUS(status, text) "HTTP/1.1 " status " X\r\n\r\n{\"error\":\"" text "\"}"

static int script_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    check(timeout_ms > 0);
    snprintf(world.host, sizeof(world.host), "%.*s:%u", (int)host.len, host.ptr, (unsigned)port);
    world.sent_len = 0;
    world.rest = "";
    fake.open = true;
    return REKEY_DONE;
}

static int script_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    *done = len;
    fake_send(world.sent, &world.sent_len, data, len);
    if (!fake_sent_whole(world.sent, world.sent_len)) {
        return REKEY_DONE;
    }
    if (strcmp(world.host, "tokens.example:8443") == 0) {
        assert_true(world.sent_len < sizeof(world.requests[0]));
        strcpy(world.requests[world.asked], world.sent);
        world.rest = world.answers[world.asked++];
    } else {
        const char *at = strstr(world.sent, "Authorization: ");

        snprintf(world.authorization, sizeof(world.authorization), "%.*s",
                 at != NULL ? (int)strcspn(at, "\r") : 0, at);
        world.posts++;
        world.rest = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    }
    world.sent_len = 0;
    return REKEY_DONE;
}

static int script_read(void *ctx, void *buf, size_t cap, size_t *done) {
    (void)ctx;
    if (world.rest[0] == '\0') {
        return REKEY_END;
    }
    return fake_give(&world.rest, strlen(world.rest), buf, cap, done);
}

static void sleep_ms(void *ctx, int want, uint32_t ms) {
    (void)ctx;
    (void)want;
    fake.now += ms;
}

static const struct rekey_port port = {
    .tls = {.open = script_open, .write = script_write, .read = script_read, .close = fake_close},
    .now_ms = fake_now,
    .wall_s = fake_wall,
    .entropy = fake_entropy,
    .wait = sleep_ms,
};

static void reset(void) {
    memset(&world, 0, sizeof(world));
    world.rest = "";
    fake = (struct fake_port){.now = 1000};
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
}

static void regenerate(struct rekey_credential *credential, int error) {
    options.credential = credential;
    check_int(rekey_init(&client, &port, &options), 0);
    check_int(rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0)), 0);
    check_int(rekey_run(&client), error);
    rekey_report(&client, &report);
    check(nothing_left(&client) && !fake.open);
}

static void test_foreign(void **state) {
    struct element element;

    (void)state;
    row("a challenge, and a token");
    reset();
    world.answers[0] = UNAUTHORIZED("Other number=1, Element number=\"4711\"");
    world.answers[1] = TOKEN("a.b.c", "3600");
    element_init(&element, &port.tls);
    regenerate(&element.base, 0);
    check_int(world.asked, 2);
    check(strcmp(world.requests[0], "GET /token?for=https%3A%2F%2Fmanagement.azure.com%2F HTTP/1.1"
                                    "\r\nHost: tokens.example:8443\r\n\r\n") == 0);
    check(strstr(world.requests[1], "\r\nProof: proof-4711\r\n\r\n") != NULL);
    check(strcmp(world.authorization, "Authorization: Bearer a.b.c") == 0);
    row("refused, and the proof and the secret are repeated");
    reset();
    world.answers[0] = UNAUTHORIZED("Element number=4711");
    world.answers[1] = STATUS("400", "not proof-4711, nor the secret of the element");
    element_init(&element, &port.tls);
    regenerate(&element.base, REKEY_E_TOKEN_REFUSED);
    check_int(report.outcome, REKEY_CREDENTIALS);
    check_span(rekey_span(report.service->code.text, report.service->code.len),
               REKEY_SPAN("not proof-4711, nor *************************"));
    check_int(world.posts, 0);
    row("busy at first");
    reset();
    world.answers[0] = STATUS("503", "later");
    world.answers[1] = TOKEN("d", "60");
    element_init(&element, &port.tls);
    regenerate(&element.base, 0);
    check_int(world.asked, 2);
    row("the request does not fit");
    reset();
    element_init(&element, &port.tls);
    element.padding = REKEY_STAGING_MAX;
    regenerate(&element.base, REKEY_E_LIMIT_CREDENTIAL);
    check_int(report.outcome, REKEY_CREDENTIALS);
    check_int(world.asked, 0);
    row("over a transport that the port does not have");
    reset();
    element_init(&element, &port.plain);
    regenerate(&element.base, REKEY_E_PORT);
    check_int(report.outcome, REKEY_USAGE);
    check_int(world.asked, 0);
    row("the proof of an earlier request is longer than this one");
    reset();
    world.answers[0] = STATUS("400", "no");
    element_init(&element, &port.tls);
    element.base.proof_len = UINT16_MAX;
    regenerate(&element.base, REKEY_E_TOKEN_REFUSED);
    row("it was never made ready");
    reset();
    memset(&element, 0, sizeof(element));
    options.credential = &element.base;
    check_int(rekey_init(&client, &port, &options), REKEY_E_OPTIONS);
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_foreign)};

    return cmocka_run_group_tests_name("foreign", tests, NULL, rows_total);
}
