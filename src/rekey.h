// rekey.h - regenerate the authentication keys of an Azure Machine Learning online endpoint.
//
//     rekey_init, then rekey_regenerate (or rekey_list_keys, or rekey_resume), then rekey_step
//     until it returns 0 or an error, then rekey_report.
//
// The caller owns all memory: a struct rekey. Its definition is visible so that its size is known
// at compile time; its fields are private. Nothing here allocates, blocks, sleeps, or keeps state
// outside of the struct. There is nothing to free: before rekey_step returns 0 or an error, it
// zeroizes the key value and all data that was read, closes the connection and zeroizes the token.
// With the option `hold`, an operation that succeeds leaves the last two until rekey_abort.

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

// The result of the operation, numbered like the exit codes of the command (docs/service.md 7.1).
// It is independent of the error: if the connection breaks before the POST, the outcome is
// REKEY_NOT_REACHED; if it breaks after the POST, the outcome is REKEY_UNKNOWN. Names, numbers and
// meanings stay the same in later versions, and no outcome is added.
enum rekey_outcome {
    REKEY_SUCCEEDED = 0,    // the service said that the operation succeeded
    REKEY_REFUSED = 1,      // the service refused: nothing was changed
    REKEY_FAILED = 101,     // the service ran the operation and it failed (exit code 1 as well)
    REKEY_USAGE = 2,        // a bad parameter: nothing was sent
    REKEY_NOT_REACHED = 10, // nothing was sent or processed, or a read was not understood
    REKEY_NOT_TRUSTED = 11, // certificate, host name, dates, clock: nothing was sent
    REKEY_UNKNOWN = 12,     // the request may have taken effect: list the keys, then decide
    REKEY_RUNNING = 13,     // accepted, and probably still running: can be resumed
    REKEY_CREDENTIALS = 14, // no token, or a refused token: nothing was executed
    REKEY_LOCAL = 15,       // the device failed: entropy, storage, memory
    REKEY_NONE = 100,       // no operation was started, or it has not ended
};

// The exit code of a program that ends with this outcome: the number of the outcome, except that
// REKEY_FAILED is 1, and REKEY_NONE is the same as REKEY_UNKNOWN, because a request may be in
// progress.
static inline int rekey_exit_code(enum rekey_outcome outcome) {
    return outcome == REKEY_FAILED ? REKEY_REFUSED
           : outcome == REKEY_NONE ? REKEY_UNKNOWN
                                   : (int)outcome;
}

struct rekey_credential; // credential.h

enum rekey_key { REKEY_KEY_PRIMARY = 1, REKEY_KEY_SECONDARY = 2 };

// The names of the endpoint, unescaped; docs/service.md 1.2 has their rules. An empty `api_version`
// means 2025-09-01.
struct rekey_endpoint {
    struct rekey_span subscription;
    struct rekey_span resource_group; // UTF-8
    struct rekey_span workspace;
    struct rekey_span name;
    struct rekey_span api_version;
    bool serverless; // a serverless endpoint, not an online endpoint
};

// The data that a device needs to finish an operation after a restart. It is saved before the POST,
// with kind REKEY_POLL_NONE (from then on the outcome is unknown), and again with each polling URL.
struct rekey_record {
    enum rekey_poll_kind kind;
    struct rekey_span url;        // empty with REKEY_POLL_NONE
    struct rekey_span request_id; // x-ms-client-request-id: 36 letters, digits and '-'
    bool unsure; // an earlier POST of this operation may have been executed as well
};

// The keys that rekey_list_keys reads, unescaped and not NUL-terminated. The caller must zeroize
// the struct after use.
struct rekey_key_value {
    uint16_t len;
    bool null; // the service returned null: there is no such key
    char value[REKEY_KEY_VALUE_MAX];
};

struct rekey_keys {
    struct rekey_key_value primary, secondary;
};

// The token that rekey_get_token obtains. The caller must zeroize the struct after use.
struct rekey_token {
    uint64_t lifetime_ms; // remaining lifetime; 0 if the service did not give it
    uint16_t len;
    char value[REKEY_TOKEN_MAX]; // not NUL-terminated
};

// A list of secrets that the core does not know otherwise, such as a proxy's password or a listed
// key. If an answer of the service contains one of these secrets, the report does not show the
// secret. NULs at the end of `text` are ignored, so that `text` can be a whole buffer that is
// filled later.
struct rekey_secret {
    struct rekey_span text;
    const struct rekey_secret *next; // NULL: this is the last one
};

