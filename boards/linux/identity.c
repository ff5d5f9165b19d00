// identity.c - see identity.h.

#include "identity.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"
#include "posix.h"
#include "secret_text.h"
#include "text.h"

#define ARC_AGENT "/opt/azcmagent/bin/himds"

const char *const auth_names[7] = {"", "token", "secret", "certificate", "workload", "imds", "arc"};

static struct rekey_span text_of(const char *text) {
    return rekey_span(text, text == NULL ? 0 : strlen(text));
}

// ---- secrets and certificates -------------------------------------------------------------------

// The file of the secret: that of --secret-file, or in systemd's directory of credentials; or NULL.
static const char *secret_file(const struct identity *id, char buf[256]) {
    const char *directory = input_variable("CREDENTIALS_DIRECTORY");

    if (id->secret_file != NULL) {
        return id->secret_file;
    }
    if (directory == NULL || snprintf(buf, 256, "%s/client-secret", directory) >= 256 ||
        access(buf, F_OK) != 0) {
        return NULL;
    }
    return buf;
}

static int read_secret(struct identity *id, struct fault *f) {
    return secret_load_client(secret_file(id, id->path), id->until, id->secret, &id->secret_len, f);
}

static int read_certificate(struct identity *id, struct fault *f) {
    id->file = input_variable("AZURE_CLIENT_CERTIFICATE_PATH");
    if (id->file == NULL) {
        return fault_set(
            f, REKEY_CREDENTIALS, REKEY_E_SIGN,
            "no client certificate: set AZURE_CLIENT_CERTIFICATE_PATH to a PEM file with "
            "the certificate and its RSA private key");
    }
    id->error = input_read(id->file, id->until, id->pem, sizeof(id->pem), &id->pem_len);
    if (id->error == 0 && id->pem_len > sizeof(id->pem)) {
        id->error = EFBIG;
    }
    if (id->error != 0) {
        return input_fault(f, REKEY_CREDENTIALS, REKEY_E_SIGN, "AZURE_CLIENT_CERTIFICATE_PATH",
                           id->file, id->error);
    }
    id->certificate.certificate = id->certificate.key = rekey_span(id->pem, id->pem_len);
    id->certificate.port = id->port;
    return 0;
}

// Removes white space around a federated token, which is not part of it.
static struct rekey_span trimmed(struct rekey_span text) {
    while (text.len > 0 && rekey_is_one_of(text.ptr[0], " \t\r\n")) {
        text = rekey_span(text.ptr + 1, text.len - 1);
    }
    while (text.len > 0 && rekey_is_one_of(text.ptr[text.len - 1], " \t\r\n")) {
        text.len--;
    }
    return text;
}

static int read_federated_token(void *ctx, char *buf, size_t cap, size_t *len) {
    struct identity *id = ctx;

    id->error = input_read(id->file, id->until, buf, cap, len);
    id->fault = NULL;
    if (id->error == EINTR) {
        return REKEY_E_ABORTED;
    }
    if (id->error == 0 && *len <= cap) {
        id->fault = secret_text_fault(SECRET_TEXT_TOKEN, trimmed(rekey_span(buf, *len)),
                                      id->fault_text, sizeof(id->fault_text));
    }
    return id->error == 0 && id->fault == NULL ? 0 : REKEY_E_ASSERTION;
}

static int read_arc_key(void *ctx, struct rekey_span path, char *buf, size_t cap, size_t *len) {
    struct identity *id = ctx;

    id->error = ENAMETOOLONG;
    if (path.len >= sizeof(id->path)) {
        return REKEY_E_KEY_FILE;
    }
    memcpy(id->path, path.ptr, path.len);
    id->path[path.len] = '\0';
    id->file = id->path;
    errno = 0;
    id->error = rekey_posix_read_file(id->path, buf, cap, len, 0) == 0 ? 0 : errno;
    return id->error == 0 ? 0 : REKEY_E_KEY_FILE;
}

// ---- the choice ---------------------------------------------------------------------------------

