// output.h - text to a descriptor, without the heap and without stdio's buffers.

#ifndef REKEY_OUTPUT_H
#define REKEY_OUTPUT_H

#include <signal.h>

#include "span.h"

// Writes one line to standard error: "rekey: ", the text, a newline. Erases a progress line first.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Redraws the progress line on a terminal; otherwise the same as say.
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Erases the progress line, before another process writes to the terminal.
void erase_progress(void);

// From now on a signal that `unblocked` allows ends a write that waits for its reader. After that,
// text is written only if that needs no wait.
void interrupt_output(const sigset_t *unblocked);

// With true, lines are kept in a buffer from now on, and are written when it is full or by
// release_lines. At the end of the process they are dropped. With false, drops them, and writes
// lines at once again.
void hold_lines(bool hold);

// Writes the lines that were kept, and each further line at once.
void release_lines(void);

// Whether standard error is a terminal.
bool on_terminal(void);

// Text for standard output, collected in one static buffer and written at once.
void out(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Appends the bytes as they are.
void out_span(struct rekey_span text);

// Appends a JSON string, or null if `text` has no pointer. What is not UTF-8 becomes '?'.
void out_json(struct rekey_span text);

// Writes what was collected, and zeroizes it. False if not all of it could be written.
bool out_flush(void);

#endif
