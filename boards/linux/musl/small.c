// small.c - functions of the C library for the static commands, in place of musl's, which are made
// for more than what is used of them here: 4 KB less. What calls them is musl's name lookup, for
// the addresses of a host and for resolv.conf, and the command, for its own files.

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// By insertion: there are at most 48 addresses.
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    char *first = base;

    for (size_t i = 1; i < count; i++) {
        for (char *at = first + i * size; at > first && compare(at - size, at) > 0; at -= size) {
            for (size_t k = 0; k < size; k++) {
                char byte = at[k];

                at[k] = at[k - size];
                at[k - size] = byte;
            }
        }
    }
}

static int digit_of(char c) {
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10
                                                : 99;
}

// As the C standard has it for bases 0, 8, 10 and 16, but for the least negative number. What is
// more than `max` is `max`.
static unsigned long long scan(const char *text, char **end, int base, unsigned long long max,
                               bool *negative) {
    const char *at = text;
    unsigned long long value = 0;

    while (*at == ' ' || (*at >= '\t' && *at <= '\r')) {
        at++;
    }
    *negative = *at == '-';
    at += *at == '-' || *at == '+';
    if ((base == 0 || base == 16) && at[0] == '0' && (at[1] | 32) == 'x' && digit_of(at[2]) < 16) {
        base = 16;
        at += 2;
    } else if (base == 0) {
        base = at[0] == '0' ? 8 : 10;
    }
    if (digit_of(*at) < base) {
        text = at; // there is a number: *end is behind it
    }
    for (; digit_of(*at) < base; text = ++at) {
        unsigned digit = (unsigned)digit_of(*at);

        value = value > (max - digit) / (unsigned)base ? max : value * (unsigned)base + digit;
    }
    if (end != NULL) {
        *end = (char *)text;
    }
    return value;
}

unsigned long long strtoull(const char *text, char **end, int base) {
    bool negative;
    unsigned long long value = scan(text, end, base, ULLONG_MAX, &negative);

    return negative ? 0 - value : value;
}

unsigned long strtoul(const char *text, char **end, int base) {
    bool negative;
    unsigned long value = (unsigned long)scan(text, end, base, ULONG_MAX, &negative);

    return negative ? 0 - value : value;
}

long long strtoll(const char *text, char **end, int base) {
    bool negative;
    long long value = (long long)scan(text, end, base, LLONG_MAX, &negative);

    return negative ? -value : value;
}

long strtol(const char *text, char **end, int base) {
    bool negative;
    long value = (long)scan(text, end, base, LONG_MAX, &negative);

    return negative ? -value : value;
}

char *strstr(const char *text, const char *word) {
    const size_t len = strlen(word);

    for (; *text != '\0' && strncmp(text, word, len) != 0; text++) {
    }
    return strncmp(text, word, len) == 0 ? (char *)text : NULL;
}

// With it the name lookup looks whether a name is text. One that is not ASCII is not looked up.
size_t mbstowcs(wchar_t *wide, const char *text, size_t count) {
    size_t len = 0;

    (void)wide;
    (void)count;
    for (; text[len] != '\0'; len++) {
        if ((text[len] & 0x80) != 0) {
            return (size_t)-1;
        }
    }
    return len;
}

// Of a name server with a zone, as fe80::1%eth0. musl's own ioctl knows all that ever changed.
unsigned if_nametoindex(const char *name) {
    struct ifreq request;
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    long result = -1;

    memset(&request, 0, sizeof(request));
    if (fd >= 0 && len < sizeof(request.ifr_name)) {
        memcpy(request.ifr_name, name, len);
        result = syscall(SYS_ioctl, fd, SIOCGIFINDEX, &request);
    }
    if (fd >= 0) {
        close(fd);
    }
    return result < 0 ? 0 : (unsigned)request.ifr_ifindex;
}
