// http.c - the HTTP/1.1 engine of http.h: a state machine with one state for each position in the
// grammar. It refuses everything that two parsers might read differently (RFC 9112 11.2): a bare LF
// or CR, folded lines, white space before a colon, two lengths, a transfer coding other than
// chunked.

#include "http.h"

#include "rekey_config.h"
#include "rekey_port.h"

enum state {
    STATUS_LINE,  // HTTP/1.x SP 3DIGIT
    AFTER_STATUS, // SP or CR
    FIELD_LINE,   // the first byte of a field line, or the CR of the empty line
    FIELD_NAME,
    VALUE_START, // white space after the colon
    TEXT,        // up to the CR: a reason phrase, a value, a chunk extension
    LINE_END,    // the LF after the CR
    BODY_START,  // consumes no byte: the head was reported
    CHUNK_BEGIN, // consumes no byte
    CHUNK_SIZE,
    CHUNK_SPACE, // white space that some servers put before the extension or the CR
    CHUNK_DATA_CR,
    COMPLETE, // consumes no byte
    // Values of `next` only: what follows an LF.
    HEAD_END,
    CHUNK_START,
    // States that consume bytes of the body, at most `remaining`.
    BODY,
    BODY_CLOSE,
    CHUNK_DATA,
};

enum own_field { OWN_LENGTH, OWN_TRANSFER, OWN_CONNECTION, OWN_CODING, OWN_NONE };

#define CHUNK_FREE 16 // bytes of framing of each chunk with data that REKEY_HEAD_MAX does not count

size_t rekey_http_emit(const char *form, const struct rekey_span *values,
                       struct rekey_http_cursor *cursor, char *buf, size_t cap) {
    size_t len = 0;

    while (len < cap && form[cursor->form] != '\0') {
        unsigned char c = (unsigned char)form[cursor->form];
        struct rekey_span value;
        size_t n;

        if (c < 0x80) {
            buf[len++] = (char)c;
            cursor->form++;
            continue;
        }
        value = values[c - 0x80];
        n = value.len - cursor->value;
        n = n < cap - len ? n : cap - len;
        if (n > 0) {
            memcpy(buf + len, value.ptr + cursor->value, n);
        }
        len += n;
        cursor->value = (uint16_t)(cursor->value + n);
        if (cursor->value == value.len) {
            cursor->form++;
            cursor->value = 0;
        }
    }
    return len;
}

size_t rekey_http_decimal(uint32_t value, char buf[10]) {
    size_t len = 0;

    for (uint32_t rest = value; len == 0 || rest > 0; rest /= 10) {
        len++;
    }
    for (size_t i = len; i > 0; value /= 10) {
        buf[--i] = (char)('0' + value % 10);
    }
    return len;
}

static bool is_tchar(char c) { // RFC 9110 5.6.2
    return rekey_is_alnum(c) || rekey_is_one_of(c, "!#$%&'*+-.^_`|~");
}

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

// Begins a line in `state`. `next` is the state after its LF, and `error` the error for a bad byte.
static void line_starts(struct rekey_http *h, enum state state, enum state next, int error) {
    h->state = (uint8_t)state;
    h->next = (uint8_t)next;
    h->error = (int16_t)error;
    h->pos = 0;
    h->capture = NULL;
}

// Begins a head: the first one, or the one after an interim answer.
static void start_head(struct rekey_http *h) {
    for (size_t i = 0; i < h->field_count; i++) {
        h->fields[i].len = 0;
        h->fields[i].seen = 0;
    }
    line_starts(h, STATUS_LINE, FIELD_LINE, REKEY_E_STATUS_LINE);
    h->status = 0;
    h->has_length = h->has_chunked = h->conn_close = h->conn_keep = h->coded = false;
}

void rekey_http_start(struct rekey_http *h, struct rekey_http_field *fields, size_t field_count,
                      char *body, size_t body_cap) {
    memset(h, 0, sizeof(*h));
    h->fields = fields;
    h->field_count = (uint16_t)field_count;
    h->body = body;
    h->body_cap = (uint16_t)body_cap;
    h->own_field = (struct rekey_http_field){.buf = h->value, .cap = sizeof(h->value)};
    start_head(h);
}

// One byte of the fixed part of the status line. The digit of the minor version and the three
// digits of the status are collected as one number.
static int status_line(struct rekey_http *h, char c) {
    static const char form[] = "HTTP/1.0 000";
    char expected = form[h->pos++];

    if (expected == '0' && rekey_is_digit(c)) {
        h->status = (uint16_t)(h->status * 10 + (c - '0'));
    } else if (c != expected) {
        return h->error;
    }
    if (form[h->pos] == '\0') {
        h->minor = (uint8_t)(h->status / 1000);
        h->status %= 1000;
        h->state = AFTER_STATUS;
    }
    return h->minor > 1 ? h->error : 0;
}

