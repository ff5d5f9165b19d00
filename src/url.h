// url.h - absolute https URLs, read where they lie.
// Nothing here copies or allocates: a struct rekey_url is spans into the caller's bytes and is
// valid as long as they are. What does not live here: percent-decoding (rekey never decodes a URL
// that it was given) and http (no token goes there).

#ifndef REKEY_URL_H
#define REKEY_URL_H

#include "rekey_error.h"
#include "span.h"

struct rekey_url {
    struct rekey_span host;   // without brackets and without a trailing dot
    struct rekey_span target; // path and query, as the request line sends them; empty means "/"
    uint16_t port;            // 443 where the URL names none
    bool ipv6;                // the host stood in brackets
};

// Splits `text` into its parts. Accepts what docs/service.md 4.1 accepts: scheme https in any case,
// no userinfo, a host (a name, an IPv4 address, or an IPv6 address in brackets), an optional port
// 1..65535, a path, an optional query; a fragment is cut off.
// Returns 0, or REKEY_E_URL_SCHEME, REKEY_E_URL_HOST (the authority is not just a host and a port),
// REKEY_E_URL_BYTE (a byte that RFC 3986 does not allow, such as a space or a backslash). On an
// error *url is of no use.
int rekey_url_parse(struct rekey_span text, struct rekey_url *url);

// The authority's host of a URL that may be any string, for an error text: what stands between "//"
// (or the start) and the next '/', '?', '#' or '\', without userinfo. May be empty.
struct rekey_span rekey_url_host_of(struct rekey_span text);

// Whether two hosts are the same: ASCII case and one trailing dot do not count.
bool rekey_url_same_host(struct rekey_span a, struct rekey_span b);

// Whether `host` can stand in a URL: 1..253 bytes of letters, digits, '-', '.', '_', not beginning
// with '.' or '-'; or with `ipv6` hexadecimal digits, ':' and '.'.
bool rekey_url_host_valid(struct rekey_span host, bool ipv6);

#endif
