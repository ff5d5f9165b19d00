// sockets.h - TCP as a transport over the BSD sockets API and a lookup function of the image: for
// systems with sockets and without processes (lwIP's sockets, ESP-IDF, Zephyr, and any POSIX).
// Nothing here waits, starts a process or a thread, or allocates.

#ifndef REKEY_SOCKETS_H
#define REKEY_SOCKETS_H

// Where the sockets API is not POSIX's: the header that has it, as '<lwip/sockets.h>'.
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

// Addresses of one name that are tried; more are not. Each takes 20 to 32 bytes.
#ifndef REKEY_SOCKETS_ADDRESSES
#define REKEY_SOCKETS_ADDRESSES 4
#endif

// How long an address has until the next one is tried; less where the connect timeout is so short
// that not all would be tried. The last one has the rest of that timeout.
#ifndef REKEY_SOCKETS_ADDRESS_MS
#define REKEY_SOCKETS_ADDRESS_MS 2000u
#endif

// A lookup that has not ended is asked for again after this time.
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

// One TCP connection, or the attempt at one. Starts zeroed, but for the first three fields.
struct rekey_sockets_tcp {
    const struct rekey_port *port; // for its clock

    // Stores the addresses of `host`, at most `cap`, and in *count, which is 0 before, how many
    // there are; their ports are filled in later. An IP address is not asked for. Must not wait.
    // Returns REKEY_DONE; REKEY_WANT_READ while there is no answer: it is called again, with the
    // same host; or REKEY_E_LOOKUP. It is not told when nobody waits for the answer any more: a
    // later call may be for another host.
    int (*lookup)(void *arg, const char *host, struct rekey_sockets_address *addresses, size_t cap,
                  size_t *count);
    void *lookup_arg;

    // The socket, for an application that waits by itself; -1 while there is none, as during the
    // lookup. Each call of open may make it another one, also under the same number.
    int fd;
    int error; // errno of the last failure, also of an earlier connection; or 0

    uint8_t phase;
    size_t count, next; // addresses there are; the one that is tried next
    uint64_t until;     // the time of the address that is being tried, on the clock of `port`
    struct rekey_sockets_address addresses[REKEY_SOCKETS_ADDRESSES];
};

// The transport contract of rekey_port.h over one TCP connection; `tcp` becomes its ctx. Sets
// tcp->fd: to be called before open. The addresses of a name are tried one after another, in the
// order of `lookup`. Where there is no MSG_NOSIGNAL, the image ignores SIGPIPE.
struct rekey_transport rekey_sockets_transport(struct rekey_sockets_tcp *tcp);

// rekey_port.wait for rekey_run, by poll; `ctx` is the struct rekey_sockets_tcp.
void rekey_sockets_wait(void *ctx, int want, uint32_t ms);

#ifdef __cplusplus
}
#endif

#endif
