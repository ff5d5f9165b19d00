// secret.c - see secret.h.

#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

// Counts all of the input, keeps what fits, and knows its last two bytes.
static int read_all(int fd, char *buf, size_t cap, size_t *len, char last[2]) {
    char chunk[256];
    ssize_t n;

    *len = 0;
    last[0] = last[1] = '\0';
    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        for (ssize_t i = 0; i < n; i++) {
            if (*len < cap) {
                buf[*len] = chunk[i];
            }
            (*len)++;
            last[0] = last[1];
            last[1] = chunk[i];
        }
        if (*len > 1u << 20) {
            break; // no secret is so long: /dev/zero is
        }
    }
    rekey_zeroize(chunk, sizeof(chunk));
    if (*len > 0 && last[1] == '\n') {
        *len -= *len > 1 && last[0] == '\r' ? 2 : 1;
    }
    return 0;
}

int read_secret(const char *path, char *buf, size_t cap, size_t *len) {
    char last[2];
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int error;

    if (fd < 0) {
        return errno;
    }
    error = read_all(fd, buf, cap, len, last);
    if (fd != STDIN_FILENO) {
        close(fd);
    }
    return error;
}

bool take_environment(const char *name, char *buf, size_t cap, size_t *len) {
    char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
        return false;
    }
    *len = strlen(value);
    memcpy(buf, value, *len < cap ? *len : cap);
    rekey_zeroize(value, *len);
    unsetenv(name);
    return true;
}
