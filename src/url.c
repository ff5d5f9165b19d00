// url.c - splitting an absolute https URL (RFC 3986), and the rule that two hosts are the same.

#include "url.h"

static struct rekey_span behind(struct rekey_span text, size_t len) {
    return rekey_span(text.ptr + len, text.len - len);
}

static struct rekey_span without_dot(struct rekey_span host) {
    if (host.len > 1 && host.ptr[host.len - 1] == '.') {
        host.len--;
    }
    return host;
}

// How many of the first bytes of `text` a host may be made of.
static size_t host_length(struct rekey_span text, bool ipv6) {
    size_t len = 0;

    while (len < text.len && (ipv6 ? rekey_hex_value(text.ptr[len]) >= 0
                                   : rekey_is_alnum(text.ptr[len])) ||
                              rekey_is_one_of(text.ptr[len], ipv6 ? ":." : "-._")) {
        len++;
    }
    return len;
}

bool rekey_url_host_valid(struct rekey_span host, bool ipv6) {
    return host.len > ipv6 && host.len <= 253 && host_length(host, ipv6) == host.len &&
           (ipv6 || !rekey_is_one_of(host.ptr[0], ".-"));
}

bool rekey_url_same_host(struct rekey_span a, struct rekey_span b) {
    return rekey_span_equal_nocase(without_dot(a), without_dot(b));
}

// The bytes of the authority that `text` begins with.
static size_t authority_length(struct rekey_span text) {
    size_t len = 0;

    while (len < text.len && !rekey_is_one_of(text.ptr[len], "/?#\\")) {
        len++;
    }
    return len;
}

// A port is nothing at all (443), or ':' and a number from 1 to 65535. RFC 3986 allows an empty one
// after the colon: it means the default. Returns 0 if it is none of these.
static uint16_t parse_port(struct rekey_span text) {
    int32_t port = 443;

    if (text.len > 1) {
        port = rekey_number(behind(text, 1), 65536);
    }
    if ((text.len > 0 && text.ptr[0] != ':') || port < 0 || port > 65535) {
        port = 0;
    }
    return (uint16_t)port;
}

// What a path and a query may hold, except that '%' need not stand before two hexadecimal digits.
// Returns the length up to the fragment; a byte that no URL may hold ends it early.

int rekey_url_parse(struct rekey_span text, struct rekey_url *url) {
    const struct rekey_span scheme = REKEY_SPAN("https://");
    struct rekey_url u;
    struct rekey_span rest;

    if (text.len < scheme.len ||
        !rekey_span_equal_nocase(rekey_span(text.ptr, scheme.len), scheme)) {
        return REKEY_E_URL_SCHEME;
    }
    u.host = behind(text, scheme.len);
    u.target = behind(u.host, authority_length(u.host));
    u.host.len -= u.target.len;
    u.ipv6 = u.host.len > 0 && u.host.ptr[0] == '[';
    u.host = behind(u.host, u.ipv6);
    rest = behind(u.host, host_length(u.host, u.ipv6));
    u.host.len -= rest.len;
    ...
}
