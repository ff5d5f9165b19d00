// rtos_board.c - the board of boards/examples/rtos_task.c in the end-to-end tests: lwIP over POSIX
// threads, whose only network is itself. What connects to PORT at its own 127.0.0.1 is connected
// with that port of this machine: a part of the image that uses lwIP from threads of its own.
//
//     rtos_task HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT; TOKEN in the environment

#include "../../boards/examples/rtos_task.h"

#include <arpa/inet.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pem_bundle.h"

static struct rekey_pem_bundle bundle;
static struct rekey_task task;
static sys_sem_t done;
static int code;

int64_t board_wall_s(void *ctx) {
    (void)ctx;
    return (int64_t)time(NULL);
}

int board_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    return getrandom(buf, len, 0) == (ssize_t)len ? REKEY_DONE : REKEY_E_ENTROPY;
}

// ---- the bridge ---------------------------------------------------------------------------------

struct bridge {
    int fd;
    struct tcp_pcb *pcb; // NULL: that end has gone
    sys_sem_t sent;
};

static void on_error(void *arg, err_t error) {
    struct bridge *b = arg;

    (void)error;
    b->pcb = NULL;
    shutdown(b->fd, SHUT_RDWR);
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error) {
    struct bridge *b = arg;

    (void)error;
    if (p == NULL) {
        shutdown(b->fd, SHUT_WR);
        return ERR_OK;
    }
    for (struct pbuf *q = p; q != NULL; q = q->next) {
        send(b->fd, q->payload, q->len, MSG_NOSIGNAL);
    }
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len) {
    struct bridge *b = arg;

    (void)pcb;
    (void)len;
    sys_sem_signal(&b->sent);
    return ERR_OK;
}

// Hands `len` bytes to lwIP, when its buffers have room for them.
static void hand_over(struct bridge *b, const char *data, size_t len) {
    err_t error = ERR_MEM;

    while (error == ERR_MEM) {
        LOCK_TCPIP_CORE();
        error =
            b->pcb != NULL ? tcp_write(b->pcb, data, (u16_t)len, TCP_WRITE_FLAG_COPY) : ERR_CONN;
        if (b->pcb != NULL) {
            tcp_output(b->pcb);
        }
        UNLOCK_TCPIP_CORE();
        if (error == ERR_MEM) {
            sys_arch_sem_wait(&b->sent, 50);
        }
    }
}

static void read_from_machine(void *arg) {
    struct bridge *b = arg;
    char data[512];
    ssize_t n;

    while ((n = recv(b->fd, data, sizeof(data), 0)) > 0) {
        hand_over(b, data, (size_t)n);
    }
    LOCK_TCPIP_CORE();
    if (b->pcb != NULL) {
        tcp_arg(b->pcb, NULL);
        tcp_err(b->pcb, NULL);
        tcp_recv(b->pcb, NULL);
        tcp_sent(b->pcb, NULL);
        if (n < 0 || tcp_close(b->pcb) != ERR_OK) {
            tcp_abort(b->pcb);
        }
    }
    UNLOCK_TCPIP_CORE();
    close(b->fd);
    sys_sem_free(&b->sent);
    free(b);
}

static err_t on_accepted(void *arg, struct tcp_pcb *pcb, err_t error) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(task.port)};
    struct bridge *b = calloc(1, sizeof(*b));

    (void)arg;
    (void)error;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    b->pcb = pcb;
    sys_sem_new(&b->sent, 0);
    tcp_arg(pcb, b);
    tcp_err(pcb, on_error);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_nagle_disable(pcb);
    connect(b->fd, (struct sockaddr *)&at, sizeof(at)); // a failure is one of recv as well
    sys_thread_new("bridge", read_from_machine, b, 0, 0);
    return ERR_OK;
}

// In lwIP's thread, once it has started.
static void start_bridge(void *arg) {
    struct tcp_pcb *pcb = tcp_new();

    (void)arg;
    tcp_bind(pcb, IP_ADDR_ANY, task.port);
    tcp_accept(tcp_listen(pcb), on_accepted);
    sys_sem_signal(&done);
}

// ---- the application ----------------------------------------------------------------------------

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    const char *value = getenv("TOKEN");

    (void)ctx;
    *len = strlen(value);
    memcpy(buf, value, *len < cap ? *len : cap);
    return *len <= cap ? REKEY_DONE : REKEY_E_LIMIT_TOKEN;
}

static void ended(const struct rekey_report *report) {
    printf("outcome %d, error %s, polls %u\n", report->outcome, rekey_error_name(report->error),
           (unsigned)report->polls);
    code = report->outcome;
    sys_sem_signal(&done);
}

int main(int argc, char **argv) {
    struct rekey_span text[8] = {{NULL, 0}};

    for (int i = 1; i < argc && i < 8; i++) {
        text[i] = rekey_span(argv[i], strlen(argv[i]));
    }
    task.host = text[1];
    task.port = (uint16_t)atoi(argv[2]);
    task.endpoint = (struct rekey_endpoint){
        .subscription = text[4], .resource_group = text[5], .workspace = text[6], .name = text[7]};
    task.key = REKEY_KEY_PRIMARY;
    task.anchors = rekey_pem_bundle(&bundle, argv[3]);
    task.token = token;
    task.ended = ended;
    sys_sem_new(&done, 0);
    tcpip_init(start_bridge, NULL);
    sys_arch_sem_wait(&done, 0);
    rekey_task_start(&task);
    sys_arch_sem_wait(&done, 0);
    return code;
}
