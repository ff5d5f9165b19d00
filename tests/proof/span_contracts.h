// span_contracts.h - replaces src/span.c in proofs of its callers: each function checks what it
// requires of its caller, and returns any value that it may return. tests/proof/span.c proves that
// span.c returns no other values.

#ifndef REKEY_SPAN_CONTRACTS_H
#define REKEY_SPAN_CONTRACTS_H

#include "proof.h"

#define READABLE(span) ((span).len == 0 || __CPROVER_r_ok((span).ptr, (span).len))

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int32_t rekey_number(struct rekey_span text, int32_t max) {
    int32_t value = nondet_int();

    PROVE(READABLE(text));
    PROVE(max >= 0 && max <= 200000000);
    ASSUME(value >= -1 && value <= max);
    return value;
}

bool rekey_span_equal(struct rekey_span a, struct rekey_span b) {
    PROVE(READABLE(a) && READABLE(b));
    return a.len == b.len && nondet_bool();
}

bool rekey_span_equal_nocase(struct rekey_span a, struct rekey_span b) {
    PROVE(READABLE(a) && READABLE(b));
    return a.len == b.len && nondet_bool();
}

int rekey_hex_value(char c) {
    int value = nondet_int();

    ASSUME(value >= -1 && value <= 15 && (value >= 0) == is_hex(c));
    ASSUME(value < 0 || (c | 0x20) == (value < 10 ? '0' + value : 'a' + value - 10));
    return value;
}

void rekey_hex(unsigned char byte, char out[2]) {
    static const char digits[] = "0123456789ABCDEF";

    out[0] = digits[byte >> 4];
    out[1] = digits[byte & 15];
}

bool rekey_is_alnum(char c) {
    return c > ' ' && c <= '~' && nondet_bool();
}

bool rekey_is_one_of(char c, const char *set) {
    (void)set;
    return c != '\0' && nondet_bool();
}

// What is known about the text: it is well-formed, or only ASCII.
static bool utf8_is_valid, utf8_is_ascii;

// If it is well-formed, the first byte is followed by as many continuation bytes as the code point
// needs.
size_t rekey_utf8(struct rekey_span text, size_t at, uint32_t *code) {
    size_t len = nondet_size();
    uint32_t value = nondet_u32();

    PROVE(READABLE(text) && at < text.len);
    if (utf8_is_ascii) {
        len = 1;
        value = (unsigned char)text.ptr[at];
        ASSUME(value < 0x80);
    }
    ASSUME(len <= 4 && len <= text.len - at && (len > 0 || !utf8_is_valid));
    ASSUME((len == 1) == ((unsigned char)text.ptr[at] < 0x80));
    for (size_t i = 1; i < 4; i++) {
        ASSUME(i >= len || (text.ptr[at + i] & 0xC0) == 0x80);
    }
    ASSUME(len == 0 || len == (value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4));
    ASSUME(value <= 0x10FFFF && (value & 0xFFFFF800) != 0xD800);
    ASSUME(len != 1 || value == (unsigned char)text.ptr[at]);
    if (len > 0 && code != NULL) {
        *code = value;
    }
    return len;
}

#endif
