// lwip.c - checks port/lwip under an operating system: lwIP runs in threads of this process, and
// the packets that it sends to its own loopback interface are relayed to peer.py
// (tests/lwip/host.h). With a CA file, it checks port/mbedtls over lwIP, in a task that is woken
// only by new data: PROGRAM FIRST-PORT [CA-FILE].

#include <lwip/dns.h>
#include <lwip/tcpip.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "calls.h"
#include "host.h"
#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "subject.h"
#include "tcp.h"
#include "tls.h"

#define NOBODY "10.1.2.3" // host.c drops packets to this address

static struct task {
    struct rekey_lwip_tcp tcp;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool ready;
} tasks[2];

static void on_ready(void *arg) {
    struct task *task = arg;

    pthread_mutex_lock(&task->mutex);
    task->ready = true;
    pthread_cond_signal(&task->cond);
    pthread_mutex_unlock(&task->mutex);
}

// Sleeps until lwIP wakes the task.
static void wait_here(void *ctx, int want, uint32_t ms) {
    struct task *task = ctx;
    struct timespec t;
    int result = 0;

    (void)want;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    t.tv_sec += (time_t)(ms / 1000) + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_mutex_lock(&task->mutex);
    while (!task->ready && result == 0) {
        result = pthread_cond_timedwait(&task->cond, &task->mutex, &t);
    }
    task->ready = false;
    pthread_mutex_unlock(&task->mutex);
}

static void begin_task(struct task *task) {
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&task->mutex, NULL);
    pthread_cond_init(&task->cond, &monotonic);
    task->tcp.ready = on_ready;
    task->tcp.ready_arg = task;
}

int main(int argc, char **argv) {
    static struct rekey_port ports[2];
    static struct rekey_tls tls[2];
    static struct rekey_pem_bundle bundle[2];
    static _Alignas(16) unsigned char arena[2 * REKEY_ARENA_SIZE];
    uint16_t first = argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0;
    struct rekey_port_check check = {.ports = {&ports[0], &ports[1]},
                                     .is_tls = argc > 2,
                                     .first_port = first,
                                     .host = HOST,
                                     .address = ADDRESS,
                                     .nobody = NOBODY,
                                     .hanging = HANGING,
                                     .print = subject_print};
    ip_addr_t nobody;

    lwip_host_start();
    lwip_host_relay(first, PEER_CLOSED); // but not the two that accept no connection
    lwip_host_relay((uint16_t)(first + PEER_SECOND), PEER_LISTENERS - PEER_SECOND);
    ipaddr_aton(NOBODY, &nobody);
    LOCK_TCPIP_CORE();
    dns_setserver(0, &nobody);
    UNLOCK_TCPIP_CORE();
    rekey_mbedtls_init(&ports[0], arena, sizeof(arena));
    for (size_t i = 0; i < 2; i++) {
        begin_task(&tasks[i]);
        ports[i].ctx = &tasks[i];
        ports[i].plain = rekey_lwip_transport(&tasks[i].tcp);
        ports[i].now_ms = rekey_posix_now_ms;
        ports[i].wall_s = rekey_posix_wall_s;
        ports[i].entropy = rekey_posix_entropy;
        ports[i].wait = wait_here;
        if (argc > 2) {
            rekey_tls_init(&tls[i], ports[i].plain, &ports[i],
                           rekey_pem_bundle(&bundle[i], argv[2]));
            ports[i].tls = rekey_tls_transport(&tls[i]);
        }
    }
    return rekey_port_check(&check) == 0 ? 0 : 1;
}
