// test_sockets.c - the transport of port/sockets over real sockets of the loopback interface, with
// a lookup function that is the test's: which address it connects to, and when; how a connection
// ends; and that it can be closed in every state. Compiled with plain POSIX only.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sockets.h"
#include "support.h"

static uint64_t now_ms(void *ctx) {
    struct timespec t;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const struct rekey_port port = {.now_ms = now_ms};

static int open_descriptors(void) {
    int count = 0;

    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

// ---- the peers of a row -------------------------------------------------------------------------

#define PEERS 6 // more than are tried

// What is at an address: 'l' a listener; 'r' nothing, a connection is refused; 'h' a black hole, a
// listener whose queue is full; 'u' an address that connect refuses by itself.
static struct {
    const char *kinds;
    int listener[PEERS], client[PEERS][2];
    uint16_t port; // in network order, of all
} peers;

static struct sockaddr_in peer_address(size_t i) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = peers.port};

    a.sin_addr.s_addr = htonl(0x7F000201u + (uint32_t)i);
    return a;
}

static int new_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static bool bind_peers(void) {
    bool bound = true;

    peers.port = 0;
    for (size_t i = 0; peers.kinds[i] != '\0'; i++) {
        struct sockaddr_in a = peer_address(i);
        socklen_t len = sizeof(a);

        peers.client[i][0] = peers.client[i][1] = -1;
        peers.listener[i] = new_socket();
        bound = bound && bind(peers.listener[i], (struct sockaddr *)&a, len) == 0;
        getsockname(peers.listener[i], (struct sockaddr *)&a, &len);
        peers.port = a.sin_port;
    }
    return bound;
}

static void forget_peers(void) {
    for (size_t i = 0; peers.kinds[i] != '\0'; i++) {
        close(peers.client[i][0]);
        close(peers.client[i][1]);
        close(peers.listener[i]);
    }
}

static void make_peers(const char *kinds) {
    peers.kinds = kinds;
    while (!bind_peers()) { // somebody has this port at another address
        forget_peers();
    }
    for (size_t i = 0; kinds[i] != '\0'; i++) {
        struct sockaddr_in a = peer_address(i);

        if (kinds[i] == 'l' || kinds[i] == 'h') {
            check_int(listen(peers.listener[i], kinds[i] == 'l' ? 5 : 0), 0);
        }
        for (int k = 0; k < 2 && kinds[i] == 'h'; k++) {
            peers.client[i][k] = new_socket();
            connect(peers.client[i][k], (struct sockaddr *)&a, sizeof(a));
        }
    }
}

// ---- a caller -----------------------------------------------------------------------------------

static struct {
    int pending; // calls of the lookup before it answers
    int result;
    size_t more; // than there are
    int calls;
} names;

static int look_up(void *arg, const char *host, struct rekey_sockets_address *addresses, size_t cap,
                   size_t *count) {
    size_t n = strlen(peers.kinds);

    check(arg == &names);
    check(strcmp(host, "name.test") == 0 && cap == REKEY_SOCKETS_ADDRESSES && *count == 0);
    names.calls++;
    if (names.pending-- > 0) {
        return REKEY_WANT_READ;
    }
    for (size_t i = 0; i < n && i < cap; i++) {
        addresses[i].at.v4 = peer_address(i);
        addresses[i].at.v4.sin_port = 0;
        addresses[i].len = sizeof(addresses[i].at.v4);
        if (peers.kinds[i] == 'u') {
            addresses[i].at.v4.sin_addr.s_addr = htonl(INADDR_BROADCAST);
        }
    }
    *count = (n < cap ? n : cap) + names.more;
    return names.result;
}

static struct rekey_sockets_tcp tcp;

static struct rekey_transport begin(void) {
    memset(&names, 0, sizeof(names));
    tcp = (struct rekey_sockets_tcp){.port = &port, .lookup = look_up, .lookup_arg = &names};
    return rekey_sockets_transport(&tcp);
}

static int calls;

// Opens a connection by the rule of rekey_port.h: when the socket is ready, or wait_ms has passed.
// Returns the result, or the last one if nothing can happen any more.
static int drive(const struct rekey_transport *t, const char *host, uint32_t timeout_ms) {
    int result;

    calls = 0;
    do {
        calls++;
        result = t->open(t->ctx, rekey_span(host, strlen(host)), ntohs(peers.port), timeout_ms);
        if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
            uint32_t ms = t->wait_ms(t->ctx);
            uint64_t before = now_ms(NULL);

            check((tcp.fd >= 0) == (result == REKEY_WANT_WRITE));
            rekey_sockets_wait(t->ctx, result, ms != UINT32_MAX ? ms : 1000);
            if (ms == UINT32_MAX && now_ms(NULL) >= before + 999) {
                break;
            }
        }
    } while (result > 0);
    return result;
}