// What a kind of identity lacks, in words; NULL if it can be used.
static const char *missing_part(const struct identity *id, enum auth auth) {
    static const char no_tenant[] = "AZURE_TENANT_ID is not set";
    static const char no_client[] = "AZURE_CLIENT_ID is not set";
    const char *names = input_variable("AZURE_TENANT_ID") == NULL   ? no_tenant
                        : input_variable("AZURE_CLIENT_ID") == NULL ? no_client
                                                                    : NULL;
    bool arc =
        input_variable("IDENTITY_ENDPOINT") != NULL && input_variable("IMDS_ENDPOINT") != NULL;
    char path[256];

    switch (auth) {
    case AUTH_TOKEN:
        return id->token_file != NULL || input_variable("AZURE_ACCESS_TOKEN") != NULL
                   ? NULL
                   : "no --token-file, and AZURE_ACCESS_TOKEN is not set";
    case AUTH_SECRET:
        return input_variable("AZURE_CLIENT_SECRET") == NULL && secret_file(id, path) == NULL
                   ? "no client secret (AZURE_CLIENT_SECRET, --secret-file)"
                   : names;
    case AUTH_CERTIFICATE:
        return input_variable("AZURE_CLIENT_CERTIFICATE_PATH") == NULL
                   ? "AZURE_CLIENT_CERTIFICATE_PATH is not set"
                   : names;
    case AUTH_WORKLOAD:
        return input_variable("AZURE_FEDERATED_TOKEN_FILE") == NULL
                   ? "AZURE_FEDERATED_TOKEN_FILE is not set"
                   : names;
    case AUTH_ARC:
        if (input_variable("IDENTITY_ENDPOINT") != NULL &&
            input_variable("IDENTITY_HEADER") != NULL) {
            return "IDENTITY_ENDPOINT with IDENTITY_HEADER is App Service, which is not supported";
        }
        return arc || access(ARC_AGENT, F_OK) == 0 ? NULL : "there is no agent " ARC_AGENT;
    default:
        return NULL;
    }
}

void identity_choose(struct identity *id) {
    static const enum auth order[] = {AUTH_TOKEN,    AUTH_SECRET, AUTH_CERTIFICATE,
                                      AUTH_WORKLOAD, AUTH_ARC,    AUTH_IMDS};
    size_t len = 0;

    id->auth = id->asked;
    if (id->auth == AUTH_DEFAULT && id->secret_file != NULL && id->token_file == NULL) {
        id->auth = AUTH_SECRET; // an option counts before the environment
    }
    for (size_t i = 0; id->auth == AUTH_DEFAULT; i++) {
        const char *reason = missing_part(id, order[i]);

        if (reason == NULL) {
            id->auth = order[i];
        } else if (len < sizeof(id->why)) {
            len += (size_t)snprintf(id->why + len, sizeof(id->why) - len, "; not %s: %s",
                                    auth_names[order[i]], reason);
        }
    }
    if (id->auth == AUTH_ARC && input_variable("AZURE_CLIENT_ID") != NULL) {
        id->note = "AZURE_CLIENT_ID is not used: Azure Arc has the machine's own identity only";
    }
}

// Checks the value of a variable that is not secret; an error shows it. Returns 0 or an error with
// *f.
static int check_name(const char *name, struct fault *f) {
    struct rekey_span value = text_of(input_variable(name));
    char text[256], shown[512];
    const char *fault = control_fault(value, text, sizeof(text));

    for (size_t i = 0; i < value.len && fault == NULL; i++) {
        if (!rekey_is_alnum(value.ptr[i]) && !rekey_is_one_of(value.ptr[i], "-.")) {
            fault = "has a byte that is not a letter, a digit, '-' or '.'";
        }
    }
    return fault == NULL ? 0
                         : fault_set(f, REKEY_CREDENTIALS, REKEY_E_IDENTITY, "%s '%s': it %s", name,
                                     visible(value, shown, sizeof(shown)), fault);
}

static int read_names(struct identity *id, struct fault *f) {
    static const char *const names[] = {"AZURE_TENANT_ID", "AZURE_CLIENT_ID"};
    int code;

    for (size_t i = 0; i < 2; i++) {
        if (input_variable(names[i]) == NULL) {
            return fault_set(f, REKEY_CREDENTIALS, REKEY_E_IDENTITY,
                             "--auth %s needs %s, which is "
                             "not set",
                             auth_names[id->auth], names[i]);
        }
        code = check_name(names[i], f);
        if (code != 0) {
            return code;
        }
    }
    id->entra.tenant = text_of(input_variable(names[0]));
    id->entra.client_id = text_of(input_variable(names[1]));
    return token_service_authority(&id->entra, id->cloud, id->authority, f);
}

