// broken_close.c - leaves the connection open until the next one is opened.

#include "pass.h"

static int open_late(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct pass *p = ctx;

    if (p->flag) {
        pass_close(ctx);
        p->flag = false;
    }
    return pass_open(ctx, host, port, timeout_ms);
}

static void close_late(void *ctx) {
    struct pass *p = ctx;

    p->flag = true;
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.open = open_late;
    t.close = close_late;
    return t;
}
