// pass.c - a transport that passes every call on to another one.

#include "pass.h"

int pass_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    const struct pass *p = ctx;

    return p->good.open(p->good.ctx, host, port, timeout_ms);
}

int pass_write(void *ctx, const void *data, size_t len, size_t *done) {
    const struct pass *p = ctx;

    return p->good.write(p->good.ctx, data, len, done);
}

int pass_read(void *ctx, void *buf, size_t cap, size_t *done) {
    const struct pass *p = ctx;

    return p->good.read(p->good.ctx, buf, cap, done);
}

void pass_close(void *ctx) {
    const struct pass *p = ctx;

    p->good.close(p->good.ctx);
}

static uint32_t pass_wait_ms(void *ctx) {
    const struct pass *p = ctx;

    return p->good.wait_ms(p->good.ctx);
}

static void pass_explain(void *ctx, int error, char *buf, size_t cap) {
    const struct pass *p = ctx;

    p->good.explain(p->good.ctx, error, buf, cap);
}

struct rekey_transport pass_all(struct pass *p, struct rekey_transport good) {
    struct rekey_transport t = {
        .ctx = p, .open = pass_open, .write = pass_write, .read = pass_read, .close = pass_close};

    p->good = good;
    t.wait_ms = good.wait_ms != NULL ? pass_wait_ms : NULL;
    t.explain = good.explain != NULL ? pass_explain : NULL;
    return t;
}
