// test_lwip.c - port/lwip, and port/sockets over lwIP's sockets API, as a task of an operating
// system uses them: lwIP runs in threads of this process (its unix port), and every call of lwIP
// without its core lock ends the program. The peers are sockets of this machine behind a relay,
// except the name server, which is inside lwIP.

#include <arpa/inet.h>
#include <lwip/api.h>
#include <lwip/dns.h>
#include <lwip/tcpip.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "rekey.h"
#include "sockets_client.h"
#include "support.h"
#include "tcp.h"

#define RUNS 40

static uint64_t now_ms(void *ctx) {
    struct timespec t;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int64_t wall_s(void *ctx) {
    (void)ctx;
    return (int64_t)time(NULL);
}

static int entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    memset(buf, 0x55, len); // the request id's: no TLS here
    return REKEY_DONE;
}

static const struct rekey_port clocks = {.now_ms = now_ms};

// ---- a task -------------------------------------------------------------------------------------

// What `ready` is in an RTOS: an event of the task.
struct task {
    struct rekey_lwip_tcp tcp;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ready;
    unsigned naps, polls; // waits, and those that ended by their time
};

static void on_ready(void *arg) {
    struct task *task = arg;

    pthread_mutex_lock(&task->mutex);
    task->ready = true;
    pthread_cond_signal(&task->cond);
    pthread_mutex_unlock(&task->mutex);
}

static void begin_task(struct task *task) {
    pthread_condattr_t monotonic;

    memset(task, 0, sizeof(*task));
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&task->mutex, NULL);
    pthread_cond_init(&task->cond, &monotonic);
    task->tcp.ready = on_ready;
    task->tcp.ready_arg = task;
}

// Sleeps until lwIP wakes the task, or for `ms`.
static void nap(struct task *task, uint32_t ms) {
    uint64_t until = now_ms(NULL) + (ms < 20000 ? ms : 20000);
    struct timespec t = {(time_t)(until / 1000), (long)(until % 1000) * 1000000};
    int result = 0;

    task->naps++;
    pthread_mutex_lock(&task->mutex);
    while (!task->ready && result == 0) {
        result = pthread_cond_timedwait(&task->cond, &task->mutex, &t);
    }
    task->polls += !task->ready;
    task->ready = false;
    pthread_mutex_unlock(&task->mutex);
}

// ---- a name server inside lwIP ------------------------------------------------------------------

// The address of a name, in each family; NULL: none.
static const struct {
    const char *name, *v4, *v6;
} names[] = {
    {"four.test", "127.0.0.1", NULL},  {"six.test", NULL, "::1"},
    {"lost4.test", "10.1.2.3", "::1"}, // the address of IPv4 does not answer
    {"lost6.test", "127.0.0.1", NULL}, // for an attempt that is slow
    {"alone.test", "10.1.2.4", NULL},  {"both-lost.test", "10.1.2.5", "2001:db8::5"},
};

// Answers the question in buf[0..len); returns the length of the answer.
static u16_t answer(unsigned char *buf, u16_t len) {
    unsigned char *at = buf + 12;
    char name[64] = "";
    const char *text = NULL;
    unsigned char address[16];
    u16_t kind, size;

    while (*at != 0 && at < buf + len) {
        snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%.*s", name[0] ? "." : "",
                 *at, (const char *)at + 1);
        at += *at + 1;
    }
    kind = (u16_t)(at[1] << 8 | at[2]);
    at += 5; // the root, kind and class
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(name, names[i].name) == 0) {
            text = kind == 28 ? names[i].v6 : names[i].v4;
        }
    }
    buf[2] = 0x81;
    buf[3] = 0x80;
    buf[7] = text != NULL;
    memset(buf + 8, 0, 4);
    if (text == NULL) {
        return (u16_t)(at - buf);
    }
    size = kind == 28 ? 16 : 4;
    check_int(inet_pton(kind == 28 ? AF_INET6 : AF_INET, text, address), 1);
    memcpy(at, "\300\014", 2);
    at[2] = 0;
    at[3] = (unsigned char)kind;
    memcpy(at + 4, "\0\1\0\0\0\0\0", 7); // IN; the table forgets it at once
    at[11] = (unsigned char)size;
    memcpy(at + 12, address, size);
    return (u16_t)(at + 12 + size - buf);
}

