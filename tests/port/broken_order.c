// broken_order.c - reads ahead, and drops the bytes that it has when the connection breaks.

#include "pass.h"

static int read_ahead(void *ctx, void *buf, size_t cap, size_t *done) {
    struct pass *p = ctx;
    int result;

    do {
        size_t n = 0;

        if (p->len == sizeof(p->kept)) {
            break;
        }
        result = pass_read(ctx, p->kept + p->len, sizeof(p->kept) - p->len, &n);
        if (result < 0) {
            return result;
        }
        p->len += n;
    } while (result == REKEY_DONE);
    if (p->len == 0) {
        return result;
    }
    *done = cap < p->len ? cap : p->len;
    memcpy(buf, p->kept, *done);
    p->len -= *done;
    memmove(p->kept, p->kept + *done, p->len);
    return REKEY_DONE;
}

static void close_ahead(void *ctx) {
    struct pass *p = ctx;

    p->len = 0;
    pass_close(ctx);
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.read = read_ahead;
    t.close = close_ahead;
    return t;
}
