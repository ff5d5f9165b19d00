// sockets.h - TCP as a transport over the BSD sockets API and a lookup function of the application:
// for systems with sockets but without processes (lwIP's sockets, ESP-IDF, Zephyr), and for any
// POSIX system. Nothing here waits, starts a process or a thread, or allocates.

#ifndef REKEY_SOCKETS_H
#define REKEY_SOCKETS_H

// If the sockets API is not that of POSIX: the header that declares it, such as '<lwip/sockets.h>'.
#ifdef REKEY_SOCKETS_HEADER
#include REKEY_SOCKETS_HEADER
#else
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// The largest number of addresses of one name that are tried. Each takes 20 to 32 bytes.
#ifndef REKEY_SOCKETS_ADDRESSES
#define REKEY_SOCKETS_ADDRESSES 4
#endif

// The time for one address before the next one is tried. It is shorter if otherwise not all
// addresses would be tried within the connect timeout. The last address has the rest of that
// timeout.
#ifndef REKEY_SOCKETS_ADDRESS_MS
#define REKEY_SOCKETS_ADDRESS_MS 2000u
#endif

// A lookup that is not complete is called again after this time.
#ifndef REKEY_SOCKETS_LOOKUP_MS
#define REKEY_SOCKETS_LOOKUP_MS 50u
#endif

struct rekey_sockets_address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
#if !defined(LWIP_HDR_SOCKETS_H) || LWIP_IPV6
        struct sockaddr_in6 v6;
#endif
    } at;
};

// One TCP connection, or the attempt at one. Set the first three fields, and zero all others.
struct rekey_sockets_tcp {
    const struct rekey_port *port; // only its now_ms is used

    // Stores the addresses of `host`, at most `cap`, and their number in *count, which is 0 before
    // the call; the ports are filled in later. The function is not called for an IP address, and
    // must not wait. Returns REKEY_DONE; REKEY_WANT_READ while there is no answer, to be called
    // again with the same host; or REKEY_E_LOOKUP. If the connection is given up in the meantime,
    // the next call may be for another host.
    int (*lookup)(void *arg, const char *host, struct rekey_sockets_address *addresses, size_t cap,
                  size_t *count);
    void *lookup_arg;

    // The socket, for an application with its own event loop; -1 while there is none, for example
    // during the lookup. Each call of open may replace it, even by a new one with the same number.
    int fd;
    int error; // errno of the last failure, also of an earlier connection; or 0

    uint8_t phase;
    size_t count, next; // number of addresses; index of the next one to try
    uint64_t until;     // the end of the time for the current address, on the clock of `port`
    struct rekey_sockets_address addresses[REKEY_SOCKETS_ADDRESSES];
};

// Returns a transport over one TCP connection that keeps the contract of rekey_port.h, with `tcp`
// as its ctx. It also initializes tcp->fd, so call it before open. The addresses of a name are
// tried one after another, in the order of `lookup`. If the system has no MSG_NOSIGNAL, the
// application must ignore SIGPIPE.
struct rekey_transport rekey_sockets_transport(struct rekey_sockets_tcp *tcp);

// rekey_port.wait for rekey_run, by poll; `ctx` is the struct rekey_sockets_tcp.
void rekey_sockets_wait(void *ctx, int want, uint32_t ms);

#ifdef __cplusplus
}
#endif

#endif