// Reads what the chosen kind of identity needs.
static int read_identity(struct identity *id, struct fault *f) {
    int error;

    switch (id->auth) {
    case AUTH_TOKEN:
        return secret_load_token(id->token_file, id->until, id->token, &id->token_len, f);
    case AUTH_SECRET:
        return read_secret(id, f);
    case AUTH_CERTIFICATE:
        return read_certificate(id, f);
    case AUTH_WORKLOAD:
        id->file = input_variable("AZURE_FEDERATED_TOKEN_FILE");
        return id->file != NULL ? 0
                                : fault_set(f, REKEY_CREDENTIALS, REKEY_E_ASSERTION,
                                            "--auth workload needs AZURE_FEDERATED_TOKEN_FILE, "
                                            "which is not set");
    case AUTH_IMDS:
        id->managed.client_id = text_of(input_variable("AZURE_CLIENT_ID"));
        error = check_name("AZURE_CLIENT_ID", f);
        return error != 0 ? error : token_service_endpoint(&id->managed, id->cloud, false, f);
    default: // AUTH_ARC
        return token_service_endpoint(&id->managed, id->cloud, true, f);
    }
}

// Initializes the credential of the chosen kind. Returns 0 or the error of its init function.
static int make_credential(struct identity *id) {
    switch (id->auth) {
    case AUTH_SECRET:
        id->credential = &id->as.secret.base;
        return rekey_credential_secret_init(&id->as.secret, &id->entra,
                                            rekey_span(id->secret, id->secret_len));
    case AUTH_CERTIFICATE:
        id->credential = &id->as.certificate.base;
        return rekey_credential_certificate_init(&id->as.certificate, &id->entra,
                                                 rekey_client_certificate_signer(&id->certificate));
    case AUTH_WORKLOAD:
        id->as.workload.read = read_federated_token;
        id->as.workload.ctx = id;
        id->credential = &id->as.workload.base;
        return rekey_credential_workload_init(&id->as.workload, &id->entra);
    case AUTH_IMDS:
        id->credential = &id->as.imds.base;
        return rekey_credential_imds_init(&id->as.imds, &id->managed, id->asked == AUTH_DEFAULT);
    case AUTH_ARC:
        id->as.arc.read = read_arc_key;
        id->as.arc.ctx = id;
        id->credential = &id->as.arc.base;
        return rekey_credential_arc_init(&id->as.arc, &id->managed);
    default: // AUTH_TOKEN
        return 0;
    }
}

int identity_read(struct identity *id, struct fault *f) {
    int error = id->auth >= AUTH_SECRET && id->auth <= AUTH_WORKLOAD ? read_names(id, f) : 0;

    if (error == 0) {
        error = read_identity(id, f);
    }
    if (error != 0) {
        return error;
    }
    error = make_credential(id);
    return error == 0
               ? 0
               : fault_set(f, REKEY_CREDENTIALS, error, "--auth %s: %s%s", auth_names[id->auth],
                           rekey_error_text(error),
                           error == REKEY_E_IDENTITY ? " (AZURE_TENANT_ID, AZURE_CLIENT_ID)" : "");
}

// A pipe or a terminal gives its token once; a regular file may have a new one later.
static bool can_be_read_again(const char *file) {
    struct stat s;

    return file != NULL && strcmp(file, "-") != 0 && stat(file, &s) == 0 && S_ISREG(s.st_mode);
}

int identity_token(struct identity *id, char *buf, size_t cap, size_t *len, struct fault *f) {
    if (id->token_len == 0) {
        return secret_read_token(id->token_file, id->until, buf, cap, len, f);
    }
    *len = id->token_len;
    memcpy(buf, id->token, id->token_len);
    if (can_be_read_again(id->token_file)) { // then it is read again when a token is needed again
        rekey_zeroize(id->token, sizeof(id->token));
        id->token_len = 0;
    }
    return REKEY_DONE;
}

void identity_forget(struct identity *id) {
    rekey_zeroize(id->token, sizeof(id->token));
    rekey_zeroize(id->secret, sizeof(id->secret));
    if (id->pem_len > 0) { // otherwise its memory was never used
        rekey_zeroize(id->pem, sizeof(id->pem));
    }
}
