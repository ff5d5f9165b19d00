// test_http.c - http.h: every vector of tests/vectors/http.h given whole, byte by byte, in small
// pieces and split at every place, always to the same result; the limits, with answers made here on
// both sides of each; the emitter with buffers of every size; decimal numbers.

#include <stdio.h>

#include "../vectors/http.h"
#include "http.h"
#include "rekey_config.h"
#include "support.h"

#define BODY_CAP 64

// One answer on its way through the engine, with every buffer at a guard.
struct run {
    struct rekey_http *h;
    struct rekey_http_field *fields;
    char *piece_end; // a piece of the answer is put in front of it
    size_t piece_cap;
    const struct http_vector *vector; // NULL: nothing is checked on the way
    int result;
    bool head;
};

static const struct {
    const char *name;
    uint16_t cap;
} field_rows[F_COUNT] = {
#define VECTOR_FIELD_ROW(field, field_name, field_cap) {field_name, field_cap},
    VECTOR_FIELDS(VECTOR_FIELD_ROW)
#undef VECTOR_FIELD_ROW
};

static void run_start(struct run *run, size_t piece_cap, size_t body_cap) {
    run->h = guarded(sizeof(*run->h));
    run->fields = guarded(sizeof(*run->fields) * F_COUNT);
    for (size_t i = 0; i < F_COUNT; i++) {
        run->fields[i] = (struct rekey_http_field){
            .name = field_rows[i].name,
            .buf = i == F_OPERATION_LOCATION ? run->fields[i - 1].buf : guarded(field_rows[i].cap),
            .cap = field_rows[i].cap,
            .len = 77,
            .seen = 7,
        };
    }
    run->piece_end = (char *)guarded(piece_cap) + piece_cap;
    run->piece_cap = piece_cap;
    run->vector = NULL;
    run->result = REKEY_AGAIN;
    run->head = false;
    rekey_http_start(run->h, run->fields, F_COUNT, guarded(body_cap), body_cap);
}

static void check_head(const struct run *run) {
    const struct http_vector *v = run->vector;

    check(v->head);
    check_int(run->h->status, v->status);
    check_int(run->h->keep, !v->close);
    check_int(run->h->coded, v->coded);
    for (size_t i = 0; i < F_COUNT; i++) {
        const struct rekey_http_field *f = &run->fields[i];
        const struct captured *expected = &v->fields[i];

        check_int(f->seen, expected->seen);
        if (expected->value != NULL || expected->seen == 0) {
            size_t kept = expected->len < f->cap ? expected->len : f->cap;

            if (check_int(f->len, expected->len) && kept > 0) {
                check_span(rekey_span(f->buf, kept), rekey_span(expected->value, kept));
            }
        }
    }
}

// Feeds the next `len` bytes, at most run->piece_cap; returns how many of them the engine left.
static size_t run_feed(struct run *run, const char *bytes, size_t len) {
    struct rekey_span in = rekey_span(run->piece_end - len, len);

    if (len > 0) {
        memcpy(run->piece_end - len, bytes, len);
    }
    run->result = rekey_http_feed(run->h, &in);
    if (run->result == REKEY_HTTP_HEAD) {
        check(!run->head);
        run->head = true;
        if (run->vector != NULL) {
            check_head(run);
        }
        run->result = rekey_http_feed(run->h, &in);
    }
    check(in.ptr + in.len == run->piece_end);
    check(run->result != REKEY_AGAIN || in.len == 0);
    return in.len;
}

// The result if the stream ended after the answer so far.
static int end_here(const struct run *run) {
    struct rekey_http h = *run->h;

    return rekey_http_end(&h);
}

