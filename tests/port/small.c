// small.c - a transport to put below TLS: every record needs many calls.

#include "small.h"

#include "pass.h"

// Bytes that are accepted at once. An alert must fit, because close tries only once to send it.
#define WHOLE 40

static int write_one(void *ctx, const void *data, size_t len, size_t *done) {
    struct pass *p = ctx;

    if (len <= WHOLE) {
        return pass_write(ctx, data, len, done);
    }
    p->flag = !p->flag;
    return p->flag ? REKEY_WANT_WRITE : pass_write(ctx, data, 1, done);
}

static int read_one(void *ctx, void *buf, size_t cap, size_t *done) {
    struct pass *p = ctx;

    p->flag = !p->flag;
    return p->flag ? REKEY_WANT_READ : pass_read(ctx, buf, cap > 1 ? 1 : cap, done);
}

struct rekey_transport small_pieces(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.write = write_one;
    t.read = read_one;
    return t;
}
