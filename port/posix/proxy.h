// proxy.h - a tunnel through an HTTP proxy: CONNECT (RFC 9110 9.3.6), as a transport between TCP
// and TLS. The proxy sees the host and port, and then only TLS. The proxy looks the host up. The
// caller decides which proxy is used, and for which hosts.

#ifndef REKEY_PROXY_H
#define REKEY_PROXY_H

#include "http.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// The progress of the last attempt.
enum rekey_proxy_phase {
    REKEY_PROXY_UNUSED, // there was no attempt, or it did not use the proxy
    REKEY_PROXY_CONNECTING,
    REKEY_PROXY_ASKING,
    REKEY_PROXY_WAITING, // waiting for the answer
    REKEY_PROXY_TUNNEL,
};

struct rekey_proxy {
    // The caller sets these fields, and zeroes all others. All pointers must stay valid as long as
    // the transport is used.
    struct rekey_transport lower;
    struct rekey_span host; // of the proxy, without brackets; empty: no proxy
    uint16_t port;
    struct rekey_span authorization; // a whole field line with its line end; empty: no such field
    struct rekey_span board;         // for User-Agent
    struct rekey_span except; // hosts that are connected to directly, in the form of NO_PROXY

    // The caller may read these fields: how the last attempt ended, until the next one begins.
    // `status` and `fault` stay until the proxy answers the next attempt, or closes: an application
    // that stops in the middle of an attempt can still report why the previous attempt failed.
    uint8_t phase;
    uint16_t status; // of the proxy's answer; 0: there was none
    int fault; // error of the answer: one of http.h, or REKEY_E_PROXY for bytes that a proxy must
               // not send behind the answer; 0: none
    char schemes[80]; // authentication schemes that the proxy offers (Proxy-Authenticate),
                      // separated by ", "; each one once, and as many as fit
    bool basic;       // Basic (RFC 7617) is one of them

    bool active;
    uint8_t place, name_len; // position in Proxy-Authenticate
    char name[24];
    struct rekey_http_field challenge;
    uint16_t at, len; // of `io`, while asking
    struct rekey_http_cursor cursor;
    struct rekey_http http;
    char io[256];
};

// Returns a transport that keeps the contract of rekey_port.h, with `p` as its ctx. The caller's
// connect timeout covers all of open. Besides the errors of the transport below, open returns
//   REKEY_E_PROXY         the proxy refuses (407, 403, ...), or does not speak HTTP: trying again
//                         does not help,
//   REKEY_E_PROXY_TARGET  the proxy could not reach the host this time (5xx, 408, 429),
//   REKEY_E_END           the proxy closed the connection instead of answering.
struct rekey_transport rekey_proxy_transport(struct rekey_proxy *p);

// Whether `list`, in the form of NO_PROXY, has this host. Its entries are separated by commas or
// white space: `*`, a domain (with or without a dot before it; it includes all its subdomains), an
// IP address, or a range such as 10.0.0.0/8 or fd00::/8. Each entry may end in `:PORT`; an IPv6
// address is then in brackets. Any other entry matches nothing.
bool rekey_proxy_excepts(struct rekey_span list, struct rekey_span host, uint16_t port);

#ifdef __cplusplus
}
#endif

#endif
