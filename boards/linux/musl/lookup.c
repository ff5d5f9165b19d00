// lookup.c - small versions of what musl's getaddrinfo calls for a handful of addresses: musl's own
// are a smoothsort and a decoder of UTF-8. The static commands have no other callers of these.

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// By insertion: there are 48 addresses at most.
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    for (size_t i = 1; i < count; i++) {
        unsigned char *at = (unsigned char *)base + i * size;

        for (size_t j = i; j > 0 && compare(at - size, at) > 0; j--, at -= size) {
            for (size_t k = 0; k < size; k++) {
                unsigned char byte = at[k];

                at[k] = (at - size)[k];
                (at - size)[k] = byte;
            }
        }
    }
}

// It is asked for the length of host names alone, into no buffer. Bytes count as characters, as in
// the locale "C"; that a name of rekey has only letters, digits, '-', '.' and '_' was checked
// before.
size_t mbstowcs(wchar_t *restrict wide, const char *restrict text, size_t count) {
    size_t i = 0;

    if (wide == NULL) {
        return strlen(text);
    }
    for (; i < count; i++) {
        wide[i] = (unsigned char)text[i];
        if (text[i] == '\0') {
            break;
        }
    }
    return i;
}
