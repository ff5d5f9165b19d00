// session_end.c - see session_end.h.

#include "session_end.h"

#include <stdio.h>

#include "arena.h"
#include "identity_text.h"
#include "outcome.h"
#include "output.h"
#include "process.h"
#include "text.h"

// `needed` is 0 if it is only known that the limit is too small.
static void explain_limit(const struct session *s, int error, unsigned long needed,
                          unsigned long limit, const char *macro, char *buf, size_t cap) {
    const bool arena = error == REKEY_E_LIMIT_ARENA; // the next allocation needs more
    const unsigned long least = needed != 0 ? needed : limit + 1;
    size_t len;

    identity_explain(&s->identity, error, buf, cap);
    len = strlen(buf);
    snprintf(buf + len, cap - len, "%s%lu needed, the limit is %lu; `make LIMITS=%s=%lu` raises it",
             needed != 0 && !arena ? "" : "at least ", least, limit, macro,
             ((arena ? least + 16384 : least) + 63) / 64 * 64);
}

// Writes the details of an error, not yet made safe to print.
static void find_details(const struct session *s, const struct rekey_report *report, int error,
                         char *buf, size_t cap) {
    const char *macro;
    unsigned long limit = rekey_error_limit(error, &macro);
    bool url = error <= REKEY_E_URL_SCHEME && error >= REKEY_E_URL_FOREIGN;

    buf[0] = '\0';
    if (limit != 0) {
        explain_limit(s, error, report->needed, limit, macro, buf, cap);
    } else if (error == REKEY_E_LIMIT_ARENA) {
        explain_limit(s, error, rekey_arena_needed(), REKEY_ARENA_SIZE, "REKEY_ARENA_SIZE", buf,
                      cap);
    } else if (report->subject.len > 0 &&
               (url || error == REKEY_E_REDIRECT || error == REKEY_E_SCORING_URI)) {
        snprintf(buf, cap, "%s%.*s", error == REKEY_E_REDIRECT ? "to " : "",
                 (int)report->subject.len, report->subject.ptr);
    } else if (report->host.ptr != s->identity.managed.host.ptr && // never through a proxy
               proxy_explain(&s->proxy, error, s->tcp.error, buf, cap)) {
        return;
    } else if ((error == REKEY_E_STORE || error == REKEY_E_SAVE) && s->explain_store != NULL) {
        s->explain_store(s->store, buf, cap);
    } else if (error == REKEY_E_SAVE) {
        operation_file_explain(&s->file, buf, cap);
    } else if (error == REKEY_E_NO_TOKEN && s->identity.why[0] != '\0') {
        snprintf(buf, cap, "%s", s->identity.why + 2);
    } else {
        s->port.tls.explain(s->port.tls.ctx, error, buf, cap);
        if (buf[0] == '\0') {
            identity_explain(&s->identity, error, buf, cap);
        }
    }
}

void session_explain(const struct session *s, const struct rekey_report *report, int error,
                     char line[1024]) {
    char text[1024];

    find_details(s, report, error, text, sizeof(text));
    visible(rekey_span(text, strlen(text)), line, 1024);
}

const char *session_right(const struct session *s, const char *action) {
    static char text[96];

    snprintf(text, sizeof(text), "Microsoft.MachineLearningServices/workspaces/%sEndpoints/%s",
             s->options->endpoint.serverless ? "serverless" : "online", action);
    return text;
}

// The permission that a refused request needs.
static const char *action_of(const struct rekey_report *report) {
    static const char list[] = "/listKeys";
    const size_t len = sizeof(list) - 1;
    const char *end = memchr(report->target.ptr, '?', report->target.len);

    if (report->get) {
        return "read";
    }
    return end != NULL && (size_t)(end - report->target.ptr) > len &&
                   memcmp(end - len, list, len) == 0
               ? "listKeys/action"
               : "regenerateKeys/action";
}

// Whether a connection failed at the proxy.
static bool failed_at_proxy(const struct session *s, const struct rekey_report *report) {
    const enum rekey_proxy_phase phase = s->proxy.tunnel.phase;
    const int error = report->error;

    return phase != REKEY_PROXY_UNUSED && phase != REKEY_PROXY_TUNNEL &&
           report->host.ptr != s->identity.managed.host.ptr && // never through a proxy
           ((error <= REKEY_E_CONNECT && error >= REKEY_E_END) || error == REKEY_E_PROXY ||
            error == REKEY_E_PROXY_TARGET);
}

