// tcp.c - the transport contract of rekey_port.h over a non-blocking TCP socket. The addresses of a
// name are tried as in RFC 8305 (Happy Eyeballs): the next attempt begins while the earlier ones
// are still pending, and the first one that connects is kept. The pending sockets are in an epoll
// descriptor, so that there is always one descriptor to wait for; wait_ms returns the time to the
// next attempt.

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix.h"

_Static_assert(REKEY_POSIX_ADDRESSES <= 32, "`pending` has a bit for each");

static void close_fd(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

// Ends attempt `i`. The socket is removed from the epoll descriptor explicitly, because a child
// between fork and exec may still have it open.
static void end_attempt(struct rekey_posix_tcp *tcp, size_t i) {
    epoll_ctl(tcp->fd, EPOLL_CTL_DEL, tcp->sockets[i], NULL);
    close(tcp->sockets[i]);
    tcp->pending &= ~(UINT32_C(1) << i);
}

static void end_attempts(struct rekey_posix_tcp *tcp) {
    for (size_t i = 0; tcp->pending != 0; i++) {
        if ((tcp->pending >> i & 1) != 0) {
            end_attempt(tcp, i);
        }
    }
    tcp->next = tcp->count; // begin no other attempt
}

static void tcp_close(void *ctx) {
    struct rekey_posix_tcp *tcp = ctx;

    rekey_posix_lookup_stop(tcp);
    if (tcp->pending != 0) {
        tcp->error = 0; // the errors of other addresses are not the reason for the timeout
    }
    end_attempts(tcp);
    close_fd(&tcp->fd);
    tcp->connected = false;
}

// Stores the errno of a failed attempt. An error that only says that there is no route to an
// address (mostly because there is no IPv6) does not replace the error of an address that was
// reached.
static void note_error(struct rekey_posix_tcp *tcp, int error) {
    bool no_way = error == ENETUNREACH || error == EADDRNOTAVAIL || error == EAFNOSUPPORT;

    if (tcp->error == 0 || !no_way) {
        tcp->error = error;
    }
}

static uint32_t tcp_wait_ms(void *ctx) {
    const struct rekey_posix_tcp *tcp = ctx;
    uint64_t now = rekey_posix_now_ms(NULL);

    if (tcp->next == tcp->count) {
        return UINT32_MAX;
    }
    return now < tcp->next_ms ? (uint32_t)(tcp->next_ms - now) : 0;
}

// The lookup is complete: prepares the attempts.
static int begin(struct rekey_posix_tcp *tcp, uint32_t timeout_ms) {
    uint32_t delay = timeout_ms / 2 / (uint32_t)tcp->count; // half remains for the last one

    delay = delay < REKEY_POSIX_DELAY_MS ? delay : REKEY_POSIX_DELAY_MS;
    tcp->delay_ms = delay > REKEY_POSIX_DELAY_MIN_MS ? delay : REKEY_POSIX_DELAY_MIN_MS;
    tcp->next_ms = 0;
    tcp->fd = epoll_create1(EPOLL_CLOEXEC);
    if (tcp->fd < 0) {
        tcp->error = errno;
        return REKEY_E_CONNECT;
    }
    return REKEY_AGAIN;
}

// An attempt has failed: the next one, if there is another address, begins at once.
static void attempt_failed(struct rekey_posix_tcp *tcp, int error) {
    note_error(tcp, error);
    tcp->next_ms = 0;
}

// Begins to connect to the next address.
static void start_attempt(struct rekey_posix_tcp *tcp) {
    size_t i = tcp->next;
    const struct rekey_posix_address *a = &tcp->addresses[i];
    const int on = 1;
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)i};
    int fd;

    tcp->next_ms = rekey_posix_now_ms(NULL) + tcp->delay_ms;
    fd = socket(a->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0 && tcp->pending != 0 && (errno == EMFILE || errno == ENFILE)) {
        return; // it is tried again after that time, or when a pending attempt has ended
    }
    tcp->next++;
    if (fd < 0) {
        attempt_failed(tcp, errno);
        return;
    }
    tcp->sockets[i] = fd;
    tcp->pending |= UINT32_C(1) << i;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if ((connect(fd, &a->at.any, a->len) != 0 && errno != EINPROGRESS && errno != EINTR) ||
        epoll_ctl(tcp->fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        attempt_failed(tcp, errno);
        end_attempt(tcp, i);
    }
}

