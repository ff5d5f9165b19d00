// span.h - a pointer and a length: how every string below the API is passed.
// Spans do not own what they point at and need no terminating NUL. What also lives here are the two
// things that every file needs with them: comparison without regard to ASCII case, and zeroize.

#ifndef REKEY_SPAN_H
#define REKEY_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rekey_span {
    const char *ptr;
    size_t len; // bytes
};

// A span over a string literal, without its NUL.
#define REKEY_SPAN(literal) ((struct rekey_span){(literal), sizeof(literal) - 1})

static inline struct rekey_span rekey_span(const char *ptr, size_t len) {
    return (struct rekey_span){ptr, len};
}

static inline bool rekey_span_equal(struct rekey_span a, struct rekey_span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline char rekey_lower(char c) {
    if (c >= 'A' && c <= 'Z') {
        c = (char)(c | 0x20);
    }
    return c;
}

// Equal but for the case of ASCII letters, as field names, host names and status words are
// compared.
static inline bool rekey_span_equal_nocase(struct rekey_span a, struct rekey_span b) {
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (rekey_lower(a.ptr[i]) != rekey_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

static inline bool rekey_is_digit(char c) {
    return c >= '0' && c <= '9';
}

static inline bool rekey_is_alnum(char c) {
    return rekey_is_digit(c) || (rekey_lower(c) >= 'a' && rekey_lower(c) <= 'z');
}

// The value of a hexadecimal digit in either case; -1 if it is none.
static inline int rekey_hex_value(char c) {
    if (rekey_is_digit(c)) {
        return c - '0';
    }
    c = rekey_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The length of the well-formed UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF), or 0. Stores the code point in *code when `code` is not NULL.
size_t rekey_utf8(struct rekey_span text, size_t at, uint32_t *code);

// Overwrites `len` bytes with zeros in a way that the compiler keeps.
void rekey_zeroize(void *ptr, size_t len);

#endif
