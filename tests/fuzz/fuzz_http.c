// fuzz_http.c - the HTTP engine: an answer has the same meaning in one piece and in pieces of any
// size, nothing is stored beyond a buffer, and an accepted head has no bare CR or LF, and no NUL.

#include "fuzz.h"
#include "http.h"
#include "rekey_config.h"
#include "rekey_port.h"

enum { FIELDS = 3, FIELD_CAP = 24, BODY_CAP = 64 };

struct outcome {
    int result, end;
    bool head;
    size_t eaten, head_len;
    struct rekey_http http;
    struct rekey_http_field fields[FIELDS];
    char values[FIELDS][FIELD_CAP], body[BODY_CAP];
};

// Feeds `size` bytes in pieces of `piece`.
static void feed(struct outcome *o, const char *data, size_t size, size_t piece) {
    static const char *const names[FIELDS] = {"location", "retry-after",
                                              "x-ms-correlation-request-id"};

    memset(o, 0, sizeof(*o));
    for (size_t i = 0; i < FIELDS; i++) {
        o->fields[i] = (struct rekey_http_field){names[i], o->values[i], FIELD_CAP, 0, 0};
    }
    rekey_http_start(&o->http, o->fields, FIELDS, o->body, BODY_CAP);
    o->result = REKEY_AGAIN;
    while (o->eaten < size && (o->result == REKEY_AGAIN || o->result == REKEY_HTTP_HEAD)) {
        size_t len = size - o->eaten < piece ? size - o->eaten : piece;
        struct rekey_span in = rekey_span(data + o->eaten, len);

        do {
            o->result = rekey_http_feed(&o->http, &in);
            o->eaten = (size_t)(in.ptr - data);
            if (o->result == REKEY_HTTP_HEAD) {
                MUST(!o->head);
                o->head = true;
                o->head_len = o->eaten;
            }
        } while (o->result == REKEY_HTTP_HEAD);
        MUST(o->result != REKEY_AGAIN || in.len == 0);
    }
    o->end = o->result == REKEY_AGAIN ? rekey_http_end(&o->http) : 0;
}

static void same(const struct outcome *a, const struct outcome *b) {
    MUST(a->result == b->result && a->end == b->end && a->eaten == b->eaten);
    MUST(a->head == b->head && a->head_len == b->head_len);
    if (a->head) {
        MUST(a->http.status == b->http.status && a->http.keep == b->http.keep &&
             a->http.coded == b->http.coded);
        MUST(a->http.body_len == b->http.body_len && a->http.body_size == b->http.body_size);
        MUST(memcmp(a->body, b->body, sizeof(a->body)) == 0);
        MUST(memcmp(a->values, b->values, sizeof(a->values)) == 0);
        for (size_t i = 0; i < FIELDS; i++) {
            MUST(a->fields[i].len == b->fields[i].len && a->fields[i].seen == b->fields[i].seen);
        }
    }
}

static void check_head(const struct outcome *o, const char *data) {
    for (size_t i = 0; i < o->head_len; i++) {
        MUST(data[i] != '\0');
        MUST((data[i] == '\r') == (i + 1 < o->head_len && data[i + 1] == '\n'));
    }
    MUST(memcmp(data, "HTTP/1.", 7) == 0);
    MUST(o->head_len >= 16 && memcmp(data + o->head_len - 4, "\r\n\r\n", 4) == 0);
    MUST(o->head_len <= REKEY_HEAD_MAX);
    MUST(o->http.status <= 999 && (o->http.status / 100 != 1 || o->http.status == 101));
    MUST(o->http.body_len <= BODY_CAP && o->http.body_len <= o->http.body_size);
    MUST(o->http.body_size <= REKEY_BODY_MAX);
    MUST(o->http.body_len == BODY_CAP || o->http.body_len == o->http.body_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct outcome whole, pieces;
    const char *text = (const char *)data;

    feed(&whole, text, size, size);
    MUST(whole.eaten <= size);
    if (whole.head) {
        check_head(&whole, text);
    }
    for (size_t piece = 1; piece <= 8; piece = piece * 2 + 1) {
        feed(&pieces, text, size, piece);
        same(&whole, &pieces);
    }
    return 0;
}
