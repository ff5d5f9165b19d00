// output.h - text to a descriptor, without the heap and without stdio's buffers.

#ifndef REKEY_OUTPUT_H
#define REKEY_OUTPUT_H

#include <signal.h>

#include "span.h"

// Writes one line to standard error: "rekey: ", the text, a newline. Erases a progress line first.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Redraws the progress line on a terminal; elsewhere does what say does.
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

// From now on a write that waits for its reader is given up when a signal comes that `unblocked`
// lets through; what is written later is then written only if it can be at once.
void interrupt_output(const sigset_t *unblocked);

// From now on lines are kept back instead, as many as there are bytes for; what is kept at the end
// of the process was not worth telling. Or, with false, they are written at once again, and what
// was kept is dropped.
void hold_lines(bool hold);

// Writes what was kept back, and from now on each line at once.
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
