// test_httpdate.c - httpdate.h: IMF-fixdate to seconds.
// The calendar is compared with one that only counts days, from year 1 to year 9999. The grammar is
// tested with every byte of a date changed, and with the obsolete forms, which are refused.

#include <stdio.h>

#include "httpdate.h"
#include "support.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define DATE_SECONDS 784111777

static const struct {
    const char *name;
    struct rekey_span text;
    bool valid;
    int64_t seconds;
} dates[] = {
    {"RFC 9110", BYTES(DATE), true, DATE_SECONDS},
    {"zero", BYTES("Thu, 01 Jan 1970 00:00:00 GMT"), true, 0},
    {"before zero", BYTES("Wed, 31 Dec 1969 23:59:59 GMT"), true, -1},
    {"one second", BYTES("Thu, 01 Jan 1970 00:00:01 GMT"), true, 1},
    {"one minute", BYTES("Thu, 01 Jan 1970 00:01:00 GMT"), true, 60},
    {"one hour", BYTES("Thu, 01 Jan 1970 01:00:00 GMT"), true, 3600},
    {"one day", BYTES("Fri, 02 Jan 1970 00:00:00 GMT"), true, 86400},
    {"a billion", BYTES("Sun, 09 Sep 2001 01:46:40 GMT"), true, 1000000000},
    {"recorded", BYTES("Tue, 03 Mar 2026 20:17:59 GMT"), true, 1772569079},
    {"last of 32 bits", BYTES("Tue, 19 Jan 2038 03:14:07 GMT"), true, 2147483647},
    {"behind 32 bits", BYTES("Tue, 19 Jan 2038 03:14:08 GMT"), true, 2147483648},
    {"behind 32 bits without sign", BYTES("Sun, 07 Feb 2106 06:28:16 GMT"), true, 4294967296},
    {"first", BYTES("Mon, 01 Jan 0001 00:00:00 GMT"), true, -62135596800},
    {"last", BYTES("Fri, 31 Dec 9999 23:59:59 GMT"), true, 253402300799},
    {"leap second", BYTES("Sat, 31 Dec 2016 23:59:60 GMT"), true, 1483228800},
    {"day of the week is not checked", BYTES("Mon, 06 Nov 1994 08:49:37 GMT"), true, DATE_SECONDS},

    {"year 0", BYTES("Sat, 01 Jan 0000 00:00:00 GMT"), false, 0},
    {"day 0", BYTES("Sun, 00 Nov 1994 08:49:37 GMT"), false, 0},
    {"November 30", BYTES("Wed, 30 Nov 1994 00:00:00 GMT"), true, 786153600},
    {"November 31", BYTES("Thu, 31 Nov 1994 00:00:00 GMT"), false, 0},
    {"January 32", BYTES("Tue, 32 Jan 1994 00:00:00 GMT"), false, 0},
    {"February 29 of a leap year", BYTES("Thu, 29 Feb 2024 00:00:00 GMT"), true, 1709164800},
    {"February 30 of a leap year", BYTES("Fri, 30 Feb 2024 00:00:00 GMT"), false, 0},
    {"February 29 of no leap year", BYTES("Wed, 29 Feb 2023 00:00:00 GMT"), false, 0},
    {"February 29, 2000", BYTES("Tue, 29 Feb 2000 00:00:00 GMT"), true, 951782400},
    {"February 29, 1900", BYTES("Thu, 29 Feb 1900 00:00:00 GMT"), false, 0},
    {"hour 23", BYTES("Sun, 06 Nov 1994 23:00:00 GMT"), true, 784162800},
    {"hour 24", BYTES("Sun, 06 Nov 1994 24:00:00 GMT"), false, 0},
    {"minute 59", BYTES("Sun, 06 Nov 1994 00:59:00 GMT"), true, 784083540},
    {"minute 60", BYTES("Sun, 06 Nov 1994 00:60:00 GMT"), false, 0},
    {"second 60", BYTES("Sun, 06 Nov 1994 00:00:60 GMT"), true, 784080060},
    {"second 61", BYTES("Sun, 06 Nov 1994 00:00:61 GMT"), false, 0},

    {"empty", BYTES(""), false, 0},
    {"RFC 850", BYTES("Sunday, 06-Nov-94 08:49:37 GMT"), false, 0},
    {"asctime", BYTES("Sun Nov  6 08:49:37 1994"), false, 0},
    {"asctime, padded", BYTES("Sun Nov  6 08:49:37 1994     "), false, 0},
    {"one byte short", BYTES("Sun, 06 Nov 1994 08:49:37 GM"), false, 0},
    {"one byte long", BYTES(DATE "T"), false, 0},
    {"space before", BYTES(" Sun, 06 Nov 1994 08:49:37 GM"), false, 0},
    {"space behind", BYTES(DATE " "), false, 0},
    {"NUL behind", BYTES(DATE "\0"), false, 0},
    {"NUL inside", BYTES("Sun, 06 Nov\0001994 08:49:37 GMT"), false, 0},
    {"UTC", BYTES("Sun, 06 Nov 1994 08:49:37 UTC"), false, 0},
    {"offset", BYTES("Sun, 06 Nov 1994 08:49:37 +00"), false, 0},
    {"lower-case zone", BYTES("Sun, 06 Nov 1994 08:49:37 gmt"), false, 0},
    {"lower-case month", BYTES("Sun, 06 nov 1994 08:49:37 GMT"), false, 0},
    {"upper-case month", BYTES("Sun, 06 NOV 1994 08:49:37 GMT"), false, 0},
    {"no month", BYTES("Sun, 06 Nox 1994 08:49:37 GMT"), false, 0},
    {"letters of two months", BYTES("Sun, 06 anF 1994 08:49:37 GMT"), false, 0},
    {"no day of the week", BYTES("Sux, 06 Nov 1994 08:49:37 GMT"), false, 0},
    {"letters of two days", BYTES("unM, 06 Nov 1994 08:49:37 GMT"), false, 0},
    {"one-digit day", BYTES("Sun,  6 Nov 1994 08:49:37 GMT"), false, 0},
    {"negative day", BYTES("Sun, -6 Nov 1994 08:49:37 GMT"), false, 0},
    {"sign in the year", BYTES("Sun, 06 Nov +994 08:49:37 GMT"), false, 0},
    {"space in the hour", BYTES("Sun, 06 Nov 1994  8:49:37 GMT"), false, 0},
    {"space in the minute", BYTES("Sun, 06 Nov 1994 08: 9:37 GMT"), false, 0},
    {"space in the second", BYTES("Sun, 06 Nov 1994 08:49: 7 GMT"), false, 0},
    {"ISO 8601", BYTES("2026-03-03T20:17:59.3874592Z "), false, 0},
    {"seconds", BYTES("120"), false, 0},
};

