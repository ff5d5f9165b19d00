// text.h - text for people: what came from elsewhere made safe to print, and words of a shell.
// Nothing is printed here.

#ifndef REKEY_COMMAND_TEXT_H
#define REKEY_COMMAND_TEXT_H

#include "posix.h" // rekey_posix_error_text
#include "span.h"

// Makes a server's text safe to print: control characters, bidirectional overrides and bytes that
// are not UTF-8 become \xNN; cut at `cap` - 1 bytes; NUL-terminated. Returns `buf`.
const char *visible(struct rekey_span text, char *buf, size_t cap);

// What errno means (rekey_posix_error_text), behind what could not be done: "cannot sync the
// directory: Input/output error". Without `what`, the errno alone.
const char *file_error(const char *what, int number);

// A time as 2026-11-30T12:00:00Z. `seconds` since 1970. Returns `buf`.
const char *utc_text(int64_t seconds, char buf[24]);

// `text` as one word of a shell's command line, in buf[0..cap), NUL-terminated. Returns `buf`.
const char *quoted(const char *text, char *buf, size_t cap);

#endif
