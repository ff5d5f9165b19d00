// url.c - splitting an absolute https URL (RFC 3986), and the rule that two hosts are the same.

#include "url.h"

// What a path, a query or a fragment may hold: pchar, '/', '?', and '%' before two hex digits.
static bool url_bytes_valid(struct rekey_span text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            if (text.len - i < 3 || rekey_hex_value(text.ptr[i + 1]) < 0 ||
                rekey_hex_value(text.ptr[i + 2]) < 0) {
                return false;
            }
        } else if (!rekey_is_alnum(c) && !rekey_is_one_of(c, "-._~!$&'()*+,;=:@/?")) {
            return false;
        }
    }
    return true;
}

static struct rekey_span without_dot(struct rekey_span host) {
    if (host.len > 1 && host.ptr[host.len - 1] == '.') {
        host.len--;
    }
    return host;
}

bool rekey_url_host_valid(struct rekey_span host, bool ipv6) {
    if (host.len < (ipv6 ? 2 : 1) || host.len > 253) {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];

        if (ipv6 ? !(rekey_hex_value(c) >= 0 || c == ':' || c == '.')
                 : !(rekey_is_alnum(c) || rekey_is_one_of(c, "-._"))) {
            return false;
        }
    }
    return ipv6 || (host.ptr[0] != '.' && host.ptr[0] != '-');
}

bool rekey_url_same_host(struct rekey_span a, struct rekey_span b) {
    return rekey_span_equal_nocase(without_dot(a), without_dot(b));
}

// The end of the authority that starts at `at`.
static size_t authority_end(struct rekey_span text, size_t at) {
    while (at < text.len && !rekey_is_one_of(text.ptr[at], "/?#\\")) {
        at++;
    }
    return at;
}

// A port is nothing at all (443), or ':' and 1 to 5 digits that make 1..65535. RFC 3986 allows an
// empty one after the colon: it means the default.
static int parse_port(struct rekey_span text, uint16_t *port) {
    uint32_t value = 0;

    if (text.len <= 1) {
        *port = 443;
        return text.len == 0 || text.ptr[0] == ':' ? 0 : REKEY_E_URL_HOST;
    }
    if (text.ptr[0] != ':') {
        return REKEY_E_URL_HOST;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (!rekey_is_digit(text.ptr[i]) || i > 5) {
            return REKEY_E_URL_PORT;
        }
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (value == 0 || value > 65535) {
        return REKEY_E_URL_PORT;
    }
    *port = (uint16_t)value;
    return 0;
}

int rekey_url_parse(struct rekey_span text, struct rekey_url *url) {
    struct rekey_url u;
    size_t end;
    size_t at = sizeof("https://") - 1;
    size_t host_end;
    int error;

    if (text.len < at ||
        !rekey_span_equal_nocase(rekey_span(text.ptr, at), REKEY_SPAN("https://"))) {
        return REKEY_E_URL_SCHEME;
    }
    end = authority_end(text, at);
    if (end < text.len && text.ptr[end] == '\\') {
        return REKEY_E_URL_BYTE;
    }
    if (memchr(text.ptr + at, '@', end - at) != NULL) {
        return REKEY_E_URL_USERINFO;
    }
    u.ipv6 = at < end && text.ptr[at] == '[';
    host_end = at;
    while (host_end < end && text.ptr[host_end] != (u.ipv6 ? ']' : ':')) {
        host_end++;
    }
    if (u.ipv6) {
        if (host_end == end) {
            return REKEY_E_URL_HOST;
        }
        u.host = rekey_span(text.ptr + at + 1, host_end - at - 1);
        host_end++;
    } else {
        u.host = without_dot(rekey_span(text.ptr + at, host_end - at));
    }
    if (!rekey_url_host_valid(u.host, u.ipv6) || u.host.ptr[u.host.len - 1] == '.') {
        return REKEY_E_URL_HOST;
    }
    error = parse_port(rekey_span(text.ptr + host_end, end - host_end), &u.port);
    if (error != 0) {
        return error;
    }
    u.target = rekey_span(text.ptr + end, text.len - end);
    for (size_t i = 0; i < u.target.len; i++) {
        if (u.target.ptr[i] == '#') {
            if (!url_bytes_valid(rekey_span(u.target.ptr + i + 1, u.target.len - i - 1))) {
                return REKEY_E_URL_BYTE;
            }
            u.target.len = i;
        }
    }
    if (!url_bytes_valid(u.target)) {
        return REKEY_E_URL_BYTE;
    }
    *url = u;
    return 0;
}

struct rekey_span rekey_url_host_of(struct rekey_span text) {
    size_t at = 0;
    size_t end;

    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] == '/' && text.ptr[i + 1] == '/') {
            at = i + 2;
            break;
        }
    }
    end = authority_end(text, at);
    for (size_t i = at; i < end; i++) {
        if (text.ptr[i] == '@') {
            at = i + 1;
        }
    }
    return rekey_span(text.ptr + at, end - at);
}

void rekey_url_append_segment(char *buf, size_t *len, struct rekey_span text) {
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (rekey_is_alnum((char)c) || rekey_is_one_of((char)c, "-._~()")) {
            buf[(*len)++] = (char)c;
        } else {
            buf[(*len)++] = '%';
            buf[(*len)++] = hex[c >> 4];
            buf[(*len)++] = hex[c & 15];
        }
    }
}
