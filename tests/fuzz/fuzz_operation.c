// fuzz_operation.c - a complete operation against a service that says anything at any time. The
// outcome is compared with what the service received and said, which is read by other code than the
// client's: never succeeded without a 2xx, never "nothing was executed" after a POST that was not
// refused, only one POST unless an answer allows another, the token to one host only, and no secret
// left in memory.
//
// An input is a line of letters (see `play`), then the answers, one for each request, with 0xFF
// between them. In an answer, a byte 1 to 7 is an event of the connection (see `event`); at its
// front, 14 and 15 are events of the write (see `service_write`); at its end, 16 to 19 are events
// of the next open (see `service_open`).

#include "fake_port.h"
#include "fuzz.h"

#define HOST "management.azure.com"
#define TOKEN_A "token-of-the-device"
#define TOKEN_B "token-that-is-fresh"

static struct {
    const char *at, *end; // the rest of the input
    bool listing, resuming, fresh_token, save_fails;
    bool one_byte;
    int broken; // the result of every later call on this connection; 0: it works
    size_t write_max;
    size_t request_len, answer_len;
    bool writing;   // the request being written was counted
    bool answering; // the answer at `at` may be read
    int requests;   // as the client counts them
    int posts, polls;
    int refusals; // POSTs whose answers say that they were not executed
    int tokens;
} world;

static char request[16384], answer[65536]; // the last ids, NUL-terminated

static struct rekey client;
static struct rekey_options options;
static struct rekey_keys keys;

// ---- the service's answers, read independently

// The status of the final answer in the bytes read so far; 0: none yet.
static int status_said(void) {
    const char *at = answer;

    for (;;) {
        int status;

        if (strncmp(at, "HTTP/1.", 7) != 0 || strlen(at) < 12 || strstr(at, "\r\n\r\n") == NULL) {
            return 0;
        }
        status = atoi(at + 9);
        if (status / 100 != 1 || status == 101) {
            return status;
        }
        at = strstr(at, "\r\n\r\n") + 4;
    }
}

// Whether a word occurs in the bytes read so far, in any case. Escapes may spell anything.
static bool said(const char *word) {
    size_t len = strlen(word);

    for (size_t i = 0; i < world.answer_len; i++) {
        if (answer[i] == '\\' ||
            (world.answer_len - i >= len &&
             rekey_span_equal_nocase(rekey_span(answer + i, len), rekey_span(word, len)))) {
            return true;
        }
    }
    return false;
}

// A POST's answer has ended, complete or not: does it say that the POST was not executed?
static void post_ends(void) {
    int status = status_said();

    world.refusals += status == 401 || status == 429 || (status == 503 && said("retry-after"));
}

// ---- the transport

static int next_byte(void) {
    return world.at < world.end ? (unsigned char)*world.at : 0xFF;
}

static bool is_data(int byte) {
    return byte != 0xFF && (byte == 0 || byte > 19 || (byte > 7 && byte < 14));
}

static int service_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    MUST(rekey_span_equal(host, REKEY_SPAN(HOST)) && port == 443 && timeout_ms > 0);
    MUST(!fake.open);
    switch (next_byte()) {
    case 16:
        world.at++;
        return REKEY_E_CONNECT;
    case 17:
        world.at++;
        return REKEY_E_CERT_ISSUER;
    case 18:
        world.at++;
        return REKEY_WANT_WRITE;
    case 19:
        return REKEY_WANT_READ; // forever
    default:
        break;
    }
    fake.open = true;
    world.one_byte = world.answering = world.writing = false;
    world.broken = 0;
    world.request_len = 0;
    return REKEY_DONE;
}

// A line of the request's head, without its end; an empty line ends the head.
static struct rekey_span next_line(const char **at) {
    const char *end = strstr(*at, "\r\n");
    struct rekey_span line;

    MUST(end != NULL);
    line = rekey_span(*at, (size_t)(end - *at));
    *at = end + 2;
    return line;
}

// The output is one well-formed request: no text of the service can break out of it.
static void check_request(bool post) {
    const char *at = request;
    struct rekey_span line = next_line(&at);
    int hosts = 0, tokens = 0, lines = 0;
    size_t spaces = 0;

    for (size_t i = 0; i < line.len; i++) {
        MUST(line.ptr[i] >= ' ' && line.ptr[i] < 0x7F);
        spaces += line.ptr[i] == ' ';
    }
    MUST(spaces == 2 && memcmp(line.ptr, post ? "POST /" : "GET /", post ? 6 : 5) == 0);
    MUST(line.len > 9 && memcmp(line.ptr + line.len - 9, " HTTP/1.1", 9) == 0);
    while ((line = next_line(&at)).len > 0) {
        lines++;
        hosts += rekey_span_equal(line, REKEY_SPAN("Host: " HOST));
        tokens += rekey_span_equal(line, REKEY_SPAN("Authorization: Bearer " TOKEN_A)) ||
                  rekey_span_equal(line, REKEY_SPAN("Authorization: Bearer " TOKEN_B));
        for (size_t i = 0; i < line.len; i++) {
            MUST(line.ptr[i] >= ' ' && line.ptr[i] < 0x7F);
        }
    }
    MUST(hosts == 1 && tokens == 1 && lines <= 10);
}

