// flash_rotation.c - rotates the key of an endpoint on a device that keeps it in flash. Whatever
// fails, the key in flash is one that the service accepts, and the next run completes what this one
// has begun: call it at each start of the device, and then once a day. This program runs on Linux
// (port/posix); a device uses its own transport and clocks instead (docs/porting.md). The flash
// driver is the board's.
//
//     flash_rotation format          once, in the factory
//     flash_rotation HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT SETTLE AGE
//
// The key in use changes once it is AGE seconds old, SETTLE seconds after the new one was listed.
// The token is in the environment variable TOKEN.

#include <stdio.h>
#include <stdlib.h>

#include "flash_storage.h"
#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "sha256.h"
#include "tls.h"

extern const struct flash_driver board_flash;

static struct rekey client;
static struct rekey_rotation rotation;
static struct flash_storage flash;
static struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
static struct rekey_tls tls;
static struct rekey_pem_bundle bundle;
static _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];

static int get_token(void *ctx, char *buf, size_t cap, size_t *len) {
    const char *token = getenv("TOKEN");

    (void)ctx;
    if (token == NULL) {
        return REKEY_E_NO_TOKEN;
    }
    *len = strlen(token);
    if (*len > cap) {
        return REKEY_E_LIMIT_TOKEN;
    }
    memcpy(buf, token, *len);
    return REKEY_DONE;
}

static void sha256(void *ctx, struct rekey_span data, unsigned char out[32]) {
    (void)ctx;
    rekey_sha256(data, out);
}

// Tells the rest of the firmware that there is another key. It must be harmless to call this twice.
static int tell_application(void *ctx) {
    (void)ctx;
    puts("the key has changed: load_key has the new one");
    return REKEY_DONE;
}

int main(int argc, char **argv) {
    const struct rekey_port port = {.tls = rekey_tls_transport(&tls),
                                    .ctx = &tcp,
                                    .now_ms = rekey_posix_now_ms,
                                    .wall_s = rekey_posix_wall_s,
                                    .entropy = rekey_posix_entropy,
                                    .wait = rekey_posix_wait};
    struct rekey_rotation_options rules = REKEY_ROTATION_OPTIONS_INIT;
    struct rekey_options options = REKEY_OPTIONS_INIT;
    struct rekey_storage storage = flash_storage_init(&flash, &board_flash, &port);
    struct rekey_endpoint endpoint = {.serverless = false};
    struct rekey_span text[10];
    struct rekey_rotation_report report;

    if (argc == 2 && strcmp(argv[1], "format") == 0) {
        return flash_storage_format(&flash) == REKEY_DONE ? REKEY_SUCCEEDED : REKEY_LOCAL;
    }
    if (argc != 10) {
        return REKEY_USAGE;
    }
    for (int i = 0; i < argc; i++) {
        text[i] = rekey_span(argv[i], strlen(argv[i]));
    }
    options.host = text[1];
    options.port = (uint16_t)atoi(argv[2]);
    options.token = get_token;
    endpoint.subscription = text[4];
    endpoint.resource_group = text[5];
    endpoint.workspace = text[6];
    endpoint.name = text[7];
    rules.settle_ms = (uint32_t)atoi(argv[8]) * 1000;
    rules.min_age_s = atoi(argv[9]);
    storage.sha256 = sha256;
    storage.hook = tell_application;

    rekey_mbedtls_init(&port, arena, sizeof(arena));
    rekey_tls_init(&tls, rekey_posix_transport(&tcp), &port, rekey_pem_bundle(&bundle, argv[3]));
    if (rekey_init(&client, &port, &options) != 0) {
        return REKEY_USAGE;
    }
    rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
    rekey_rotate(&rotation, &endpoint);
    rekey_rotation_run(&rotation); // or rekey_rotation_step, from a loop with other work
    rekey_rotation_report(&rotation, &report);
    printf("outcome %d, result %d, error %s\n", report.outcome, report.result,
           rekey_error_name(report.error));
    rekey_tls_free(&tls);
    rekey_mbedtls_free();
    return rekey_exit_code(report.outcome);
}