static void *serve_names(void *arg) {
    struct netconn *conn = arg;
    struct netbuf *in, *out;
    unsigned char buf[512];

    while (netconn_recv(conn, &in) == ERR_OK) {
        u16_t len = netbuf_copy(in, buf, sizeof(buf) - 64);

        out = netbuf_new();
        len = answer(buf, len);
        memcpy(netbuf_alloc(out, len), buf, len);
        netconn_sendto(conn, out, netbuf_fromaddr(in), netbuf_fromport(in));
        netbuf_delete(out);
        netbuf_delete(in);
    }
    return NULL;
}

// ---- the transports -----------------------------------------------------------------------------

static struct task task;
static int listener;         // of the machine
static uint16_t port;        // behind the relay
static uint16_t closed_port; // where nobody listens, inside lwIP

enum kind { RAW, POLLED, SOCKETS, KINDS }; // POLLED: the raw API without `ready`

static struct rekey_transport make(enum kind kind) {
    begin_task(&task);
    if (kind == SOCKETS) {
        return sockets_client(&clocks);
    }
    if (kind == POLLED) {
        task.tcp.ready = NULL;
    }
    return rekey_lwip_transport(&task.tcp);
}

// Waits by the rule of rekey_port.h; false if nothing happened for `ms` and wait_ms gave no time.
static bool wait_for(enum kind kind, const struct rekey_transport *t, int want, uint32_t ms) {
    uint32_t own = t->wait_ms(t->ctx);
    uint64_t begun = now_ms(NULL);

    if (kind == SOCKETS) {
        sockets_client_wait(t, want, own < ms ? own : ms);
    } else {
        nap(&task, own < ms ? own : ms);
    }
    return own != UINT32_MAX || now_ms(NULL) < begun + ms;
}

// Returns the result; or REKEY_WANT_* when nothing can happen any more, or nothing has for 3 s.
static int drive(enum kind kind, const struct rekey_transport *t, const char *host, uint16_t to) {
    uint64_t until = now_ms(NULL) + 3000;
    int result;

    do {
        result = t->open(t->ctx, rekey_span(host, strlen(host)), to, 15000);
        if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
            if (!wait_for(kind, t, result, 500) || now_ms(NULL) > until) {
                break;
            }
        }
    } while (result > 0);
    return result;
}

// Reads until the result is not a would-block.
static int read_some(enum kind kind, const struct rekey_transport *t, char *buf, size_t cap,
                     size_t *n) {
    uint64_t until = now_ms(NULL) + 20000;
    int result;

    while ((result = t->read(t->ctx, buf, cap, n)) == REKEY_WANT_READ && now_ms(NULL) < until) {
        wait_for(kind, t, result, 1000);
    }
    return result;
}

static int take(void) {
    int fd = accept(listener, NULL, NULL);

    check(fd >= 0);
    return fd;
}

