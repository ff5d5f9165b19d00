// output.c - see output.h. snprintf into static buffers, then write(2).

#include "output.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "json.h"
#include "posix.h"
#include "rekey_config.h"

static bool line_drawn; // a progress line is on the terminal
static bool holding;
static char held[8192];
static size_t held_len;
static char collected[16384];
static size_t collected_len;
static bool overflow;
static const sigset_t *unblocked; // the signal mask during writes; NULL: no signal is caught
static bool interrupted;          // a signal came while a write waited for its reader

void interrupt_output(const sigset_t *mask) {
    unblocked = mask;
}

// Writes all bytes, also to a non-blocking pipe. A pipe that is ready accepts PIPE_BUF bytes
// without waiting.
static bool write_all(int fd, const char *text, size_t len) {
    while (len > 0) {
        ssize_t n;

        if (rekey_posix_ready(fd, true, interrupted ? 0 : UINT64_MAX, unblocked) != 0) {
            interrupted = true;
            return false;
        }
        n = write(fd, text, len < PIPE_BUF ? len : PIPE_BUF);
        if (n >= 0) {
            text += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        }
    }
    return true;
}

void hold_lines(bool hold) {
    holding = hold;
    held_len = 0;
}

void release_lines(void) {
    holding = false;
    write_all(STDERR_FILENO, held, held_len);
    held_len = 0;
}

// Keeps a line if lines are held. False if the caller must write it.
static bool keep_back(const char *text, size_t len) {
    if (holding && len > sizeof(held) - held_len) {
        release_lines();
    }
    if (holding) {
        memcpy(held + held_len, text, len);
        held_len += len;
    }
    return holding;
}

bool on_terminal(void) {
    return isatty(STDERR_FILENO) == 1;
}

static void line(bool redraw, const char *format, va_list arguments) {
    char text[4096];
    size_t len = 0;
    int n;

    if (line_drawn) {
        len = (size_t)snprintf(text, sizeof(text), "\r\033[K");
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "rekey: ");
    n = vsnprintf(text + len, sizeof(text) - len - 1, format, arguments);
    len += n < 0 ? 0 : (size_t)n < sizeof(text) - len - 1 ? (size_t)n : sizeof(text) - len - 2;
    if (!redraw) {
        text[len++] = '\n';
    }
    line_drawn = redraw;
    if (!keep_back(text, len)) {
        write_all(STDERR_FILENO, text, len); // if this fails, there is nowhere to report it
    }
}

void erase_progress(void) {
    if (line_drawn) {
        line_drawn = false;
        write_all(STDERR_FILENO, "\r\033[K", 4);
    }
}

void say(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    line(false, format, arguments);
    va_end(arguments);
}

void progress(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    line(on_terminal(), format, arguments);
    va_end(arguments);
}

void out_span(struct rekey_span text) {
    if (text.len > sizeof(collected) - collected_len) {
        overflow = true;
        return;
    }
    memcpy(collected + collected_len, text.ptr, text.len);
    collected_len += text.len;
}

void out(const char *format, ...) {
    va_list arguments;
    size_t room = sizeof(collected) - collected_len;
    int n;

    va_start(arguments, format);
    n = vsnprintf(collected + collected_len, room, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= room) {
        overflow = true;
    } else {
        collected_len += (size_t)n;
    }
}

void out_json(struct rekey_span text) {
    if (text.ptr == NULL) {
        out("null");
        return;
    }
    out("\"");
    for (size_t at = 0; at < text.len;) {
        size_t n = rekey_utf8(text, at, NULL);
        char escaped[8];

        if (n == 0) {
            out("?");
            n = 1;
        } else {
            out_span(rekey_span(escaped, rekey_json_escape(rekey_span(text.ptr + at, n), escaped,
                                                           sizeof(escaped))));
        }
        at += n;
    }
    out("\"");
}

bool out_flush(void) {
    bool ok = write_all(STDOUT_FILENO, collected, collected_len) && !overflow;

    rekey_zeroize(collected, sizeof(collected));
    collected_len = 0;
    return ok;
}
