// posix.h - the port for a POSIX system with CLOCK_BOOTTIME and getrandom: Linux. It provides TCP
// as a transport, the two clocks, randomness, the wait of a blocking caller, and files that are
// replaced atomically. TLS (port/mbedtls) runs over its transport.

#ifndef REKEY_POSIX_H
#define REKEY_POSIX_H

#include <netinet/in.h>
#include <sys/select.h> // sigset_t, which <signal.h> has only beyond C11
#include <sys/types.h>

#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// The largest number of addresses of one name that are tried. In the worst case all attempts are
// pending at once, each with a socket: then this many descriptors are open, and one more until one
// of them has connected.
#define REKEY_POSIX_ADDRESSES 16

// The time between the starts of two attempts if none has failed in between (RFC 8305 5 and 8). It
// is shorter if otherwise not all attempts would begin in the first half of the connect timeout.
#define REKEY_POSIX_DELAY_MS 250u
#define REKEY_POSIX_DELAY_MIN_MS 10u

struct rekey_posix_address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
};

// One TCP connection, or the attempt at one. Start from REKEY_POSIX_TCP_INIT.
struct rekey_posix_tcp {
    const sigset_t *unblocked; // the signal mask while rekey_posix_wait sleeps; NULL: unchanged

    // Optional: stores the addresses of `host` that the application knows, at most `cap`, and
    // returns how many there are; 0 if the name must be looked up. The port is filled in later. TLS
    // still verifies the name of the server. The function must not wait.
    size_t (*known)(void *arg, const char *host, struct rekey_posix_address *addresses, size_t cap);
    void *known_arg;

    // The descriptor that an application with its own event loop must wait for, as REKEY_WANT_READ
    // or REKEY_WANT_WRITE says; -1: nothing is open. It is the pipe from the child process during
    // the lookup, an epoll descriptor during the attempts, and the socket after that. Each call of
    // open may replace it, even by a new one with the same number. wait_ms tells when the next
    // attempt begins.
    int fd;
    int error;          // errno of the last failure, also of an earlier connection; or 0
    pid_t lookup;       // the child process that looks the name up; 0 if there is none
    size_t received;    // bytes of `addresses` that the child has sent
    size_t count, next; // number of addresses; index of the next one to try
    bool connected;
    uint32_t delay_ms; // time between the starts of two attempts
    uint64_t next_ms;  // the start of the next attempt, on the clock of rekey_posix_now_ms
    uint32_t pending;  // bit i: sockets[i] is connecting to addresses[i]
    int sockets[REKEY_POSIX_ADDRESSES];
    struct rekey_posix_address addresses[REKEY_POSIX_ADDRESSES];
};

// All fields in order: C++ has no other way, and warns of missing fields.
// clang-format off
#define REKEY_POSIX_TCP_INIT                                                                       \
    { NULL, NULL, NULL, -1, 0, 0, 0, 0, 0, false, 0, 0, 0, {0}, {{0, {{0, {0}}}}} }
// clang-format on

// Returns a transport over one TCP connection that keeps the contract of rekey_port.h, with `tcp`
// as its ctx. All addresses of a name are tried as in RFC 8305: in the order of getaddrinfo (RFC
// 6724), but with the address families in turn; no attempt is given up before the timeout. No
// SIGPIPE is raised when the peer has closed the connection.
struct rekey_transport rekey_posix_transport(struct rekey_posix_tcp *tcp);

// Milliseconds of CLOCK_BOOTTIME. `ctx` is not used.
uint64_t rekey_posix_now_ms(void *ctx);

#define REKEY_POSIX_BOOT_ID_LEN 36u

// The kernel's boot_id (random(4)), which is different after each boot. Returns false, and stores
// "", if there is none.
bool rekey_posix_boot_id(char id[REKEY_POSIX_BOOT_ID_LEN + 1]);

// Seconds of CLOCK_REALTIME. `ctx` is not used.
int64_t rekey_posix_wall_s(void *ctx);

// getrandom(2). `ctx` is not used.
int rekey_posix_entropy(void *ctx, void *buf, size_t len);

