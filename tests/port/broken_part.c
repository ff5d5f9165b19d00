// broken_part.c - returns that a write would block although it has accepted a part of the bytes.

#include "pass.h"

static int write_part(void *ctx, const void *data, size_t len, size_t *done) {
    struct pass *p = ctx;
    size_t first = 0;
    int result = pass_write(ctx, data, len > 1 ? len / 2 : len, &first);

    if (result != REKEY_DONE || len == 1) {
        *done = first;
        return result;
    }
    result = pass_write(ctx, (const char *)data + first, len - first, done);
    *done += first;
    p->flag = result != REKEY_DONE;
    return result;
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.write = write_part;
    return t;
}
