// tcp.c - the transport contract over lwIP's raw API.

#include "tcp.h"

#include <lwip/dns.h>

enum phase { NOT_OPEN, LOOKUP, FOUND, CONNECTING, OPEN, FAILED };

// ---- what lwIP calls ----------------------------------------------------------------------------

static void on_found(const char *name, const ip_addr_t *address, void *arg) {
    struct rekey_lwip_tcp *t = arg;

    // A lookup cannot be called back: an answer may come when nobody asks any more.
    if (t->phase != LOOKUP || !rekey_span_equal(t->host, rekey_span(name, strlen(name)))) {
        return;
    }
    t->phase = address != NULL ? FOUND : FAILED;
    if (address != NULL) {
        t->address = *address;
    }
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error) {
    struct rekey_lwip_tcp *t = arg;

    (void)pcb;
    (void)error; // lwIP says: always ERR_OK
    t->phase = OPEN;
    return ERR_OK;
}

// The connection has gone, and its pcb with it.
static void on_error(void *arg, err_t error) {
    struct rekey_lwip_tcp *t = arg;

    t->pcb = NULL;
    t->error = error;
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error) {
    struct rekey_lwip_tcp *t = arg;

    (void)pcb;
    (void)error;
    if (p == NULL) {
        t->ended = true;
    } else if (t->received == NULL) {
        t->received = p;
    } else {
        pbuf_cat(t->received, p);
    }
    return ERR_OK;
}

// ---- the transport ------------------------------------------------------------------------------

static int look_up(struct rekey_lwip_tcp *t, struct rekey_span host) {
    char name[DNS_MAX_NAME_LENGTH];

    if (host.len >= sizeof(name)) {
        return REKEY_E_LOOKUP;
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    t->host = host;
    t->phase = LOOKUP;
    t->error = dns_gethostbyname(name, &t->address, on_found, t);
    if (t->error == ERR_OK) {
        t->phase = FOUND;
        return REKEY_AGAIN;
    }
    return t->error == ERR_INPROGRESS ? REKEY_WANT_READ : REKEY_E_LOOKUP;
}

static int connect_to(struct rekey_lwip_tcp *t, uint16_t port) {
    t->pcb = tcp_new_ip_type(IP_GET_TYPE(&t->address));
    if (t->pcb == NULL) {
        t->error = ERR_MEM;
        return REKEY_E_CONNECT;
    }
    tcp_arg(t->pcb, t);
    tcp_err(t->pcb, on_error);
    tcp_recv(t->pcb, on_received);
    tcp_nagle_disable(t->pcb);
    t->phase = CONNECTING;
    t->error = tcp_connect(t->pcb, &t->address, port, on_connected);
    return t->error == ERR_OK ? REKEY_WANT_WRITE : REKEY_E_CONNECT;
}

static int lwip_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct rekey_lwip_tcp *t = ctx;

    (void)timeout_ms; // there is one address
    switch (t->phase) {
    case NOT_OPEN:
        return look_up(t, host);
    case LOOKUP:
        return REKEY_WANT_READ;
    case FAILED:
        return REKEY_E_LOOKUP;
    case FOUND:
        return connect_to(t, port);
    case CONNECTING:
        return t->pcb != NULL ? REKEY_WANT_WRITE : REKEY_E_CONNECT;
    default:
        return REKEY_DONE;
    }
}

static int lwip_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct rekey_lwip_tcp *t = ctx;
    size_t n;

    if (t->pcb == NULL) {
        return REKEY_E_IO;
    }
    n = len < tcp_sndbuf(t->pcb) ? len : tcp_sndbuf(t->pcb);
    // The send buffer may have room where the heap has none for so much at a time.
    do {
        t->error = n > 0 ? tcp_write(t->pcb, data, (u16_t)n, TCP_WRITE_FLAG_COPY) : ERR_MEM;
        *done = n;
        n /= 2;
    } while (t->error == ERR_MEM && n > 0);
    tcp_output(t->pcb);
    if (t->error == ERR_MEM) {
        return REKEY_WANT_WRITE;
    }
    return t->error == ERR_OK ? REKEY_DONE : REKEY_E_IO;
}

static int lwip_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct rekey_lwip_tcp *t = ctx;
    u16_t n;

    if (t->received == NULL) { // what came before the end, or before an error, was read first
        if (t->ended) {
            return REKEY_END;
        }
        return t->pcb != NULL ? REKEY_WANT_READ : REKEY_E_IO;
    }
    n = cap < t->received->tot_len ? (u16_t)cap : t->received->tot_len;
    pbuf_copy_partial(t->received, buf, n, 0);
    t->received = pbuf_free_header(t->received, n);
    if (t->pcb != NULL) {
        tcp_recved(t->pcb, n);
    }
    *done = n;
    return REKEY_DONE;
}

static void lwip_close(void *ctx) {
    struct rekey_lwip_tcp *t = ctx;
    err_t error = t->error;

    if (t->received != NULL) {
        pbuf_free(t->received);
    }
    if (t->pcb != NULL) {
        tcp_arg(t->pcb, NULL);
        tcp_err(t->pcb, NULL);
        tcp_recv(t->pcb, NULL);
        if (t->phase != OPEN || tcp_close(t->pcb) != ERR_OK) {
            tcp_abort(t->pcb);
        }
    }
    *t = (struct rekey_lwip_tcp){.address = t->address, .error = error};
}

struct rekey_transport rekey_lwip_transport(struct rekey_lwip_tcp *tcp) {
    return (struct rekey_transport){
        .ctx = tcp, .open = lwip_open, .write = lwip_write, .read = lwip_read, .close = lwip_close};
}
