// http.c - the HTTP/1.1 engine of http.h, as a machine of one state for each place in the grammar.
// It is strict where leniency makes two readers see two answers (RFC 9112 11.2): bare LF or CR,
// folded lines, white space before a colon, two lengths, or a coding other than chunked alone are
// refused.

#include "http.h"

#include "rekey_config.h"
#include "rekey_port.h"

enum state {
    STATUS_LINE,  // HTTP/1.x SP 3DIGIT
    AFTER_STATUS, // SP or CR
    REASON,
    LINE_END,   // the LF after a CR
    FIELD_LINE, // the first byte of a field line, or the CR of the empty line
    FIELD_NAME,
    VALUE_START, // white space after the colon
    VALUE,
    TRAILER_LINE, // the same three for trailers, which are read and dropped
    TRAILER_NAME,
    TRAILER_VALUE,
    HEAD_END,   // not a byte: decides what follows the empty line
    BODY_START, // not a byte: the head was reported
    BODY,       // `remaining` bytes by Content-Length
    BODY_CLOSE, // up to the end of the stream
    CHUNK_NEXT, // not a byte: a chunk line begins
    CHUNK_SIZE,
    CHUNK_SPACE, // white space that some servers put before the extension or the CR
    CHUNK_EXTENSION,
    CHUNK_START, // not a byte: decides between data and trailers
    CHUNK_DATA,
    CHUNK_DATA_CR,
    COMPLETE,
};

enum own_field { OWN_NONE, OWN_LENGTH, OWN_TRANSFER, OWN_CONNECTION, OWN_CODING };

enum body_kind { BODY_NONE, BODY_BY_LENGTH, BODY_BY_CHUNKS, BODY_BY_CLOSE };

#define NOT_WANTED 255
#define CHUNK_FREE 16 // bytes that a chunk with data gives back of what REKEY_HEAD_MAX counts

