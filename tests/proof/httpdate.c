// httpdate.c - proofs about src/httpdate.c: the result of every date is in the range of its years,
// and the arithmetic of days is that of the Gregorian calendar.

#include "../../src/httpdate.c"

#include "proof.h"

static unsigned month_length(unsigned year, unsigned month) {
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return lengths[month] + (month == 1 && leap);
}

void any_date(void) {
    struct rekey_span text = any_text(TEXT_MAX);
    int64_t seconds = -1;
    bool ok = rekey_httpdate(text, &seconds);

    PROVE(ok || seconds == -1);
    PROVE(!ok || text.len == 29);
    PROVE(!ok || (seconds >= -62135596800 &&
                  seconds <= 253402300800)); // years 1 to 9999, and a leap second
    REACHED(ok);
}

// In all years, the first day of a month follows the last day of the month before.
void calendar(void) {
    unsigned year = nondet_unsigned(), month = nondet_unsigned();

    ASSUME(year >= 1 && year <= 9999 && month < 12);
    PROVE(days(year, month + 1, 1) - days(year, month, 1) == month_length(year, month));
    PROVE(month < 11 || days(year, 12, 1) == days(year + 1, 0, 1));
}
