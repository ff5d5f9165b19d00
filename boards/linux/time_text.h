// time_text.h - writes times for people.

#ifndef REKEY_COMMAND_TIME_TEXT_H
#define REKEY_COMMAND_TIME_TEXT_H

#include <stdint.h>

#define TIME_TEXT_MAX 64

// Writes the time `at`, in seconds since 1970, as ISO 8601 in UTC, and how far it is from `now`:
// "2026-11-30T12:00:00Z (in 29 days)". Returns `buf`; "-" if `at` is not positive, or after the
// year 9999.
const char *time_text(int64_t at, int64_t now, char buf[TIME_TEXT_MAX]);

#endif
