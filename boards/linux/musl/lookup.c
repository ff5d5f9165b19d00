// lookup.c - replaces two functions of musl that are larger than its getaddrinfo needs. On 32-bit
// machines musl's ioctl has 900 bytes for kernels before 5.1: it converts the times in the
// arguments of sockets, sound and video devices. Here it is only called for the number of a network
// interface (a scope in an IPv6 address). musl's strstr has 600 bytes for long texts. Here it is
// only called for the lines of /etc/hosts.

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int ioctl(int fd, int request, ...) {
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

char *strstr(const char *text, const char *part) {
    const size_t len = strlen(part);

    for (; strncmp(text, part, len) != 0; text++) {
        if (*text == '\0') {
            return NULL;
        }
    }
    return (char *)text;
}
