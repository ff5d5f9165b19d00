// fuzz_credential.c - the answers of a token service. The first byte selects the kind of
// credential; the rest is the answers, one for each connection, separated by a line "----". The
// result is a token that can be sent, or an error of a closed list, and then the buffer is
// zeroized. The same bytes are also read as a challenge, and encoded as a value of a form.

#include "credential_entra.h"
#include "credential_managed.h"
#include "fake_port.h"
#include "fuzz.h"

#define SEPARATOR "\n----\n"

static struct {
    const char *at, *end; // the rest of the input
    const char *answer, *answer_end;
    int connections;
} world;

static struct rekey client;
static struct rekey_options options;
static struct rekey_token token;

static int open_next(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    MUST(host.len > 0 && port > 0 && timeout_ms > 0);
    if (!fake.open) {
        fake.open = true;
        world.connections++;
        world.answer = world.answer_end = world.at;
        while (world.answer_end < world.end &&
               ((size_t)(world.end - world.answer_end) < sizeof(SEPARATOR) - 1 ||
                memcmp(world.answer_end, SEPARATOR, sizeof(SEPARATOR) - 1) != 0)) {
            world.answer_end++;
        }
        world.at = world.answer_end;
        world.at += world.at < world.end ? sizeof(SEPARATOR) - 1 : 0;
    }
    return REKEY_DONE;
}

static int write_any(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    (void)data;
    MUST(fake.open && len > 0);
    *done = len;
    return REKEY_DONE;
}

static int read_answer(void *ctx, void *buf, size_t cap, size_t *done) {
    size_t left = (size_t)(world.answer_end - world.answer);

    (void)ctx;
    MUST(fake.open && cap > 0);
    return left == 0 ? REKEY_END : fake_give(&world.answer, left, buf, cap, done);
}

#define TRANSPORT                                                                                  \
    { .open = open_next, .write = write_any, .read = read_answer, .close = fake_close }
static const struct rekey_port port = {.tls = TRANSPORT,
                                       .plain = TRANSPORT,
                                       .now_ms = fake_now,
                                       .wall_s = fake_wall,
                                       .entropy = fake_entropy};

static int read_key(void *ctx, struct rekey_span path, char *buf, size_t cap, size_t *len) {
    static const char directory[] = "/var/opt/azcmagent/tokens/";

    (void)ctx;
    MUST(path.len > sizeof(directory) + 3 &&
         memcmp(path.ptr, directory, sizeof(directory) - 1) == 0);
    MUST(memchr(path.ptr + sizeof(directory) - 1, '/', path.len - sizeof(directory) + 1) == NULL);
    MUST(memcmp(path.ptr + path.len - 4, ".key", 4) == 0);
    MUST(cap >= 3);
    memcpy(buf, "key", 3);
    *len = 3;
    return 0;
}

static struct rekey_credential *choose(char kind) {
    static const struct rekey_entra entra = {.authority = {"a", 1},
                                             .port = 443,
                                             .tenant = {"t", 1},
                                             .client_id = {"c", 1},
                                             .scope = {"s", 1}};
    static const struct rekey_managed managed = {
        .host = {"127.0.0.1", 9}, .port = 80, .resource = {"r", 1}};
    static struct rekey_credential_secret secret;
    static struct rekey_credential_imds imds;
    static struct rekey_credential_arc arc = {.read = read_key};

    switch (kind) {
    case 'A':
        MUST(rekey_credential_arc_init(&arc, &managed) == 0);
        return &arc.base;
    case 'I':
        MUST(rekey_credential_imds_init(&imds, &managed, false) == 0);
        return &imds.base;
    default:
        MUST(rekey_credential_secret_init(&secret, &entra, REKEY_SPAN("s")) == 0);
        return &secret.base;
    }
}

static void get_token(char kind) {
    struct rekey_report report;
    int result, steps = 0;

    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.credential = choose(kind);
    memset(&token, 0, sizeof(token));
    MUST(rekey_init(&client, &port, &options) == 0 && rekey_get_token(&client, &token) == 0);
    while ((result = fake_step(&client)) > 0) {
        MUST(++steps < 1000000);
    }
    rekey_report(&client, &report);
    MUST((token.len > 0) == (result == 0));
    for (size_t i = 0; i < token.len; i++) {
        MUST(token.value[i] > ' ' && token.value[i] <= '~');
    }
    MUST(result == 0 || result == REKEY_E_TOKEN_REFUSED || result == REKEY_E_TOKEN_ANSWER ||
         result == REKEY_E_LIMIT_TOKEN_ANSWER || result == REKEY_E_CHALLENGE ||
         result == REKEY_E_DEADLINE || result == REKEY_E_END);
    MUST(report.outcome == (result == 0 ? REKEY_SUCCEEDED
                            : result == REKEY_E_DEADLINE || result == REKEY_E_END
                                ? REKEY_NOT_REACHED
                                : REKEY_CREDENTIALS));
    MUST(report.service->message.len <= REKEY_MESSAGE_MAX && strlen(report.request_id) <= 40);
    MUST(kind == 'I' || world.connections <= 2 * (int)REKEY_TRIES_MAX);
    MUST(!fake.open && fake.now <= 1000 + (uint64_t)REKEY_TIMEOUT_MS);
    MUST(nothing_left(&client));
}

static void check_challenge(struct rekey_span text) {
    static const char *const schemes[] = {"Basic", "Bearer"};

    for (size_t i = 0; i < 2; i++) {
        struct rekey_span value = rekey_credential_challenge(text, schemes[i], "realm");

        MUST(fuzz_inside(value, text));
    }
}

// An encoded value has no byte that ends a value, and decodes to the original.
static void check_form(struct rekey_span text) {
    static char buf[3 * 16384];
    struct rekey_writer w = {.buf = buf, .cap = sizeof(buf)};
    size_t at = 0;

    rekey_writer_encode(&w, text);
    MUST(rekey_writer_whole(&w) || 3 * text.len > sizeof(buf));
    for (size_t i = 0; rekey_writer_whole(&w) && i < text.len; i++) {
        int c = (unsigned char)buf[at++];

        if (c == '%') {
            c = rekey_hex_value(buf[at]) << 4 | rekey_hex_value(buf[at + 1]);
            at += 2;
        } else {
            MUST(rekey_is_alnum((char)c) || strchr("-._~()", c) != NULL);
        }
        MUST(c == (unsigned char)text.ptr[i]);
    }
    MUST(at == w.len || !rekey_writer_whole(&w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    memset(&world, 0, sizeof(world));
    world.at = (const char *)data + 1;
    world.end = (const char *)data + size;
    fake = (struct fake_port){.now = 1000, .wall = 1764000000};
    check_challenge(rekey_span(world.at, size - 1));
    check_form(rekey_span(world.at, size - 1));
    get_token((char)data[0]);
    return 0;
}
