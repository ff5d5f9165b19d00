// bare_metal.c - the functions that the C library of a test image needs on a board without an
// operating system. Text is written in whole lines, because each call of the debugger is slow.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

static char line[256];
static size_t line_len;

static int flush(FILE *file) {
    (void)file;
    line[line_len] = '\0';
    board_print(line);
    line_len = 0;
    return 0;
}

static int put(char c, FILE *file) {
    line[line_len++] = c;
    if (c == '\n' || line_len == sizeof(line) - 1) {
        flush(file);
    }
    return (unsigned char)c;
}

static FILE console = FDEV_SETUP_STREAM(put, NULL, flush, _FDEV_SETUP_WRITE);
FILE *const stdout = &console;
FILE *const stderr = &console;

__attribute__((noreturn)) void _exit(int status) {
    flush(&console);
    board_exit(status);
}

void abort(void) {
    _exit(98);
}

// cmocka calls these, but they need not do anything here: faults end the run, and there are no
// files.

_sig_func_ptr signal(int number, _sig_func_ptr handler) {
    (void)number;
    (void)handler;
    return SIG_DFL;
}

FILE *fopen(const char *path, const char *mode) {
    (void)path;
    (void)mode;
    return NULL;
}

// The vectors refer to it, but a test has no network.
void ethernet_interrupt(void) {
}
