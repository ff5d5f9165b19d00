// url.h - splits absolute https URLs in place. Nothing here copies or allocates: a struct rekey_url
// has spans into the caller's bytes and is valid as long as those bytes. It does not decode
// percent-encoding (rekey never decodes a URL that it received), and does not accept http (no token
// is sent over it).

#ifndef REKEY_URL_H
#define REKEY_URL_H

#include "rekey_error.h"
#include "span.h"

struct rekey_url {
    struct rekey_span host;   // without brackets and without a trailing dot
    struct rekey_span target; // path and query, as the request line sends them; empty means "/"
    uint16_t port;            // 443 if the URL names none
    bool ipv6;                // the host was in brackets
};

// Splits `text` into its parts. Accepts the URLs of docs/service.md 4.1: scheme https in any case,
// no userinfo, a host (a name, an IPv4 address, or an IPv6 address in brackets), an optional port
// 1..65535, a path, an optional query; a fragment is cut off. Returns 0, or REKEY_E_URL_SCHEME,
// REKEY_E_URL_HOST (the authority is not just a host and a port), REKEY_E_URL_BYTE (a byte that RFC
// 3986 does not allow, such as a space or a backslash). After an error the content of *url is
// undefined.
int rekey_url_parse(struct rekey_span text, struct rekey_url *url);

// The host in `text`, which may be any string, for an error text: the bytes between "//" (or the
// start) and the next '/', '?', '#' or '\', without userinfo. May be empty.
struct rekey_span rekey_url_host_of(struct rekey_span text);

// Whether two hosts are the same. The case of ASCII letters and one trailing dot are ignored.
bool rekey_url_same_host(struct rekey_span a, struct rekey_span b);

// Whether `host` can stand in a URL: 1..253 bytes of letters, digits, '-', '.', '_', not beginning
// with '.' or '-'; or with `ipv6` hexadecimal digits, ':' and '.'.
bool rekey_url_host_valid(struct rekey_span host, bool ipv6);

#endif
