// report.c - what a person is told on standard error, and a script on standard output.
// Text that came from the server is printed with control characters made visible, and no secret is
// printed at all, but for the keys that list-keys was asked for.

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "arena.h"
#include "command.h"
#include "output.h"

const char *outcome_word(enum rekey_outcome outcome) {
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

// The last line of every run. Returns the exit code.
static int last_line(enum rekey_outcome outcome) {
    int code = outcome == REKEY_FAILED ? REKEY_REFUSED : (int)outcome;

    say("outcome=%s exit=%d", outcome_word(outcome), code);
    return code;
}

const char *not_reached_hint(int error) {
    int group = -error / 100;

    if (error == REKEY_E_PROXY) {
        return "nothing was changed: correct the proxy's address or credentials, then run it again";
    }
    // An answer to something that was merely read, and that is not the service's: not HTTP, or not
    // the JSON that it should be.
    return group == 4 || group == 5
               ? "nothing was changed; what answered was not understood: is a captive portal or a "
                 "proxy between this device and the service? If not, run it again, safely"
               : "nothing was changed: run it again, safely";
}

// What the user does next.
static const char *hint(const struct command *c, enum rekey_outcome outcome, int error) {
    switch (outcome) {
    case REKEY_NOT_REACHED:
        return not_reached_hint(error);
    case REKEY_NOT_TRUSTED:
        return "nothing was sent: fix the trust anchors (--ca-file), the name, or the clock";
    case REKEY_UNKNOWN:
        return "the key may have changed: compare with `rekey list-keys`, then decide";
    case REKEY_RUNNING:
        return c->file.written
                   ? "accepted, and running as far as is known: `rekey wait` goes on with it"
                   : "accepted, and running as far as is known, but not saved: only "
                     "--operation-file lets `rekey wait` go on";
    case REKEY_CREDENTIALS:
        return c->options.command == COMMAND_TOKEN ? NULL
                                                   : "nothing was executed: mend the identity";
    default:
        return NULL;
    }
}

// The details that an error's text does not have, as one line of visible text.
static const char *explain(const struct command *c, const struct rekey_report *report, int error,
                           char *buf, size_t cap) {
    char text[1024] = "";
    const char *macro;
    unsigned long limit = rekey_error_limit(error, &macro);
    unsigned long needed = report->needed != 0 ? report->needed : limit + 1;
    bool url = error <= REKEY_E_URL_SCHEME && error >= REKEY_E_URL_FOREIGN;

    if (limit != 0) {
        size_t len;

        identity_explain(&c->identity, error, text, sizeof(text));
        len = strlen(text);
        snprintf(text + len, sizeof(text) - len,
                 "%s%lu needed, there are %lu; `make LIMITS=%s=%lu` raises it",
                 report->needed != 0 ? "" : "at least ", needed, limit, macro,
                 (needed + 63) / 64 * 64);
    } else if (error == REKEY_E_LIMIT_ARENA) {
        snprintf(text, sizeof(text), "there are %d; `make LIMITS=REKEY_ARENA_SIZE=%d` raises it",
                 REKEY_ARENA_SIZE, REKEY_ARENA_SIZE + 16384);
    } else if (report->subject.len > 0 && (url || error == REKEY_E_REDIRECT)) {
        return visible(report->subject, buf, cap);
    } else if (proxy_explain(c, report->host, error, text, sizeof(text))) {
        return visible(rekey_span(text, strlen(text)), buf, cap);
    } else if ((error == REKEY_E_CONNECT || error == REKEY_E_IO || error == REKEY_E_LOOKUP ||
                error == REKEY_E_CONNECT_TIMEOUT) &&
               c->tcp.error != 0) {
        snprintf(text, sizeof(text), "%s", error_word(c->tcp.error));
    } else if (error == REKEY_E_SAVE) {
        snprintf(text, sizeof(text), "'%s': %s", c->file.path,
                 file_error(c->file.what, c->file.error));
    } else if (error == REKEY_E_NO_TOKEN && c->identity.why[0] != '\0') {
        snprintf(text, sizeof(text), "%s", c->identity.why + 2);
    } else {
        rekey_tls_explain(&c->tls, error, text, sizeof(text));
        if (error == REKEY_E_STORE && c->state.fault != NULL) {
            snprintf(text, sizeof(text), "'%s/%s': %s", c->state.directory, c->state.fault,
                     c->state.why != NULL ? c->state.why
                                          : file_error(c->state.what, c->state.error));
        }
        if (text[0] == '\0') {
            identity_explain(&c->identity, error, text, sizeof(text));
        }
    }
    return visible(rekey_span(text, strlen(text)), buf, cap);
}

// What the service, or who gives tokens, said.
static void say_answer(const struct rekey_report *report, bool token) {
    const struct rekey_arm_error *e = report->service;
    char code[4 * REKEY_CODE_MAX], inner[4 * REKEY_CODE_MAX], message[4 * REKEY_MESSAGE_MAX];
    char target[4 * REKEY_TARGET_MAX], id[168], correlation[168];

    visible(rekey_span(report->request_id, strlen(report->request_id)), id, sizeof(id));
    visible(rekey_span(report->correlation_id, strlen(report->correlation_id)), correlation,
            sizeof(correlation));
    if (report->http_status >= 300 || e->code.len > 0) {
        say("error: the service said: HTTP %u%s%s%s%s%s%s%s%s%s", report->http_status,
            e->code.len > 0 ? " " : "",
            visible(rekey_span(e->code.text, e->code.len), code, sizeof(code)),
            e->detail.len > 0 ? " / " : "",
            visible(rekey_span(e->detail.text, e->detail.len), inner, sizeof(inner)),
            e->message.len > 0 ? ": " : "",
            visible(rekey_span(e->message.text, e->message.len), message, sizeof(message)),
            e->message.cut ? "..." : "", e->target.len > 0 ? "; target " : "",
            visible(rekey_span(e->target.text, e->target.len), target, sizeof(target)));
    }
    if (token && (id[0] != '\0' || correlation[0] != '\0')) {
        say("error: trace id %s correlation id %s", id, correlation);
    } else if (!token && report->http_status != 0) {
        say("error: x-ms-client-request-id %s x-ms-request-id %s x-ms-correlation-request-id %s",
            report->client_request_id, id, correlation);
    }
}

void say_error(const struct command *c, const struct rekey_report *report) {
    char details[1024];
    int error = report->error;
    // Whoever gives tokens was spoken to last, if not the management host.
    bool token = report->host.ptr != c->options.host.ptr;
    const char *remedy = identity_remedy(c, report);

    for (const char *before = ""; error != 0; before = "before that: ") {
        explain(c, report, error, details, sizeof(details));
        say("error: %s%s%s%s (%.*s)", before, rekey_error_text(error),
            details[0] != '\0' ? ": " : "", details,
            token ? (int)report->host.len : (int)strlen(c->management),
            token ? report->host.ptr : c->management);
        error = error != report->cause ? report->cause : 0;
    }
    say_answer(report, token);
    if (remedy != NULL) {
        say("%s", remedy);
    }
}

// ---- standard output ----------------------------------------------------------------------------

// A member of the object: a string, or null if there is none.
static void put_member(const char *name, struct rekey_span value) {
    out(",\"%s\":", name);
    out_json(value.len > 0 ? value : rekey_span(NULL, 0));
}

static void put_text(const char *name, const char *value) {
    put_member(name, rekey_span(value, strlen(value)));
}

// The member `error`: the service's own, or ours with `message`.
static void put_error(const struct rekey_report *report, const char *message) {
    const struct rekey_arm_error *e = report->service;

    if (report->error == 0) {
        out(",\"error\":null");
        return;
    }
    out(",\"error\":{\"code\":");
    if (e->code.len > 0 || e->message.len > 0) {
        out_json(rekey_span(e->code.len > 0 ? e->code.text : NULL, e->code.len));
        put_member("message", rekey_span(e->message.text, e->message.len));
        put_member("target", rekey_span(e->target.text, e->target.len));
    } else {
        const char *name = rekey_error_name(report->error);

        out_json(rekey_span(name, strlen(name)));
        put_text("message", message);
        put_member("target", report->subject);
    }
    out("}");
}

// The one object of --output json.
static void put_json(const struct command *c, const struct rekey_report *report,
                     enum rekey_outcome outcome, const char *message) {
    const char *word = outcome_word(outcome);

    out("{\"outcome\":");
    out_json(rekey_span(word, strlen(word)));
    put_text("status", report->status);
    put_member("keyType", c->file.key_type);
    put_error(report, message);
    out(",\"httpStatus\":");
    if (report->http_status != 0) {
        out("%u", report->http_status);
    } else {
        out("null");
    }
    put_text("requestId", report->request_id);
    put_text("correlationId", report->correlation_id);
    out(",\"polls\":%lu,\"elapsedMs\":%llu", (unsigned long)report->polls,
        (unsigned long long)(rekey_posix_now_ms(NULL) - c->started));
    if (report->kind != REKEY_POLL_NONE &&
        (report->outcome == REKEY_RUNNING || report->outcome == REKEY_UNKNOWN)) {
        put_member("operationUrl", report->url);
        put_text("operationKind", poll_kind_name(report->kind));
    }
    out("}\n");
}

static void put_key(const struct command *c, const char *name, const struct rekey_key_value *key,
                    bool masked) {
    struct rekey_span value = rekey_span(key->null ? NULL : key->value, key->len);
    char text[4 * REKEY_KEY_VALUE_MAX + 1];

    if (masked && !key->null) {
        value = REKEY_SPAN("********");
    }
    if (c->options.json) {
        out("\"%s\":", name);
        out_json(value);
        return;
    }
    if (c->options.key == 0) {
        out("%s: ", name);
    }
    if (isatty(STDOUT_FILENO) == 1) { // a key cannot draw on the terminal
        visible(value, text, sizeof(text));
        value = rekey_span(text, strlen(text));
    }
    out_span(key->null ? REKEY_SPAN("null") : value);
    out("\n");
    rekey_zeroize(text, sizeof(text));
}

// What list-keys prints. False if the one key that was asked for is null: a script must not take
// the word for a key.
static bool put_keys(struct command *c) {
    bool masked = isatty(STDOUT_FILENO) == 1 && !c->options.show;
    bool primary = c->options.key != REKEY_KEY_SECONDARY;
    bool secondary = c->options.key != REKEY_KEY_PRIMARY;

    if (!c->options.json && c->options.key != 0 &&
        (primary ? c->keys.primary.len : c->keys.secondary.len) == 0) {
        say("error: the %s key is null, or empty: the service has none",
            primary ? "primary" : "secondary");
        return false;
    }
    out("%s", c->options.json ? "{" : "");
    if (primary) {
        put_key(c, "primaryKey", &c->keys.primary, masked);
    }
    out("%s", c->options.json && c->options.key == 0 ? "," : "");
    if (secondary) {
        put_key(c, "secondaryKey", &c->keys.secondary, masked);
    }
    out("%s", c->options.json ? "}\n" : "");
    if (masked) {
        say("keys are masked on a terminal; --show prints them");
    }
    rekey_zeroize(&c->keys, sizeof(c->keys));
    return true;
}

// What `rekey show` prints.
static void put_shown(const struct command *c) {
    const struct rekey_shown *shown = &c->shown;
    const struct {
        const char *name, *value;
    } rows[] = {{"authMode", shown->auth_mode},
                {"provisioningState", shown->provisioning_state},
                {"scoringUri", shown->scoring_uri}};
    char text[4 * REKEY_URI_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rekey_span value = rekey_span(rows[i].value, strlen(rows[i].value));

        if (c->options.json) {
            out(i == 0 ? "{\"%s\":" : ",\"%s\":", rows[i].name);
            out_json(value.len > 0 ? value : rekey_span(NULL, 0));
        } else {
            out("%s: %s\n", rows[i].name, value.len > 0 ? visible(value, text, sizeof(text)) : "-");
        }
    }
    out("%s", c->options.json ? "}\n" : "");
    if (shown->auth_mode[0] != '\0' && strcmp(shown->auth_mode, "Key") != 0) {
        say("the endpoint is authenticated by %s, not by keys: there is nothing to regenerate",
            visible(rekey_span(shown->auth_mode, strlen(shown->auth_mode)), text, sizeof(text)));
    }
}

// What `rekey token` prints.
static void put_token(struct command *c) {
    const struct identity *id = &c->identity;
    const mbedtls_x509_time *end = &id->certificate.not_after;
    const char *name = auth_names[id->auth];
    unsigned long seconds = (unsigned long)(c->got.lifetime_ms / 1000);
    char until[16] = "";

    if (id->auth == AUTH_CERTIFICATE) {
        snprintf(until, sizeof(until), "%04d-%02d-%02d", end->year % 10000, end->mon % 100,
                 end->day % 100);
    }
    if (c->options.json) {
        out("{\"auth\":");
        out_json(rekey_span(name, strlen(name)));
        put_member("tenant", id->entra.tenant);
        out(seconds != 0 ? ",\"expiresIn\":%lu" : ",\"expiresIn\":null", seconds);
        if (until[0] != '\0') {
            put_text("certificateExpires", until);
        }
        if (c->options.show) {
            put_member("accessToken", rekey_span(c->got.value, c->got.len));
        }
        out("}\n");
        return;
    }
    out("auth: %s\ntenant: %.*s\n", name, id->entra.tenant.len > 0 ? (int)id->entra.tenant.len : 1,
        id->entra.tenant.len > 0 ? id->entra.tenant.ptr : "-");
    out(seconds != 0 ? "expires in: %lu s\n" : "expires in: not known\n", seconds);
    if (until[0] != '\0') {
        out("certificate expires: %s\n", until);
    }
    if (c->options.show) {
        out("token: ");
        out_span(rekey_span(c->got.value, c->got.len));
        out("\n");
    }
}

// Writes what was collected, and makes the exit code.
int finish(enum rekey_outcome outcome) {
    if (!out_flush()) {
        say("error: standard output could not be written; what the service said: %s",
            outcome_word(outcome));
        if (outcome != REKEY_UNKNOWN && outcome != REKEY_RUNNING) {
            outcome = REKEY_LOCAL; // those two say what matters more
        }
    }
    return last_line(outcome);
}

// ---- the beginning, the middle and the end ------------------------------------------------------

int refuse(struct command *c, enum rekey_outcome outcome, int error, const char *format, ...) {
    static const struct rekey_arm_error none;
    const struct rekey_record *record = &c->file.record;
    struct rekey_report report = {.outcome = outcome,
                                  .error = error,
                                  .service = &none,
                                  .status = "",
                                  .request_id = "",
                                  .correlation_id = ""};
    char message[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    say("error: %s", message);
    if (c->options.command == COMMAND_WAIT && c->file.written) {
        // The operation was begun: that it cannot be looked after now changes nothing.
        report.outcome = record->kind == REKEY_POLL_NONE ? REKEY_UNKNOWN : REKEY_RUNNING;
        report.kind = record->kind;
        report.url = record->url;
    }
    if (hint(c, report.outcome, error) != NULL) {
        say("%s", hint(c, report.outcome, error));
    }
    if (c->state.opened) {
        note_refusal(c, report.outcome);
    }
    if (c->options.json) {
        put_json(c, &report, report.outcome, message);
    }
    return finish(report.outcome);
}

// -v: each request and each answer.
static void tell_exchange(const struct command *c, const struct rekey_report *now,
                          const struct rekey_report *before) {
    char id[168];

    if (now->requests > before->requests) {
        // With --probe the scoring host; its port is not told.
        bool management = now->host.ptr == c->options.host.ptr;
        const char *query = memchr(now->target.ptr, '?', now->target.len);

        if (now->kind == REKEY_POLL_NONE) {
            say("> %s https://%.*s%.*s", now->get ? "GET" : "POST",
                management ? (int)strlen(c->management) : (int)now->host.len,
                management ? c->management : now->host.ptr, (int)now->target.len, now->target.ptr);
        } else { // its query is signed: a secret
            say("> GET %.*s", query == NULL ? (int)now->target.len : (int)(query - now->target.ptr),
                now->target.ptr);
        }
    }
    if (now->answers > before->answers) {
        say("< %u x-ms-request-id %s", now->http_status,
            visible(rekey_span(now->request_id, strlen(now->request_id)), id, sizeof(id)));
    }
}

void tell(const struct command *c, const struct rekey_report *now,
          const struct rekey_report *before) {
    bool begun = before->kind == REKEY_POLL_NONE;
    bool changed =
        begun || strcmp(now->status, before->status) != 0 || now->percent != before->percent;
    char percent[16] = "";

    if (c->options.verbose) {
        tell_exchange(c, now, before);
    }
    if (c->options.quiet || now->kind == REKEY_POLL_NONE || !now->waiting || before->waiting ||
        !(changed || on_terminal() || c->options.verbose)) {
        return;
    }
    if (now->percent >= 0) {
        snprintf(percent, sizeof(percent), " %d %%", now->percent);
    }
    progress("%s%s, next poll in %lu.%lu s", now->status[0] != '\0' ? now->status : "Accepted",
             percent, (unsigned long)now->wait_ms / 1000, (unsigned long)now->wait_ms / 100 % 10);
}

// The line that goes on with the operation, in a form that a shell takes.
static void say_wait_line(const struct command *c) {
    const struct {
        const char *option, *value;
    } given[] = {{"--ca-file", c->options.ca_file},
                 {"--cloud", c->options.cloud != &clouds[0] ? c->options.cloud->name : NULL},
                 {"--auth", c->options.auth != AUTH_DEFAULT ? auth_names[c->options.auth] : NULL},
                 {"--secret-file", c->options.secret_file},
                 {"--token-file", c->options.token_file},
                 {"--proxy", c->options.proxy},
                 {"--proxy-auth-file", c->options.proxy_auth_file}};
    char word[1024], options[3072] = "";
    size_t len = 0;

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]) && len < sizeof(options); i++) {
        if (given[i].value != NULL) {
            len += (size_t)snprintf(options + len, sizeof(options) - len, " %s %s", given[i].option,
                                    quoted(given[i].value, word, sizeof(word)));
        }
    }
    if (c->file.written) {
        say("to go on: rekey wait --operation-file %s --management-url https://%s%s",
            quoted(c->file.path, word, sizeof(word)), c->management, options);
    }
}

