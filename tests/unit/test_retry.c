// test_retry.c - retry.h: the wait that an answer names, to the millisecond, in each of its
// spellings; and the bounds of the backoff (docs/service.md 4.2 and 4.11).

#include "rekey_error.h"
#include "retry.h"
#include "support.h"

#define NONE                                                                                       \
    { NULL, 0 }
#define NOW "Sun, 06 Nov 1994 08:49:37 GMT"
#define NOW_S 784111777
#define UNSET (-1)

static const struct {
    const char *name;
    struct {
        struct rekey_span x_ms_ms, ms, after, date;
    } fields;
    int64_t wall_s;
    bool named;
    uint32_t wait_ms;
} rows[] = {
    {"nothing", {NONE, NONE, NONE, NONE}, NOW_S, false, 0},
    {"Date alone", {NONE, NONE, NONE, BYTES(NOW)}, NOW_S, false, 0},

    // Retry-After in seconds: 1..600, and 0 means at once
    {"0 s", {NONE, NONE, BYTES("0"), NONE}, UNSET, true, 0},
    {"00 s", {NONE, NONE, BYTES("00"), NONE}, UNSET, true, 0},
    {"1 s", {NONE, NONE, BYTES("1"), NONE}, UNSET, true, 1000},
    {"2 s", {NONE, NONE, BYTES("2"), NONE}, UNSET, true, 2000},
    {"007 s", {NONE, NONE, BYTES("007"), NONE}, UNSET, true, 7000},
    {"30 s", {NONE, NONE, BYTES("30"), BYTES(NOW)}, UNSET, true, 30000},
    {"599 s", {NONE, NONE, BYTES("599"), NONE}, UNSET, true, 599000},
    {"600 s", {NONE, NONE, BYTES("600"), NONE}, UNSET, true, 600000},
    {"601 s", {NONE, NONE, BYTES("601"), NONE}, UNSET, true, 600000},
    {"a day", {NONE, NONE, BYTES("86400"), NONE}, UNSET, true, 600000},
    {"600000 s", {NONE, NONE, BYTES("600000"), NONE}, UNSET, true, 600000},
    {"4294967 s: 32 bits of milliseconds",
     {NONE, NONE, BYTES("4294967"), NONE},
     UNSET,
     true,
     600000},
    {"4294968 s: more", {NONE, NONE, BYTES("4294968"), NONE}, UNSET, true, 600000},
    {"2^32 s", {NONE, NONE, BYTES("4294967296"), NONE}, UNSET, true, 600000},
    {"2^32 + 1 s", {NONE, NONE, BYTES("4294967297"), NONE}, UNSET, true, 600000},
    {"2^64 s", {NONE, NONE, BYTES("18446744073709551616"), NONE}, UNSET, true, 600000},
    {"30 digits", {NONE, NONE, BYTES("999999999999999999999999999999"), NONE}, UNSET, true, 600000},
    {"30 digits, small",
     {NONE, NONE, BYTES("000000000000000000000000000005"), NONE},
     UNSET,
     true,
     5000},

    // a malformed Retry-After is ignored
    {"empty", {NONE, NONE, BYTES(""), NONE}, NOW_S, false, 0},
    {"-1", {NONE, NONE, BYTES("-1"), NONE}, NOW_S, false, 0},
    {"+1", {NONE, NONE, BYTES("+1"), NONE}, NOW_S, false, 0},
    {"1.5", {NONE, NONE, BYTES("1.5"), NONE}, NOW_S, false, 0},
    {"1.", {NONE, NONE, BYTES("1."), NONE}, NOW_S, false, 0},
    {"1e3", {NONE, NONE, BYTES("1e3"), NONE}, NOW_S, false, 0},
    {"0x10", {NONE, NONE, BYTES("0x10"), NONE}, NOW_S, false, 0},
    {"5 s", {NONE, NONE, BYTES("5 s"), NONE}, NOW_S, false, 0},
    {"5s", {NONE, NONE, BYTES("5s"), NONE}, NOW_S, false, 0},
    {"5, 6", {NONE, NONE, BYTES("5, 6"), NONE}, NOW_S, false, 0},
    {"space", {NONE, NONE, BYTES(" "), NONE}, NOW_S, false, 0},
    {"NUL behind", {NONE, NONE, BYTES("5\0"), NONE}, NOW_S, false, 0},
    {"before the digits", {NONE, NONE, BYTES("/"), NONE}, NOW_S, false, 0},
    {"behind the digits", {NONE, NONE, BYTES(":"), NONE}, NOW_S, false, 0},
    {"word", {NONE, NONE, BYTES("soon"), NONE}, NOW_S, false, 0},
    {"PT30M", {NONE, NONE, BYTES("PT30M"), NONE}, NOW_S, false, 0},
    {"RFC 850 date",
     {NONE, NONE, BYTES("Sunday, 06-Nov-94 08:49:39 GMT"), BYTES(NOW)},
     NOW_S,
     false,
     0},
    {"asctime date", {NONE, NONE, BYTES("Sun Nov  6 08:49:39 1994"), BYTES(NOW)}, NOW_S, false, 0},
    {"no such date",
     {NONE, NONE, BYTES("Sun, 31 Nov 1994 08:49:37 GMT"), BYTES(NOW)},
     NOW_S,
     false,
     0},

    // Retry-After as a date, measured against the answer's own Date
    {"2 s later",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:39 GMT"), BYTES(NOW)},
     UNSET,
     true,
     2000},
    {"1 s later",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:38 GMT"), BYTES(NOW)},
     UNSET,
     true,
     1000},
    {"the same second", {NONE, NONE, BYTES(NOW), BYTES(NOW)}, UNSET, true, 1000},
    {"1 s earlier",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:36 GMT"), BYTES(NOW)},
     UNSET,
     true,
     1000},
    {"long past",
     {NONE, NONE, BYTES("Mon, 01 Jan 0001 00:00:00 GMT"), BYTES(NOW)},
     UNSET,
     true,
     1000},
    {"599 s later",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:59:36 GMT"), BYTES(NOW)},
     UNSET,
     true,
     599000},
    {"600 s later",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:59:37 GMT"), BYTES(NOW)},
     UNSET,
     true,
     600000},
    {"601 s later",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:59:38 GMT"), BYTES(NOW)},
     UNSET,
     true,
     600000},
    {"8000 years later",
     {NONE, NONE, BYTES("Fri, 31 Dec 9999 23:59:59 GMT"), BYTES(NOW)},
     UNSET,
     true,
     600000},
    {"the Date counts, not the clock",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:47 GMT"), BYTES(NOW)},
     NOW_S + 5,
     true,
     10000},
    {"the Date counts, not a clock beyond it",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:47 GMT"), BYTES(NOW)},
     NOW_S + 100000,
     true,
     10000},

    // without a Date the wall clock serves, if it was ever set
    {"clock, 10 s later",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:47 GMT"), NONE},
     NOW_S,
     true,
     10000},
    {"clock, the same second", {NONE, NONE, BYTES(NOW), NONE}, NOW_S, true, 1000},
    {"clock, past", {NONE, NONE, BYTES(NOW), NONE}, NOW_S + 7, true, 1000},
    {"clock, 601 s later", {NONE, NONE, BYTES(NOW), NONE}, NOW_S - 601, true, 600000},
    {"clock never set", {NONE, NONE, BYTES(NOW), NONE}, UNSET, false, 0},
    {"clock far below zero", {NONE, NONE, BYTES(NOW), NONE}, INT64_MIN, false, 0},
    {"clock at zero", {NONE, NONE, BYTES("Thu, 01 Jan 1970 00:00:05 GMT"), NONE}, 0, true, 5000},
    {"clock at its end", {NONE, NONE, BYTES(NOW), NONE}, INT64_MAX, true, 1000},
    {"clock at its end, date in year 1",
     {NONE, NONE, BYTES("Mon, 01 Jan 0001 00:00:00 GMT"), NONE},
     INT64_MAX,
     true,
     1000},
    {"malformed Date, clock",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:47 GMT"), BYTES("today")},
     NOW_S,
     true,
     10000},
    {"malformed Date, no clock",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:47 GMT"), BYTES("today")},
     UNSET,
     false,
     0},
    {"empty Date, clock",
     {NONE, NONE, BYTES("Sun, 06 Nov 1994 08:49:47 GMT"), BYTES("")},
     NOW_S,
     true,
     10000},
    {"seconds need no clock", {NONE, NONE, BYTES("3"), BYTES("today")}, UNSET, true, 3000},

    // retry-after-ms: 0..600 s
    {"0 ms", {NONE, BYTES("0"), NONE, NONE}, UNSET, true, 0},
    {"1 ms", {NONE, BYTES("1"), NONE, NONE}, UNSET, true, 1},
    {"999 ms", {NONE, BYTES("999"), NONE, NONE}, UNSET, true, 999},
    {"1500 ms", {NONE, BYTES("1500"), NONE, NONE}, UNSET, true, 1500},
    {"599999 ms", {NONE, BYTES("599999"), NONE, NONE}, UNSET, true, 599999},
    {"600000 ms", {NONE, BYTES("600000"), NONE, NONE}, UNSET, true, 600000},
    {"600001 ms", {NONE, BYTES("600001"), NONE, NONE}, UNSET, true, 600000},
    {"2^32 ms", {NONE, BYTES("4294967296"), NONE, NONE}, UNSET, true, 600000},
    {"ms malformed", {NONE, BYTES("x"), NONE, NONE}, NOW_S, false, 0},
    {"ms as a date", {NONE, BYTES(NOW), NONE, BYTES(NOW)}, NOW_S, false, 0},

    // x-ms-retry-after-ms: the same
    {"x 0 ms", {BYTES("0"), NONE, NONE, NONE}, UNSET, true, 0},
    {"x 250 ms", {BYTES("250"), NONE, NONE, NONE}, UNSET, true, 250},
    {"x 600001 ms", {BYTES("600001"), NONE, NONE, NONE}, UNSET, true, 600000},
    {"x negative", {BYTES("-5"), NONE, NONE, NONE}, NOW_S, false, 0},
    {"x empty", {BYTES(""), NONE, NONE, NONE}, NOW_S, false, 0},

    // which of them counts
    {"all three", {BYTES("11"), BYTES("22"), BYTES("33"), NONE}, UNSET, true, 11},
    {"ms before seconds", {NONE, BYTES("22"), BYTES("33"), NONE}, UNSET, true, 22},
    {"x before seconds", {BYTES("11"), NONE, BYTES("33"), NONE}, UNSET, true, 11},
    {"x before ms", {BYTES("11"), BYTES("22"), NONE, NONE}, UNSET, true, 11},
    {"x unreadable, then ms", {BYTES("a"), BYTES("22"), BYTES("33"), NONE}, UNSET, true, 22},
    {"x and ms unreadable", {BYTES("a"), BYTES("-1"), BYTES("33"), NONE}, UNSET, true, 33000},
    {"0 ms before seconds", {NONE, BYTES("0"), BYTES("33"), NONE}, UNSET, true, 0},
    {"ms before an unreadable one", {NONE, BYTES("22"), BYTES("soon"), NONE}, UNSET, true, 22},
    {"none readable", {BYTES(""), BYTES("1.5"), BYTES("-1"), BYTES(NOW)}, NOW_S, false, 0},
    {"ms before a date", {NONE, BYTES("22"), BYTES(NOW), BYTES(NOW)}, NOW_S, true, 22},
};

