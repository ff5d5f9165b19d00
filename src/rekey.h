// rekey.h - regenerate the authentication keys of an Azure Machine Learning online endpoint.
//
//     rekey_init, then rekey_regenerate (or rekey_list_keys, or rekey_resume), then rekey_step
//     until it returns 0 or an error, then rekey_report.
//
// The caller owns all memory: a struct rekey, which is visible so that its size is known at compile
// time, and whose fields are private. Nothing here allocates, blocks, sleeps, or keeps state
// outside of it. There is nothing to free: before rekey_step returns 0 or an error, the connection
// is closed and token, key value and everything read are zeroized.

#ifndef REKEY_H
#define REKEY_H

#include "arm_error.h"
#include "exchange.h"
#include "operation.h"
#include "rekey_config.h"
#include "rekey_error.h"
#include "rekey_port.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

// What became of the operation, numbered as the exit codes of the command (azure.md 7). Kept apart
// from the error: a lost connection before the POST is REKEY_NOT_REACHED, after it REKEY_UNKNOWN.
// Names, numbers and meanings stay the same in later versions, and none is added.
enum rekey_outcome {
    REKEY_SUCCEEDED = 0,    // the service said so
    REKEY_REFUSED = 1,      // the service refused: nothing was changed
    REKEY_FAILED = 101,     // the service ran the operation and it failed (exit code 1 as well)
    REKEY_USAGE = 2,        // a bad parameter: nothing was sent
    REKEY_NOT_REACHED = 10, // nothing was sent, not processed, or merely read and not understood
    REKEY_NOT_TRUSTED = 11, // certificate, host name, dates, clock: nothing was sent
    REKEY_UNKNOWN = 12,     // the request may have taken effect: list the keys, then decide
    REKEY_RUNNING = 13,     // accepted, and running as far as is known: can be resumed
    REKEY_CREDENTIALS = 14, // no token, or it was refused: nothing was executed
    REKEY_LOCAL = 15,       // the device failed: entropy, storage, memory
    REKEY_NONE = 100,       // not started, or not ended: nothing can be said yet
};

// The exit code of a program that ends with this outcome: its number, but 1 for REKEY_FAILED, and
// for REKEY_NONE that of REKEY_UNKNOWN, because a request may be under way.
static inline int rekey_exit_code(enum rekey_outcome outcome) {
    return outcome == REKEY_FAILED ? REKEY_REFUSED
           : outcome == REKEY_NONE ? REKEY_UNKNOWN
                                   : (int)outcome;
}

struct rekey_credential; // credential.h

enum rekey_key { REKEY_KEY_PRIMARY = 1, REKEY_KEY_SECONDARY = 2 };

// The endpoint's names, as azure.md 1 bounds them; unescaped. `api_version` may be empty:
// 2025-09-01.
struct rekey_endpoint {
    struct rekey_span subscription;
    struct rekey_span resource_group; // UTF-8
    struct rekey_span workspace;
    struct rekey_span name;
    struct rekey_span api_version;
    bool serverless; // one of serverlessEndpoints, not of onlineEndpoints
};

// What a device needs to finish an operation after a restart. Saved twice: before the POST, with
// kind REKEY_POLL_NONE (from then on the outcome is unknown), and with each polling URL.
struct rekey_record {
    enum rekey_poll_kind kind;
    struct rekey_span url;        // empty with REKEY_POLL_NONE
    struct rekey_span request_id; // x-ms-client-request-id: 36 bytes
    bool unsure;                  // an earlier POST of this operation may have been executed too
};

// Where listKeys puts the keys. Unescaped, not NUL-terminated. Zeroize it after use.
struct rekey_key_value {
    uint16_t len;
    bool null; // the service has none
    char value[REKEY_KEY_VALUE_MAX];
};

struct rekey_keys {
    struct rekey_key_value primary, secondary;
};

// Where rekey_get_token puts the token. Zeroize it after use.
struct rekey_token {
    uint64_t lifetime_ms; // from now on; 0 where the service did not say
    uint16_t len;
    char value[REKEY_TOKEN_MAX]; // not NUL-terminated
};

// One of the secrets that the core does not have by itself, and that must not be repeated where the
// service says it: a proxy's password, a key that is listed. NULs at the end of `text` do not
// count, so that it can be a whole buffer, which is filled later.
struct rekey_secret {
    struct rekey_span text;
    const struct rekey_secret *next; // NULL: the last one
};

