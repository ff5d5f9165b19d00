// httpdate.h - the date of RFC 9110 5.6.7 in its preferred form (IMF-fixdate), and calendar dates.

#ifndef REKEY_HTTPDATE_H
#define REKEY_HTTPDATE_H

#include "span.h"

// Reads "Sun, 06 Nov 1994 08:49:37 GMT" into seconds since 1970. The obsolete forms are refused, as
// is a date that no calendar has; the name of the day is checked for form only, and a leap second
// counts as the next second. Returns false, with *seconds untouched, if it is not such a date.
bool rekey_httpdate(struct rekey_span text, int64_t *seconds);

#endif
