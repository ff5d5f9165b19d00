// proof.h - shared by the harnesses: arbitrary values, assumptions, and properties. A harness is a
// function without arguments. CBMC treats each value from nondet_* as any value of its type, and
// examines all executions at once: a property holds for every value that the assumptions allow. It
// also checks each memory access, pointer, signed operation, shift and division of the code under
// proof, and that no loop runs longer than the bound in proof.py.

#ifndef REKEY_PROOF_H
#define REKEY_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"

bool nondet_bool(void);
char nondet_char(void);
unsigned char nondet_uchar(void);
int nondet_int(void);
unsigned nondet_unsigned(void);
uint8_t nondet_u8(void);
uint16_t nondet_u16(void);
uint32_t nondet_u32(void);
int64_t nondet_i64(void);
uint64_t nondet_u64(void);
size_t nondet_size(void);

// Restricts what follows to the values for which `x` is true.
#define ASSUME(x) __CPROVER_assume(x)

// `x` must be true in every execution.
#define PROVE(x) __CPROVER_assert(x, #x)

// Some execution must get here with `x` true; proof.py expects this assertion to fail. It shows
// that the assumptions before it do not exclude the case that the proof is about.
#ifndef MUTANT
#define REACHED(x) __CPROVER_assert(!(x), "reached: " #x)
#else
#define REACHED(x) // with --mutants, only a failed property counts
#endif

// Any text of at most `max` bytes, in a block of memory that ends where the text ends.
static inline struct rekey_span any_text(size_t max) {
    size_t len = nondet_size();
    char *text;

    ASSUME(len <= max);
    text = malloc(len);
    ASSUME(text != NULL);
    return rekey_span(text, len);
}

// Whether `part` lies within `whole`.
static inline bool lies_in(struct rekey_span part, struct rekey_span whole) {
    return __CPROVER_same_object(part.ptr, whole.ptr) && part.ptr >= whole.ptr &&
           part.len <= whole.len && (size_t)(part.ptr - whole.ptr) <= whole.len - part.len;
}

#endif
