// httpdate.c - IMF-fixdate to seconds since 1970.

#include "httpdate.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char weekdays[] = "SunMonTueWedThuFriSat";

// The place of the three letters at `ptr` in `names`, from 0; -1 if they are not there.
static int name_index(const char *names, const char *ptr) {
    for (const char *name = names; *name != '\0'; name += 3) {
        if (memcmp(name, ptr, 3) == 0) {
            return (int)(name - names) / 3;
        }
    }
    return -1;
}

// The number that `count` digits at `ptr` make; -1 if they are not digits.
static int number(const char *ptr, int count) {
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (!rekey_is_digit(ptr[i])) {
            return -1;
        }
        value = value * 10 + (ptr[i] - '0');
    }
    return value;
}

static bool leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

// Days from 1970-01-01 to the first of `month` (0..11) of `year` (1..9999).
static int64_t days_before(int year, int month) {
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;

    return days + before[month] + (month > 1 && leap(year) ? 1 : 0);
}

bool rekey_httpdate(struct rekey_span text, int64_t *seconds) {
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT"; // all but 'a' and '0' stand as here
    const char *p = text.ptr;
    int day, month, year, hour, minute, second;

    if (text.len != sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (form[i] != 'a' && form[i] != '0' && form[i] != p[i]) {
            return false;
        }
    }
    day = number(p + 5, 2);
    month = name_index(months, p + 8);
    year = number(p + 12, 4);
    hour = number(p + 17, 2);
    minute = number(p + 20, 2);
    second = number(p + 23, 2);
    if (name_index(weekdays, p) < 0 || month < 0 || year < 1 || day < 1 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60 ||
        day > lengths[month] + (month == 1 && leap(year) ? 1 : 0)) {
        return false;
    }
    *seconds = ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + (minute * 60 + second);
    return true;
}
