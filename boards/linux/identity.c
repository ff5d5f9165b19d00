// identity.c - see identity.h.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "output.h"
#include "secret_text.h"
#include "url.h"

#define ARC_AGENT "/opt/azcmagent/bin/himds"
#define TOKEN_PATH "/metadata/identity/oauth2/token"

const char *const auth_names[7] = {"", "token", "secret", "certificate", "workload", "imds", "arc"};

const struct cloud clouds[3] = {
    {"public", "management.azure.com", "login.microsoftonline.com",
     "https://management.azure.com/.default", "https://management.azure.com/"},
    {"usgov", "management.usgovcloudapi.net", "login.microsoftonline.us",
     "https://management.usgovcloudapi.net/.default", "https://management.usgovcloudapi.net/"},
    {"china", "management.chinacloudapi.cn", "login.chinacloudapi.cn",
     "https://management.chinacloudapi.cn/.default", "https://management.chinacloudapi.cn/"},
};

// A variable of the environment; NULL if it is not set, or empty.
static const char *variable(const char *name) {
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static struct rekey_span text_of(const char *text) {
    return rekey_span(text, text == NULL ? 0 : strlen(text));
}

// ---- where tokens come from ---------------------------------------------------------------------

static int bad_url(struct command *c, const char *name, const char *value, const char *rule) {
    char text[512];

    return refuse(c, REKEY_USAGE, REKEY_E_PLAIN, "%s '%s': %s", name,
                  visible(text_of(value), text, sizeof(text)), rule);
}

// https://HOST, https://HOST:PORT, or the host alone.
static int take_authority(struct command *c) {
    const char *name = "AZURE_AUTHORITY_HOST", *value = variable(name);
    struct identity *id = &c->identity;
    struct rekey_url url;

    if (value == NULL) {
        value = c->options.cloud->authority;
    }
    snprintf(id->authority, sizeof(id->authority), "%s%s",
             strstr(value, "://") == NULL ? "https://" : "", value);
    if (rekey_url_parse(text_of(id->authority), &url) != 0 || url.target.len > 1) {
        return bad_url(c, name, value, "https://HOST or https://HOST:PORT, and nothing else");
    }
    id->entra.authority = url.host;
    id->entra.port = url.port;
    id->entra.scope = text_of(c->options.cloud->scope);
    return 0;
}

// http://HOST[:PORT], with or without the path of tokens: this machine, or for IMDS
// 169.254.169.254.
static int take_endpoint(struct command *c, const char *name, const char *fallback) {
    const bool arc = c->identity.auth == AUTH_ARC;
    const char *value = variable(name), *rest, *end;
    struct rekey_managed *m = &c->identity.managed;
    uint32_t port = 0;

    value = value == NULL ? fallback : value;
    m->resource = text_of(c->options.cloud->resource);
    rest = strncmp(value, "http://", 7) == 0 ? value + 7 : "";
    end = rest + (rest[0] == '[' ? strcspn(rest, "]") : strcspn(rest, ":/"));
    m->host = rest[0] == '[' ? rekey_span(rest + 1, (size_t)(end - rest) - 1)
                             : rekey_span(rest, (size_t)(end - rest));
    end += *end == ']';
    if (*end == ':') {
        for (end++; rekey_is_digit(*end) && port <= 65535; end++) {
            port = port * 10 + (uint32_t)(*end - '0');
        }
    } else {
        port = 80;
    }
    m->port = (uint16_t)port;
    if (port == 0 || port > 65535 || !rekey_credential_plain_host(m->host) ||
        (arc && rekey_span_equal(m->host, REKEY_SPAN("169.254.169.254"))) ||
        (end[0] != '\0' && strcmp(end, "/") != 0 && strcmp(end, TOKEN_PATH) != 0)) {
        return bad_url(
            c, name, value,
            arc ? "http://HOST:PORT of this machine, and nothing else"
                : "http://HOST:PORT of this machine or 169.254.169.254, and nothing else");
    }
    return 0;
}

// ---- what proves the client ---------------------------------------------------------------------

// Where the secret is: the environment, --secret-file, systemd's directory of credentials.
static const char *secret_file(const struct command *c, char buf[256]) {
    const char *directory = variable("CREDENTIALS_DIRECTORY");

    if (c->options.secret_file != NULL) {
        return c->options.secret_file;
    }
    if (directory == NULL || snprintf(buf, 256, "%s/client-secret", directory) >= 256 ||
        access(buf, F_OK) != 0) {
        return NULL;
    }
    return buf;
}

static int take_secret(struct command *c) {
    struct identity *id = &c->identity;
    const char *file = secret_file(c, id->path), *fault;
    char text[256];
    bool given =
        take_environment("AZURE_CLIENT_SECRET", id->secret, sizeof(id->secret), &id->secret_len);

    if (file != NULL) {
        int error = read_secret(c, file, id->secret, sizeof(id->secret), &id->secret_len);

        if (error != 0) {
            return cannot_read(c, REKEY_CREDENTIALS, REKEY_E_SECRET, "client secret", file, error);
        }
    } else if (!given) {
        return refuse(c, REKEY_CREDENTIALS, REKEY_E_SECRET,
                      "no client secret: set AZURE_CLIENT_SECRET, or give --secret-file FILE");
    }
    if (id->secret_len > sizeof(id->secret)) {
        return refuse(c, REKEY_CREDENTIALS, REKEY_E_SECRET,
                      "%s: the client secret is too long: %zu bytes, the most is %zu",
                      file != NULL ? file : "AZURE_CLIENT_SECRET", id->secret_len,
                      sizeof(id->secret));
    }
    if (id->secret_len == 0) {
        return refuse(c, REKEY_CREDENTIALS, REKEY_E_SECRET, "client secret '%s': it is empty",
                      file);
    }
    fault = secret_text_fault(SECRET_TEXT_CLIENT, rekey_span(id->secret, id->secret_len), text,
                              sizeof(text));
    return fault == NULL ? 0
                         : refuse(c, REKEY_CREDENTIALS, REKEY_E_SECRET, "%s: the client secret %s",
                                  file != NULL ? file : "AZURE_CLIENT_SECRET", fault);
}

static int take_certificate(struct command *c) {
    struct identity *id = &c->identity;

    id->file = variable("AZURE_CLIENT_CERTIFICATE_PATH");
    if (id->file == NULL) {
        return refuse(c, REKEY_CREDENTIALS, REKEY_E_SIGN,
                      "no client certificate: set AZURE_CLIENT_CERTIFICATE_PATH to a PEM file with "
                      "the certificate and its RSA private key");
    }
    id->error = read_secret(c, id->file, id->pem, sizeof(id->pem), &id->pem_len);
    if (id->error == 0 && id->pem_len > sizeof(id->pem)) {
        id->error = EFBIG;
    }
    if (id->error != 0) {
        return cannot_read(c, REKEY_CREDENTIALS, REKEY_E_SIGN, "AZURE_CLIENT_CERTIFICATE_PATH",
                           id->file, id->error);
    }
    id->certificate.certificate = id->certificate.key = rekey_span(id->pem, id->pem_len);
    id->certificate.port = &c->port;
    return 0;
}

// Without the white space around it, which is no part of a federated token.
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
    struct command *c = ctx;
    struct identity *id = &c->identity;

    id->error = read_secret(c, id->file, buf, cap, len);
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

// Why a kind cannot be used here, in words; NULL if it can.
static const char *lacks(const struct command *c, enum auth auth) {
    static const char no_tenant[] = "AZURE_TENANT_ID is not set";
    static const char no_client[] = "AZURE_CLIENT_ID is not set";
    const char *id = variable("AZURE_TENANT_ID") == NULL   ? no_tenant
                     : variable("AZURE_CLIENT_ID") == NULL ? no_client
                                                           : NULL;
    bool arc = variable("IDENTITY_ENDPOINT") != NULL && variable("IMDS_ENDPOINT") != NULL;
    char path[256];

    switch (auth) {
    case AUTH_TOKEN:
        return c->options.token_file != NULL || variable("AZURE_ACCESS_TOKEN") != NULL
                   ? NULL
                   : "no --token-file, and AZURE_ACCESS_TOKEN is not set";
    case AUTH_SECRET:
        return variable("AZURE_CLIENT_SECRET") == NULL && secret_file(c, path) == NULL
                   ? "no client secret (AZURE_CLIENT_SECRET, --secret-file)"
                   : id;
    case AUTH_CERTIFICATE:
        return variable("AZURE_CLIENT_CERTIFICATE_PATH") == NULL
                   ? "AZURE_CLIENT_CERTIFICATE_PATH is not set"
                   : id;
    case AUTH_WORKLOAD:
        return variable("AZURE_FEDERATED_TOKEN_FILE") == NULL
                   ? "AZURE_FEDERATED_TOKEN_FILE is not set"
                   : id;
    case AUTH_ARC:
        if (variable("IDENTITY_ENDPOINT") != NULL && variable("IDENTITY_HEADER") != NULL) {
            return "IDENTITY_ENDPOINT with IDENTITY_HEADER is App Service, which is not supported";
        }
        return arc || access(ARC_AGENT, F_OK) == 0 ? NULL : "there is no agent " ARC_AGENT;
    default:
        return NULL;
    }
}

// Sets id->auth; says in id->why what speaks against those that come before it.
static void choose(struct command *c) {
    static const enum auth order[] = {AUTH_TOKEN,    AUTH_SECRET, AUTH_CERTIFICATE,
                                      AUTH_WORKLOAD, AUTH_ARC,    AUTH_IMDS};
    struct identity *id = &c->identity;
    size_t len = 0;

    id->auth = c->options.auth;
    if (id->auth == AUTH_DEFAULT && c->options.secret_file != NULL &&
        c->options.token_file == NULL) {
        id->auth = AUTH_SECRET; // what was given as an option counts before the environment
    }
    for (size_t i = 0; id->auth == AUTH_DEFAULT; i++) {
        const char *reason = lacks(c, order[i]);

        if (reason == NULL) {
            id->auth = order[i];
        } else if (len < sizeof(id->why)) {
            len += (size_t)snprintf(id->why + len, sizeof(id->why) - len, "; not %s: %s",
                                    auth_names[order[i]], reason);
        }
    }
    if (c->options.verbose) {
        say("auth: %s%s", auth_names[id->auth],
            c->options.auth != AUTH_DEFAULT ? ", as --auth says" : id->why);
    }
}

// A name that is not secret is shown with what is wrong with it. Returns 0 or an exit code.
static int check_name(struct command *c, const char *name) {
    struct rekey_span value = text_of(variable(name));
    char text[256], shown[512];
    const char *fault = control_fault(value, text, sizeof(text));

    for (size_t i = 0; i < value.len && fault == NULL; i++) {
        if (!rekey_is_alnum(value.ptr[i]) && !rekey_is_one_of(value.ptr[i], "-.")) {
            fault = "has a byte that is not a letter, a digit, '-' or '.'";
        }
    }
    return fault == NULL ? 0
                         : refuse(c, REKEY_CREDENTIALS, REKEY_E_IDENTITY, "%s '%s': it %s", name,
                                  visible(value, shown, sizeof(shown)), fault);
}

static int take_names(struct command *c) {
    struct identity *id = &c->identity;
    static const char *const names[] = {"AZURE_TENANT_ID", "AZURE_CLIENT_ID"};
    int code;

    for (size_t i = 0; i < 2; i++) {
        if (variable(names[i]) == NULL) {
            return refuse(c, REKEY_CREDENTIALS, REKEY_E_IDENTITY,
                          "--auth %s needs %s, which is "
                          "not set",
                          auth_names[id->auth], names[i]);
        }
        code = check_name(c, names[i]);
        if (code != 0) {
            return code;
        }
    }
    id->entra.tenant = text_of(variable(names[0]));
    id->entra.client_id = text_of(variable(names[1]));
    return take_authority(c);
}

// Reads what the chosen kind needs.
static int take_identity(struct command *c) {
    struct identity *id = &c->identity;
    int code;

    switch (id->auth) {
    case AUTH_TOKEN:
        return take_token(c);
    case AUTH_SECRET:
        return take_secret(c);
    case AUTH_CERTIFICATE:
        return take_certificate(c);
    case AUTH_WORKLOAD:
        id->file = variable("AZURE_FEDERATED_TOKEN_FILE");
        return id->file != NULL ? 0
                                : refuse(c, REKEY_CREDENTIALS, REKEY_E_ASSERTION,
                                         "--auth workload needs AZURE_FEDERATED_TOKEN_FILE, which "
                                         "is not set");
    case AUTH_IMDS:
        id->managed.client_id = text_of(variable("AZURE_CLIENT_ID"));
        code = check_name(c, "AZURE_CLIENT_ID");
        return code != 0 ? code : take_endpoint(c, "IMDS_ENDPOINT", "http://169.254.169.254");
    default: // AUTH_ARC
        if (c->options.verbose && variable("AZURE_CLIENT_ID") != NULL) {
            say("auth: AZURE_CLIENT_ID is not used: Azure Arc has the machine's own identity only");
        }
        return take_endpoint(c, "IDENTITY_ENDPOINT", "http://127.0.0.1:40342" TOKEN_PATH);
    }
}

// The credential of the chosen kind. Returns an error of its init function.
static int make_credential(struct command *c) {
    struct identity *id = &c->identity;

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
        id->as.workload.ctx = c;
        id->credential = &id->as.workload.base;
        return rekey_credential_workload_init(&id->as.workload, &id->entra);
    case AUTH_IMDS:
        id->credential = &id->as.imds.base;
        return rekey_credential_imds_init(&id->as.imds, &id->managed,
                                          c->options.auth == AUTH_DEFAULT);
    case AUTH_ARC:
        id->as.arc.read = read_arc_key;
        id->as.arc.ctx = id;
        id->credential = &id->as.arc.base;
        return rekey_credential_arc_init(&id->as.arc, &id->managed);
    default: // AUTH_TOKEN
        return 0;
    }
}

