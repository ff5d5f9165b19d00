// regenerate.c - the smallest complete program: regenerates the primary key of one endpoint over
// the sockets of this machine and an mbedTLS of rekey's own, and waits until the service is done.
// It is built by make, by CMake, and by `pkg-config --cflags --libs rekey`.
//
//     regenerate HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT
//
// The token is in the environment variable TOKEN.

#include <rekey/owner.h>
#include <rekey/pem_bundle.h>
#include <rekey/posix.h>
#include <rekey/rekey.h>
#include <rekey/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rekey client;
static struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
static struct rekey_tls tls;
static struct rekey_pem_bundle bundle;
static _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    *len = strlen(ctx);
    memcpy(buf, ctx, *len < cap ? *len : cap);
    return *len <= cap ? REKEY_DONE : REKEY_E_LIMIT_TOKEN;
}

int main(int argc, char **argv) {
    const struct rekey_port port = {.ctx = &tcp,
                                    .tls = rekey_tls_transport(&tls),
                                    .now_ms = rekey_posix_now_ms,
                                    .wall_s = rekey_posix_wall_s,
                                    .entropy = rekey_posix_entropy,
                                    .wait = rekey_posix_wait};
    struct rekey_options options = REKEY_OPTIONS_INIT;
    struct rekey_span text[8] = {{NULL, 0}};
    struct rekey_report report;

    if (argc != 8) {
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        text[i] = rekey_span(argv[i], strlen(argv[i]));
    }
    const struct rekey_endpoint endpoint = {text[4], text[5], text[6], text[7],
                                            .api_version = {NULL, 0}};
    options.host = text[1];
    options.port = (uint16_t)atoi(argv[2]);
    options.token = token;
    options.token_ctx = getenv("TOKEN") != NULL ? getenv("TOKEN") : "";
    rekey_mbedtls_init(&port, arena, sizeof(arena));
    rekey_tls_init(&tls, rekey_posix_transport(&tcp), &port, rekey_pem_bundle(&bundle, argv[3]));
    rekey_init(&client, &port, &options);
    // Without a value the service chooses one.
    rekey_regenerate(&client, &endpoint, REKEY_KEY_PRIMARY, REKEY_SPAN(""));
    // A task that must not block calls rekey_step instead: whenever the transport is ready, or
    // rekey_wait_ms has passed.
    rekey_run(&client);
    rekey_report(&client, &report);
    printf("outcome %d, error %s, polls %u\n", report.outcome, rekey_error_name(report.error),
           (unsigned)report.polls);
    return rekey_exit_code(report.outcome);
}
