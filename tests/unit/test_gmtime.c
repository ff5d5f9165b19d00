// test_gmtime.c - the calendar that is used to check certificates (port/mbedtls/owner/owner.c),
// compared with that of the C library on systems that have one.

#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <time.h>

#include "support.h"

static void check_time(int64_t seconds) {
    mbedtls_time_t t = (mbedtls_time_t)seconds;
    struct tm ours, theirs;

    check(mbedtls_platform_gmtime_r(&t, &ours) == &ours);
    gmtime_r(&t, &theirs);
    check_int(ours.tm_year, theirs.tm_year);
    check_int(ours.tm_mon, theirs.tm_mon);
    check_int(ours.tm_mday, theirs.tm_mday);
    check_int(ours.tm_hour, theirs.tm_hour);
    check_int(ours.tm_min, theirs.tm_min);
    check_int(ours.tm_sec, theirs.tm_sec);
}

// Noon and both ends of each day of 800 years, and times between.
static void test_calendar(void **state) {
    (void)state;
    for (int64_t day = -365 * 200; day < 365 * 600; day++) {
        row_n("day", (long)day);
        check_time(day * 86400);
        check_time(day * 86400 + 43200 + day % 43200);
        check_time(day * 86400 + 86399);
    }
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {UNIT(test_calendar)};

    return cmocka_run_group_tests_name("gmtime", tests, NULL, rows_total);
}