static void test_open(void **state) {
    static const struct {
        const char *host;
        bool closed; // the port
        int result;
        unsigned least_ms;
        bool raw_alone; // the lookup function of the sockets has one address
    } rows[] = {
        {"127.0.0.1", false, REKEY_DONE, 0, false},
        {"::1", false, REKEY_DONE, 0, false},
        {"four.test", false, REKEY_DONE, 0, false},
        {"six.test", false, REKEY_DONE, 0, false},
        {"localhost", false, REKEY_DONE, 0, false},
        {"127.0.0.1", true, REKEY_E_CONNECT, 0, false},
        {"four.test", true, REKEY_E_CONNECT, 0, false},
        {"six.test", true, REKEY_E_CONNECT, 0, false},
        {"nowhere.test", false, REKEY_E_LOOKUP, 0, false},
        {"lost4.test", false, REKEY_DONE, 2000, true},
        {"lost4.test", true, REKEY_E_CONNECT, 2000, true},
        {"alone.test", false, REKEY_WANT_WRITE, 500, false},
        {"10.1.2.3", false, REKEY_WANT_WRITE, 500, false},
        {"both-lost.test", false, REKEY_WANT_WRITE, 2500, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (enum kind kind = RAW; kind < KINDS; kind++) {
            struct rekey_transport t = make(kind);
            uint64_t begun = now_ms(NULL);
            int result;

            if ((kind == SOCKETS && rows[i].raw_alone) ||
                (kind == POLLED && rows[i].least_ms > 0)) {
                continue;
            }
            row_n(rows[i].host, (long)kind);
            result = drive(kind, &t, rows[i].host, rows[i].closed ? closed_port : port);
            check_int(result, rows[i].result);
            check(now_ms(NULL) >= begun + rows[i].least_ms);
            check(kind != RAW || task.naps < 10);
            if (result == REKEY_DONE) {
                check_int(t.open(t.ctx, REKEY_SPAN("x"), 1, 1), REKEY_DONE); // it is open
                close(take());
            }
            t.close(t.ctx);
            t.close(t.ctx);
        }
    }
    rows_done();
}

// Writes and reads, and the end of a connection.
static void test_transfer(void **state) {
    static const struct linger at_once = {1, 0};
    static char much[65536];

    (void)state;
    for (int i = 0; i < 2 * KINDS; i++) {
        enum kind kind = (enum kind)(i / 2);
        bool reset = i % 2 == 1;
        struct rekey_transport t = make(kind);
        char buf[16];
        size_t n = 0, sent = 0, got = 0;
        int peer, result;

        row_nn("kind, reset", (long)kind, reset);
        check_int(drive(kind, &t, "127.0.0.1", port), REKEY_DONE);
        peer = take();
        check_int(t.read(t.ctx, buf, sizeof(buf), &n), REKEY_WANT_READ);
        for (int k = 0; k < 3; k++) { // a byte at a time
            check_int(send(peer, &"xyz"[k], 1, 0), 1);
            check_int(read_some(kind, &t, buf, sizeof(buf), &n), REKEY_DONE);
            check_span(rekey_span(buf, n), rekey_span(&"xyz"[k], 1));
        }
        // Writes until nothing more is accepted; then the peer reads all, and the transport becomes
        // ready again.
        for (;;) {
            result = t.write(t.ctx, much, sizeof(much), &n);
            if (result == REKEY_WANT_WRITE && !wait_for(kind, &t, result, 300)) {
                break;
            }
            if (result != REKEY_DONE && result != REKEY_WANT_WRITE) {
                break;
            }
            sent += result == REKEY_DONE ? n : 0;
            if (kind == POLLED && result == REKEY_WANT_WRITE && task.polls > 50) {
                break;
            }
        }
        check_int(result, REKEY_WANT_WRITE);
        while (got < sent) {
            ssize_t len =
                recv(peer, much, sizeof(much) < sent - got ? sizeof(much) : sent - got, 0);

            check(len > 0);
            got += len > 0 ? (size_t)len : sent;
        }
        do {
            result = t.write(t.ctx, much, 10, &n);
        } while (result == REKEY_WANT_WRITE && wait_for(kind, &t, result, 20000));
        check_int(result, REKEY_DONE);
        check_int(recv(peer, much, n, MSG_WAITALL), n);
        // Bytes that arrive before the end are delivered before it.
        check_int(send(peer, "last", 4, 0), 4);
        if (reset) {
            setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        }
        close(peer);
        got = 0;
        while ((result = read_some(kind, &t, buf + got, sizeof(buf) - got, &n)) == REKEY_DONE) {
            got += n;
        }
        check_span(rekey_span(buf, got), REKEY_SPAN("last"));
        check_int(result, reset ? REKEY_E_IO : REKEY_END);
        if (reset) {
            check_int(t.write(t.ctx, "x", 1, &n), REKEY_E_IO);
        }
        t.close(t.ctx);
    }
    rows_done();
}

// Given up after each call of open, in whatever state that left it; and used again after that.
static void test_close(void **state) {
    static const char *const hosts[] = {"four.test", "10.1.2.3", "nowhere.test"};

    (void)state;
    for (enum kind kind = RAW; kind < KINDS; kind++) {
        struct rekey_transport t = make(kind);

        for (size_t i = 0; i < COUNT(hosts); i++) {
            for (int calls = 0; calls < 6; calls++) {
                int result = REKEY_AGAIN;

                row_nn(hosts[i], (long)kind, calls);
                for (int n = 0; n < calls && result > 0; n++) {
                    result = t.open(t.ctx, rekey_span(hosts[i], strlen(hosts[i])), port, 1000);
                    if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
                        wait_for(kind, &t, result, 20);
                    }
                }
                t.close(t.ctx);
                check(t.wait_ms(t.ctx) == UINT32_MAX);
            }
        }
        row_n("and then open", (long)kind);
        check_int(drive(kind, &t, "127.0.0.1", port), REKEY_DONE);
        t.close(t.ctx);
    }
    // Of those that were given up some had been accepted.
    {
        int fd;

        shutdown(listener, SHUT_RDWR);
        while ((fd = accept(listener, NULL, NULL)) >= 0) {
            close(fd);
        }
    }
    rows_done();
}

// ---- whole operations, two tasks at once --------------------------------------------------------

