// span.h - a pointer and a length: the form of every string below the API. A span does not own its
// bytes and needs no terminating NUL. This file also has the helpers that several files use with
// spans: comparison without regard to ASCII case, numbers, UTF-8, zeroize.

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

// Whether both are equal if the case of ASCII letters is ignored. Field names, host names and
// status words are compared this way.
bool rekey_span_equal_nocase(struct rekey_span a, struct rekey_span b);

static inline bool rekey_is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool rekey_is_alnum(char c);

// Reads `text` as a decimal number. Returns the number, or `max` (at most 200,000,000) if it is
// larger; -1 if `text` is empty or has a byte that is not a digit.
int32_t rekey_number(struct rekey_span text, int32_t max);

// The value of a hexadecimal digit in either case; -1 if `c` is not one.
int rekey_hex_value(char c);

// Writes `byte` as two hexadecimal digits, the letters in upper case.
void rekey_hex(unsigned char byte, char out[2]);

// Whether `c` is one of the characters of `set`; NUL never is.
bool rekey_is_one_of(char c, const char *set);

// The length of the well-formed UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF), 1 to 4 bytes, or 0 if there is none. Stores the code point in *code if
// `code` is not NULL.
size_t rekey_utf8(struct rekey_span text, size_t at, uint32_t *code);

// Overwrites `len` bytes with zeros. The compiler does not optimize this away.
void rekey_zeroize(void *ptr, size_t len);

#ifdef __cplusplus
}
#endif

#endif