// Removes the operation file where it has no more to tell: whenever it is certain that the
// operation has ended, or that nothing was executed.
static bool settle_file(struct command *c, enum rekey_outcome outcome) {
    if (outcome == REKEY_UNKNOWN || outcome == REKEY_RUNNING || operation_file_remove(&c->file)) {
        return true;
    }
    say("error: '%s' could not be removed: %s", c->file.path, error_word(c->file.error));
    return false;
}

int conclude(struct command *c, const struct rekey_report *report) {
    enum rekey_outcome outcome = report->outcome;
    bool list = c->options.command == COMMAND_LIST_KEYS,
         token = c->options.command == COMMAND_TOKEN;
    bool left_running = c->options.no_wait && report->error == REKEY_E_ABORTED && stop_signal == 0;
    struct rekey_report told = *report;
    char details[1024], message[1200] = "";

    if (outcome != REKEY_SUCCEEDED && !left_running) {
        say_error(c, report);
    }
    if (c->options.command == COMMAND_WAIT &&
        (report->error == REKEY_E_POLL_REFUSED || report->error == REKEY_E_POLL_NOT_FOUND)) {
        say("another identity than the one that began the operation may be in use");
    }
    if (c->options.command == COMMAND_WAIT && report->error == REKEY_E_URL_FOREIGN) {
        say("it was begun at %.*s: is --management-url missing?", (int)c->file.management.len,
            c->file.management.ptr);
    }
    if (hint(c, outcome, report->error) != NULL) {
        say("%s", hint(c, outcome, report->error));
    }
    if (outcome == REKEY_SUCCEEDED &&
        (c->options.command & (COMMAND_REGENERATE | COMMAND_WAIT)) != 0 && !c->options.quiet) {
        say("%s: the %.*s key was regenerated",
            report->status[0] != '\0' ? report->status : "Succeeded", (int)c->file.key_type.len,
            c->file.key_type.ptr);
    }
    if (outcome == REKEY_RUNNING) {
        say_wait_line(c);
    }
    if (report->save_failed) {
        say("error: the polling URL could not be saved: '%s': %s", c->file.path,
            file_error(c->file.what, c->file.error));
    }
    if (c->options.verbose) {
        say("memory: arena peak %zu of %d bytes, struct rekey %zu bytes", rekey_arena_peak(),
            REKEY_ARENA_SIZE, sizeof(struct rekey));
    }
    if (!settle_file(c, outcome) && outcome == REKEY_SUCCEEDED) {
        outcome = REKEY_LOCAL;
    }
    if (list && outcome == REKEY_SUCCEEDED) {
        outcome = put_keys(c) ? outcome : REKEY_REFUSED;
    } else if (token && outcome == REKEY_SUCCEEDED) {
        put_token(c);
    } else if (c->options.command == COMMAND_SHOW && outcome == REKEY_SUCCEEDED) {
        put_shown(c);
    } else if (c->options.json) {
        explain(c, report, report->error, details, sizeof(details));
        snprintf(message, sizeof(message), "%s%s%s", rekey_error_text(report->error),
                 details[0] != '\0' ? ": " : "", details);
        told.error = left_running ? 0 : report->error; // to stop there is what was asked for
        put_json(c, &told, outcome, message);
    }
    return finish(outcome);
}