size_t rekey_http_emit(const char *form, const struct rekey_span *values,
                       struct rekey_http_cursor *cursor, char *buf, size_t cap) {
    size_t len = 0;

    while (len < cap && form[cursor->form] != '\0') {
        unsigned char c = (unsigned char)form[cursor->form];
        size_t n;

        if (c > 9) {
            buf[len++] = (char)c;
            cursor->form++;
            continue;
        }
        n = values[c].len - cursor->value;
        n = n < cap - len ? n : cap - len;
        if (n > 0) {
            memcpy(buf + len, values[c].ptr + cursor->value, n);
        }
        len += n;
        cursor->value = (uint16_t)(cursor->value + n);
        if (cursor->value == values[c].len) {
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
    return rekey_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_text(char c) { // what a field value or a reason phrase may hold
    unsigned char u = (unsigned char)c;

    return u == '\t' || (u >= ' ' && u != 0x7F);
}

// A head begins: the first one, or the one after an interim answer.
static void start_head(struct rekey_http *h) {
    for (size_t i = 0; i < h->field_count; i++) {
        h->fields[i].len = 0;
        h->fields[i].seen = 0;
    }
    h->state = STATUS_LINE;
    h->pos = 0;
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
    start_head(h);
}

static int status_line(struct rekey_http *h, char c) {
    static const char form[] = "HTTP/1.";

    if (h->pos < 7) {
        if (c != form[h->pos]) {
            return REKEY_E_STATUS_LINE;
        }
    } else if (h->pos == 7) {
        if (c != '0' && c != '1') {
            return REKEY_E_STATUS_LINE;
        }
        h->minor = (uint8_t)(c - '0');
    } else if (h->pos == 8) {
        if (c != ' ') {
            return REKEY_E_STATUS_LINE;
        }
    } else {
        if (!rekey_is_digit(c)) {
            return REKEY_E_STATUS_LINE;
        }
        h->status = (uint16_t)(h->status * 10 + (c - '0'));
        if (h->pos == 11) {
            h->state = AFTER_STATUS;
        }
    }
    h->pos++;
    return 0;
}

// Whether the buffer of field `i` holds the value of one that stands before it.
static bool displaced(const struct rekey_http *h, size_t i) {
    for (size_t k = 0; k < i; k++) {
        if (h->fields[k].seen > 0 && h->fields[k].cap > 0 && h->fields[k].buf == h->fields[i].buf) {
            return true;
        }
    }
    return false;
}

// The name of a field line is complete: whose is it?
static void name_done(struct rekey_http *h) {
    static const char *const own_names[] = {"", "content-length", "transfer-encoding", "connection",
                                            "content-encoding"};
    struct rekey_span name = rekey_span(h->name, h->name_len);

    h->own = OWN_NONE;
    h->wanted = NOT_WANTED;
    h->value_len = 0;
    h->value_end = 0;
    for (unsigned i = OWN_LENGTH; i <= OWN_CODING; i++) {
        if (rekey_span_equal(name, rekey_span(own_names[i], strlen(own_names[i])))) {
            h->own = (uint8_t)i;
        }
    }
    for (unsigned i = 0; i < h->field_count; i++) {
        struct rekey_http_field *f = &h->fields[i];

        if (rekey_span_equal(name, rekey_span(f->name, strlen(f->name)))) {
            h->wanted = (uint8_t)(displaced(h, i) ? NOT_WANTED : i);
            f->len = 0;
            f->seen = (uint8_t)(f->seen < 255 ? f->seen + 1 : 255);
        }
    }
}

static int name_byte(struct rekey_http *h, char c) {
    if (!is_tchar(c)) {
        return REKEY_E_FIELD; // also ':' first, and white space before the colon
    }
    if (h->name_len < sizeof(h->name)) {
        h->name[h->name_len++] = rekey_lower(c);
    } else {
        h->name_len = sizeof(h->name) + 1; // longer than any name that is looked for
        h->name[0] = '\0';
    }
    return 0;
}

static void value_byte(struct rekey_http *h, char c) {
    bool space = c == ' ' || c == '\t';

    if (h->own != OWN_NONE && h->value_len <= sizeof(h->value)) {
        if (h->value_len < sizeof(h->value)) {
            h->value[h->value_len] = rekey_lower(c);
        }
        h->value_len++;
    }
    if (h->wanted != NOT_WANTED) {
        struct rekey_http_field *f = &h->fields[h->wanted];

        if (f->len < f->cap) {
            f->buf[f->len] = c;
        }
        f->len++;
        h->value_end = space ? h->value_end : f->len;
    }
}

// Content-Length: digits only; more than one field line must say the same.
static int content_length(struct rekey_http *h, struct rekey_span value) {
    uint32_t length = 0;

    if (value.len == 0) {
        return REKEY_E_CONTENT_LENGTH;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!rekey_is_digit(value.ptr[i])) {
            return REKEY_E_CONTENT_LENGTH;
        }
        if (length <= REKEY_BODY_MAX) { // beyond it, only that it is beyond it counts
            length = length * 10 + (uint32_t)(value.ptr[i] - '0');
        }
    }
    if (h->has_length && length != h->length) {
        return REKEY_E_CONTENT_LENGTH;
    }
    h->has_length = true;
    h->length = length;
    return 0;
}

// Connection is a list of options (RFC 9110 7.6.1); two of them matter.
static void connection(struct rekey_http *h, struct rekey_span value) {
    size_t at = 0;

    while (at < value.len) {
        size_t end = at;
        struct rekey_span option;

        while (end < value.len && strchr(", \t", value.ptr[end]) == NULL) {
            end++;
        }
        option = rekey_span(value.ptr + at, end - at);
        h->conn_close |= rekey_span_equal(option, REKEY_SPAN("close"));
        h->conn_keep |= rekey_span_equal(option, REKEY_SPAN("keep-alive"));
        at = end + 1;
    }
}

static int value_done(struct rekey_http *h) {
    struct rekey_span value = rekey_span(h->value, h->value_len);
    bool cut = value.len > sizeof(h->value);

    if (h->wanted != NOT_WANTED) {
        h->fields[h->wanted].len = h->value_end;
    }
    while (!cut && value.len > 0 && strchr(" \t", value.ptr[value.len - 1]) != NULL) {
        value.len--;
    }
    switch (h->own) {
    case OWN_LENGTH:
        return cut ? REKEY_E_CONTENT_LENGTH : content_length(h, value);
    case OWN_TRANSFER:
        if (cut || h->has_chunked || !rekey_span_equal(value, REKEY_SPAN("chunked"))) {
            return REKEY_E_TRANSFER_ENCODING;
        }
        h->has_chunked = true;
        break;
    case OWN_CONNECTION:
        if (cut) {
            h->conn_close = true; // too long to read: the cautious reading
        } else {
            connection(h, value);
        }
        break;
    case OWN_CODING:
        h->coded |= cut || (value.len > 0 && !rekey_span_equal(value, REKEY_SPAN("identity")));
        break;
    default:
        break;
    }
    return 0;
}

// The empty line was read. Decides how the body is delimited (RFC 9112 6.3).
static int head_end(struct rekey_http *h) {
    if (h->status >= 100 && h->status < 200 && h->status != 101) {
        if (++h->interim > REKEY_INTERIM_MAX) {
            return REKEY_E_LIMIT_INTERIM;
        }
        start_head(h);
        return 0;
    }
    if (h->has_chunked && (h->has_length || h->minor == 0)) {
        return REKEY_E_TRANSFER_ENCODING; // two framings, or one that HTTP/1.0 does not have
    }
    h->keep = !h->conn_close && (h->minor == 1 || h->conn_keep);
    if (h->status == 101 || h->status == 204 || h->status == 304) {
        h->body_kind = BODY_NONE;
    } else if (h->has_chunked) {
        h->body_kind = BODY_BY_CHUNKS;
    } else if (h->has_length) {
        if (h->length > REKEY_BODY_MAX) {
            return REKEY_E_LIMIT_BODY;
        }
        h->body_kind = BODY_BY_LENGTH;
        h->remaining = h->length;
    } else {
        h->body_kind = BODY_BY_CLOSE;
    }
    h->keep &= h->status != 101 && h->body_kind != BODY_BY_CLOSE;
    h->state = BODY_START;
    return REKEY_HTTP_HEAD;
}

static void body_start(struct rekey_http *h) {
    switch (h->body_kind) {
    case BODY_BY_CHUNKS:
        h->state = CHUNK_NEXT;
        break;
    case BODY_BY_LENGTH:
        h->state = h->remaining > 0 ? BODY : COMPLETE;
        break;
    case BODY_BY_CLOSE:
        h->state = BODY_CLOSE;
        break;
    default:
        h->state = COMPLETE;
        break;
    }
}

// Eats body bytes from the front of *in, at most `limit`: the first body_cap of them are kept.
static int body_bytes(struct rekey_http *h, struct rekey_span *in, uint32_t limit) {
    uint32_t n = in->len < limit ? (uint32_t)in->len : limit;
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
    h->remaining -= h->state == BODY_CLOSE ? 0 : n;
    in->ptr += n;
    in->len -= n;
    return 0;
}

// Goes to the LF of this line, and from there to `next`.
static int line_ends(struct rekey_http *h, enum state next) {
    h->after_cr = (uint8_t)next;
    h->state = LINE_END;
    return 0;
}

static int chunk_size_end(struct rekey_http *h, char c) {
    switch (c) {
    case '\r':
        return line_ends(h, CHUNK_START);
    case ';':
        h->state = CHUNK_EXTENSION;
        return 0;
    case ' ':
    case '\t':
        h->state = CHUNK_SPACE;
        return 0;
    default:
        return REKEY_E_CHUNK;
    }
}

static int chunk_size(struct rekey_http *h, char c) {
    int digit = rekey_hex_value(c);

    if (digit >= 0) {
        h->pos = 1;
        if (h->remaining > REKEY_BODY_MAX) {
            return REKEY_E_LIMIT_BODY;
        }
        h->remaining = h->remaining << 4 | (uint32_t)digit;
        return 0;
    }
    return h->pos == 0 ? REKEY_E_CHUNK : chunk_size_end(h, c);
}

static int field_line_starts(struct rekey_http *h, char c, enum state name_state) {
    if (++h->field_lines > REKEY_FIELDS_MAX) {
        return REKEY_E_LIMIT_FIELDS;
    }
    h->name_len = 0;
    h->state = (uint8_t)name_state;
    return name_byte(h, c); // a space or a tab here would be a folded line
}

// One byte of a status line, a field line, a chunk line or a trailer.
static int line_byte(struct rekey_http *h, char c) {
    int error;

    switch (h->state) {
    case STATUS_LINE:
        return status_line(h, c);
    case AFTER_STATUS:
        h->state = REASON;
        if (c == ' ') {
            return 0;
        }
        return c == '\r' ? line_ends(h, FIELD_LINE) : REKEY_E_STATUS_LINE;
    case REASON:
        if (c == '\r') {
            return line_ends(h, FIELD_LINE);
        }
        return is_text(c) ? 0 : REKEY_E_STATUS_LINE;
    case LINE_END:
        h->state = h->after_cr;
        if (c == '\n') {
            return 0;
        }
        return h->after_cr == CHUNK_START || h->after_cr == CHUNK_NEXT ? REKEY_E_CHUNK
                                                                       : REKEY_E_FIELD;
    case FIELD_LINE:
        return c == '\r' ? line_ends(h, HEAD_END) : field_line_starts(h, c, FIELD_NAME);
    case FIELD_NAME:
        if (c != ':') {
            return name_byte(h, c);
        }
        name_done(h);
        h->state = VALUE_START;
        return 0;
    case VALUE_START:
        if (c == ' ' || c == '\t') {
            return 0;
        }
        h->state = VALUE;
        // fall through
    case VALUE:
        if (c == '\r') {
            error = value_done(h);
            return error != 0 ? error : line_ends(h, FIELD_LINE);
        }
        value_byte(h, c);
        return is_text(c) ? 0 : REKEY_E_FIELD;
    case TRAILER_LINE:
        return c == '\r' ? line_ends(h, COMPLETE) : field_line_starts(h, c, TRAILER_NAME);
    case TRAILER_NAME:
        if (c == ':') {
            h->state = TRAILER_VALUE;
            return 0;
        }
        return name_byte(h, c);
    case TRAILER_VALUE:
        if (c == '\r') {
            return line_ends(h, TRAILER_LINE);
        }
        return is_text(c) ? 0 : REKEY_E_FIELD;
    case CHUNK_SIZE:
        return chunk_size(h, c);
    case CHUNK_SPACE:
        return chunk_size_end(h, c);
    case CHUNK_EXTENSION:
        if (c == '\r') {
            return line_ends(h, CHUNK_START);
        }
        return is_text(c) ? 0 : REKEY_E_CHUNK;
    default: // CHUNK_DATA_CR
        return c == '\r' ? line_ends(h, CHUNK_NEXT) : REKEY_E_CHUNK;
    }
}

int rekey_http_feed(struct rekey_http *h, struct rekey_span *in) {
    for (;;) {
        int result = 0;

        switch (h->state) {
        case HEAD_END:
            result = head_end(h);
            break;
        case BODY_START:
            body_start(h);
            break;
        case CHUNK_NEXT:
            h->remaining = 0;
            h->pos = 0;
            h->state = CHUNK_SIZE;
            break;
        case CHUNK_START:
            h->state = h->remaining > 0 ? CHUNK_DATA : TRAILER_LINE;
            if (h->remaining > 0) { // the framing of many small chunks is no flood
                h->head_size -= h->head_size < CHUNK_FREE ? h->head_size : CHUNK_FREE;
            }
            break;
        case COMPLETE:
            return REKEY_DONE;
        default:
            if (in->len == 0) {
                return REKEY_AGAIN;
            }
            if (h->state == BODY || h->state == BODY_CLOSE || h->state == CHUNK_DATA) {
                result = body_bytes(h, in, h->state == BODY_CLOSE ? UINT32_MAX : h->remaining);
                if (h->state != BODY_CLOSE && h->remaining == 0) {
                    h->state = h->state == BODY ? COMPLETE : CHUNK_DATA_CR;
                }
            } else {
                char c = *in->ptr++;

                in->len--;
                if (++h->head_size > REKEY_HEAD_MAX) {
                    return REKEY_E_LIMIT_HEAD;
                }
                result = line_byte(h, c);
            }
            break;
        }
        if (result != 0) {
            return result;
        }
    }
}

int rekey_http_end(struct rekey_http *h) {
    if (h->state == BODY_CLOSE) {
        h->state = COMPLETE;
        return REKEY_DONE;
    }
    return h->state == COMPLETE ? REKEY_DONE : REKEY_E_END;
}
