// broken_part.c - returns that a write would block although it has accepted a part of the bytes:
// for every second write that is large, as only check_large_write and check_close_blocked write.

#include "pass.h"

static int write_part(void *ctx, const void *data, size_t len, size_t *done) {
    struct pass *p = ctx;
    int result;

    if (len < sizeof(p->kept) || p->flag) {
        p->flag = false;
        return pass_write(ctx, data, len, done);
    }
    result = pass_write(ctx, data, len / 2, done);
    p->flag = result == REKEY_DONE;
    return p->flag ? REKEY_WANT_WRITE : result;
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.write = write_part;
    return t;
}
