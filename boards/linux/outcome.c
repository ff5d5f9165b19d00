// outcome.c - see outcome.h.

#include "outcome.h"

#include "operation_file.h"
#include "output.h"
#include "text.h"

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

int outcome_exit_code(enum rekey_outcome outcome) {
    return outcome == REKEY_FAILED ? REKEY_REFUSED : (int)outcome;
}

static const char *not_reached_hint(int error) {
    int group = -error / 100;

    if (error == REKEY_E_TLS) {
        return "nothing was changed: does that port speak TLS 1.2 or 1.3? If so, it is safe to run "
               "the command again";
    }
    // The groups framing and JSON: an answer to a read request that is not the service's.
    return group == 4 || group == 5
               ? "nothing was changed, but the answer did not come from the service: is there a "
                 "captive portal or a proxy in between? If not, it is safe to run the command again"
               : "nothing was changed: it is safe to run the command again";
}

static const char *not_trusted_hint(int error) {
    switch (error) {
    case REKEY_E_CERT_ISSUER:
        return "nothing was sent: if you trust that issuer, add its certificate to the --ca-file "
               "bundle";
    case REKEY_E_CERT_NAME:
        return "nothing was sent: check the host (--management-url, --cloud)";
    case REKEY_E_CERT_DATES:
        return "nothing was sent: if the device's clock is wrong, set it";
    case REKEY_E_CLOCK:
        return "nothing was sent: set the device's clock";
    default:
        return "nothing was sent";
    }
}

const char *outcome_hint(enum rekey_outcome outcome, int error) {
    switch (outcome) {
    case REKEY_NOT_REACHED:
        return not_reached_hint(error);
    case REKEY_NOT_TRUSTED:
        return not_trusted_hint(error);
    case REKEY_UNKNOWN:
        return "the key may have changed: compare the key in use with `rekey list-keys` before you "
               "run the command again";
    default:
        return NULL;
    }
}

struct rekey_report outcome_of_fault(const struct fault *f) {
    static struct rekey_arm_error none; // not const, so that its zeros take no space in the file

    return (struct rekey_report){.outcome = f->outcome,
                                 .error = f->error,
                                 .service = &none,
                                 .status = "",
                                 .request_id = "",
                                 .correlation_id = ""};
}

// Prints what the service, or the token service, said.
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

// Whether an error is not about a host: it is in the group usage or local.
static bool is_local(int error) {
    return -error / 100 == 1 || -error / 100 == 9;
}

static void say_one(const struct outcome_details *details, const char *before, int error,
                    const char *text) {
    bool local = is_local(error);

    say("error: %s%s%s%s%s%.*s%s", before, rekey_error_text(error), text[0] != '\0' ? ": " : "",
        text, local ? "" : " (", local ? 0 : (int)details->peer.len, details->peer.ptr,
        local ? "" : ")");
}

// Prints one line for each kind of identity.
static void say_missing(const char *missing) {
    for (const char *end; missing[0] != '\0'; missing = end) {
        missing += 2;
        end = missing;
        while (end[0] != '\0' && (end[0] != ';' || end[1] != ' ')) {
            end++;
        }
        say("error: %.*s", (int)(end - missing), missing);
    }
}

void outcome_say_error(const struct rekey_report *report, const struct outcome_details *details) {
    say_one(details, "", report->error, details->of_error);
    say_missing(details->missing);
    if (report->cause != 0 && report->cause != report->error) {
        say_one(details,
                report->error == REKEY_E_NO_TOKEN ? "not imds: " : "before that: ", report->cause,
                details->of_cause);
    }
    if (!is_local(report->error)) {
        say_answer(report, details->token_service);
    }
    if (details->remedy != NULL) {
        say("%s", details->remedy);
    }
}

// ---- standard output ----------------------------------------------------------------------------

void outcome_put_member(const char *name, struct rekey_span value) {
    out(",\"%s\":", name);
    out_json(value.len > 0 ? value : rekey_span(NULL, 0));
}

static void put_text(const char *name, const char *value) {
    outcome_put_member(name, rekey_span(value, strlen(value)));
}

// Writes the member `error`: the service's error, or ours with `message`.
static void put_error(const struct rekey_report *report, const char *message) {
    const struct rekey_arm_error *e = report->service;

    if (report->error == 0) {
        out(",\"error\":null");
        return;
    }
    out(",\"error\":{\"code\":");
    if (e->code.len > 0 || e->message.len > 0) {
        out_json(rekey_span(e->code.len > 0 ? e->code.text : NULL, e->code.len));
        outcome_put_member("message", rekey_span(e->message.text, e->message.len));
        outcome_put_member("target", rekey_span(e->target.text, e->target.len));
    } else {
        const char *name = rekey_error_name(report->error);

        out_json(rekey_span(name, strlen(name)));
        put_text("message", message);
        outcome_put_member("target", report->subject);
    }
    out("}");
}

void outcome_put_json(const struct rekey_report *report, const struct outcome_object *object) {
    const char *word = outcome_word(report->outcome);

    out("{\"outcome\":");
    out_json(rekey_span(word, strlen(word)));
    put_text("status", report->status);
    outcome_put_member("keyType", object->key_type);
    put_error(report, object->message);
    out(",\"httpStatus\":");
    if (report->http_status != 0) {
        out("%u", report->http_status);
    } else {
        out("null");
    }
    put_text("requestId", report->request_id);
    put_text("correlationId", report->correlation_id);
    out(",\"polls\":%lu,\"elapsedMs\":%llu", (unsigned long)report->polls,
        (unsigned long long)object->elapsed_ms);
    if (report->kind != REKEY_POLL_NONE &&
        (report->outcome == REKEY_RUNNING || report->outcome == REKEY_UNKNOWN)) {
        outcome_put_member("operationUrl", report->url);
        put_text("operationKind", poll_kind_name(report->kind));
    }
    out("}\n");
}

int outcome_finish(enum rekey_outcome outcome) {
    int code;

    if (!out_flush()) {
        say("error: standard output could not be written; the outcome at the service: %s",
            outcome_word(outcome));
        if (outcome != REKEY_UNKNOWN && outcome != REKEY_RUNNING) {
            outcome = REKEY_LOCAL; // those two outcomes matter more
        }
    }
    code = outcome_exit_code(outcome);
    if (code != 0) {
        release_lines();
    }
    say("outcome=%s exit=%d", outcome_word(outcome), code);
    return code;
}
