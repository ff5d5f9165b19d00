// time_text.c - see time_text.h. Does not use gmtime: glibc's reads the time zone, and allocates.

#include "time_text.h"

#include <stdio.h>

#define END_OF_9999 INT64_C(253402300800)

// Year, month and day of the Gregorian calendar, from the days since 1970-01-01. Years are counted
// from March, so that the leap day is the last one of its year.
static int put_date(uint32_t days, char *buf, size_t cap) {
    uint32_t since_0000 = days + 719468; // days since 0000-03-01
    uint32_t era = since_0000 / 146097, day = since_0000 % 146097;
    uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint32_t month;

    day -= year * 365 + year / 4 - year / 100;
    month = (5 * day + 2) / 153; // from March
    day -= (153 * month + 2) / 5;
    return snprintf(buf, cap, "%04u-%02u-%02u", (unsigned)(year + era * 400 + (month >= 10)),
                    (unsigned)(month < 10 ? month + 3 : month - 9), (unsigned)(day + 1));
}

// Uses the largest unit of which there are at least two.
static void put_distance(int64_t seconds, char *buf, size_t cap) {
    static const struct {
        uint32_t seconds;
        char name[8];
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    uint64_t distance = (uint64_t)(seconds < 0 ? -seconds : seconds);
    size_t i = 0;
    unsigned count;

    while (units[i].seconds > 1 && distance / 2 < units[i].seconds) {
        i++;
    }
    count = (unsigned)(distance / units[i].seconds);
    snprintf(buf, cap, " (%s%u %s%s%s)", seconds > 0 ? "in " : "", count, units[i].name,
             count == 1 ? "" : "s", seconds > 0 ? "" : " ago");
}

const char *time_text(int64_t at, int64_t now, char buf[TIME_TEXT_MAX]) {
    uint32_t second;
    int len;

    if (at <= 0 || at >= END_OF_9999) {
        return "-";
    }
    second = (uint32_t)(at % 86400);
    len = put_date((uint32_t)(at / 86400), buf, TIME_TEXT_MAX);
    len +=
        snprintf(buf + len, (size_t)(TIME_TEXT_MAX - len), "T%02u:%02u:%02uZ",
                 (unsigned)(second / 3600), (unsigned)(second / 60 % 60), (unsigned)(second % 60));
    put_distance(at - now, buf + len, (size_t)(TIME_TEXT_MAX - len));
    return buf;
}