// The name of a field line is complete: finds the buffer for its value. The fields that the engine
// itself needs are captured in the same way.
static void name_done(struct rekey_http *h) {
    static const char *const own_names[] = {"content-length", "transfer-encoding", "connection",
                                            "content-encoding"};
    struct rekey_http_field *f = h->fields;

    for (h->own = h->unframed ? OWN_CONNECTION : OWN_LENGTH; h->own < OWN_NONE; h->own++) {
        if (strcmp(h->name, own_names[h->own]) == 0) {
            h->own_field.len = 0;
            h->capture = &h->own_field;
            return;
        }
    }
    for (size_t i = 0; i < h->field_count; i++, f++) {
        if (strcmp(h->name, f->name) == 0) {
            bool displaced = i > 0 && f[-1].buf == f->buf && f[-1].seen > 0 && f[-1].cap > 0;

            h->capture = displaced ? NULL : f;
            f->len = 0;
            f->seen = (uint8_t)(f->seen < 255 ? f->seen + 1 : 255);
        }
    }
}

static int name_byte(struct rekey_http *h, char c) {
    if (!is_tchar(c)) {
        return h->error; // also an empty name, and white space before the colon
    }
    if (h->name_len < sizeof(h->name) - 1) { // every wanted name is shorter than this
        h->name[h->name_len++] = rekey_lower(c);
        h->name[h->name_len] = '\0';
    }
    return 0;
}

static void value_byte(struct rekey_http *h, char c) {
    struct rekey_http_field *f = h->capture;

    if (f != NULL) {
        if (f->len < f->cap) {
            f->buf[f->len] = c;
        }
        f->len++;
        if (!is_space(c)) {
            h->value_end = f->len;
        }
    }
}

// The value of a field that the engine needs. A value that is too long for its buffer is read as
// empty, which is the safe reading for each of these fields.
static struct rekey_span own_value(const struct rekey_http *h) {
    return rekey_span(h->value, h->value_end <= sizeof(h->value) ? h->value_end : 0);
}

static bool value_is(const struct rekey_http *h, const char *word) {
    return rekey_span_equal_nocase(own_value(h), rekey_span(word, strlen(word)));
}

// Content-Length has digits only; several field lines must have the same value. A number above
// REKEY_BODY_MAX is reduced to REKEY_BODY_MAX + 1, and is refused at the end of the head.
static int content_length(struct rekey_http *h) {
    int32_t length = rekey_number(own_value(h), REKEY_BODY_MAX + 1);

    if (length < 0 || (h->has_length && (uint32_t)length != h->length)) {
        return REKEY_E_CONTENT_LENGTH;
    }
    h->has_length = true;
    h->length = (uint32_t)length;
    return 0;
}

// A value is complete.
static int value_done(struct rekey_http *h) {
    if (h->capture != NULL) {
        h->capture->len = h->value_end;
    }
    if (h->capture != &h->own_field) {
        return 0;
    }
    switch (h->own) {
    case OWN_LENGTH:
        return content_length(h);
    case OWN_TRANSFER:
        if (h->has_chunked || !value_is(h, "chunked")) {
            return REKEY_E_TRANSFER_ENCODING;
        }
        h->has_chunked = true;
        break;
    case OWN_CONNECTION: // a list (RFC 9110 7.6.1); only "keep-alive" alone keeps the connection
        h->conn_keep = value_is(h, "keep-alive");
        h->conn_close |= !h->conn_keep;
        break;
    default:
        h->coded |= h->value_end > 0 && !value_is(h, "identity");
        break;
    }
    return 0;
}

// The empty line after the fields was read: decides how the body is delimited (RFC 9112 6.3).
static int head_end(struct rekey_http *h) {
    bool none = h->status == 101 || h->status == 204 || h->status == 304;

    if (h->status >= 100 && h->status < 200 && !none) {
        start_head(h);
        return ++h->interim > REKEY_INTERIM_MAX ? REKEY_E_LIMIT_INTERIM : 0;
    }
    if (h->has_chunked && (h->has_length || h->minor == 0)) {
        return REKEY_E_TRANSFER_ENCODING; // two framings, or chunked in HTTP/1.0
    }
    h->keep = !h->conn_close && (h->minor == 1 || h->conn_keep) && h->status != 101;
    h->remaining = h->length;
    h->next = BODY;
    if (none || (h->has_length && h->length == 0)) {
        h->next = COMPLETE;
    } else if (h->has_chunked) {
        h->next = CHUNK_BEGIN;
    } else if (!h->has_length) {
        h->next = BODY_CLOSE;
        h->remaining = UINT32_MAX;
        h->keep = false;
    } else if (h->length > REKEY_BODY_MAX) {
        return REKEY_E_LIMIT_BODY;
    }
    h->state = BODY_START;
    return REKEY_HTTP_HEAD;
}

