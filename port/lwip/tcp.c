// tcp.c - the transport contract over lwIP's raw API.

#include "tcp.h"

#include <lwip/dns.h>
#include <lwip/sys.h>
#include <lwip/tcpip.h>

#if NO_SYS
#define LOCK_TCPIP_CORE()
#define UNLOCK_TCPIP_CORE()
#endif

_Static_assert(NO_SYS || LWIP_TCPIP_CORE_LOCKING,
               "with NO_SYS=0 lwIP is called from another task: LWIP_TCPIP_CORE_LOCKING=1");
_Static_assert(TCP_WND <= UINT16_MAX,
               "what is received and not yet read is one chain of pbufs: TCP_WND");

#define BOTH_FAMILIES (LWIP_IPV4 && LWIP_IPV6)

// USED: a connection to the address was attempted.
enum lookup { NONE, PENDING, FOUND, USED, FAILED };

// ---- callbacks of lwIP, which holds the core lock -----------------------------------------------

static void tell(const struct rekey_lwip_tcp *t) {
#if !NO_SYS
    if (t->ready != NULL) {
        t->ready(t->ready_arg);
    }
#else
    (void)t; // not needed: a superloop calls all the time
#endif
}

static void on_found(const char *name, const ip_addr_t *address, void *arg) {
    struct rekey_lwip_tcp *t = arg;

    // A lookup cannot be cancelled: this may be the answer to an earlier one.
    if (t->lookup != PENDING || !rekey_span_equal(t->host, rekey_span(name, strlen(name)))) {
        return;
    }
    t->lookup = address != NULL ? FOUND : FAILED;
    if (address != NULL) {
        t->address = *address;
    }
    tell(t);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error) {
    struct rekey_lwip_tcp *t = arg;

    (void)pcb;
    (void)error; // always ERR_OK, by lwIP's documentation
    t->open = true;
#if BOTH_FAMILIES
    t->lookup = USED; // ignore a later answer for the other family
#endif
    tell(t);
    return ERR_OK;
}

// The connection is lost, and lwIP has freed its pcb.
static void on_error(void *arg, err_t error) {
    struct rekey_lwip_tcp *t = arg;

    t->pcb = NULL;
    t->error = error;
    tell(t);
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
    tell(t);
    return ERR_OK;
}

#if !NO_SYS
static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len) {
    (void)pcb;
    (void)len;
    tell(arg);
    return ERR_OK;
}
#endif

// ---- the transport, called with the core lock held ----------------------------------------------

// Ends the connection, or the attempt to connect, without waiting: lwIP goes on sending data that
// is not yet acknowledged.
static void drop(struct rekey_lwip_tcp *t) {
    if (t->pcb == NULL) {
        return;
    }
    tcp_arg(t->pcb, NULL);
    tcp_err(t->pcb, NULL);
    tcp_recv(t->pcb, NULL);
#if !NO_SYS
    tcp_sent(t->pcb, NULL);
#endif
    if (!t->open || tcp_close(t->pcb) != ERR_OK) {
        tcp_abort(t->pcb);
    }
    t->pcb = NULL;
}

