// clock.c - LD_PRELOAD: a device whose wall clock is wrong by CLOCK_SHIFT seconds (environment) or
// stands still at CLOCK_AT, or that was started BOOT_SHIFT seconds before this machine.

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(time_t) == sizeof(long), "the system call has the library's struct timespec");

int clock_gettime(clockid_t clock, struct timespec *t) {
    const char *shift = clock == CLOCK_REALTIME   ? getenv("CLOCK_SHIFT")
                        : clock == CLOCK_BOOTTIME ? getenv("BOOT_SHIFT")
                                                  : NULL;
    const char *at = clock == CLOCK_REALTIME ? getenv("CLOCK_AT") : NULL;
    long result = syscall(SYS_clock_gettime, clock, t);

    if (result == 0 && shift != NULL) {
        t->tv_sec += strtol(shift, NULL, 10);
    }
    if (result == 0 && at != NULL) {
        *t = (struct timespec){strtol(at, NULL, 10), 0};
    }
    return (int)result;
}

time_t time(time_t *out) {
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL) {
        *out = t.tv_sec;
    }
    return t.tv_sec;
}
