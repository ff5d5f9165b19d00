// memory.c - memset and memcpy by words. The C library of this toolchain is built for size and
// works byte by byte, which would be a sixth of all instructions of a handshake.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Otherwise the compiler turns these loops into calls of memset and memcpy.
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef uint32_t __attribute__((may_alias)) word;

void *memset(void *to, int value, size_t len) {
    unsigned char *p = to;
    uint32_t pattern = (unsigned char)value * 0x01010101u;

    for (; len > 0 && (uintptr_t)p % sizeof(word) != 0; len--) {
        *p++ = (unsigned char)value;
    }
    for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
        *(word *)(void *)p = pattern;
    }
    for (; len > 0; len--) {
        *p++ = (unsigned char)value;
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len) {
    unsigned char *p = to;
    const unsigned char *q = from;

    if ((uintptr_t)p % sizeof(word) == (uintptr_t)q % sizeof(word)) {
        for (; len > 0 && (uintptr_t)p % sizeof(word) != 0; len--) {
            *p++ = *q++;
        }
        for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word), q += sizeof(word)) {
            *(word *)(void *)p = *(const word *)(const void *)q;
        }
    }
    for (; len > 0; len--) {
        *p++ = *q++;
    }
    return to;
}