static void answer_starts(void) {
    world.answering = true;
    world.writing = false;
    world.request_len = 0;
}

static int service_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    MUST(fake.open && len > 0);
    if (!world.writing) {
        world.writing = true;
        world.answering = false;
        world.answer_len = 0;
        answer[0] = '\0';
        world.posts += *(const char *)data == 'P';
        world.polls += *(const char *)data == 'G';
    }
    if (world.broken != 0) {
        return world.broken;
    }
    if (next_byte() == 14) {
        world.at++;
        return REKEY_WANT_WRITE;
    }
    if (next_byte() == 15) { // data that the service sent before may still be read
        world.at++;
        answer_starts();
        return REKEY_E_IO;
    }
    *done = len < world.write_max ? len : world.write_max;
    MUST(world.request_len + *done < sizeof(request));
    fake_send(request, &world.request_len, data, *done);
    if (fake_sent_whole(request, world.request_len)) {
        check_request(*request == 'P');
        answer_starts();
    }
    return REKEY_DONE;
}

// An event in the answer. Returns the result of read.
static int event(int byte) {
    switch (byte) {
    case 1:
        return REKEY_WANT_READ;
    case 2:
        return world.broken = REKEY_END;
    case 3:
        return world.broken = REKEY_E_END;
    case 4:
        return world.broken = REKEY_E_IO;
    case 5:
        fake.now += REKEY_IDLE_TIMEOUT_MS;
        return REKEY_WANT_READ;
    case 6:
        fake.now += REKEY_TIMEOUT_MS;
        return REKEY_AGAIN;
    default:
        world.one_byte = !world.one_byte;
        return REKEY_AGAIN;
    }
}

static int service_read(void *ctx, void *buf, size_t cap, size_t *done) {
    size_t n = 0;

    (void)ctx;
    MUST(fake.open && cap > 0);
    if (world.broken != 0) {
        return world.broken;
    }
    if (!world.answering) {
        return REKEY_WANT_READ;
    }
    if (next_byte() >= 1 && next_byte() <= 7) {
        return event(*world.at++);
    }
    if (!is_data(next_byte())) {
        return REKEY_WANT_READ;
    }
    cap = world.one_byte ? 1 : cap;
    while (n < cap && is_data(next_byte())) {
        ((char *)buf)[n++] = *world.at++;
    }
    MUST(world.answer_len + n < sizeof(answer));
    *done = n;
    return fake_send(answer, &world.answer_len, buf, n);
}

// ---- the rest of the port

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    *len = strlen(TOKEN_A);
    MUST(*len <= cap);
    memcpy(buf, world.tokens++ > 0 && world.fresh_token ? TOKEN_B : TOKEN_A, *len);
    return REKEY_DONE;
}

static int save(void *ctx, const struct rekey_record *record) {
    (void)ctx;
    MUST(record->request_id.len == 36 && record->url.len <= REKEY_URL_MAX);
    return world.save_fails ? REKEY_E_SAVE : REKEY_DONE;
}

static const struct rekey_port port = {
    .tls = {NULL, service_open, service_write, service_read, fake_close},
    .now_ms = fake_now,
    .wall_s = fake_wall,
    .entropy = fake_entropy,
};

static const struct rekey_record record = {
    .kind = REKEY_POLL_LOCATION,
    .url = {"https://" HOST "/operations/1", 8 + sizeof(HOST) - 1 + 13},
    .request_id = {"55555555-5555-4555-9555-555555555555", 36},
};

