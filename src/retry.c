// retry.c - the wait of Retry-After in its three spellings, and exponential backoff with full
// jitter.

#include "retry.h"

#include "httpdate.h"
#include "rekey_error.h"

#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 600000
#define BACKOFF_FIRST_MS 800u
#define BACKOFF_MAX_MS 60000u

int32_t rekey_retry_after(const struct rekey_span fields[REKEY_RETRY_FIELDS], int64_t wall_s) {
    int64_t until, now;

    for (int i = REKEY_RETRY_X_MS_MS; i >= REKEY_RETRY_AFTER; i--) {
        int32_t unit = i == REKEY_RETRY_AFTER ? 1000 : 1;
        int32_t number = rekey_number(fields[i], WAIT_MAX_MS / unit);

        if (number >= 0) {
            return number * unit;
        }
    }
    if (!rekey_httpdate(fields[REKEY_RETRY_AFTER], &until)) {
        return -1;
    }
    if (!rekey_httpdate(fields[REKEY_RETRY_DATE], &now)) {
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

bool rekey_retry_helps(int error) {
    return -error / 100 == 2 && error != REKEY_E_PROXY;
}

uint32_t rekey_backoff_ms(unsigned n, uint32_t random) {
    uint32_t bound = n < 7 ? BACKOFF_FIRST_MS << n : BACKOFF_MAX_MS; // 51.2 s, then 60 s

    return (uint32_t)(((uint64_t)random * (bound + 1)) >> 32);
}
