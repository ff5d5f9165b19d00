// broken_cut.c - reports a TLS stream that was cut as an orderly end.

#include "pass.h"

static int read_cut(void *ctx, void *buf, size_t cap, size_t *done) {
    int result = pass_read(ctx, buf, cap, done);

    return result == REKEY_E_END ? REKEY_END : result;
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.read = read_cut;
    return t;
}
