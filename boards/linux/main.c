// main.c - the command `rekey`: options, secrets, the run, and what a person or a script is told of
// it. The exit code is the outcome (azure.md 7). Everything is in static memory; nothing is on the
// heap.

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "endpoint.h"
#include "operation_file.h"
#include "options.h"
#include "output.h"
#include "pem_bundle.h"
#include "posix.h"
#include "rekey.h"
#include "secret.h"
#include "tls.h"

// Everything that lives as long as the process.
static struct {
    struct command_options options;
    struct rekey client;
    struct rekey_options client_options;
    struct rekey_port port;
    struct rekey_posix_tcp tcp;
    struct rekey_tls tls;
    struct rekey_pem_bundle bundle;
    struct rekey_keys keys;
    struct operation_file file;
    char token[REKEY_TOKEN_MAX]; // as it was given; kept because a repeated request needs it again
    size_t token_len;
    char path[REKEY_PATH_MAX + 1];
    char management[300]; // host or host:port
    uint64_t started;     // ms
    _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];
} g;

static volatile sig_atomic_t stop; // the signal that asked to

static void on_signal(int number) {
    stop = number;
}

// ---- what goes in
// --------------------------------------------------------------------------------

// The last line of every run.
static int finish(const char *outcome, int code) {
    say("outcome=%s exit=%d", outcome, code);
    return code;
}

// rekey_options.token: a file is read anew, everything else is what it was.
static int give_token(void *ctx, char *buf, size_t cap, size_t *len) {
    const char *file = g.options.token_file;
    int error;

    (void)ctx;
    if (file == NULL || strcmp(file, "-") == 0) {
        *len = g.token_len;
        memcpy(buf, g.token, g.token_len);
        return REKEY_DONE;
    }
    error = read_secret(file, buf, cap, len);
    if (error != 0) {
        say("error: --token-file '%s': %s", file, strerror(error));
        return REKEY_E_NO_TOKEN;
    }
    return *len > cap ? REKEY_E_LIMIT_TOKEN : REKEY_DONE;
}

// Reads the token, so that a bad one is refused before anything is sent. Returns 0 or an exit code.
static int take_token(void) {
    const char *file = g.options.token_file;
    const char *name = file != NULL ? "--token-file" : "AZURE_ACCESS_TOKEN";
    bool environment =
        take_environment("AZURE_ACCESS_TOKEN", g.token, sizeof(g.token), &g.token_len);
    int error;

    if (file != NULL) {
        error = read_secret(file, g.token, sizeof(g.token), &g.token_len);
        if (error != 0) {
            say("error: --token-file '%s': %s", file, strerror(error));
            return finish("credentials", REKEY_CREDENTIALS);
        }
    } else if (!environment) {
        say("error: no token: give --token-file FILE, or set AZURE_ACCESS_TOKEN");
        return finish("credentials", REKEY_CREDENTIALS);
    }
    if (g.token_len > sizeof(g.token)) {
        say("error: %s: the token has %zu bytes, REKEY_TOKEN_MAX is %d; build with "
            "CPPFLAGS=-DREKEY_TOKEN_MAX=%zu to raise it",
            name, g.token_len, REKEY_TOKEN_MAX, (g.token_len + 63) / 64 * 64);
        return finish("usage", REKEY_USAGE);
    }
    if (g.token_len == 0) {
        say("error: %s: the token is empty", name);
        return finish("credentials", REKEY_CREDENTIALS);
    }
    for (size_t i = 0; i < g.token_len; i++) {
        if (g.token[i] <= ' ' || g.token[i] > '~') {
            say("error: %s: byte %zu of the token is not visible ASCII (a bearer token has no "
                "spaces and no "
                "control characters)",
                name, i + 1);
            return finish("usage", REKEY_USAGE);
        }
    }
    return 0;
}

