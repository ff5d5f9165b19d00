// retry.c - Retry-After in its three spellings, and exponential backoff with full jitter.

#include "retry.h"

#include "httpdate.h"
#include "rekey_error.h"

#define WAIT_MIN_MS 1000u
#define WAIT_MAX_MS 600000u
#define BACKOFF_FIRST_MS 800u
#define BACKOFF_MAX_MS 60000u

// A run of digits, held at WAIT_MAX_MS once it is beyond that.
static bool parse_digits(struct rekey_span text, uint32_t *value) {
    uint32_t v = 0;

    if (text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!rekey_is_digit(text.ptr[i])) {
            return false;
        }
        if (v < WAIT_MAX_MS) {
            v = v * 10 + (uint32_t)(text.ptr[i] - '0');
        }
    }
    *value = v < WAIT_MAX_MS ? v : WAIT_MAX_MS;
    return true;
}

// At least one second is given.
static uint32_t seconds_to_wait(int64_t seconds) {
    return seconds > WAIT_MAX_MS / 1000 ? WAIT_MAX_MS : (uint32_t)seconds * 1000;
}

bool rekey_retry_after(const struct rekey_retry_after *fields, int64_t wall_s, uint32_t *wait_ms) {
    uint32_t number;
    int64_t until, now;

    if (parse_digits(fields->x_ms_ms, wait_ms) || parse_digits(fields->ms, wait_ms)) {
        return true;
    }
    if (parse_digits(fields->after, &number)) {
        *wait_ms = number == 0 ? 0 : seconds_to_wait(number);
        return true;
    }
    if (!rekey_httpdate(fields->after, &until)) {
        return false;
    }
    if (!rekey_httpdate(fields->date, &now)) {
        now = wall_s;
    }
    if (now < 0) {
        return false;
    }
    *wait_ms = until <= now ? WAIT_MIN_MS : seconds_to_wait(until - now);
    return true;
}

bool rekey_retry_helps(int error) {
    return -error / 100 == 2 && error != REKEY_E_PROXY;
}

uint32_t rekey_backoff_ms(unsigned n, uint32_t random) {
    uint32_t bound = n < 7 ? BACKOFF_FIRST_MS << n : BACKOFF_MAX_MS; // 51.2 s, then 60 s

    return (uint32_t)(((uint64_t)random * (bound + 1)) >> 32);
}