// Consumes bytes of the body from the front of *in. The first body_cap bytes of the body are kept.
static int body_bytes(struct rekey_http *h, struct rekey_span *in) {
    uint32_t n = in->len < h->remaining ? (uint32_t)in->len : h->remaining;
    uint32_t room = (uint32_t)(h->body_cap - h->body_len);
    uint32_t kept = n < room ? n : room;

    if (n > REKEY_BODY_MAX - h->body_size) {
        return REKEY_E_LIMIT_BODY;
    }
    if (kept > 0) {
        memcpy(h->body + h->body_len, in->ptr, kept);
        h->body_len = (uint16_t)(h->body_len + kept);
    }
    h->body_size += n;
    h->remaining -= n;
    in->ptr += n;
    in->len -= n;
    if (h->remaining == 0) {
        line_starts(h, h->state == BODY ? COMPLETE : CHUNK_DATA_CR, CHUNK_BEGIN, REKEY_E_CHUNK);
    }
    return 0;
}

// An LF was read: continues with what follows it.
static int line_ended(struct rekey_http *h) {
    h->state = h->next;
    switch (h->state) {
    case HEAD_END:
        return head_end(h);
    case CHUNK_START:
        if (h->remaining > 0) { // many small chunks do not count as a flood
            h->head_size -= h->head_size < CHUNK_FREE ? h->head_size : CHUNK_FREE;
            h->state = CHUNK_DATA;
        } else {
            h->trailers = true;
            h->state = FIELD_LINE;
        }
        break;
    default:
        break;
    }
    return 0;
}

// Consumes one byte of a status line, a field line or a chunk line.
static int line_byte(struct rekey_http *h, char c) {
    int digit;

    switch (h->state) {
    case STATUS_LINE:
        return status_line(h, c);
    case AFTER_STATUS:
        h->state = TEXT;
        if (c == ' ') {
            return 0;
        }
        break;
    case FIELD_LINE:
        line_starts(h, FIELD_NAME, FIELD_LINE, REKEY_E_FIELD);
        if (c == '\r') {
            h->next = h->trailers ? COMPLETE : HEAD_END;
            break;
        }
        h->name_len = 0;
        if (++h->field_lines > REKEY_FIELDS_MAX) {
            return REKEY_E_LIMIT_FIELDS;
        }
        return name_byte(h, c); // a space or a tab here is a folded line, and refused
    case FIELD_NAME:
        if (c != ':') {
            return name_byte(h, c);
        }
        h->state = VALUE_START;
        h->value_end = 0;
        if (!h->trailers) { // trailers are dropped
            name_done(h);
        }
        return 0;
    case VALUE_START:
        if (is_space(c)) {
            return 0;
        }
        h->state = TEXT;
        // fall through
    case TEXT:
        if (c == '\r') {
            h->state = LINE_END;
            return value_done(h);
        }
        value_byte(h, c);
        return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7F) ? 0 : h->error;
    case LINE_END:
        return c == '\n' ? line_ended(h) : h->error;
    case CHUNK_SIZE:
        digit = rekey_hex_value(c);
        if (digit >= 0) {
            h->pos = 1;
            if (h->remaining >= REKEY_BODY_MAX) {
                return REKEY_E_LIMIT_BODY;
            }
            h->remaining = h->remaining << 4 | (uint32_t)digit;
            return 0;
        }
        if (h->pos == 0) {
            return h->error;
        }
        h->state = CHUNK_SPACE;
        // fall through
    case CHUNK_SPACE:
        if (is_space(c)) {
            return 0;
        }
        if (c == ';') {
            h->state = TEXT;
            return 0;
        }
        break;
    default: // CHUNK_DATA_CR
        break;
    }
    h->state = LINE_END; // only the CR of this line, or of an empty line, is allowed here
    return c == '\r' ? 0 : h->error;
}

int rekey_http_feed(struct rekey_http *h, struct rekey_span *in) {
    int result = 0;

    while (result == 0) {
        if (h->state == BODY_START) {
            h->state = h->next;
        }
        if (h->state == CHUNK_BEGIN) {
            line_starts(h, CHUNK_SIZE, CHUNK_START, REKEY_E_CHUNK);
            h->remaining = 0;
        }
        if (h->state == COMPLETE) {
            return REKEY_DONE;
        }
        if (in->len == 0) {
            return REKEY_AGAIN;
        }
        if (h->state >= BODY) {
            result = body_bytes(h, in);
        } else {
            char c = *in->ptr++;

            in->len--;
            result = ++h->head_size > REKEY_HEAD_MAX ? REKEY_E_LIMIT_HEAD : line_byte(h, c);
        }
    }
    return result;
}

int rekey_http_end(struct rekey_http *h) {
    if (h->state == BODY_CLOSE) {
        h->state = COMPLETE;
    }
    return h->state == COMPLETE ? REKEY_DONE : REKEY_E_END;
}