// Returns 0 or an exit code; *value is left without a pointer if none is given.
static int take_key_value(struct rekey_span *value, char *buf, size_t cap) {
    const char *file = g.options.key_value_file;
    size_t len;
    int error;

    if (file == NULL) {
        return 0;
    }
    error = read_secret(file, buf, cap, &len);
    if (error != 0) {
        say("error: --key-value-file '%s': %s", file, strerror(error));
    } else if (len == 0) {
        say("error: --key-value-file '%s': the key value is empty", file);
    } else if (len > cap) {
        say("error: --key-value-file: the key value has %zu bytes, REKEY_KEY_VALUE_MAX is %d; "
            "build with "
            "CPPFLAGS=-DREKEY_KEY_VALUE_MAX=%zu to raise it",
            len, REKEY_KEY_VALUE_MAX, len);
    } else {
        *value = rekey_span(buf, len);
        return 0;
    }
    return finish("usage", REKEY_USAGE);
}

// Finds the trust anchors. Returns 0 or an exit code.
static int find_anchors(struct rekey_anchors *anchors) {
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, OpenWrt
        "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem", // Alpine
        "/etc/ssl/ca-bundle.pem",
    };
    char tried[512] = "";
    size_t len = 0;

    if (g.options.ca_file != NULL) {
        *anchors = rekey_pem_bundle(&g.bundle, g.options.ca_file);
        errno = 0;
        if (rekey_pem_bundle_usable(&g.bundle)) {
            return 0;
        }
        say("error: no trust anchors: '%s': %s", g.options.ca_file,
            errno != 0 ? strerror(errno) : "no certificate in PEM in it");
        return finish("not-trusted", REKEY_NOT_TRUSTED);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        *anchors = rekey_pem_bundle(&g.bundle, places[i]);
        if (rekey_pem_bundle_usable(&g.bundle)) {
            return 0;
        }
        len += (size_t)snprintf(tried + len, sizeof(tried) - len, " %s", places[i]);
    }
    say("error: no trust anchors: give --ca-file FILE or set SSL_CERT_FILE; tried%s", tried);
    return finish("not-trusted", REKEY_NOT_TRUSTED);
}

// ---- what comes out
// ------------------------------------------------------------------------------

static const char *outcome_word(enum rekey_outcome outcome) {
    switch (outcome) {
    case REKEY_SUCCEEDED:
        return "succeeded";
    case REKEY_REFUSED:
        return "refused";
    case REKEY_FAILED:
        return "failed";
    case REKEY_USAGE:
        return "usage";
    case REKEY_NOT_REACHED:
        return "not-reached";
    case REKEY_NOT_TRUSTED:
        return "not-trusted";
    case REKEY_UNKNOWN:
        return "unknown";
    case REKEY_RUNNING:
        return "running";
    case REKEY_CREDENTIALS:
        return "credentials";
    default:
        return "local";
    }
}

// What the user does next.
static const char *hint(enum rekey_outcome outcome) {
    switch (outcome) {
    case REKEY_NOT_REACHED:
        return "nothing was changed: run it again, safely";
    case REKEY_NOT_TRUSTED:
        return "nothing was sent: mend the trust anchors (--ca-file), the name, or the clock";
    case REKEY_UNKNOWN:
        return "the key may have changed: compare with `rekey list-keys`, then decide";
    case REKEY_RUNNING:
        return g.file.written
                   ? "accepted, and running as far as is known: `rekey wait` goes on with it"
                   : "accepted, and running as far as is known, but not saved: only "
                     "--operation-file lets `rekey wait` go on";
    case REKEY_CREDENTIALS:
        return "nothing was executed: get a new token";
    default:
        return NULL;
    }
}

static const char *field_text(const char *text, size_t len, char *buf, size_t cap) {
    return visible(rekey_span(text, len), buf, cap);
}

