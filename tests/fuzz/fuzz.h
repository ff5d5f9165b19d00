// fuzz.h - shared by the fuzz entries. An entry accepts any bytes, and aborts if a property that
// must hold for every input does not hold. libFuzzer calls it with generated inputs (`make fuzz`);
// replay.c calls it with the files of seeds/ (`make test`).

#ifndef REKEY_FUZZ_H
#define REKEY_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

// Whether `part` lies inside `whole`.
static inline bool fuzz_inside(struct rekey_span part, struct rekey_span whole) {
    return part.len == 0 || (part.ptr >= whole.ptr && part.len <= whole.len &&
                             (size_t)(part.ptr - whole.ptr) <= whole.len - part.len);
}

#endif
