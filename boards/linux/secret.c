// secret.c - see secret.h.

#include "secret.h"

#include <errno.h>

#include "input.h"
#include "secret_text.h"
#include "text.h"

// The part of a text of `len` bytes that is in a buffer of `cap` bytes.
static struct rekey_span held(const char *buf, size_t len, size_t cap) {
    return rekey_span(buf, len < cap ? len : cap);
}

int secret_load_token(const char *file, uint64_t until, char buf[REKEY_TOKEN_MAX], size_t *len,
                      struct fault *f) {
    const char *name = file != NULL ? "--token-file" : "AZURE_ACCESS_TOKEN", *fault;
    char text[256];
    bool environment = input_move_variable("AZURE_ACCESS_TOKEN", buf, REKEY_TOKEN_MAX, len);

    if (file != NULL) {
        int error = input_read(file, until, buf, REKEY_TOKEN_MAX, len);

        if (error != 0) {
            return input_fault(f, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN, name, file, error);
        }
    } else if (!environment) {
        return fault_set(f, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN,
                         "no token: give --token-file FILE, or set AZURE_ACCESS_TOKEN");
    }
    // This check comes before the length: a text of the wrong kind is often too long as well.
    fault =
        secret_text_fault(SECRET_TEXT_TOKEN, held(buf, *len, REKEY_TOKEN_MAX), text, sizeof(text));
    if (fault != NULL) {
        return fault_set(f, REKEY_USAGE, REKEY_E_TOKEN,
                         "%s: the token %s (`az account get-access-token --query accessToken -o "
                         "tsv` prints it in the right form)",
                         name, fault);
    }
    if (*len > REKEY_TOKEN_MAX) {
        return fault_set(f, REKEY_USAGE, REKEY_E_LIMIT_TOKEN,
                         "%s: the token is too long: %zu bytes, the limit is %d; `make "
                         "LIMITS=REKEY_TOKEN_MAX=%zu` raises it",
                         name, *len, REKEY_TOKEN_MAX, (*len + 63) / 64 * 64);
    }
    if (*len == 0) {
        return fault_set(f, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN, "%s: the token is empty", name);
    }
    return 0;
}

int secret_read_token(const char *file, uint64_t until, char *buf, size_t cap, size_t *len,
                      struct fault *f) {
    int error = input_read(file, until, buf, cap, len);
    const char *fault;
    char text[256];

    if (error == EINTR) {
        return REKEY_E_ABORTED;
    }
    if (error != 0) {
        return fault_set(f, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN, "--token-file '%s': %s", file,
                         rekey_posix_error_text(error));
    }
    if (*len > cap) {
        return REKEY_E_LIMIT_TOKEN;
    }
    fault = secret_text_fault(SECRET_TEXT_TOKEN, rekey_span(buf, *len), text, sizeof(text));
    if (fault != NULL) {
        return fault_set(f, REKEY_CREDENTIALS, REKEY_E_NO_TOKEN, "--token-file '%s': the token %s",
                         file, fault);
    }
    return 0;
}

int secret_load_client(const char *file, uint64_t until, char buf[SECRET_CLIENT_MAX], size_t *len,
                       struct fault *f) {
    const char *name = file != NULL ? file : "AZURE_CLIENT_SECRET", *fault;
    char text[256];
    bool given = input_move_variable("AZURE_CLIENT_SECRET", buf, SECRET_CLIENT_MAX, len);

    if (file != NULL) {
        int error = input_read(file, until, buf, SECRET_CLIENT_MAX, len);

        if (error != 0) {
            return input_fault(f, REKEY_CREDENTIALS, REKEY_E_SECRET, "client secret", file, error);
        }
    } else if (!given) {
        return fault_set(f, REKEY_CREDENTIALS, REKEY_E_SECRET,
                         "no client secret: set AZURE_CLIENT_SECRET, or give --secret-file FILE");
    }
    if (*len > SECRET_CLIENT_MAX) {
        return fault_set(f, REKEY_CREDENTIALS, REKEY_E_SECRET,
                         "%s: the client secret is too long: %zu bytes, the limit is %d", name,
                         *len, SECRET_CLIENT_MAX);
    }
    if (*len == 0) {
        return fault_set(f, REKEY_CREDENTIALS, REKEY_E_SECRET, "client secret '%s': it is empty",
                         file);
    }
    fault = secret_text_fault(SECRET_TEXT_CLIENT, rekey_span(buf, *len), text, sizeof(text));
    return fault == NULL ? 0
                         : fault_set(f, REKEY_CREDENTIALS, REKEY_E_SECRET,
                                     "%s: the client secret %s", name, fault);
}

int secret_load_key_value(const char *file, uint64_t until, char buf[REKEY_KEY_VALUE_MAX],
                          size_t *len, struct fault *f) {
    int error = input_read(file, until, buf, REKEY_KEY_VALUE_MAX, len);
    const char *fault;
    char text[256];

    if (error != 0) {
        return input_fault(f, REKEY_USAGE, REKEY_E_KEY_VALUE, "--key-value-file", file, error);
    }
    if (*len == 0) {
        return fault_set(f, REKEY_USAGE, REKEY_E_KEY_VALUE,
                         "--key-value-file '%s': the key value is empty", file);
    }
    fault = secret_text_fault(SECRET_TEXT_KEY_VALUE, held(buf, *len, REKEY_KEY_VALUE_MAX), text,
                              sizeof(text));
    if (fault != NULL) {
        return fault_set(f, REKEY_USAGE, REKEY_E_KEY_VALUE,
                         "--key-value-file '%s': the key value %s", file, fault);
    }
    if (*len > REKEY_KEY_VALUE_MAX) {
        return fault_set(f, REKEY_USAGE, REKEY_E_LIMIT_KEY_VALUE,
                         "--key-value-file: the key value is too long: %zu bytes, the limit is %d; "
                         "`make LIMITS=REKEY_KEY_VALUE_MAX=%zu` raises it",
                         *len, REKEY_KEY_VALUE_MAX, (*len + 63) / 64 * 64);
    }
    return 0;
}
