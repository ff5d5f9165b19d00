// clock.c - the two clocks, the id of the current boot, and randomness.

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "posix.h"

_Static_assert(sizeof(time_t) >= 8, "certificates outlive 2038");

uint64_t rekey_posix_now_ms(void *ctx) {
    struct timespec t = {0};

    (void)ctx;
    if (clock_gettime(CLOCK_BOOTTIME, &t) != 0) {
        clock_gettime(CLOCK_MONOTONIC, &t); // Linux before 2.6.39 has no CLOCK_BOOTTIME
    }
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool rekey_posix_boot_id(char id[REKEY_POSIX_BOOT_ID_LEN + 1]) {
    size_t len = 0;

    id[0] = '\0';
    if (rekey_posix_read_file("/proc/sys/kernel/random/boot_id", id, REKEY_POSIX_BOOT_ID_LEN + 1,
                              &len, 0) != 0 ||
        len != REKEY_POSIX_BOOT_ID_LEN + 1) { // and a newline
        len = 1;
    }
    id[len - 1] = '\0';
    return len > 1;
}

int64_t rekey_posix_wall_s(void *ctx) {
    struct timespec t = {0};

    (void)ctx;
    return clock_gettime(CLOCK_REALTIME, &t) == 0 ? (int64_t)t.tv_sec : -1;
}

int rekey_posix_entropy(void *ctx, void *buf, size_t len) {
    char *at = buf;

    (void)ctx;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno != EINTR) {
            return REKEY_E_ENTROPY;
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return REKEY_DONE;
}
