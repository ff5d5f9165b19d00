// httpdate.h - the date of RFC 9110 5.6.7 in its preferred form (IMF-fixdate), and calendar dates.

#ifndef REKEY_HTTPDATE_H
#define REKEY_HTTPDATE_H

#include "span.h"

// Reads "Sun, 06 Nov 1994 08:49:37 GMT" into seconds since 1970. The obsolete forms and impossible
// dates such as 30 Feb are refused. The name of the day only has to be three letters. A leap second
// counts as the next second. Returns false if `text` is not such a date; *seconds is then
// unchanged.
bool rekey_httpdate(struct rekey_span text, int64_t *seconds);

#endif
