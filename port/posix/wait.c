// wait.c - waits for a descriptor that may never become ready: a pipe without a writer, a terminal,
// a reader that does not read. The wait ends at a given time, or on a signal.

// In 32-bit glibc 2.34 and later, at least up to 2.36, _FORTIFY_SOURCE binds ppoll to the symbol
// for 32-bit times but passes 64-bit times: each wait would return at once.
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "posix.h"

int rekey_posix_ready(int fd, bool to_write, uint64_t until, const sigset_t *unblocked) {
    struct pollfd p = {.fd = fd, .events = to_write ? POLLOUT : POLLIN};
    const uint64_t day = 86400000;

    for (;;) {
        uint64_t now = rekey_posix_now_ms(NULL);
        uint64_t left = now >= until ? 0 : until - now > day ? day : until - now;
        struct timespec t = {(time_t)(left / 1000), (long)(left % 1000) * 1000000};
        // If the descriptor is ready, the signal mask is not changed.
        int n = poll(&p, 1, 0);

        if (n == 0 && left > 0) {
            n = ppoll(&p, 1, &t, unblocked);
        }
        if (n > 0) {
            return 0;
        }
        if (n < 0) {
            return -1;
        }
        if (left == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

ssize_t rekey_posix_read(int fd, void *buf, size_t cap, uint64_t until, const sigset_t *unblocked) {
    ssize_t n;

    do {
        if (rekey_posix_ready(fd, false, until, unblocked) != 0) {
            return -1;
        }
        n = read(fd, buf, cap);
    } while (n < 0 && (errno == EAGAIN || errno == EINTR));
    return n;
}
