// broken_keep.c - does not send the written bytes until it is called again.

#include "pass.h"

static int flush(struct pass *p) {
    while (p->at < p->len) {
        size_t done = 0;
        int result = pass_write(p, p->kept + p->at, p->len - p->at, &done);

        if (result != REKEY_DONE) {
            return result;
        }
        p->at += done;
    }
    return REKEY_DONE;
}

static int write_keep(void *ctx, const void *data, size_t len, size_t *done) {
    struct pass *p = ctx;
    int result = flush(p);

    if (result < 0) {
        p->len = 0;
    }
    if (result != REKEY_DONE) {
        return result;
    }
    p->at = 0;
    p->len = len < sizeof(p->kept) ? len : sizeof(p->kept);
    memcpy(p->kept, data, p->len);
    *done = p->len;
    return REKEY_DONE;
}

static int read_keep(void *ctx, void *buf, size_t cap, size_t *done) {
    struct pass *p = ctx;
    int result = flush(p);

    return result > 0 ? result : pass_read(ctx, buf, cap, done);
}

static void close_keep(void *ctx) {
    struct pass *p = ctx;

    p->at = p->len = 0;
    pass_close(ctx);
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.write = write_keep;
    t.read = read_keep;
    t.close = close_keep;
    return t;
}
