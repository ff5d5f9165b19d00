// text.c - see text.h.

#include "text.h"

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

const char *file_error(const char *what, int number) {
    static char text[96];

    if (what == NULL) {
        return rekey_posix_error_text(number);
    }
    snprintf(text, sizeof(text), "cannot %s: %s", what, rekey_posix_error_text(number));
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