// Checks the pending attempts, and begins the next one if it is due.
static int step(struct rekey_posix_tcp *tcp) {
    struct epoll_event event;
    int error = 0;
    socklen_t len = sizeof(error);
    size_t i;

    if (tcp_wait_ms(tcp) == 0) {
        start_attempt(tcp);
        return REKEY_AGAIN;
    }
    if (tcp->pending == 0) {
        return REKEY_E_CONNECT;
    }
    if (epoll_wait(tcp->fd, &event, 1, 0) <= 0) {
        return REKEY_WANT_READ;
    }
    i = event.data.u32;
    if (getsockopt(tcp->sockets[i], SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        attempt_failed(tcp, error);
        end_attempt(tcp, i);
        return REKEY_AGAIN;
    }
    tcp->pending &= ~(UINT32_C(1) << i);
    end_attempts(tcp);
    close_fd(&tcp->fd);
    tcp->fd = tcp->sockets[i];
    tcp->connected = true;
    tcp->error = 0;
    return REKEY_DONE;
}

static int tcp_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct rekey_posix_tcp *tcp = ctx;
    int result;

    if (tcp->connected) {
        return REKEY_DONE;
    }
    if (tcp->fd < 0) {
        result = rekey_posix_lookup_start(tcp, host, port);
        if (result != 0) {
            return result;
        }
    }
    if (tcp->lookup > 0) {
        result = rekey_posix_lookup_step(tcp);
        if (result != REKEY_DONE) {
            return result;
        }
    }
    return tcp->fd < 0 ? begin(tcp, timeout_ms) : step(tcp);
}

// The result after a call that has set errno: `want` if the call only has to be repeated.
static int failed(struct rekey_posix_tcp *tcp, int want) {
    if (errno == EAGAIN || errno == EINTR) {
        return want;
    }
    tcp->error = errno;
    return REKEY_E_IO;
}

static int tcp_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct rekey_posix_tcp *tcp = ctx;
    ssize_t n = send(tcp->fd, data, len, MSG_NOSIGNAL);

    if (n < 0) {
        return failed(tcp, REKEY_WANT_WRITE);
    }
    *done = (size_t)n;
    return REKEY_DONE;
}

static int tcp_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct rekey_posix_tcp *tcp = ctx;
    ssize_t n = recv(tcp->fd, buf, cap, 0);

    if (n < 0) {
        return failed(tcp, REKEY_WANT_READ);
    }
    *done = (size_t)n;
    // After a write that a reset has made fail, recv returns 0 as for an orderly end.
    return n > 0 ? REKEY_DONE : tcp->error == ECONNRESET ? REKEY_E_IO : REKEY_END;
}

static void tcp_explain(void *ctx, int error, char *buf, size_t cap) {
    const struct rekey_posix_tcp *tcp = ctx;
    bool ours = error == REKEY_E_CONNECT || error == REKEY_E_IO || error == REKEY_E_LOOKUP;

    buf[0] = '\0';
    if (ours && tcp->error != 0) {
        snprintf(buf, cap, "%s", rekey_posix_error_text(tcp->error));
    }
}

struct rekey_transport rekey_posix_transport(struct rekey_posix_tcp *tcp) {
    return (struct rekey_transport){.ctx = tcp,
                                    .open = tcp_open,
                                    .write = tcp_write,
                                    .read = tcp_read,
                                    .close = tcp_close,
                                    .wait_ms = tcp_wait_ms,
                                    .explain = tcp_explain};
}

void rekey_posix_wait(void *ctx, int want, uint32_t ms) {
    struct rekey_posix_tcp *tcp = ctx;
    bool time_only = want != REKEY_WANT_READ && want != REKEY_WANT_WRITE;
    uint32_t next = tcp_wait_ms(tcp);

    rekey_posix_ready(time_only ? -1 : tcp->fd, want == REKEY_WANT_WRITE,
                      rekey_posix_now_ms(NULL) + (ms < next ? ms : next), tcp->unblocked);
}
