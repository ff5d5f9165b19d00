// url.c - splits an absolute https URL (RFC 3986), and compares hosts.

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

// How many bytes at the start of `text` are allowed in a host.
static size_t host_length(struct rekey_span text, bool ipv6) {
    size_t len = 0;

    while (len < text.len &&
           ((ipv6 ? rekey_hex_value(text.ptr[len]) >= 0 : rekey_is_alnum(text.ptr[len])) ||
            rekey_is_one_of(text.ptr[len], ipv6 ? ":." : "-._"))) {
        len++;
    }
    return len;
}

bool rekey_url_host_valid(struct rekey_span host, bool ipv6) {
    return host.len > (ipv6 ? 1 : 0) && host.len <= 253 && host_length(host, ipv6) == host.len &&
           (ipv6 || !rekey_is_one_of(host.ptr[0], "-."));
}

bool rekey_url_same_host(struct rekey_span a, struct rekey_span b) {
    return rekey_span_equal_nocase(without_dot(a), without_dot(b));
}

// The length of the authority at the start of `text`.
static size_t authority_length(struct rekey_span text) {
    size_t len = 0;

    while (len < text.len && !rekey_is_one_of(text.ptr[len], "/?#\\")) {
        len++;
    }
    return len;
}

// Reads the text behind the host: nothing, or ':' and a port. RFC 3986 allows an empty port, which
// means the default port.
static bool parse_port(struct rekey_span text, uint16_t *port) {
    int32_t value = text.len > 1 ? rekey_number(behind(text, 1), 65536) : 443;

    *port = (uint16_t)value;
    return (text.len == 0 || text.ptr[0] == ':') && value > 0 && value < 65536;
}

// Cuts the fragment off, whatever it contains. Returns false if a byte is not allowed in a path or
// query, or if a '%' is not followed by two hexadecimal digits.
static bool parse_target(struct rekey_span *target) {
    for (size_t i = 0; i < target->len; i++) {
        const char *c = target->ptr + i;

        if (*c == '#') {
            target->len = i;
        } else if (*c <= ' ' || *c > '~' || rekey_is_one_of(*c, "\"<>[\\]^`{|}") ||
                   (*c == '%' && (target->len - i < 3 || rekey_hex_value(c[1]) < 0 ||
                                  rekey_hex_value(c[2]) < 0))) {
            return false;
        }
    }
    return true;
}

int rekey_url_parse(struct rekey_span text, struct rekey_url *url) {
    const size_t scheme = sizeof("https://") - 1;
    struct rekey_span port;

    if (text.len < scheme ||
        !rekey_span_equal_nocase(rekey_span(text.ptr, scheme), REKEY_SPAN("https://"))) {
        return REKEY_E_URL_SCHEME;
    }
    text = behind(text, scheme);
    url->target = behind(text, authority_length(text));
    text.len -= url->target.len;
    url->ipv6 = text.len > 0 && text.ptr[0] == '[';
    url->host = behind(text, url->ipv6);
    port = behind(url->host, host_length(url->host, url->ipv6));
    url->host.len -= port.len;
    if (url->ipv6) {
        if (port.len == 0 || port.ptr[0] != ']') {
            return REKEY_E_URL_HOST;
        }
        port = behind(port, 1);
    }
    url->host = without_dot(url->host);
    if (!rekey_url_host_valid(url->host, url->ipv6) || url->host.ptr[url->host.len - 1] == '.' ||
        !parse_port(port, &url->port)) {
        return REKEY_E_URL_HOST;
    }
    return parse_target(&url->target) ? 0 : REKEY_E_URL_BYTE;
}

struct rekey_span rekey_url_host_of(struct rekey_span text) {
    size_t at = 1;

    while (at < text.len && (text.ptr[at] != '/' || text.ptr[at - 1] != '/')) {
        at++;
    }
    if (at < text.len) {
        text = behind(text, at + 1);
    }
    text.len = authority_length(text);
    for (at = text.len; at > 0; at--) {
        if (text.ptr[at - 1] == '@') {
            return behind(text, at);
        }
    }
    return text;
}
