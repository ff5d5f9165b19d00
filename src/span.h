// span.h - a pointer and a length: how every string below the API is passed.
// Spans do not own what they point at and need no terminating NUL. What also lives here is what
// several files need with them: comparison without regard to ASCII case, numbers, UTF-8, zeroize.

#ifndef REKEY_SPAN_H
#define REKEY_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rekey_span {
    const char *ptr;
    size_t len; // bytes
};

static inline struct rekey_span rekey_span(const char *ptr, size_t len) {
    struct rekey_span span;

    span.ptr = ptr;
    span.len = len;
    return span;
}

// A span over a string literal, without its NUL.
#define REKEY_SPAN(literal) rekey_span((literal), sizeof(literal) - 1)

bool rekey_span_equal(struct rekey_span a, struct rekey_span b);

static inline char rekey_lower(char c) {
    if (c >= 'A' && c <= 'Z') {
        c = (char)(c | 0x20);
    }
    return c;
}

// Equal but for the case of ASCII letters, as field names, host names and status words are
// compared.
bool rekey_span_equal_nocase(struct rekey_span a, struct rekey_span b);

static inline bool rekey_is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool rekey_is_alnum(char c);

// The number that `text` is in decimal, or `max` (at most 200,000,000) if it is larger; -1 if it is
// empty or has anything but digits.
int32_t rekey_number(struct rekey_span text, int32_t max);

// The value of a hexadecimal digit in either case; -1 if it is none.
int rekey_hex_value(char c);

// Writes `byte` as two hexadecimal digits, the letters in upper case.
void rekey_hex(unsigned char byte, char out[2]);

// Whether `c` is one of the characters of `set`; NUL never is.
bool rekey_is_one_of(char c, const char *set);

// The length of the well-formed UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF), or 0. Stores the code point in *code when `code` is not NULL.
size_t rekey_utf8(struct rekey_span text, size_t at, uint32_t *code);

// Overwrites `len` bytes with zeros in a way that the compiler keeps.
void rekey_zeroize(void *ptr, size_t len);

#ifdef __cplusplus
}
#endif

#endif