// The vector in a piece of `first` bytes, then pieces of `rest`.
static void run_vector(const struct http_vector *v, size_t first, size_t rest, size_t body_cap) {
    size_t piece_cap = first > rest ? first : rest;
    size_t kept = v->body.len < body_cap ? v->body.len : body_cap;
    size_t at = 0, left = 0;
    struct run run;

    row_nn(v->name, (long)first, (long)rest);
    run_start(&run, piece_cap, body_cap);
    run.vector = v;
    for (size_t n = first; run.result == REKEY_AGAIN; n = rest) {
        n = n < v->bytes.len - at ? n : v->bytes.len - at;
        left = run_feed(&run, v->bytes.ptr + at, n);
        at += n;
        if (run.result == REKEY_AGAIN) {
            check_int(end_here(&run), run.head && v->by_close ? REKEY_DONE : REKEY_E_END);
            if (at == v->bytes.len) {
                break;
            }
        }
    }
    check_int(run.result, v->result);
    check_int(run.head, v->head);
    if (run.result < 0 || run.result != v->result) {
        return;
    }
    check_int(left + v->bytes.len - at, v->left);
    check_int(run.h->body_size, v->body.len);
    check_span(rekey_span(run.h->body, run.h->body_len), rekey_span(v->body.ptr, kept));
    if (run.result == REKEY_DONE) { // the result stays the same, and no byte is consumed
        check_int(run_feed(&run, "x", 1), 1);
        check_int(run.result, REKEY_DONE);
        check_int(rekey_http_end(run.h), REKEY_DONE);
    } else if (v->by_close) {
        check_int(rekey_http_end(run.h), REKEY_DONE);
        check_int(run_feed(&run, "", 0), 0);
        check_int(run.result, REKEY_DONE);
    }
}

static void test_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(http_vectors); i++) {
        size_t len = http_vectors[i].bytes.len;

        run_vector(&http_vectors[i], len > 0 ? len : 1, 1, BODY_CAP);
    }
    rows_done();
}

static void test_pieces(void **state) {
    static const size_t sizes[] = {1, 2, 3, 7};

    (void)state;
    for (size_t i = 0; i < COUNT(http_vectors); i++) {
        for (size_t k = 0; k < COUNT(sizes); k++) {
            run_vector(&http_vectors[i], sizes[k], sizes[k], BODY_CAP);
        }
    }
    rows_done();
}

static void test_splits(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(http_vectors); i++) {
        size_t len = http_vectors[i].bytes.len;

        for (size_t at = 1; at < len; at++) {
            run_vector(&http_vectors[i], at, len - at, BODY_CAP);
        }
    }
    rows_done();
}

// Of a body that does not fit its beginning is kept, and all of it is read.
static void test_body_room(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(http_vectors); i++) {
        const struct http_vector *v = &http_vectors[i];

        for (size_t cap = 0; cap <= v->body.len && v->body.len > 0; cap++) {
            run_vector(v, v->bytes.len, 1, cap);
            run_vector(v, 1, 1, cap);
            run_vector(v, 3, 3, cap);
        }
    }
    rows_done();
}

// ---- answers that are made here -----------------------------------------------------------------

static const size_t piece_sizes[] = {1, 7, 256, 1000};

// Feeds the engine until the answer is complete or refused, and no bytes after that.
static void give(struct run *run, const char *bytes, size_t len) {
    for (size_t at = 0, n; at < len && run->result == REKEY_AGAIN; at += n) {
        n = run->piece_cap < len - at ? run->piece_cap : len - at;
        run_feed(run, bytes + at, n);
    }
}

static void give_text(struct run *run, const char *text) {
    give(run, text, strlen(text));
}

// `count` bytes, the n-th of which is pattern(n).
static char pattern(size_t n) {
    return (char)('a' + (int)(n % 23));
}

static void give_pattern(struct run *run, size_t count) {
    char bytes[256];

    for (size_t at = 0; at < count && run->result == REKEY_AGAIN; at += sizeof(bytes)) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = pattern(at + i);
        }
        give(run, bytes, count - at < sizeof(bytes) ? count - at : sizeof(bytes));
    }
}

static void check_pattern(struct rekey_span bytes) {
    size_t i = 0;

    while (i < bytes.len && bytes.ptr[i] == pattern(i)) {
        i++;
    }
    check_int(i, bytes.len);
}

// The documented limits; what follows tests the ones that were configured.
static void test_defaults(void **state) {
    (void)state;
    row("defaults");
    check_int(REKEY_HEAD_MAX, 65536);
    check_int(REKEY_FIELDS_MAX, 256);
    check_int(REKEY_INTERIM_MAX, 16);
    check_int(REKEY_BODY_MAX, 1048576);
    rows_done();
}