// The details that an error's text does not have.
static void explain(const struct rekey_report *report, int error, char *buf, size_t cap) {
    char host[4 * REKEY_TARGET_MAX];
    unsigned long limit = rekey_error_limit(error);

    buf[0] = '\0';
    if (limit != 0 && report->needed != 0) {
        snprintf(buf, cap, "needed %lu, there are %lu; build with CPPFLAGS=-D... to raise it",
                 (unsigned long)report->needed, limit);
    } else if (limit != 0) {
        snprintf(buf, cap,
                 "needed more than the %lu there are; build with CPPFLAGS=-D... to raise it",
                 limit);
    } else if (report->subject.len > 0 &&
               (error == REKEY_E_REDIRECT ||
                (error <= REKEY_E_URL_SCHEME && error >= REKEY_E_URL_FOREIGN))) {
        snprintf(buf, cap, "%s",
                 field_text(report->subject.ptr, report->subject.len, host, sizeof(host)));
    } else if ((error == REKEY_E_CONNECT || error == REKEY_E_IO ||
                error == REKEY_E_CONNECT_TIMEOUT) &&
               g.tcp.error != 0) {
        snprintf(buf, cap, "%s", strerror(g.tcp.error));
    } else if (error == REKEY_E_SAVE) {
        snprintf(buf, cap, "'%s': %s", g.options.operation_file,
                 g.file.error == EEXIST
                     ? "it exists already: finish it with `rekey wait`, or remove it"
                     : strerror(g.file.error));
    } else {
        rekey_tls_explain(&g.tls, error, buf, cap);
    }
}

static void say_error(const struct rekey_report *report) {
    const struct rekey_arm_error *e = report->service;
    char text[1024], code[4 * REKEY_CODE_MAX], detail[4 * REKEY_CODE_MAX],
        message[4 * REKEY_MESSAGE_MAX];
    char target[4 * REKEY_TARGET_MAX], safe[1024], id[168], correlation[168];

    explain(report, report->error, text, sizeof(text));
    visible(rekey_span(text, strlen(text)), safe, sizeof(safe));
    say("error: %s%s%s (%s)", rekey_error_text(report->error), safe[0] != '\0' ? ": " : "", safe,
        g.management);
    if (report->cause != 0 && report->cause != report->error) {
        explain(report, report->cause, text, sizeof(text));
        visible(rekey_span(text, strlen(text)), safe, sizeof(safe));
        say("error: before that: %s%s%s", rekey_error_text(report->cause),
            safe[0] != '\0' ? ": " : "", safe);
    }
    if (report->http_status >= 300 || e->code.len > 0) {
        say("error: the service said: HTTP %u %s%s%s%s%s%s%s%s", report->http_status,
            field_text(e->code.text, e->code.len, code, sizeof(code)),
            e->detail.len > 0 ? " / " : "",
            field_text(e->detail.text, e->detail.len, detail, sizeof(detail)),
            e->message.len > 0 ? ": " : "",
            field_text(e->message.text, e->message.len, message, sizeof(message)),
            e->message.cut ? "..." : "", e->target.len > 0 ? " target " : "",
            field_text(e->target.text, e->target.len, target, sizeof(target)));
    }
    if (report->client_request_id[0] != '\0' && report->http_status != 0) {
        say("error: x-ms-client-request-id %s x-ms-request-id %s x-ms-correlation-request-id %s",
            report->client_request_id,
            field_text(report->request_id, strlen(report->request_id), id, sizeof(id)),
            field_text(report->correlation_id, strlen(report->correlation_id), correlation,
                       sizeof(correlation)));
    }
}

static struct rekey_span text_or_null(const char *text) {
    return rekey_span(text[0] != '\0' ? text : NULL, strlen(text));
}

