// posix.c - checks port/posix, or a broken variant of it. With "poll" the program waits by itself,
// like an application with its own event loop: PROGRAM FIRST-PORT [poll].

#include "posix.h"
#include "subject.h"

static void wait_here(void *ctx, int want, uint32_t ms) {
    const struct rekey_posix_tcp *tcp = ctx;

    subject_wait(tcp->fd, want, ms);
}

int main(int argc, char **argv) {
    static struct rekey_posix_tcp tcp[2] = {REKEY_POSIX_TCP_INIT, REKEY_POSIX_TCP_INIT};
    static struct rekey_port ports[2];

    if (argc < 2) {
        return 2;
    }
    for (size_t i = 0; i < 2; i++) {
        ports[i].ctx = &tcp[i];
        ports[i].plain = subject_break(rekey_posix_transport(&tcp[i]), i);
        ports[i].now_ms = rekey_posix_now_ms;
        ports[i].wall_s = rekey_posix_wall_s;
        ports[i].entropy = rekey_posix_entropy;
        ports[i].wait = argc > 2 ? wait_here : rekey_posix_wait;
    }
    return subject_check(ports, false, 0, NULL, argv);
}
