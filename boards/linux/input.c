// input.c - see input.h.

#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "posix.h"
#include "process.h"
#include "text.h"

int input_read(const char *path, uint64_t until, char *buf, size_t cap, size_t *len) {
    int fd =
        strcmp(path, "-") == 0 ? STDIN_FILENO : rekey_posix_open(path, O_RDONLY, REKEY_POSIX_LINKS);
    char chunk[256];
    static const char mark[] = "\xEF\xBB\xBF"; // UTF-8 with a byte order mark, from Windows
    char last[2] = {0};
    int error = 0;
    ssize_t n;

    *len = 0;
    if (fd < 0) {
        return errno;
    }
    while (*len <= 1u << 20) { // /dev/zero is not a secret
        n = rekey_posix_read(fd, chunk, sizeof(chunk), until, &process.unblocked);
        if (n < 0 && errno == EINTR && stop_signal == 0) {
            continue;
        }
        if (n <= 0) {
            error = n < 0 ? errno : 0;
            break;
        }
        for (ssize_t i = 0; i < n; i++) {
            if (*len < cap) {
                buf[*len] = chunk[i];
            }
            (*len)++;
            last[0] = last[1];
            last[1] = chunk[i];
        }
    }
    rekey_zeroize(chunk, sizeof(chunk));
    if (fd != STDIN_FILENO) {
        close(fd);
    }
    if (*len > 0 && last[1] == '\n') {
        *len -= last[0] == '\r' ? 2 : 1;
    }
    if (*len >= sizeof(mark) - 1 && *len <= cap && memcmp(buf, mark, sizeof(mark) - 1) == 0) {
        *len -= sizeof(mark) - 1;
        memmove(buf, buf + sizeof(mark) - 1, *len);
    }
    return error;
}

const char *input_error(int number) {
    return number == ETIMEDOUT ? "no more data came before the limit (--timeout)"
                               : rekey_posix_error_text(number);
}

int input_fault(struct fault *f, enum rekey_outcome outcome, int error, const char *option,
                const char *file, int number) {
    char shown[512];

    if (stop_signal != 0) {
        return fault_set(f, REKEY_NOT_REACHED, REKEY_E_ABORTED, "%s",
                         rekey_error_text(REKEY_E_ABORTED));
    }
    return fault_set(f, outcome, error, "%s '%s': %s", option,
                     visible(rekey_span(file, strlen(file)), shown, sizeof(shown)),
                     input_error(number));
}

const char *input_variable(const char *name) {
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool input_move_variable(const char *name, char *buf, size_t cap, size_t *len) {
    char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
        return false;
    }
    *len = strlen(value);
    if (cap > 0) {
        memcpy(buf, value, *len < cap ? *len : cap);
    }
    rekey_zeroize(value, *len);
    unsetenv(name);
    return true;
}

void input_forget_variables(void) {
    static const char *const names[] = {"AZURE_CLIENT_SECRET", "AZURE_ACCESS_TOKEN", "https_proxy",
                                        "HTTPS_PROXY",         "all_proxy",          "ALL_PROXY",
                                        "http_proxy",          "HTTP_PROXY"};
    size_t len;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        input_move_variable(names[i], NULL, 0, &len);
    }
}
