// retry.c - proofs about src/retry.c, for answers of any length. The functions that read numbers
// and dates are replaced by the results that tests/proof/span.c and tests/proof/httpdate.c prove.

#include "../../src/retry.c"

#include "span_contracts.h"

bool rekey_httpdate(struct rekey_span text, int64_t *seconds) {
    bool ok = nondet_bool();

    (void)text;
    if (ok) {
        *seconds = nondet_i64();
        ASSUME(*seconds >= -62135596800 && *seconds <= 253402300800);
    }
    return ok;
}

void retry_after(void) {
    struct rekey_span fields[REKEY_RETRY_FIELDS] = {{NULL, 0}};
    int32_t ms = rekey_retry_after(fields, nondet_i64());

    PROVE(ms >= -1 && ms <= 600000);
    REACHED(ms == -1);
    REACHED(ms == 600000);
}

void backoff(void) {
    unsigned n = nondet_unsigned();
    uint32_t ms = rekey_backoff_ms(n, nondet_u32());

    PROVE(ms <= 60000);
    PROVE(n > 6 || ms <= 800u << n);
    REACHED(ms == 60000);
}

// Among the errors, only those of the network may be temporary.
void helps(void) {
    int error = nondet_int();

    ASSUME(error <= 0 && error > -1000);
    PROVE(rekey_retry_helps(error) == (error <= -200 && error > -300 && error != REKEY_E_PROXY));
}
