// der.c - reads elements of DER, and compares names.

#include "der.h"

// Reads a tag and a length, and moves *from behind them. A length is one byte, or 0x80 plus the
// number of bytes that follow and contain it (X.690 8.1.3); four are enough for any certificate.
static bool read_head(struct rekey_span *from, unsigned char *tag, size_t *len) {
    const unsigned char *at = (const unsigned char *)from->ptr;
    size_t head = 2;

    if (from->len < head) {
        return false;
    }
    *tag = at[0];
    *len = at[1];
    if (*len >= 0x80) {
        head += *len - 0x80;
        if (head == 2 || head > 6 || from->len < head) {
            return false;
        }
        *len = 0;
        for (size_t i = 2; i < head; i++) {
            *len = *len << 8 | at[i];
        }
    }
    *from = rekey_span(from->ptr + head, from->len - head);
    return true;
}

bool rekey_der_read(struct rekey_span *from, struct rekey_der *out) {
    struct rekey_span rest = *from;
    size_t len;

    if (!read_head(&rest, &out->tag, &len) || len > rest.len) {
        return false;
    }
    out->value = rekey_span(rest.ptr, len);
    *from = rekey_span(rest.ptr + len, rest.len - len);
    return true;
}

bool rekey_der_read_tag(struct rekey_span *from, unsigned char tag, struct rekey_span *value) {
    struct rekey_span rest = *from;
    struct rekey_der element;

    if (!rekey_der_read(&rest, &element) || element.tag != tag) {
        return false;
    }
    *from = rest;
    *value = element.value;
    return true;
}

// RFC 5280 4.1: the subject follows version, serial number, signature, issuer and validity.
struct rekey_span rekey_der_subject(struct rekey_span certificate) {
    static const unsigned char before[] = {REKEY_DER_INTEGER, REKEY_DER_SEQUENCE,
                                           REKEY_DER_SEQUENCE, REKEY_DER_SEQUENCE};
    struct rekey_span rest = certificate, value, start;
    unsigned char tag;
    size_t len;

    for (int nested = 0; nested < 2; nested++) { // Certificate, TBSCertificate
        if (!read_head(&rest, &tag, &len) || tag != REKEY_DER_SEQUENCE) {
            return rekey_span(NULL, 0);
        }
        rest.len = len < rest.len ? len : rest.len;
    }
    rekey_der_read_tag(&rest, REKEY_DER_VERSION, &value); // optional
    for (size_t i = 0; i < sizeof(before); i++) {
        if (!rekey_der_read_tag(&rest, before[i], &value)) {
            return rekey_span(NULL, 0);
        }
    }
    start = rest;
    if (!rekey_der_read_tag(&rest, REKEY_DER_SEQUENCE, &value)) {
        return rekey_span(NULL, 0);
    }
    return rekey_span(start.ptr, start.len - rest.len);
}

static bool is_text(unsigned char tag) {
    return tag == REKEY_DER_UTF8 || tag == REKEY_DER_PRINTABLE;
}

// Compares an AttributeTypeAndValue of each name.
static bool same_attribute(struct rekey_span a, struct rekey_span b) {
    struct rekey_span oid_a, oid_b;
    struct rekey_der x, y;

    if (!rekey_der_read_tag(&a, REKEY_DER_OID, &oid_a) ||
        !rekey_der_read_tag(&b, REKEY_DER_OID, &oid_b) || !rekey_span_equal(oid_a, oid_b) ||
        !rekey_der_read(&a, &x) || !rekey_der_read(&b, &y) || a.len > 0 || b.len > 0) {
        return false;
    }
    return (x.tag == y.tag && rekey_span_equal(x.value, y.value)) ||
           (is_text(x.tag) && is_text(y.tag) && rekey_span_equal_nocase(x.value, y.value));
}

// Compares a RelativeDistinguishedName of each name.
static bool same_rdn(struct rekey_span a, struct rekey_span b) {
    struct rekey_span x, y;

    while (a.len > 0) {
        if (!rekey_der_read_tag(&a, REKEY_DER_SEQUENCE, &x) ||
            !rekey_der_read_tag(&b, REKEY_DER_SEQUENCE, &y) || !same_attribute(x, y)) {
            return false;
        }
    }
    return b.len == 0;
}

// Whether `name` begins with all components of `base`. *more is the number of bytes of `name` after
// them.
static bool begins_with(struct rekey_span base, struct rekey_span name, size_t *more) {
    struct rekey_span x, y;

    if (!rekey_der_read_tag(&base, REKEY_DER_SEQUENCE, &base) ||
        !rekey_der_read_tag(&name, REKEY_DER_SEQUENCE, &name)) {
        return false;
    }
    while (base.len > 0) {
        if (!rekey_der_read_tag(&base, REKEY_DER_SET, &x) ||
            !rekey_der_read_tag(&name, REKEY_DER_SET, &y) || !same_rdn(x, y)) {
            return false;
        }
    }
    *more = name.len;
    return true;
}

bool rekey_der_same_name(struct rekey_span a, struct rekey_span b) {
    size_t more;

    return begins_with(a, b, &more) && more == 0;
}

bool rekey_der_name_within(struct rekey_span base, struct rekey_span name) {
    size_t more;

    return begins_with(base, name, &more);
}
