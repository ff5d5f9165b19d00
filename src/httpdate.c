// httpdate.c - converts an IMF-fixdate to seconds since 1970.

#include "httpdate.h"

// The index of the three letters at `ptr` in `names`; -1 if `names` does not have them.
static int name_index(const char *names, const char *ptr) {
    for (const char *name = names; *name != '\0'; name += 3) {
        if (memcmp(name, ptr, 3) == 0) {
            return (int)(name - names) / 3;
        }
    }
    return -1;
}

// Days from a fixed day of the year 0 to `day` of `month` (0..12, from January) of `year`
// (1..9999). Years begin in March here, so that the leap day is the last day of a year.
static uint32_t days(unsigned year, unsigned month, unsigned day) {
    if (month < 2) {
        year--;
        month += 12;
    }
    return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 - 304) / 5 + day;
}

bool rekey_httpdate(struct rekey_span text, int64_t *seconds) {
    // In this pattern a digit is the index of the number that the digit of the date belongs to; 'a'
    // is a letter of a name.
    static const char form[] = "aaa, 00 aaa 1111 22:33:44 GMT";
    unsigned day, month, year, n[5] = {0};

    if (text.len != sizeof(form) - 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char f = form[i], c = text.ptr[i];

        if (rekey_is_digit(f) && rekey_is_digit(c)) {
            n[f - '0'] = n[f - '0'] * 10 + (unsigned)(c - '0');
        } else if (f != c && f != 'a') {
            return false;
        }
    }
    day = n[0];
    year = n[1];
    month = (unsigned)name_index("JanFebMarAprMayJunJulAugSepOctNovDec", text.ptr + 8);
    if (name_index("SunMonTueWedThuFriSat", text.ptr) < 0 || month > 11 || year < 1 || day < 1 ||
        days(year, month, day) >= days(year, month + 1, 1) || n[2] > 23 || n[3] > 59 || n[4] > 60) {
        return false;
    }
    *seconds = ((int64_t)days(year, month, day) - days(1970, 0, 1)) * 86400 +
               (n[2] * 3600 + n[3] * 60 + n[4]);
    return true;
}
