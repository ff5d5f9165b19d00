// sockets.c - checks port/sockets: PROGRAM FIRST-PORT.

#include "sockets.h"
#include "posix.h"
#include "subject.h"

#include <arpa/inet.h>

static int lookup(void *arg, const char *host, struct rekey_sockets_address *addresses, size_t cap,
                  size_t *count) {
    const char *text[SUBJECT_ADDRESSES];

    (void)arg;
    if (strcmp(host, HANGING) == 0) {
        return REKEY_WANT_READ;
    }
    *count = subject_addresses(host, text);
    *count = *count < cap ? *count : cap;
    for (size_t i = 0; i < *count; i++) {
        memset(&addresses[i], 0, sizeof(addresses[i]));
        addresses[i].len = sizeof(addresses[i].at.v4);
        addresses[i].at.v4.sin_family = AF_INET;
        inet_pton(AF_INET, text[i], &addresses[i].at.v4.sin_addr);
    }
    return *count > 0 ? REKEY_DONE : REKEY_E_LOOKUP;
}

int main(int argc, char **argv) {
    static struct rekey_sockets_tcp tcp[2];
    static struct rekey_port ports[2];

    if (argc != 2) {
        return 2;
    }
    for (size_t i = 0; i < 2; i++) {
        tcp[i].port = &ports[i];
        tcp[i].lookup = lookup;
        ports[i].ctx = &tcp[i];
        ports[i].plain = subject_break(rekey_sockets_transport(&tcp[i]), i);
        ports[i].now_ms = rekey_posix_now_ms;
        ports[i].wall_s = rekey_posix_wall_s;
        ports[i].entropy = rekey_posix_entropy;
        ports[i].wait = rekey_sockets_wait;
    }
    return subject_check(ports, false, 0, NULL, argv);
}
