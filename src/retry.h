// retry.h - how long to wait before something is repeated, or polled again.
// What may be repeated at all is in operation.c; the clock that measures the wait is the port's.

#ifndef REKEY_RETRY_H
#define REKEY_RETRY_H

#include "span.h"

// The fields of one answer that name a wait. A field that did not come is empty.
struct rekey_retry_after {
    struct rekey_span x_ms_ms; // x-ms-retry-after-ms: milliseconds
    struct rekey_span ms;      // retry-after-ms: milliseconds
    struct rekey_span after;   // Retry-After: seconds, or a date
    struct rekey_span date;    // Date: what a Retry-After date is measured against
};

// The wait that the answer names, in milliseconds: seconds and dates are clamped to 1..600 s, with
// 0 seconds meaning at once; milliseconds to 0..600 s. The first readable one of the order above
// wins. A number that is negative, has a fraction, or is no number at all counts as no wait named;
// a huge one is the upper bound. `wall_s` (negative: never set) serves a date where the answer has
// no Date. Returns false, with *wait_ms untouched, when the answer names no wait.
bool rekey_retry_after(const struct rekey_retry_after *fields, int64_t wall_s, uint32_t *wait_ms);

// Whether another try may help after `error`: what the network did can pass, but a proxy that
// refuses does so again.
bool rekey_retry_helps(int error);

// The backoff before try number `n` + 1 (n from 0): full jitter over min(60 s, 0.8 s * 2^n), that
// is a uniform value from 0 to that bound. `random` is 32 random bits.
uint32_t rekey_backoff_ms(unsigned n, uint32_t random);

#endif
