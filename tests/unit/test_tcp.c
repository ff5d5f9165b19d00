// test_tcp.c - the transport of port/posix over real sockets of the loopback interface: which of
// the addresses of a name it connects to, when it tries the next one, what an error says, and that
// a caller with its own event loop, which waits for the one descriptor, neither hangs nor spins.
// The C library's getaddrinfo is replaced by a function that returns the addresses of the row.

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix.h"
#include "support.h"

#define MANY 24 // addresses, more than are tried

static struct {
    struct addrinfo list[MANY];
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at[MANY];
    size_t count;
    bool silent; // no name server answers
} known;

// Called in the child of lookup.c.
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
    (void)name;
    (void)service;
    (void)hints;
    while (known.silent) {
        pause();
    }
    *list = known.list;
    return known.count > 0 ? 0 : EAI_NONAME;
}

static bool without_ipv6; // as a kernel that has none

int socket(int family, int type, int protocol) {
    if (without_ipv6 && family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}

static void know(const char *address) {
    size_t i = known.count++;
    bool v6 = strchr(address, ':') != NULL;

    memset(&known.at[i], 0, sizeof(known.at[i]));
    known.at[i].any.sa_family = v6 ? AF_INET6 : AF_INET;
    check_int(inet_pton(v6 ? AF_INET6 : AF_INET, address,
                        v6 ? (void *)&known.at[i].v6.sin6_addr : (void *)&known.at[i].v4.sin_addr),
              1);
    known.list[i] =
        (struct addrinfo){.ai_family = v6 ? AF_INET6 : AF_INET,
                          .ai_socktype = SOCK_STREAM,
                          .ai_addr = &known.at[i].any,
                          .ai_addrlen = v6 ? sizeof(known.at[i].v6) : sizeof(known.at[i].v4)};
    if (i > 0) {
        known.list[i - 1].ai_next = &known.list[i];
    }
}

static long milliseconds(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_descriptors(void) {
    int count = 0;

    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static bool has_child(void) {
    return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

// ---- the peers of a row -------------------------------------------------------------------------

// What is at an address: 'l' a listener; 'r' nothing, a connection is refused; 'h' a black hole, a
// listener whose queue is full, so that nothing answers; 'u' one that there is no way to; '6' one
// of IPv6.
static struct {
    int listener[MANY], client[MANY][2];
    uint16_t port; // in network order, of all
} peers;

static struct sockaddr_in peer_address(size_t i) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = peers.port};

    a.sin_addr.s_addr = htonl(0x7F000101u + (uint32_t)i);
    return a;
}

static bool bind_peers(const char *kinds) {
    bool bound = true;

    peers.port = 0;
    for (size_t i = 0; kinds[i] != '\0'; i++) {
        struct sockaddr_in a = peer_address(i);
        socklen_t len = sizeof(a);

        peers.client[i][0] = peers.client[i][1] = -1;
        peers.listener[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        bound = bound && bind(peers.listener[i], (struct sockaddr *)&a, len) == 0;
        getsockname(peers.listener[i], (struct sockaddr *)&a, &len);
        peers.port = a.sin_port;
    }
    return bound;
}

// What SO_ERROR says of a refused connection. QEMU does not translate that number: it is the one of
// the machine that QEMU runs on.
static int refusal(void) {
    struct sockaddr_in a = peer_address(0);
    struct pollfd p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .events = POLLOUT};
    int error = 0, there = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(a);

    a.sin_port = 0;
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

static void forget_peers(const char *kinds) {
    for (size_t i = 0; kinds[i] != '\0'; i++) {
        close(peers.client[i][0]);
        close(peers.client[i][1]);
        close(peers.listener[i]);
    }
}

static void make_peers(const char *kinds) {
    known.count = 0;
    while (!bind_peers(kinds)) { // somebody has this port at another address
        forget_peers(kinds);
    }
    for (size_t i = 0; kinds[i] != '\0'; i++) {
        struct sockaddr_in a = peer_address(i);
        char text[20];

        know(kinds[i] == 'u'   ? "255.255.255.255"
             : kinds[i] == '6' ? "::1"
                               : inet_ntop(AF_INET, &a.sin_addr, text, 20));
        if (kinds[i] == 'l' || kinds[i] == 'h') {
            check_int(listen(peers.listener[i], kinds[i] == 'l' ? 5 : 0), 0);
        }
        for (int k = 0; k < 2 && kinds[i] == 'h'; k++) {
            peers.client[i][k] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            connect(peers.client[i][k], (struct sockaddr *)&a, sizeof(a));
        }
    }
}

// The black hole answers from now on: the connection is made when the SYN is repeated, one or three
// seconds after the first.
static void open_hole(size_t i) {
    int fd;

    for (int k = 0; k < 2; k++) {
        close(peers.client[i][k]);
        peers.client[i][k] = -1;
    }
    while ((fd = accept(peers.listener[i], NULL, NULL)) >= 0) {
        close(fd);
    }
}

// ---- a caller -----------------------------------------------------------------------------------

static struct {
    int calls;  // of open
    long ms;    // that all took
    int widest; // the most descriptors that were open
    int hole;   // that is opened once all attempts have begun; -1: none
} caller;

// Opens a connection as an application does that waits by itself: for tcp->fd, at most as long as
// wait_ms says. Returns the result, or REKEY_WANT_READ when nothing happened for `patience` ms and
// no time was told.
static int drive(struct rekey_posix_tcp *tcp, struct rekey_span host, uint32_t timeout_ms,
                 int patience) {
    struct rekey_transport t = rekey_posix_transport(tcp);
    long begin = milliseconds();
    int result;

    caller.calls = caller.widest = 0;
    do {
        int open_now;

        caller.calls++;
        result = t.open(t.ctx, host, ntohs(peers.port), timeout_ms);
        check(result <= 0 || result == REKEY_WANT_READ || result == REKEY_AGAIN);
        check(tcp->next <= tcp->count);
        check(result < 0 || tcp->fd < 0 || fcntl(tcp->fd, F_GETFD) == FD_CLOEXEC);
        open_now = open_descriptors();
        caller.widest = open_now > caller.widest ? open_now : caller.widest;
        if (caller.hole >= 0 && tcp->count > 0 && tcp->next == tcp->count) {
            open_hole((size_t)caller.hole);
            caller.hole = -1;
        }
        if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
            struct pollfd p = {.fd = tcp->fd,
                               .events = result == REKEY_WANT_READ ? POLLIN : POLLOUT};
            uint32_t next = t.wait_ms(t.ctx);

            check(next == UINT32_MAX || next <= REKEY_POSIX_DELAY_MS);
            if (poll(&p, 1, next < UINT32_MAX ? (int)next : patience) == 0 && next == UINT32_MAX) {
                break;
            }
        }
    } while (result > 0);
    caller.ms = milliseconds() - begin;
    return result;
}

static int peer_of(const struct rekey_posix_tcp *tcp) {
    struct sockaddr_in a;
    socklen_t len = sizeof(a);

    return getpeername(tcp->fd, (struct sockaddr *)&a, &len) == 0
               ? (int)(ntohl(a.sin_addr.s_addr) - 0x7F000101u)
               : -1;
}

static void test_attempts(void **state) {
    static const struct {
        const char *name, *kinds;
        uint32_t timeout_ms;
        int hole;                // that is opened
        int winner;              // -1: there is none
        int error;               // then: errno; 0: nothing happens any more
        long least_ms, below_ms; // 0: any
    } rows[] = {
        {"one", "l", 15000, -1, 0, 0, 0, 0},
        {"the first of two", "ll", 15000, -1, 0, 0, 0, 0},
        {"refused, then one", "rl", 15000, -1, 1, 0, 0, 0},
        {"fifteen that refuse", "rrrrrrrrrrrrrrrl", 15000, -1, 15, 0, 0, 0},
        {"more than are tried", "rrrrrrrrrrrrrrrrl", 15000, -1, -1, ECONNREFUSED, 0, 0},
        {"all refuse", "rrr", 15000, -1, -1, ECONNREFUSED, 0, 0},
        {"one refuses", "r", 15000, -1, -1, ECONNREFUSED, 0, 0},
        {"no way", "u", 15000, -1, -1, ENETUNREACH, 0, 0},
        {"no way to any", "uu", 15000, -1, -1, ENETUNREACH, 0, 0},
        {"no way, and refused", "ur", 15000, -1, -1, ECONNREFUSED, 0, 0},
        {"refused, and no way", "ru", 15000, -1, -1, ECONNREFUSED, 0, 0},
        {"no way, then one", "ul", 15000, -1, 1, 0, 0, 0},
        {"a black hole first", "hl", 15000, -1, 1, 0, 250, 2000},
        {"a black hole, a short timeout", "hl", 400, -1, 1, 0, 100, 2000},
        {"one behind what refuses behind a black hole", "hrl", 15000, -1, 2, 0, 250, 2000},
        {"fifteen black holes", "hhhhhhhhhhhhhhhl", 3200, -1, 15, 0, 1500, 3700},
        {"fifteen black holes, hardly any time", "hhhhhhhhhhhhhhhl", 1, -1, 15, 0, 150, 1500},
        {"the first is slow, the rest dead", "hhhhhhhh", 15000, 0, 0, 0, 1750, 0},
        {"one in the middle is slow", "rhhrhu", 1000, 2, 2, 0, 0, 0},
        {"all but one refuse", "rrhrr", 1000, 2, 2, 0, 0, 0},
        {"no IPv6", "6", 15000, -1, -1, EAFNOSUPPORT, 0, 0},
        {"no IPv6, and refused", "6r", 15000, -1, -1, ECONNREFUSED, 0, 0},
        {"refused, and no IPv6", "r6", 15000, -1, -1, ECONNREFUSED, 0, 0},
        {"no IPv6 while one is pending", "h6l", 15000, -1, 2, 0, 250, 2000},
        {"nothing answers", "hh", 1000, -1, -1, 0, 250, 0},
        {"nothing answers, and one refused", "hr", 1000, -1, -1, 0, 250, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
        struct rekey_transport t = rekey_posix_transport(&tcp);
        size_t tried = strlen(rows[i].kinds);
        bool silent = rows[i].winner < 0 && rows[i].error == 0;
        int before, after, result;

        row(rows[i].name);
        make_peers(rows[i].kinds);
        without_ipv6 = true;
        before = open_descriptors();
        after = before - (rows[i].hole >= 0 ? 2 : 0); // open_hole closes two
        caller.hole = rows[i].hole;
        result = drive(&tcp, REKEY_SPAN("name.test"), rows[i].timeout_ms, silent ? 1000 : 20000);
        if (rows[i].winner >= 0) {
            check_int(result, REKEY_DONE);
            check_int(peer_of(&tcp), rows[i].winner);
            check_int(t.open(t.ctx, REKEY_SPAN("name.test"), 1, 1), REKEY_DONE); // it is open
            check_int(tcp.error, 0);
            check_int(open_descriptors(), after + 1);
        } else {
            check_int(result, silent ? REKEY_WANT_READ : REKEY_E_CONNECT);
        }
        check(caller.ms >= rows[i].least_ms);
        check(rows[i].below_ms == 0 || caller.ms < rows[i].below_ms);
        // Two calls for each attempt and its end, one for each time that is told, a few at the
        // ends.
        check(caller.calls <= 4 * (int)tried + 8);
        check(caller.widest <= before + REKEY_POSIX_ADDRESSES + 1);
        check(t.wait_ms(t.ctx) == UINT32_MAX);
        t.close(t.ctx);
        check_int(open_descriptors(), after);
        check(tcp.fd == -1 && tcp.lookup == 0);
        check_int(tcp.error, rows[i].error == ECONNREFUSED ? refusal() : rows[i].error);
        forget_peers(rows[i].kinds);
    }
    without_ipv6 = false;
    rows_done();
}

// The end of an attempt and the time for the next one are there at once.
static void test_two_events(void **state) {
    struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
    struct rekey_transport t = rekey_posix_transport(&tcp);
    struct pollfd p = {.events = POLLIN};
    long begun;

    (void)state;
    row("refused, and late");
    make_peers("hrl");
    caller.hole = -1;
    while (tcp.next < 2) {
        int result = t.open(t.ctx, REKEY_SPAN("name.test"), ntohs(peers.port), 15000);

        check(result >= 0);
        if (result == REKEY_WANT_READ) {
            rekey_posix_wait(&tcp, result, 20000);
        }
    }
    p.fd = tcp.fd;
    check_int(poll(&p, 1, 20000), 1);
    begun = milliseconds();
    rekey_posix_wait(&tcp, 0, 20000); // the time alone
    check(milliseconds() < begun + 10000);
    check_int(t.wait_ms(t.ctx), 0);
    check_int(drive(&tcp, REKEY_SPAN("name.test"), 15000, 20000), REKEY_DONE);
    check_int(peer_of(&tcp), 2);
    t.close(t.ctx);
    forget_peers("hrl");
    rows_done();
}

// Writes and reads, and the end of a connection.
static void test_transfer(void **state) {
    static char much[65536];
    struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
    struct rekey_transport t = rekey_posix_transport(&tcp);
    char buf[8];
    size_t n = 0, sent = 0;
    long begun;
    int peer, result;

    (void)state;
    caller.hole = -1;
    make_peers("l");
    for (int reset = 0; reset < 3; reset++) { // 1: the read finds it, 2: a write
        row_n("the peer resets the connection", reset);
        check_int(drive(&tcp, REKEY_SPAN("name.test"), 1000, 20000), REKEY_DONE);
        peer = accept(peers.listener[0], NULL, NULL);
        check_int(t.read(t.ctx, buf, sizeof(buf), &n), REKEY_WANT_READ);
        check_int(send(peer, "x", 1, 0), 1);
        rekey_posix_wait(&tcp, REKEY_WANT_READ, 20000);
        check_int(t.read(t.ctx, buf, sizeof(buf), &n), REKEY_DONE);
        check_span(rekey_span(buf, n), REKEY_SPAN("x"));
        check_int(t.write(t.ctx, "hello", 5, &n), REKEY_DONE);
        check_int(n, 5);
        check_int(recv(peer, buf, sizeof(buf), 0), 5);
        check(memcmp(buf, "hello", 5) == 0);
        begun = milliseconds();
        rekey_posix_wait(&tcp, REKEY_WANT_WRITE, 20000);
        check(milliseconds() < begun + 10000);
        begun = milliseconds();
        rekey_posix_wait(&tcp, 0, 30); // the time alone
        check(milliseconds() >= begun + 29);
        sent = 0;
        while (reset > 0 && (result = t.write(t.ctx, much, sizeof(much), &n)) == REKEY_DONE) {
            check(n > 0 && n <= sizeof(much));
            sent += n;
        }
        if (reset > 0) {
            check(sent > 0);
            check_int(result, REKEY_WANT_WRITE);
        }
        close(peer); // with bytes that it did not read
        rekey_posix_wait(&tcp, REKEY_WANT_READ, 20000);
        errno = EAGAIN;
        if (reset == 2) {
            check_int(t.write(t.ctx, "x", 1, &n), REKEY_E_IO);
        }
        check_int(t.read(t.ctx, buf, sizeof(buf), &n), reset > 0 ? REKEY_E_IO : REKEY_END);
        check_int(tcp.error, reset > 0 ? ECONNRESET : 0);
        if (reset == 1) {
            check_int(t.write(t.ctx, "x", 1, &n), REKEY_E_IO);
            check_int(tcp.error, EPIPE);
        }
        t.close(t.ctx);
    }
    forget_peers("l");
    rows_done();
}

// Standard input was closed: 0 is a descriptor like others. It is closed before each of the calls.
static void test_descriptor_0(void **state) {
    static const struct rekey_span hosts[] = {BYTES("name.test"), BYTES("127.0.1.1")};
    int saved = dup(0);

    (void)state;
    make_peers("l");
    for (size_t i = 0; i < COUNT(hosts); i++) {
        for (int at = 0; at < 5; at++) {
            struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
            struct rekey_transport t = rekey_posix_transport(&tcp);
            int result, calls = 0;

            row_nn("closed before call", (long)i, at);
            dup2(saved, 0);
            do {
                if (calls++ == at) {
                    close(0);
                }
                result = t.open(t.ctx, hosts[i], ntohs(peers.port), 1000);
                check(tcp.pending == 0 || tcp.next == 1);
                if (result == REKEY_WANT_READ) {
                    rekey_posix_wait(&tcp, result, 20000);
                }
            } while (result > 0);
            check_int(result, REKEY_DONE);
            check_int(tcp.error, 0);
            check_int(peer_of(&tcp), 0);
            t.close(t.ctx);
            check((fcntl(0, F_GETFD) < 0) == (calls > at));
            close(accept(peers.listener[0], NULL, NULL));
        }
    }
    dup2(saved, 0);
    close(saved);
    forget_peers("l");
    rows_done();
}

// The order in which addresses are tried: the families in turn, each in the order of getaddrinfo.
static void test_families(void **state) {
    static const struct {
        const char *name, *known, *tried;
    } rows[] = {
        {"IPv6 first", "::1 ::2 ::3 1.0.0.1 1.0.0.2", "::1 1.0.0.1 ::2 1.0.0.2 ::3"},
        {"IPv4 first", "1.0.0.1 ::1 ::2 ::3 1.0.0.2", "1.0.0.1 ::1 1.0.0.2 ::2 ::3"},
        {"IPv4 alone", "1.0.0.3 1.0.0.1 1.0.0.2", "1.0.0.3 1.0.0.1 1.0.0.2"},
        {"IPv6 alone", "::3 ::1", "::3 ::1"},
        {"one", "::1", "::1"},
        {"more of the first than are tried",
         "::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 ::a ::b ::c ::d ::e ::f ::10 ::11 ::12 1.0.0.1",
         "::1 1.0.0.1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 ::a ::b ::c ::d ::e ::f"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
        char text[400], tried[400] = "";
        int result;

        row(rows[i].name);
        known.count = 0;
        strcpy(text, rows[i].known);
        for (char *each = strtok(text, " "); each != NULL; each = strtok(NULL, " ")) {
            know(each);
        }
        check_int(rekey_posix_lookup_start(&tcp, REKEY_SPAN("name.test"), 443), 0);
        do {
            struct pollfd p = {.fd = tcp.fd, .events = POLLIN};

            check_int(poll(&p, 1, 20000), 1);
            result = rekey_posix_lookup_step(&tcp);
        } while (result == REKEY_WANT_READ);
        check_int(result, REKEY_DONE);
        for (size_t k = 0; k < tcp.count; k++) {
            const struct rekey_posix_address *a = &tcp.addresses[k];
            bool v6 = a->at.any.sa_family == AF_INET6;

            check_int(ntohs(v6 ? a->at.v6.sin6_port : a->at.v4.sin_port), 443);
            strcat(tried, k > 0 ? " " : "");
            inet_ntop(a->at.any.sa_family,
                      v6 ? (const void *)&a->at.v6.sin6_addr : (const void *)&a->at.v4.sin_addr,
                      tried + strlen(tried), 50);
        }
        check_span(rekey_span(tried, strlen(tried)),
                   rekey_span(rows[i].tried, strlen(rows[i].tried)));
        check(tcp.fd == -1 && tcp.lookup == 0);
    }
    rows_done();
}

static void test_lookup(void **state) {
    struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
    struct rekey_transport t = rekey_posix_transport(&tcp);
    int before = open_descriptors();
    char longest[256];

    (void)state;
    caller.hole = -1;
    row("no such name");
    known.count = 0;
    check_int(drive(&tcp, REKEY_SPAN("name.test"), 1000, 20000), REKEY_E_LOOKUP);
    t.close(t.ctx);
    check_int(open_descriptors(), before);
    row("a name that is too long");
    memset(longest, 'a', sizeof(longest));
    check_int(drive(&tcp, rekey_span(longest, 256), 1000, 20000), REKEY_E_LOOKUP);
    t.close(t.ctx);
    row("an IP address");
    make_peers("l");
    check_int(drive(&tcp, REKEY_SPAN("127.0.1.1"), 1000, 20000), REKEY_DONE);
    check_int(peer_of(&tcp), 0);
    t.close(t.ctx);
    forget_peers("l");
    check_int(open_descriptors(), before);
    row("an IP address that refuses");
    make_peers("r");
    check_int(drive(&tcp, REKEY_SPAN("127.0.1.1"), 1000, 20000), REKEY_E_CONNECT);
    check_int(tcp.error, refusal());
    t.close(t.ctx);
    forget_peers("r");
    rows_done();
}

// An IP address, or a name that the application knows, needs no child.
static size_t give(void *arg, const char *host, struct rekey_posix_address *addresses, size_t cap) {
    const struct sockaddr_in *at = arg;
    bool given = strcmp(host, "given.test") == 0, many = strcmp(host, "many.test") == 0;

    check(cap == REKEY_POSIX_ADDRESSES);
    for (size_t i = 0; i < (given ? 2 : many ? cap : 0); i++) {
        addresses[i] = (struct rekey_posix_address){.len = sizeof(*at), .at.v4 = at[i % 2]};
    }
    return given ? 2 : many ? 1000 : 0; // more than there is space for: not all were stored
}

static void test_no_child(void **state) {
    static const struct {
        const char *host;
        int family; // 0: it is looked up
        uint32_t scope;
    } rows[] = {
        {"127.0.0.1", AF_INET, 0},    {"::1", AF_INET6, 0},
        {"fe80::1%lo", AF_INET6, 1},  {"FE80::1%1", AF_INET6, 1},
        {"fe80::1%77", AF_INET6, 77}, {"name.test", 0, 0},
        {"name%with.percent", 0, 0},  {"1.2.3", 0, 0},
        {"given.test", AF_INET, 0},   {"GIVEN.test", AF_INET, 0},
        {"many.test", AF_INET, 0},
    };
    struct sockaddr_in at[2];

    (void)state;
    make_peers("rl");
    at[0] = peer_address(0);
    at[1] = peer_address(1);
    known.silent = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
        struct rekey_transport t = rekey_posix_transport(&tcp);
        const struct rekey_posix_address *a = tcp.addresses;

        row(rows[i].host);
        tcp.known = give;
        tcp.known_arg = at;
        check_int(rekey_posix_lookup_start(&tcp, rekey_span(rows[i].host, strlen(rows[i].host)),
                                           ntohs(peers.port)),
                  0);
        check(has_child() == (rows[i].family == 0) && (tcp.lookup > 0) == (rows[i].family == 0));
        if (rows[i].family != 0) {
            check_int(a->at.any.sa_family, rows[i].family);
            check_int(rows[i].family == AF_INET6 ? a->at.v6.sin6_port : a->at.v4.sin_port,
                      peers.port);
        }
        check(rows[i].family != AF_INET6 || a->at.v6.sin6_scope_id == rows[i].scope);
        check(tcp.count <= REKEY_POSIX_ADDRESSES);
        t.close(t.ctx);
        check(!has_child());
        if (tcp.count == 2) {
            caller.hole = -1;
            check_int(drive(&tcp, REKEY_SPAN("given.test"), 1000, 20000), REKEY_DONE);
            check_int(peer_of(&tcp), 1);
            t.close(t.ctx);
        }
    }
    known.silent = false;
    forget_peers("rl");
    rows_done();
}

// From here on this process has no close_range, like a kernel before 5.9. Returns false if this is
// not possible (in an emulator).
static bool without_close_range(void) {
#ifdef SYS_close_range
    struct {
        uint16_t code;
        uint8_t if_true, if_false;
        uint32_t k;
    } filter[] = {
        {0x20, 0, 0, 0},                   // load the number of the system call
        {0x15, 0, 1, SYS_close_range},     // if it is this one
        {0x06, 0, 0, 0x00050000 | ENOSYS}, // it fails,
        {0x06, 0, 0, 0x7FFF0000},          // others are allowed
    };
    struct {
        unsigned short len;
        void *filter;
    } program = {COUNT(filter), filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, 2, &program, 0, 0) == 0;
#else
    return true;
#endif
}

static int descriptors_of(pid_t pid) {
    char path[40];
    int count = 0;
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

// While the child of one connection's lookup lives, another connection is closed: its peer gets
// the FIN, and the child has three descriptors after a while.
static bool close_beside_a_lookup(void) {
    struct rekey_posix_tcp one = REKEY_POSIX_TCP_INIT, other = REKEY_POSIX_TCP_INIT;
    struct rekey_transport t = rekey_posix_transport(&one), u = rekey_posix_transport(&other);
    struct pollfd p = {.events = POLLIN};
    long until = milliseconds() + 20000;
    char byte;

    check_int(drive(&one, REKEY_SPAN("127.0.1.1"), 1000, 20000), REKEY_DONE);
    known.silent = true;
    p.fd = accept(peers.listener[0], NULL, NULL);
    check_int(u.open(u.ctx, REKEY_SPAN("name.test"), 1, 1000), REKEY_WANT_READ);
    check(has_child());
    t.close(t.ctx);
    if (!check_int(poll(&p, 1, 20000), 1) || !check_int(recv(p.fd, &byte, 1, 0), 0)) {
        return false;
    }
    while (descriptors_of(other.lookup) != 3 && milliseconds() < until) {
    }
    check_int(descriptors_of(other.lookup), 3); // the pipe, and /dev/null twice
    u.close(u.ctx);
    known.silent = false;
    close(p.fd);
    return milliseconds() < until;
}

static void test_what_the_child_keeps(void **state) {
    int status = 0;
    pid_t pid;

    (void)state;
    make_peers("l");
    caller.hole = -1;
    row("the kernel has close_range, or the emulator");
    check(close_beside_a_lookup());
    row("it has not");
    pid = fork();
    if (pid == 0) {
        _exit(without_close_range() && !close_beside_a_lookup());
    }
    check_int(waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status));
    check_int(WEXITSTATUS(status), 0);
    forget_peers("l");
    rows_done();
}

static void test_explain(void **state) {
    struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
    struct rekey_transport t = rekey_posix_transport(&tcp);
    char text[40];

    (void)state;
    row("refused");
    make_peers("r");
    caller.hole = -1;
    check_int(drive(&tcp, REKEY_SPAN("name.test"), 1000, 20000), REKEY_E_CONNECT);
    t.close(t.ctx);
    tcp.error = ECONNREFUSED; // see refusal()
    t.explain(t.ctx, REKEY_E_CONNECT, text, sizeof(text));
    check_span(rekey_span(text, strlen(text)), REKEY_SPAN("Connection refused"));
    t.explain(t.ctx, REKEY_E_CONNECT, text, 4);
    check_span(rekey_span(text, strlen(text)), REKEY_SPAN("Con"));
    t.explain(t.ctx, REKEY_E_END, text, sizeof(text)); // the peer's doing
    check_int(text[0], '\0');
    row("another number");
    tcp.error = 4000;
    t.explain(t.ctx, REKEY_E_IO, text, sizeof(text));
    check_span(rekey_span(text, strlen(text)), REKEY_SPAN("error number 4000"));
    row("nothing");
    tcp.error = 0;
    t.explain(t.ctx, REKEY_E_IO, text, sizeof(text));
    check_int(text[0], '\0');
    forget_peers("r");
    rows_done();
}

// Given up after each call of open, in whatever state that left it; and used again after that.
static void test_close(void **state) {
    struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
    struct rekey_transport t = rekey_posix_transport(&tcp);
    int before, result = REKEY_AGAIN;

    (void)state;
    make_peers("hhurl");
    before = open_descriptors();
    for (int calls = 0; result != REKEY_DONE; calls++) {
        row_n("after calls", calls);
        result = REKEY_AGAIN;
        for (int n = 0; n < calls && result != REKEY_DONE; n++) {
            result = t.open(t.ctx, REKEY_SPAN("name.test"), ntohs(peers.port), 100);
            check(result >= 0);
            if (result == REKEY_WANT_READ) {
                rekey_posix_wait(&tcp, result, 20000);
            }
        }
        t.close(t.ctx);
        check_int(open_descriptors(), before);
        check(tcp.fd == -1 && tcp.lookup == 0 && !tcp.connected);
        check(t.wait_ms(t.ctx) == UINT32_MAX);
        t.close(t.ctx);
    }
    forget_peers("hhurl");
    rows_done();
}

// If there is no descriptor for an attempt, the attempt is made later, and never if there never is
// a descriptor.
static void test_no_descriptors(void **state) {
    struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
    struct rekey_transport t = rekey_posix_transport(&tcp);
    struct rlimit all, few;
    int next_fd;

    (void)state;
    check_int(getrlimit(RLIMIT_NOFILE, &all), 0);
    few = all;
    make_peers("hl");
    next_fd = dup(0);
    close(next_fd);
    caller.hole = -1;
    row("one attempt at a time");
    few.rlim_cur = (rlim_t)next_fd + 2; // the epoll descriptor, a socket
    check_int(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int n = 0; n < 100 && tcp.pending == 0; n++) {
        int result = t.open(t.ctx, REKEY_SPAN("name.test"), ntohs(peers.port), 100);

        check(result >= 0);
        if (result == REKEY_WANT_READ) {
            rekey_posix_wait(&tcp, result, 20000);
        }
    }
    check_int(tcp.next, 1);
    for (int n = 0; n < 10; n++) { // it is due, and there is still no descriptor
        check(t.open(t.ctx, REKEY_SPAN("name.test"), ntohs(peers.port), 100) >= 0);
        rekey_posix_wait(&tcp, REKEY_WANT_READ, 20000);
    }
    check_int(tcp.next, 1);
    check_int(setrlimit(RLIMIT_NOFILE, &all), 0);
    check_int(drive(&tcp, REKEY_SPAN("name.test"), 100, 20000), REKEY_DONE);
    check_int(peer_of(&tcp), 1);
    t.close(t.ctx);
    row("none at all");
    few.rlim_cur = (rlim_t)next_fd + 1;
    check_int(setrlimit(RLIMIT_NOFILE, &few), 0);
    check_int(drive(&tcp, REKEY_SPAN("127.0.1.2"), 100, 20000), REKEY_E_CONNECT);
    check_int(tcp.error, EMFILE);
    t.close(t.ctx);
    few.rlim_cur = (rlim_t)next_fd;
    check_int(setrlimit(RLIMIT_NOFILE, &few), 0);
    check_int(drive(&tcp, REKEY_SPAN("127.0.1.2"), 100, 20000), REKEY_E_CONNECT);
    check_int(tcp.error, EMFILE);
    t.close(t.ctx);
    check_int(setrlimit(RLIMIT_NOFILE, &all), 0);
    forget_peers("hl");
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_transfer),   UNIT(test_descriptor_0),
        UNIT(test_two_events), UNIT(test_attempts),
        UNIT(test_families),   UNIT(test_lookup),
        UNIT(test_close),      UNIT(test_no_descriptors),
        UNIT(test_no_child),   UNIT(test_what_the_child_keeps),
        UNIT(test_explain),
    };

    return cmocka_run_group_tests_name("tcp", tests, NULL, rows_total);
}