// What SO_ERROR says of a refused connection. QEMU does not translate that number: it is the one of
// the machine that QEMU runs on.
static int refusal(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pollfd p = {.fd = new_socket(), .events = POLLOUT};
    int error = 0, there = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(a);

    check_int(bind(there, (struct sockaddr *)&a, len), 0);
    getsockname(there, (struct sockaddr *)&a, &len);
    connect(p.fd, (struct sockaddr *)&a, len);
    check_int(poll(&p, 1, 20000), 1);
    len = sizeof(error);
    check_int(getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    check(error != 0);
    close(p.fd);
    close(there);
    return error;
}

static int peer_of_connection(void) {
    struct sockaddr_in a;
    socklen_t len = sizeof(a);

    return getpeername(tcp.fd, (struct sockaddr *)&a, &len) == 0
               ? (int)(ntohl(a.sin_addr.s_addr) - 0x7F000201u)
               : -1;
}

static void test_attempts(void **state) {
    static const struct {
        const char *name, *kinds;
        uint32_t timeout_ms;
        int winner; // -1: there is none
        int error;  // then: errno; 0: nothing happens any more
        unsigned least_ms, below_ms;
    } rows[] = {
        {"one", "l", 15000, 0, 0, 0, 1000},
        {"the first of two", "ll", 15000, 0, 0, 0, 1000},
        {"refused, then one", "rl", 15000, 1, 0, 0, 1000},
        {"connect fails at once, then one", "ul", 15000, 1, 0, 0, 1000},
        {"all refuse", "rrr", 15000, -1, ECONNREFUSED, 0, 1000},
        {"more than are tried", "rrrrl", 15000, -1, ECONNREFUSED, 0, 1000},
        {"a black hole first", "hl", 15000, 1, 0, 2000, 4000},
        {"a black hole first, a short timeout", "hl", 600, 1, 0, 300, 2000},
        {"three black holes", "hhhl", 800, 3, 0, 600, 2000},
        {"one behind what refuses behind a black hole", "hrl", 300, 2, 0, 100, 2000},
        {"nothing answers", "hh", 400, -1, 0, 200, 5000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_transport t = begin();
        bool silent = rows[i].winner < 0 && rows[i].error == 0;
        int before, result;
        uint64_t begun = now_ms(NULL), ms;

        row(rows[i].name);
        make_peers(rows[i].kinds);
        before = open_descriptors();
        names.pending = 2;
        result = drive(&t, "name.test", rows[i].timeout_ms);
        ms = now_ms(NULL) - begun;
        check_int(names.calls, 3);
        if (rows[i].winner >= 0) {
            check_int(result, REKEY_DONE);
            check_int(peer_of_connection(), rows[i].winner);
            check_int(drive(&t, "name.test", 1), REKEY_DONE); // it is open
            check_int(tcp.error, 0);
            check_int(open_descriptors(), before + 1);
        } else {
            check_int(result, silent ? REKEY_WANT_WRITE : REKEY_E_CONNECT);
            check(silent ||
                  tcp.error == (rows[i].error == ECONNREFUSED ? refusal() : rows[i].error));
        }
        check(ms >= rows[i].least_ms && ms < rows[i].below_ms);
        check(calls < 40);
        check(t.wait_ms(t.ctx) == UINT32_MAX);
        t.close(t.ctx);
        check(tcp.fd == -1 && open_descriptors() == before);
        forget_peers();
    }
    rows_done();
}

static void test_lookup(void **state) {
    struct rekey_transport t = begin();
    char longest[257];

    (void)state;
    make_peers("l");
    row("no such name");
    names.result = REKEY_E_LOOKUP;
    check_int(drive(&t, "name.test", 1000), REKEY_E_LOOKUP);
    t.close(t.ctx);
    row("no addresses");
    names.result = REKEY_DONE;
    names.more = (size_t)-1;
    check_int(drive(&t, "name.test", 1000), REKEY_E_LOOKUP);
    t.close(t.ctx);
    row("more than there is space for");
    names.more = REKEY_SOCKETS_ADDRESSES;
    check_int(drive(&t, "name.test", 1000), REKEY_E_LOOKUP);
    t.close(t.ctx);
    row("a name that is too long");
    memset(longest, 'a', 256);
    longest[256] = '\0';
    names.calls = 0;
    check_int(drive(&t, longest, 1000), REKEY_E_LOOKUP);
    check_int(names.calls, 0);
    t.close(t.ctx);
    row("IP addresses are not asked for");
    check_int(drive(&t, "127.0.2.1", 1000), REKEY_DONE);
    check_int(peer_of_connection(), 0);
    t.close(t.ctx);
    check_int(t.open(t.ctx, REKEY_SPAN("::1"), 443, 1000), REKEY_AGAIN);
    check_int(tcp.addresses[0].at.v6.sin6_family, AF_INET6);
    check_int(tcp.addresses[0].at.v6.sin6_port, htons(443));
    check_int(names.calls, 0);
    t.close(t.ctx);
    row("the time alone, without a socket");
    names.pending = INT_MAX;
    check_int(t.open(t.ctx, REKEY_SPAN("name.test"), 443, 1000), REKEY_WANT_READ);
    check_int(t.wait_ms(t.ctx), REKEY_SOCKETS_LOOKUP_MS);
    t.close(t.ctx);
    check(t.wait_ms(t.ctx) == UINT32_MAX);
    forget_peers();
    rows_done();
}

// Writes and reads, and the end of a connection.
static void test_transfer(void **state) {
    static char much[65536];
    static const struct linger at_once = {1, 0};
    struct rekey_transport t = begin();
    char buf[8], text[40];
    size_t n = 0;
    int peer, result = REKEY_WANT_WRITE;

    (void)state;
    make_peers("l");
    for (int reset = 0; reset < 3; reset++) { // 1: the read finds it, 2: a write
        row_n("the peer resets the connection", reset);
        check_int(drive(&t, "name.test", 1000), REKEY_DONE);
        peer = accept(peers.listener[0], NULL, NULL);
        check_int(t.read(t.ctx, buf, sizeof(buf), &n), REKEY_WANT_READ);
        for (int i = 0; i < 3; i++) { // a byte at a time
            check_int(send(peer, &"xyz"[i], 1, 0), 1);
            rekey_sockets_wait(t.ctx, REKEY_WANT_READ, 20000);
            check_int(t.read(t.ctx, buf, sizeof(buf), &n), REKEY_DONE);
            check_span(rekey_span(buf, n), rekey_span(&"xyz"[i], 1));
        }
        check_int(t.write(t.ctx, "hello", 5, &n), REKEY_DONE);
        check_int(n, 5);
        check_int(recv(peer, buf, 5, MSG_WAITALL), 5);
        check(memcmp(buf, "hello", 5) == 0);
        while (reset > 0 && (result = t.write(t.ctx, much, sizeof(much), &n)) == REKEY_DONE) {
            check(n > 0 && n <= sizeof(much));
        }
        check(reset == 0 || result == REKEY_WANT_WRITE);
        if (reset > 0) {
            setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        }
        close(peer);
        rekey_sockets_wait(t.ctx, REKEY_WANT_READ, 20000);
        if (reset == 2) {
            check_int(t.write(t.ctx, "x", 1, &n), REKEY_E_IO);
        }
        check_int(t.read(t.ctx, buf, sizeof(buf), &n), reset > 0 ? REKEY_E_IO : REKEY_END);
        check_int(tcp.error, reset > 0 ? ECONNRESET : 0);
        t.explain(t.ctx, REKEY_E_IO, text, sizeof(text));
        check((strstr(text, "errno") != NULL) == (reset > 0));
        t.explain(t.ctx, REKEY_E_END, text, sizeof(text));
        check_int(text[0], '\0');
        t.explain(t.ctx, REKEY_E_CONNECT_TIMEOUT, text, sizeof(text)); // which it never returns
        check_int(text[0], '\0');
        if (reset == 1) {
            check_int(t.write(t.ctx, "x", 1, &n), REKEY_E_IO); // and no SIGPIPE
            check_int(tcp.error, EPIPE);
            t.explain(t.ctx, REKEY_E_IO, text, 4);
            check(strcmp(text, "err") == 0);
        }
        t.close(t.ctx);
    }
    forget_peers();
    rows_done();
}

// Given up after each call of open, in whatever state that left it; and used again after that.
static void test_close(void **state) {
    struct rekey_transport t = begin();
    int before, result = REKEY_AGAIN;

    (void)state;
    make_peers("hurl");
    before = open_descriptors();
    for (int n = 0; result != REKEY_DONE; n++) {
        row_n("after calls", n);
        names.pending = 2;
        result = REKEY_AGAIN;
        for (int i = 0; i < n && result != REKEY_DONE; i++) {
            result = t.open(t.ctx, REKEY_SPAN("name.test"), ntohs(peers.port), 100);
            check(result >= 0);
            if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
                rekey_sockets_wait(t.ctx, result, t.wait_ms(t.ctx));
            }
        }
        t.close(t.ctx);
        check_int(open_descriptors(), before);
        check(tcp.fd == -1);
        t.close(t.ctx);
    }
    check(rekey_sockets_transport(&tcp).ctx == &tcp && tcp.fd == -1);
    forget_peers();
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_attempts),
        UNIT(test_lookup),
        UNIT(test_transfer),
        UNIT(test_close),
    };

    return cmocka_run_group_tests_name("sockets", tests, NULL, rows_total);
}