static struct rekey_span copy(struct rekey_span text) {
    return text.ptr == NULL ? text : guarded_copy(text);
}

static void test_retry_after(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_span fields[REKEY_RETRY_FIELDS];

        row(rows[i].name);
        fields[REKEY_RETRY_X_MS_MS] = copy(rows[i].fields.x_ms_ms);
        fields[REKEY_RETRY_MS] = copy(rows[i].fields.ms);
        fields[REKEY_RETRY_AFTER] = copy(rows[i].fields.after);
        fields[REKEY_RETRY_DATE] = copy(rows[i].fields.date);
        check_int(rekey_retry_after(fields, rows[i].wall_s),
                  rows[i].named ? (int32_t)rows[i].wait_ms : -1);
    }
    rows_done();
}

static void test_backoff(void **state) {
    static const uint32_t first[] = {800, 1600, 3200, 6400, 12800, 25600, 51200};

    (void)state;
    for (unsigned n = 0; n <= 40; n++) {
        uint32_t bound = n < COUNT(first) ? first[n] : 60000;

        row_n("try", (long)n);
        check_int(rekey_backoff_ms(n, 0), 0);
        check_int(rekey_backoff_ms(n, UINT32_MAX), bound);
        check_int(rekey_backoff_ms(n, 0x80000000u), bound / 2);
        check_int(rekey_backoff_ms(n, 0x40000000u), bound / 4);
    }
    row("a huge try");
    check_int(rekey_backoff_ms(32, UINT32_MAX), 60000);
    check_int(rekey_backoff_ms(64, UINT32_MAX), 60000);
    check_int(rekey_backoff_ms(UINT32_MAX, UINT32_MAX), 60000);
    check_int(rekey_backoff_ms(UINT32_MAX, 0), 0);
    rows_done();
}

