// broken_zero.c - returns REKEY_DONE with no byte at the end of the stream, as recv does.

#include "pass.h"

static int read_zero(void *ctx, void *buf, size_t cap, size_t *done) {
    int result = pass_read(ctx, buf, cap, done);

    if (result == REKEY_END) {
        *done = 0;
        result = REKEY_DONE;
    }
    return result;
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.read = read_zero;
    return t;
}