const char *session_remedy(const struct session *s, const struct rekey_report *report) {
    static char text[400];

    if (failed_at_proxy(s, report)) {
        char peer[300];
        bool token;
        struct rekey_span host = session_peer(s, report, peer, &token);

        snprintf(text, sizeof(text),
                 "correct the proxy's address or credentials, or let its rules allow %.*s",
                 (int)host.len, host.ptr);
        return text;
    }
    if (report->error == REKEY_E_REFUSED && report->http_status == 404) {
        return "check --subscription, -g, -w, -n and --kind";
    }
    if (report->error != REKEY_E_REFUSED || report->http_status != 403) {
        return identity_remedy(&s->identity, report);
    }
    snprintf(text, sizeof(text),
             "the identity needs the permission %s: an Owner or User Access Administrator of the "
             "workspace can grant it",
             session_right(s, action_of(report)));
    return text;
}

void session_say_error(struct session *s, const struct rekey_report *report) {
    struct outcome_details details, *d = &details;
    char peer[300];

    d->peer = session_peer(s, report, peer, &d->token_service);
    d->remedy = session_remedy(s, report);
    d->missing = report->outcome == REKEY_CREDENTIALS && s->identity.auth == AUTH_IMDS
                     ? s->identity.why
                     : "";
    session_explain(s, report, report->error, d->of_error);
    if (report->error == REKEY_E_NO_TOKEN) { // say_missing prints the same, one line for each kind
        d->of_error[0] = '\0';
    }
    session_explain(s, report, report->cause, d->of_cause);
    outcome_say_error(report, d);
}

const char *session_hint(const struct session *s, const struct rekey_report *report) {
    if (report->outcome == REKEY_CREDENTIALS) { // no general remedy after a precise one
        return session_remedy(s, report) == NULL ? s->credentials_hint : NULL;
    }
    if (report->outcome == REKEY_RUNNING) {
        return s->file.has_url
                   ? "accepted, and probably still running: `rekey wait` continues the operation"
                   : "accepted, and probably still running: `rekey wait` cannot continue, because "
                     "no --operation-file has the polling URL; see `rekey list-keys` later";
    }
    return outcome_hint(report->outcome, report->error);
}

static void say_hint(const struct session *s, const struct rekey_report *report) {
    const char *hint = session_hint(s, report);

    if (hint != NULL) {
        say("%s", hint);
    }
}

void session_say_memory(const struct session *s) {
    if (s->options->verbose) {
        say("memory: arena peak %zu of %d bytes, struct rekey %zu bytes", rekey_arena_peak(),
            REKEY_ARENA_SIZE, sizeof(struct rekey));
    }
}

static void put_json(struct session *s, const struct rekey_report *report, const char *message) {
    const struct outcome_object object = {
        .key_type = s->key_type,
        .message = message,
        .elapsed_ms = rekey_posix_now_ms(NULL) - process.started,
    };

    if (s->options->json) {
        outcome_put_json(report, &object);
    }
}

void session_put_json(struct session *s, const struct rekey_report *report) {
    char details[1024], message[1200];

    session_explain(s, report, report->error, details);
    snprintf(message, sizeof(message), "%s%s%s", rekey_error_text(report->error),
             details[0] != '\0' ? ": " : "", details);
    put_json(s, report, message);
}

enum rekey_outcome session_say_refusal(struct session *s) {
    struct rekey_report report = outcome_of_fault(&s->fault);

    if (s->resumes && s->file.written) {
        // The operation has started: that this run cannot follow it changes nothing.
        report.kind = s->file.record.kind;
        report.url = s->file.record.url;
        report.outcome = report.kind == REKEY_POLL_NONE ? REKEY_UNKNOWN : REKEY_RUNNING;
    }
    say("error: %s", s->fault.text);
    if (report.outcome != REKEY_CREDENTIALS && report.outcome != REKEY_NOT_TRUSTED) {
        say_hint(s, &report); // otherwise the fault says what to correct
    }
    put_json(s, &report, s->fault.text);
    return report.outcome;
}

int session_end(struct session *s, enum rekey_outcome outcome) {
    session_close(s);
    return outcome_finish(outcome);
}

int session_refuse(struct session *s) {
    return session_end(s, session_say_refusal(s));
}

int session_fail(struct session *s, const struct rekey_report *report) {
    session_say_error(s, report);
    say_hint(s, report);
    session_say_memory(s);
    session_put_json(s, report);
    return session_end(s, report->outcome);
}
