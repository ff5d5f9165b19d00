// span_contracts.h - stands in for src/span.c in proofs of what calls it: each function checks what
// it demands of its caller, and returns any value that it may return. tests/proof/span.c proves
// that span.c returns no others.

#ifndef REKEY_SPAN_CONTRACTS_H
#define REKEY_SPAN_CONTRACTS_H

#include "proof.h"

#define READABLE(span) ((span).len == 0 || __CPROVER_r_ok((span).ptr, (span).len))

int32_t rekey_number(struct rekey_span text, int32_t max) {
    int32_t value = nondet_int();

    PROVE(READABLE(text));
    PROVE(max >= 0 && max <= 200000000);
    ASSUME(value >= -1 && value <= max);
    return value;
}

bool rekey_span_equal(struct rekey_span a, struct rekey_span b) {
    PROVE(READABLE(a) && READABLE(b));
    return a.len == b.len && nondet_bool();
}

bool rekey_span_equal_nocase(struct rekey_span a, struct rekey_span b) {
    PROVE(READABLE(a) && READABLE(b));
    return a.len == b.len && nondet_bool();
}

int rekey_hex_value(char c) {
    int value = nondet_int();

    (void)c;
    ASSUME(value >= -1 && value <= 15);
    return value;
}

bool rekey_is_alnum(char c) {
    return c > ' ' && c <= '~' && nondet_bool();
}

bool rekey_is_one_of(char c, const char *set) {
    (void)set;
    return c != '\0' && nondet_bool();
}

#endif
