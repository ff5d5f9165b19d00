// rtos_task.h - what the application gives to rtos_task.c, and what the board must provide.

#ifndef RTOS_TASK_H
#define RTOS_TASK_H

#include "rekey.h"
#include "tls.h"

struct rekey_task {
    struct rekey_span host;
    uint16_t port;
    struct rekey_endpoint endpoint;
    enum rekey_key key;
    struct rekey_anchors anchors;
    // As in struct rekey_options. It is called in the task.
    int (*token)(void *ctx, char *buf, size_t cap, size_t *len);
    // Called in the task when it has ended; the report is valid until it returns.
    void (*ended)(const struct rekey_report *report);
};

// Starts a task that regenerates one key. lwIP must have been started (tcpip_init), and *task must
// not change until `ended` has been called. Only one such task may run at a time.
void rekey_task_start(const struct rekey_task *task);

// Provided by the board: seconds since 1970, negative if the clock was never set; and randomness
// fit for keys, which returns REKEY_DONE or REKEY_E_ENTROPY.
int64_t board_wall_s(void *ctx);
int board_entropy(void *ctx, void *buf, size_t len);

#endif
