// output.c - see output.h. snprintf into static buffers, then write(2).

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "json.h"
#include "posix.h"
#include "rekey_config.h"

static bool line_drawn; // a progress line stands on the terminal
static char collected[16384];
static size_t collected_len;
static bool overflow;
static const sigset_t *unblocked; // NULL: no signal is caught
static bool interrupted;          // by a signal, while a reader did not read

void interrupt_output(const sigset_t *mask) {
    unblocked = mask;
}

// All of it, also to a pipe that somebody has made non-blocking. A pipe that is ready takes
// PIPE_BUF bytes without waiting.
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
    write_all(STDERR_FILENO, text, len); // where errors go there is nobody to tell of an error
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

const char *visible(struct rekey_span text, char *buf, size_t cap) {
    size_t len = 0;

    for (size_t at = 0; at < text.len;) {
        uint32_t code = 0;
        size_t n = rekey_utf8(text, at, &code);
        bool hidden = n == 0 || code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 ||
                      code == 0x2029 || (code >= 0x202A && code <= 0x202E) ||
                      (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;

        n = n == 0 ? 1 : n;
        if (len + n * 4 + 1 > cap) {
            break;
        }
        for (size_t i = at; i < at + n; i++) {
            if (hidden) {
                len +=
                    (size_t)snprintf(buf + len, cap - len, "\\x%02X", (unsigned char)text.ptr[i]);
            } else {
                buf[len++] = text.ptr[i];
            }
        }
        at += n;
    }
    buf[len] = '\0';
    return buf;
}

// glibc's strerror may use the heap, and musl's table of all words is 1.4 KB longer than the one of
// those that can come here.
const char *error_word(int number) {
    static const struct {
        uint8_t number;
        char word[35];
    } words[] = {
        {EPERM, "Operation not permitted"},
        {ENOENT, "No such file or directory"},
        {EIO, "Input/output error"},
        {ENXIO, "No such device or address"},
        {ENOEXEC, "Exec format error"},
        {EBADF, "Bad file descriptor"},
        {EAGAIN, "Resource temporarily unavailable"},
        {ENOMEM, "Cannot allocate memory"},
        {EACCES, "Permission denied"},
        {EBUSY, "Device or resource busy"},
        {EEXIST, "File exists"},
        {EXDEV, "Invalid cross-device link"},
        {ENOTDIR, "Not a directory"},
        {EISDIR, "Is a directory"},
        {EINVAL, "Invalid argument"},
        {EMFILE, "Too many open files"},
        {EFBIG, "File too large"},
        {ESPIPE, "Not a regular file"}, // by rekey_posix_open
        {ENOSPC, "No space left on device"},
        {EROFS, "Read-only file system"},
        {EMLINK, "It has other hard links"}, // by rekey_posix_open
        {EPIPE, "Broken pipe"},
        {ENAMETOOLONG, "File name too long"},
        {ENOSYS, "Function not implemented"},
        {ELOOP, "Too many levels of symbolic links"},
        {EMSGSIZE, "Message too long"},
        {EOPNOTSUPP, "Operation not supported"},
        {EAFNOSUPPORT, "Address family not supported"},
        {EADDRNOTAVAIL, "Cannot assign requested address"},
        {ENETUNREACH, "Network is unreachable"},
        {ECONNRESET, "Connection reset by peer"},
        {ETIMEDOUT, "Connection timed out"},
        {ECONNREFUSED, "Connection refused"},
        {EHOSTUNREACH, "No route to host"},
    };
    static char other[24];

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].number == number) {
            return words[i].word;
        }
    }
    snprintf(other, sizeof(other), "error number %d", number);
    return other;
}

const char *file_error(const char *what, int number) {
    static char text[96];

    if (what == NULL) {
        return error_word(number);
    }
    snprintf(text, sizeof(text), "cannot %s: %s", what, error_word(number));
    return text;
}

const char *quoted(const char *text, char *buf, size_t cap) {
    size_t len = 0;

    buf[len++] = '\'';
    for (; *text != '\0' && len + 7 < cap; text++) {
        if (*text == '\'') {
            memcpy(buf + len, "'\\''", 4);
            len += 4;
        } else {
            buf[len++] = *text;
        }
    }
    buf[len++] = '\'';
    buf[len] = '\0';
    return buf;
}

void open_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            int opened = open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);

            (void)opened; // the lowest free descriptor: it is `fd`
        }
    }
}