// The one object of --output json.
static void put_json(const struct rekey_report *report, enum rekey_outcome outcome) {
    const struct rekey_arm_error *e = report->service;
    struct rekey_span key_type = g.file.key_type;
    bool unfinished = report->kind != REKEY_POLL_NONE &&
                      (report->outcome == REKEY_RUNNING || report->outcome == REKEY_UNKNOWN);
    const char *word = outcome_word(outcome);
    char text[1024];

    out("{\"outcome\":");
    out_json(rekey_span(word, strlen(word)));
    out(",\"status\":");
    out_json(text_or_null(report->status));
    out(",\"keyType\":");
    out_json(key_type.len > 0 ? key_type : rekey_span(NULL, 0));
    out(",\"error\":");
    if (report->error == 0) {
        out("null");
    } else if (e->code.len > 0 || e->message.len > 0) {
        out("{\"code\":");
        out_json(rekey_span(e->code.len > 0 ? e->code.text : NULL, e->code.len));
        out(",\"message\":");
        out_json(rekey_span(e->message.len > 0 ? e->message.text : NULL, e->message.len));
        out(",\"target\":");
        out_json(rekey_span(e->target.len > 0 ? e->target.text : NULL, e->target.len));
        out("}");
    } else {
        const char *name = rekey_error_name(report->error);
        size_t len = (size_t)snprintf(text, sizeof(text), "%s", rekey_error_text(report->error));

        explain(report, report->error, text + len + 2, sizeof(text) - len - 2);
        if (text[len + 2] != '\0') {
            memcpy(text + len, ": ", 2);
        }
        out("{\"code\":");
        out_json(rekey_span(name, strlen(name)));
        out(",\"message\":");
        out_json(rekey_span(text, strlen(text)));
        out(",\"target\":");
        out_json(
            rekey_span(report->subject.len > 0 ? report->subject.ptr : NULL, report->subject.len));
        out("}");
    }
    out(",\"httpStatus\":");
    if (report->http_status != 0) {
        out("%u", report->http_status);
    } else {
        out("null");
    }
    out(",\"requestId\":");
    out_json(text_or_null(report->request_id));
    out(",\"correlationId\":");
    out_json(text_or_null(report->correlation_id));
    out(",\"polls\":%lu,\"elapsedMs\":%llu", (unsigned long)report->polls,
        (unsigned long long)(rekey_posix_now_ms(NULL) - g.started));
    if (unfinished) {
        const char *kind = poll_kind_name(report->kind);

        out(",\"operationUrl\":");
        out_json(report->url);
        out(",\"operationKind\":");
        out_json(rekey_span(kind, strlen(kind)));
    }
    out("}\n");
}

static void put_key(const char *name, const struct rekey_key_value *key, bool masked) {
    struct rekey_span value = rekey_span(key->null ? NULL : key->value, key->len);

    if (masked && !key->null) {
        value = REKEY_SPAN("********"); // a terminal, without --show
    }
    if (g.options.json) {
        out("\"%s\":", name);
        out_json(value);
    } else {
        if (g.options.key == 0) {
            out("%s: ", name);
        }
        out_span(key->null ? REKEY_SPAN("null") : value);
        out("\n");
    }
}

// What list-keys prints. False if the one key that was asked for is null: a script must not take
// the word for a key.
static bool put_keys(void) {
    bool masked = isatty(STDOUT_FILENO) == 1 && !g.options.show;
    bool primary = g.options.key != REKEY_KEY_SECONDARY;
    bool secondary = g.options.key != REKEY_KEY_PRIMARY;

    if (!g.options.json && g.options.key != 0 &&
        (primary ? g.keys.primary.null : g.keys.secondary.null)) {
        say("error: the %s key is null: the service has none", primary ? "primary" : "secondary");
        return false;
    }
    out("%s", g.options.json ? "{" : "");
    if (primary) {
        put_key("primaryKey", &g.keys.primary, masked);
    }
    out("%s", g.options.json && g.options.key == 0 ? "," : "");
    if (secondary) {
        put_key("secondaryKey", &g.keys.secondary, masked);
    }
    out("%s", g.options.json ? "}\n" : "");
    if (masked) {
        say("keys are masked on a terminal; --show prints them");
    }
    rekey_zeroize(&g.keys, sizeof(g.keys));
    return true;
}