// Start from REKEY_OPTIONS_INIT. The struct and what it points at live as long as the struct rekey.
struct rekey_options {
    struct rekey_span host; // the management host, as management.azure.com; no brackets around IPv6
    uint16_t port;          // 443
    bool retry_unsafe;      // also repeat a POST that may have been executed
    // For several operations in a row, as a list, a regeneration and another list. One that
    // succeeds leaves its connection open, over which the next one goes if it only reads and begins
    // within REKEY_IDLE_MAX_MS; a regeneration never does. The token is left too, and used until it
    // is to be renewed or is refused. rekey_abort closes and zeroizes both; until then no other
    // client may use the transport, and `host` and `port` stay as they are.
    bool hold;
    struct rekey_span board; // for User-Agent: rekey/<version> (<board>)

    // Gets tokens and renews them (credential.h). NULL: `token` is asked instead.
    struct rekey_credential *credential;

    // Writes a bearer token to buf[0..cap) and its length to *len. Called before the first request,
    // and once more after the service refused a token: one that differs is then used, the same one
    // fails. Returns REKEY_DONE; REKEY_AGAIN to be called again at once; a REKEY_WANT_... to be
    // called again within REKEY_TOKEN_WAIT_MS, because nothing tells rekey_run that there is a
    // token now; REKEY_E_NO_TOKEN; or REKEY_E_LIMIT_TOKEN with the length that is needed in *len.
    int (*token)(void *ctx, char *buf, size_t cap, size_t *len);
    void *token_ctx;

    // Saves *record so that it survives a power cut, in place of the one before. May be NULL: then
    // a restart leaves the outcome unknown. Returns REKEY_DONE or REKEY_E_SAVE. A failure before
    // the POST ends the operation with nothing sent; a later one is only reported.
    int (*save)(void *ctx, const struct rekey_record *record);
    void *save_ctx;

    uint32_t timeout_ms;         // the whole operation
    uint32_t connect_timeout_ms; // one connection: lookup, connect and handshake
    uint32_t idle_timeout_ms;    // without a byte from the peer
    uint32_t poll_interval_ms;   // between polls, when the service names no wait; may be 0

    const struct rekey_secret *secrets; // NULL: there are none
};

// In the order of the fields, so that C++ takes it, too.
#define REKEY_OPTIONS_INIT                                                                         \
    {                                                                                              \
        {"management.azure.com", 20}, 443, false, false, {"unknown board", 13}, NULL, NULL, NULL,  \
            NULL, NULL, REKEY_TIMEOUT_MS, REKEY_CONNECT_TIMEOUT_MS, REKEY_IDLE_TIMEOUT_MS,         \
            REKEY_POLL_INTERVAL_MS, NULL                                                           \
    }

// The fields of an answer that are captured.
enum rekey_field_index {
    REKEY_FIELD_ASYNC_OPERATION,
    REKEY_FIELD_OPERATION_LOCATION,
    REKEY_FIELD_LOCATION,
    REKEY_FIELD_RETRY_AFTER,
    REKEY_FIELD_RETRY_AFTER_MS,
    REKEY_FIELD_X_MS_RETRY_AFTER_MS,
    REKEY_FIELD_DATE,
    REKEY_FIELD_REQUEST_ID,
    REKEY_FIELD_CORRELATION_ID,
    REKEY_FIELD_AUTHENTICATE,
    REKEY_FIELD_COUNT
};

