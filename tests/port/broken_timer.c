// broken_timer.c - tries the second address after 2 s, but does not say by wait_ms that it must be
// called then.

#include "pass.h"
#include "posix.h"

// Until then it waits as if the first address were being tried.
static int open_timer(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct pass *p = ctx;

    if (rekey_span_equal(host, rekey_span(TWO, strlen(TWO)))) {
        if (p->time == 0) {
            p->time = rekey_posix_now_ms(NULL) + 2000;
        }
        if (rekey_posix_now_ms(NULL) < p->time) {
            return REKEY_WANT_READ;
        }
    }
    return pass_open(ctx, host, port, timeout_ms);
}

static void close_timer(void *ctx) {
    struct pass *p = ctx;

    p->time = 0;
    pass_close(ctx);
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.open = open_timer;
    t.close = close_timer;
    return t;
}