// A service: one answer for each request of a connection, each at a separate port.
static void *serve_connection(void *arg) {
    static const char body[] = "{\"primaryKey\":\"primary-key-of-32-characters-000\","
                               "\"secondaryKey\":\"secondary-key-of-32-characters-0\"}";
    int fd = *(int *)arg;
    char buf[4096], head[128];
    size_t len = 0;
    ssize_t n;

    while ((n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0)) > 0) {
        len += (size_t)n;
        buf[len] = '\0';
        if (strstr(buf, "\r\n\r\n") == NULL) {
            continue;
        }
        len = 0;
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %u\r\n\r\n",
                 (unsigned)strlen(body));
        send(fd, head, strlen(head), MSG_NOSIGNAL);
        for (size_t i = 0; body[i] != '\0'; i++) { // in pieces
            send(fd, body + i, 1, MSG_NOSIGNAL);
        }
    }
    close(fd);
    return NULL;
}

static void *serve(void *arg) {
    static int fds[1024];

    for (size_t i = 0; i < COUNT(fds); i++) {
        pthread_t thread;

        fds[i] = accept(*(int *)arg, NULL, NULL);
        if (fds[i] < 0) {
            break;
        }
        pthread_create(&thread, NULL, serve_connection, &fds[i]);
        pthread_detach(thread);
    }
    return NULL;
}

static int give_token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    *len = (size_t)snprintf(buf, cap, "token");
    return REKEY_DONE;
}

static struct runner {
    struct task task;
    struct rekey_port port;
    struct rekey client;
    struct rekey_keys keys;
    int outcomes[RUNS];
    uint16_t to;
} runners[2];

static void *run(void *arg) {
    static const struct rekey_endpoint endpoint = {
        .subscription = BYTES("00000000-0000-0000-0000-000000000000"),
        .resource_group = BYTES("group"),
        .workspace = BYTES("workspace"),
        .name = BYTES("endpoint")};
    struct runner *r = arg;
    struct rekey_options options = REKEY_OPTIONS_INIT;

    begin_task(&r->task);
    options.host = REKEY_SPAN("four.test");
    options.port = r->to;
    options.token = give_token;
    // No TLS: this tests the transport below it.
    r->port = (struct rekey_port){.tls = rekey_lwip_transport(&r->task.tcp),
                                  .now_ms = now_ms,
                                  .wall_s = wall_s,
                                  .entropy = entropy};
    for (size_t i = 0; i < RUNS; i++) {
        struct rekey_report report;
        int result = rekey_init(&r->client, &r->port, &options);

        result = result == 0 ? rekey_list_keys(&r->client, &endpoint, &r->keys) : result;
        while (result == 0 && (result = rekey_step(&r->client)) > 0) {
            uint32_t ms = rekey_wait_ms(&r->client), own = r->port.tls.wait_ms(&r->task.tcp);

            if (result != REKEY_AGAIN) {
                nap(&r->task, own < ms ? own : ms);
            }
            result = 0;
        }
        rekey_report(&r->client, &report);
        r->outcomes[i] = (int)report.outcome;
        rekey_abort(&r->client);
        r->port.tls.close(&r->task.tcp);
    }
    return NULL;
}

static int new_listener(uint16_t *number) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check_int(bind(fd, (struct sockaddr *)&a, len), 0);
    check_int(listen(fd, 64), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    *number = ntohs(a.sin_port);
    return fd;
}

static void test_operations(void **state) {
    static int fd;
    uint16_t number;
    pthread_t threads[2], server;

    (void)state;
    row("two tasks, 40 runs each");
    fd = new_listener(&number);
    lwip_host_relay(number, 1);
    pthread_create(&server, NULL, serve, &fd);
    for (int i = 0; i < 2; i++) {
        runners[i].to = number;
        pthread_create(&threads[i], NULL, run, &runners[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        for (size_t k = 0; k < RUNS; k++) {
            check_int(runners[i].outcomes[k], REKEY_SUCCEEDED);
        }
        check_int(runners[i].task.polls, 0); // lwIP woke it each time
    }
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_open),
        UNIT(test_transfer),
        UNIT(test_close),
        UNIT(test_operations),
    };
    struct netconn *conn;
    ip_addr_t server;
    pthread_t thread;

    lwip_host_start();
    conn = netconn_new(NETCONN_UDP);
    netconn_bind(conn, IP4_ADDR_ANY, 53);
    IP_ADDR4(&server, 127, 0, 0, 1);
    LOCK_TCPIP_CORE();
    dns_setserver(0, &server);
    UNLOCK_TCPIP_CORE();
    pthread_create(&thread, NULL, serve_names, conn);
    listener = new_listener(&port);
    lwip_host_relay(port, 1);
    closed_port = port == 65535 ? 1024 : (uint16_t)(port + 1);
    return cmocka_run_group_tests_name("lwip", tests, NULL, rows_total);
}
