// no_proxy.c - searches the list of hosts that are connected to without a proxy (proxy.h).

#include <arpa/inet.h>

#include "proxy.h"

// The part of `text` that begins at offset `at`.
static struct rekey_span from(struct rekey_span text, size_t at) {
    return rekey_span(text.ptr + at, text.len - at);
}

// The offset of the first `c` in `text`; text.len if there is none.
static size_t find(struct rekey_span text, char c) {
    size_t at = 0;

    while (at < text.len && text.ptr[at] != c) {
        at++;
    }
    return at;
}

// Reads a number of 1 to 5 digits; UINT32_MAX if `text` is not one.
static uint32_t number(struct rekey_span text) {
    uint32_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!rekey_is_digit(text.ptr[i])) {
            return UINT32_MAX;
        }
        value = value * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return text.len > 0 && text.len <= 5 ? value : UINT32_MAX;
}

// Splits HOST[:PORT], [HOST][:PORT], or an IPv6 address alone. *port is unchanged if there is no
// port.
static bool split(struct rekey_span text, struct rekey_span *host, uint16_t *port) {
    bool bracket = text.len > 0 && text.ptr[0] == '[';
    size_t end = find(text, bracket ? ']' : ':');
    uint32_t value;

    if (bracket && end == text.len) {
        return false;
    }
    if (!bracket && end < text.len && find(from(text, end + 1), ':') < text.len - end - 1) {
        end = text.len;
    }
    *host = bracket ? rekey_span(text.ptr + 1, end - 1) : rekey_span(text.ptr, end);
    text = from(text, end + bracket);
    if (text.len == 0) {
        return true;
    }
    value = number(from(text, 1));
    if (text.ptr[0] != ':' || value == 0 || value > 65535) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

// Converts an IP address to bytes; returns how many, 0 if `text` is not an IP address.
static size_t address(struct rekey_span text, unsigned char bytes[16]) {
    char copy[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(copy)) {
        return 0;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET, copy, bytes) == 1    ? 4
           : inet_pton(AF_INET6, copy, bytes) == 1 ? 16
                                                   : 0;
}

// An IP address is compared only as a number, and only with other IP addresses: the entry 0.0.1
// does not match 10.0.0.1.
static bool in_range(struct rekey_span range, const unsigned char *host, size_t len) {
    unsigned char base[16];
    size_t slash = find(range, '/');
    uint32_t bits = slash < range.len ? number(from(range, slash + 1)) : (uint32_t)len * 8;

    if (address(rekey_span(range.ptr, slash), base) != len || bits > len * 8) {
        return false;
    }
    if (bits % 8 != 0 && ((base[bits / 8] ^ host[bits / 8]) >> (8 - bits % 8)) != 0) {
        return false;
    }
    return memcmp(base, host, bits / 8) == 0;
}

static bool in_domain(struct rekey_span domain, struct rekey_span host) {
    if (domain.len > 0 && domain.ptr[0] == '.') {
        domain = from(domain, 1);
    }
    if (domain.len == 0 || host.len < domain.len) {
        return false;
    }
    return rekey_span_equal_nocase(from(host, host.len - domain.len), domain) &&
           (host.len == domain.len || host.ptr[host.len - domain.len - 1] == '.');
}

bool rekey_proxy_excepts(struct rekey_span list, struct rekey_span host, uint16_t port) {
    unsigned char bytes[16];
    size_t len = address(host, bytes);

    while (list.len > 0) {
        struct rekey_span entry = {list.ptr, 0}, name;
        uint16_t only = port;

        while (entry.len < list.len && !rekey_is_one_of(list.ptr[entry.len], ", \t\r\n")) {
            entry.len++;
        }
        list = from(list, entry.len + (entry.len < list.len));
        if (!split(entry, &name, &only) || only != port) {
            continue;
        }
        if (rekey_span_equal(name, REKEY_SPAN("*")) ||
            (len > 0 ? in_range(name, bytes, len) : in_domain(name, host))) {
            return true;
        }
    }
    return false;
}
