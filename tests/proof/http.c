// http.c - proofs about src/http.c for answers of any length, by induction. `start` proves that
// rekey_http_start establishes the invariant below. `line` and `body` prove that one step of the
// loop of rekey_http_feed, with one byte of a line or one piece of a body, keeps the invariant,
// from any state in which it is true. So it holds after any number of bytes, in pieces of any size;
// and as long as it holds, no access is out of bounds.

#include "../../src/http.c"

#include "span_contracts.h"

#define FIELDS 3
#define BODY_CAP 16
#define VALUE_CAP 8

struct rekey_http nondet_http(void);

// Any result: to which field a line belongs is not part of the proof.
int strcmp(const char *a, const char *b) {
    (void)a;
    (void)b;
    return nondet_int();
}

static struct rekey_http_field fields[FIELDS];
static char values[FIELDS][VALUE_CAP];
static char body_buffer[BODY_CAP];

// The position of the engine: in the head, in the lines of the chunked coding, or in the trailers.
static bool in_head(const struct rekey_http *h) {
    if (h->trailers) {
        return false;
    }
    switch (h->state) {
    case STATUS_LINE:
    case AFTER_STATUS:
    case FIELD_LINE:
    case FIELD_NAME:
    case VALUE_START:
    case TEXT:
        return h->next == FIELD_LINE;
    case LINE_END:
        return h->next == FIELD_LINE || h->next == HEAD_END;
    default:
        return false;
    }
}

static bool in_chunk_line(const struct rekey_http *h) {
    if (h->trailers) {
        return false;
    }
    switch (h->state) {
    case CHUNK_SIZE:
    case CHUNK_SPACE:
    case TEXT:
        return h->next == CHUNK_START;
    case LINE_END:
        return h->next == CHUNK_START || h->next == CHUNK_BEGIN;
    case CHUNK_DATA_CR:
        return h->next == CHUNK_BEGIN;
    default:
        return false;
    }
}

static bool in_trailers(const struct rekey_http *h) {
    if (!h->trailers) {
        return false;
    }
    switch (h->state) {
    case FIELD_LINE: // after the last chunk's line, or after a trailer
        return h->next == CHUNK_START || h->next == FIELD_LINE;
    case FIELD_NAME:
    case VALUE_START:
    case TEXT:
        return h->next == FIELD_LINE;
    case LINE_END:
        return h->next == FIELD_LINE || h->next == COMPLETE;
    default:
        return false;
    }
}

// The head was reported, and no byte of the body was read yet.
static bool at_body(const struct rekey_http *h) {
    switch (h->next) {
    case BODY:
        return h->remaining > 0 && h->remaining <= REKEY_BODY_MAX;
    case BODY_CLOSE:
        return h->remaining == UINT32_MAX;
    default:
        return h->next == CHUNK_BEGIN || h->next == COMPLETE;
    }
}

static bool place_holds(const struct rekey_http *h) {
    switch (h->state) {
    case BODY_START:
        return !h->trailers && at_body(h);
    case BODY:
        return h->remaining > 0 && h->remaining <= REKEY_BODY_MAX;
    case BODY_CLOSE:
        return h->remaining == UINT32_MAX - h->body_size;
    case CHUNK_DATA:
        return !h->trailers && h->remaining > 0 && h->remaining <= REKEY_BODY_MAX << 4;
    case COMPLETE:
        return true;
    default:
        return in_head(h) || in_trailers(h) ||
               (in_chunk_line(h) && h->remaining <= REKEY_BODY_MAX << 4);
    }
}

// The number read from the status line so far has as many digits as were read.
static bool status_holds(const struct rekey_http *h) {
    if (h->state != STATUS_LINE) {
        return h->status < 1000;
    }
    return h->pos < 12 && h->status < (h->pos < 8    ? 1
                                       : h->pos < 10 ? 10
                                       : h->pos < 11 ? 100
                                                     : 1000);
}

// A value is captured only in a field line of the head, and is shorter than the part of the head
// that was read, so its length cannot overflow its 16 bits.
static bool capture_holds(const struct rekey_http *h) {
    bool wanted = false;

    if (h->capture == NULL) {
        return true;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        wanted = wanted || h->capture == &fields[i];
    }
    return (wanted || (h->capture == &h->own_field && h->own < OWN_NONE)) && in_head(h) &&
           h->next == FIELD_LINE && h->state != STATUS_LINE && h->state != AFTER_STATUS &&
           h->state != FIELD_NAME && (size_t)h->capture->len + 2 <= h->head_size &&
           h->value_end <= h->capture->len;
}