// All fields are private. rekey_report tells what there is to know.
struct rekey {
    const struct rekey_port *port;
    const struct rekey_options *options;
    uint16_t token_len; // of what an operation with `hold` has left, or of the running one
    // What follows is cleared when an operation begins, but for `x` and the token; the smallest
    // come first, because they are read most and short offsets make short instructions.
    uint8_t state, job, key, outcome, kind, new_kind;
    uint8_t tries, not_found, immediate, subject_len;
    bool wrote;      // a POST is going out, or has gone and is not answered
    bool remembered; // an attempt may have been executed
    bool renewing;   // the service refused the token, and a new one is being got
    bool save_failed;
    bool claims;              // the token was refused with a claims challenge
    bool key_value_forgotten; // hide.h: only its digests are left
    bool stepping;            // what is called of the port is called by rekey_step
    bool aborted;             // rekey_abort was called by it: the step ends the operation
    uint16_t url_len, key_value_len, body_len, http_status;
    struct rekey_http_cursor cursor;
    int error, cause, url_error;
    int32_t named_ms; // the wait that the answer names; -1 if it names none
    uint32_t requests, answers, polls, wait_ms;
    uint32_t needed; // bytes that a passed limit would have had to hold
    const struct rekey_endpoint *endpoint;
    const struct rekey_read *read; // what is read; NULL: nothing
    void *out;                     // where what was read, or the token, goes
    uint64_t now;                  // of the last step; all on the port's clock
    uint64_t deadline;             // of the operation
    uint64_t wake;                 // when a wait is over
    struct rekey_exchange x;
    struct rekey_http_field fields[REKEY_FIELD_COUNT];
    struct rekey_arm_error service;
    struct rekey_status_body status; // of the last poll that had one
    char client_id[37];              // NUL-terminated
    char captured[6][41]; // the fields from REKEY_FIELD_RETRY_AFTER on, with a byte for a NUL
    char subject[REKEY_SUBJECT_MAX];
    char url[REKEY_URL_MAX]; // before there is one: the path of the POST
    // From here on, all is zeroized at the end; the token, if it is held, later.
    char key_value[REKEY_KEY_VALUE_MAX];
    union {
        char bytes[REKEY_STAGING_MAX];
        int align;
    } staging;
    char token[REKEY_TOKEN_MAX];
};

#if REKEY_URL_MAX <= 4096 && REKEY_TOKEN_MAX <= 4096 && REKEY_STAGING_MAX <= 4096
static_assert(sizeof(struct rekey) <= 14336, "the memory budget of docs/design.md");
#endif

// Spans and pointers lead into the struct rekey or the caller's own memory, and are valid until the
// next call that starts an operation.
struct rekey_report {
    enum rekey_outcome outcome; // REKEY_NONE while it runs
    int error;                  // why; 0 with REKEY_SUCCEEDED and REKEY_NONE
    int cause;            // the last failure that was repeated or waited out; 0 if there was none
    unsigned http_status; // of the last answer; 0 if there was none
    const struct rekey_arm_error *service; // the last answer's error; empty if it had none
    const char *status;        // the last status word of the operation, printable; may be ""
    int percent;               // percentComplete, 0..100; -1 where not known
    enum rekey_poll_kind kind; // REKEY_POLL_NONE until there is a polling URL
    struct rekey_span url;     // the polling URL; a secret of sorts: it is signed
    struct rekey_span target;  // path and query of the last request; of a poll the whole URL
    bool get;                  // it was a GET, if it was no poll; else a POST
    struct rekey_span host;    // of the last connection: the management host, or the token service
    struct rekey_span subject; // the host that a refused polling URL or a redirect leads to
    const char *client_request_id; // of the last POST; these three may be ""
    const char *request_id;        // x-ms-request-id of the last answer
    const char *correlation_id;    // x-ms-correlation-request-id of the last answer
    uint32_t requests, answers;    // so far
    uint32_t polls;                // GETs that were answered
    uint32_t wait_ms;              // the wait that was last begun
    uint32_t needed;  // bytes that a passed limit (rekey_error_limit) would need; 0: not known
    bool save_failed; // the polling URL could not be saved: a restart cannot resume
    bool waiting;     // for the next request, or the first, to begin
};

// An application that is compiled with other limits than the archive has structs of another layout.
// The two do not link, because the name of rekey_init holds the limits that decide the layout. An
// undefined reference to rekey_init_url8192_... names those of the application;
// `nm librekey.a | grep rekey_init` names those of the archive.
#define REKEY_NAME_OF(name, url, token, staging, key, io)                                          \
    name##_url##url##_token##token##_staging##staging##_key##key##_io##io
#define REKEY_NAME_WITH(name, url, token, staging, key, io)                                        \
    REKEY_NAME_OF(name, url, token, staging, key, io)
#define rekey_init                                                                                 \
    REKEY_NAME_WITH(rekey_init, REKEY_URL_MAX, REKEY_TOKEN_MAX, REKEY_STAGING_MAX,                 \
                    REKEY_KEY_VALUE_MAX, REKEY_IO_SIZE)

// Makes *r ready. `port` and `options` stay the caller's and must live as long as *r. Returns 0;
// REKEY_E_PORT where a function of the port is NULL that must be there, or `plain` has some of its
// functions only; REKEY_E_OPTIONS; or REKEY_E_HOST. After an error, and where *r is zeroed and this
// was not called at all (REKEY_E_OPTIONS), every call below returns the error, and the report says
// REKEY_USAGE.
int rekey_init(struct rekey *r, const struct rekey_port *port, const struct rekey_options *options);