int choose_identity(struct command *c) {
    struct identity *id = &c->identity;
    int code = 0, error;

    choose(c);
    if (id->auth >= AUTH_SECRET && id->auth <= AUTH_WORKLOAD) {
        code = take_names(c);
    }
    if (code == 0) {
        code = take_identity(c);
    }
    if (code != 0) {
        return code;
    }
    error = make_credential(c);
    return error == 0
               ? 0
               : refuse(c, REKEY_CREDENTIALS, error, "--auth %s: %s%s", auth_names[id->auth],
                        rekey_error_text(error),
                        error == REKEY_E_IDENTITY ? " (AZURE_TENANT_ID, AZURE_CLIENT_ID)" : "");
}

int check_identity(struct command *c) {
    struct identity *id = &c->identity;
    const mbedtls_x509_time *end = &id->certificate.not_after;
    char text[512];
    int error;

    if (id->auth != AUTH_CERTIFICATE) {
        return 0;
    }
    error = rekey_client_certificate_check(&id->certificate);
    if (error != 0) {
        identity_explain(id, error, text, sizeof(text));
        return refuse(c, REKEY_CREDENTIALS, error, "%s: %s", rekey_error_text(error), text);
    }
    if (rekey_client_certificate_ends_within(&id->certificate, 30 * 86400)) {
        say("warning: the client certificate '%s' is valid until %04d-%02d-%02d", id->file,
            end->year, end->mon, end->day);
    }
    return 0;
}

