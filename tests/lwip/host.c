// host.c - see host.h. There is a thread for each port, and two for each connection. Any failure
// other than one of a connection ends the program, which is a test.

#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <lwip/api.h>
#include <lwip/dns.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int held) {
    if (!held) {
        abort();
    }
}

// ---- lwIP ---------------------------------------------------------------------------------------

static err_t lose_4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to) {
    (void)netif;
    (void)p;
    (void)to;
    return ERR_OK;
}

static err_t lose_6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to) {
    (void)netif;
    (void)p;
    (void)to;
    return ERR_OK;
}

static err_t black_hole(struct netif *netif) {
    netif->name[0] = 'b';
    netif->name[1] = 'h';
    netif->mtu = 1500;
    netif->output = lose_4;
    netif->output_ip6 = lose_6;
    netif->flags = NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static void started(void *arg) {
    sem_post(arg);
}

void lwip_host_start(void) {
    static struct netif hole;
    ip4_addr_t address, mask;
    ip6_addr_t address6;
    sem_t sem;

    must(sem_init(&sem, 0, 0) == 0);
    tcpip_init(started, &sem);
    while (sem_wait(&sem) != 0) {
    }
    IP4_ADDR(&address, 10, 0, 0, 1);
    IP4_ADDR(&mask, 255, 0, 0, 0);
    must(ip6addr_aton("2001:db8::1", &address6));
    LOCK_TCPIP_CORE();
    must(netif_add(&hole, &address, &mask, NULL, NULL, black_hole, tcpip_input) != NULL);
    netif_ip6_addr_set(&hole, 0, &address6);
    netif_ip6_addr_set_state(&hole, 0, IP6_ADDR_PREFERRED);
    netif_set_default(&hole);
    netif_set_up(&hole);
    UNLOCK_TCPIP_CORE();
}

// ---- the relay ----------------------------------------------------------------------------------

struct connection {
    struct netconn *inside;
    int outside;
};

// The thread that waits in netconn_recv gets an error. In TIME_WAIT both sides have ended, and lwIP
// would free the pcb without the netconn knowing.
static void reset_inside(struct netconn *conn) {
    LOCK_TCPIP_CORE();
    if (conn->pcb.tcp != NULL && conn->pcb.tcp->state != TIME_WAIT) {
        tcp_abort(conn->pcb.tcp);
    }
    UNLOCK_TCPIP_CORE();
}

// If the peer has already ended its side, netconn_delete ends this one. If lwIP were told to end it
// here, before netconn_recv has seen the peer's end, it would free the pcb without the netconn
// knowing.
static void end_inside(struct netconn *conn) {
    LOCK_TCPIP_CORE();
    if (conn->pcb.tcp != NULL && conn->pcb.tcp->state == ESTABLISHED) {
        tcp_shutdown(conn->pcb.tcp, 0, 1);
    }
    UNLOCK_TCPIP_CORE();
}

static void reset_outside(int fd) {
    const struct linger at_once = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    shutdown(fd, SHUT_RD); // the thread that waits in recv gets the end
}

static void *inwards(void *arg) {
    const struct connection *c = arg;
    char buf[4096];
    ssize_t n;

    while ((n = recv(c->outside, buf, sizeof(buf), 0)) > 0) {
        if (netconn_write(c->inside, buf, (size_t)n, NETCONN_COPY) != ERR_OK) {
            return NULL;
        }
    }
    if (n == 0) {
        end_inside(c->inside);
    } else {
        reset_inside(c->inside);
    }
    return NULL;
}

static err_t outwards(const struct connection *c) {
    struct netbuf *buf;
    err_t error;

    while ((error = netconn_recv(c->inside, &buf)) == ERR_OK) {
        do {
            void *data;
            u16_t len, at = 0;

            netbuf_data(buf, &data, &len);
            while (at < len) {
                ssize_t n = send(c->outside, (char *)data + at, (size_t)(len - at), MSG_NOSIGNAL);

                if (n < 0) {
                    netbuf_delete(buf);
                    return ERR_OK;
                }
                at = (u16_t)(at + n);
            }
        } while (netbuf_next(buf) >= 0);
        netbuf_delete(buf);
    }
    return error;
}

static void *serve_connection(void *arg) {
    struct connection *c = arg;
    const int on = 1;
    pthread_t thread;
    err_t error;

    // Data is relayed at once.
    setsockopt(c->outside, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    LOCK_TCPIP_CORE();
    if (c->inside->pcb.tcp != NULL) {
        tcp_nagle_disable(c->inside->pcb.tcp);
    }
    UNLOCK_TCPIP_CORE();
    must(pthread_create(&thread, NULL, inwards, c) == 0);
    error = outwards(c);
    if (error == ERR_CLSD) {
        shutdown(c->outside, SHUT_WR);
    } else if (error != ERR_OK) {
        reset_outside(c->outside);
    }
    pthread_join(thread, NULL);
    if (error == ERR_OK) { // after the data that the other side had sent before
        reset_inside(c->inside);
    }
    netconn_delete(c->inside);
    close(c->outside);
    free(c);
    return NULL;
}

struct port {
    struct netconn *listener;
    uint16_t number;
};

static void *serve_port(void *arg) {
    const struct port *port = arg;
    struct netconn *conn;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port->number)};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (netconn_accept(port->listener, &conn) == ERR_OK) {
        struct connection *c = malloc(sizeof(*c));
        pthread_t thread;

        must(c != NULL);
        c->inside = conn;
        c->outside = socket(AF_INET, SOCK_STREAM, 0);
        must(c->outside >= 0);
        if (connect(c->outside, (const struct sockaddr *)&to, sizeof(to)) != 0) {
            reset_inside(conn);
        }
        must(pthread_create(&thread, NULL, serve_connection, c) == 0);
        pthread_detach(thread);
    }
    return NULL;
}

void lwip_host_relay(uint16_t first, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct port *port = malloc(sizeof(*port));
        pthread_t thread;

        must(port != NULL);
        port->number = (uint16_t)(first + i);
        port->listener = netconn_new(NETCONN_TCP_IPV6);
        must(port->listener != NULL);
        must(netconn_bind(port->listener, IP_ANY_TYPE, port->number) == ERR_OK);
        must(netconn_listen(port->listener) == ERR_OK);
        must(pthread_create(&thread, NULL, serve_port, port) == 0);
        pthread_detach(thread);
    }
}
