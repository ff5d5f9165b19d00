// exchange.c - the state machine of exchange.h.

#include "exchange.h"

enum state { OPEN, SEND, RECEIVE };

void rekey_exchange_close(struct rekey_exchange *x) {
    if (x->opening || x->connected) {
        x->transport->close(x->transport->ctx);
    }
    x->opening = x->connected = false;
}

void rekey_exchange_open(struct rekey_exchange *x) {
    x->state = OPEN;
    x->reused = x->got_byte = x->cut_short = false;
    x->out_at = x->out_len = 0;
}

void rekey_exchange_send(struct rekey_exchange *x, const char *ptr, size_t len) {
    x->out = ptr;
    x->out_at = 0;
    x->out_len = (uint16_t)len;
}

void rekey_exchange_receive(struct rekey_exchange *x, struct rekey_http_field *fields, size_t count,
                            char *body, size_t body_cap, bool cut_short) {
    rekey_http_start(&x->http, fields, count, body, body_cap);
    x->cut_short = cut_short;
    x->head_done = false;
    x->state = RECEIVE;
}

bool rekey_exchange_writes(const struct rekey_exchange *x) {
    return x->state == SEND && x->out_at < x->out_len;
}

static int ready(struct rekey_exchange *x, uint64_t now) {
    x->timer = now;
    x->state = SEND;
    return REKEY_EXCHANGE_READY;
}

// The transport has returned `want`. Returns `want`, or `error` if the timeout is over. The caller
// may sleep until the end of the timeout, but not longer than the transport allows.
static int wait(struct rekey_exchange *x, uint64_t now, uint32_t timeout_ms, int want, int error) {
    const struct rekey_transport *t = x->transport;
    uint64_t end = x->timer + timeout_ms, until = end;

    if (now >= end) {
        return error;
    }
    if (want != REKEY_AGAIN) {
        if (t->wait_ms != NULL) {
            until = now + t->wait_ms(t->ctx);
        }
        x->until = until < end ? until : end;
    }
    return want;
}

static int idle(struct rekey_exchange *x, uint64_t now, int want) {
    return wait(x, now, x->idle_timeout_ms, want, REKEY_E_IDLE_TIMEOUT);
}

// A connection that has served a request can be used again if nothing has arrived over it since,
// and if it was not idle for too long. That time is compared in 32 bits, which wrap after 49 days;
// the server has closed the connection by then.
static int step_reuse(struct rekey_exchange *x, uint64_t now) {
    size_t n;
    int result = x->transport->read(x->transport->ctx, x->io, sizeof(x->io), &n);

    if (result == REKEY_AGAIN) {
        return result;
    }
    if ((result != REKEY_WANT_READ && result != REKEY_WANT_WRITE) ||
        (uint32_t)(now - x->timer) > REKEY_IDLE_MAX_MS) {
        rekey_exchange_close(x);
        return REKEY_AGAIN;
    }
    x->reused = true;
    return ready(x, now);
}

static int step_open(struct rekey_exchange *x, uint64_t now) {
    int result;

    if (x->connected) {
        return step_reuse(x, now);
    }
    if (!x->opening) {
        x->opening = true;
        x->timer = now;
    }
    result = x->transport->open(x->transport->ctx, x->host, x->port, x->connect_timeout_ms);
    if (result > 0) {
        return wait(x, now, x->connect_timeout_ms, result, REKEY_E_CONNECT_TIMEOUT);
    }
    if (result < 0) {
        return result;
    }
    x->opening = false;
    x->connected = true;
    return ready(x, now);
}

static int step_send(struct rekey_exchange *x, uint64_t now) {
    size_t n = 0;
    int result;

    if (!rekey_exchange_writes(x)) {
        return REKEY_EXCHANGE_EMIT;
    }
    result = x->transport->write(x->transport->ctx, x->out + x->out_at,
                                 (size_t)(x->out_len - x->out_at), &n);
    if (result > 0) {
        return idle(x, now, result);
    }
    if (result < 0) {
        return result;
    }
    x->out_at = (uint16_t)(x->out_at + n);
    x->timer = now;
    return REKEY_AGAIN;
}

// Feeds io[0..n) to the engine. After the head, the bytes that were not fed yet are moved to the
// front.
static int feed(struct rekey_exchange *x, size_t n) {
    struct rekey_span in = rekey_span(x->io, n);
    int result = rekey_http_feed(&x->http, &in);

    if (result == REKEY_HTTP_HEAD) {
        memmove(x->io, in.ptr, in.len);
        x->out_len = (uint16_t)in.len; // the request was sent, so out_len can be used for this
        x->head_done = true;
        return REKEY_EXCHANGE_HEAD;
    }
    if (result != REKEY_DONE) {
        return result;
    }
    if (!x->http.keep || x->cut_short || in.len > 0) {
        rekey_exchange_close(x);
    }
    return REKEY_EXCHANGE_ANSWERED;
}

static int step_receive(struct rekey_exchange *x, uint64_t now) {
    size_t n = 0;
    int result;

    if (x->head_done) {
        x->head_done = false;
        return feed(x, x->out_len);
    }
    result = x->transport->read(x->transport->ctx, x->io, sizeof(x->io), &n);
    if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
        return idle(x, now, result);
    }
    if (result == REKEY_END) {
        return rekey_http_end(&x->http) == REKEY_DONE ? feed(x, 0) : REKEY_E_END;
    }
    if (result != REKEY_DONE) {
        return result;
    }
    x->got_byte = true;
    x->timer = now;
    return feed(x, n);
}

int rekey_exchange_step(struct rekey_exchange *x, uint64_t now) {
    switch (x->state) {
    case OPEN:
        return step_open(x, now);
    case SEND:
        return step_send(x, now);
    default:
        return step_receive(x, now);
    }
}