// ---- the run
// -------------------------------------------------------------------------------------

// -v: each request and each answer; the progress line: each change of status, and each wait.
static void tell(const struct rekey_report *now, const struct rekey_report *before) {
    char text[256];

    if (g.options.verbose && now->requests != before->requests) {
        if (now->kind == REKEY_POLL_NONE) {
            say("> POST https://%s%s", g.management, g.path);
        } else {
            const char *query = memchr(now->url.ptr, '?', now->url.len);
            size_t len = query == NULL ? now->url.len : (size_t)(query - now->url.ptr);

            say("> GET %.*s", (int)len, now->url.ptr);
        }
    }
    if (g.options.verbose && now->answers != before->answers) {
        say("< %u x-ms-request-id %s", now->http_status,
            field_text(now->request_id, strlen(now->request_id), text, sizeof(text)));
    }
    if (g.options.quiet || now->kind == REKEY_POLL_NONE) {
        return;
    }
    if (now->waiting && (!before->waiting || now->answers != before->answers)) {
        const char *status = now->status[0] != '\0' ? now->status : "Accepted";
        bool changed = strcmp(now->status, before->status) != 0 ||
                       now->percent != before->percent || before->kind == REKEY_POLL_NONE;

        if (on_terminal() || changed || g.options.verbose) {
            char percent[16] = "";

            if (now->percent >= 0) {
                snprintf(percent, sizeof(percent), " %d %%", now->percent);
            }
            progress("%s%s, next poll in %lu.%lu s", status, percent,
                     (unsigned long)now->wait_ms / 1000, (unsigned long)now->wait_ms / 100 % 10);
        }
    }
}

static void run(struct rekey_report *report) {
    struct rekey_report before;
    char status[32] = ""; // the report's own points into the client

    rekey_report(&g.client, report);
    for (int result = REKEY_AGAIN; result > 0;) {
        before = *report;
        memcpy(status, report->status, sizeof(status));
        before.status = status;
        result = rekey_step(&g.client);
        rekey_report(&g.client, report);
        tell(report, &before);
        if (stop != 0 || (g.options.no_wait && report->kind != REKEY_POLL_NONE)) {
            rekey_abort(&g.client);
            break;
        }
        if (result > 0 && result != REKEY_AGAIN) {
            rekey_posix_wait(&g.tcp, result, rekey_wait_ms(&g.client));
        }
    }
    rekey_report(&g.client, report);
}

// Removes the operation file where it has no more to tell: whenever it is certain that the
// operation has ended, or that nothing was executed.
static bool settle_file(enum rekey_outcome outcome) {
    if (outcome == REKEY_UNKNOWN || outcome == REKEY_RUNNING || operation_file_remove(&g.file)) {
        return true;
    }
    say("error: '%s' could not be removed: %s", g.file.path, strerror(g.file.error));
    return false;
}

// A shell word: in single quotes where it has to be.
static void say_wait_line(void) {
    if (!g.file.written) {
        say("not saved: without --operation-file nothing can resume it");
        return;
    }
    say("to go on: rekey wait --operation-file '%s' --management-url https://%s%s%s%s",
        g.options.operation_file, g.management, g.options.ca_file != NULL ? " --ca-file '" : "",
        g.options.ca_file != NULL ? g.options.ca_file : "", g.options.ca_file != NULL ? "'" : "");
}

