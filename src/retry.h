// retry.h - how long to wait before a request is repeated, or before the next poll. operation.c
// decides which requests may be repeated. Nothing here waits; the caller waits, by the port's
// clock.

#ifndef REKEY_RETRY_H
#define REKEY_RETRY_H

#include "span.h"

// The fields of one answer that can require a wait, in the order of enum rekey_field_index. A
// missing field is empty.
enum {
    REKEY_RETRY_AFTER,   // Retry-After: seconds, or a date
    REKEY_RETRY_MS,      // retry-after-ms: milliseconds
    REKEY_RETRY_X_MS_MS, // x-ms-retry-after-ms: milliseconds
    REKEY_RETRY_DATE,    // Date: the time from which a date in Retry-After counts
    REKEY_RETRY_FIELDS
};

// Returns the wait that the answer requires, in milliseconds, or -1 if the answer requires none.
// Seconds and dates are clamped to 1..600 s, except that 0 seconds means at once; milliseconds are
// clamped to 0..600 s. The first of x-ms-retry-after-ms, retry-after-ms and Retry-After that can be
// read decides. A negative number, a fraction or a text that is not a number cannot be read; a huge
// number is the upper bound. `wall_s` (seconds since 1970; negative: never set) replaces the Date
// of an answer that has none.
int32_t rekey_retry_after(const struct rekey_span fields[REKEY_RETRY_FIELDS], int64_t wall_s);

// Whether another try may help after `error`. A failure of the network may be temporary; a proxy
// that has refused will refuse again.
bool rekey_retry_helps(int error);

// The backoff in milliseconds after failure number `n` (from 0): a uniform value from 0 to min(60
// s, 0.8 s * 2^n), called full jitter. `random` is 32 random bits.
uint32_t rekey_backoff_ms(unsigned n, uint32_t random);

#endif
