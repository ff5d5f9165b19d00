// broken_refuse.c - returns no more data after a write has failed.

#include "pass.h"

static int write_refuse(void *ctx, const void *data, size_t len, size_t *done) {
    struct pass *p = ctx;
    int result = pass_write(ctx, data, len, done);

    p->flag = p->flag || result < 0;
    return result;
}

static int read_refuse(void *ctx, void *buf, size_t cap, size_t *done) {
    const struct pass *p = ctx;

    return p->flag ? REKEY_E_IO : pass_read(ctx, buf, cap, done);
}

static void close_refuse(void *ctx) {
    struct pass *p = ctx;

    p->flag = false;
    pass_close(ctx);
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.write = write_refuse;
    t.read = read_refuse;
    t.close = close_refuse;
    return t;
}
