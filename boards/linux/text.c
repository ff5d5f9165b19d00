// text.c - see text.h.

#include "text.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>

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

// The errors that can come here. ESPIPE and EMLINK are those of rekey_posix_open.
#define ERRORS(X)                                                                                  \
    X(EPERM, "Operation not permitted")                                                            \
    X(ENOENT, "No such file or directory")                                                         \
    X(EIO, "Input/output error")                                                                   \
    X(ENXIO, "No such device or address")                                                          \
    X(ENOEXEC, "Exec format error")                                                                \
    X(EBADF, "Bad file descriptor")                                                                \
    X(EAGAIN, "Resource temporarily unavailable")                                                  \
    X(ENOMEM, "Cannot allocate memory")                                                            \
    X(EACCES, "Permission denied")                                                                 \
    X(EBUSY, "Device or resource busy")                                                            \
    X(EEXIST, "File exists")                                                                       \
    X(EXDEV, "Invalid cross-device link")                                                          \
    X(ENOTDIR, "Not a directory")                                                                  \
    X(EISDIR, "Is a directory")                                                                    \
    X(EINVAL, "Invalid argument")                                                                  \
    X(EMFILE, "Too many open files")                                                               \
    X(EFBIG, "File too large")                                                                     \
    X(ESPIPE, "Not a regular file")                                                                \
    X(ENOSPC, "No space left on device")                                                           \
    X(EROFS, "Read-only file system")                                                              \
    X(EMLINK, "It has other hard links")                                                           \
    X(EPIPE, "Broken pipe")                                                                        \
    X(ENAMETOOLONG, "File name too long")                                                          \
    X(ENOSYS, "Function not implemented")                                                          \
    X(ELOOP, "Too many levels of symbolic links")                                                  \
    X(EMSGSIZE, "Message too long")                                                                \
    X(EOPNOTSUPP, "Operation not supported")                                                       \
    X(EAFNOSUPPORT, "Address family not supported")                                                \
    X(EADDRNOTAVAIL, "Cannot assign requested address")                                            \
    X(ENETUNREACH, "Network is unreachable")                                                       \
    X(ECONNRESET, "Connection reset by peer")                                                      \
    X(ETIMEDOUT, "Connection timed out")                                                           \
    X(ECONNREFUSED, "Connection refused")                                                          \
    X(EHOSTUNREACH, "No route to host")

// glibc's strerror may use the heap, and musl's table of all words is longer. Here one string has
// all of them, each with its NUL, in the order of `numbers`.
const char *error_word(int number) {
#define NUMBER(number, word) number,
#define WORD(number, word) word "\0"
    static const uint8_t numbers[] = {ERRORS(NUMBER)};
    static const char words[] = ERRORS(WORD);
#undef NUMBER
#undef WORD
    static char other[24];
    const char *word = words;

    for (size_t i = 0; i < sizeof(numbers); i++) {
        if (numbers[i] == number) {
            return word;
        }
        word += strlen(word) + 1;
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

const char *utc_text(int64_t seconds, char buf[24]) {
    const mbedtls_time_t time = (mbedtls_time_t)seconds;
    struct tm tm;

    mbedtls_platform_gmtime_r(&time, &tm);
    snprintf(buf, 24, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
             (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
    return buf;
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
