// sockets_client.c - port/sockets over lwIP's sockets API: in a file of its own, because that API
// has the C library's names for its types. The lookup function uses lwIP: dns_gethostbyname asks,
// and a callback keeps the answer.

#include "sockets_client.h"

#include <lwip/dns.h>
#include <lwip/tcpip.h>

#include "sockets.h"

// The answer is kept here: lwIP's own table may forget it at once (a TTL of 0).
static struct {
    char host[DNS_MAX_NAME_LENGTH]; // the host of the current or the last lookup
    enum { IDLE, PENDING, FOUND, FAILED } state;
    ip_addr_t address;
} question;

// Ignores an answer for any other host.
static void on_found(const char *name, const ip_addr_t *address, void *arg) {
    (void)arg;
    if (question.state == PENDING && strcmp(name, question.host) == 0) {
        question.state = address != NULL ? FOUND : FAILED;
        question.address = address != NULL ? *address : question.address;
    }
}

// With lwIP's core lock, as on_found.
static int ask(const char *host) {
    if (question.state == IDLE || strcmp(host, question.host) != 0) {
        err_t error = ERR_ARG;

        if (strlen(host) < sizeof(question.host)) {
            strcpy(question.host, host);
            error = dns_gethostbyname(host, &question.address, on_found, NULL);
        }
        question.state = error == ERR_OK ? FOUND : error == ERR_INPROGRESS ? PENDING : FAILED;
    }
    if (question.state == PENDING) {
        return REKEY_WANT_READ;
    }
    return question.state == FOUND ? REKEY_DONE : REKEY_E_LOOKUP;
}

static int look_up(void *arg, const char *host, struct rekey_sockets_address *addresses, size_t cap,
                   size_t *count) {
    ip_addr_t found;
    int result;

    (void)arg;
    (void)cap;
    LOCK_TCPIP_CORE();
    result = ask(host);
    found = question.address;
    question.state = result == REKEY_WANT_READ ? PENDING : IDLE; // the next lookup asks again
    UNLOCK_TCPIP_CORE();
    if (result != REKEY_DONE) {
        return result;
    }
    *count = 1;
    memset(addresses, 0, sizeof(*addresses));
    if (IP_IS_V4(&found)) {
        addresses->at.v4.sin_family = AF_INET;
        addresses->at.v4.sin_addr.s_addr = ip_2_ip4(&found)->addr;
        addresses->len = sizeof(addresses->at.v4);
    } else {
        addresses->at.v6.sin6_family = AF_INET6;
        memcpy(&addresses->at.v6.sin6_addr, ip_2_ip6(&found)->addr, 16);
        addresses->len = sizeof(addresses->at.v6);
    }
    return REKEY_DONE;
}

struct rekey_transport sockets_client(const struct rekey_port *port) {
    static struct rekey_sockets_tcp tcp;

    tcp.port = port;
    tcp.lookup = look_up;
    return rekey_sockets_transport(&tcp);
}

void sockets_client_wait(const struct rekey_transport *t, int want, uint32_t ms) {
    rekey_sockets_wait(t->ctx, want, ms);
}
