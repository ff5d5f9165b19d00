// tcp.c - the transport contract of rekey_port.h over a non-blocking TCP socket.

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix.h"

static void close_socket(struct rekey_posix_tcp *tcp) {
    if (tcp->fd >= 0) {
        close(tcp->fd);
        tcp->fd = -1;
    }
    tcp->give_up = 0;
    tcp->connected = false;
}

static void tcp_close(void *ctx) {
    struct rekey_posix_tcp *tcp = ctx;

    rekey_posix_lookup_stop(tcp);
    close_socket(tcp);
    tcp->count = tcp->next = 0;
}

// Begins with the next address. Returns REKEY_AGAIN, or REKEY_E_CONNECT when there is none left.
static int next_address(struct rekey_posix_tcp *tcp) {
    const struct rekey_posix_address *a = &tcp->addresses[tcp->next];
    const int on = 1;

    if (tcp->next == tcp->count) {
        return REKEY_E_CONNECT;
    }
    tcp->next++;
    tcp->fd = socket(a->at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (tcp->fd < 0) {
        tcp->error = errno;
        return REKEY_AGAIN;
    }
    setsockopt(tcp->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(tcp->fd, &a->at.any, a->len) != 0 && errno != EINPROGRESS && errno != EINTR) {
        tcp->error = errno;
        close_socket(tcp);
        return REKEY_AGAIN;
    }
    tcp->give_up = rekey_posix_now_ms(NULL) + tcp->share_ms;
    return REKEY_AGAIN;
}

// Looks at the address that is being tried.
static int check_address(struct rekey_posix_tcp *tcp) {
    struct pollfd p = {.fd = tcp->fd, .events = POLLOUT};
    socklen_t len = sizeof(tcp->error);

    if (poll(&p, 1, 0) <= 0) {
        if (rekey_posix_now_ms(NULL) < tcp->give_up) {
            return REKEY_WANT_WRITE;
        }
        tcp->error = ETIMEDOUT;
    } else if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &tcp->error, &len) == 0 &&
               tcp->error == 0) {
        tcp->give_up = 0;
        tcp->connected = true;
        return REKEY_DONE;
    }
    close_socket(tcp);
    return REKEY_AGAIN;
}

static int tcp_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct rekey_posix_tcp *tcp = ctx;
    int result;

    if (tcp->connected) {
        return REKEY_DONE;
    }
    if (tcp->fd < 0 && tcp->count == 0) {
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
    if (tcp->fd < 0) {
        tcp->share_ms = timeout_ms / (uint32_t)tcp->count;
        if (tcp->share_ms < REKEY_POSIX_SHARE_MIN_MS) {
            tcp->share_ms = REKEY_POSIX_SHARE_MIN_MS;
        }
        return next_address(tcp);
    }
    return check_address(tcp);
}

static bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int tcp_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct rekey_posix_tcp *tcp = ctx;
    ssize_t n = send(tcp->fd, data, len, MSG_NOSIGNAL);

    if (n < 0 && would_block(errno)) {
        return REKEY_WANT_WRITE;
    }
    if (n < 0) {
        tcp->error = errno;
        return REKEY_E_IO;
    }
    *done = (size_t)n;
    return REKEY_DONE;
}

static int tcp_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct rekey_posix_tcp *tcp = ctx;
    ssize_t n = recv(tcp->fd, buf, cap, 0);

    if (n < 0 && would_block(errno)) {
        return REKEY_WANT_READ;
    }
    if (n < 0) {
        tcp->error = errno;
        return REKEY_E_IO;
    }
    *done = (size_t)n;
    return n > 0 ? REKEY_DONE : REKEY_END;
}

struct rekey_transport rekey_posix_transport(struct rekey_posix_tcp *tcp) {
    return (struct rekey_transport){
        .ctx = tcp, .open = tcp_open, .write = tcp_write, .read = tcp_read, .close = tcp_close};
}

void rekey_posix_wait(void *ctx, int want, uint32_t ms) {
    const struct rekey_posix_tcp *tcp = ctx;
    struct pollfd p = {.fd = tcp->fd, .events = want == REKEY_WANT_WRITE ? POLLOUT : POLLIN};
    struct timespec t;

    if (tcp->give_up != 0) {
        uint64_t now = rekey_posix_now_ms(NULL);
        uint64_t left = tcp->give_up > now ? tcp->give_up - now : 0;

        ms = left < ms ? (uint32_t)left : ms;
    }
    t = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    if (want != REKEY_WANT_READ && want != REKEY_WANT_WRITE) {
        p.fd = -1; // ignored: only time counts
    }
    ppoll(&p, 1, &t, tcp->unblocked);
}