// Each of these checks its parameters and starts an operation; nothing is sent yet.
// `endpoint` and what it points at must live until the operation has ended. They return 0;
// REKEY_E_BUSY while another operation runs, which goes on; or an error that has ended the
// operation before it began (outcome REKEY_USAGE). Called by a function of the port or of the
// options, they return REKEY_E_BUSY.

// Regenerates one key. `key_value` is copied; empty (a NULL pointer) lets the service choose.
// Returns also REKEY_E_SUBSCRIPTION, REKEY_E_RESOURCE_GROUP, REKEY_E_WORKSPACE, REKEY_E_ENDPOINT,
// REKEY_E_API_VERSION, REKEY_E_KEY_TYPE, REKEY_E_KEY_VALUE, REKEY_E_LIMIT_KEY_VALUE.
int rekey_regenerate(struct rekey *r, const struct rekey_endpoint *endpoint, enum rekey_key key,
                     struct rekey_span key_value);

// Reads both keys into *keys, which is complete once rekey_step has returned 0. Changes nothing,
// and is repeated freely. Returns errors as rekey_regenerate does.
int rekey_list_keys(struct rekey *r, const struct rekey_endpoint *endpoint,
                    struct rekey_keys *keys);

// Gets a token and does nothing with it: *token is complete once rekey_step has returned 0. For an
// application that checks its identity, or speaks to the service itself. Returns 0 or REKEY_E_BUSY.
int rekey_get_token(struct rekey *r, struct rekey_token *token);

// Goes on polling an operation that was saved. The URL is copied, and must lead to the configured
// management host. Returns also REKEY_E_RECORD, REKEY_E_RESUME_NO_URL, REKEY_E_LIMIT_URL, and the
// errors REKEY_E_URL_...; with all but the first the outcome of the saved operation is unknown.
int rekey_resume(struct rekey *r, const struct rekey_record *record);

// Does a bounded piece of work; never sleeps. Returns
//   REKEY_AGAIN                         call again at once,
//   REKEY_WANT_READ, REKEY_WANT_WRITE   call again when the transport is ready for it, or when
//                                       rekey_wait_ms has passed, whichever comes first,
//   REKEY_WANT_TIME                     call again when rekey_wait_ms has passed,
//   REKEY_DONE (0)                      the operation succeeded,
//   an error                            it ended otherwise: see the report's outcome.
// The last two are sticky. To call it too early is allowed, and does no harm. Called by a function
// of the port or of the options, which rekey_step itself has called, it returns REKEY_E_BUSY.
int rekey_step(struct rekey *r);

// Milliseconds that the caller may sleep, at most, after the last rekey_step. It takes in all that
// is waited for: the wait between two requests, the timeouts, and the transport's own time (wait_ms
// of rekey_port.h). So one rule is enough for a loop: call rekey_step again when the transport is
// ready or rekey_wait_ms has passed. 0 where no operation is running.
uint32_t rekey_wait_ms(const struct rekey *r);

// At any time: what is known.
void rekey_report(const struct rekey *r, struct rekey_report *report);

// Says in words why the operation ended as it did, where the transport of the last connection knows
// more than the report's `error`, as whose certificate was refused and why; where it knows nothing
// of that, of `cause`. The words go to buf[0..cap) (cap > 0) with a NUL; an empty text where there
// is no more to say. The token, the key value and the secrets are never part of it. Names out of a
// server's certificate may be: they are a stranger's words, to be made safe before they are shown.
// Valid until the next operation begins.
void rekey_explain(const struct rekey *r, char *buf, size_t cap);

// Ends the operation: closes, zeroizes; the report says what is known. When none is running, only
// what an operation with `hold` has left is closed and zeroized. Can be called at any time, also by
// a function of the port or of the options. Where rekey_step has called that function, it sends
// nothing more and ends the operation before it returns; an operation that has ended in that very
// step stays as it ended.
void rekey_abort(struct rekey *r);

// rekey_step and the port's wait in a loop, for a caller with nothing else to do. Returns as
// rekey_step does at the end; REKEY_E_PORT, which ends the operation, where the port has no wait.
int rekey_run(struct rekey *r);

#ifdef __cplusplus
}
#endif

#endif
