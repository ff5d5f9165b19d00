// mbedtls.c - checks port/mbedtls over port/posix, or a broken variant of it. With "small" the
// transport below TLS needs several calls for every byte: PROGRAM FIRST-PORT CA-FILE [small].

#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "small.h"
#include "subject.h"
#include "tls.h"

// rekey_posix_wait would use the transport below directly; this checks that TLS passes wait_ms on.
static void wait_here(void *ctx, int want, uint32_t ms) {
    const struct rekey_posix_tcp *tcp = ctx;

    subject_wait(tcp->fd, want, ms);
}

static bool forgotten;

static void forget_clock(bool is_forgotten) {
    forgotten = is_forgotten;
}

static int64_t wall_s(void *ctx) {
    return forgotten ? -1 : rekey_posix_wall_s(ctx);
}

int main(int argc, char **argv) {
    static struct rekey_posix_tcp tcp[2] = {REKEY_POSIX_TCP_INIT, REKEY_POSIX_TCP_INIT};
    static struct rekey_tls tls[2];
    static struct rekey_pem_bundle bundle[2];
    static struct rekey_port ports[2];
    static _Alignas(16) unsigned char arena[2 * REKEY_ARENA_SIZE];

    if (argc < 3) {
        return 2;
    }
    rekey_mbedtls_init(&ports[0], arena, sizeof(arena));
    for (size_t i = 0; i < 2; i++) {
        struct rekey_transport below = rekey_posix_transport(&tcp[i]);

        if (argc > 3) {
            below = small_pieces(below, i);
        }
        rekey_tls_init(&tls[i], below, &ports[i], rekey_pem_bundle(&bundle[i], argv[2]));
        ports[i].ctx = &tcp[i];
        ports[i].tls = subject_break(rekey_tls_transport(&tls[i]), i);
        ports[i].now_ms = rekey_posix_now_ms;
        ports[i].wall_s = wall_s;
        ports[i].entropy = rekey_posix_entropy;
        ports[i].wait = wait_here;
    }
    return subject_check(ports, true, argc > 3 ? 65536 : 0, forget_clock, argv);
}
