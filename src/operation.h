// operation.h - the rules of a long-running operation (docs/service.md 3 and 4) as pure functions:
// from an answer to the next step. Nothing here waits, sends, or remembers; rekey.c does.

#ifndef REKEY_OPERATION_H
#define REKEY_OPERATION_H

#include "json.h"

#ifdef __cplusplus
extern "C" {
#endif

// What kind of URL is polled, after the field that brought it. The first two are status monitors: a
// poll answers with the operation's status. A Location answers with HTTP statuses.
enum rekey_poll_kind {
    REKEY_POLL_NONE,
    REKEY_POLL_ASYNC_OPERATION,    // Azure-AsyncOperation
    REKEY_POLL_OPERATION_LOCATION, // Operation-Location
    REKEY_POLL_LOCATION,           // Location
};

enum rekey_next {
    REKEY_NEXT_SUCCEEDED,
    REKEY_NEXT_POLL,      // running; a polling URL came
    REKEY_NEXT_RUNNING,   // running; poll again
    REKEY_NEXT_NEW_TOKEN, // 401
    REKEY_NEXT_REPEAT,    // not processed, or a poll that failed to read: wait, then repeat
    REKEY_NEXT_MAYBE,     // this POST may have been executed
    REKEY_NEXT_NOT_FOUND, // a poll's 404: tolerated a few times in a row
    REKEY_NEXT_REFUSED,   // the service refused: nothing was executed
    REKEY_NEXT_FAILED,    // the operation ended without success
    REKEY_NEXT_UNKNOWN,   // what became of the operation cannot be said
};

// What the head of the POST's answer carries.
#define REKEY_HAS_MONITOR 1u     // Azure-AsyncOperation or Operation-Location
#define REKEY_HAS_LOCATION 2u    // Location
#define REKEY_HAS_RETRY_AFTER 4u // a readable Retry-After in any of its spellings

// What an answer says beside its status code.
enum rekey_body {
    REKEY_BODY_EMPTY, // nothing, or null
    REKEY_BODY_NOT_JSON,
    REKEY_BODY_PLAIN,   // JSON that names no status
    REKEY_BODY_RUNNING, // a status, and none of those below
    REKEY_BODY_SUCCEEDED,
    REKEY_BODY_FAILED,
    REKEY_BODY_CANCELED,
    REKEY_BODY_UNREADABLE,    // cut, coded, over a limit, or ambiguous: evidence of nothing
    REKEY_BODY_CONTRADICTORY, // something in it contradicts success, without a status that says so
};

struct rekey_status_body {
    enum rekey_body body;
    int8_t percent;  // percentComplete, 0..100; -1 if it is not there
    int16_t error;   // why a REKEY_BODY_UNREADABLE is unreadable
    char status[32]; // NUL-terminated, cut if it is longer; printable ASCII, '?' for all else
};

// Reads the body of an answer with 200, 201 or 202: of a poll of that kind, or of the POST with
// REKEY_POLL_NONE, which is read as that of a Location. `error` says why it is not to be read: an
// error of rekey_json_parse, REKEY_E_CONTENT_CODING, REKEY_E_LIMIT_STAGING; or 0. With
// REKEY_E_JSON an empty json->text is an empty body.
void rekey_operation_body(struct rekey_status_body *out, enum rekey_poll_kind kind,
                          const struct rekey_json *json, int error);

// docs/service.md 3: the answer to the POST. *body counts with 200 and 201 only; of a request that
// is merely read it is a REKEY_BODY_EMPTY. *error is what an end of this kind is reported as; 0
// where there is none.
enum rekey_next rekey_operation_post(unsigned status, unsigned has,
                                     const struct rekey_status_body *body, int *error);

// docs/service.md 4: the answer to a poll. Status codes but 200, 201 and 202 do not look at *body.
// *error as above.
enum rekey_next rekey_operation_poll(unsigned status, enum rekey_poll_kind kind,
                                     const struct rekey_status_body *body, int *error);

#ifdef __cplusplus
}
#endif

#endif
