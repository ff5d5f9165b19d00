// operation.c - proofs about src/operation.c: its tables have an answer for every status code,
// every body and every set of fields, and never claim more than the service said; and any JSON in a
// body is read into a word that can be shown.

#include "../../src/operation.c"

#include "span_contracts.h"

static struct rekey_status_body any_body(void) {
    struct rekey_status_body body = {.body = (enum rekey_body)nondet_unsigned()};

    ASSUME((unsigned)body.body <= REKEY_BODY_CONTRADICTORY);
    body.error = (int16_t)nondet_int();
    ASSUME(body.body == REKEY_BODY_UNREADABLE ? body.error < 0 : body.error == 0);
    return body;
}

// Whether the body says that the operation failed, or may have.
static bool speaks_against(enum rekey_body body) {
    return body == REKEY_BODY_FAILED || body == REKEY_BODY_CANCELED ||
           body == REKEY_BODY_CONTRADICTORY || body == REKEY_BODY_UNREADABLE ||
           body == REKEY_BODY_NOT_JSON;
}

void post(void) {
    unsigned status = nondet_unsigned(), has = nondet_unsigned();
    struct rekey_status_body body = any_body();
    int error = 1;
    enum rekey_next next;

    ASSUME(status < 1000); // the engine reads three digits
    ASSUME(has <= (REKEY_HAS_MONITOR | REKEY_HAS_LOCATION | REKEY_HAS_RETRY_AFTER));
    next = rekey_operation_post(status, has, &body, &error);
    PROVE(next == REKEY_NEXT_SUCCEEDED || next == REKEY_NEXT_POLL || next == REKEY_NEXT_NEW_TOKEN ||
          next == REKEY_NEXT_REPEAT || next == REKEY_NEXT_MAYBE || next == REKEY_NEXT_REFUSED ||
          next == REKEY_NEXT_FAILED || next == REKEY_NEXT_UNKNOWN);
    PROVE(error <= 0 && (error == 0) == (next == REKEY_NEXT_SUCCEEDED || next == REKEY_NEXT_POLL));
    // Success only if the service says so and nothing contradicts it.
    PROVE(next != REKEY_NEXT_SUCCEEDED || status == 204 ||
          ((status == 200 || status == 201) && !speaks_against(body.body) &&
           body.body != REKEY_BODY_RUNNING && (has & REKEY_HAS_MONITOR) == 0));
    PROVE(next != REKEY_NEXT_POLL || (status >= 200 && status <= 202 &&
                                      (has & (REKEY_HAS_MONITOR | REKEY_HAS_LOCATION)) != 0));
    // "Nothing was executed" only if the answer says so: otherwise the key may have changed.
    PROVE(next != REKEY_NEXT_REFUSED ||
          (status >= 300 && status < 500 && status != 401 && status != 408 && status != 429));
    PROVE(next != REKEY_NEXT_REPEAT || status == 429 ||
          (status == 503 && (has & REKEY_HAS_RETRY_AFTER) != 0));
    PROVE(next != REKEY_NEXT_NEW_TOKEN || status == 401);
    PROVE(next != REKEY_NEXT_FAILED ||
          (status < 202 && (body.body == REKEY_BODY_FAILED || body.body == REKEY_BODY_CANCELED)));
    // An answer that is not in the contract never ends the operation.
    PROVE((status >= 200 && status < 600) || next == REKEY_NEXT_UNKNOWN);
    REACHED(next == REKEY_NEXT_SUCCEEDED && status == 201);
    REACHED(next == REKEY_NEXT_UNKNOWN && status == 200);
}

void poll(void) {
    unsigned status = nondet_unsigned();
    enum rekey_poll_kind kind = (enum rekey_poll_kind)nondet_unsigned();
    struct rekey_status_body body = any_body();
    int error = 1;
    enum rekey_next next;

    ASSUME(status < 1000);
    ASSUME((unsigned)kind > REKEY_POLL_NONE && (unsigned)kind <= REKEY_POLL_LOCATION);
    next = rekey_operation_poll(status, kind, &body, &error);
    PROVE(next == REKEY_NEXT_SUCCEEDED || next == REKEY_NEXT_RUNNING ||
          next == REKEY_NEXT_NEW_TOKEN || next == REKEY_NEXT_REPEAT ||
          next == REKEY_NEXT_NOT_FOUND || next == REKEY_NEXT_FAILED ||
          next == REKEY_NEXT_UNKNOWN); // never "refused", because the operation was accepted
    PROVE(error <= 0 &&
          (error == 0) == (next == REKEY_NEXT_SUCCEEDED || next == REKEY_NEXT_RUNNING));
    PROVE(next != REKEY_NEXT_SUCCEEDED || status == 204 ||
          (status >= 200 && status <= 202 && !speaks_against(body.body) &&
           (kind == REKEY_POLL_LOCATION ? status < 202 && body.body != REKEY_BODY_RUNNING
                                        : body.body == REKEY_BODY_SUCCEEDED)));
    PROVE(next != REKEY_NEXT_FAILED ||
          (status >= 200 && status <= 202 &&
           (body.body == REKEY_BODY_FAILED || body.body == REKEY_BODY_CANCELED)));
    PROVE(next != REKEY_NEXT_RUNNING || (status >= 200 && status <= 202 && status != 204));
    PROVE(next != REKEY_NEXT_NOT_FOUND || status == 404);
    PROVE(next != REKEY_NEXT_NEW_TOKEN || status == 401);
    PROVE(next != REKEY_NEXT_REPEAT || status == 408 || status == 429 || status / 100 == 5);
    PROVE((status >= 200 && status < 600) || next == REKEY_NEXT_UNKNOWN);
    REACHED(next == REKEY_NEXT_SUCCEEDED && status == 200 && kind == REKEY_POLL_LOCATION);
    REACHED(next == REKEY_NEXT_RUNNING && status == 201);
}

