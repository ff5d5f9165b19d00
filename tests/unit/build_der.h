// build_der.h - builds DER for tests: elements from the inside out, and names and lists of names
// from short texts.

#ifndef REKEY_TEST_BUILD_DER_H
#define REKEY_TEST_BUILD_DER_H

#include <assert.h>
#include <string.h>

#include "der.h"
#include "support.h"

// The elements of one row are stored here, one behind the other.
static char built[8192];
static size_t built_len;

// An element with the bytes of two spans, of which the second may be empty.
static inline struct rekey_span element(unsigned tag, struct rekey_span a, struct rekey_span b) {
    const size_t len = a.len + b.len, start = built_len;
    char *at = built + start;

    assert_true(start + len + 4 <= sizeof(built));
    *at++ = (char)tag;
    if (len >= 128) {
        *at++ = (char)0x82;
        *at++ = (char)(len >> 8);
    }
    *at++ = (char)len;
    memmove(at, a.len > 0 ? a.ptr : "", a.len);
    memmove(at + a.len, b.len > 0 ? b.ptr : "", b.len);
    built_len = (size_t)(at - built) + len;
    return rekey_span(built + start, built_len - start);
}

static inline struct rekey_span none(void) {
    return rekey_span(NULL, 0);
}

static inline struct rekey_span text(const char *value) {
    return rekey_span(value, strlen(value));
}

// The part of *from up to one of the characters in `ends`; *from is moved behind that character.
static inline struct rekey_span part(const char **from, const char *ends) {
    struct rekey_span result = rekey_span(*from, strcspn(*from, ends));

    *from += result.len;
    return result;
}

// A Name: components with '/' before them, attributes of one component with '+' between them. Of an
// attribute the first character is its type (C, O, N for the common name, E for emailAddress, U for
// unstructuredName), the second the kind of string (p: PrintableString, u: UTF8String,
// i: IA5String, t: TeletexString).
static inline struct rekey_span name(const char *spec) {
    struct rekey_span components = none();

    while (*spec != '\0') {
        struct rekey_span attributes = none();

        spec++; // the '/'
        do {
            const char type = *spec == '+' ? *++spec : *spec;
            const char kind = spec[1];
            const unsigned tag = kind == 'p'   ? 0x13
                                 : kind == 'u' ? 0x0c
                                 : kind == 'i' ? 0x16
                                               : 0x14;
            struct rekey_span oid = type == 'C'   ? rekey_span("\x55\x04\x06", 3)
                                    : type == 'O' ? rekey_span("\x55\x04\x0a", 3)
                                    : type == 'N' ? rekey_span("\x55\x04\x03", 3)
                                    : type == 'E'
                                        ? rekey_span("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9)
                                        : rekey_span("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02", 9);
            struct rekey_span value;

            spec += 2;
            value = element(tag, part(&spec, "/+"), none());
            attributes = element(0, attributes, element(0x30, element(6, oid, none()), value));
            attributes = rekey_span(attributes.ptr + (attributes.len >= 132 ? 4 : 2),
                                    attributes.len - (attributes.len >= 132 ? 4 : 2));
        } while (*spec == '+');
        components = element(0, components, element(0x31, attributes, none()));
        components = rekey_span(components.ptr + (components.len >= 132 ? 4 : 2),
                                components.len - (components.len >= 132 ? 4 : 2));
    }
    return element(0x30, components, none());
}

#endif
