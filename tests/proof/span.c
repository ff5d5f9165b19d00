// span.c - proofs about src/span.c, against definitions that are written differently.

#include "proof.h"

void equal(void) {
    struct rekey_span a = any_text(TEXT_MAX), b = any_text(TEXT_MAX);
    bool same = a.len == b.len, nocase = a.len == b.len;

    for (size_t i = 0; i < TEXT_MAX; i++) {
        if (i < a.len && i < b.len) {
            char x = a.ptr[i], y = b.ptr[i];

            same = same && x == y;
            nocase = nocase && (x == y || (x >= 'A' && x <= 'Z' && y == x + 32) ||
                                (y >= 'A' && y <= 'Z' && x == y + 32));
        }
    }
    PROVE(rekey_span_equal(a, b) == same);
    PROVE(rekey_span_equal_nocase(a, b) == nocase);
    REACHED(nocase && !same);
}

static bool all_digits(struct rekey_span text) {
    bool digits = text.len > 0;

    for (size_t i = 0; i < TEXT_MAX; i++) {
        if (i < text.len) {
            digits = digits && text.ptr[i] >= '0' && text.ptr[i] <= '9';
        }
    }
    return digits;
}

// No overflow, and a result within the bound, even for numbers that are far too large.
void number_range(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    int32_t max = nondet_int(), value;

    ASSUME(max >= 0 && max <= 200000000);
    value = rekey_number(text, max);
    PROVE(value <= max);
    PROVE((value == -1) == !all_digits(text) && value >= -1);
    REACHED(value == 200000000);
}

// The value itself.
void number(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    int32_t max = nondet_int(), expected = 0;

    ASSUME(max >= 0 && max <= 200000000 && all_digits(text));
    for (size_t i = 0; i < TEXT_MAX; i++) {
        if (i < text.len) {
            expected = expected * 10 + (text.ptr[i] - '0');
        }
    }
    PROVE(rekey_number(text, max) == (expected < max ? expected : max));
    REACHED(expected == 65536 && max > expected);
}

static bool between(unsigned char byte, unsigned first, unsigned last) {
    return byte >= first && byte <= last;
}

// The grammar of RFC 3629, section 4.
void utf8(void) {
    struct rekey_span text = any_text(4);
    uint32_t code = 0xFFFFFFFF, expected_code = 0;
    unsigned char b[4] = {0};
    size_t len, expected = 0;

    ASSUME(text.len > 0);
    memcpy(b, text.ptr, text.len); // a missing byte is 0, which continues no sequence
    if (b[0] < 0x80) {
        expected = 1;
        expected_code = b[0];
    } else if (between(b[0], 0xC2, 0xDF) && between(b[1], 0x80, 0xBF)) {
        expected = 2;
        expected_code = (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu);
    } else if (between(b[0], 0xE0, 0xEF) &&
               between(b[1], b[0] == 0xE0 ? 0xA0 : 0x80, b[0] == 0xED ? 0x9F : 0xBF) &&
               between(b[2], 0x80, 0xBF)) {
        expected = 3;
        expected_code = (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
    } else if (between(b[0], 0xF0, 0xF4) &&
               between(b[1], b[0] == 0xF0 ? 0x90 : 0x80, b[0] == 0xF4 ? 0x8F : 0xBF) &&
               between(b[2], 0x80, 0xBF) && between(b[3], 0x80, 0xBF)) {
        expected = 4;
        expected_code =
            (b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu);
    }
    len = rekey_utf8(text, 0, &code);
    PROVE(len == expected);
    PROVE(code == (len > 0 ? expected_code : 0xFFFFFFFF));
    REACHED(len == 4);
}

void hex(void) {
    unsigned char byte = nondet_uchar();
    char out[2], c = nondet_char();
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    int value = rekey_hex_value(c);

    rekey_hex(byte, out);
    PROVE(rekey_hex_value(out[0]) * 16 + rekey_hex_value(out[1]) == byte);
    PROVE(value >= -1 && value < 16);
    PROVE((value >= 0) == ((c >= '0' && c <= '9') || (letter && (c | 0x20) <= 'f')));
    PROVE(value < 0 || (c | 0x20) == "0123456789abcdef"[value]);
    PROVE(rekey_is_alnum(c) == (letter || (c >= '0' && c <= '9')));
}

void zeroize(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    size_t at = nondet_size();

    rekey_zeroize((char *)text.ptr, text.len);
    ASSUME(at < text.len);
    PROVE(text.ptr[at] == 0);
    REACHED(at == TEXT_MAX - 1);
}