static bool invariant(const struct rekey_http *h) {
    return h->fields == fields && h->field_count == FIELDS && h->body_cap <= BODY_CAP &&
           h->own_field.buf == h->value &&
           h->own_field.cap == sizeof(h->value) && // given by the caller
           place_holds(h) && status_holds(h) && capture_holds(h) && h->minor <= 1 &&
           h->own <= OWN_NONE && h->name_len < sizeof(h->name) && h->name[h->name_len] == '\0' &&
           (h->state != FIELD_NAME || h->head_size > 0) && // the limits
           h->head_size <= REKEY_HEAD_MAX && h->field_lines <= REKEY_FIELDS_MAX &&
           h->interim <= REKEY_INTERIM_MAX && h->length <= REKEY_BODY_MAX + 1 &&
           h->body_size <= REKEY_BODY_MAX && // the body
           h->body_len == (h->body_size < h->body_cap ? h->body_size : h->body_cap) &&
           (!(in_head(h) || h->state == BODY_START) || h->body_size == 0) &&
           (h->error == REKEY_E_STATUS_LINE || h->error == REKEY_E_FIELD ||
            h->error == REKEY_E_CHUNK);
}

static void any_fields(void) {
    static const char *const names[FIELDS] = {"location", "retry-after",
                                              "x-ms-correlation-request-id"};

    for (size_t i = 0; i < FIELDS; i++) {
        uint16_t cap = nondet_u16();

        ASSUME(cap <= VALUE_CAP);
        fields[i] = (struct rekey_http_field){names[i], values[i], cap, nondet_u16(), nondet_u8()};
    }
    if (nondet_bool()) {
        fields[1].buf = fields[0].buf; // neighbours may share a buffer
    }
}

// Writes any state in which the invariant is true to *h.
static void any_state(struct rekey_http *h) {
    size_t captured = nondet_size();

    any_fields();
    *h = nondet_http();
    h->fields = fields;
    h->body = body_buffer;
    h->own_field.name = NULL;
    h->own_field.buf = h->value;
    ASSUME(captured <= FIELDS + 1);
    h->capture = captured < FIELDS ? &fields[captured] : captured == FIELDS ? &h->own_field : NULL;
    ASSUME(invariant(h));
}

static bool is_error(int result) {
    return (result <= REKEY_E_STATUS_LINE && result >= REKEY_E_CHUNK) ||
           result == REKEY_E_LIMIT_HEAD || result == REKEY_E_LIMIT_FIELDS ||
           result == REKEY_E_LIMIT_INTERIM || result == REKEY_E_LIMIT_BODY;
}

void start(void) {
    struct rekey_http h;
    uint16_t cap = nondet_u16();

    ASSUME(cap <= BODY_CAP);
    any_fields();
    rekey_http_start(&h, fields, FIELDS, body_buffer, cap);
    PROVE(invariant(&h));
}

static void feed(struct rekey_http *h) {
    char byte = nondet_char();
    struct rekey_span in = rekey_span(&byte, 1);
    uint8_t before;
    int result;

    before = h->state;
    result = rekey_http_feed(h, &in);
    PROVE(result == REKEY_AGAIN || result == REKEY_HTTP_HEAD || result == REKEY_DONE ||
          is_error(result));
    PROVE(in.ptr + in.len == &byte + 1);
    if (!is_error(result)) {
        PROVE(invariant(h));
        PROVE((result == REKEY_DONE) == (h->state == COMPLETE));
        PROVE((result == REKEY_HTTP_HEAD) == (h->state == BODY_START));
        PROVE(result != REKEY_AGAIN || in.len == 0);
        PROVE(before != COMPLETE || in.len == 1); // bytes after an answer are not consumed
    }
    REACHED(result == REKEY_HTTP_HEAD && h->next == BODY_CLOSE);
    REACHED(result == REKEY_DONE && h->trailers);
}