// ---- bodies: the results that json.c may return for any text (tests/proof/json.c) ---------------

#define COUNT 8

static bool duplicate, failure;

static int any_value(void) {
    int at = nondet_int();

    ASSUME(at == -1 || at == REKEY_E_JSON_DUPLICATE || (at > 1 && at < COUNT));
    return at;
}

int rekey_json_find(const struct rekey_json *json, int object, const char *name) {
    int at = any_value();

    (void)json;
    ASSUME(object >= 0 || at == -1);
    if (object == 0 && strcmp(name, "error") == 0) {
        failure = at >= 0;
    }
    duplicate |= at == REKEY_E_JSON_DUPLICATE && strcmp(name, "percentComplete") != 0;
    return at;
}

bool rekey_json_has_variant(const struct rekey_json *json, int object, const char *name) {
    (void)json;
    (void)name;
    return object >= 0 && nondet_bool();
}

bool rekey_json_is_string(const struct rekey_json *json, int at) {
    (void)json;
    return at >= 0 && nondet_bool();
}

bool rekey_json_is_null(const struct rekey_json *json, int at) {
    (void)json;
    PROVE(at >= 0 && at < COUNT);
    return nondet_bool();
}

struct rekey_span rekey_json_raw(const struct rekey_json *json, int at) {
    (void)json;
    PROVE(at >= 0 && at < COUNT);
    return any_text(TEXT_MAX);
}

size_t rekey_json_string(const struct rekey_json *json, int at, char *buf, size_t cap,
                         size_t *needed) {
    size_t len = nondet_size();

    (void)json;
    PROVE(at >= 0 && at < COUNT && __CPROVER_w_ok(buf, cap));
    *needed = nondet_size();
    ASSUME(len <= cap && len <= *needed && *needed < 65536);
    __CPROVER_havoc_slice(buf, cap);
    return len;
}

void *memchr(const void *block, int byte, size_t len) {
    size_t at = nondet_size();

    PROVE(len == 0 || __CPROVER_r_ok(block, len));
    if (nondet_bool()) {
        return NULL;
    }
    ASSUME(at < len && ((const unsigned char *)block)[at] == (unsigned char)byte);
    return (void *)((const unsigned char *)block + at);
}

void body(void) {
    struct rekey_status_body out;
    struct rekey_json json = {.text = any_text(TEXT_MAX), .tokens = NULL, .count = COUNT};
    enum rekey_poll_kind kind = (enum rekey_poll_kind)nondet_unsigned();
    int error = nondet_int();
    bool ended = false;

    ASSUME((unsigned)kind <= REKEY_POLL_LOCATION && error <= 0 && error > -1000);
    rekey_operation_body(&out, kind, &json, error);
    PROVE((unsigned)out.body <= REKEY_BODY_CONTRADICTORY);
    PROVE((out.error < 0) == (out.body == REKEY_BODY_UNREADABLE));
    PROVE(out.percent >= -1 && out.percent <= 100);
    for (size_t i = 0; i < sizeof(out.status); i++) {
        ended = ended || out.status[i] == '\0';
        PROVE(ended || (out.status[i] >= ' ' && out.status[i] <= '~'));
    }
    PROVE(ended);
    PROVE(error == 0 || out.body == REKEY_BODY_UNREADABLE || error == REKEY_E_JSON);
    PROVE(error != 0 || !duplicate || out.body == REKEY_BODY_UNREADABLE); // ambiguous
    REACHED(out.body == REKEY_BODY_SUCCEEDED);
    REACHED(out.body == REKEY_BODY_CONTRADICTORY && failure);
}
