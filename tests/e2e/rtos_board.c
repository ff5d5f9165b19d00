// rtos_board.c - the board of boards/examples/rtos_task.c in the end-to-end tests: lwIP over POSIX
// threads, and a relay from lwIP's loopback interface to that of this machine (tests/lwip).
//
//     rtos_task HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT; TOKEN in the environment

#include "../../boards/examples/rtos_task.h"

#include <lwip/sys.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "host.h"
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
    code = (int)report->outcome;
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
    lwip_host_start();
    lwip_host_relay(task.port, 1);
    rekey_task_start(&task);
    sys_arch_sem_wait(&done, 0);
    return code;
}