// The bytes that REKEY_HEAD_MAX counts: in each row `before` + n bytes + `behind` are counted.
static void test_head_limit(void **state) {
    static const struct {
        const char *name, *before, *behind;
        size_t not_counted; // of these, the bytes of the body, and the uncounted framing of chunks
                            // with data
    } rows[] = {
        {"one value", "HTTP/1.1 200\r\nContent-Length: 0\r\nX: ", "\r\n\r\n", 0},
        {"one name", "HTTP/1.1 200\r\nContent-Length: 0\r\n", ":\r\n\r\n", 0},
        {"reason phrase", "HTTP/1.1 200 ", "\r\nContent-Length: 0\r\n\r\n", 0},
        {"interim answer",
         "HTTP/1.1 100\r\nX: ", "\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 0},
        {"value behind an interim answer",
         "HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\nX: ", "\r\n\r\n", 0},
        {"trailer", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", "\r\n\r\n", 0},
        {"trailer behind a body",
         "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: ", "\r\n\r\n",
         5 + 16},
        {"chunk extension", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n0;", "\r\n\r\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(piece_sizes); k++) {
            for (size_t over = 0; over <= 1; over++) {
                size_t fixed =
                    strlen(rows[i].before) + strlen(rows[i].behind) - rows[i].not_counted;
                struct run run;

                row_nn(rows[i].name, (long)piece_sizes[k], (long)over);
                run_start(&run, piece_sizes[k], 0);
                give_text(&run, rows[i].before);
                give_pattern(&run, REKEY_HEAD_MAX - fixed + over);
                check_int(run.result, REKEY_AGAIN);
                give_text(&run, rows[i].behind);
                check_int(run.result, over == 0 ? REKEY_DONE : REKEY_E_LIMIT_HEAD);
            }
        }
    }
    rows_done();
}

// White space that is trimmed counts, too.
static void test_head_limit_of_spaces(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(piece_sizes); k++) {
        struct run run;
        char spaces[256];

        row_n("spaces", (long)piece_sizes[k]);
        memset(spaces, ' ', sizeof(spaces));
        run_start(&run, piece_sizes[k], 0);
        give_text(&run, "HTTP/1.1 200\r\nLocation:");
        for (size_t i = 0; i <= REKEY_HEAD_MAX / sizeof(spaces); i++) {
            give(&run, spaces, sizeof(spaces));
        }
        check_int(run.result, REKEY_E_LIMIT_HEAD);
    }
    rows_done();
}

// The longest value that a head can have: its length is reported, and its beginning is kept.
static void test_longest_value(void **state) {
    static const char before[] = "HTTP/1.1 200\r\nlocation:";
    const size_t len = REKEY_HEAD_MAX - (sizeof(before) - 1) - 4;

    (void)state;
    for (size_t k = 0; k < COUNT(piece_sizes); k++) {
        struct run run;

        row_n("value", (long)piece_sizes[k]);
        run_start(&run, piece_sizes[k], 0);
        give_text(&run, before);
        give_pattern(&run, len);
        give_text(&run, "\r\n\r\n");
        check_int(run.result, REKEY_AGAIN);
        check(run.head);
        check_int(run.fields[F_LOCATION].seen, 1);
        check_int(run.fields[F_LOCATION].len, len);
        check_pattern(rekey_span(run.fields[F_LOCATION].buf, run.fields[F_LOCATION].cap));
        check_int(rekey_http_end(run.h), REKEY_DONE);
    }
    rows_done();
}

static void give_fields(struct run *run, size_t count) {
    for (size_t i = 0; i < count; i++) {
        give_text(run, "a:\r\n");
    }
}

static void test_field_limit(void **state) {
    static const struct {
        const char *name;
        const char *first; // with one field line
        size_t between;    // field lines of these
        const char *second;
        const char *last;
    } rows[] = {
        {"final head", "HTTP/1.1 200\r\nContent-Length: 0\r\n", 0, "", "\r\n"},
        {"interim and final head", "HTTP/1.1 100\r\na:\r\n", 100, "\r\nHTTP/1.1 204\r\n", "\r\n"},
        {"all in the interim head", "HTTP/1.1 100\r\na:\r\n", REKEY_FIELDS_MAX - 1,
         "\r\nHTTP/1.1 204\r\n", "\r\n"},
        {"head and trailers", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n", 200, "\r\n0\r\n",
         "\r\n"},
        {"all in the trailers", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n", 0, "\r\n0\r\n",
         "\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t over = 0; over <= 1; over++) {
            struct run run;

            row_n(rows[i].name, (long)over);
            run_start(&run, 5, 0);
            give_text(&run, rows[i].first);
            give_fields(&run, rows[i].between);
            give_text(&run, rows[i].second);
            give_fields(&run, REKEY_FIELDS_MAX - 1 - rows[i].between);
            check_int(run.result, REKEY_AGAIN);
            give_fields(&run, over);
            give_text(&run, rows[i].last);
            check_int(run.result, over == 0 ? REKEY_DONE : REKEY_E_LIMIT_FIELDS);
        }
    }
    rows_done();
}

// The count of a field's lines stops at its maximum, and does not wrap.
static void test_field_seen(void **state) {
    (void)state;
    for (size_t count = 254; count <= 256 && count <= REKEY_FIELDS_MAX; count++) {
        struct run run;

        row_n("lines", (long)count);
        run_start(&run, 5, 0);
        give_text(&run, "HTTP/1.1 204\r\n");
        for (size_t i = 0; i < count; i++) {
            give_text(&run, "Location: x\r\n");
        }
        give_text(&run, "\r\n");
        check_int(run.result, REKEY_DONE);
        check_int(run.fields[F_LOCATION].seen, count < 255 ? count : 255);
        check_int(run.fields[F_LOCATION].len, 1);
    }
    rows_done();
}

// Content-Length with more leading zeros than a byte can count: a value that is longer than the
// engine's buffer is refused.
static void test_length_digits(void **state) {
    (void)state;
    for (size_t zeros = 0; zeros <= 600; zeros++) {
        struct run run;

        row_n("zeros", (long)zeros);
        run_start(&run, 1, 0);
        give_text(&run, "HTTP/1.1 200\r\nContent-Length: ");
        for (size_t i = 0; i < zeros; i++) {
            give_text(&run, "0");
        }
        give_text(&run, "0\r\n\r\n");
        check_int(run.result,
                  zeros + 1 <= sizeof(run.h->value) ? REKEY_DONE : REKEY_E_CONTENT_LENGTH);
    }
    rows_done();
}

static void test_interim_limit(void **state) {
    (void)state;
    for (size_t count = REKEY_INTERIM_MAX - 1; count <= REKEY_INTERIM_MAX + 1; count++) {
        struct run run;

        row_n("interim answers", (long)count);
        run_start(&run, 5, 0);
        for (size_t i = 0; i < count; i++) {
            give_text(&run, i % 2 == 0 ? "HTTP/1.1 100\r\n\r\n" : "HTTP/1.1 103 x\r\n\r\n");
        }
        give_text(&run, "HTTP/1.1 204\r\n\r\n");
        check_int(run.result, count <= REKEY_INTERIM_MAX ? REKEY_DONE : REKEY_E_LIMIT_INTERIM);
    }
    rows_done();
}

// Bodies of REKEY_BODY_MAX bytes, and of one more. The first bytes are always kept.
static void test_body_limit(void **state) {
    enum how { BY_LENGTH, BY_CHUNKS, BY_CLOSE };
    static const struct {
        const char *name;
        enum how how;
        uint32_t first, second; // chunks; otherwise all bytes are in the first
    } rows[] = {
        {"Content-Length", BY_LENGTH, REKEY_BODY_MAX, 0},
        {"Content-Length and a byte", BY_LENGTH, REKEY_BODY_MAX + 1, 0},
        {"one chunk", BY_CHUNKS, REKEY_BODY_MAX, 0},
        {"one chunk and a byte", BY_CHUNKS, REKEY_BODY_MAX + 1, 0},
        {"two chunks", BY_CHUNKS, REKEY_BODY_MAX - 1, 1},
        {"two chunks and a byte", BY_CHUNKS, REKEY_BODY_MAX - 1, 2},
        {"a chunk and another byte", BY_CHUNKS, REKEY_BODY_MAX, 1},
        {"up to the close", BY_CLOSE, REKEY_BODY_MAX, 0},
        {"up to the close and a byte", BY_CLOSE, REKEY_BODY_MAX + 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(piece_sizes); k++) {
            bool fits = rows[i].first + rows[i].second <= REKEY_BODY_MAX;
            struct run run;
            char text[64];

            row_n(rows[i].name, (long)piece_sizes[k]);
            run_start(&run, piece_sizes[k], 300);
            give_text(&run, "HTTP/1.1 200\r\n");
            switch (rows[i].how) {
            case BY_LENGTH:
                snprintf(text, sizeof(text), "Content-Length: %lu\r\n\r\n",
                         (unsigned long)rows[i].first);
                give_text(&run, text);
                give_pattern(&run, rows[i].first);
                break;
            case BY_CHUNKS:
                snprintf(text, sizeof(text), "Transfer-Encoding: chunked\r\n\r\n%lx\r\n",
                         (unsigned long)rows[i].first);
                give_text(&run, text);
                give_pattern(&run, rows[i].first);
                if (rows[i].second > 0) {
                    snprintf(text, sizeof(text), "\r\n%lX\r\n", (unsigned long)rows[i].second);
                    give_text(&run, text);
                    give_pattern(&run, rows[i].second);
                }
                give_text(&run, "\r\n0\r\n\r\n");
                break;
            case BY_CLOSE:
                give_text(&run, "\r\n");
                give_pattern(&run, rows[i].first);
                break;
            }
            if (!fits) {
                check_int(run.result, REKEY_E_LIMIT_BODY);
                continue;
            }
            check_int(run.result, rows[i].how == BY_CLOSE ? REKEY_AGAIN : REKEY_DONE);
            check_int(rekey_http_end(run.h), REKEY_DONE);
            check_int(run.h->body_size, REKEY_BODY_MAX);
            check_int(run.h->body_len, 300);
            check_pattern(rekey_span(run.h->body, 300));
        }
    }
    rows_done();
}

// Many small chunks into a buffer that is smaller than, as large as, and larger than the body.
static void test_many_chunks(void **state) {
    (void)state;
    for (size_t cap = 0; cap <= 1000; cap += 250) {
        for (size_t k = 0; k < COUNT(piece_sizes); k++) {
            struct run run;
            size_t sent = 0;

            row_nn("chunks", (long)cap, (long)piece_sizes[k]);
            run_start(&run, piece_sizes[k], cap);
            give_text(&run, "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (size_t chunk = 1; sent < 750; chunk++) {
                size_t len = 750 - sent < chunk ? 750 - sent : chunk;
                char text[64];
                int start = snprintf(text, sizeof(text), "%lx\r\n", (unsigned long)len);

                for (size_t i = 0; i < len; i++) {
                    text[start + (int)i] = pattern(sent + i);
                }
                memcpy(text + start + len, "\r\n", 2);
                give(&run, text, (size_t)start + len + 2);
                sent += len;
            }
            give_text(&run, "0\r\n\r\n");
            check_int(run.result, REKEY_DONE);
            check_int(run.h->body_size, 750);
            check_int(run.h->body_len, cap < 750 ? cap : 750);
            check_pattern(rekey_span(run.h->body, run.h->body_len));
        }
    }
    rows_done();
}

// The framing of chunks: for each chunk with data 16 bytes are not counted, and all others are.
static void test_framing_of_chunks(void **state) {
    static const struct {
        const char *chunk; // of one byte of data
        size_t counted;    // besides those 16 bytes
    } rows[] = {
        {"1\r\nx\r\n", 0},
        {"000000001\r\nx\r\n", 0},
        {"1;4567890123\r\nx\r\n", 0},
        {"1;45678901234\r\nx\r\n", 1},
        {"00000000000000001;23456789012345678901\r\nx\r\n", 26},
    };
    static const char before[] = "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n";

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct run run;
        size_t chunks = 0;
        const size_t most = rows[i].counted == 0 ? 100000 : REKEY_HEAD_MAX / rows[i].counted + 100;

        row(rows[i].chunk);
        run_start(&run, 4096, 0);
        give_text(&run, before);
        for (; chunks < most && run.result == REKEY_AGAIN; chunks++) {
            give_text(&run, rows[i].chunk);
        }
        if (rows[i].counted == 0) {
            give_text(&run, "0\r\n\r\n");
            check_int(run.result, REKEY_DONE);
            check_int(run.h->body_size, most);
        } else {
            check_int(run.result, REKEY_E_LIMIT_HEAD);
            check(chunks > (REKEY_HEAD_MAX - 200) / rows[i].counted);
        }
    }
    rows_done();
}

