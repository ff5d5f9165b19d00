// modem_token.c - lists the keys of an endpoint with a token that another processor gets: a modem,
// or the gateway of the machine, at the other end of a serial line. That takes seconds, but no
// function blocks: `token` of struct rekey_options checks what has arrived so far, and the loop of
// the application waits for the modem and for the network together. The signature of a secure
// element (secure_element.c) can be handled in the same way if another task uses it to get the
// token. The device sends the line "token", and the modem the token as one line.
//
//     modem_token HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT SERIAL-LINE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "rekey.h"
#include "tls.h"

static struct rekey client;
static struct rekey_keys keys;
static struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
static struct rekey_tls tls;
static struct rekey_pem_bundle bundle;
static _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];

static struct modem {
    int fd;
    bool asked; // a token was requested
    size_t len;
    char line[REKEY_TOKEN_MAX + 1]; // the part of it that has arrived, with its newline
} modem;

// Called until it returns REKEY_DONE or an error; and again when the service has refused a token.
static int get_token(void *ctx, char *buf, size_t cap, size_t *len) {
    struct modem *m = ctx;
    ssize_t n;

    if (!m->asked) {
        m->asked = write(m->fd, "token\n", 6) == 6;
        m->len = 0;
        return m->asked ? REKEY_WANT_TIME : REKEY_E_NO_TOKEN;
    }
    n = read(m->fd, m->line + m->len, sizeof(m->line) - m->len);
    if (n < 0 && errno == EAGAIN) {
        return REKEY_WANT_TIME;
    }
    if (n <= 0) {
        return REKEY_E_NO_TOKEN;
    }
    m->len += (size_t)n;
    if (m->line[m->len - 1] != '\n') {
        *len = m->len; // the minimum size that is needed
        return m->len <= cap ? REKEY_AGAIN : REKEY_E_LIMIT_TOKEN;
    }
    *len = m->len - 1;
    memcpy(buf, m->line, *len);
    rekey_zeroize(m->line, sizeof(m->line));
    m->asked = false;
    return REKEY_DONE;
}

// Sleeps until the network is ready for `want`, the modem has sent something, or `ms` have passed.
static void wait_for_both(int want, uint32_t ms) {
    struct pollfd fds[2] = {{.fd = tcp.fd, .events = want == REKEY_WANT_WRITE ? POLLOUT : POLLIN},
                            {.fd = modem.asked ? modem.fd : -1, .events = POLLIN}};

    if (want == REKEY_WANT_TIME) {
        fds[0].fd = -1; // poll ignores it
    }
    poll(fds, 2, ms < 60000 ? (int)ms : 60000);
}

int main(int argc, char **argv) {
    const struct rekey_port port = {.tls = rekey_tls_transport(&tls),
                                    .ctx = &tcp,
                                    .now_ms = rekey_posix_now_ms,
                                    .wall_s = rekey_posix_wall_s,
                                    .entropy = rekey_posix_entropy};
    struct rekey_options options = REKEY_OPTIONS_INIT;
    struct rekey_endpoint endpoint = {.serverless = false};
    struct rekey_span text[9];
    struct rekey_report report;
    int result = REKEY_AGAIN;

    if (argc != 9) {
        return REKEY_USAGE;
    }
    for (int i = 0; i < argc; i++) {
        text[i] = rekey_span(argv[i], strlen(argv[i]));
    }
    options.host = text[1];
    options.port = (uint16_t)atoi(argv[2]);
    options.token = get_token;
    options.token_ctx = &modem;
    endpoint.subscription = text[4];
    endpoint.resource_group = text[5];
    endpoint.workspace = text[6];
    endpoint.name = text[7];
    modem.fd = open(argv[8], O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    rekey_mbedtls_init(&port, arena, sizeof(arena));
    rekey_tls_init(&tls, rekey_posix_transport(&tcp), &port, rekey_pem_bundle(&bundle, argv[3]));
    rekey_init(&client, &port, &options);
    rekey_list_keys(&client, &endpoint, &keys);
    while (result > 0) {
        result = rekey_step(&client);
        if (result > 0 && result != REKEY_AGAIN) {
            wait_for_both(result, rekey_wait_ms(&client));
        }
    }
    rekey_report(&client, &report);
    printf("outcome %d, error %s, ", report.outcome, rekey_error_name(report.error));
    printf("keys of %u and %u bytes\n", keys.primary.len, keys.secondary.len);
    rekey_zeroize(&keys, sizeof(keys));
    rekey_zeroize(&modem, sizeof(modem));
    rekey_tls_free(&tls);
    rekey_mbedtls_free();
    return rekey_exit_code(report.outcome);
}