// One byte that does not belong to the body.
void line(void) {
    struct rekey_http h;

    any_state(&h);
    ASSUME(h.state < BODY && (h.state != BODY_START || h.next < BODY));
    feed(&h);
}

// No byte: transitions that need none.
void nothing(void) {
    struct rekey_http h;
    struct rekey_span in = {NULL, 0};
    uint8_t before;
    int result;

    any_state(&h);
    before = h.state;
    result = rekey_http_feed(&h, &in);
    PROVE(result == REKEY_AGAIN || (result == REKEY_DONE && h.state == COMPLETE));
    PROVE(invariant(&h));
    REACHED(before == BODY_START && result == REKEY_DONE);
}

// A piece of a body, of any length.
void body(void) {
    struct rekey_http h;
    struct rekey_span piece = any_text(SIZE_MAX >> 16), in = piece;
    size_t at = nondet_size();
    uint32_t size;
    uint16_t kept;
    uint8_t before;
    int result;

    any_state(&h);
    ASSUME(h.state >= BODY && piece.len > 0);
    size = h.body_size;
    kept = h.body_len;
    before = h.state;
    result = body_bytes(&h, &in);
    PROVE(result == 0 || result == REKEY_E_LIMIT_BODY);
    if (result == 0) {
        size_t taken = piece.len - in.len;

        PROVE(invariant(&h));
        PROVE(taken > 0 && in.ptr == piece.ptr + taken && h.body_size == size + taken);
        PROVE(h.state == before || before != BODY_CLOSE); // only rekey_http_end ends it
        if (at < (size_t)(h.body_len - kept)) {
            PROVE(h.body[kept + at] == piece.ptr[at]);
        }
    }
    REACHED(result == 0 && h.body_len == kept + 7);
}

// The end of the stream, at any point.
void end(void) {
    struct rekey_http h;
    bool may_end;
    int result;

    any_state(&h);
    may_end = h.state == BODY_CLOSE || h.state == COMPLETE;
    result = rekey_http_end(&h);
    PROVE(result == (may_end ? REKEY_DONE : REKEY_E_END));
    PROVE(invariant(&h));
}

// A request in pieces: each piece is written within its buffer, and the cursor stays within the
// form and its value.
void emit(void) {
    char form[] = {nondet_char(), nondet_char(), nondet_char(), nondet_char(), '\0'};
    struct rekey_span value[2] = {any_text(TEXT_MAX), any_text(TEXT_MAX)};
    struct rekey_http_cursor cursor = {nondet_u16(), nondet_u16()};
    char buf[TEXT_MAX];
    size_t cap = nondet_size(), len;

    ASSUME(cap > 0 && cap <= sizeof(buf));
    for (size_t i = 0; i < 4; i++) {
        ASSUME((unsigned char)form[i] < 0x82);
    }
    ASSUME(cursor.form <= 4 &&
           (cursor.value == 0 || ((unsigned char)form[cursor.form] >= 0x80 &&
                                  cursor.value < value[form[cursor.form] & 1].len)));
    len = rekey_http_emit(form, value, &cursor, buf, cap);
    PROVE(len <= cap);
    PROVE(len == cap || form[cursor.form] == '\0');
    PROVE(cursor.form <= 4 &&
          (cursor.value == 0 || ((unsigned char)form[cursor.form] >= 0x80 &&
                                 cursor.value < value[form[cursor.form] & 1].len)));
    REACHED(len == TEXT_MAX && cursor.form == 2 && cursor.value == 1);
}

// Any number: its digits are within the buffer.
void decimal(void) {
    uint32_t value = nondet_u32();
    char buf[10];
    size_t len = rekey_http_decimal(value, buf);

    PROVE(len >= 1 && len <= 10);
    PROVE(len < 2 || value > 9);
    PROVE(len < 10 || value >= 1000000000);
}

// The digits have the value of the number.
void decimal_value(void) {
    uint32_t value = nondet_u16(), again = 0;
    char buf[10];
    size_t len = rekey_http_decimal(value, buf);

    for (size_t i = 0; i < 5; i++) {
        if (i < len) {
            PROVE(buf[i] >= '0' && buf[i] <= '9');
            again = again * 10 + (uint32_t)(buf[i] - '0');
        }
    }
    PROVE(again == value);
    PROVE(len <= 5 && (len == 1 || buf[0] != '0'));
}
