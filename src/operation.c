// operation.c - the rules of azure.md 3 and 4, in its order; the first row that fits decides.
// Each table is meant to be read beside that page. A status code that no row names is not in the
// contract: the outcome is unknown.

#include "operation.h"

#include "json.h"

struct rule {
    uint16_t first, last; // status codes
    uint16_t when;        // POST: one of these fields; poll: one of these bodies; 0: always
    uint8_t kinds;        // poll: what is polled; 0: either
    int8_t next;
    int16_t error;
};

#define BODY(name) (1u << REKEY_BODY_##name)
#define MONITOR 1
#define LOCATION 2

static const struct rule post_rules[] = {
    {200, 201, REKEY_HAS_MONITOR, 0, REKEY_NEXT_POLL, 0},
    {200, 201, 0, 0, REKEY_NEXT_SUCCEEDED, 0},
    {204, 204, 0, 0, REKEY_NEXT_SUCCEEDED, 0},
    {202, 202, REKEY_HAS_MONITOR | REKEY_HAS_LOCATION, 0, REKEY_NEXT_POLL, 0},
    {202, 202, 0, 0, REKEY_NEXT_UNKNOWN, REKEY_E_NO_POLL_URL},
    {401, 401, 0, 0, REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED},
    {429, 429, 0, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {503, 503, REKEY_HAS_RETRY_AFTER, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {408, 408, 0, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
    {500, 599, 0, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
    {400, 499, 0, 0, REKEY_NEXT_REFUSED, REKEY_E_REFUSED},
    {300, 399, 0, 0, REKEY_NEXT_REFUSED, REKEY_E_REDIRECT},
    {0, 999, 0, 0, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
};

static const struct rule poll_rules[] = {
    {204, 204, 0, 0, REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(UNREADABLE), 0, REKEY_NEXT_UNKNOWN, 0}, // the error is the body's
    {200, 202, BODY(SUCCEEDED), 0, REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(FAILED), 0, REKEY_NEXT_FAILED, REKEY_E_FAILED},
    {200, 202, BODY(CANCELED), 0, REKEY_NEXT_FAILED, REKEY_E_CANCELED},
    {200, 202, BODY(RUNNING), 0, REKEY_NEXT_RUNNING, 0},
    {202, 202, BODY(EMPTY), 0, REKEY_NEXT_RUNNING, 0},
    {202, 202, 0, LOCATION, REKEY_NEXT_RUNNING, 0},
    {200, 201, 0, LOCATION, REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(NOT_JSON), MONITOR, REKEY_NEXT_UNKNOWN, REKEY_E_JSON},
    {200, 202, 0, MONITOR, REKEY_NEXT_UNKNOWN, REKEY_E_JSON_STATUS},
    {401, 401, 0, 0, REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED},
    {404, 404, 0, 0, REKEY_NEXT_NOT_FOUND, REKEY_E_POLL_NOT_FOUND},
    {408, 408, 0, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {429, 429, 0, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {500, 599, 0, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {400, 499, 0, 0, REKEY_NEXT_UNKNOWN, REKEY_E_POLL_REFUSED},
    {300, 399, 0, 0, REKEY_NEXT_UNKNOWN, REKEY_E_REDIRECT},
    {0, 999, 0, 0, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
};

// The last row of each table fits everything.
static struct rekey_step_rule first_match(const struct rule *rule, unsigned status, unsigned when,
                                          unsigned kind) {
    while (status < rule->first || status > rule->last ||
           (rule->when != 0 && (rule->when & when) == 0) ||
           (rule->kinds != 0 && rule->kinds != kind)) {
        rule++;
    }
    return (struct rekey_step_rule){(enum rekey_next)rule->next, rule->error};
}

struct rekey_step_rule rekey_operation_post(unsigned status, unsigned has) {
    return first_match(post_rules, status, has, 0);
}

struct rekey_step_rule rekey_operation_poll(unsigned status, enum rekey_poll_kind kind,
                                            const struct rekey_status_body *body) {
    struct rekey_step_rule step = first_match(poll_rules, status, 1u << body->body,
                                              kind == REKEY_POLL_LOCATION ? LOCATION : MONITOR);

    if (step.next == REKEY_NEXT_UNKNOWN && step.error == 0) {
        step.error = body->error;
    }
    return step;
}

// azure.md 4.4: the terminal words; any other string is running.
static enum rekey_body status_word(struct rekey_span word) {
    static const struct {
        const char *word;
        enum rekey_body body;
    } words[] = {
        {"succeeded", REKEY_BODY_SUCCEEDED}, {"completed", REKEY_BODY_SUCCEEDED},
        {"failed", REKEY_BODY_FAILED},       {"canceled", REKEY_BODY_CANCELED},
        {"cancelled", REKEY_BODY_CANCELED},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rekey_span_equal_nocase(word, rekey_span(words[i].word, strlen(words[i].word)))) {
            return words[i].body;
        }
    }
    return REKEY_BODY_RUNNING;
}

// percentComplete is a float; its whole part is enough. -1 if it is not a number from 0 to 100.
static int percent(const struct rekey_json *json) {
    int at = rekey_json_find(json, 0, "percentComplete");
    struct rekey_span raw;
    const char *point;
    int value;

    if (at < 0 || rekey_json_is_string(json, at)) {
        return -1;
    }
    raw = rekey_json_raw(json, at);
    point = memchr(raw.ptr, '.', raw.len);
    raw.len = point != NULL ? (size_t)(point - raw.ptr) : raw.len;
    value = rekey_number(raw, 101);
    return value <= 100 ? value : -1;
}

// The token of the status that the body names; -1 if it names none; an error if it is ambiguous.
static int find_status(const struct rekey_json *json, enum rekey_poll_kind kind) {
    int at = rekey_json_find(json, 0, "status");

    if (at == -1 || (at >= 0 && !rekey_json_is_string(json, at))) {
        at = -1;
        if (kind == REKEY_POLL_LOCATION) {
            at = rekey_json_find(json, 0, "properties");
            at = at < -1 ? at : rekey_json_find(json, at, "provisioningState");
        }
    }
    return at < -1 || rekey_json_is_string(json, at) ? at : -1;
}

static void unreadable(struct rekey_status_body *out, int error) {
    out->body = REKEY_BODY_UNREADABLE;
    out->error = error;
}

void rekey_operation_body(struct rekey_status_body *out, enum rekey_poll_kind kind,
                          struct rekey_span body, bool cut, bool coded, void *tokens,
                          size_t token_count) {
    struct rekey_json json;
    size_t len, needed;
    int error, at;

    *out = (struct rekey_status_body){.body = REKEY_BODY_EMPTY, .percent = -1};
    if (body.len == 0 && !cut) {
        return;
    }
    if (coded) {
        unreadable(out, REKEY_E_CONTENT_CODING);
        return;
    }
    if (cut) {
        unreadable(out, REKEY_E_LIMIT_STAGING);
        return;
    }
    error = rekey_json_parse(&json, body, false, tokens, token_count);
    if (error == REKEY_E_JSON) {
        out->body = REKEY_BODY_NOT_JSON;
        return;
    }
    if (error != 0) {
        unreadable(out, error);
        return;
    }
    if (rekey_json_is_null(&json, 0)) {
        return;
    }
    out->percent = percent(&json);
    at = find_status(&json, kind);
    if (at < 0) {
        out->body = REKEY_BODY_PLAIN;
        if (at < -1) {
            unreadable(out, at);
        }
        return;
    }
    len = rekey_json_string(&json, at, out->status, sizeof(out->status) - 1, &needed);
    out->body = needed == len ? status_word(rekey_span(out->status, len)) : REKEY_BODY_RUNNING;
    for (size_t i = 0; i < len; i++) {
        if (out->status[i] < ' ' || out->status[i] > '~') {
            out->status[i] = '?'; // a port prints it
        }
    }
    out->status[len] = '\0';
}