// Full jitter: each of the values from 0 to the bound has the same share, as far as 2^32 divides by
// their number. Value v comes from the random numbers r with v * 2^32 <= r * (bound + 1).
static void test_backoff_jitter(void **state) {
    static const struct {
        unsigned n;
        uint32_t bound;
    } tries[] = {{0, 800}, {3, 6400}, {6, 51200}, {7, 60000}};

    (void)state;
    for (size_t i = 0; i < COUNT(tries); i++) {
        uint64_t values = (uint64_t)tries[i].bound + 1;

        for (uint32_t v = 1; v <= tries[i].bound; v += v < 10 ? 1 : tries[i].bound / 10) {
            uint32_t least = (uint32_t)(((uint64_t)v * 0x100000000u + values - 1) / values);

            row_nn("try, value", (long)tries[i].n, (long)v);
            check_int(rekey_backoff_ms(tries[i].n, least), v);
            check_int(rekey_backoff_ms(tries[i].n, least - 1), v - 1);
        }
    }
    rows_done();
}

static void test_retry_helps(void **state) {
    static const struct {
        int error;
        bool helps;
    } errors[] = {
        {REKEY_E_NO_PREVIOUS, false}, {REKEY_E_LOOKUP, true},       {REKEY_E_ABORTED, true},
        {REKEY_E_PROXY, false},       {REKEY_E_PROXY_TARGET, true}, {REKEY_E_CERT_ISSUER, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        row_n("error", errors[i].error);
        check_int(rekey_retry_helps(errors[i].error), errors[i].helps);
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_retry_after),
        UNIT(test_backoff),
        UNIT(test_backoff_jitter),
        UNIT(test_retry_helps),
    };

    return cmocka_run_group_tests_name("retry", tests, NULL, rows_total);
}
