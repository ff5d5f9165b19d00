// test_operation.c - operation.h: the rules of docs/service.md 3 and 4, as far as pure functions
// decide them. Every status code is compared with a second implementation of that page, written
// here as plain conditions; bodies and status words are tables. The waits, the repeats and the
// state of the operation are tested in test_rekey.c.

#include <stdio.h>

#include "json.h"
#include "operation.h"
#include "support.h"

#define TOKENS 64

struct rekey_step_rule {
    enum rekey_next next;
    int error;
};

static void check_rule(struct rekey_step_rule actual, enum rekey_next next, int error) {
    check_int(actual.next, next);
    check_int(actual.error, error);
}

// ---- the answer to the POST (docs/service.md 3) -------------------------------------------------

static struct rekey_step_rule rule(enum rekey_next next, int error) {
    return (struct rekey_step_rule){next, error};
}

static struct rekey_step_rule post(unsigned status, unsigned has,
                                   const struct rekey_status_body *body) {
    struct rekey_step_rule rule = {.error = 99};

    rule.next = rekey_operation_post(status, has, body, &rule.error);
    return rule;
}

static struct rekey_step_rule poll(unsigned status, enum rekey_poll_kind kind,
                                   const struct rekey_status_body *body) {
    struct rekey_step_rule rule = {.error = 99};

    rule.next = rekey_operation_poll(status, kind, body, &rule.error);
    return rule;
}

#define BODY_ERROR REKEY_E_LIMIT_STAGING // of the unreadable bodies of the sweeps

// 200 or 201 without a status monitor to poll; a Location there does not mean running.
static struct rekey_step_rule post_done_expected(enum rekey_body body) {
    switch (body) {
    case REKEY_BODY_UNREADABLE:
        return rule(REKEY_NEXT_UNKNOWN, BODY_ERROR);
    case REKEY_BODY_NOT_JSON:
        return rule(REKEY_NEXT_UNKNOWN, REKEY_E_JSON);
    case REKEY_BODY_RUNNING: // there is nothing to poll
    case REKEY_BODY_CONTRADICTORY:
        return rule(REKEY_NEXT_UNKNOWN, REKEY_E_CONTRADICTORY);
    case REKEY_BODY_FAILED:
        return rule(REKEY_NEXT_FAILED, REKEY_E_FAILED);
    case REKEY_BODY_CANCELED:
        return rule(REKEY_NEXT_FAILED, REKEY_E_CANCELED);
    default:
        return rule(REKEY_NEXT_SUCCEEDED, 0);
    }
}

static struct rekey_step_rule post_expected(unsigned status, bool monitor, bool location,
                                            bool retry_after, enum rekey_body body) {
    if (status == 200 || status == 201) {
        return monitor ? rule(REKEY_NEXT_POLL, 0) : post_done_expected(body);
    }
    if (status == 204) {
        return rule(REKEY_NEXT_SUCCEEDED, 0);
    }
    if (status == 202) {
        return monitor || location ? rule(REKEY_NEXT_POLL, 0)
                                   : rule(REKEY_NEXT_UNKNOWN, REKEY_E_NO_POLL_URL);
    }
    if (status == 401) {
        return rule(REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED);
    }
    if (status == 429 || (status == 503 && retry_after)) {
        return rule(REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED);
    }
    if (status == 408 ||
        status / 100 == 5) { // a 5xx that the page does not name counts as its like
        return rule(REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED);
    }
    if (status / 100 == 4) {
        return rule(REKEY_NEXT_REFUSED, REKEY_E_REFUSED);
    }
    if (status / 100 == 3) {
        return rule(REKEY_NEXT_REFUSED, REKEY_E_REDIRECT);
    }
    return rule(REKEY_NEXT_UNKNOWN, REKEY_E_STATUS); // any other 2xx, 101, and unknown numbers
}

static void test_post_sweep(void **state) {
    (void)state;
    for (enum rekey_body body = REKEY_BODY_EMPTY; body <= REKEY_BODY_CONTRADICTORY; body++) {
        const struct rekey_status_body read = {
            .body = body, .error = body == REKEY_BODY_UNREADABLE ? BODY_ERROR : 0, .percent = -1};

        for (unsigned status = 0; status <= 999; status++) {
            for (unsigned has = 0; has < 8; has++) {
                struct rekey_step_rule expected = post_expected(
                    status, (has & REKEY_HAS_MONITOR) != 0, (has & REKEY_HAS_LOCATION) != 0,
                    (has & REKEY_HAS_RETRY_AFTER) != 0, body);

                row_nn("status, has and body", (long)status, (long)(has * 100 + body));
                check_rule(post(status, has, &read), expected.next, expected.error);
            }
        }
    }
    rows_done();
}