// Start from REKEY_OPTIONS_INIT. The struct and everything that it points to must stay valid as
// long as the struct rekey is used.
struct rekey_options {
    struct rekey_span host; // management host, such as management.azure.com; IPv6 without brackets
    uint16_t port;          // 443
    bool retry_unsafe;      // also repeat a POST that may have been executed
    // For several operations in a row, such as a list, a regeneration and another list. An
    // operation that succeeds keeps its connection open. The next operation uses this connection if
    // it only reads and begins within REKEY_IDLE_MAX_MS; a regeneration always opens a new
    // connection. The token is kept as well, and is used until it must be renewed or the service
    // refuses it. rekey_abort closes the connection and zeroizes the token. Until then no other
    // client may use the transport, and `host` and `port` must not change.
    bool hold;
    struct rekey_span board; // at most 128 bytes, for User-Agent: rekey/<version> (<board>)

    // Obtains tokens and renews them (credential.h). NULL: `token` is called instead.
    struct rekey_credential *credential;

    // Writes a bearer token to buf[0..cap) and its length to *len. The function is called before
    // the first request, and once more after the service refused the token. It must then write
    // another token: the same token ends the operation with an error. Returns REKEY_DONE;
    // REKEY_AGAIN to be called again at once; a REKEY_WANT_... if the token is not ready, to be
    // called again after at most REKEY_TOKEN_WAIT_MS; REKEY_E_NO_TOKEN; or REKEY_E_LIMIT_TOKEN with
    // the length of the token in *len.
    int (*token)(void *ctx, char *buf, size_t cap, size_t *len);
    void *token_ctx;

    // Saves *record so that it survives a power cut, and replaces the previous record. `save` may
    // be NULL: then the outcome is unknown after a restart. Returns REKEY_DONE or REKEY_E_SAVE. If
    // saving fails before the POST, the operation ends and nothing is sent; a later failure only
    // appears in the report (save_failed). The application erases the record when the regeneration
    // or its resumption has ended with an outcome other than REKEY_UNKNOWN and REKEY_RUNNING. At
    // its start it passes a record that it finds to rekey_resume. If that refuses the record, as it
    // does with kind REKEY_POLL_NONE or a damaged request id, the outcome is REKEY_UNKNOWN: list
    // the keys, decide, and then erase the record.
    int (*save)(void *ctx, const struct rekey_record *record);
    void *save_ctx;

    uint32_t timeout_ms;         // of the whole operation
    uint32_t connect_timeout_ms; // of one connection: lookup, connect and handshake
    uint32_t idle_timeout_ms;    // the longest time without a byte from the peer
    uint32_t poll_interval_ms;   // between polls if the service requires no wait; may be 0

    const struct rekey_secret *secrets; // NULL: there are none
};

// In the order of the fields, without designators, so that C++ accepts the macro as well.
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

