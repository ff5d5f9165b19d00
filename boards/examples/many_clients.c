// many_clients.c - regenerates the primary keys of many endpoints in one thread, with one epoll
// descriptor for all. AT_ONCE of them run at the same time: the number of handshakes for which the
// arena has memory. An image whose mbedTLS allocates from the heap has no arena, and no such limit.
//
//     many_clients HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT...
//
// The token is in the environment variable TOKEN.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "arena.h"
#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "rekey.h"
#include "tls.h"

#ifndef AT_ONCE
#define AT_ONCE (REKEY_ARENA_MAX / CONNECTION_SIZE) // 5; 2 with 32-bit pointers
#endif
#define CONNECTION_SIZE (REKEY_ARENA_SIZE / 4 * 3) // bytes of arena
#define NAMED_BEFORE 7                             // arguments before the first endpoint

static struct client {
    struct rekey rekey;
    struct rekey_posix_tcp tcp;
    struct rekey_tls tls;
    struct rekey_port port;
    struct rekey_endpoint endpoint;
    bool running, ready; // ready: a step is due
} clients[AT_ONCE];

// Shared: it is used only within a step, and only one client at a time makes a step.
static struct rekey_pem_bundle bundle;
static struct rekey_options options = REKEY_OPTIONS_INIT;
static _Alignas(16) unsigned char arena[AT_ONCE * CONNECTION_SIZE];
static char **names; // number of endpoints that no client has begun
static int running, succeeded;

static int get_token(void *ctx, char *buf, size_t cap, size_t *len) {
    *len = strlen(ctx);
    memcpy(buf, ctx, *len < cap ? *len : cap);
    return *len <= cap ? REKEY_DONE : REKEY_E_LIMIT_TOKEN;
}

// Begins with the next endpoint, if there is one.
static void begin(struct client *c) {
    c->running = c->ready = *names != NULL;
    if (c->running) {
        c->endpoint.name = rekey_span(*names, strlen(*names));
        names++;
        running++;
        rekey_regenerate(&c->rekey, &c->endpoint, REKEY_KEY_PRIMARY, rekey_span(NULL, 0));
    }
}

static void end(struct client *c) {
    struct rekey_report report;

    rekey_report(&c->rekey, &report);
    printf("%.*s: outcome %d, error %s\n", (int)c->endpoint.name.len, c->endpoint.name.ptr,
           report.outcome, rekey_error_name(report.error));
    succeeded += report.outcome == REKEY_SUCCEEDED;
    running--;
    begin(c);
}

// Asks for one event of the descriptor for which the client waits. Each step may have opened
// another descriptor, even one with the same number; a closed descriptor leaves the epoll
// descriptor by itself.
static void watch(int epoll, struct client *c, int want) {
    const uint32_t ready = want == REKEY_WANT_READ ? EPOLLIN : EPOLLOUT;
    struct epoll_event event = {.events = ready | EPOLLONESHOT, .data = {.ptr = c}};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->tcp.fd, &event) != 0 && errno == EEXIST) {
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->tcp.fd, &event);
    }
}

static void step(int epoll, struct client *c) {
    int result = rekey_step(&c->rekey);

    c->ready = result == REKEY_AGAIN;
    if (result <= 0) {
        end(c);
    } else if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
        watch(epoll, c, result);
    }
}

// Waits until a client's descriptor is ready, or until it is time for a client's next step.
static void wait_for_any(int epoll) {
    struct epoll_event events[AT_ONCE];
    uint32_t ms = 60000;

    for (struct client *c = clients; c < clients + AT_ONCE; c++) {
        uint32_t each = c->ready || !c->running ? 0 : rekey_wait_ms(&c->rekey);

        ms = c->running && each < ms ? each : ms;
    }
    for (int i = epoll_wait(epoll, events, (int)AT_ONCE, (int)ms) - 1; i >= 0; i--) {
        ((struct client *)events[i].data.ptr)->ready = true; // or one step too many
    }
}

static void init(struct client *c, char **argv) {
    c->tcp = (struct rekey_posix_tcp)REKEY_POSIX_TCP_INIT;
    c->port = (struct rekey_port){.tls = rekey_tls_transport(&c->tls),
                                  .now_ms = rekey_posix_now_ms,
                                  .wall_s = rekey_posix_wall_s,
                                  .entropy = rekey_posix_entropy};
    c->endpoint.subscription = rekey_span(argv[4], strlen(argv[4]));
    c->endpoint.resource_group = rekey_span(argv[5], strlen(argv[5]));
    c->endpoint.workspace = rekey_span(argv[6], strlen(argv[6]));
    rekey_tls_init(&c->tls, rekey_posix_transport(&c->tcp), &c->port,
                   rekey_pem_bundle(&bundle, argv[3]));
    rekey_init(&c->rekey, &c->port, &options);
    begin(c);
}

int main(int argc, char **argv) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (argc <= NAMED_BEFORE) {
        return REKEY_USAGE;
    }
    names = argv + NAMED_BEFORE;
    options.host = rekey_span(argv[1], strlen(argv[1]));
    options.port = (uint16_t)atoi(argv[2]);
    options.token = get_token;
    options.token_ctx = getenv("TOKEN") != NULL ? getenv("TOKEN") : "";
    rekey_mbedtls_init(&clients[0].port, arena, sizeof(arena));
    for (struct client *c = clients; c < clients + AT_ONCE; c++) {
        init(c, argv);
    }
    while (running > 0) {
        wait_for_any(epoll);
        for (struct client *c = clients; c < clients + AT_ONCE; c++) {
            if (c->running && (c->ready || rekey_wait_ms(&c->rekey) == 0)) {
                step(epoll, c); // one step each, so that no handshake delays the others for long
            }
        }
    }
    printf("%d of %d succeeded, %d at once; RAM: %zu bytes for each of these, %zu of arena\n",
           succeeded, argc - NAMED_BEFORE, (int)AT_ONCE, sizeof(clients[0]), sizeof(arena));
    return succeeded == argc - NAMED_BEFORE ? 0 : 1;
}