static void test_post_rows(void **state) {
    static const struct {
        const char *name;
        unsigned status, has;
        enum rekey_next next;
        int error;
    } rows[] = {
        {"200", 200, 0, REKEY_NEXT_SUCCEEDED, 0},
        {"200 with Location", 200, REKEY_HAS_LOCATION, REKEY_NEXT_SUCCEEDED, 0},
        {"200 with a monitor", 200, REKEY_HAS_MONITOR, REKEY_NEXT_POLL, 0},
        {"200 with both", 200, REKEY_HAS_MONITOR | REKEY_HAS_LOCATION, REKEY_NEXT_POLL, 0},
        {"200 with Retry-After", 200, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_SUCCEEDED, 0},
        {"201", 201, 0, REKEY_NEXT_SUCCEEDED, 0},
        {"201 with a monitor", 201, REKEY_HAS_MONITOR, REKEY_NEXT_POLL, 0},
        {"204 with a monitor", 204, REKEY_HAS_MONITOR, REKEY_NEXT_SUCCEEDED, 0},
        {"202 with a monitor", 202, REKEY_HAS_MONITOR, REKEY_NEXT_POLL, 0},
        {"202 with Location", 202, REKEY_HAS_LOCATION, REKEY_NEXT_POLL, 0},
        {"202 without either", 202, 0, REKEY_NEXT_UNKNOWN, REKEY_E_NO_POLL_URL},
        {"202 with Retry-After alone", 202, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_UNKNOWN,
         REKEY_E_NO_POLL_URL},
        {"203", 203, REKEY_HAS_MONITOR, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
        {"101", 101, 0, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
        {"307 with Location", 307, REKEY_HAS_LOCATION, REKEY_NEXT_REFUSED, REKEY_E_REDIRECT},
        {"400", 400, 0, REKEY_NEXT_REFUSED, REKEY_E_REFUSED},
        {"401", 401, 0, REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED},
        {"403", 403, 0, REKEY_NEXT_REFUSED, REKEY_E_REFUSED},
        {"404", 404, 0, REKEY_NEXT_REFUSED, REKEY_E_REFUSED},
        {"408 with Retry-After", 408, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_MAYBE,
         REKEY_E_MAYBE_EXECUTED},
        {"409", 409, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_REFUSED, REKEY_E_REFUSED},
        {"429", 429, 0, REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED},
        {"500 with Retry-After", 500, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_MAYBE,
         REKEY_E_MAYBE_EXECUTED},
        {"502", 502, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
        {"503", 503, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},
        {"503 with Retry-After", 503, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_REPEAT,
         REKEY_E_NOT_PROCESSED},
        {"504 with Retry-After", 504, REKEY_HAS_RETRY_AFTER, REKEY_NEXT_MAYBE,
         REKEY_E_MAYBE_EXECUTED},
    };

    static const struct rekey_status_body empty = {.body = REKEY_BODY_EMPTY, .percent = -1};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        row(rows[i].name);
        check_rule(post(rows[i].status, rows[i].has, &empty), rows[i].next, rows[i].error);
    }
    rows_done();
}

// ---- the answer to a poll (docs/service.md 4) ---------------------------------------------------

static const enum rekey_poll_kind kinds[] = {REKEY_POLL_ASYNC_OPERATION,
                                             REKEY_POLL_OPERATION_LOCATION, REKEY_POLL_LOCATION};

// 200, 201 or 202.
static struct rekey_step_rule poll_success_expected(unsigned status, bool location,
                                                    enum rekey_body body) {
    if (body == REKEY_BODY_FAILED) {
        return rule(REKEY_NEXT_FAILED, REKEY_E_FAILED);
    }
    if (body == REKEY_BODY_CANCELED) {
        return rule(REKEY_NEXT_FAILED, REKEY_E_CANCELED);
    }
    if (location && status == 202) { // whatever else the body is
        return rule(REKEY_NEXT_RUNNING, 0);
    }
    switch (body) {
    case REKEY_BODY_UNREADABLE: // never evidence of anything
        return rule(REKEY_NEXT_UNKNOWN, BODY_ERROR);
    case REKEY_BODY_CONTRADICTORY:
        return rule(REKEY_NEXT_UNKNOWN, REKEY_E_CONTRADICTORY);
    case REKEY_BODY_NOT_JSON:
        return rule(REKEY_NEXT_UNKNOWN, REKEY_E_JSON);
    case REKEY_BODY_SUCCEEDED:
        return rule(REKEY_NEXT_SUCCEEDED, 0);
    case REKEY_BODY_RUNNING:
        return rule(REKEY_NEXT_RUNNING, 0);
    default:
        break;
    }
    if (location) {
        return rule(REKEY_NEXT_SUCCEEDED, 0);
    }
    if (status == 202 && body == REKEY_BODY_EMPTY) {
        return rule(REKEY_NEXT_RUNNING, 0);
    }
    return rule(REKEY_NEXT_UNKNOWN, REKEY_E_JSON_STATUS);
}

static struct rekey_step_rule poll_expected(unsigned status, bool location, enum rekey_body body) {
    if (status >= 200 && status <= 202) {
        return poll_success_expected(status, location, body);
    }
    if (status == 204) {
        return rule(REKEY_NEXT_SUCCEEDED, 0);
    }
    if (status == 401) {
        return rule(REKEY_NEXT_NEW_TOKEN, REKEY_E_UNAUTHORIZED);
    }
    if (status == 404) {
        return rule(REKEY_NEXT_NOT_FOUND, REKEY_E_POLL_NOT_FOUND);
    }
    if (status == 408 || status == 429 || status / 100 == 5) {
        return rule(REKEY_NEXT_REPEAT, REKEY_E_NOT_PROCESSED);
    }
    if (status / 100 == 4) {
        return rule(REKEY_NEXT_UNKNOWN, REKEY_E_POLL_REFUSED);
    }
    if (status / 100 == 3) {
        return rule(REKEY_NEXT_UNKNOWN, REKEY_E_REDIRECT);
    }
    return rule(REKEY_NEXT_UNKNOWN, REKEY_E_STATUS);
}

static void test_poll_sweep(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        for (enum rekey_body body = REKEY_BODY_EMPTY; body <= REKEY_BODY_CONTRADICTORY; body++) {
            const struct rekey_status_body read = {
                .body = body,
                .error = body == REKEY_BODY_UNREADABLE ? BODY_ERROR : 0,
                .percent = -1};

            for (unsigned status = 0; status <= 999; status++) {
                struct rekey_step_rule expected =
                    poll_expected(status, kinds[k] == REKEY_POLL_LOCATION, body);

                row_nn(k == 0   ? "async, body, status"
                       : k == 1 ? "operation, body, status"
                                : "location, body, status",
                       (long)body, (long)status);
                check_rule(poll(status, kinds[k], &read), expected.next, expected.error);
            }
        }
    }
    rows_done();
}

// ---- what a body says ---------------------------------------------------------------------------

static struct rekey_span status_of(const struct rekey_status_body *body) {
    const char *end = memchr(body->status, '\0', sizeof(body->status));

    check(end != NULL);
    return rekey_span(body->status, end != NULL ? (size_t)(end - body->status) : 0);
}

// Reads `text` as rekey.c does, with all that is touched at a guard; the result is filled with
// rubbish before.
static const struct rekey_status_body *read_body(enum rekey_poll_kind kind, struct rekey_span text,
                                                 bool cut, bool coded, size_t tokens) {
    struct rekey_status_body *body = guarded(sizeof(*body));
    struct rekey_json json;
    int error = rekey_json_parse(&json, guarded_copy(text), cut,
                                 guarded(tokens * REKEY_JSON_TOKEN_SIZE), tokens);

    error = cut ? REKEY_E_LIMIT_STAGING : error;
    rekey_operation_body(body, kind, &json,
                         coded && (text.len > 0 || cut) ? REKEY_E_CONTENT_CODING : error);
    return body;
}

static bool names_status(enum rekey_body body) {
    return body == REKEY_BODY_RUNNING || body == REKEY_BODY_SUCCEEDED ||
           body == REKEY_BODY_FAILED || body == REKEY_BODY_CANCELED;
}

static const struct {
    const char *name;
    struct rekey_span text;
    enum rekey_body monitor, location;
    const char *status; // of the kinds for which the body names one
    int error;          // of an unreadable one
} bodies[] = {
#define EMPTY REKEY_BODY_EMPTY
#define NOT_JSON REKEY_BODY_NOT_JSON
#define PLAIN REKEY_BODY_PLAIN
#define RUNNING REKEY_BODY_RUNNING
#define SUCCEEDED REKEY_BODY_SUCCEEDED
#define FAILED REKEY_BODY_FAILED
#define CANCELED REKEY_BODY_CANCELED
#define UNREADABLE REKEY_BODY_UNREADABLE
#define CONTRADICTORY REKEY_BODY_CONTRADICTORY
    {"empty", BYTES(""), EMPTY, EMPTY, "", 0},
    {"null", BYTES("null"), EMPTY, EMPTY, "", 0},
    {"null and white space", BYTES(" null\r\n"), EMPTY, EMPTY, "", 0},
    {"white space", BYTES(" \r\n"), NOT_JSON, NOT_JSON, "", 0},
    {"HTML", BYTES("<html>Succeeded</html>"), NOT_JSON, NOT_JSON, "", 0},
    {"bare word", BYTES("Succeeded"), NOT_JSON, NOT_JSON, "", 0},
    {"JSON and more", BYTES("{\"status\":\"Succeeded\"}}"), NOT_JSON, NOT_JSON, "", 0},
    {"two texts", BYTES("{\"status\":\"Succeeded\"}{\"status\":\"Succeeded\"}"), NOT_JSON, NOT_JSON,
     "", 0},
    {"half a text", BYTES("{\"status\":\"Succeeded\""), NOT_JSON, NOT_JSON, "", 0},
    {"not UTF-8", BYTES("{\"status\":\"Succeeded\",\"x\":\"\xFF\"}"), NOT_JSON, NOT_JSON, "", 0},
    {"NUL behind", BYTES("{\"status\":\"Succeeded\"}\0"), NOT_JSON, NOT_JSON, "", 0},
    {"string", BYTES("\"Succeeded\""), PLAIN, PLAIN, "", 0},
    {"array", BYTES("[{\"status\":\"Succeeded\"}]"), PLAIN, PLAIN, "", 0},
    {"array of words", BYTES("[\"status\",\"Succeeded\"]"), PLAIN, PLAIN, "", 0},
    {"true", BYTES("true"), PLAIN, PLAIN, "", 0},
    {"number", BYTES("200"), PLAIN, PLAIN, "", 0},
    {"empty object", BYTES("{}"), PLAIN, PLAIN, "", 0},

    {"Succeeded", BYTES("{\"status\":\"Succeeded\"}"), SUCCEEDED, SUCCEEDED, "Succeeded", 0},
    {"Completed", BYTES("{\"status\":\"Completed\"}"), SUCCEEDED, SUCCEEDED, "Completed", 0},
    {"Failed", BYTES("{\"status\":\"Failed\"}"), FAILED, FAILED, "Failed", 0},
    {"Canceled", BYTES("{\"status\":\"Canceled\"}"), CANCELED, CANCELED, "Canceled", 0},
    {"Cancelled", BYTES("{\"status\":\"Cancelled\"}"), CANCELED, CANCELED, "Cancelled", 0},
    {"InProgress", BYTES("{\"status\":\"InProgress\"}"), RUNNING, RUNNING, "InProgress", 0},
    {"Updating, as recorded",
     BYTES("{\"id\":\"/"
           "x\",\"name\":\"oe:1\",\"startTime\":\"2026-03-03T20:17:59.3874592+00:00\",\"endTime\":"
           "\"0001-01-01T00:00:00+00:00\",\"percentComplete\":0.0,\"status\":\"Updating\"}"),
     RUNNING, RUNNING, "Updating", 0},
    {"error before status",
     BYTES("{\"error\":{\"code\":\"x\",\"status\":\"Succeeded\"},\"status\":\"Failed\"}"), FAILED,
     FAILED, "Failed", 0},
    {"status before error", BYTES("{\"status\":\"Failed\",\"error\":{\"status\":\"Succeeded\"}}"),
     FAILED, FAILED, "Failed", 0},
    {"white space around", BYTES(" {\r\n\t\"status\" : \"Succeeded\" } "), SUCCEEDED, SUCCEEDED,
     "Succeeded", 0},
    {"escaped word", BYTES("{\"status\":\"Succ\\u0065eded\"}"), SUCCEEDED, SUCCEEDED, "Succeeded",
     0},
    {"escaped name", BYTES("{\"st\\u0061tus\":\"Succeeded\"}"), SUCCEEDED, SUCCEEDED, "Succeeded",
     0},
    {"name in another case", BYTES("{\"Status\":\"Succeeded\"}"), CONTRADICTORY, CONTRADICTORY, "",
     0},
    {"name in another case, escaped", BYTES("{\"St\\u0061tus\":\"Succeeded\"}"), CONTRADICTORY,
     CONTRADICTORY, "", 0},
    {"name with a NUL", BYTES("{\"status\\u0000\":\"Succeeded\"}"), PLAIN, PLAIN, "", 0},
    {"name with a space", BYTES("{\"status \":\"Succeeded\"}"), PLAIN, PLAIN, "", 0},

    // other words
    {"empty word", BYTES("{\"status\":\"\"}"), RUNNING, RUNNING, "", 0},
    {"Succeede", BYTES("{\"status\":\"Succeede\"}"), RUNNING, RUNNING, "Succeede", 0},
    {"Succeededd", BYTES("{\"status\":\"Succeededd\"}"), RUNNING, RUNNING, "Succeededd", 0},
    {"space before", BYTES("{\"status\":\" Succeeded\"}"), RUNNING, RUNNING, " Succeeded", 0},
    {"space behind", BYTES("{\"status\":\"Failed \"}"), RUNNING, RUNNING, "Failed ", 0},
    {"NUL behind the word", BYTES("{\"status\":\"Succeeded\\u0000\"}"), RUNNING, RUNNING,
     "Succeeded?", 0},
    {"NUL in the word", BYTES("{\"status\":\"Succ\\u0000eeded\"}"), RUNNING, RUNNING, "Succ?eeded",
     0},
    {"NUL before the word", BYTES("{\"status\":\"\\u0000Succeeded\"}"), RUNNING, RUNNING,
     "?Succeeded", 0},
    {"long s", BYTES("{\"status\":\"\xC5\xBFucceeded\"}"), RUNNING, RUNNING, "??ucceeded", 0},
    {"controls", BYTES("{\"status\":\"a\\u001b[2J\\n\x7F~ !\"}"), RUNNING, RUNNING, "a?[2J??~ !",
     0},
    {"31 bytes", BYTES("{\"status\":\"0123456789012345678901234567890\"}"), RUNNING, RUNNING,
     "0123456789012345678901234567890", 0},
    {"32 bytes", BYTES("{\"status\":\"01234567890123456789012345678901\"}"), RUNNING, RUNNING,
     "0123456789012345678901234567890", 0},
    {"31 bytes and half a character",
     BYTES("{\"status\":\"012345678901234567890123456789\xC3\xBC\"}"), RUNNING, RUNNING,
     "012345678901234567890123456789", 0},
    {"a word and much more",
     BYTES("{\"status\":\"Succeeded                                      \"}"), RUNNING, RUNNING,
     "Succeeded                      ", 0},

    // status that is not a string, or missing
    {"status null", BYTES("{\"status\":null}"), PLAIN, PLAIN, "", 0},
    {"status number", BYTES("{\"status\":200}"), PLAIN, PLAIN, "", 0},
    {"status true", BYTES("{\"status\":true}"), PLAIN, PLAIN, "", 0},
    {"status object", BYTES("{\"status\":{\"status\":\"Succeeded\"}}"), PLAIN, PLAIN, "", 0},
    {"status array", BYTES("{\"status\":[\"Succeeded\"]}"), PLAIN, PLAIN, "", 0},
    {"status deeper", BYTES("{\"properties\":{\"status\":\"Succeeded\"}}"), PLAIN, PLAIN, "", 0},
    {"status as a value", BYTES("{\"x\":\"status\",\"y\":\"Succeeded\"}"), PLAIN, PLAIN, "", 0},

    // two of them: ambiguous
    {"status twice", BYTES("{\"status\":\"InProgress\",\"status\":\"Succeeded\"}"), UNREADABLE,
     UNREADABLE, "", REKEY_E_JSON_DUPLICATE},
    {"status twice, the same", BYTES("{\"status\":\"Succeeded\",\"status\":\"Succeeded\"}"),
     UNREADABLE, UNREADABLE, "", REKEY_E_JSON_DUPLICATE},
    {"status twice, once escaped",
     BYTES("{\"status\":\"InProgress\",\"st\\u0061tus\":\"Succeeded\"}"), UNREADABLE, UNREADABLE,
     "", REKEY_E_JSON_DUPLICATE},
    {"status twice, once null", BYTES("{\"status\":null,\"x\":{},\"status\":\"Succeeded\"}"),
     UNREADABLE, UNREADABLE, "", REKEY_E_JSON_DUPLICATE},
    {"another member twice", BYTES("{\"x\":1,\"status\":\"Succeeded\",\"x\":2}"), SUCCEEDED,
     SUCCEEDED, "Succeeded", 0},
    {"status on two levels", BYTES("{\"x\":{\"status\":\"Failed\"},\"status\":\"Succeeded\"}"),
     SUCCEEDED, SUCCEEDED, "Succeeded", 0},

    // properties.provisioningState, which only the answer of a Location has
    {"provisioningState", BYTES("{\"properties\":{\"provisioningState\":\"Succeeded\"}}"), PLAIN,
     SUCCEEDED, "Succeeded", 0},
    {"provisioningState failed", BYTES("{\"properties\":{\"provisioningState\":\"Failed\"}}"),
     PLAIN, FAILED, "Failed", 0},
    {"provisioningState canceled", BYTES("{\"properties\":{\"provisioningState\":\"canceled\"}}"),
     PLAIN, CANCELED, "canceled", 0},
    {"provisioningState running",
     BYTES("{\"id\":\"x\",\"properties\":{\"a\":1,\"provisioningState\":\"Updating\"}}"), PLAIN,
     RUNNING, "Updating", 0},
    {"provisioningState null", BYTES("{\"properties\":{\"provisioningState\":null}}"), PLAIN, PLAIN,
     "", 0},
    {"provisioningState at the top", BYTES("{\"provisioningState\":\"Failed\"}"), PLAIN, PLAIN, "",
     0},
    {"provisioningState deeper",
     BYTES("{\"properties\":{\"x\":{\"provisioningState\":\"Failed\"}}}"), PLAIN, PLAIN, "", 0},
    {"properties null", BYTES("{\"properties\":null}"), PLAIN, PLAIN, "", 0},
    {"properties string", BYTES("{\"properties\":\"provisioningState\"}"), PLAIN, PLAIN, "", 0},
    {"properties array", BYTES("{\"properties\":[{\"provisioningState\":\"Failed\"}]}"), PLAIN,
     PLAIN, "", 0},
    {"status counts before provisioningState",
     BYTES("{\"properties\":{\"provisioningState\":\"Failed\"},\"status\":\"Succeeded\"}"),
     SUCCEEDED, SUCCEEDED, "Succeeded", 0},
    {"status null, provisioningState",
     BYTES("{\"status\":null,\"properties\":{\"provisioningState\":\"Failed\"}}"), PLAIN, FAILED,
     "Failed", 0},
    {"status number, provisioningState",
     BYTES("{\"status\":1,\"properties\":{\"provisioningState\":\"Failed\"}}"), PLAIN, FAILED,
     "Failed", 0},
    {"provisioningState twice",
     BYTES(
         "{\"properties\":{\"provisioningState\":\"Succeeded\",\"provisioningState\":\"Failed\"}}"),
     PLAIN, UNREADABLE, "", REKEY_E_JSON_DUPLICATE},
    {"properties twice",
     BYTES("{\"properties\":{},\"properties\":{\"provisioningState\":\"Succeeded\"}}"), PLAIN,
     UNREADABLE, "", REKEY_E_JSON_DUPLICATE},
    {"escaped names of properties",
     BYTES("{\"propertie\\u0073\":{\"provisioning\\u0053tate\":\"Failed\"}}"), PLAIN, FAILED,
     "Failed", 0},

// what contradicts, without a status that says so
#define ERROR(value) BYTES("{\"error\":" value "}")
    {"error alone", ERROR("{\"code\":\"x\",\"message\":\"y\"}"), CONTRADICTORY, CONTRADICTORY, "",
     0},
    {"error, empty object", ERROR("{}"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error, string", ERROR("\"x\""), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error, empty string", ERROR("\"\""), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error, array", ERROR("[]"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error, number", ERROR("0"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error, true", ERROR("true"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error, false", ERROR("false"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error, null", ERROR("null"), PLAIN, PLAIN, "", 0},
    {"error, escaped name", BYTES("{\"err\\u006Fr\":{}}"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error behind others", BYTES("{\"id\":\"x\",\"name\":\"y\",\"error\":{}}"), CONTRADICTORY,
     CONTRADICTORY, "", 0},
    {"error in another case", BYTES("{\"Error\":{\"Code\":\"x\"}}"), CONTRADICTORY, CONTRADICTORY,
     "", 0},
    {"error in another case, null", BYTES("{\"ERROR\":null}"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"error twice", BYTES("{\"error\":null,\"error\":{}}"), UNREADABLE, UNREADABLE, "",
     REKEY_E_JSON_DUPLICATE},
    {"error twice beside a status", BYTES("{\"error\":null,\"status\":\"Succeeded\",\"error\":{}}"),
     UNREADABLE, UNREADABLE, "", REKEY_E_JSON_DUPLICATE},
    {"error deeper", BYTES("{\"x\":{\"error\":{}}}"), PLAIN, PLAIN, "", 0},
    {"errors", BYTES("{\"errors\":[]}"), PLAIN, PLAIN, "", 0},
    {"erro", BYTES("{\"erro\":{}}"), PLAIN, PLAIN, "", 0},
    {"status null, error", BYTES("{\"status\":null,\"error\":{\"code\":\"x\"}}"), CONTRADICTORY,
     CONTRADICTORY, "", 0},
    {"status null, error null", BYTES("{\"status\":null,\"error\":null}"), PLAIN, PLAIN, "", 0},
    {"status number, error", BYTES("{\"status\":200,\"error\":{\"code\":\"x\"}}"), CONTRADICTORY,
     CONTRADICTORY, "", 0},
    {"Succeeded, and an error", BYTES("{\"status\":\"Succeeded\",\"error\":{\"code\":\"x\"}}"),
     CONTRADICTORY, CONTRADICTORY, "Succeeded", 0},
    {"Succeeded, and no error", BYTES("{\"status\":\"Succeeded\",\"error\":null}"), SUCCEEDED,
     SUCCEEDED, "Succeeded", 0},
    {"running, and an error", BYTES("{\"status\":\"Updating\",\"error\":{\"code\":\"x\"}}"),
     RUNNING, RUNNING, "Updating", 0},
    {"canceled, and an error", BYTES("{\"error\":{\"code\":\"x\"},\"status\":\"Canceled\"}"),
     CANCELED, CANCELED, "Canceled", 0},
    {"Failed in another case", BYTES("{\"Status\":\"Failed\"}"), CONTRADICTORY, CONTRADICTORY, "",
     0},
    {"STATUS", BYTES("{\"STATUS\":\"Failed\"}"), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"two cases", BYTES("{\"status\":\"Succeeded\",\"Status\":\"Failed\"}"), CONTRADICTORY,
     CONTRADICTORY, "Succeeded", 0},
    {"two cases, the other first", BYTES("{\"sTATUS\":1,\"status\":\"Failed\"}"), CONTRADICTORY,
     CONTRADICTORY, "Failed", 0},
    {"Succeeded, an error in another case", BYTES("{\"status\":\"Succeeded\",\"Error\":{}}"),
     CONTRADICTORY, CONTRADICTORY, "Succeeded", 0},
    {"provisioningState and an error",
     BYTES("{\"properties\":{\"provisioningState\":\"Succeeded\"},\"error\":{}}"), CONTRADICTORY,
     CONTRADICTORY, "Succeeded", 0},
    {"provisioningState failed and an error",
     BYTES("{\"properties\":{\"provisioningState\":\"Failed\"},\"error\":{}}"), CONTRADICTORY,
     FAILED, "Failed", 0},
    {"ProvisioningState", BYTES("{\"properties\":{\"ProvisioningState\":\"Failed\"}}"), PLAIN,
     CONTRADICTORY, "", 0},
    {"properties.status failed", BYTES("{\"properties\":{\"status\":\"Failed\"}}"), PLAIN,
     CONTRADICTORY, "", 0},
    {"properties.status canceled", BYTES("{\"properties\":{\"status\":\"cancelled\"}}"), PLAIN,
     CONTRADICTORY, "", 0},
    {"properties.status running", BYTES("{\"properties\":{\"status\":\"Updating\"}}"), PLAIN, PLAIN,
     "", 0},
    {"properties.Status", BYTES("{\"properties\":{\"Status\":\"Failed\"}}"), PLAIN, CONTRADICTORY,
     "", 0},
    {"properties.status twice", BYTES("{\"properties\":{\"status\":1,\"status\":2}}"), PLAIN,
     UNREADABLE, "", REKEY_E_JSON_DUPLICATE},
    {"properties.status failed, provisioningState succeeded",
     BYTES("{\"properties\":{\"provisioningState\":\"Succeeded\",\"status\":\"Failed\"}}"), PLAIN,
     CONTRADICTORY, "Succeeded", 0},
    {"properties.status failed, provisioningState running",
     BYTES("{\"properties\":{\"provisioningState\":\"Updating\",\"status\":\"Failed\"}}"), PLAIN,
     RUNNING, "Updating", 0},
    {"properties.status failed, status succeeded",
     BYTES("{\"properties\":{\"status\":\"Failed\"},\"status\":\"Succeeded\"}"), SUCCEEDED,
     SUCCEEDED, "Succeeded", 0},
    {"string Failed", BYTES("\"Failed\""), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"string canceled", BYTES("\"CANCELED\""), CONTRADICTORY, CONTRADICTORY, "", 0},
    {"string Failed and more", BYTES("\"Failed.\""), PLAIN, PLAIN, "", 0},
    {"string, empty", BYTES("\"\""), PLAIN, PLAIN, "", 0},
    {"array of an error", BYTES("[{\"error\":{}}]"), PLAIN, PLAIN, "", 0},
    {"keys", BYTES("{\"primaryKey\":\"a\",\"secondaryKey\":null}"), PLAIN, PLAIN, "", 0},

    // almost JSON
    {"comma behind the last", BYTES("{\"status\":\"Failed\",}"), NOT_JSON, NOT_JSON, "", 0},
    {"NaN", BYTES("{\"percentComplete\":NaN,\"status\":\"Failed\"}"), NOT_JSON, NOT_JSON, "", 0},
    {"tab in a string", BYTES("{\"status\":\"Failed\",\"x\":\"a\tb\"}"), NOT_JSON, NOT_JSON, "", 0},
    {"line end in a string", BYTES("{\"status\":\"Failed\",\"x\":\"a\nb\"}"), NOT_JSON, NOT_JSON,
     "", 0},
    {"Latin-1", BYTES("{\"status\":\"Failed\",\"x\":\"\xFC\"}"), NOT_JSON, NOT_JSON, "", 0},
    {"comment", BYTES("/* x */{\"status\":\"Failed\"}"), NOT_JSON, NOT_JSON, "", 0},
    {"HTML comment behind", BYTES("{\"status\":\"Failed\"}<!-- x -->"), NOT_JSON, NOT_JSON, "", 0},
    {"single quotation marks", BYTES("{'status':'Failed'}"), NOT_JSON, NOT_JSON, "", 0},
    {"UTF-16", BYTES("{\0\"\0s\0\"\0:\0001\0}\0"), NOT_JSON, NOT_JSON, "", 0},
    {"UTF-16 with its mark", BYTES("\xFF\xFE{\0}\0"), NOT_JSON, NOT_JSON, "", 0},
    {"two marks", BYTES("\xEF\xBB\xBF\xEF\xBB\xBF{\"status\":\"Succeeded\"}"), NOT_JSON, NOT_JSON,
     "", 0},
    {"mark inside", BYTES("{\xEF\xBB\xBF\"status\":\"Succeeded\"}"), NOT_JSON, NOT_JSON, "", 0},
    {"NULs", BYTES("\0\0"), NOT_JSON, NOT_JSON, "", 0},
    {"Nul", BYTES("NULL"), NOT_JSON, NOT_JSON, "", 0},
    {"XML", BYTES("<?xml version=\"1.0\"?><status>Failed</status>"), NOT_JSON, NOT_JSON, "", 0},

    {"32 levels",
     BYTES("{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"status\":"
           "\"Failed\"}"),
     FAILED, FAILED, "Failed", 0},
    {"33 levels",
     BYTES("{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"status\":"
           "\"Failed\"}"),
     UNREADABLE, UNREADABLE, "", REKEY_E_LIMIT_JSON_DEPTH},
};

// A Location that is polled, and the POST itself, succeed with 200 if the body allows it.
static void check_done(const struct rekey_status_body *body, enum rekey_body expected) {
    bool done = expected == EMPTY || expected == PLAIN || expected == SUCCEEDED;

    check((poll(200, REKEY_POLL_LOCATION, body).next == REKEY_NEXT_SUCCEEDED) == done);
    check((post(200, 0, body).next == REKEY_NEXT_SUCCEEDED) == done);
    check((post(201, REKEY_HAS_LOCATION, body).next == REKEY_NEXT_SUCCEEDED) == done);
}

static void test_bodies(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        for (enum rekey_poll_kind kind = REKEY_POLL_NONE; kind <= REKEY_POLL_LOCATION; kind++) {
            bool location = kind == REKEY_POLL_LOCATION || kind == REKEY_POLL_NONE;
            enum rekey_body expected = location ? bodies[i].location : bodies[i].monitor;
            const char *status = names_status(expected) ? bodies[i].status : "";
            const struct rekey_status_body *body;

            row_n(bodies[i].name, kind);
            body = read_body(kind, bodies[i].text, false, false, TOKENS);
            check_int(body->body, expected);
            check_int(body->error, expected == UNREADABLE ? bodies[i].error : 0);
            check_span(status_of(body), rekey_span(status, strlen(status)));
            if (location) {
                check_done(body, expected);
            }
        }
    }
    rows_done();
}

// Each terminal word with every mix of upper and lower case.
static void test_words(void **state) {
    static const struct {
        const char *word;
        enum rekey_body body;
    } words[] = {
        {"succeeded", SUCCEEDED}, {"completed", SUCCEEDED}, {"failed", FAILED},
        {"canceled", CANCELED},   {"cancelled", CANCELED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        size_t len = strlen(words[i].word);

        for (unsigned mix = 0; mix < 1u << len; mix++) {
            char text[32] = "{\"status\":\"";
            const struct rekey_status_body *body;
            char *word = text + strlen(text);

            for (size_t k = 0; k < len; k++) {
                word[k] =
                    (mix >> k & 1) != 0 ? (char)(words[i].word[k] - 'a' + 'A') : words[i].word[k];
            }
            memcpy(word + len, "\"}", 3);
            row_n(words[i].word, (long)mix);
            body = read_body(kinds[mix % 3], rekey_span(text, strlen(text)), false, false, TOKENS);
            check_int(body->body, words[i].body);
            check_span(status_of(body), rekey_span(word, len));
        }
    }
    rows_done();
}

static void test_percent(void **state) {
    static const struct {
        const char *value;
        int percent;
    } rows[] = {
        {"0", 0},       {"0.0", 0},     {"0.99", 0},
        {"1", 1},       {"7.5", 7},     {"42", 42},
        {"99", 99},     {"99.99", 99},  {"100", 100},
        {"100.0", 100}, {"101", -1},    {"199", -1},
        {"999", -1},    {"1000", -1},   {"100000000000000000000", -1},
        {"-1", -1},     {"-0.5", -1},   {"5e1", -1},
        {"1E2", -1},    {"null", -1},   {"true", -1},
        {"{}", -1},     {"[50]", -1},   {"\"\"", -1},
        {"\"x\"", -1},  {"\"50\"", -1}, {"\"12.x\"", -1},
        {"\".5\"", -1},
    };
    static const struct {
        const char *name;
        struct rekey_span text;
        int percent;
    } texts[] = {
        {"not there", BYTES("{\"status\":\"x\"}"), -1},
        {"escaped name", BYTES("{\"percent\\u0043omplete\":12}"), 12},
        {"another case", BYTES("{\"percentcomplete\":12}"), -1},
        {"deeper", BYTES("{\"properties\":{\"percentComplete\":12}}"), -1},
        {"twice", BYTES("{\"percentComplete\":12,\"percentComplete\":13}"), -1},
        {"twice, but the status counts",
         BYTES("{\"percentComplete\":12,\"percentComplete\":13,\"status\":\"Updating\"}"), -1},
        {"empty body", BYTES(""), -1},
        {"null", BYTES("null"), -1},
        {"not JSON", BYTES("{\"percentComplete\":12"), -1},
        {"array", BYTES("[\"percentComplete\",12]"), -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[80];

        row(rows[i].value);
        snprintf(text, sizeof(text), "{\"percentComplete\":%s,\"status\":\"Updating\"}",
                 rows[i].value);
        check_int(
            read_body(kinds[i % 3], rekey_span(text, strlen(text)), false, false, TOKENS)->percent,
            rows[i].percent);
        snprintf(text, sizeof(text), "{\"percentComplete\":%s}", rows[i].value);
        check_int(
            read_body(kinds[i % 3], rekey_span(text, strlen(text)), false, false, TOKENS)->percent,
            rows[i].percent);
    }
    for (size_t i = 0; i < COUNT(texts); i++) {
        row(texts[i].name);
        check_int(read_body(kinds[0], texts[i].text, false, false, TOKENS)->percent,
                  texts[i].percent);
    }
    rows_done();
}

// ---- from an answer to the next step ------------------------------------------------------------

#define ASYNC REKEY_POLL_ASYNC_OPERATION
#define OPERATION REKEY_POLL_OPERATION_LOCATION
#define LOCATION REKEY_POLL_LOCATION
#define STATUS(word) BYTES("{\"status\":\"" word "\"}")
#define STATE(word) BYTES("{\"properties\":{\"provisioningState\":\"" word "\"}}")

static void test_poll_rows(void **state) {
    static const struct {
        const char *name;
        unsigned status;
        enum rekey_poll_kind kind;
        struct rekey_span text;
        bool cut, coded;
        size_t tokens;
        enum rekey_next next;
        int error;
    } rows[] = {
        // rule 4
        {"done", 200, ASYNC, STATUS("Succeeded"), false, false, TOKENS, REKEY_NEXT_SUCCEEDED, 0},
        {"done, 201", 201, OPERATION, STATUS("Completed"), false, false, TOKENS,
         REKEY_NEXT_SUCCEEDED, 0},
        {"done, 202", 202, ASYNC, STATUS("succeeded"), false, false, TOKENS, REKEY_NEXT_SUCCEEDED,
         0},
        {"failed", 200, ASYNC, STATUS("FAILED"), false, false, TOKENS, REKEY_NEXT_FAILED,
         REKEY_E_FAILED},
        {"failed, 202", 202, OPERATION, STATUS("Failed"), false, false, TOKENS, REKEY_NEXT_FAILED,
         REKEY_E_FAILED},
        {"canceled", 200, OPERATION, STATUS("Canceled"), false, false, TOKENS, REKEY_NEXT_FAILED,
         REKEY_E_CANCELED},
        {"cancelled", 201, ASYNC, STATUS("Cancelled"), false, false, TOKENS, REKEY_NEXT_FAILED,
         REKEY_E_CANCELED},
        {"running", 200, ASYNC, STATUS("Updating"), false, false, TOKENS, REKEY_NEXT_RUNNING, 0},
        {"running, empty word", 200, ASYNC, STATUS(""), false, false, TOKENS, REKEY_NEXT_RUNNING,
         0},
        {"204", 204, ASYNC, BYTES(""), false, false, TOKENS, REKEY_NEXT_SUCCEEDED, 0},
        {"202, empty", 202, ASYNC, BYTES(""), false, false, TOKENS, REKEY_NEXT_RUNNING, 0},
        {"202, null", 202, OPERATION, BYTES("null"), false, false, TOKENS, REKEY_NEXT_RUNNING, 0},
        {"200, empty", 200, ASYNC, BYTES(""), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_JSON_STATUS},
        {"200, null", 200, ASYNC, BYTES("null"), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_JSON_STATUS},
        {"200, not JSON", 200, OPERATION, BYTES("OK"), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_JSON},
        {"202, not JSON", 202, ASYNC, BYTES("OK"), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_JSON},
        {"200, no status", 200, ASYNC, BYTES("{\"name\":\"x\"}"), false, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_JSON_STATUS},
        {"200, status null", 200, ASYNC, BYTES("{\"status\":null}"), false, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_JSON_STATUS},
        {"200, a monitor has no provisioningState", 200, ASYNC, STATE("Succeeded"), false, false,
         TOKENS, REKEY_NEXT_UNKNOWN, REKEY_E_JSON_STATUS},
        {"status twice", 200, ASYNC, BYTES("{\"status\":\"Succeeded\",\"status\":\"Failed\"}"),
         false, false, TOKENS, REKEY_NEXT_UNKNOWN, REKEY_E_JSON_DUPLICATE},

        // rule 5
        {"Location, 202", 202, LOCATION, BYTES("null"), false, false, TOKENS, REKEY_NEXT_RUNNING,
         0},
        {"Location, 202, empty", 202, LOCATION, BYTES(""), false, false, TOKENS, REKEY_NEXT_RUNNING,
         0},
        {"Location, 202, not JSON", 202, LOCATION, BYTES("wait"), false, false, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 202, no status", 202, LOCATION, BYTES("{}"), false, false, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 202, Succeeded", 202, LOCATION, STATUS("Succeeded"), false, false, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 202, error", 202, LOCATION, BYTES("{\"error\":{}}"), false, false, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 202, coded", 202, LOCATION, BYTES("\x1F\x8B"), false, true, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 202, cut", 202, LOCATION, STATUS("Failed"), true, false, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 202, Failed", 202, LOCATION, STATE("Failed"), false, false, TOKENS,
         REKEY_NEXT_FAILED, REKEY_E_FAILED},
        {"Location, 200", 200, LOCATION, BYTES("null"), false, false, TOKENS, REKEY_NEXT_SUCCEEDED,
         0},
        {"Location, 200, empty", 200, LOCATION, BYTES(""), false, false, TOKENS,
         REKEY_NEXT_SUCCEEDED, 0},
        {"Location, 200, not JSON", 200, LOCATION, BYTES("OK"), false, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_JSON},
        {"Location, 201, not JSON", 201, LOCATION, BYTES("{"), false, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_JSON},
        {"Location, 200, error", 200, LOCATION, BYTES("{\"error\":{}}"), false, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_CONTRADICTORY},
        {"200, error", 200, ASYNC, BYTES("{\"error\":{}}"), false, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_CONTRADICTORY},
        {"Location, 200, no status", 200, LOCATION, BYTES("{\"primaryKey\":null}"), false, false,
         TOKENS, REKEY_NEXT_SUCCEEDED, 0},
        {"Location, 201", 201, LOCATION, BYTES(""), false, false, TOKENS, REKEY_NEXT_SUCCEEDED, 0},
        {"Location, 204", 204, LOCATION, BYTES(""), false, false, TOKENS, REKEY_NEXT_SUCCEEDED, 0},
        {"Location, 200, Updating", 200, LOCATION, STATE("Updating"), false, false, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 200, InProgress", 200, LOCATION, STATUS("InProgress"), false, false, TOKENS,
         REKEY_NEXT_RUNNING, 0},
        {"Location, 200, Failed", 200, LOCATION, STATUS("Failed"), false, false, TOKENS,
         REKEY_NEXT_FAILED, REKEY_E_FAILED},
        {"Location, 200, Canceled", 200, LOCATION, STATE("Canceled"), false, false, TOKENS,
         REKEY_NEXT_FAILED, REKEY_E_CANCELED},

        // a body that was cut, is coded, or has too many tokens is evidence of nothing
        {"cut", 200, ASYNC, STATUS("Succeeded"), true, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_LIMIT_STAGING},
        {"cut, Failed", 200, ASYNC, STATUS("Failed"), true, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_LIMIT_STAGING},
        {"cut, Location", 200, LOCATION, STATUS("Succeeded"), true, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_LIMIT_STAGING},
        {"cut, Location, no status", 200, LOCATION, BYTES("{}"), true, false, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_LIMIT_STAGING},
        {"cut, nothing kept", 200, LOCATION, BYTES(""), true, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_LIMIT_STAGING},
        {"cut, 202", 202, ASYNC, STATUS("Updating"), true, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_LIMIT_STAGING},
        {"coded", 200, ASYNC, STATUS("Succeeded"), false, true, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_CONTENT_CODING},
        {"coded, Location", 200, LOCATION, BYTES("\x1F\x8B"), false, true, TOKENS,
         REKEY_NEXT_UNKNOWN, REKEY_E_CONTENT_CODING},
        {"coded, 202", 202, ASYNC, BYTES("\x1F\x8B"), false, true, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_CONTENT_CODING},
        {"coded and cut", 200, ASYNC, BYTES("\x1F\x8B"), true, true, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_CONTENT_CODING},
        {"coded and empty", 202, ASYNC, BYTES(""), false, true, TOKENS, REKEY_NEXT_RUNNING, 0},
        {"tokens just enough", 200, ASYNC, BYTES("{\"status\":\"Succeeded\",\"x\":1}"), false,
         false, 5, REKEY_NEXT_SUCCEEDED, 0},
        {"one token too many", 200, ASYNC, BYTES("{\"status\":\"Succeeded\",\"x\":1}"), false,
         false, 4, REKEY_NEXT_UNKNOWN, REKEY_E_LIMIT_JSON_TOKENS},
        {"one token too many, Failed", 200, ASYNC, BYTES("{\"status\":\"Failed\",\"x\":1}"), false,
         false, 4, REKEY_NEXT_UNKNOWN, REKEY_E_LIMIT_JSON_TOKENS},
        {"one token too many, Location", 200, LOCATION, BYTES("{\"x\":[1,2]}"), false, false, 4,
         REKEY_NEXT_UNKNOWN, REKEY_E_LIMIT_JSON_TOKENS},
        {"too deep, Location", 200, LOCATION,
         BYTES("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), false, false,
         TOKENS, REKEY_NEXT_UNKNOWN, REKEY_E_LIMIT_JSON_DEPTH},

        // rule 6: the body does not count
        {"401", 401, ASYNC, STATUS("Succeeded"), false, false, TOKENS, REKEY_NEXT_NEW_TOKEN,
         REKEY_E_UNAUTHORIZED},
        {"404", 404, LOCATION, STATUS("Succeeded"), false, false, TOKENS, REKEY_NEXT_NOT_FOUND,
         REKEY_E_POLL_NOT_FOUND},
        {"429", 429, ASYNC, STATUS("Failed"), false, false, TOKENS, REKEY_NEXT_REPEAT,
         REKEY_E_NOT_PROCESSED},
        {"500", 500, ASYNC, STATUS("Failed"), true, true, TOKENS, REKEY_NEXT_REPEAT,
         REKEY_E_NOT_PROCESSED},
        {"403", 403, LOCATION, STATUS("Failed"), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_POLL_REFUSED},
        {"410", 410, ASYNC, BYTES(""), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_POLL_REFUSED},
        {"302", 302, LOCATION, STATUS("Succeeded"), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_REDIRECT},
        {"206", 206, LOCATION, STATUS("Succeeded"), false, false, TOKENS, REKEY_NEXT_UNKNOWN,
         REKEY_E_STATUS},
        {"101", 101, LOCATION, BYTES(""), false, false, TOKENS, REKEY_NEXT_UNKNOWN, REKEY_E_STATUS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct rekey_status_body *body;

        row(rows[i].name);
        body = read_body(rows[i].kind, rows[i].text, rows[i].cut, rows[i].coded, rows[i].tokens);
        check_rule(poll(rows[i].status, rows[i].kind, body), rows[i].next, rows[i].error);
    }
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        UNIT(test_post_sweep), UNIT(test_post_rows), UNIT(test_poll_sweep), UNIT(test_bodies),
        UNIT(test_words),      UNIT(test_percent),   UNIT(test_poll_rows),
    };

    return cmocka_run_group_tests_name("operation", tests, NULL, rows_total);
}
