// files.c - LD_PRELOAD: a file system that lacks a feature. Environment variables name the errno
// with which a call always fails: FAIL_LINK, FAIL_RENAME_NEW (renameat2 with a flag),
// FAIL_SYNC_DIRECTORY.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *variable) {
    const char *number = getenv(variable);

    if (number != NULL) {
        errno = atoi(number);
    }
    return number != NULL;
}

int fsync(int fd) {
    struct stat s;

    if (fstat(fd, &s) == 0 && S_ISDIR(s.st_mode) && fails("FAIL_SYNC_DIRECTORY")) {
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int link(const char *from, const char *to) {
    if (fails("FAIL_LINK")) {
        return -1;
    }
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link"))(from, to);
}

long syscall(long number, ...) {
    long arguments[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_renameat2 && fails("FAIL_RENAME_NEW")) {
        return -1;
    }
    return ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(
        number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
