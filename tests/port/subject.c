// subject.c - the code that the programs share which check a port of rekey on this machine.

#include "subject.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define DESCRIPTORS 32

size_t subject_addresses(const char *name, const char *addresses[SUBJECT_ADDRESSES]) {
    size_t count = 0;

    if (strcmp(name, TWO) == 0) {
        addresses[count++] = HOLE;
    }
    if (count > 0 || strcmp(name, HOST) == 0 || strcmp(name, ADDRESS) == 0 ||
        strcmp(name, OTHER) == 0) {
        addresses[count++] = ADDRESS;
    }
    return count;
}

void subject_wait(int fd, int want, uint32_t ms) {
    struct pollfd p = {.fd = fd, .events = want == REKEY_WANT_WRITE ? POLLOUT : POLLIN};

    poll(&p, 1, (int)ms);
}

void subject_print(void *ctx, const char *text) {
    (void)ctx;
    fputs(text, stdout);
    fflush(stdout);
}

int subject_check(const struct rekey_port ports[2], bool is_tls, uint32_t large,
                  void (*forget_clock)(bool), char **argv) {
    const struct rekey_port_check check = {.ports = {&ports[0], &ports[1]},
                                           .is_tls = is_tls,
                                           .first_port = (uint16_t)strtoul(argv[1], NULL, 10),
                                           .host = HOST,
                                           .address = ADDRESS,
                                           .two = TWO,
                                           .hanging = HANGING,
                                           .large = large,
                                           .forget_clock = forget_clock,
                                           .print = subject_print};

    // A low limit shows descriptors that are not closed.
    const struct rlimit few = {DESCRIPTORS, DESCRIPTORS};

    setrlimit(RLIMIT_NOFILE, &few);
    return rekey_port_check(&check) == 0 ? 0 : 1;
}
