// broken_block.c - opens with a connect that blocks, for 1.5 s at most.

#include "pass.h"
#include "posix.h"

static int open_block(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    const uint64_t until = rekey_posix_now_ms(NULL) + 1500;
    int result;

    do {
        result = pass_open(ctx, host, port, timeout_ms);
    } while (result > 0 && rekey_posix_now_ms(NULL) < until);
    return result;
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.open = open_block;
    return t;
}
