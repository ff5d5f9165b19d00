// pass.h - a transport that passes every call on to another one. The transports that break a
// sentence on purpose are made from it.

#ifndef PASS_H
#define PASS_H

#include "subject.h"

struct pass {
    struct rekey_transport good;
    bool flag;     // used by the transport that is built on this one, like the fields below
    uint64_t time; // milliseconds
    unsigned char kept[4096];
    size_t len, at;
    int status;
};

// A transport with `p` as its ctx, whose functions may be replaced.
struct rekey_transport pass_all(struct pass *p, struct rekey_transport good);

int pass_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms);
int pass_write(void *ctx, const void *data, size_t len, size_t *done);
int pass_read(void *ctx, void *buf, size_t cap, size_t *done);
void pass_close(void *ctx);

#endif