static void test_dates(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(dates); i++) {
        int64_t seconds = -77;

        row(dates[i].name);
        check_int(rekey_httpdate(guarded_copy(dates[i].text), &seconds), dates[i].valid);
        check_int(seconds, dates[i].valid ? dates[i].seconds : -77);
    }
    rows_done();
}

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int days_in(int year, int month) {
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month != 1) {
        return days[month];
    }
    return year % 400 == 0 ? 29 : year % 100 == 0 ? 28 : year % 4 == 0 ? 29 : 28;
}

// The first and the last day of every month, the day behind it, and all days of some years.
static void test_calendar(void **state) {
    static const char weekdays[7][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int64_t days = -719162; // from 1970-01-01 to 0001-01-01, a Monday
    unsigned weekday = 0;
    char *text;

    (void)state;
    row("calendar");
    text = guarded(29);
    for (int year = 1; year <= 9999; year++) {
        for (int month = 0; month < 12; month++) {
            int count = days_in(year, month);

            for (int day = 1; day <= count + 1; day++) {
                bool dense = year >= 1968 && year <= 2040;
                bool valid = day <= count;
                char date[64];
                int64_t seconds = -1;
                bool got;

                if (dense || day == 1 || day >= count) {
                    snprintf(date, sizeof(date), "%s, %02d %s %04d 12:34:56 GMT", weekdays[weekday],
                             day, month_names[month], year);
                    memcpy(text, date, 29);
                    got = rekey_httpdate(rekey_span(text, 29), &seconds);
                    if (got != valid || (valid && seconds != days * 86400 + 45296)) {
                        row_nn("year, month", year, month + 1);
                        check_int(got, valid);
                        check_int(seconds, days * 86400 + 45296);
                        rows_done();
                        return;
                    }
                }
                if (valid) {
                    days++;
                    weekday = (weekday + 1) % 7;
                }
            }
        }
    }
    rows_done();
}

// Each byte of a date replaced by each other byte. Only a digit for a digit can leave a date.
static void test_bytes(void **state) {
    static const char form[] = "     00     0000 00 00 00    "; // '0': a digit

    (void)state;
    for (size_t i = 0; i < sizeof(DATE) - 1; i++) {
        for (int byte = 0; byte < 256; byte++) {
            char c = (char)(unsigned char)byte;
            char *text;
            int64_t seconds;

            if (c == DATE[i] || (form[i] == '0' && rekey_is_digit(c))) {
                continue;
            }
            row_nn("place, byte", (long)i, byte);
            text = guarded(sizeof(DATE) - 1);
            memcpy(text, DATE, sizeof(DATE) - 1);
            text[i] = c;
            check(!rekey_httpdate(rekey_span(text, sizeof(DATE) - 1), &seconds));
        }
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_dates),
        UNIT(test_calendar),
        UNIT(test_bytes),
    };

    return cmocka_run_group_tests_name("httpdate", tests, NULL, rows_total);
}
