// pem.c - the reader of PEM. A line is a marker (BEGIN or END), base64, or text. A marker is
// recognized only at the start of a line or directly behind another marker, so that a line that was
// commented out is ignored.

#include "pem.h"

#define DASHES "-----"
#define BEGIN "-----BEGIN "
#define END "-----END "
#define BYTE_ORDER_MARK "\xef\xbb\xbf" // in UTF-8

void rekey_pem_init(struct rekey_pem *p, unsigned char *der, size_t cap) {
    memset(p, 0, sizeof(*p));
    p->der = der;
    p->cap = cap;
    p->fresh = true;
}

#define NO_DIGIT 0x80

// The value of a base64 digit (RFC 4648 4), or NO_DIGIT.
static unsigned digit_of(char c) {
    static const unsigned char digits[] = {
        // from '+' to 'z'
        62,  128, 128, 128, 63,  52,  53, 54, 55, 56, 57, 58, 59, 60, 61, 128,
        128, 128, 128, 128, 128, 128, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
        10,  11,  12,  13,  14,  15,  16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
        128, 128, 128, 128, 128, 128, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
        36,  37,  38,  39,  40,  41,  42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
    unsigned at = (unsigned char)c - (unsigned)'+';

    return at < sizeof(digits) ? digits[at] : NO_DIGIT;
}

static void decode(struct rekey_pem *p, char c) {
    unsigned digit = digit_of(c);

    if (c == '=' && p->quantum >= 2) {
        p->padding++;
        digit = 0;
    } else if (digit == NO_DIGIT || p->padding > 0) { // no digit may follow padding
        p->headers |= c == ':';
        p->bad = true;
        return;
    }
    p->bits = p->bits << 6 | digit;
    if (++p->quantum < 4) {
        return;
    }
    p->quantum = 0;
    for (int i = 0; i < 3 - p->padding; i++) {
        if (p->der != NULL && p->len < p->cap) {
            p->der[p->len] = (unsigned char)(p->bits >> (16 - 8 * i));
        }
        p->len++;
    }
}

// Whether the collected bytes, with the last one, can still be the beginning of a marker.
static bool may_be_marker(const struct rekey_pem *p) {
    const size_t at = p->marked - 1u;
    const bool begins = at >= sizeof(DASHES) - 1 && p->mark[sizeof(DASHES) - 1] == 'B';

    return at >= (begins ? sizeof(BEGIN) : sizeof(END)) - 1 ||
           p->mark[at] == (begins ? BEGIN : END)[at];
}

// Begins the block whose label is in `mark`.
static void begin_block(struct rekey_pem *p) {
    p->bad = p->begun >= sizeof(p->label);
    p->headers = false;
    p->len = p->quantum = p->padding = 0;
    memset(p->label, 0, sizeof(p->label));
    memcpy(p->label, p->mark + sizeof(BEGIN) - 1, p->bad ? 0 : p->begun);
    p->inside = true;
    p->skipped = false;
    p->begun = 0;
}

// A marker is complete. `before` is the number of its bytes before the label.
static enum rekey_pem_event end_marker(struct rekey_pem *p, size_t before) {
    const struct rekey_span label =
        rekey_span(p->mark + before, p->marked - before - (sizeof(DASHES) - 1));
    const bool begins = before == sizeof(BEGIN) - 1;
    enum rekey_pem_event event = p->inside && !p->skipped ? REKEY_PEM_FAULTY : REKEY_PEM_MORE;

    p->marked = 0;
    if (begins && !p->fresh) { // not allowed directly behind base64
        p->bad = true;
        return REKEY_PEM_MORE;
    }
    if (begins) { // begin_block runs with the next byte: the caller may still read the old label
        p->begun = (unsigned char)label.len;
    } else if (event == REKEY_PEM_FAULTY && !p->bad && p->len > 0 && p->len <= p->cap &&
               p->quantum == 0 && rekey_span_equal(label, rekey_span(p->label, strlen(p->label)))) {
        event = REKEY_PEM_BLOCK;
    }
    p->inside = false;
    p->fresh = true;
    return event;
}

// Reads a byte of a possible marker.
static enum rekey_pem_event mark(struct rekey_pem *p, char c) {
    size_t before, least;

    p->mark[p->marked++] = c;
    if (!may_be_marker(p) || p->marked == sizeof(p->mark)) {
        p->marked = 0;
        p->fresh = false;
        p->text = !p->inside;
        p->bad = true;
        return REKEY_PEM_MORE;
    }
    before = p->mark[sizeof(DASHES) - 1] == 'B' ? sizeof(BEGIN) - 1 : sizeof(END) - 1;
    least = before + sizeof(DASHES); // a label has at least one byte
    if (c == '-' && p->marked >= least &&
        memcmp(p->mark + p->marked - (sizeof(DASHES) - 1), DASHES, sizeof(DASHES) - 1) == 0) {
        return end_marker(p, before);
    }
    return REKEY_PEM_MORE;
}

// Decodes groups of four digits at once. Returns the number of bytes read.
static size_t decode_groups(struct rekey_pem *p, const char *text, size_t len) {
    const size_t used = p->len < p->cap ? p->len : p->cap;
    unsigned char *der = p->der + used;
    size_t taken = 0, room = p->cap - used;

    for (; len - taken >= 4 && room >= 3; taken += 4, room -= 3) {
        const unsigned a = digit_of(text[taken]), b = digit_of(text[taken + 1]),
                       c = digit_of(text[taken + 2]), d = digit_of(text[taken + 3]);

        if (((a | b | c | d) & NO_DIGIT) != 0) {
            break;
        }
        *der++ = (unsigned char)(a << 2 | b >> 4);
        *der++ = (unsigned char)(b << 4 | c >> 2);
        *der++ = (unsigned char)(c << 6 | d);
    }
    p->len += taken / 4 * 3;
    return taken;
}

static bool is_line_end(char c) {
    return c == '\n' || c == '\r';
}

// Skips the bytes of an unwanted block up to the next dash, except bytes that may come between the
// start of a line and a marker.
static size_t skip_unwanted(struct rekey_pem *p, const char *text, size_t len) {
    const char *dash = memchr(text, '-', len);
    size_t taken = dash != NULL ? (size_t)(dash - text) : len;

    while (taken > 0 && rekey_is_one_of(text[taken - 1], " \t" BYTE_ORDER_MARK)) {
        taken--;
    }
    if (taken > 0) {
        p->fresh = is_line_end(text[taken - 1]);
    }
    return taken;
}

// Reads the marker of a certificate, the most frequent one, except its last byte.
static size_t read_certificate_marker(struct rekey_pem *p, const char *text, size_t len) {
    const char *marker = p->inside ? END "CERTIFICATE----" : BEGIN "CERTIFICATE----";
    const size_t size = strlen(marker);

    if (len < size || memcmp(text, marker, size) != 0) {
        return 0;
    }
    memcpy(p->mark, marker, size);
    p->marked = (unsigned char)size;
    return size;
}

size_t rekey_pem_push_many(struct rekey_pem *p, const char *text, size_t len) {
    size_t taken = 0;

    if (p->begun > 0 || p->marked > 0) {
        return 0;
    }
    if (p->text) {
        while (taken < len && !is_line_end(text[taken])) {
            taken++;
        }
        return taken;
    }
    if (p->fresh && len > 0 && text[0] == '-') {
        return read_certificate_marker(p, text, len);
    }
    if (!p->inside) {
        return 0;
    }
    if (p->skipped) {
        return skip_unwanted(p, text, len);
    }
    if (!p->bad && p->quantum == 0 && p->padding == 0 && p->der != NULL) {
        taken = decode_groups(p, text, len);
        p->fresh = p->fresh && taken == 0;
    }
    return taken;
}

enum rekey_pem_event rekey_pem_push(struct rekey_pem *p, char c) {
    if (p->begun > 0) {
        begin_block(p);
    }
    if (is_line_end(c)) {
        p->bad |= p->marked > 0; // dashes that are not a marker
        p->marked = 0;
        p->fresh = true;
        p->text = false;
        return REKEY_PEM_MORE;
    }
    if (p->marked > 0 || (c == '-' && !p->text && (p->fresh || (p->inside && !p->bad)))) {
        return mark(p, c);
    }
    if (c == ' ' || c == '\t' || p->text) {
        return REKEY_PEM_MORE;
    }
    if (p->fresh && rekey_is_one_of(c, BYTE_ORDER_MARK)) {
        p->bad = true; // matters only if a block was cut off here
    } else if (p->inside) {
        p->fresh = false;
        if (!p->skipped) {
            decode(p, c);
        }
    } else {
        p->text = true;
    }
    return REKEY_PEM_MORE;
}

enum rekey_pem_event rekey_pem_end(struct rekey_pem *p) {
    if (p->begun > 0) {
        begin_block(p);
    }
    return p->inside && !p->skipped ? REKEY_PEM_FAULTY : REKEY_PEM_MORE;
}

bool rekey_pem_is_certificate(const struct rekey_pem *p) {
    return strcmp(p->label, "CERTIFICATE") == 0 || strcmp(p->label, "X509 CERTIFICATE") == 0 ||
           strcmp(p->label, "TRUSTED CERTIFICATE") == 0;
}