// Tells everything, and makes the exit code of it.
static int conclude(const struct rekey_report *report) {
    enum rekey_outcome outcome = report->outcome;
    bool chosen = g.options.no_wait && outcome == REKEY_RUNNING && stop == 0;
    bool said = true;

    if (outcome != REKEY_SUCCEEDED && !chosen) {
        say_error(report);
        if (hint(outcome) != NULL) {
            say("%s", hint(outcome));
        }
    } else if (!g.options.quiet && g.options.command != COMMAND_LIST_KEYS && !chosen) {
        say("%s: the %.*s key was regenerated",
            report->status[0] != '\0' ? report->status : "Succeeded", (int)g.file.key_type.len,
            g.file.key_type.ptr);
    }
    if (outcome == REKEY_RUNNING && g.options.command == COMMAND_REGENERATE) {
        say_wait_line();
    }
    if (report->save_failed) {
        say("error: the polling URL could not be saved: '%s': %s", g.file.path,
            strerror(g.file.error));
    }
    if (g.options.verbose) {
        say("memory: arena peak %zu of %d bytes, struct rekey %zu bytes",
            rekey_tls_arena_peak(&g.tls), REKEY_ARENA_SIZE, sizeof(struct rekey));
    }
    if (!settle_file(outcome) && outcome == REKEY_SUCCEEDED) {
        outcome = REKEY_LOCAL;
    }
    if (g.options.command == COMMAND_LIST_KEYS) {
        if (outcome == REKEY_SUCCEEDED && !put_keys()) {
            outcome = REKEY_REFUSED;
        }
    } else if (g.options.json) {
        put_json(report, outcome);
    }
    said = out_flush();
    if (!said) {
        say("error: standard output could not be written; the service's word: %s",
            outcome_word(report->outcome));
        if (outcome != REKEY_UNKNOWN && outcome != REKEY_RUNNING) {
            outcome = REKEY_LOCAL; // those two say what matters more
        }
    }
    return finish(outcome_word(outcome), outcome == REKEY_FAILED ? REKEY_REFUSED : (int)outcome);
}

// Starts the operation that the command asks for. Returns 0 or an exit code; an error of the core
// is in the report.
static int start_regenerate(void) {
    static char value_buffer[REKEY_KEY_VALUE_MAX];
    struct rekey_span value = {NULL, 0};
    int code = take_key_value(&value, value_buffer, sizeof(value_buffer));

    if (code != 0) {
        return code;
    }
    if (g.options.operation_file != NULL) {
        if (access(g.options.operation_file, F_OK) == 0 || errno != ENOENT) {
            say("error: --operation-file '%s': %s", g.options.operation_file,
                errno == ENOENT || access(g.options.operation_file, F_OK) == 0
                    ? "it exists already: finish it with `rekey wait`, or remove it"
                    : strerror(errno));
            return finish("usage", REKEY_USAGE);
        }
        g.client_options.save = operation_file_save;
        g.client_options.save_ctx = &g.file;
        g.file.path = g.options.operation_file;
        g.file.time = rekey_posix_wall_s(NULL);
    }
    code = rekey_regenerate(&g.client, &g.options.endpoint, g.options.key, value);
    rekey_zeroize(value_buffer, sizeof(value_buffer));
    if (code == REKEY_E_KEY_VALUE) {
        say("error: --key-value-file: %s", rekey_error_text(code));
        return finish("usage", REKEY_USAGE);
    }
    return 0;
}

static int start_wait(void) {
    switch (operation_file_read(&g.file, g.options.operation_file)) {
    case OPERATION_FILE_OK:
        g.client_options.save = operation_file_save;
        g.client_options.save_ctx = &g.file;
        break;
    case OPERATION_FILE_UNREADABLE:
        say("error: --operation-file '%s': %s", g.file.path, strerror(g.file.error));
        return g.file.error == ENOENT ? finish("usage", REKEY_USAGE) : finish("local", REKEY_LOCAL);
    case OPERATION_FILE_FORMAT:
        say("error: --operation-file '%s': its format is of another version of rekey", g.file.path);
        return finish("local", REKEY_LOCAL);
    default:
        say("error: --operation-file '%s': it is damaged", g.file.path);
        say("%s", hint(REKEY_UNKNOWN));
        return finish("unknown", REKEY_UNKNOWN);
    }
    rekey_resume(&g.client, &g.file.record);
    return 0;
}