// All fields are private; use rekey_report.
struct rekey {
    const struct rekey_port *port;
    const struct rekey_options *options;
    uint16_t token_len; // of the token of the running operation, or of one that `hold` has kept
    // All fields from here on are cleared when an operation begins, except `x` and the token. Small
    // fields come first: they are used most, and short offsets make short instructions.
    uint8_t state, operation, key, outcome, kind, new_kind;
    uint8_t tries, not_found, immediate, subject_len;
    bool post_sent;      // a POST is being sent, or was sent and is not answered yet
    bool maybe_executed; // an earlier POST may have been executed; stays set once it is set
    bool renewing;       // the service refused the token, and a new one is being obtained
    bool save_failed;
    bool claims;              // the token was refused with a claims challenge
    bool key_value_forgotten; // only digests of the key value are left (hide.h)
    bool stepping;            // a call of this API is running: the port must not start another
    bool aborted; // rekey_abort was called during this call: the step ends the operation
    uint16_t url_len, key_value_len, body_len, http_status;
    struct rekey_http_cursor cursor;
    int error, cause, url_error;
    int32_t named_ms; // the wait that the answer requires, in ms; -1: none
    uint32_t requests, answers, polls, wait_ms;
    uint32_t needed; // bytes that would have been enough for the limit that was exceeded
    const struct rekey_endpoint *endpoint;
    const struct rekey_read *read; // the read that is running; NULL: the operation is not a read
    void *out;                     // the caller's struct for the result of a read, or for the token
    uint64_t now;      // time of the last step; these three are on the port's clock in ms
    uint64_t deadline; // of the operation
    uint64_t wake;     // end of a wait
    struct rekey_exchange x;
    struct rekey_http_field fields[REKEY_FIELD_COUNT];
    struct rekey_arm_error service;
    struct rekey_status_body status; // of the last poll whose answer had a status
    char client_id[37];              // NUL-terminated
    char captured[6][41]; // values of the fields from REKEY_FIELD_RETRY_AFTER on, with a NUL each
    char subject[REKEY_SUBJECT_MAX];
    char url[REKEY_URL_MAX]; // until there is a polling URL: the path of the POST
    // All fields from here on are zeroized when the operation ends; but a token that `hold` keeps
    // is zeroized later.
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

// Spans and pointers point into the struct rekey or to the caller's own memory. They are valid
// until the next call that starts an operation.
struct rekey_report {
    enum rekey_outcome outcome; // REKEY_NONE while the operation runs
    int error;                  // the reason; 0 with REKEY_SUCCEEDED and REKEY_NONE
    int cause;                  // the last failure that made rekey repeat a request; 0: none did
    unsigned http_status;       // of the last answer; 0: none
    const struct rekey_arm_error *service; // the error in the last answer; empty: none
    const char *status;                    // the last status of the operation, printable; may be ""
    int percent;                           // percentComplete, 0..100; -1 if unknown
    enum rekey_poll_kind kind;             // REKEY_POLL_NONE until there is a polling URL
    struct rekey_span url;     // the polling URL; treat it as a secret, because it is signed
    struct rekey_span target;  // path and query of the last request; for a poll the whole URL
    bool get;                  // the last request, if not a poll, was a GET; else a POST
    struct rekey_span host;    // of the last connection: the management host or the token service
    struct rekey_span subject; // the host of a refused polling URL or of a redirect
    const char *client_request_id; // of the last POST; these three may be ""
    const char *request_id;        // x-ms-request-id of the last answer
    const char *correlation_id;    // x-ms-correlation-request-id of the last answer
    uint32_t requests, answers;    // so far
    uint32_t polls;                // number of polls that were answered
    uint32_t wait_ms;              // length of the last wait
    uint32_t needed;  // bytes that the exceeded limit (rekey_error_limit) would need; 0: unknown
    bool save_failed; // the polling URL could not be saved: no resumption after a restart
    bool waiting;     // between two requests: rekey_wait_ms returns for how long
};

// If an application is compiled with other limits than the archive, its structs have another
// layout. The two do not link, because the limits that decide the layout are part of the linker
// name of rekey_init. An undefined reference to rekey_init_url8192_... shows the limits of the
// application; `nm librekey.a | grep rekey_init` shows those of the archive.
#define REKEY_NAME_OF(name, url, token, staging, key, io)                                          \
    name##_url##url##_token##token##_staging##staging##_key##key##_io##io
#define REKEY_NAME_WITH(name, url, token, staging, key, io)                                        \
    REKEY_NAME_OF(name, url, token, staging, key, io)
#define rekey_init                                                                                 \
    REKEY_NAME_WITH(rekey_init, REKEY_URL_MAX, REKEY_TOKEN_MAX, REKEY_STAGING_MAX,                 \
                    REKEY_KEY_VALUE_MAX, REKEY_IO_SIZE)

// Initializes *r. `port` and `options` belong to the caller and must stay valid as long as *r is
// used. If *r was used with `hold` before, call rekey_abort first: otherwise the connection that
// was kept stays open, and the next operation uses it. Returns 0; REKEY_E_PORT if a required
// function of the port is NULL, or if `plain` has only some of its functions; REKEY_E_OPTIONS; or
// REKEY_E_HOST. After an error every call below returns that error, and the report says
// REKEY_USAGE. The same holds for a zeroed *r without a call of rekey_init; the error is then
// REKEY_E_OPTIONS.
int rekey_init(struct rekey *r, const struct rekey_port *port, const struct rekey_options *options);

// Each of these checks its parameters and starts an operation; nothing is sent yet. `endpoint` and
// everything that it points to must stay valid until the operation has ended. They return 0;
// REKEY_E_BUSY if another operation is running, which then continues; or the error of a bad
// parameter: the operation is not started, and the outcome is REKEY_USAGE (after a record that
// rekey_resume refuses, REKEY_UNKNOWN). If a pointer to a struct is NULL, the error is
// REKEY_E_OPTIONS. The pointer of a span is not checked: it may be NULL only if the length is 0. If
// they are called from a function of the port or of the options, they return REKEY_E_BUSY.

// Regenerates one key. `key_value` is copied; if it is empty (a NULL pointer), the service
// generates a value. Also returns REKEY_E_SUBSCRIPTION, REKEY_E_RESOURCE_GROUP, REKEY_E_WORKSPACE,
// REKEY_E_ENDPOINT, REKEY_E_API_VERSION, REKEY_E_KEY_TYPE, REKEY_E_KEY_VALUE,
// REKEY_E_LIMIT_KEY_VALUE.
int rekey_regenerate(struct rekey *r, const struct rekey_endpoint *endpoint, enum rekey_key key,
                     struct rekey_span key_value);

// Reads both keys into *keys, which is complete after rekey_step has returned 0. It changes
// nothing, so failed requests are repeated. Returns the errors of a bad endpoint that
// rekey_regenerate returns.
int rekey_list_keys(struct rekey *r, const struct rekey_endpoint *endpoint,
                    struct rekey_keys *keys);

// Obtains a token and stores it in *token, which is complete after rekey_step has returned 0. This
// is for an application that checks its identity, or that sends requests to the service itself.
// Returns 0, REKEY_E_BUSY or REKEY_E_OPTIONS.
int rekey_get_token(struct rekey *r, struct rekey_token *token);

// Continues to poll a saved operation. The URL is copied; its host must be the configured
// management host. Besides 0, REKEY_E_BUSY and REKEY_E_OPTIONS, returns REKEY_E_RECORD (a kind or a
// request id that no record has), REKEY_E_RESUME_NO_URL, REKEY_E_LIMIT_URL or REKEY_E_URL_...: the
// outcome is then REKEY_UNKNOWN, because the saved operation may have been executed.
int rekey_resume(struct rekey *r, const struct rekey_record *record);

// Does a bounded amount of work and never sleeps. Returns
//   REKEY_AGAIN                         call again at once,
//   REKEY_WANT_READ, REKEY_WANT_WRITE   call again when the transport is ready for it, or when
//                                       rekey_wait_ms has passed, whichever comes first,
//   REKEY_WANT_TIME                     call again when rekey_wait_ms has passed,
//   REKEY_DONE (0)                      the operation succeeded,
//   an error                            the operation ended otherwise: see the report's outcome.
// The last two are sticky: further calls return the same. Calling rekey_step earlier than needed
// does no harm. If it is called from a function of the port or of the options that rekey_step has
// called, it returns REKEY_E_BUSY.
int rekey_step(struct rekey *r);

// The longest time in milliseconds that the caller may sleep after the last rekey_step. It covers
// the wait between two requests, the timeouts, and the transport's own time (wait_ms of
// rekey_port.h). So one rule is enough for a loop: call rekey_step again when the transport is
// ready or rekey_wait_ms has passed. 0 if no operation is running.
uint32_t rekey_wait_ms(const struct rekey *r);

// Fills *report with the current state of the operation. It can be called at any time.
void rekey_report(const struct rekey *r, struct rekey_report *report);

// Stores a text in buf[0..cap) (cap > 0), with a NUL, that gives details of the report's `error`
// from the transport of the last connection, such as which certificate was refused and why. If the
// transport has no details of `error`, the text is about `cause`; if the transport has no details
// of `cause` either, the text is empty. The text never contains the token, the key value or the
// secrets. It may contain names from a server's certificate: make control characters visible before
// you print it. It can be called until the next operation begins.
void rekey_explain(const struct rekey *r, char *buf, size_t cap);

// Ends the operation: closes the connection and zeroizes the secrets; the report shows the outcome.
// If no operation is running, it only closes the connection and zeroizes the token that an earlier
// operation with `hold` has kept. It can be called at any time, also by a function of the port or
// of the options. If rekey_step has called that function, rekey_step sends nothing more and ends
// the operation before it returns; an operation that has already ended in that step keeps its
// outcome, but not its connection and token. If the start of an operation has called that function,
// the first step ends the operation.
void rekey_abort(struct rekey *r);

// Calls rekey_step and the port's `wait` in a loop, for a caller with nothing else to do. Returns
// the last result of rekey_step; or REKEY_E_PORT, which ends the operation, if the port has no
// `wait`.
int rekey_run(struct rekey *r);

#ifdef __cplusplus
}
#endif

#endif