// Whether a text has 16 bytes of the token.
static bool repeats(const char *text, size_t len) {
    for (size_t at = 0; at + 16 <= len; at++) {
        for (size_t from = 0; from + 16 < sizeof(TOKEN_A); from++) {
            if (memcmp(text + at, &TOKEN_A[from], 16) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void check_outcome(int result) {
    struct rekey_report report;
    enum rekey_outcome outcome;

    rekey_report(&client, &report);
    outcome = report.outcome;
    if (world.polls == 0) {
        post_ends();
    }
    MUST(report.error == result && (outcome == REKEY_SUCCEEDED) == (result == 0));
    MUST(outcome != REKEY_NONE && outcome != REKEY_USAGE);
    MUST(outcome != REKEY_SUCCEEDED || status_said() / 100 == 2);
    MUST(outcome != REKEY_SUCCEEDED || report.kind != REKEY_POLL_ASYNC_OPERATION ||
         status_said() == 204 || said("succeeded") || said("completed"));
    MUST(outcome != REKEY_FAILED || said("failed") || said("cancel"));
    MUST(outcome != REKEY_RUNNING || (report.kind != REKEY_POLL_NONE && report.url.len > 0));
    if (!world.listing && !world.resuming) {
        MUST(outcome != REKEY_REFUSED || status_said() / 100 == 4 || status_said() / 100 == 3);
        if (outcome == REKEY_REFUSED || outcome == REKEY_NOT_REACHED ||
            outcome == REKEY_NOT_TRUSTED || outcome == REKEY_CREDENTIALS ||
            outcome == REKEY_LOCAL) {
            MUST(world.posts <= world.refusals + (outcome == REKEY_REFUSED));
        }
        MUST(options.retry_unsafe || world.posts <= 1 + world.refusals);
    }
    MUST(world.posts <= (int)REKEY_TRIES_MAX + 1);
    MUST(fake.now <= 1000 + 2 * (uint64_t)REKEY_TIMEOUT_MS);
    MUST(!fake.open);
    for (const char *c = report.status; *c != '\0'; c++) {
        MUST(*c >= ' ' && *c < 0x7F);
    }
    MUST(nothing_left(&client));
    if (!world.fresh_token) { // else the service may send the first token, which is forgotten
        MUST(!repeats(report.service->code.text, report.service->code.len));
        MUST(!repeats(report.service->detail.text, report.service->detail.len));
        MUST(!repeats(report.service->message.text, report.service->message.len));
        MUST(!repeats(report.service->target.text, report.service->target.len));
        MUST(!repeats(report.status, strlen(report.status)));
        MUST(!repeats(report.request_id, strlen(report.request_id)));
        MUST(!repeats(report.correlation_id, strlen(report.correlation_id)));
        MUST(!repeats(report.subject.ptr, report.subject.len));
    }
}

// The client begins its next request and ignores the rest of the last answer.
static void next_request(void) {
    if (world.requests > 0) {
        while (next_byte() != 0xFF) {
            world.at++;
        }
        world.at += world.at < world.end;
    }
    if (world.posts > 0 && world.polls == 0) {
        post_ends();
        answer[0] = '\0';
        world.answer_len = 0;
    }
    world.requests++;
}

// The first line: L listKeys, R resumption, V with a key value, U repeats unsafely, T a fresh token
// after a 401, S save fails, a digit: how many bytes a write accepts.
static int play(void) {
    struct rekey_span value = rekey_span(NULL, 0);
    struct rekey_report report;
    int result, steps = 0;

    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = token;
    for (; next_byte() != '\n' && world.at < world.end; world.at++) {
        world.listing |= *world.at == 'L';
        world.resuming |= *world.at == 'R';
        world.fresh_token |= *world.at == 'T';
        options.retry_unsafe |= *world.at == 'U';
        if (*world.at == 'S') {
            world.save_fails = true;
        }
        if (*world.at == 'V') {
            value = REKEY_SPAN("a \"value\"\r\n");
        }
        if (*world.at >= '1' && *world.at <= '9') {
            world.write_max = (size_t)(*world.at - '0');
        }
    }
    world.at += world.at < world.end;
    options.save = save;
    MUST(rekey_init(&client, &port, &options) == 0);
    if (world.resuming) {
        MUST(rekey_resume(&client, &record) == 0);
    } else if (world.listing) {
        MUST(rekey_list_keys(&client, &endpoint, &keys) == 0);
    } else {
        MUST(rekey_regenerate(&client, &endpoint, REKEY_KEY_SECONDARY, value) == 0);
    }
    while ((result = fake_step(&client)) > 0) {
        MUST(++steps < 1000000);
        rekey_report(&client, &report);
        if (report.requests > (uint32_t)world.requests) {
            next_request();
        }
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int result;

    if (size >= sizeof(answer) / 2) {
        return 0;
    }
    memset(&world, 0, sizeof(world));
    world.at = (const char *)data;
    world.end = world.at + size;
    fake = (struct fake_port){.now = 1000, .wall = 784111777};
    world.write_max = SIZE_MAX;
    answer[0] = '\0';
    result = play();
    check_outcome(result);
    return 0;
}
