// sockets.c - the transport of sockets.h: one non-blocking socket at a time. poll without a wait
// tells whether it has connected.

#include "sockets.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#ifdef LWIP_HDR_SOCKETS_H
// lwIP always has all calls under its own names; LWIP_COMPAT_SOCKETS only adds others.
#define CALL(name) lwip_##name
#else
#define CALL(name) name
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>
#endif

#ifdef MSG_NOSIGNAL
#define SEND_FLAGS MSG_NOSIGNAL
#else
#define SEND_FLAGS 0
#endif

enum phase { CLOSED, LOOKUP, NEXT_ADDRESS, CONNECTING, OPEN };

static uint64_t now_ms(const struct rekey_sockets_tcp *t) {
    return t->port->now_ms(t->port->ctx);
}

static void close_socket(struct rekey_sockets_tcp *t) {
    if (t->fd >= 0) {
        CALL(close)(t->fd);
        t->fd = -1;
    }
}

static uint32_t sockets_wait_ms(void *ctx) {
    const struct rekey_sockets_tcp *t = ctx;
    uint64_t now;

    if (t->phase == LOOKUP) {
        return REKEY_SOCKETS_LOOKUP_MS;
    }
    if (t->phase != CONNECTING || t->next == t->count) {
        return UINT32_MAX;
    }
    now = now_ms(t);
    return now < t->until ? (uint32_t)(t->until - now) : 0;
}

// An IP address needs no lookup.
static bool literal(struct rekey_sockets_address *a, const char *host) {
    memset(a, 0, sizeof(*a));
    if (CALL(inet_pton)(AF_INET, host, &a->at.v4.sin_addr) == 1) {
        a->at.v4.sin_family = AF_INET;
        a->len = sizeof(a->at.v4);
        return true;
    }
#if !defined(LWIP_HDR_SOCKETS_H) || LWIP_IPV6
    if (CALL(inet_pton)(AF_INET6, host, &a->at.v6.sin6_addr) == 1) {
        a->at.v6.sin6_family = AF_INET6;
        a->len = sizeof(a->at.v6);
        return true;
    }
#endif
    return false;
}

static void set_port(struct rekey_sockets_address *a, uint16_t port) {
#if !defined(LWIP_HDR_SOCKETS_H) || LWIP_IPV6
    if (a->at.any.sa_family == AF_INET6) {
        a->at.v6.sin6_port = CALL(htons)(port);
        return;
    }
#endif
    a->at.v4.sin_port = CALL(htons)(port);
}

