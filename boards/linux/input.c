// input.c - the token, the key value and the trust anchors, from where the user keeps them.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "output.h"

int read_secret(const char *path, char *buf, size_t cap, size_t *len) {
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char chunk[256];
    char last[2] = {0};
    int error = 0;
    ssize_t n;

    *len = 0;
    if (fd < 0) {
        return errno;
    }
    while (*len <= 1u << 20 &&
           (n = read(fd, chunk, sizeof(chunk))) != 0) { // /dev/zero is no secret
        if (n < 0) {
            error = errno;
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
    return error;
}

bool take_environment(const char *name, char *buf, size_t cap, size_t *len) {
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

void forget_environment(void) {
    static const char *const names[] = {"AZURE_CLIENT_SECRET", "AZURE_ACCESS_TOKEN", "https_proxy",
                                        "HTTPS_PROXY",         "all_proxy",          "ALL_PROXY",
                                        "http_proxy",          "HTTP_PROXY"};
    size_t len;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        take_environment(names[i], NULL, 0, &len);
    }
}

int cannot_read(struct command *c, enum rekey_outcome outcome, int code, const char *option,
                const char *file, int error) {
    if (stop_signal != 0) {
        return refuse(c, REKEY_NOT_REACHED, REKEY_E_ABORTED, "%s",
                      rekey_error_text(REKEY_E_ABORTED));
    }
    return refuse(c, outcome, code, "%s '%s': %s", option, file, error_word(error));
}

// A pipe or a terminal gives its token once; a file may have another one meanwhile.
static bool can_be_read_again(const char *file) {
    struct stat s;

    return file != NULL && strcmp(file, "-") != 0 && stat(file, &s) == 0 && S_ISREG(s.st_mode);
}

int give_token(void *ctx, char *buf, size_t cap, size_t *len) {
    struct command *c = ctx;
    const char *file = c->options.token_file;
    int error;

    if (!c->token_used || !can_be_read_again(file)) {
        c->token_used = true;
        *len = c->token_len;
        memcpy(buf, c->token, c->token_len);
        return REKEY_DONE;
    }
    error = read_secret(file, buf, cap, len);
    if (error != 0) {
        say("error: --token-file '%s': %s", file, error_word(error));
        return REKEY_E_NO_TOKEN;
    }
    return *len > cap ? REKEY_E_LIMIT_TOKEN : REKEY_DONE;
}

int take_token(struct command *c) {
    const char *file = c->options.token_file;
    const char *name = file != NULL ? "--token-file" : "AZURE_ACCESS_TOKEN";
    bool environment =
        take_environment("AZURE_ACCESS_TOKEN", c->token, sizeof(c->token), &c->token_len);

    if (file != NULL) {
        int error = read_secret(file, c->token, sizeof(c->token), &c->token_len);

        if (error != 0) {
            return cannot_read(c, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN, name, file, error);
        }
    } else if (!environment) {
        return refuse(c, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN,
                      "no token: give --token-file FILE, or set AZURE_ACCESS_TOKEN");
    }
    if (c->token_len > sizeof(c->token)) {
        return refuse(c, REKEY_USAGE, REKEY_E_LIMIT_TOKEN,
                      "%s: the token is too long: %zu bytes needed, there are %d; `make "
                      "LIMITS=REKEY_TOKEN_MAX=%zu` raises it",
                      name, c->token_len, REKEY_TOKEN_MAX, (c->token_len + 63) / 64 * 64);
    }
    if (c->token_len == 0) {
        return refuse(c, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN, "%s: the token is empty", name);
    }
    for (size_t i = 0; i < c->token_len; i++) {
        if (c->token[i] <= ' ' || c->token[i] > '~') {
            return refuse(c, REKEY_USAGE, REKEY_E_TOKEN,
                          "%s: byte %zu of the token is not visible ASCII (a bearer token has no "
                          "spaces, line ends or other control characters)",
                          name, i + 1);
        }
    }
    return 0;
}

int take_key_value(struct command *c) {
    const char *file = c->options.key_value_file;
    int error;

    if (file == NULL) {
        return 0;
    }
    error = read_secret(file, c->key_value, sizeof(c->key_value), &c->key_value_len);
    if (error != 0) {
        return cannot_read(c, REKEY_USAGE, REKEY_E_KEY_VALUE, "--key-value-file", file, error);
    }
    if (c->key_value_len == 0) {
        return refuse(c, REKEY_USAGE, REKEY_E_KEY_VALUE,
                      "--key-value-file '%s': the key value is empty", file);
    }
    if (c->key_value_len > sizeof(c->key_value)) {
        return refuse(
            c, REKEY_USAGE, REKEY_E_LIMIT_KEY_VALUE,
            "--key-value-file: the key value is too long: %zu bytes needed, there are %d; "
            "`make LIMITS=REKEY_KEY_VALUE_MAX=%zu` raises it",
            c->key_value_len, REKEY_KEY_VALUE_MAX, (c->key_value_len + 63) / 64 * 64);
    }
    return 0;
}

int find_anchors(struct command *c, struct rekey_anchors *anchors) {
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, OpenWrt
        "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem", // Alpine
        "/etc/ssl/ca-bundle.pem",
    };
    char tried[512] = "";
    size_t len = 0;

    if (c->options.ca_file != NULL) {
        *anchors = rekey_pem_bundle(&c->bundle, c->options.ca_file);
        c->bundle.timeout_ms = c->options.timeout_ms;
        if (rekey_pem_bundle_usable(&c->bundle)) {
            return 0;
        }
        if (errno == ETIMEDOUT) {
            return refuse(c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                          "no trust anchors: --ca-file '%s': nobody wrote it to its end within "
                          "--timeout",
                          c->options.ca_file);
        }
        if (errno != 0) {
            return cannot_read(c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                               "no trust anchors: --ca-file", c->options.ca_file, errno);
        }
        if (c->bundle.passed_over > 0) {
            return refuse(
                c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                "no trust anchors: --ca-file '%s': there is no certificate in it that can "
                "be read; damaged, or longer than %d bytes, are %u",
                c->options.ca_file, REKEY_PEM_CERTIFICATE_MAX, c->bundle.passed_over);
        }
        return refuse(c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                      "no trust anchors: --ca-file '%s': there is no certificate in PEM in it",
                      c->options.ca_file);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *anchors = rekey_pem_bundle(&c->bundle, places[i]);
        if (rekey_pem_bundle_usable(&c->bundle)) {
            return 0;
        }
        len += (size_t)snprintf(tried + len, sizeof(tried) - len, " %s", places[i]);
    }
    return refuse(c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                  "no trust anchors: give --ca-file FILE or set SSL_CERT_FILE; tried%s", tried);
}
