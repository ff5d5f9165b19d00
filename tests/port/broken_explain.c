// broken_explain.c - stores a text without a NUL.

#include "pass.h"

static void explain_all(void *ctx, int error, char *buf, size_t cap) {
    (void)ctx;
    (void)error;
    memset(buf, '!', cap);
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.explain = explain_all;
    return t;
}
