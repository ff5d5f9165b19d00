// proxy.c - the transport of proxy.h. The request is emitted and the answer read by the same engine
// as all others (http.h); of a 2xx no body is awaited, whatever its head says.

#include "proxy.h"

#include "rekey_config.h"

// Sends the next bytes of the request.
static int ask(struct rekey_proxy *p, struct rekey_span host, uint16_t port) {
    bool ipv6 = memchr(host.ptr, ':', host.len) != NULL;
    char digits[12] = "]:";
    const struct rekey_span values[] = {
        rekey_span("[", ipv6),
        host,
        rekey_span(digits + !ipv6, 1u + ipv6 + rekey_http_decimal(port, digits + 2)),
        p->board,
        p->authorization,
    };
    size_t n = 0;
    int result;

    if (p->at == p->len) {
        p->len = (uint16_t)rekey_http_emit("CONNECT \200\201\202 HTTP/1.1\r\nHost: \200\201\202\r\n"
                                           "User-Agent: rekey/" REKEY_VERSION " (\203)\r\n\204\r\n",
                                           values, &p->cursor, p->io, sizeof(p->io));
        p->at = 0;
    }
    if (p->len == 0) {
        rekey_http_start(&p->http, NULL, 0, NULL, 0);
        p->phase = REKEY_PROXY_WAITING;
        return REKEY_AGAIN;
    }
    result = p->lower.write(p->lower.ctx, p->io + p->at, (size_t)(p->len - p->at), &n);
    if (result != REKEY_DONE) {
        return result;
    }
    p->at = (uint16_t)(p->at + n);
    return REKEY_AGAIN;
}

// The head of the answer is complete. A server of TLS does not speak first: bytes behind the head
// are not its own.
static int answered(struct rekey_proxy *p, bool more) {
    unsigned status = p->http.status;

    p->status = (uint16_t)status;
    if (status / 100 == 2) {
        p->fault = more ? REKEY_E_PROXY : 0;
        p->phase = more ? REKEY_PROXY_WAITING : REKEY_PROXY_TUNNEL;
        return more ? REKEY_E_PROXY : REKEY_DONE;
    }
    return status >= 500 || status == 408 || status == 429 ? REKEY_E_PROXY_TARGET : REKEY_E_PROXY;
}

static int hear(struct rekey_proxy *p) {
    struct rekey_span in = {p->io, 0};
    int result = p->lower.read(p->lower.ctx, p->io, sizeof(p->io), &in.len);

    if (result == REKEY_END) {
        return REKEY_E_END;
    }
    if (result != REKEY_DONE) {
        return result;
    }
    result = rekey_http_feed(&p->http, &in);
    if (result == REKEY_HTTP_HEAD) {
        return answered(p, in.len > 0);
    }
    if (result < 0) {
        p->fault = result;
        return REKEY_E_PROXY;
    }
    return REKEY_AGAIN;
}

static int proxy_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct rekey_proxy *p = ctx;
    int result;

    if (!p->active) {
        p->active = true;
        p->phase = p->host.len == 0 || rekey_proxy_excepts(p->except, host, port)
                       ? REKEY_PROXY_UNUSED
                       : REKEY_PROXY_CONNECTING;
        p->status = p->at = p->len = 0;
        p->fault = 0;
        p->cursor = (struct rekey_http_cursor){0};
    }
    switch (p->phase) {
    case REKEY_PROXY_UNUSED:
        return p->lower.open(p->lower.ctx, host, port, timeout_ms);
    case REKEY_PROXY_CONNECTING:
        result = p->lower.open(p->lower.ctx, p->host, p->port, timeout_ms);
        if (result != REKEY_DONE) {
            return result;
        }
        p->phase = REKEY_PROXY_ASKING;
        return REKEY_AGAIN;
    case REKEY_PROXY_ASKING:
        return ask(p, host, port);
    default:
        return hear(p);
    }
}

static int proxy_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct rekey_proxy *p = ctx;

    return p->lower.write(p->lower.ctx, data, len, done);
}

static int proxy_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct rekey_proxy *p = ctx;

    return p->lower.read(p->lower.ctx, buf, cap, done);
}

static void proxy_close(void *ctx) {
    struct rekey_proxy *p = ctx;

    p->lower.close(p->lower.ctx);
    rekey_zeroize(p->io, sizeof(p->io)); // it may hold the credentials
    p->active = false;
}

struct rekey_transport rekey_proxy_transport(struct rekey_proxy *p) {
    return (struct rekey_transport){.ctx = p,
                                    .open = proxy_open,
                                    .write = proxy_write,
                                    .read = proxy_read,
                                    .close = proxy_close};
}