static int look_up(struct rekey_lwip_tcp *t, struct rekey_span host) {
    char name[DNS_MAX_NAME_LENGTH];

    if (host.len >= sizeof(name)) {
        return REKEY_E_LOOKUP;
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    t->host = host;
#if BOTH_FAMILIES
    if (t->lookup != NONE) {
        ip_addr_t literal; // an address in text has none of the other family

        t->second = true;
        t->error =
            ipaddr_aton(name, &literal)
                ? ERR_ARG
                : dns_gethostbyname_addrtype(name, &t->address, on_found, t,
                                             IP_IS_V6_VAL(t->address) ? LWIP_DNS_ADDRTYPE_IPV4
                                                                      : LWIP_DNS_ADDRTYPE_IPV6);
    } else
#endif
    {
        t->error = dns_gethostbyname(name, &t->address, on_found, t);
    }
    t->lookup = t->error == ERR_OK ? FOUND : t->error == ERR_INPROGRESS ? PENDING : FAILED;
    return t->lookup == PENDING ? REKEY_WANT_READ : REKEY_AGAIN;
}

// Connects to the address that was found. An earlier attempt that has not connected is given up.
static int connect_to(struct rekey_lwip_tcp *t, uint16_t port) {
    t->lookup = USED;
#if BOTH_FAMILIES
    drop(t);
    t->began = sys_now();
#endif
    t->error = ERR_MEM;
    t->pcb = tcp_new_ip_type(IP_GET_TYPE(&t->address));
    if (t->pcb == NULL) {
        return REKEY_AGAIN;
    }
    tcp_arg(t->pcb, t);
    tcp_err(t->pcb, on_error);
    tcp_recv(t->pcb, on_received);
#if !NO_SYS
    tcp_sent(t->pcb, on_sent);
#endif
    tcp_nagle_disable(t->pcb);
    t->error = tcp_connect(t->pcb, &t->address, port, on_connected);
    if (t->error != ERR_OK) {
        drop(t);
    }
    return REKEY_AGAIN;
}

#if BOTH_FAMILIES
// Milliseconds until the other address family is tried.
static uint32_t other_family_ms(const struct rekey_lwip_tcp *t) {
    u32_t past = sys_now() - t->began;

    if (t->open || t->second || t->lookup != USED) {
        return UINT32_MAX;
    }
    return t->pcb == NULL || past >= REKEY_LWIP_FAMILY_MS ? 0 : REKEY_LWIP_FAMILY_MS - past;
}
#endif

static int open_now(struct rekey_lwip_tcp *t, struct rekey_span host, uint16_t port) {
    bool look = t->lookup == NONE;

    if (t->open) {
        return REKEY_DONE;
    }
    if (t->lookup == FOUND) {
        return connect_to(t, port);
    }
#if BOTH_FAMILIES
    look = look || other_family_ms(t) == 0;
#endif
    if (look) {
        return look_up(t, host);
    }
    if (t->pcb != NULL) {
        return REKEY_WANT_WRITE;
    }
    if (t->lookup == PENDING) {
        return REKEY_WANT_READ;
    }
#if BOTH_FAMILIES
    if (t->second) {
        return REKEY_E_CONNECT; // the first family had an address, so the lookup did not fail
    }
#endif
    return t->lookup == FAILED ? REKEY_E_LOOKUP : REKEY_E_CONNECT;
}

static int write_now(struct rekey_lwip_tcp *t, const void *data, size_t len, size_t *done) {
    size_t n;

    if (t->pcb == NULL) {
        return REKEY_E_IO;
    }
    n = len < tcp_sndbuf(t->pcb) ? len : tcp_sndbuf(t->pcb);
    n = n < UINT16_MAX ? n : UINT16_MAX; // the buffer may be larger with window scaling
    // lwIP's heap may have no block of this size although the send buffer has space.
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

static int read_now(struct rekey_lwip_tcp *t, void *buf, size_t cap, size_t *done) {
    u16_t n;

    if (t->received == NULL) { // all data was read; only now report the end or the error
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

static void close_now(struct rekey_lwip_tcp *t) {
    if (t->received != NULL) {
        pbuf_free(t->received);
        t->received = NULL;
    }
    drop(t);
    t->lookup = NONE;
    t->open = t->ended = false;
#if BOTH_FAMILIES
    t->second = false;
#endif
}

// ---- the transport ------------------------------------------------------------------------------

static int lwip_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    int result;

    (void)timeout_ms; // not used: the time for the first address is REKEY_LWIP_FAMILY_MS
    LOCK_TCPIP_CORE();
    result = open_now(ctx, host, port);
    UNLOCK_TCPIP_CORE();
    return result;
}

static int lwip_write(void *ctx, const void *data, size_t len, size_t *done) {
    int result;

    LOCK_TCPIP_CORE();
    result = write_now(ctx, data, len, done);
    UNLOCK_TCPIP_CORE();
    return result;
}

static int lwip_read(void *ctx, void *buf, size_t cap, size_t *done) {
    int result;

    LOCK_TCPIP_CORE();
    result = read_now(ctx, buf, cap, done);
    UNLOCK_TCPIP_CORE();
    return result;
}

static void lwip_close(void *ctx) {
    LOCK_TCPIP_CORE();
    close_now(ctx);
    UNLOCK_TCPIP_CORE();
}

#if BOTH_FAMILIES || !NO_SYS
static uint32_t lwip_wait_ms(void *ctx) {
    const struct rekey_lwip_tcp *t = ctx;
    uint32_t ms = UINT32_MAX;

    LOCK_TCPIP_CORE();
#if !NO_SYS
    // If lwIP has no memory to send, and no sent data whose acknowledgement is still to come, no
    // callback will come.
    if ((t->ready == NULL && t->lookup != NONE) ||
        (t->pcb != NULL && t->open && t->error == ERR_MEM && tcp_sndqueuelen(t->pcb) == 0)) {
        ms = REKEY_LWIP_POLL_MS;
    }
#endif
#if BOTH_FAMILIES
    ms = other_family_ms(t) < ms ? other_family_ms(t) : ms;
#endif
    UNLOCK_TCPIP_CORE();
    return ms;
}
#else
#define lwip_wait_ms NULL // not needed: a superloop calls all the time, with one address
#endif

struct rekey_transport rekey_lwip_transport(struct rekey_lwip_tcp *tcp) {
    return (struct rekey_transport){.ctx = tcp,
                                    .open = lwip_open,
                                    .write = lwip_write,
                                    .read = lwip_read,
                                    .close = lwip_close,
                                    .wait_ms = lwip_wait_ms};
}