// Sleeps as rekey_port.h says; `ctx` is the struct rekey_posix_tcp. It also returns on a signal,
// and when the next attempt is due.
void rekey_posix_wait(void *ctx, int want, uint32_t ms);

// Starts a lookup in a child process, because getaddrinfo can block for half a minute and cannot be
// interrupted, and because it allocates memory. The child keeps none of the process's descriptors
// open. Sets tcp->lookup and tcp->fd. If `host` is an IP address (also an IPv6 address with a
// scope), or if tcp->known knows it, there is no child, and tcp->addresses are set at once. Returns
// 0 or REKEY_E_LOOKUP.
int rekey_posix_lookup_start(struct rekey_posix_tcp *tcp, struct rekey_span host, uint16_t port);

// Returns REKEY_DONE with tcp->addresses filled, REKEY_WANT_READ, or REKEY_E_LOOKUP.
int rekey_posix_lookup_step(struct rekey_posix_tcp *tcp);

// Kills the child, if there is one.
void rekey_posix_lookup_stop(struct rekey_posix_tcp *tcp);

// Flags for `what` of rekey_posix_open and rekey_posix_read_file.
#define REKEY_POSIX_LINKS 1u    // a symbolic link as the last part of the path is followed
#define REKEY_POSIX_REGULAR 2u  // only a regular file is accepted
#define REKEY_POSIX_ONE_NAME 4u // only a regular file without other hard links is accepted

// The meaning of an errno; "error number N" for an errno that these files do not expect. The C
// library's own strerror may load a translation, which allocates. The text is valid until the next
// call.
const char *rekey_posix_error_text(int number);

// Opens `path`, which may have been created by somebody else: it does not wait for the other side
// of a pipe or for a device, and programs that are started do not inherit the descriptor
// (O_NONBLOCK, O_NOCTTY, O_CLOEXEC; the mode of a new file is 0600). Returns a descriptor, or -1
// with errno set, among others to ELOOP for a symbolic link, EISDIR, ESPIPE for another file that
// is not regular, and EMLINK for a file with other hard links.
int rekey_posix_open(const char *path, int flags, unsigned what);

// Waits until `fd` can be read, or written; if `fd` is -1, it only waits for the time. If
// `unblocked` is not NULL, it is the signal mask during the wait. Returns 0; or -1 with errno
// ETIMEDOUT at the time `until` of rekey_posix_now_ms, or EINTR on a signal.
int rekey_posix_ready(int fd, bool to_write, uint64_t until, const sigset_t *unblocked);

// Reads from a file, pipe or terminal, and waits for it as rekey_posix_ready does. Returns the
// number of bytes, 0 at the end, or -1 with errno set.
ssize_t rekey_posix_read(int fd, void *buf, size_t cap, uint64_t until, const sigset_t *unblocked);

#define REKEY_POSIX_NEW 1u // a file that exists is left alone, and none is left after a failure
#define REKEY_POSIX_ALONE                                                                          \
    2u // no other process writes there: the temporary file always has the same name

#define REKEY_POSIX_NO_GROUP ((gid_t)-1)

// Writes `len` bytes to the file `path` so that after a power cut the file contains either these
// bytes or its previous content. The function writes a temporary file beside it, then calls fsync,
// rename, and fsync of the directory. `how` is made of the flags above. The mode is 0600; if there
// is a `group`, the file belongs to that group and the mode is 0640. If `owner` is not 0, the file
// is given to that user, which only root can do. A file that has the name of the temporary file is
// removed, and never opened. Returns NULL; or the step that failed, such as "sync the directory",
// with errno set (EEXIST with REKEY_POSIX_NEW if the file exists).
const char *rekey_posix_write_file(const char *path, const void *data, size_t len, unsigned how,
                                   uid_t owner, gid_t group);

// Sets the mode 0600, or the group and the mode 0640. Returns 0, or -1 with errno set.
int rekey_posix_set_mode(int fd, gid_t group);

// Reads the regular file `path` into buf[0..cap), if it fits. `what` as for rekey_posix_open.
// Returns 0 with *len, or -1 with errno set (EFBIG, and those of rekey_posix_open).
int rekey_posix_read_file(const char *path, void *buf, size_t cap, size_t *len, unsigned what);

#ifdef __cplusplus
}
#endif

#endif
