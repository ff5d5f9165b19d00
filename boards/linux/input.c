// input.c - the token, the key value and the trust anchors, from where the user keeps them.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "output.h"
#include "secret_text.h"

int read_secret(const struct command *c, const char *path, char *buf, size_t cap, size_t *len) {
    int fd =
        strcmp(path, "-") == 0 ? STDIN_FILENO : rekey_posix_open(path, O_RDONLY, REKEY_POSIX_LINKS);
    const uint64_t until = c->started + c->options.timeout_ms;
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
        n = rekey_posix_read(fd, chunk, sizeof(chunk), until, &c->unblocked);
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
    char shown[512];

    if (stop_signal != 0) {
        return refuse(c, REKEY_NOT_REACHED, REKEY_E_ABORTED, "%s",
                      rekey_error_text(REKEY_E_ABORTED));
    }
    return refuse(c, outcome, code, "%s '%s': %s", option,
                  visible(rekey_span(file, strlen(file)), shown, sizeof(shown)),
                  error == ETIMEDOUT ? "nothing more came within --timeout" : error_word(error));
}

// A pipe or a terminal gives its token once; a file may have another one meanwhile.
static bool can_be_read_again(const char *file) {
    struct stat s;

    return file != NULL && strcmp(file, "-") != 0 && stat(file, &s) == 0 && S_ISREG(s.st_mode);
}

int give_token(void *ctx, char *buf, size_t cap, size_t *len) {
    struct command *c = ctx;
    const char *file = c->options.token_file, *fault;
    char text[256];
    int error;

    if (c->token_len > 0) {
        *len = c->token_len;
        memcpy(buf, c->token, c->token_len);
        if (can_be_read_again(file)) { // then it is, from now on
            rekey_zeroize(c->token, sizeof(c->token));
            c->token_len = 0;
        }
        return REKEY_DONE;
    }
    error = read_secret(c, file, buf, cap, len);
    if (error == EINTR) {
        return REKEY_E_ABORTED;
    }
    if (error != 0) {
        say("error: --token-file '%s': %s", file, error_word(error));
        return REKEY_E_NO_TOKEN;
    }
    if (*len > cap) {
        return REKEY_E_LIMIT_TOKEN;
    }
    fault = secret_text_fault(SECRET_TEXT_TOKEN, rekey_span(buf, *len), text, sizeof(text));
    if (fault != NULL) {
        say("error: --token-file '%s': the token %s", file, fault);
        return REKEY_E_NO_TOKEN;
    }
    return REKEY_DONE;
}

int take_token(struct command *c) {
    const char *file = c->options.token_file;
    const char *name = file != NULL ? "--token-file" : "AZURE_ACCESS_TOKEN", *fault;
    char text[256];
    bool environment =
        take_environment("AZURE_ACCESS_TOKEN", c->token, sizeof(c->token), &c->token_len);

    if (file != NULL) {
        int error = read_secret(c, file, c->token, sizeof(c->token), &c->token_len);

        if (error != 0) {
            return cannot_read(c, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN, name, file, error);
        }
    } else if (!environment) {
        return refuse(c, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN,
                      "no token: give --token-file FILE, or set AZURE_ACCESS_TOKEN");
    }
    // Before its length: what is of the wrong kind is often too long as well.
    fault = secret_text_fault(
        SECRET_TEXT_TOKEN,
        rekey_span(c->token, c->token_len < sizeof(c->token) ? c->token_len : sizeof(c->token)),
        text, sizeof(text));
    if (fault != NULL) {
        return refuse(c, REKEY_USAGE, REKEY_E_TOKEN,
                      "%s: the token %s (`az account get-access-token --query accessToken -o tsv` "
                      "prints it as it is wanted)",
                      name, fault);
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
    return 0;
}

int take_key_value(struct command *c) {
    const char *file = c->options.key_value_file, *fault;
    char text[256];
    int error;

    if (file == NULL) {
        return 0;
    }
    error = read_secret(c, file, c->key_value, sizeof(c->key_value), &c->key_value_len);
    if (error != 0) {
        return cannot_read(c, REKEY_USAGE, REKEY_E_KEY_VALUE, "--key-value-file", file, error);
    }
    if (c->key_value_len == 0) {
        return refuse(c, REKEY_USAGE, REKEY_E_KEY_VALUE,
                      "--key-value-file '%s': the key value is empty", file);
    }
    fault = secret_text_fault(SECRET_TEXT_KEY_VALUE,
                              rekey_span(c->key_value, c->key_value_len < sizeof(c->key_value)
                                                           ? c->key_value_len
                                                           : sizeof(c->key_value)),
                              text, sizeof(text));
    if (fault != NULL) {
        return refuse(c, REKEY_USAGE, REKEY_E_KEY_VALUE, "--key-value-file '%s': the key value %s",
                      file, fault);
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
        c->bundle.until = c->started + c->options.timeout_ms;
        c->bundle.unblocked = &c->unblocked;
        if (rekey_pem_bundle_usable(&c->bundle)) {
            return 0;
        }
        if (errno != 0) {
            return cannot_read(c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                               "no trust anchors: --ca-file", c->options.ca_file, errno);
        }
        visible(rekey_span(c->options.ca_file, strlen(c->options.ca_file)), tried, sizeof(tried));
        if (c->bundle.passed_over > 0) {
            return refuse(
                c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                "no trust anchors: --ca-file '%s': there is no certificate in it that can "
                "be read; damaged, or longer than %d bytes, are %u",
                tried, REKEY_PEM_CERTIFICATE_MAX, c->bundle.passed_over);
        }
        return refuse(c, REKEY_NOT_TRUSTED, REKEY_E_NO_ANCHORS,
                      "no trust anchors: --ca-file '%s': there is no certificate in PEM in it",
                      tried);
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
