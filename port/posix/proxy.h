// proxy.h - a way through an HTTP proxy: CONNECT (RFC 9110 9.3.6), as a transport between TCP and
// TLS. What the proxy sees is the host and port, and TLS after that; it looks the host up. Which
// proxy is used, and for what, is its user's to say.

#ifndef REKEY_PROXY_H
#define REKEY_PROXY_H

#include "http.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// How far the last attempt got.
enum rekey_proxy_phase {
    REKEY_PROXY_UNUSED, // there was none, or not through the proxy
    REKEY_PROXY_CONNECTING,
    REKEY_PROXY_ASKING,
    REKEY_PROXY_WAITING, // for the answer
    REKEY_PROXY_TUNNEL,
};

struct rekey_proxy {
    // For the user to set; zeroed else. What is pointed at lives as long as the transport is used.
    struct rekey_transport lower;
    struct rekey_span host; // of the proxy, without brackets; empty: there is none
    uint16_t port;
    struct rekey_span authorization; // a whole field line with its line end; empty: none is sent
    struct rekey_span board;         // for User-Agent
    struct rekey_span except;        // as NO_PROXY: what is connected to directly

    // For the user to read: how the last attempt ended, until the next one begins.
    uint8_t phase;
    uint16_t status;  // of the proxy's answer; 0: none came
    int fault;        // what was wrong with the answer: an error of http.h, or REKEY_E_PROXY for
                      // bytes that no proxy may send behind it; 0: nothing
    char schemes[80]; // that it offers for credentials (Proxy-Authenticate), with ", " between
                      // them; each once, and as many as there are bytes for
    bool basic;       // Basic (RFC 7617) is among them

    bool active;
    uint8_t place, name_len; // in Proxy-Authenticate
    char name[24];
    struct rekey_http_field challenge;
    uint16_t at, len; // of `io`, while asking
    struct rekey_http_cursor cursor;
    struct rekey_http http;
    char io[256];
};

// The transport contract of rekey_port.h; `p` becomes its ctx. All of open happens within its
// caller's connect timeout. Beside the errors of the transport below open returns
//   REKEY_E_PROXY         the proxy refuses (407, 403, ...), or does not speak HTTP: it will do so
//                         again,
//   REKEY_E_PROXY_TARGET  it could not get through this time (5xx, 408, 429),
//   REKEY_E_END           it closed instead of an answer.
struct rekey_transport rekey_proxy_transport(struct rekey_proxy *p);

// Whether `list`, of the form of NO_PROXY, has this host. Its entries stand between commas or white
// space: `*`, a domain (it is meant with all below it, with or without a dot before it), an
// IP address, or a range as 10.0.0.0/8 or fd00::/8; each with or without `:PORT`, for which an IPv6
// address stands in brackets. What is none of these matches nothing.
bool rekey_proxy_excepts(struct rekey_span list, struct rekey_span host, uint16_t port);

#ifdef __cplusplus
}
#endif

#endif
