// pem.c - the reader of PEM: a line is a marker (BEGIN or END), base64, or text. A marker counts at
// the start of a line or directly behind another marker only, so that a line that was commented out
// stays out.

#include "pem.h"

#define DASHES "-----"
#define BEGIN "-----BEGIN "
#define END "-----END "

void rekey_pem_init(struct rekey_pem *p, unsigned char *der, size_t cap) {
    memset(p, 0, sizeof(*p));
    p->der = der;
    p->cap = cap;
    p->fresh = true;
}

// The value of a base64 digit (RFC 4648 4), or -1.
static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (rekey_is_digit(c)) {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void decode(struct rekey_pem *p, char c) {
    int digit = digit_of(c);

    if (c == '=' && p->quantum >= 2) {
        p->padding++;
        digit = 0;
    } else if (digit < 0 || p->padding > 0) { // nothing comes after padding
        p->headers |= c == ':';
        p->bad = true;
        return;
    }
    p->bits = p->bits << 6 | (uint32_t)digit;
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

// Whether the bytes that were collected are the beginning of a marker.
static bool may_be_marker(const struct rekey_pem *p) {
    const size_t begin = sizeof(BEGIN) - 1, end = sizeof(END) - 1, n = p->marked;

    return memcmp(p->mark, BEGIN, n < begin ? n : begin) == 0 ||
           memcmp(p->mark, END, n < end ? n : end) == 0;
}

// Begins the block whose label is in mark.
static void begin_block(struct rekey_pem *p) {
    p->bad = p->begun >= sizeof(p->label);
    p->headers = false;
    p->len = p->quantum = p->padding = 0;
    memset(p->label, 0, sizeof(p->label));
    memcpy(p->label, p->mark + sizeof(BEGIN) - 1, p->bad ? 0 : p->begun);
    p->inside = true;
    p->begun = 0;
}

// A whole marker is there. `before` is how many of its bytes come before the label.
static enum rekey_pem_event take_marker(struct rekey_pem *p, size_t before) {
    const struct rekey_span label =
        rekey_span(p->mark + before, p->marked - before - (sizeof(DASHES) - 1));
    const bool begins = before == sizeof(BEGIN) - 1;
    enum rekey_pem_event event = p->inside ? REKEY_PEM_FAULTY : REKEY_PEM_MORE;

    p->marked = 0;
    if (begins && !p->fresh) { // behind base64
        p->bad = true;
        return REKEY_PEM_MORE;
    }
    if (begins) { // with the next byte: until then the label is that of the block before
        p->begun = (unsigned char)label.len;
    } else if (p->inside && !p->bad && p->len > 0 && p->len <= p->cap && p->quantum == 0 &&
               rekey_span_equal(label, rekey_span(p->label, strlen(p->label)))) {
        event = REKEY_PEM_BLOCK;
    }
    p->inside = false;
    p->fresh = true;
    return event;
}

// Takes a byte of what may be a marker.
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
    least = before + sizeof(DASHES); // a label has a byte at least
    if (p->marked >= least &&
        memcmp(p->mark + p->marked - (sizeof(DASHES) - 1), DASHES, sizeof(DASHES) - 1) == 0) {
        return take_marker(p, before);
    }
    return REKEY_PEM_MORE;
}

enum rekey_pem_event rekey_pem_push(struct rekey_pem *p, char c) {
    if (p->begun > 0) {
        begin_block(p);
    }
    if (c == '\n' || c == '\r') {
        p->bad |= p->marked > 0; // dashes that did not become a marker
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
    if (p->fresh && rekey_is_one_of(c, "\xef\xbb\xbf")) { // a byte order mark, in UTF-8
        p->bad = true;                                    // of a block, if one was cut off here
    } else if (p->inside) {
        p->fresh = false;
        decode(p, c);
    } else {
        p->text = true;
    }
    return REKEY_PEM_MORE;
}

enum rekey_pem_event rekey_pem_end(struct rekey_pem *p) {
    if (p->begun > 0) {
        begin_block(p);
    }
    return p->inside ? REKEY_PEM_FAULTY : REKEY_PEM_MORE;
}

bool rekey_pem_is_certificate(const struct rekey_pem *p) {
    return strcmp(p->label, "CERTIFICATE") == 0 || strcmp(p->label, "X509 CERTIFICATE") == 0 ||
           strcmp(p->label, "TRUSTED CERTIFICATE") == 0;
}
