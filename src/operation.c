// operation.c - the rules of docs/service.md 3 and 4, in the order of that page; read each table
// beside it. The first row that fits decides. If no other row fits, the answer is not in the
// contract of the service, and the outcome is unknown.

#include "operation.h"

struct rule {
    uint16_t first, last; // status codes
    uint16_t when;        // needs one of these bodies or fields, or LOCATION; 0: always
    int16_t next : 5;
    int16_t error : 11;
};

#define BODY(name) (1u << REKEY_BODY_##name)
#define LOCATION 0x200u // the polling URL came from a Location
#define FIELDS(has) ((has) << 10)
#define HAS(name) FIELDS(REKEY_HAS_##name)

static const struct rule post_rules[] = {
    {200, 201, HAS(MONITOR), REKEY_NEXT_POLL, 0},
    {200, 201, BODY(FAILED), REKEY_NEXT_FAILED, REKEY_E_FAILED},
    {200, 201, BODY(CANCELED), REKEY_NEXT_FAILED, REKEY_E_CANCELED},
    {200, 201, BODY(UNREADABLE), REKEY_NEXT_UNKNOWN, 0}, // the error is the body's
    {200, 201, BODY(CONTRADICTORY), REKEY_NEXT_UNKNOWN, REKEY_E_CONTRADICTORY},
    {200, 201, BODY(RUNNING), REKEY_NEXT_UNKNOWN, REKEY_E_CONTRADICTORY},
    {200, 201, BODY(NOT_JSON), REKEY_NEXT_UNKNOWN, REKEY_E_JSON},
    {200, 201, 0, REKEY_NEXT_SUCCEEDED, 0},
    {204, 204, 0, REKEY_NEXT_SUCCEEDED, 0},
    {202, 202, HAS(MONITOR) | HAS(LOCATION), REKEY_NEXT_POLL, 0},
    {202, 202, 0, REKEY_NEXT_UNKNOWN, REKEY_E_NO_POLL_URL},
    {401, 401, 0, REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED},
    {429, 429, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {503, 503, HAS(RETRY_AFTER), REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
    {408, 408, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
    {500, 599, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
    {400, 499, 0, REKEY_NEXT_REFUSED, REKEY_E_REFUSED},
    {300, 399, 0, REKEY_NEXT_REFUSED, REKEY_E_REDIRECT},
    {0, 999, 0, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
};

static const struct rule poll_rules[] = {
    {204, 204, 0, REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(FAILED), REKEY_NEXT_FAILED, REKEY_E_FAILED},
    {200, 202, BODY(CANCELED), REKEY_NEXT_FAILED, REKEY_E_CANCELED},
    {202, 202, LOCATION, REKEY_NEXT_RUNNING, 0},
    {200, 202, BODY(UNREADABLE), REKEY_NEXT_UNKNOWN, 0}, // the error is the body's
    {200, 202, BODY(CONTRADICTORY), REKEY_NEXT_UNKNOWN, REKEY_E_CONTRADICTORY},
    {200, 202, BODY(NOT_JSON), REKEY_NEXT_UNKNOWN, REKEY_E_JSON},
    {200, 202, BODY(SUCCEEDED), REKEY_NEXT_SUCCEEDED, 0},
    {200, 202, BODY(RUNNING), REKEY_NEXT_RUNNING, 0},
    {202, 202, BODY(EMPTY), REKEY_NEXT_RUNNING, 0},
    {200, 201, LOCATION, REKEY_NEXT_SUCCEEDED, 0},
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

// The loop ends, because the last row of each table fits everything.
static enum rekey_next first_match(const struct rule *rule, unsigned status, unsigned when,
                                   const struct rekey_status_body *body, int *error) {
    when |= 1u << body->body;
    while (status < rule->first || status > rule->last ||
           (rule->when != 0 && (rule->when & when) == 0)) {
        rule++;
    }
    *error = rule->error;
    if (rule->next == REKEY_NEXT_UNKNOWN && rule->error == 0) {
        *error = body->error;
    }
    return (enum rekey_next)rule->next;
}

enum rekey_next rekey_operation_post(unsigned status, unsigned has,
                                     const struct rekey_status_body *body, int *error) {
    return first_match(post_rules, status, FIELDS(has), body, error);
}

enum rekey_next rekey_operation_poll(unsigned status, enum rekey_poll_kind kind,
                                     const struct rekey_status_body *body, int *error) {
    return first_match(poll_rules, status, kind == REKEY_POLL_LOCATION ? LOCATION : 0, body, error);
}

// docs/service.md 4.4: the words for an operation that has ended; any other word means that it is
// running.
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

// percentComplete is a float, of which the whole part is used. Returns -1 if it is not a number
// from 0 to 100.
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

// Makes the status word in out->status printable.
static void keep_word(struct rekey_status_body *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (out->status[i] < ' ' || out->status[i] > '~') {
            out->status[i] = '?';
        }
    }
    out->status[len] = '\0';
}

// Reads the string token `at` as a status word, and stores the word in out->status.
static enum rekey_body read_word(struct rekey_status_body *out, const struct rekey_json *json,
                                 int at) {
    size_t needed;
    size_t len = rekey_json_string(json, at, out->status, sizeof(out->status) - 1, &needed);
    enum rekey_body body =
        needed == len ? status_word(rekey_span(out->status, len)) : REKEY_BODY_RUNNING;

    keep_word(out, len);
    return body;
}

// Whether token `at` is a string that says that something failed.
static bool says_failed(const struct rekey_json *json, int at) {
    struct rekey_status_body scratch;
    enum rekey_body body = REKEY_BODY_PLAIN;

    if (rekey_json_is_string(json, at)) {
        body = read_word(&scratch, json, at);
    }
    return body == REKEY_BODY_FAILED || body == REKEY_BODY_CANCELED;
}

// docs/service.md 4.5, for a body that is JSON and not null. The `properties` of a status monitor
// are ignored: they belong to the result, and say nothing about the operation.
static enum rekey_body read_object(struct rekey_status_body *out, enum rekey_poll_kind kind,
                                   const struct rekey_json *json) {
    // The members of the top level, then those of `properties`.
    enum { FAILURE, STATUS, STATE, INNER, MEMBERS };
    static const char *const names[MEMBERS] = {"error", "status", "provisioningState", "status"};
    bool monitor = kind == REKEY_POLL_ASYNC_OPERATION || kind == REKEY_POLL_OPERATION_LOCATION;
    int properties = monitor ? -1 : rekey_json_find(json, 0, "properties");
    bool duplicate = properties < -1, variant = false, failed;
    enum rekey_body body = REKEY_BODY_PLAIN;
    int at[MEMBERS];

    for (int i = 0; i < MEMBERS; i++) {
        int object = i < STATE ? 0 : properties;

        at[i] = rekey_json_find(json, object, names[i]);
        duplicate |= at[i] < -1;
        variant |= rekey_json_has_variant(json, object, names[i]);
    }
    if (duplicate) {
        out->error = REKEY_E_JSON_DUPLICATE;
        return REKEY_BODY_UNREADABLE;
    }
    failed = at[FAILURE] >= 0 && !rekey_json_is_null(json, at[FAILURE]);
    if (rekey_json_is_string(json, at[STATUS])) {
        body = read_word(out, json, at[STATUS]);
    } else {
        if (rekey_json_is_string(json, at[STATE])) {
            body = read_word(out, json, at[STATE]);
        }
        failed |= says_failed(json, at[INNER]) || says_failed(json, 0);
    }
    if (variant || (failed && (body == REKEY_BODY_PLAIN || body == REKEY_BODY_SUCCEEDED))) {
        body = REKEY_BODY_CONTRADICTORY;
        out->status[0] = '\0';
    }
    return body;
}

void rekey_operation_body(struct rekey_status_body *out, enum rekey_poll_kind kind,
                          const struct rekey_json *json, int error) {
    *out = (struct rekey_status_body){.body = REKEY_BODY_UNREADABLE, .percent = -1};
    if (error == REKEY_E_JSON) {
        out->body = json->text.len == 0 ? REKEY_BODY_EMPTY : REKEY_BODY_NOT_JSON;
    } else if (error != 0) {
        out->error = (int16_t)error;
    } else if (rekey_json_is_null(json, 0)) {
        out->body = REKEY_BODY_EMPTY;
    } else {
        out->percent = (int8_t)percent(json);
        out->body = read_object(out, kind, json);
    }
}
