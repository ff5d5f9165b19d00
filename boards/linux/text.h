// text.h - text for people: makes text from elsewhere safe to print, and quotes words for a shell.
// Prints nothing.

#ifndef REKEY_COMMAND_TEXT_H
#define REKEY_COMMAND_TEXT_H

#include "posix.h" // rekey_posix_error_text
#include "span.h"

// Makes a server's text safe to print: control characters, bidirectional overrides and bytes that
// are not UTF-8 become \xNN; cut at `cap` - 1 bytes; NUL-terminated. Returns `buf`.
const char *visible(struct rekey_span text, char *buf, size_t cap);

// The text of errno (rekey_posix_error_text) after what could not be done: "cannot sync the
// directory: Input/output error". If `what` is NULL, only the text of errno.
const char *file_error(const char *what, int number);

// Writes a time as 2026-11-30T12:00:00Z. `seconds` since 1970. Returns `buf`.
const char *utc_text(int64_t seconds, char buf[24]);

// Writes `text` as one word of a shell's command line, NUL-terminated, to buf[0..cap). Returns
// `buf`.
const char *quoted(const char *text, char *buf, size_t cap);

#endif
