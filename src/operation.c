// operation.c - the rules of azure.md 3 and 4, in its order; the first row that fits decides.
// Each table is meant to be read beside that page. A status code that no row names is not in the
// contract: the outcome is unknown.

#include "operation.h"

struct rule {
    uint16_t first, last; // status codes
    uint16_t when; // POST: one of these fields; poll: one of these bodies, or LOCATION; 0: always
    int16_t next : 5;
    int16_t error : 11;
};

#define BODY(name) (1u << REKEY_BODY_##name)
#define LOCATION 0x100u // a Location is polled

static const struct rule post_rules[] = {
    {200, 201, REKEY_HAS_MONITOR, REKEY_NEXT_POLL, 0},
    {200, 201, 0, REKEY_NEXT_SUCCEEDED, 0},
    {204, 204, 0, REKEY_NEXT_SUCCEEDED, 0},
    {202, 202, REKEY_HAS_MONITOR | REKEY_HAS_LOCATION, REKEY_NEXT_POLL, 0},
    {202, 202, 0, REKEY_NEXT_UNKNOWN, REKEY_E_NO_POLL_URL},
    {401, 401, 0, REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED},
    {429, 429, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {503, 503, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {408, 408, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
    {500, 599, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
    {400, 499, 0, REKEY_NEXT_REFUSED, REKEY_E_REFUSED},
    {300, 399, 0, REKEY_NEXT_REFUSED, REKEY_E_REDIRECT},
    {0, 999, 0, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
};

static const struct rule poll_rules[] = {
    {204, 204, 0, REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(UNREADABLE), REKEY_NEXT_UNKNOWN, 0}, // the error is the body's
    {200, 202, BODY(SUCCEEDED), REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(FAILED), REKEY_NEXT_FAILED, REKEY_E_FAILED},
    {200, 202, BODY(CANCELED), REKEY_NEXT_FAILED, REKEY_E_CANCELED},
    {200, 202, BODY(RUNNING), REKEY_NEXT_RUNNING, 0},
    {202, 202, BODY(EMPTY), REKEY_NEXT_RUNNING, 0},
    {202, 202, LOCATION, REKEY_NEXT_RUNNING, 0},
    {200, 201, LOCATION, REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(NOT_JSON), REKEY_NEXT_UNKNOWN, REKEY_E_JSON},
    {200, 202, 0, REKEY_NEXT_UNKNOWN, REKEY_E_JSON_STATUS},
    {401, 401, 0, REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED},
    {404, 404, 0, REKEY_NEXT_NOT_FOUND, REKEY_E_POLL_NOT_FOUND},
    {408, 408, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {429, 429, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {500, 599, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {400, 499, 0, REKEY_NEXT_UNKNOWN, REKEY_E_POLL_REFUSED},
    {300, 399, 0, REKEY_NEXT_UNKNOWN, REKEY_E_REDIRECT},
    {0, 999, 0, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
};

// The last row of each table fits everything.
static enum rekey_next first_match(const struct rule *rule, unsigned status, unsigned when,
                                   int *error) {
    while (status < rule->first || status > rule->last ||
           (rule->when != 0 && (rule->when & when) == 0)) {
        rule++;
    }
    *error = rule->error;
    return (enum rekey_next)rule->next;
}

enum rekey_next rekey_operation_post(unsigned status, unsigned has, int *error) {
    return first_match(post_rules, status, has, error);
}

enum rekey_next rekey_operation_poll(unsigned status, enum rekey_poll_kind kind,
                                     const struct rekey_status_body *body, int *error) {
    unsigned when = 1u << body->body | (kind == REKEY_POLL_LOCATION ? LOCATION : 0);
    enum rekey_next next = first_match(poll_rules, status, when, error);

    if (next == REKEY_NEXT_UNKNOWN && *error == 0) {
        *error = body->error;
    }
    return next;
}

// azure.md 4.4: the terminal words; any other string is running.
static enum rekey_body status_word(struct rekey_span word) {
    static const struct {
        char word[10];
        uint8_t body;
    } words[] = {
        {"succeeded", REKEY_BODY_SUCCEEDED}, {"completed", REKEY_BODY_SUCCEEDED},
        {"failed", REKEY_BODY_FAILED},       {"canceled", REKEY_BODY_CANCELED},
        {"cancelled", REKEY_BODY_CANCELED},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rekey_span_equal_nocase(word, rekey_span(words[i].word, strlen(words[i].word)))) {
            return (enum rekey_body)words[i].body;
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

// The word itself, as far as there is room, for a port to print.
static void keep_word(struct rekey_status_body *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (out->status[i] < ' ' || out->status[i] > '~') {
            out->status[i] = '?';
        }
    }
    out->status[len] = '\0';
}

void rekey_operation_body(struct rekey_status_body *out, enum rekey_poll_kind kind,
                          const struct rekey_json *json, int error) {
    size_t len, needed;
    int at;

    *out = (struct rekey_status_body){.body = REKEY_BODY_UNREADABLE, .percent = -1};
    if (error == REKEY_E_JSON) {
        out->body = json->text.len == 0 ? REKEY_BODY_EMPTY : REKEY_BODY_NOT_JSON;
        return;
    }
    if (error == 0 && rekey_json_is_null(json, 0)) {
        out->body = REKEY_BODY_EMPTY;
        return;
    }
    if (error == 0) {
        out->percent = percent(json);
        at = find_status(json, kind);
        if (at >= 0) {
            len = rekey_json_string(json, at, out->status, sizeof(out->status) - 1, &needed);
            out->body =
                needed == len ? status_word(rekey_span(out->status, len)) : REKEY_BODY_RUNNING;
            keep_word(out, len);
            return;
        }
        if (at == -1) {
            out->body = REKEY_BODY_PLAIN;
            return;
        }
        error = at;
    }
    out->error = error;
}
