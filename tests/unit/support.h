// support.h - the code that every unit test uses: rows, checks, and buffers that end at a guard. A
// test is a function over a table. It names each row before it uses it, so that a failing check, or
// a crash, prints the name of the row. A failed check does not end the test, so that one run shows
// all rows that fail. This file knows nothing about the modules under test except spans.

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

// A string literal as the initializer of a struct rekey_span, without its final NUL but including
// NULs inside.
#define BYTES(literal)                                                                             \
    { (literal), sizeof(literal) - 1 }

// An entry of the array that cmocka runs. `test` must end with rows_done(): a test that does not is
// an error.
#define UNIT(test)                                                                                 \
    { #test, (test), rows_begin, rows_end, NULL }

// Begins a row: checks and releases all guarded buffers, and sets the name for the failures from
// here on. The name is kept as a pointer; the numbers are printed behind it.
void row(const char *name);
void row_n(const char *name, long n);
void row_nn(const char *name, long n, long m);

// The teardown of a group: prints how many rows and checks there were.
int rows_total(void **state);

// Ends a test: fails it if a check of one of its rows failed.
void rows_done(void);

// Each returns whether the check succeeded.
#define check(condition) check_condition((condition), #condition, __FILE__, __LINE__)
#define check_int(actual, expected)                                                                \
    check_integer((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)
#define check_span(actual, expected) check_bytes((actual), (expected), #actual, __FILE__, __LINE__)

// A buffer of `len` bytes, 0 allowed, that ends at a guard and is valid until the next row. On
// POSIX an access behind its end crashes the test. On other systems guarded_check finds a byte that
// was written behind its end. On all systems guarded_check finds a byte that was written in front
// of it. It is filled with 0xA5, and aligned for an int if `len` is a multiple of 16.
void *guarded(size_t len);

// A copy of `text` in such a buffer.
struct rekey_span guarded_copy(struct rekey_span text);

// Fails the row if a byte outside of a buffer was written. Each row begins with this check.
void guarded_check(void);

// The functions behind the macros above.
bool check_condition(bool held, const char *what, const char *file, int line);
bool check_integer(int64_t actual, int64_t expected, const char *what, const char *file, int line);
bool check_bytes(struct rekey_span actual, struct rekey_span expected, const char *what,
                 const char *file, int line);
int rows_begin(void **state);
int rows_end(void **state);

#endif
