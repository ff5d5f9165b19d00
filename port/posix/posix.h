// posix.h - the port for a POSIX system with CLOCK_BOOTTIME and getrandom: Linux.
// TCP as a transport, the two clocks, randomness, the wait of a blocking caller, and a file that is
// replaced atomically. TLS is stacked on the transport (port/mbedtls).

#ifndef REKEY_POSIX_H
#define REKEY_POSIX_H

#include <netinet/in.h>
#include <sys/select.h> // sigset_t, which <signal.h> has only beyond C11
#include <sys/types.h>

#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// Addresses of one name that are tried; more are not. In the worst case all attempts are pending at
// once, each with a socket: this many descriptors, and two more until one of them has connected.
#define REKEY_POSIX_ADDRESSES 16

// From one attempt to the next, if none failed meanwhile (RFC 8305 5 and 8); less where the connect
// timeout is so short that not all would begin within its first half.
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
    // What an application that waits by itself waits for, as REKEY_WANT_READ or REKEY_WANT_WRITE
    // says; -1: nothing is open. The pipe from the child while the name is looked up, an epoll
    // descriptor while there are attempts, the socket after that. Each call of open may make it
    // another one, also under the same number.
    int fd;
    pid_t lookup;       // the child that looks the name up; 0 if there is none
    size_t received;    // bytes of `addresses` that came from the child
    size_t count, next; // addresses there are; the one that is tried next
    bool connected;
    bool due;          // the next address is tried now
    int timer;         // for the next attempt; -1: there are no attempts
    uint32_t delay_ms; // from one attempt to the next
    uint32_t pending;  // bit i: sockets[i] is connecting to addresses[i]
    int sockets[REKEY_POSIX_ADDRESSES];
    int error; // errno of the last failure, also of an earlier connection; or 0
    struct rekey_posix_address addresses[REKEY_POSIX_ADDRESSES];
};

#define REKEY_POSIX_TCP_INIT                                                                       \
    { .fd = -1, .timer = -1 }

// The transport contract of rekey_port.h over one TCP connection; `tcp` becomes its ctx. All
// addresses of a name are tried as in RFC 8305, in the order of getaddrinfo (RFC 6724) but with the
// families in turn; none is given up before the timeout. No signal is raised when the peer has
// gone.
struct rekey_transport rekey_posix_transport(struct rekey_posix_tcp *tcp);

// Milliseconds of CLOCK_BOOTTIME. `ctx` is not used.
uint64_t rekey_posix_now_ms(void *ctx);

#define REKEY_POSIX_BOOT_ID_LEN 36u

// The kernel's boot_id (random(4)): another one after each boot. False, and "", where there is
// none.
bool rekey_posix_boot_id(char id[REKEY_POSIX_BOOT_ID_LEN + 1]);

// Seconds of CLOCK_REALTIME. `ctx` is not used.
int64_t rekey_posix_wall_s(void *ctx);

// getrandom(2). `ctx` is not used.
int rekey_posix_entropy(void *ctx, void *buf, size_t len);

// Sleeps as rekey_port.h says; `ctx` is the struct rekey_posix_tcp. Also returns when a signal
// came.
void rekey_posix_wait(void *ctx, int want, uint32_t ms);

// Starts a lookup in a child process: getaddrinfo can hang for half a minute in a way that nothing
// interrupts, and it allocates. Sets tcp->lookup and tcp->fd; where `host` is an IP address it sets
// tcp->addresses instead. Returns 0 or REKEY_E_LOOKUP.
int rekey_posix_lookup_start(struct rekey_posix_tcp *tcp, struct rekey_span host, uint16_t port);

// Returns REKEY_DONE with tcp->addresses filled, REKEY_WANT_READ, or REKEY_E_LOOKUP.
int rekey_posix_lookup_step(struct rekey_posix_tcp *tcp);

// Kills the child, if there is one.
void rekey_posix_lookup_stop(struct rekey_posix_tcp *tcp);

// What rekey_posix_open and rekey_posix_read_file take.
#define REKEY_POSIX_LINKS 1u    // a symbolic link as the last part of the path is followed
#define REKEY_POSIX_REGULAR 2u  // nothing but a regular file
#define REKEY_POSIX_ONE_NAME 4u // nothing but a regular file without other hard links

// Opens `path`, which somebody else may have put there: does not wait for the other side of a pipe
// or for a device, and gives it to no program that is started (O_NONBLOCK, O_NOCTTY, O_CLOEXEC; the
// mode of a new file is 0600). Returns a descriptor, or -1 with errno set, among others ELOOP for a
// symbolic link, EISDIR, ESPIPE for another file that is not regular, and EMLINK for one with
// other hard links.
int rekey_posix_open(const char *path, int flags, unsigned what);

// Waits until something can be read from `fd`, or written to it; with -1 for the time alone. With
// `unblocked`, this is the signal mask meanwhile. Returns 0; or -1 with errno ETIMEDOUT at the time
// `until` of rekey_posix_now_ms, or EINTR when a signal came.
int rekey_posix_ready(int fd, bool to_write, uint64_t until, const sigset_t *unblocked);

// Reads from a file, pipe or terminal, waiting as above. Returns the number of bytes, 0 at the end,
// or -1 with errno set.
ssize_t rekey_posix_read(int fd, void *buf, size_t cap, uint64_t until, const sigset_t *unblocked);

#define REKEY_POSIX_NEW 1u // a file that exists is left alone, and none is left after a failure
#define REKEY_POSIX_ALONE                                                                          \
    2u // nobody else writes there: the temporary file has always the same name

#define REKEY_POSIX_NO_GROUP ((gid_t)-1)

// Puts `len` bytes into the file `path` so that after a power cut it holds either these or what it
// held before: a temporary file beside it, fsync, rename, fsync of the directory. `how` is made of
// the flags above. The mode is 0600; with a group 0640, and the file is the group's. An `owner`
// other than 0 gets the file; root alone can give one away. Whatever lies in the place of the
// temporary file is removed, and never opened. Returns NULL; or what could not be done, as "sync
// the directory", with errno set (EEXIST with REKEY_POSIX_NEW for a file that is there).
const char *rekey_posix_write_file(const char *path, const void *data, size_t len, unsigned how,
                                   uid_t owner, gid_t group);

// Mode 0600, or 0640 for a group. Returns 0, or -1 with errno set.
int rekey_posix_set_mode(int fd, gid_t group);

// Reads the regular file `path` into buf[0..cap), if it fits. `what` as for rekey_posix_open.
// Returns 0 with *len, or -1 with errno set (EFBIG, and those of rekey_posix_open).
int rekey_posix_read_file(const char *path, void *buf, size_t cap, size_t *len, unsigned what);

#ifdef __cplusplus
}
#endif

#endif
