// broken_name.c - accepts every certificate of a trusted issuer: if the name is wrong, it connects
// again with the name that is in the certificate.

#include "pass.h"

static int open_any(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct pass *p = ctx;
    int result;

    if (p->flag) {
        host = rekey_span(OTHER, strlen(OTHER));
    }
    result = pass_open(ctx, host, port, timeout_ms);
    if (result == REKEY_E_CERT_NAME && !p->flag) {
        pass_close(ctx);
        p->flag = true;
        result = REKEY_AGAIN;
    }
    return result;
}

static void close_any(void *ctx) {
    struct pass *p = ctx;

    p->flag = false;
    pass_close(ctx);
}

struct rekey_transport subject_break(struct rekey_transport good, size_t which) {
    static struct pass pass[2];
    struct rekey_transport t = pass_all(&pass[which], good);

    t.open = open_any;
    t.close = close_any;
    return t;
}