// ---- what to tell -------------------------------------------------------------------------------

void identity_explain(const struct identity *id, int error, char *buf, size_t cap) {
    buf[0] = '\0';
    if (error == REKEY_E_SIGN && id->certificate.fault != NULL) {
        snprintf(buf, cap, "AZURE_CLIENT_CERTIFICATE_PATH '%s': %s", id->file,
                 id->certificate.fault);
    } else if ((error == REKEY_E_ASSERTION || error == REKEY_E_KEY_FILE) && id->file != NULL) {
        snprintf(buf, cap, "'%s': %s%s", id->file, id->fault != NULL ? "the token " : "",
                 id->fault != NULL        ? id->fault
                 : id->error == ETIMEDOUT ? "nothing more came within --timeout"
                 : id->error != 0         ? error_word(id->error)
                                          : "it holds something else");
    } else if (error == REKEY_E_LIMIT_CREDENTIAL && id->auth == AUTH_WORKLOAD) {
        snprintf(buf, cap, "'%s': ", id->file);
    }
}

const char *identity_remedy(const struct command *c, const struct rekey_report *report) {
    static const struct {
        const char *code, *remedy;
    } remedies[] = {
        {"AADSTS7000215", "the client secret is wrong: give the secret's value, not its id"},
        {"AADSTS7000222", "the client secret has expired: make a new one for the application"},
        {"AADSTS90002", "there is no such tenant: AZURE_TENANT_ID, or --cloud"},
        {"AADSTS700016", "the tenant has no such application: AZURE_CLIENT_ID, or AZURE_TENANT_ID"},
        {"AADSTS700024", "the assertion is outside its time: set the device's clock"},
        {"AADSTS700027", "the certificate is not registered for the application, or has ended"},
        {"AADSTS70021", "no federated credential of the application matches the federated token's "
                        "issuer, subject and audience"},
        {"AADSTS700213", "no federated credential of the application matches the federated "
                         "token's subject"},
    };
    const struct rekey_arm_error *e = report->service;
    struct rekey_span code = rekey_span(e->message.text, 0);

    switch (report->error) {
    case REKEY_E_KEY_FILE:
        return c->identity.error == EACCES ? "the user that runs rekey must be in the group himds"
                                           : NULL;
    case REKEY_E_ARC:
        return "give --auth arc; IMDS_ENDPOINT leads to that agent";
    case REKEY_E_NO_TOKEN:
        return c->identity.auth == AUTH_IMDS
                   ? "there is no managed identity here: give --token-file FILE, set "
                     "AZURE_ACCESS_TOKEN, or choose an identity with --auth"
                   : NULL;
    case REKEY_E_TOKEN_REFUSED:
        break;
    default:
        return NULL;
    }
    while (code.len < e->message.len && rekey_is_alnum(code.ptr[code.len])) {
        code.len++;
    }
    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
        if (rekey_span_equal(code, text_of(remedies[i].code))) {
            return remedies[i].remedy;
        }
    }
    return c->identity.auth == AUTH_IMDS && report->http_status == 400
               ? "this machine has no managed identity, or not the one of AZURE_CLIENT_ID: assign "
                 "it"
               : NULL;
}
