// retry.h - how long to wait before something is repeated, or polled again.
// What may be repeated at all is in operation.c; the clock that measures the wait is the port's.

#ifndef REKEY_RETRY_H
#define REKEY_RETRY_H

#include "span.h"

// The fields of one answer that name a wait, in the order of enum rekey_field_index. A field that
// did not come is empty.
enum {
    REKEY_RETRY_AFTER,   // Retry-After: seconds, or a date
    REKEY_RETRY_MS,      // retry-after-ms: milliseconds
    REKEY_RETRY_X_MS_MS, // x-ms-retry-after-ms: milliseconds
    REKEY_RETRY_DATE,    // Date: what a Retry-After date is measured against
    REKEY_RETRY_FIELDS
};

// The wait that the answer names, in milliseconds: seconds and dates are clamped to 1..600 s, with
// 0 seconds meaning at once; milliseconds to 0..600 s. x-ms-retry-after-ms wins over
// retry-after-ms, and that over Retry-After, if it can be read. A number that is negative, has a
// fraction, or is no number at all counts as no wait named; a huge one is the upper bound. `wall_s`
// (negative: never set) serves a date where the answer has no Date. Returns -1 when the answer
// names no wait.
int32_t rekey_retry_after(const struct rekey_span fields[REKEY_RETRY_FIELDS], int64_t wall_s);

// Whether another try may help after `error`: what the network did can pass, but a proxy that
// refuses does so again.
bool rekey_retry_helps(int error);

// The backoff before try number `n` + 1 (n from 0): full jitter over min(60 s, 0.8 s * 2^n), that
// is a uniform value from 0 to that bound. `random` is 32 random bits.
uint32_t rekey_backoff_ms(unsigned n, uint32_t random);

#endif
