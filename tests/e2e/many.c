// many.c - many clients in one thread, each with an endpoint and a TLS connection of its own; epoll
// says which of them can continue. The first client regenerates a key of its endpoint, the others
// list the keys of theirs. Prints how many succeeded, and how much memory they used.
//
//     many HOST PORT CA-FILE COUNT ENDPOINT...     the token is in TOKEN; endpoint i of n is i % n

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "rekey.h"
#include "tls.h"
#define MOST 64

#ifdef MANY_HEAP
#include <malloc.h>
static size_t in_use(void) {
    return mallinfo2().uordblks;
}
#else
#include "arena.h"
static _Alignas(16) unsigned char arena[REKEY_ARENA_MAX];
#define in_use rekey_arena_peak
#endif

static struct one {
    struct rekey_posix_tcp tcp;
    struct rekey_tls tls;
    struct rekey_pem_bundle bundle; // anchors of its own
    struct rekey_port port;
    struct rekey_options options;
    struct rekey_endpoint endpoint;
    struct rekey client;
    struct rekey_keys keys;
    int result;
    bool ready;
} all[MOST];

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    const char *text = getenv("TOKEN");

    (void)ctx;
    *len = strlen(text);
    memcpy(buf, text, *len < cap ? *len : cap);
    return *len <= cap ? REKEY_DONE : REKEY_E_LIMIT_TOKEN;
}

static void begin(struct one *one, int number, char **argv, int endpoints) {
    const char *name = argv[5 + number % endpoints];
    const struct rekey_span none = {NULL, 0};

    one->endpoint.subscription = REKEY_SPAN("00000000-1111-2222-3333-444444444444");
    one->endpoint.resource_group = REKEY_SPAN("test-group");
    one->endpoint.workspace = REKEY_SPAN("test-workspace");
    one->endpoint.name = rekey_span(name, strlen(name));
    one->tcp = (struct rekey_posix_tcp)REKEY_POSIX_TCP_INIT;
    one->port = (struct rekey_port){.tls = rekey_tls_transport(&one->tls),
                                    .now_ms = rekey_posix_now_ms,
                                    .wall_s = rekey_posix_wall_s,
                                    .entropy = rekey_posix_entropy};
    rekey_tls_init(&one->tls, rekey_posix_transport(&one->tcp), &one->port,
                   rekey_pem_bundle(&one->bundle, argv[3]));
    one->options = (struct rekey_options)REKEY_OPTIONS_INIT;
    one->options.host = rekey_span(argv[1], strlen(argv[1]));
    one->options.port = (uint16_t)atoi(argv[2]);
    one->options.token = token;
    one->result = rekey_init(&one->client, &one->port, &one->options);
    if (one->result == 0) {
        one->result = number == 0
                          ? rekey_regenerate(&one->client, &one->endpoint, REKEY_KEY_PRIMARY, none)
                          : rekey_list_keys(&one->client, &one->endpoint, &one->keys);
    }
    one->result = one->result == 0 ? REKEY_AGAIN : one->result;
    one->ready = true;
}

// Advances each client that can continue. Returns how many are not done, and in *ms the time until
// one of them has something to do.
static int step_all(int count, int epoll, int *ms) {
    int left = 0;

    *ms = 1000;
    for (int i = 0; i < count; i++) {
        struct one *one = &all[i];
        struct epoll_event event = {.data.u32 = (uint32_t)i};

        if (one->result > 0 && (one->ready || rekey_wait_ms(&one->client) == 0)) {
            one->result = rekey_step(&one->client);
        }
        if (one->result <= 0) {
            continue;
        }
        left++;
        one->ready = one->result == REKEY_AGAIN;
        if (one->result == REKEY_WANT_READ || one->result == REKEY_WANT_WRITE) {
            event.events = EPOLLONESHOT | (one->result == REKEY_WANT_READ ? EPOLLIN : EPOLLOUT);
            if (epoll_ctl(epoll, EPOLL_CTL_MOD, one->tcp.fd, &event) != 0) {
                epoll_ctl(epoll, EPOLL_CTL_ADD, one->tcp.fd, &event);
            }
        }
        if (one->ready) {
            *ms = 0;
        } else if (rekey_wait_ms(&one->client) < (uint32_t)*ms) {
            *ms = (int)rekey_wait_ms(&one->client);
        }
    }
    return left;
}

int main(int argc, char **argv) {
    int count = argc > 5 ? atoi(argv[4]) : 0, epoll = epoll_create1(EPOLL_CLOEXEC), good = 0, ms;
    struct rekey_report report;
    size_t peak = 0;
    char why[256];

    if (count < 1 || count > MOST) {
        return 2;
    }
#ifndef MANY_HEAP
    rekey_mbedtls_init(&all[0].port, arena, sizeof(arena));
#endif
    for (int i = 0; i < count; i++) {
        begin(&all[i], i, argv, argc - 5);
    }
    while (step_all(count, epoll, &ms) > 0) {
        struct epoll_event events[MOST];
        int n = epoll_wait(epoll, events, MOST, ms);

        peak = in_use() > peak ? in_use() : peak;
        for (int i = 0; i < n; i++) {
            all[events[i].data.u32].ready = true;
        }
    }
    for (int i = 0; i < count; i++) {
        rekey_report(&all[i].client, &report);
        all[i].port.tls.explain(all[i].port.tls.ctx, report.error, why, sizeof(why));
        if (report.outcome == REKEY_SUCCEEDED) {
            good++;
        } else {
            printf("%d: outcome %d %s: %s\n", i, report.outcome, rekey_error_text(report.error),
                   why);
        }
        rekey_tls_free(&all[i].tls);
    }
    printf(
        "succeeded: %d of %d\nbytes of each: struct rekey %zu, struct rekey_tls %zu, allocated %zu "
        "(peak %zu)\n",
        good, count, sizeof(all[0].client), sizeof(all[0].tls), peak / (size_t)count, peak);
    return good == count ? 0 : 1;
}
