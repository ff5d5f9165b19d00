// proxy.c - the transport of proxy.h. It uses the HTTP engine of http.h for the request and the
// answer. It never reads a body: an answer 2xx has none, whatever its head says (RFC 9110 9.3.6),
// and after any other answer the connection is closed.

#include "proxy.h"

#include "rekey_config.h"

// Sends the next bytes of the request.
static int send_request(struct rekey_proxy *p, struct rekey_span host, uint16_t port) {
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
        p->challenge = (struct rekey_http_field){.name = "proxy-authenticate"};
        rekey_http_start(&p->http, &p->challenge, 1, NULL, 0);
        p->http.unframed = true;
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

// The position of the next byte in an element of Proxy-Authenticate.
enum place { NAME, AFTER_NAME, REST, QUOTED, ESCAPED };

// The collected name is a scheme: adds it to the list, unless the list has it.
static void add_scheme(struct rekey_proxy *p) {
    struct rekey_span name = rekey_span(p->name, p->name_len);
    size_t len = strlen(p->schemes);
    size_t at = 0;

    while (at < len) {
        size_t n = strcspn(p->schemes + at, ",");

        if (rekey_span_equal_nocase(name, rekey_span(p->schemes + at, n))) {
            return;
        }
        at += n + 2; // and the comma and the space
    }
    p->basic |= rekey_span_equal_nocase(name, REKEY_SPAN("basic"));
    if (at + name.len < sizeof(p->schemes)) {
        memcpy(p->schemes + len, ", ", at - len);
        memcpy(p->schemes + at, name.ptr, name.len);
        p->schemes[at + name.len] = '\0';
    }
}

// Reads the next byte of a Proxy-Authenticate value, or the LF of any line. All values together are
// one list of "SCHEME", "SCHEME credentials" and "parameter=value" (RFC 9110 11.6.1), in which a
// value may be in quotation marks. Both a comma and the end of a line end an element.
static void challenge_byte(struct rekey_proxy *p, char c) {
    bool separator = c == '\n' || (c == ',' && p->place < QUOTED);
    bool named = p->name_len > 0;

    if (p->place == ESCAPED && !separator) {
        p->place = QUOTED;
    } else if (p->place == QUOTED && !separator) {
        p->place = c == '\\' ? ESCAPED : c == '"' ? REST : QUOTED;
    } else if (p->place == NAME && !separator && strchr(" \t=\"", c) == NULL) {
        if (p->name_len < sizeof(p->name)) { // a longer name is cut
            p->name[p->name_len++] = c;
        }
        return;
    } else if (p->place < REST && (c == ' ' || c == '\t')) {
        p->place = named ? AFTER_NAME : NAME;
        return;
    } else {
        if (named && c != '=') {
            add_scheme(p);
        }
        p->place = separator ? NAME : c == '"' ? QUOTED : REST;
    }
    p->name_len = 0;
}

// The head of the answer is complete. A TLS server does not send first: bytes behind the head are
// not from it.
static int answered(struct rekey_proxy *p, bool more) {
    unsigned status = p->http.status;

    p->status = (uint16_t)status;
    p->fault = status / 100 == 2 && more ? REKEY_E_PROXY : 0;
    if (status / 100 == 2) {
        p->phase = more ? REKEY_PROXY_WAITING : REKEY_PROXY_TUNNEL;
        return more ? REKEY_E_PROXY : REKEY_DONE;
    }
    return status >= 500 || status == 408 || status == 429 ? REKEY_E_PROXY_TARGET : REKEY_E_PROXY;
}

static int receive_answer(struct rekey_proxy *p) {
    size_t len = 0;
    int result = p->lower.read(p->lower.ctx, p->io, sizeof(p->io), &len);

    if (result == REKEY_END) {
        p->status = 0;
        return REKEY_E_END;
    }
    if (result != REKEY_DONE) {
        return result;
    }
    // The answer is fed byte by byte: a byte that makes the field longer belongs to its value. The
    // values are not buffered, because a challenge can be as long as the whole head.
    for (size_t i = 0; i < len; i++) {
        struct rekey_span in = {p->io + i, 1};
        unsigned before = p->challenge.len;

        result = rekey_http_feed(&p->http, &in);
        if (result == REKEY_HTTP_HEAD) {
            return answered(p, i + 1 < len);
        }
        if (result < 0) {
            p->status = 0;
            p->fault = result;
            return REKEY_E_PROXY;
        }
        if (p->challenge.len == before + 1 || p->io[i] == '\n') {
            challenge_byte(p, p->io[i]);
        }
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
        p->at = p->len = 0;
        p->place = NAME;
        p->name_len = 0;
        p->schemes[0] = '\0';
        p->basic = false;
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
        return send_request(p, host, port);
    default:
        return receive_answer(p);
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
    rekey_zeroize(p->io, sizeof(p->io)); // it may contain the credentials
    p->active = false;
}

static uint32_t proxy_wait_ms(void *ctx) {
    struct rekey_proxy *p = ctx;

    return p->lower.wait_ms != NULL ? p->lower.wait_ms(p->lower.ctx) : UINT32_MAX;
}

static void proxy_explain(void *ctx, int error, char *buf, size_t cap) {
    struct rekey_proxy *p = ctx;

    buf[0] = '\0';
    if (p->lower.explain != NULL) {
        p->lower.explain(p->lower.ctx, error, buf, cap);
    }
}

struct rekey_transport rekey_proxy_transport(struct rekey_proxy *p) {
    return (struct rekey_transport){.ctx = p,
                                    .open = proxy_open,
                                    .write = proxy_write,
                                    .read = proxy_read,
                                    .close = proxy_close,
                                    .wait_ms = proxy_wait_ms,
                                    .explain = proxy_explain};
}
