// secret_text.c - see secret_text.h.

#include "secret_text.h"

#include <stdio.h>
#include <string.h>

static char at(struct rekey_span text, size_t i) {
    return (char)(i < text.len ? text.ptr[i] : '\0');
}

// UTF-16 has a byte order mark, or, if it is ASCII text, every other byte is zero.
static bool is_utf16(struct rekey_span text) {
    bool marked = (at(text, 0) == '\xFF' && at(text, 1) == '\xFE') ||
                  (at(text, 0) == '\xFE' && at(text, 1) == '\xFF');

    return marked || (text.len >= 4 && text.ptr[0] != text.ptr[1] &&
                      ((text.ptr[0] == '\0' && text.ptr[2] == '\0') ||
                       (text.ptr[1] == '\0' && text.ptr[3] == '\0')));
}

const char *control_fault(struct rekey_span text, char *buf, size_t cap) {
    size_t i = 0;
    char byte;

    while (i < text.len && (unsigned char)text.ptr[i] >= ' ' && text.ptr[i] != 0x7F) {
        i++;
    }
    if (i == text.len) {
        return NULL;
    }
    byte = text.ptr[i];
    if (byte == '\r') {
        snprintf(buf, cap,
                 "has a carriage return (\\x0D) as byte %zu: the file has Windows line ends "
                 "(CRLF); convert it with dos2unix",
                 i + 1);
    } else if (byte == '\n') {
        snprintf(buf, cap, "has more than one line: byte %zu is a line end (\\x0A)", i + 1);
    } else {
        snprintf(buf, cap, "has a control character: byte %zu is \\x%02X", i + 1,
                 (unsigned char)byte);
    }
    return buf;
}

// Finds a pair of marks around a text. A token cannot have any of them; a client secret may begin
// or end with one, but not both.
static const char *marks(enum secret_text kind, struct rekey_span text) {
    static const struct {
        char first, last;
        const char *fault;
    } pairs[] = {
        {'"', '"', "is in quotation marks, which are not part of it: leave them out"},
        {'\'', '\'', "is in quotation marks, which are not part of it: leave them out"},
        {'`', '`', "is in quotation marks, which are not part of it: leave them out"},
        {'<', '>', "is in angle brackets: give the value alone"},
        {'{', '}', "is JSON: give the value alone"},
        {'[', ']', "is JSON: give the value alone"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        bool first = at(text, 0) == pairs[i].first;
        bool last = text.len > 0 && text.ptr[text.len - 1] == pairs[i].last;

        if ((first && last && text.len > 1) || (kind == SECRET_TEXT_TOKEN && (first || last))) {
            return pairs[i].fault;
        }
    }
    return NULL;
}

static bool starts_with(struct rekey_span text, struct rekey_span with) {
    return text.len >= with.len && rekey_span_equal_nocase(rekey_span(text.ptr, with.len), with);
}

// RFC 6750 2.1: letters, digits, "-._~+/", and '=' only at the end.
static const char *token_fault(struct rekey_span text, char *buf, size_t cap) {
    const char last = at(text, text.len - 1); // at returns NUL outside of the text
    size_t end = text.len;

    if (starts_with(text, REKEY_SPAN("bearer ")) ||
        starts_with(text, REKEY_SPAN("authorization:"))) {
        return "begins with the name of a scheme or a header: give the token alone";
    }
    if (last == ',' || last == ';') {
        snprintf(buf, cap, "ends with '%c', which is not part of it: leave it out", last);
        return buf;
    }
    if (control_fault(text, buf, cap) != NULL) {
        return buf;
    }
    while (end > 0 && text.ptr[end - 1] == '=') {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        const char byte = text.ptr[i];

        if (rekey_is_alnum(byte) || rekey_is_one_of(byte, "-._~+/")) {
            continue;
        }
        if (byte == ' ') {
            snprintf(buf, cap, "has a space: byte %zu; a bearer token has none", i + 1);
        } else if (byte > ' ' && byte <= '~') {
            snprintf(buf, cap,
                     "has '%c' as byte %zu, which is not allowed in a bearer token (RFC 6750)",
                     byte, i + 1);
        } else {
            snprintf(buf, cap, "is not ASCII: byte %zu is \\x%02X", i + 1, (unsigned char)byte);
        }
        return buf;
    }
    return NULL;
}

const char *secret_text_fault(enum secret_text kind, struct rekey_span text, char *buf,
                              size_t cap) {
    const char *fault;

    if (is_utf16(text)) {
        return "is UTF-16, as Windows PowerShell writes it: write it with `Out-File -Encoding "
               "ascii`, or convert it with `iconv -f UTF-16 -t UTF-8`";
    }
    if (kind == SECRET_TEXT_KEY_VALUE) {
        return NULL;
    }
    fault = marks(kind, text);
    if (fault == NULL) {
        fault =
            kind == SECRET_TEXT_TOKEN ? token_fault(text, buf, cap) : control_fault(text, buf, cap);
    }
    if (fault != NULL || kind == SECRET_TEXT_TOKEN) {
        return fault;
    }
    if (at(text, 0) == ' ' || (text.len > 0 && text.ptr[text.len - 1] == ' ')) {
        return "begins or ends with a space, which is not part of it";
    }
    for (size_t i = 0; i < text.len;) {
        size_t n = rekey_utf8(text, i, NULL);

        if (n == 0) {
            snprintf(buf, cap, "is not UTF-8: byte %zu is \\x%02X", i + 1,
                     (unsigned char)text.ptr[i]);
            return buf;
        }
        i += n;
    }
    return NULL;
}
