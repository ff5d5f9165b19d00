// fuzz_httpdate.c - dates: an accepted date is the one that the C library writes for these seconds,
// except for the name of the day and the leap second.

#include <time.h>

#include "fuzz.h"
#include "httpdate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rekey_span text = rekey_span((const char *)data, size);
    int64_t seconds = -1;
    char day[16], year[16], clock[16], again[64];
    struct tm calendar;
    time_t time;

    if (!rekey_httpdate(text, &seconds)) {
        MUST(seconds == -1);
        return 0;
    }
    MUST(size == 29);
    if (memcmp(data + 23, "60", 2) != 0) {
        time = (time_t)seconds;
        MUST(gmtime_r(&time, &calendar) != NULL);
        strftime(day, sizeof(day), "%a, %d %b", &calendar);
        strftime(clock, sizeof(clock), "%H:%M:%S", &calendar);
        snprintf(year, sizeof(year), "%04d",
                 calendar.tm_year + 1900); // not all %Y have four digits
        MUST(snprintf(again, sizeof(again), "%s %s %s GMT", day, year, clock) == 29);
        MUST(memcmp(again + 3, data + 3, 26) == 0);
    }
    return 0;
}
