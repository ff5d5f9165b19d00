// retry.c - Retry-After in its three spellings, and exponential backoff with full jitter.

#include "retry.h"

#include "httpdate.h"

#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 600000
#define BACKOFF_FIRST_MS 800u
#define BACKOFF_MAX_MS 60000u

int32_t rekey_retry_after(const struct rekey_retry_after *fields, int64_t wall_s) {
    int32_t number = rekey_number(fields->x_ms_ms, WAIT_MAX_MS);
    int64_t until, now;

    if (number < 0) {
        number = rekey_number(fields->ms, WAIT_MAX_MS);
    }
    if (number < 0) {
        number = rekey_number(fields->after, WAIT_MAX_MS / 1000) * 1000;
    }
    if (number >= 0) {
        return number;
    }
    if (!rekey_httpdate(fields->after, &until)) {
        return -1;
    }
    if (!rekey_httpdate(fields->date, &now)) {
        now = wall_s;
    }
    if (now < 0) {
        return -1;
    }
    if (until <= now) {
        return WAIT_MIN_MS;
    }
    return until - now < WAIT_MAX_MS / 1000 ? (int32_t)(until - now) * 1000 : WAIT_MAX_MS;
}

uint32_t rekey_backoff_ms(unsigned n, uint32_t random) {
    uint32_t bound = n < 7 ? BACKOFF_FIRST_MS << n : BACKOFF_MAX_MS; // 51.2 s, then 60 s

    return (uint32_t)(((uint64_t)random * (bound + 1)) >> 32);
}