static int start(void) {
    if (g.options.command == COMMAND_WAIT) {
        return start_wait();
    }
    if (g.options.command == COMMAND_LIST_KEYS) {
        rekey_list_keys(&g.client, &g.options.endpoint, &g.keys);
        return 0;
    }
    return start_regenerate();
}

// The port: TLS over TCP over this machine, and its clocks.
static void connect_ports(struct rekey_anchors anchors, const sigset_t *unblocked) {
    const struct command_options *o = &g.options;
    bool ipv6 = memchr(o->host.ptr, ':', o->host.len) != NULL;
    int len = snprintf(g.management, sizeof(g.management), ipv6 ? "[%.*s]" : "%.*s",
                       (int)o->host.len, o->host.ptr);

    if (o->port != 443) {
        snprintf(g.management + len, sizeof(g.management) - (size_t)len, ":%u", o->port);
    }
    g.file.management = rekey_span(g.management, strlen(g.management));
    if (o->command != COMMAND_WAIT) {
        const struct rekey_span action =
            o->command == COMMAND_LIST_KEYS ? REKEY_SPAN("listKeys") : REKEY_SPAN("regenerateKeys");
        size_t n = rekey_endpoint_path(&o->endpoint, action, g.path);

        g.path[n] = '\0';
        g.file.endpoint = rekey_span(g.path, n);
        g.file.key_type =
            o->key == REKEY_KEY_PRIMARY ? REKEY_SPAN("Primary") : REKEY_SPAN("Secondary");
    }
    g.tcp = (struct rekey_posix_tcp)REKEY_POSIX_TCP_INIT;
    g.tcp.unblocked = unblocked;
    g.port = (struct rekey_port){.tls = rekey_tls_transport(&g.tls),
                                 .now_ms = rekey_posix_now_ms,
                                 .wall_s = rekey_posix_wall_s,
                                 .entropy = rekey_posix_entropy};
    rekey_tls_init(&g.tls, rekey_posix_transport(&g.tcp), &g.port, anchors, g.arena,
                   sizeof(g.arena));
    g.client_options = (struct rekey_options)REKEY_OPTIONS_INIT;
    g.client_options.host = o->host;
    g.client_options.port = o->port;
    g.client_options.board = REKEY_SPAN(REKEY_BOARD);
    g.client_options.token = give_token;
    g.client_options.timeout_ms = o->timeout_ms;
    g.client_options.connect_timeout_ms = o->connect_timeout_ms;
    g.client_options.idle_timeout_ms = o->idle_timeout_ms;
    g.client_options.poll_interval_ms = o->poll_interval_ms;
    g.client_options.retry_unsafe = o->retry_unsafe;
}

// Signals come only while rekey_posix_wait sleeps, so that none is missed between a look and a
// sleep.
static void catch_signals(sigset_t *unblocked) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&blocked, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, unblocked);
}

int main(int argc, char **argv) {
    const struct rlimit none = {0, 0};
    struct rekey_anchors anchors;
    struct rekey_report report;
    sigset_t unblocked;
    int code = 0;

    open_standard_descriptors();
    setrlimit(RLIMIT_CORE, &none); // a core dump would hold the token
    prctl(PR_SET_DUMPABLE, 0);
    if (!parse_options(&g.options, argc, argv, &code)) {
        return code;
    }
    code = take_token();
    if (code == 0) {
        code = find_anchors(&anchors);
    }
    if (code == 0) {
        g.started = rekey_posix_now_ms(NULL);
        catch_signals(&unblocked);
        connect_ports(anchors, &unblocked);
        code = rekey_init(&g.client, &g.port, &g.client_options) == 0
                   ? start()
                   : finish("local", REKEY_LOCAL);
    }
    if (code == 0) {
        run(&report);
        code = conclude(&report);
        rekey_tls_free(&g.tls);
    }
    rekey_zeroize(g.token, sizeof(g.token));
    return code;
}
