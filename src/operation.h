// operation.h - the rules of a long-running operation (docs/service.md 3 and 4) as pure functions:
// from an answer to the next step. Nothing here waits, sends or keeps a state; that is in rekey.c.

#ifndef REKEY_OPERATION_H
#define REKEY_OPERATION_H

#include "json.h"

#ifdef __cplusplus
extern "C" {
#endif

// The kind of the polling URL, with the name of the field that contained the URL.
// Azure-AsyncOperation and Operation-Location are status monitors: the body of the answer to a poll
// has the operation's status. With Location, the HTTP status code of the answer is the status of
// the operation.
enum rekey_poll_kind {
    REKEY_POLL_NONE,
    REKEY_POLL_ASYNC_OPERATION,    // Azure-AsyncOperation
    REKEY_POLL_OPERATION_LOCATION, // Operation-Location
    REKEY_POLL_LOCATION,           // Location
};

enum rekey_next {
    REKEY_NEXT_SUCCEEDED,
    REKEY_NEXT_POLL,      // running; the answer contains a polling URL
    REKEY_NEXT_RUNNING,   // running; poll again
    REKEY_NEXT_NEW_TOKEN, // 401
    REKEY_NEXT_REPEAT,    // not processed, or a poll that failed: wait, then repeat
    REKEY_NEXT_MAYBE,     // this POST may have been executed
    REKEY_NEXT_NOT_FOUND, // 404 to a poll: tolerated a few times in a row
    REKEY_NEXT_REFUSED,   // the service refused: nothing was executed
    REKEY_NEXT_FAILED,    // the operation ended without success
    REKEY_NEXT_UNKNOWN,   // the result of the operation is unknown
};

// Which fields the head of the answer to the POST contains.
#define REKEY_HAS_MONITOR 1u     // Azure-AsyncOperation or Operation-Location
#define REKEY_HAS_LOCATION 2u    // Location
#define REKEY_HAS_RETRY_AFTER 4u // a readable Retry-After in any of its spellings

// The meaning of a body.
enum rekey_body {
    REKEY_BODY_EMPTY, // nothing, or null
    REKEY_BODY_NOT_JSON,
    REKEY_BODY_PLAIN,   // JSON without a status
    REKEY_BODY_RUNNING, // a status that is not one of those below
    REKEY_BODY_SUCCEEDED,
    REKEY_BODY_FAILED,
    REKEY_BODY_CANCELED,
    REKEY_BODY_UNREADABLE,    // proves nothing: the body was cut, has a Content-Encoding, is over a
                              // limit, or is ambiguous
    REKEY_BODY_CONTRADICTORY, // a member contradicts success, although no status says that it
                              // failed
};

struct rekey_status_body {
    enum rekey_body body;
    int8_t percent;  // percentComplete, 0..100; -1 if it is missing
    int16_t error;   // the reason for REKEY_BODY_UNREADABLE
    char status[32]; // NUL-terminated, cut if too long; a byte that is not printable ASCII is '?'
};

// Reads the body of an answer with 200, 201 or 202 into *out. `kind` is the kind of the poll, or
// REKEY_POLL_NONE for the POST, whose body is read like that of a Location. `error` is 0, or the
// reason why the body cannot be read: an error of rekey_json_parse, REKEY_E_CONTENT_CODING or
// REKEY_E_LIMIT_STAGING. REKEY_E_JSON with an empty json->text means an empty body.
void rekey_operation_body(struct rekey_status_body *out, enum rekey_poll_kind kind,
                          const struct rekey_json *json, int error);

// docs/service.md 3: the next step after the answer to the POST of a regeneration, or to a
// read-only request (struct rekey_read, such as listKeys; polls have the function below). *body is
// used only with status 200 or 201; for a read-only request pass REKEY_BODY_EMPTY. *error is set to
// the error to report if this step ends the operation, else to 0.
enum rekey_next rekey_operation_post(unsigned status, unsigned has,
                                     const struct rekey_status_body *body, int *error);

// docs/service.md 4: the next step after the answer to a poll. *body is used only with status 200,
// 201 or 202. *error is set as by rekey_operation_post.
enum rekey_next rekey_operation_poll(unsigned status, enum rekey_poll_kind kind,
                                     const struct rekey_status_body *body, int *error);

#ifdef __cplusplus
}
#endif

#endif