// The caller may give the body's buffer once the head is complete.
static void test_body_given_late(void **state) {
    struct rekey_span in;
    struct rekey_http *h;

    (void)state;
    row("body given late");
    h = guarded(sizeof(*h));
    rekey_http_start(h, NULL, 0, NULL, 0);
    in = guarded_copy(REKEY_SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    check_int(rekey_http_feed(h, &in), REKEY_HTTP_HEAD);
    check_int(in.len, 5);
    h->body = guarded(3);
    h->body_cap = 3;
    check_int(rekey_http_feed(h, &in), REKEY_DONE);
    check_int(h->body_size, 5);
    check_span(rekey_span(h->body, h->body_len), REKEY_SPAN("hel"));
    rows_done();
}

// Two fields share a buffer: a field without capacity never blocks it for the other one; a field
// with capacity that is first in the list does.
static void test_shared_without_room(void **state) {
    static const struct {
        const char *name, *head;
        uint16_t first_cap;
        size_t len;        // of the second field
        const char *value; // what the buffer holds
    } rows[] = {
        {"no room, first", "HTTP/1.1 204\r\na: first\r\nb: second\r\n\r\n", 0, 6, "second"},
        {"no room, last", "HTTP/1.1 204\r\nb: second\r\na: first\r\n\r\n", 0, 6, "second"},
        {"room, first", "HTTP/1.1 204\r\na: first\r\nb: second\r\n\r\n", 6, 0, "first"},
        {"room for a byte, first", "HTTP/1.1 204\r\na: first\r\nb: second\r\n\r\n", 1, 0, "f"},
        {"room, but not there", "HTTP/1.1 204\r\nb: second\r\n\r\n", 6, 6, "second"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_http_field fields[3] = {
            {.name = "c"}, {.name = "a", .cap = rows[i].first_cap}, {.name = "b", .cap = 6}};
        struct rekey_span in;
        struct rekey_http *h;

        row(rows[i].name);
        fields[1].buf = fields[2].buf = guarded(6);
        h = guarded(sizeof(*h));
        rekey_http_start(h, fields, COUNT(fields), NULL, 0);
        in = guarded_copy(rekey_span(rows[i].head, strlen(rows[i].head)));
        check_int(rekey_http_feed(h, &in), REKEY_HTTP_HEAD);
        check_int(fields[2].seen, 1);
        check_int(fields[2].len, rows[i].len);
        check_span(rekey_span(fields[2].buf, strlen(rows[i].value)),
                   rekey_span(rows[i].value, strlen(rows[i].value)));
    }
    rows_done();
}

// The head is reported once, after its last byte and before the next byte is consumed.
static void test_head_once(void **state) {
    static const struct {
        const char *name, *head, *behind;
        int result; // of the bytes behind the head
    } rows[] = {
        {"Content-Length", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n", "ab", REKEY_DONE},
        {"no body", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "ab", REKEY_DONE},
        {"204", "HTTP/1.1 204\r\n\r\n", "", REKEY_DONE},
        {"chunks", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n", REKEY_DONE},
        {"up to the close", "HTTP/1.1 200\r\n\r\n", "ab", REKEY_AGAIN},
        {"behind an interim answer", "HTTP/1.1 100\r\n\r\nHTTP/1.1 204\r\n\r\n", "", REKEY_DONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span in, rest;
        struct rekey_http *h;

        row(rows[i].name);
        h = guarded(sizeof(*h));
        rekey_http_start(h, NULL, 0, NULL, 0);
        in = guarded_copy(rekey_span(rows[i].head, strlen(rows[i].head) - 1));
        check_int(rekey_http_feed(h, &in), REKEY_AGAIN);
        in = guarded_copy(REKEY_SPAN("\n"));
        check_int(rekey_http_feed(h, &in), REKEY_HTTP_HEAD);
        check_int(in.len, 0);
        rest = guarded_copy(rekey_span(rows[i].behind, strlen(rows[i].behind)));
        check_int(rekey_http_feed(h, &rest), rows[i].result);
    }
    rows_done();
}

// If no body follows, the fields about the body are neither checked nor used; all others are
// checked.
static void test_unframed(void **state) {
    static const struct {
        const char *name, *head;
        int result;
    } rows[] = {
        {"nothing", "", REKEY_HTTP_HEAD},
        {"a length", "Content-Length: 5\r\n", REKEY_HTTP_HEAD},
        {"no length", "Content-Length:\r\n", REKEY_HTTP_HEAD},
        {"a negative length", "Content-Length: -1\r\n", REKEY_HTTP_HEAD},
        {"a length of letters", "Content-Length: x\r\n", REKEY_HTTP_HEAD},
        {"a huge length", "Content-Length: 99999999999\r\n", REKEY_HTTP_HEAD},
        {"two lengths", "content-length: 1\r\ncontent-length: 2\r\n", REKEY_HTTP_HEAD},
        {"chunked", "Transfer-Encoding: chunked\r\n", REKEY_HTTP_HEAD},
        {"chunked, twice", "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n",
         REKEY_HTTP_HEAD},
        {"another coding", "Transfer-Encoding: gzip, chunked\r\n", REKEY_HTTP_HEAD},
        {"both", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", REKEY_HTTP_HEAD},
        {"a malformed name", "Content-Length : 5\r\n", REKEY_E_FIELD},
        {"a malformed value", "Content-Length: 5\x01\r\n", REKEY_E_FIELD},
    };
    static const char *const lines[] = {
        "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\n", "HTTP/1.1 407\r\n",
        "HTTP/1.1 103\r\nContent-Length: x\r\n\r\nHTTP/1.1 299\r\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows) * COUNT(lines); i++) {
        struct rekey_http_field field = {.name = "content-length", .cap = 20};
        char text[200];
        struct rekey_span in;
        struct rekey_http *h;

        row_n(rows[i % COUNT(rows)].name, (long)(i / COUNT(rows)));
        field.buf = guarded(field.cap);
        h = guarded(sizeof(*h));
        rekey_http_start(h, &field, 1, NULL, 0);
        h->unframed = true;
        in = guarded_copy(rekey_span(
            text, (size_t)snprintf(text, sizeof(text), "%sConnection: close\r\n%sServer: x\r\n\r\n",
                                   lines[i / COUNT(rows)], rows[i % COUNT(rows)].head)));
        check_int(rekey_http_feed(h, &in), rows[i % COUNT(rows)].result);
        if (rows[i % COUNT(rows)].result == REKEY_HTTP_HEAD) {
            check_int(in.len, 0);
            check_int(field.seen > 0, strstr(rows[i % COUNT(rows)].head, "ength:") != NULL);
            check(!h->keep);
        }
    }
    rows_done();
}

// A struct that has read half an answer, or a refused one, can be used like a new one.
static void test_start_again(void **state) {
    static const char *const before[] = {
        "",
        "HTTP/1.1 200 OK\r\nLocation: abc\r\nContent-Length: 100\r\nConnection: close\r\n\r\nxyz",
        "HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Enc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLocation: x\r\n\r\n5\r\nab",
        "HTTP/1.1 100\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(before); i++) {
        struct run run;

        row_n("before", (long)i);
        run_start(&run, 7, BODY_CAP);
        give_text(&run, before[i]);
        rekey_http_start(run.h, run.fields, F_COUNT, run.h->body, BODY_CAP);
        run.result = REKEY_AGAIN;
        run.head = false;
        check_int(run.fields[F_LOCATION].seen, 0);
        check_int(run.fields[F_LOCATION].len, 0);
        for (size_t k = 0; k < REKEY_INTERIM_MAX; k++) {
            give_text(&run, "HTTP/1.1 100\r\n\r\n");
        }
        give_text(&run, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
        check_int(run.result, REKEY_DONE);
        check_int(run.h->status, 200);
        check(run.h->keep);
        check(!run.h->coded);
        check_span(rekey_span(run.h->body, run.h->body_len), REKEY_SPAN("ab"));
        check_int(run.fields[F_LOCATION].seen, 0);
    }
    rows_done();
}

// ---- emitting -----------------------------------------------------------------------------------

static const struct {
    const char *name, *form;
    struct rekey_span values[10];
    struct rekey_span request;
} forms[] = {
    {"no value", "GET / HTTP/1.1\r\n\r\n", {{NULL, 0}}, BYTES("GET / HTTP/1.1\r\n\r\n")},
    {"empty", "", {{NULL, 0}}, BYTES("")},
    {"one value", "\201", {{NULL, 0}, BYTES("value")}, BYTES("value")},
    {"value first", "\201 b", {{NULL, 0}, BYTES("a")}, BYTES("a b")},
    {"value last", "a \201", {{NULL, 0}, BYTES("b")}, BYTES("a b")},
    {"values next to each other",
     "\201\202\203",
     {{NULL, 0}, BYTES("abc"), BYTES("d"), BYTES("ef")},
     BYTES("abcdef")},
    {"empty values", "a\201\202b\201", {{NULL, 0}, {NULL, 0}, BYTES("")}, BYTES("ab")},
    {"nothing but empty values", "\201\202", {{NULL, 0}, {NULL, 0}, BYTES("")}, BYTES("")},
    {"out of order and twice",
     "\203-\201-\203",
     {{NULL, 0}, BYTES("a"), BYTES("b"), BYTES("c")},
     BYTES("c-a-c")},
    {"nine values",
     "\201\202\203\204\205\206\207\210\211",
     {{NULL, 0},
      BYTES("1"),
      BYTES("2"),
      BYTES("3"),
      BYTES("4"),
      BYTES("5"),
      BYTES("6"),
      BYTES("7"),
      BYTES("8"),
      BYTES("9")},
     BYTES("123456789")},
    {"a value is not a form", "<\200>", {BYTES("\200\201\0\x09")}, BYTES("<\200\201\0\x09>")},
    {"line ends, DEL and bytes beyond ASCII",
     "a\r\n\x7F\201",
     {{NULL, 0}, BYTES("\xFF\x80")},
     BYTES("a\r\n\x7F\xFF\x80")},
    {"a request",
     "POST \201 HTTP/1.1\r\nHost: \202\r\nAuthorization: Bearer \203\r\nContent-Length: "
     "\204\r\n\r\n\205",
     {{NULL, 0},
      BYTES("/x?y=z"),
      BYTES("management.azure.com"),
      BYTES("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30"),
      BYTES("21"),
      BYTES("{\"keyType\":\"Primary\"}")},
     BYTES("POST /x?y=z HTTP/1.1\r\nHost: management.azure.com\r\nAuthorization: Bearer "
           "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30\r\nContent-Length: "
           "21\r\n\r\n{\"keyType\":\"Primary\"}")},
};

// Buffers of every size from 1 to 40: each one is filled completely, except at the end of the
// request.
static void test_emit(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        for (size_t cap = 1; cap <= 40; cap++) {
            struct rekey_http_cursor cursor = {0};
            struct rekey_span values[10];
            struct rekey_span rest = forms[i].request;
            char *buf;

            row_n(forms[i].name, (long)cap);
            for (size_t k = 0; k < 10; k++) {
                values[k] = forms[i].values[k].ptr != NULL ? guarded_copy(forms[i].values[k])
                                                           : forms[i].values[k];
            }
            buf = guarded(cap);
            for (;;) {
                size_t expected = rest.len < cap ? rest.len : cap;
                size_t n = rekey_http_emit(forms[i].form, values, &cursor, buf, cap);

                if (!check_int(n, expected) || n == 0) {
                    break;
                }
                check_span(rekey_span(buf, n), rekey_span(rest.ptr, n));
                rest = rekey_span(rest.ptr + n, rest.len - n);
            }
            check_int(rest.len, 0);
            check_int(rekey_http_emit(forms[i].form, values, &cursor, buf, cap), 0);
        }
    }
    rows_done();
}

// A request in pieces of changing sizes, none at all among them.
static void test_emit_changing(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct rekey_http_cursor cursor = {0};
        char request[256];
        size_t len = 0;
        char *end;

        row(forms[i].name);
        end = (char *)guarded(11) + 11;
        for (size_t call = 0; call < 300; call++) {
            size_t cap = call * 7 % 12;
            size_t n = rekey_http_emit(forms[i].form, forms[i].values, &cursor, end - cap, cap);

            if (!check(n <= cap && len + n <= sizeof(request))) {
                break;
            }
            memcpy(request + len, end - cap, n);
            len += n;
        }
        check_span(rekey_span(request, len), forms[i].request);
    }
    rows_done();
}

static void test_decimal(void **state) {
    static const struct {
        uint32_t value;
        const char *digits;
    } rows[] = {
        {0, "0"},
        {1, "1"},
        {9, "9"},
        {10, "10"},
        {99, "99"},
        {100, "100"},
        {443, "443"},
        {65535, "65535"},
        {1000000, "1000000"},
        {999999999, "999999999"},
        {1000000000, "1000000000"},
        {1234567890, "1234567890"},
        {2147483648u, "2147483648"},
        {4294967295u, "4294967295"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *buf;

        row(rows[i].digits);
        buf = guarded(10);
        check_span(rekey_span(buf, rekey_http_decimal(rows[i].value, buf)),
                   rekey_span(rows[i].digits, strlen(rows[i].digits)));
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_whole),
        UNIT(test_pieces),
        UNIT(test_splits),
        UNIT(test_body_room),
        UNIT(test_defaults),
        UNIT(test_head_limit),
        UNIT(test_head_limit_of_spaces),
        UNIT(test_longest_value),
        UNIT(test_field_limit),
        UNIT(test_field_seen),
        UNIT(test_length_digits),
        UNIT(test_interim_limit),
        UNIT(test_body_limit),
        UNIT(test_many_chunks),
        UNIT(test_framing_of_chunks),
        UNIT(test_unframed),
        UNIT(test_body_given_late),
        UNIT(test_shared_without_room),
        UNIT(test_head_once),
        UNIT(test_start_again),
        UNIT(test_emit),
        UNIT(test_emit_changing),
        UNIT(test_decimal),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, rows_total);
}
