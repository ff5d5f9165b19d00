// fast_clock.c - linked into the test build of `make bench`: between two requests the port's clock
// runs CLOCK_FACTOR (environment) times faster, and waits are shorter by the same factor. During a
// request the clock runs normally, so that no timeout gets shorter. At its end the process prints
// its own peak of memory. The linker puts the __wrap_ functions in place of the C library's.

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __real_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *t, const sigset_t *mask);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *t, const sigset_t *mask);

static long long ahead_ns; // by the real clock

static long long nanoseconds(const struct timespec *t) {
    return t->tv_sec * 1000000000LL + t->tv_nsec;
}

static struct timespec span(long long ns) {
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t) {
    int result = __real_clock_gettime(clock, t);

    if (result == 0 && clock == CLOCK_BOOTTIME) {
        *t = span(nanoseconds(t) + ahead_ns);
    }
    return result;
}

int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *t, const sigset_t *mask) {
    struct timespec shorter = *t;

    if (fds[0].fd < 0) { // it waits for time only
        shorter = span(nanoseconds(t) / atoll(getenv("CLOCK_FACTOR")));
        ahead_ns += nanoseconds(t) - nanoseconds(&shorter);
    }
    return __real_ppoll(fds, count, &shorter, mask);
}

__attribute__((destructor)) static void print_peak(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            fputs(line, stderr);
        }
    }
}
