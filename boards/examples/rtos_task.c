// rtos_task.c - regenerates a key in a task of an RTOS, over lwIP with its own thread (NO_SYS=0,
// core locking). port/lwip holds the core lock only during each call of lwIP, so that other tasks
// can use the network meanwhile. Between two steps the task sleeps on a semaphore, until lwIP's
// thread says that there is something to do, or until rekey_wait_ms has passed. The code calls
// lwIP's own layer over the RTOS (sys_arch), so that it works with each RTOS that has lwIP.

#include "rtos_task.h"

#include <lwip/sys.h>

#include "owner.h"
#include "tcp.h"

#define STACK_SIZE 6144 // bytes; the deepest path is a handshake (docs/memory.md)
#define PRIORITY 1      // below lwIP's thread's: a handshake computes for up to a second

static const struct rekey_task *task;
static struct rekey client;
static struct rekey_options options;
static struct rekey_port port;
static struct rekey_lwip_tcp tcp;
static struct rekey_tls tls;
static sys_sem_t something_to_do;
static _Alignas(8) unsigned char arena[REKEY_ARENA_SIZE];

// The 32 bits of sys_now wrap after 49 days. This function is called at least that often while the
// task lives, and by no other task.
static uint64_t now_ms(void *ctx) {
    static uint64_t total;
    static uint32_t last;
    uint32_t now = sys_now();

    (void)ctx;
    total += (uint32_t)(now - last);
    last = now;
    return total;
}

// Called in lwIP's thread, with the core lock held: it must not wait, nor call the client.
static void wake(void *arg) {
    (void)arg;
    sys_sem_signal(&something_to_do);
}

// A signal that came earlier is not lost: then the wait ends at once, and a step does nothing.
static void sleep_for(uint32_t ms) {
    if (ms > 0) { // 0 would wait forever
        sys_arch_sem_wait(&something_to_do, ms);
    }
}

static void run(void *arg) {
    struct rekey_report report;
    int result = REKEY_AGAIN;

    (void)arg;
    rekey_mbedtls_init(&port, arena, sizeof(arena));
    rekey_tls_init(&tls, rekey_lwip_transport(&tcp), &port, task->anchors);
    rekey_init(&client, &port, &options);
    rekey_regenerate(&client, &task->endpoint, task->key, rekey_span(NULL, 0));
    while (result > 0) {
        result = rekey_step(&client);
        if (result > 0 && result != REKEY_AGAIN) {
            sleep_for(rekey_wait_ms(&client));
        }
    }
    rekey_report(&client, &report);
    rekey_tls_free(&tls);
    rekey_mbedtls_free();
    task->ended(&report);
    // Some RTOSes require that a task deletes itself here, for example with vTaskDelete(NULL).
}

void rekey_task_start(const struct rekey_task *t) {
    const struct rekey_options defaults = REKEY_OPTIONS_INIT;

    task = t;
    options = defaults;
    options.host = t->host;
    options.port = t->port;
    options.token = t->token;
    port.tls = rekey_tls_transport(&tls);
    port.now_ms = now_ms;
    port.wall_s = board_wall_s;
    port.entropy = board_entropy;
    tcp.ready = wake;
    if (!sys_sem_valid(&something_to_do)) {
        sys_sem_new(&something_to_do, 0);
    }
    sys_thread_new("rekey", run, NULL, STACK_SIZE, PRIORITY);
}