static int look_up(struct rekey_sockets_tcp *t, struct rekey_span host, uint16_t port) {
    char name[256];
    int result = REKEY_DONE;

    t->error = 0;
    if (host.len >= sizeof(name)) {
        return REKEY_E_LOOKUP;
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    t->phase = LOOKUP;
    t->next = 0;
    t->count = 1;
    if (!literal(t->addresses, name)) {
        t->count = 0;
        result = t->lookup(t->lookup_arg, name, t->addresses, REKEY_SOCKETS_ADDRESSES, &t->count);
    }
    if (result != REKEY_DONE) {
        return result;
    }
    if (t->count == 0 || t->count > REKEY_SOCKETS_ADDRESSES) {
        return REKEY_E_LOOKUP;
    }
    for (size_t i = 0; i < t->count; i++) {
        set_port(&t->addresses[i], port);
    }
    t->phase = NEXT_ADDRESS;
    return REKEY_AGAIN;
}

// Gives up the current address; the next one, if there is one, is tried at once.
static int failed(struct rekey_sockets_tcp *t, int error) {
    close_socket(t);
    t->error = error;
    t->phase = NEXT_ADDRESS;
    return REKEY_AGAIN;
}

static int start_attempt(struct rekey_sockets_tcp *t, uint32_t timeout_ms) {
    const struct rekey_sockets_address *a = &t->addresses[t->next];
    const int on = 1;
    uint32_t share = timeout_ms / (uint32_t)t->count;

    if (t->next == t->count) {
        return REKEY_E_CONNECT;
    }
    t->next++;
    t->fd = CALL(socket)(a->at.any.sa_family, SOCK_STREAM, IPPROTO_TCP);
    if (t->fd < 0 || CALL(fcntl)(t->fd, F_SETFL, O_NONBLOCK) < 0) {
        return failed(t, errno);
    }
    CALL(setsockopt)(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (CALL(connect)(t->fd, &a->at.any, a->len) != 0 && errno != EINPROGRESS && errno != EINTR) {
        return failed(t, errno);
    }
    t->until = now_ms(t) + (share < REKEY_SOCKETS_ADDRESS_MS ? share : REKEY_SOCKETS_ADDRESS_MS);
    t->phase = CONNECTING;
    return REKEY_AGAIN;
}

// Checks the current attempt.
static int step(struct rekey_sockets_tcp *t) {
    struct pollfd p = {t->fd, POLLOUT, 0};
    int error = 0;
    socklen_t len = sizeof(error);

    if (CALL(poll)(&p, 1, 0) <= 0) {
        return sockets_wait_ms(t) > 0 ? REKEY_WANT_WRITE : failed(t, ETIMEDOUT);
    }
    if (CALL(getsockopt)(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error != 0) {
        return failed(t, error);
    }
    t->phase = OPEN;
    t->error = 0;
    return REKEY_DONE;
}

static int sockets_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct rekey_sockets_tcp *t = ctx;

    switch (t->phase) {
    case CLOSED:
    case LOOKUP:
        return look_up(t, host, port);
    case NEXT_ADDRESS:
        return start_attempt(t, timeout_ms);
    case CONNECTING:
        return step(t);
    default:
        return REKEY_DONE;
    }
}

// The result after a call that has set errno: `want` if the call only has to be repeated.
static int broken(struct rekey_sockets_tcp *t, int want) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return want;
    }
    t->error = errno;
    return REKEY_E_IO;
}

static int sockets_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct rekey_sockets_tcp *t = ctx;
    ssize_t n = CALL(send)(t->fd, data, len, SEND_FLAGS);

    if (n < 0) {
        return broken(t, REKEY_WANT_WRITE);
    }
    *done = (size_t)n;
    return n > 0 ? REKEY_DONE : REKEY_WANT_WRITE;
}

static int sockets_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct rekey_sockets_tcp *t = ctx;
    ssize_t n = CALL(recv)(t->fd, buf, cap, 0);

    if (n < 0) {
        return broken(t, REKEY_WANT_READ);
    }
    *done = (size_t)n;
    // After a write that a reset has made fail, recv returns 0 as for an orderly end.
    return n > 0 ? REKEY_DONE : t->error == ECONNRESET ? REKEY_E_IO : REKEY_END;
}

static void sockets_close(void *ctx) {
    struct rekey_sockets_tcp *t = ctx;

    close_socket(t);
    t->phase = CLOSED;
}

// Only the number: the texts are large, and a C library may keep them on the heap.
static void sockets_explain(void *ctx, int error, char *buf, size_t cap) {
    const struct rekey_sockets_tcp *t = ctx;

    buf[0] = '\0';
    if ((error == REKEY_E_CONNECT || error == REKEY_E_IO) && t->error != 0) {
        snprintf(buf, cap, "errno %d of the socket", t->error);
    }
}

struct rekey_transport rekey_sockets_transport(struct rekey_sockets_tcp *tcp) {
    tcp->fd = tcp->phase == CLOSED ? -1 : tcp->fd;
    return (struct rekey_transport){.ctx = tcp,
                                    .open = sockets_open,
                                    .write = sockets_write,
                                    .read = sockets_read,
                                    .close = sockets_close,
                                    .wait_ms = sockets_wait_ms,
                                    .explain = sockets_explain};
}

void rekey_sockets_wait(void *ctx, int want, uint32_t ms) {
    const struct rekey_sockets_tcp *t = ctx;
    bool time_only = want != REKEY_WANT_READ && want != REKEY_WANT_WRITE;
    struct pollfd p = {time_only ? -1 : t->fd, want == REKEY_WANT_WRITE ? POLLOUT : POLLIN, 0};

    CALL(poll)(&p, 1, ms < INT_MAX ? (int)ms : INT_MAX);
}
