// support.h - what every unit test uses: rows, checks, and buffers that end at a guard.
// A test is a function over a table. It names each row before it looks at it, so that a failing
// check, or a crash, prints the row's name; a failed check does not end the test, so that one run
// shows all rows that fail. What does not live here: anything about the modules under test, but for
// spans.

#ifndef REKEY_TEST_SUPPORT_H
#define REKEY_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "span.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// A string literal, without its NUL but with those inside, as the initializer of a struct
// rekey_span.
#define BYTES(literal)                                                                             \
    { (literal), sizeof(literal) - 1 }

// An entry of the array that cmocka runs. `test` must end with rows_done(): a test that does not is
// an error.
#define UNIT(test)                                                                                 \
    { #test, (test), rows_begin, rows_end, NULL }

// Begins a row: checks and forgets all guarded buffers, and names what fails from here on. The name
// is kept as a pointer; the numbers are printed behind it.
void row(const char *name);
void row_n(const char *name, long n);
void row_nn(const char *name, long n, long m);

// The teardown of a group: prints how many rows and checks there were.
int rows_total(void **state);

// Ends a test: fails it if a check of one of its rows failed.
void rows_done(void);

// Each returns whether the check held.
#define check(condition) check_condition((condition), #condition, __FILE__, __LINE__)
#define check_int(actual, expected)                                                                \
    check_integer((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)
#define check_span(actual, expected) check_bytes((actual), (expected), #actual, __FILE__, __LINE__)

// A buffer of `len` bytes, 0 allowed, that ends at a guard and is valid until the next row. On
// POSIX a byte read or written past it crashes the test. Elsewhere a byte written past it is found
// by guarded_check. In both cases so is one written before it. It is filled with 0xA5, and aligned
// for an int where `len` is a multiple of 16.
void *guarded(size_t len);

// A copy of `text` in such a buffer.
struct rekey_span guarded_copy(struct rekey_span text);

// Fails the row if something was written beside a buffer. Each row begins with it.
void guarded_check(void);

// What the macros above need.
bool check_condition(bool held, const char *what, const char *file, int line);
bool check_integer(int64_t actual, int64_t expected, const char *what, const char *file, int line);
bool check_bytes(struct rekey_span actual, struct rekey_span expected, const char *what,
                 const char *file, int line);
int rows_begin(void **state);
int rows_end(void **state);

#endif
