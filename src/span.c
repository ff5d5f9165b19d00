// span.c - the helpers of span.h that are too long to be inline.

#include "span.h"

bool rekey_span_equal(struct rekey_span a, struct rekey_span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool rekey_span_equal_nocase(struct rekey_span a, struct rekey_span b) {
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

bool rekey_is_alnum(char c) {
    char lower = (char)(c | 0x20); // the lower case, if `c` is a letter

    return rekey_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

int32_t rekey_number(struct rekey_span text, int32_t max) {
    int32_t value = text.len > 0 ? 0 : -1;

    for (size_t i = 0; i < text.len; i++) {
        if (!rekey_is_digit(text.ptr[i])) {
            return -1;
        }
        if (value < max) {
            value = value * 10 + (text.ptr[i] - '0');
        }
    }
    return value < max ? value : max;
}

int rekey_hex_value(char c) {
    if (rekey_is_digit(c)) {
        return c - '0';
    }
    c = (char)(c | 0x20); // the lower case of a letter
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void rekey_hex(unsigned char byte, char out[2]) {
    static const char digits[] = "0123456789ABCDEF";

    out[0] = digits[byte >> 4];
    out[1] = digits[byte & 15];
}

bool rekey_is_one_of(char c, const char *set) {
    return c != '\0' && strchr(set, c) != NULL;
}

void rekey_zeroize(void *ptr, size_t len) {
    // The compiler cannot know which function this is by then, and so has to call it.
    void *(*volatile set)(void *, int, size_t) = memset;

    set(ptr, 0, len);
}

size_t rekey_utf8(struct rekey_span text, size_t at, uint32_t *code) {
    unsigned char first = (unsigned char)text.ptr[at];
    size_t len = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t value = len == 1 ? first : first & (0x7Fu >> len);

    if (len == 0 || first > 0xF4 || text.len - at < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)text.ptr[at + i];

        if ((next & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (next & 0x3F);
    }
    // Refuse overlong forms: two bytes never begin with C0 or C1, three bytes are for 0x800 and
    // above, four bytes for 0x10000 and above.
    if ((len > 2 && value < 1u << (5 * len - 4)) || value > 0x10FFFF ||
        (value >= 0xD800 && value <= 0xDFFF)) {
        return 0;
    }
    if (code != NULL) {
        *code = value;
    }
    return len;
}
