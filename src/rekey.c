// rekey.c - the operation: token, POST, wait, poll, end, as a state machine that rekey_step
// advances. message.c builds the requests and reads the heads, exchange.c sends and receives them,
// operation.c decides what an answer means, retry.c how long to wait. This file has the order of
// the steps, and answers the most important question: may the POST have been executed? `post_sent`
// is the answer for the current POST, `maybe_executed` for earlier ones, and outcome_of uses both.

#include "rekey.h"

#include "credential.h"
#include "endpoint.h"
#include "hide.h"
#include "message.h"
#include "retry.h"
#include "url.h"

// UNUSABLE is 0, the state of a zeroed struct. From TOKEN on, an operation is running.
enum state { UNUSABLE, IDLE, ENDED, TOKEN, WAIT, EXCHANGE };

enum operation { REGENERATE, READ, RESUME, GET_TOKEN };

static bool body_cut(const struct rekey *r) {
    return r->x.http.body_size > r->x.http.body_len;
}

static bool running(const struct rekey *r) {
    return r->state >= TOKEN;
}

// The reason why no operation is running. A zeroed struct was never initialized.
static int error_of(const struct rekey *r) {
    return !rekey_usable(r) && r->error == 0 ? REKEY_E_OPTIONS : r->error;
}

// ---- the end of an operation --------------------------------------------------------------------

// docs/service.md 7.2: the phase decides before the cause.
static enum rekey_outcome outcome_of(const struct rekey *r, int error) {
    // The outcome by the group of the error. An error of an answer that is not usable is "refused"
    // here, and may become "unknown" below. The second row is for requests that only read, which
    // cannot have changed anything: an answer that was not understood means that the service was
    // not reached, and an exceeded limit is a fault of this device.
    static const uint8_t of_group[2][10] = {
        {REKEY_REFUSED, REKEY_USAGE, REKEY_NOT_REACHED, REKEY_NOT_TRUSTED, REKEY_REFUSED,
         REKEY_REFUSED, REKEY_REFUSED, REKEY_REFUSED, REKEY_CREDENTIALS, REKEY_LOCAL},
        {REKEY_REFUSED, REKEY_USAGE, REKEY_NOT_REACHED, REKEY_NOT_TRUSTED, REKEY_NOT_REACHED,
         REKEY_NOT_REACHED, REKEY_REFUSED, REKEY_LOCAL, REKEY_CREDENTIALS, REKEY_LOCAL},
    };
    unsigned group = (unsigned)-error / 100;
    enum rekey_outcome outcome = REKEY_REFUSED;

    if (error == 0) {
        return REKEY_SUCCEEDED;
    }
    if (group < sizeof(of_group[0])) {
        outcome = (enum rekey_outcome)of_group[r->read != NULL][group];
    }
    if (error == REKEY_E_NOT_PROCESSED) {
        outcome = REKEY_NOT_REACHED;
    } else if (error == REKEY_E_LIMIT_TOKEN) {
        outcome = r->renewing ? REKEY_CREDENTIALS : REKEY_USAGE; // renewing: a request was sent
    } else if (error == REKEY_E_LIMIT_ARENA) {
        outcome = REKEY_LOCAL;
    } else if (error == REKEY_E_LIMIT_TOKEN_ANSWER || error == REKEY_E_LIMIT_CREDENTIAL) {
        outcome = REKEY_CREDENTIALS;
    } else if (error == REKEY_E_FAILED || error == REKEY_E_CANCELED) {
        outcome = REKEY_FAILED;
    }
    if (rekey_polling(r) && outcome != REKEY_FAILED) {
        return outcome == REKEY_REFUSED ? REKEY_UNKNOWN : REKEY_RUNNING;
    }
    if (r->read == NULL && (r->maybe_executed || r->post_sent)) {
        return REKEY_UNKNOWN;
    }
    return outcome;
}

// Closes the connection and zeroizes the token.
static void drop_connection_and_token(struct rekey *r) {
    rekey_exchange_close(&r->x);
    rekey_zeroize(r->token, sizeof(r->token));
    r->token_len = 0;
}

static int end(struct rekey *r, int error) {
    const size_t secret = offsetof(struct rekey, key_value);

    rekey_hide(r); // also after an incomplete answer, which may repeat a secret
    r->error = error;
    r->outcome = (uint8_t)outcome_of(r, error);
    r->state = ENDED;
    if (error != 0 || !r->options->hold) {
        drop_connection_and_token(r);
    }
    rekey_zeroize((char *)r + secret, offsetof(struct rekey, token) - secret);
    rekey_zeroize(r->x.io, sizeof(r->x.io));
    r->x.until = 0;
    if (error != 0 && r->read != NULL) {
        rekey_zeroize(r->out, r->read->out_size);
    }
    return error;
}

// Ends the operation outside of a step. Functions of the port that this calls cannot start another
// operation.
static void stop(struct rekey *r, int error) {
    if (!r->stepping) {
        r->stepping = true;
        if (running(r)) {
            end(r, error);
        } else {
            drop_connection_and_token(r); // which the last operation has kept
        }
        r->stepping = false;
    }
}

// ---- the time of the next request ---------------------------------------------------------------

// Sets the management host as the server of the next requests.
static void set_management_host(struct rekey *r) {
    r->x.transport = &r->port->tls;
    r->x.host = r->options->host;
    r->x.port = r->options->port;
    r->x.connect_timeout_ms = r->options->connect_timeout_ms;
    r->x.idle_timeout_ms = r->options->idle_timeout_ms;
}

static int ask_for_token(struct rekey *r) {
    if (r->options->credential != NULL) {
        r->options->credential->phase = 0;
    }
    r->state = TOKEN;
    return REKEY_AGAIN;
}

// There is a token. A poll uses the open connection, and so does a request that only reads, unless
// it is repeated. All others use a new connection.
static int open_with_token(struct rekey *r) {
    if (!rekey_polling(r) && (r->read == NULL || r->tries > 0)) {
        rekey_exchange_close(&r->x);
    }
    rekey_exchange_open(&r->x);
    r->state = EXCHANGE;
    return REKEY_AGAIN;
}

// Starts the next request now, unless a token must be obtained or renewed first.
static int open_now(struct rekey *r) {
    const struct rekey_credential *credential = r->options->credential;

    if (r->token_len == 0 ||
        (credential != NULL && credential->renew_at != 0 && r->now >= credential->renew_at)) {
        return ask_for_token(r);
    }
    return open_with_token(r);
}

// Starts the next request after `ms`; after the first few polls, never sooner than
// REKEY_POLL_FLOOR_MS. If the wait would end after the deadline, the operation ends at once.
static int open_later(struct rekey *r, uint32_t ms) {
    if (rekey_polling(r) && ms < REKEY_POLL_FLOOR_MS) {
        if (r->immediate == REKEY_IMMEDIATE_POLLS) {
            ms = REKEY_POLL_FLOOR_MS;
        } else {
            r->immediate++;
        }
    }
    if (r->now + ms >= r->deadline) {
        return end(r, REKEY_E_DEADLINE);
    }
    r->wait_ms = ms;
    r->wake = r->now + ms;
    r->state = WAIT;
    return REKEY_AGAIN;
}

// Repeats a failed request, after the wait that the answer named, or after the backoff for the
// number of failures in a row. A POST that was not executed, or a request that only reads, is tried
// at most REKEY_TRIES_MAX times; a poll is repeated until the deadline.
static int repeat_later(struct rekey *r, int error) {
    unsigned n = r->tries;
    uint32_t ms = (uint32_t)r->named_ms;
    uint32_t random;

    if (n < REKEY_TRIES_MAX - 1 || rekey_polling(r)) {
        r->tries = (uint8_t)(n < 8 ? n + 1 : n); // the backoff does not grow any more
        r->cause = error;
        if (r->named_ms < 0) {
            if (r->port->entropy(r->port->ctx, &random, sizeof(random)) != REKEY_DONE) {
                random = UINT32_MAX; // no jitter
            }
            ms = rekey_backoff_ms(n, random);
        }
        return open_later(r, ms);
    }
    return end(r, error);
}

// The exchange ended without a complete answer. Only network failures may pass when the request is
// repeated.
static int exchange_failed(struct rekey *r, int error) {
    bool passing = rekey_retry_helps(error);

    rekey_exchange_close(&r->x);
    r->named_ms = -1;
    if (r->x.reused && !r->x.got_byte && error != REKEY_E_IDLE_TIMEOUT) {
        return open_now(r); // closed while our request was sent: repeat at once, and count no try
    }
    if (rekey_polling(r)) {
        return passing ? repeat_later(r, error) : end(r, error);
    }
    if (r->post_sent && r->operation == REGENERATE) {
        r->post_sent = false;
        r->maybe_executed = true;
        if (!r->options->retry_unsafe) {
            return end(r, error);
        }
    } else if (!passing || error == REKEY_E_CONNECT_TIMEOUT) {
        return end(r, error); // the caller does not want to wait for the connect timeout again
    }
    return repeat_later(r, error);
}

// ---- the requests -------------------------------------------------------------------------------

static int save_record(struct rekey *r) {
    const struct rekey_record record = {
        .kind = (enum rekey_poll_kind)r->kind,
        .url = rekey_span(r->url, rekey_polling(r) ? r->url_len : 0),
        .request_id = rekey_span(r->client_id, sizeof(r->client_id) - 1),
        .unsure = r->maybe_executed,
    };

    if (r->options->save == NULL || r->options->save(r->options->save_ctx, &record) == REKEY_DONE) {
        return 0;
    }
    return REKEY_E_SAVE;
}

// The connection is ready: does what must be done before the first byte of a request is sent. A
// poll is sent with the id of its POST.
static int begin_request(struct rekey *r) {
    int error;

    r->requests++;
    r->cursor = (struct rekey_http_cursor){0};
    r->body_len = 0;
    if (rekey_polling(r)) {
        return REKEY_AGAIN;
    }
    error = rekey_message_prepare(r);
    if (r->aborted) { // by the entropy function: do not save an operation that was not begun
        return REKEY_AGAIN;
    }
    if (error == 0 && r->operation == REGENERATE) {
        error = save_record(r);
    }
    return error == 0 ? REKEY_AGAIN : end(r, error);
}

// The request was sent, or as much of it as possible: zeroizes the token and the key value in it.
static void receive(struct rekey *r, bool cut_short) {
    rekey_zeroize(&r->staging, sizeof(r->staging));
    rekey_message_answer(r, cut_short);
}

static int send_more(struct rekey *r) {
    size_t len = rekey_message_emit(r);

    if (len == 0) {
        receive(r, false);
    } else {
        rekey_exchange_send(&r->x, r->staging.bytes + r->body_len, len);
    }
    return REKEY_AGAIN;
}

// ---- the step after an answer -------------------------------------------------------------------

// The token was refused: obtains another one. A second refusal in a row ends the operation.
static int token_refused(struct rekey *r) {
    r->cause = r->claims ? REKEY_E_CLAIMS : REKEY_E_UNAUTHORIZED;
    if (r->renewing) {
        return end(r, r->cause);
    }
    r->renewing = true;
    return ask_for_token(r);
}

// Polls again after the wait that the answer named, or after the default.
static int poll_later(struct rekey *r) {
    return open_later(r, r->named_ms < 0 ? r->options->poll_interval_ms : (uint32_t)r->named_ms);
}

// The operation is running. If the answer has brought a URL, that is polled from now on.
static int continue_polling(struct rekey *r) {
    if (r->url_error != 0) {
        r->maybe_executed = true;
        return end(r, r->url_error);
    }
    if (r->new_kind != REKEY_POLL_NONE) {
        rekey_hide_forget_key_value(r); // no further POST will be sent
        r->kind = r->new_kind;
        r->renewing = false;
        r->save_failed = save_record(r) != 0;
    }
    r->tries = 0;
    return poll_later(r);
}

// `unreadable` is the reason why the body proves nothing, else 0. The body of a request that only
// reads is left to its `parse`.
static enum rekey_next post_answered(struct rekey *r, const struct rekey_json *json, int unreadable,
                                     int *error) {
    static const struct rekey_status_body none = {.body = REKEY_BODY_EMPTY};
    unsigned has = r->named_ms >= 0 ? REKEY_HAS_RETRY_AFTER : 0;

    if (r->read != NULL) {
        return rekey_operation_post(r->http_status, 0, &none, error);
    }
    if (r->http_status == 200 || r->http_status == 201) {
        rekey_operation_body(&r->status, REKEY_POLL_NONE, json, unreadable);
    }

    if (rekey_message_seen(r, REKEY_FIELD_ASYNC_OPERATION) ||
        rekey_message_seen(r, REKEY_FIELD_OPERATION_LOCATION)) {
        has |= REKEY_HAS_MONITOR;
    }
    if (rekey_message_seen(r, REKEY_FIELD_LOCATION)) {
        has |= REKEY_HAS_LOCATION;
    }
    return rekey_operation_post(r->http_status, has, &r->status, error);
}

// `unreadable` as above.
static enum rekey_next poll_answered(struct rekey *r, const struct rekey_json *json, int unreadable,
                                     int *error) {
    enum rekey_poll_kind kind = (enum rekey_poll_kind)r->kind;
    enum rekey_next next;

    r->polls++;
    if (r->http_status / 100 == 2) {
        rekey_operation_body(&r->status, kind, json, unreadable);
    }
    next = rekey_operation_poll(r->http_status, kind, &r->status, error);
    if (next != REKEY_NEXT_NOT_FOUND) {
        r->not_found = 0;
    }
    r->renewing &= next == REKEY_NEXT_NEW_TOKEN;
    return next;
}

// Returns a captured id as a string.
static const char *id_of(const struct rekey *r, enum rekey_field_index i) {
    return r->captured[i - REKEY_FIELD_RETRY_AFTER];
}

// Terminates a captured id; its buffer has a byte for the NUL.
static void terminate_id(struct rekey_http_field *f) {
    f->buf[f->len < f->cap ? f->len : f->cap] = '\0';
}

// Parses the body. Returns 0, or the reason why the body proves nothing. The values in a body that
// was cut can still be looked up.
static int parse_body(struct rekey *r, struct rekey_json *json) {
    const struct rekey_span body = rekey_span(r->staging.bytes, r->x.http.body_len);
    int error;

    *json = (struct rekey_json){.text = body};
    if (r->x.http.coded && body.len > 0) {
        return REKEY_E_CONTENT_CODING;
    }
    error = rekey_json_parse(json, body, body_cut(r), r->staging.bytes + REKEY_STAGING_BODY_MAX,
                             REKEY_JSON_TOKENS);
    return body_cut(r) ? REKEY_E_LIMIT_STAGING : error;
}

static int answered(struct rekey *r) {
    struct rekey_json json;
    enum rekey_next next;
    int error, unreadable;

    r->answers++;
    r->http_status = r->x.http.status;
    r->post_sent = false;
    terminate_id(&r->fields[REKEY_FIELD_REQUEST_ID]);
    terminate_id(&r->fields[REKEY_FIELD_CORRELATION_ID]);
    if (r->url_error != REKEY_E_LIMIT_URL) {
        r->needed =
            body_cut(r) ? r->x.http.body_size + REKEY_JSON_TOKENS * REKEY_JSON_TOKEN_SIZE : 0;
    }
    r->named_ms = rekey_message_named_ms(r);
    r->claims = rekey_message_claims(r);
    unreadable = parse_body(r, &json);
    next = rekey_polling(r) ? poll_answered(r, &json, unreadable, &error)
                            : post_answered(r, &json, unreadable, &error);
    memset(&r->service, 0, sizeof(r->service));
    if (r->http_status >= 400 || next == REKEY_NEXT_FAILED || error == REKEY_E_CONTRADICTORY) {
        rekey_arm_error_read(&r->service, &json);
    }
    rekey_hide(r);
    switch (next) {
    case REKEY_NEXT_POLL:
    case REKEY_NEXT_RUNNING:
        return continue_polling(r);
    case REKEY_NEXT_NEW_TOKEN:
        return token_refused(r);
    case REKEY_NEXT_MAYBE:
        r->maybe_executed = true;
        if (r->read != NULL) { // it changes nothing, so it may be repeated
            error = REKEY_E_NOT_PROCESSED;
        } else if (!r->options->retry_unsafe) {
            break;
        }
        // fall through
    case REKEY_NEXT_REPEAT:
        return repeat_later(r, error);
    case REKEY_NEXT_NOT_FOUND:
        r->cause = error;
        if (++r->not_found > REKEY_NOT_FOUND_MAX) {
            break;
        }
        return poll_later(r);
    case REKEY_NEXT_SUCCEEDED:
        if (r->read != NULL) {
            error = unreadable != 0 ? unreadable : r->read->parse(r->out, &json, &r->needed);
        }
        break;
    case REKEY_NEXT_UNKNOWN:
        r->maybe_executed = true;
        break;
    default: // refused, failed
        break;
    }
    return end(r, error);
}

// ---- the states ---------------------------------------------------------------------------------

static int accept_token(struct rekey *r, size_t len) {
    if (len == 0) {
        return REKEY_E_TOKEN;
    }
    if (len > REKEY_TOKEN_MAX) {
        r->needed = (uint32_t)len;
        return REKEY_E_LIMIT_TOKEN;
    }
    for (size_t i = 0; i < len; i++) {
        if (r->staging.bytes[i] <= ' ' || r->staging.bytes[i] > '~') {
            return REKEY_E_TOKEN;
        }
    }
    if (r->renewing &&
        rekey_span_equal(rekey_span(r->token, r->token_len), rekey_span(r->staging.bytes, len))) {
        return r->cause;
    }
    rekey_zeroize(r->token, sizeof(r->token)); // a held one may be longer
    memcpy(r->token, r->staging.bytes, len);
    r->token_len = (uint16_t)len;
    return 0;
}

// Asks the application for the token.
static int ask_application(struct rekey *r) {
    size_t len = 0;
    int result = r->options->token(r->options->token_ctx, r->staging.bytes, REKEY_TOKEN_MAX, &len);

    if (result > 0 && result != REKEY_AGAIN) {
        r->x.until = r->now + REKEY_TOKEN_WAIT_MS;
    }
    return result == REKEY_DONE || result == REKEY_E_LIMIT_TOKEN ? accept_token(r, len) : result;
}

static int step_token(struct rekey *r) {
    struct rekey_credential *credential = r->options->credential;
    struct rekey_token *out = r->out;
    int result = credential != NULL ? credential->step(credential, r) : ask_application(r);

    if (result > 0) {
        return result;
    }
    if (result == 0) {
        set_management_host(r);
        if (r->operation != GET_TOKEN) {
            return open_with_token(r);
        }
        out->lifetime_ms =
            credential != NULL && credential->expiry != 0 ? credential->expiry - r->now : 0;
        out->len = r->token_len;
        memcpy(out->value, r->token, r->token_len);
    }
    return end(r, result);
}

static int step_wait(struct rekey *r) {
    if (r->now < r->wake) {
        r->x.until = r->wake;
        return REKEY_WANT_TIME;
    }
    return open_now(r);
}

static int step_exchange(struct rekey *r) {
    int result;

    r->post_sent |= !rekey_polling(r) && rekey_exchange_writes(&r->x);
    result = rekey_exchange_step(&r->x, r->now);

    switch (result) {
    case REKEY_EXCHANGE_READY:
        return begin_request(r);
    case REKEY_EXCHANGE_EMIT:
        return send_more(r);
    case REKEY_EXCHANGE_HEAD:
        rekey_message_head(r);
        return REKEY_AGAIN;
    case REKEY_EXCHANGE_ANSWERED:
        return answered(r);
    default:
        break;
    }
    if (result > 0) {
        return result;
    }
    // A server may have answered, and refused, a POST before it has read all of it: its answer
    // still counts.
    if (r->operation == REGENERATE && !rekey_polling(r) && rekey_exchange_writes(&r->x)) {
        r->cause = result;
        receive(r, true);
        return REKEY_AGAIN;
    }
    return exchange_failed(r, result);
}

static int step(struct rekey *r) {
    r->now = r->port->now_ms(r->port->ctx);
    r->x.until = 0;
    if (r->aborted) {
        return REKEY_AGAIN;
    }
    if (r->now >= r->deadline) {
        return end(r, REKEY_E_DEADLINE);
    }
    switch (r->state) {
    case TOKEN:
        return step_token(r);
    case WAIT:
        return step_wait(r);
    default:
        return step_exchange(r);
    }
}

int rekey_step(struct rekey *r) {
    int result;

    if (r->stepping) {
        return REKEY_E_BUSY;
    }
    if (!running(r)) {
        return error_of(r);
    }
    r->stepping = true;
    result = step(r);
    r->stepping = false;
    if (r->aborted) {
        stop(r, REKEY_E_ABORTED);
        result = r->error;
    }
    return result;
}

// ---- the rest of the API ------------------------------------------------------------------------

static bool complete(const struct rekey_transport *t) {
    return t->open != NULL && t->write != NULL && t->read != NULL && t->close != NULL;
}

static bool absent(const struct rekey_transport *t) {
    return t->open == NULL && t->write == NULL && t->read == NULL && t->close == NULL;
}

static int check_port(const struct rekey_port *port) {
    if (port == NULL || port->now_ms == NULL || port->wall_s == NULL || port->entropy == NULL ||
        !complete(&port->tls) || !(complete(&port->plain) || absent(&port->plain))) {
        return REKEY_E_PORT;
    }
    return 0;
}

static int check_options(const struct rekey_options *o) {
    if (o == NULL || (o->credential != NULL ? o->credential->step == NULL : o->token == NULL) ||
        o->port == 0 || o->timeout_ms == 0 || o->connect_timeout_ms == 0 ||
        o->idle_timeout_ms == 0) {
        return REKEY_E_OPTIONS;
    }
    return rekey_url_host_valid(o->host,
                                o->host.len > 0 && memchr(o->host.ptr, ':', o->host.len) != NULL)
               ? 0
               : REKEY_E_HOST;
}

int rekey_init(struct rekey *r, const struct rekey_port *port,
               const struct rekey_options *options) {
    int error = check_port(port);

    memset(r, 0, sizeof(*r));
    r->port = port;
    r->options = options;
    if (error == 0) {
        error = check_options(options);
    }
    r->error = error;
    if (error == 0) {
        r->error = REKEY_E_IDLE;
        r->outcome = REKEY_NONE;
        r->state = IDLE;
    }
    return error;
}

// Resets everything except the port, the options, and a connection and a token that were kept.
// `endpoint` is checked if there is one. `needed` is a pointer that this operation needs: it must
// not be NULL.
static int start(struct rekey *r, enum operation operation, const struct rekey_endpoint *endpoint,
                 const void *needed) {
    const size_t kept = offsetof(struct rekey, state);
    uint64_t now;
    bool aborted;
    int error = 0;

    if (!rekey_usable(r)) {
        return error_of(r);
    }
    if (running(r) || r->stepping) {
        return REKEY_E_BUSY;
    }
    r->stepping = true; // the clock function cannot start an operation; cleared below
    r->aborted = false;
    now = r->port->now_ms(r->port->ctx);
    aborted = r->aborted;
    memset((char *)r + kept, 0, offsetof(struct rekey, x) - kept);
    memset(&r->fields, 0, offsetof(struct rekey, token) - offsetof(struct rekey, fields));
    set_management_host(r);
    r->aborted = aborted; // the first step ends the operation
    r->outcome = REKEY_NONE;
    r->status.percent = -1;
    r->operation = (uint8_t)operation;
    r->state = WAIT; // a wait that is over at once
    r->deadline = now + r->options->timeout_ms;
    r->endpoint = endpoint;
    if (needed == NULL) {
        error = REKEY_E_OPTIONS;
    } else if (endpoint != NULL) {
        error = rekey_endpoint_check(endpoint);
    }
    return error == 0 ? 0 : end(r, error);
}

static int check_key(struct rekey *r, enum rekey_key key, struct rekey_span key_value) {
    if (key != REKEY_KEY_PRIMARY && key != REKEY_KEY_SECONDARY) {
        return REKEY_E_KEY_TYPE;
    }
    if (key_value.len > REKEY_KEY_VALUE_MAX) {
        r->needed = (uint32_t)key_value.len;
        return REKEY_E_LIMIT_KEY_VALUE;
    }
    for (size_t at = 0; at < key_value.len;) {
        size_t n = rekey_utf8(key_value, at, NULL);

        if (n == 0) {
            return REKEY_E_KEY_VALUE;
        }
        at += n;
    }
    return 0;
}

int rekey_regenerate(struct rekey *r, const struct rekey_endpoint *endpoint, enum rekey_key key,
                     struct rekey_span key_value) {
    int error = start(r, REGENERATE, endpoint, endpoint);

    if (error != 0) {
        return error;
    }
    error = check_key(r, key, key_value);
    if (error != 0) {
        end(r, error);
        r->outcome = REKEY_USAGE;
        return error;
    }
    r->key = (uint8_t)key;
    r->key_value_len = (uint16_t)key_value.len;
    if (key_value.len > 0) {
        memcpy(r->key_value, key_value.ptr, key_value.len);
    }
    return 0;
}

int rekey_start_read(struct rekey *r, const struct rekey_endpoint *endpoint,
                     const struct rekey_read *read, void *out) {
    int error = start(r, READ, endpoint, read->of_endpoint && endpoint == NULL ? NULL : out);

    if (error == 0) {
        memset(out, 0, read->out_size);
        r->read = read;
        r->out = out;
    }
    return error;
}

int rekey_list_keys(struct rekey *r, const struct rekey_endpoint *endpoint,
                    struct rekey_keys *keys) {
    static const struct rekey_read list = {.action = {"/listKeys", 9},
                                           .of_endpoint = true,
                                           .parse = rekey_endpoint_keys,
                                           .out_size = sizeof(*keys)};

    return rekey_start_read(r, endpoint, &list, keys);
}

int rekey_get_token(struct rekey *r, struct rekey_token *token) {
    int error = start(r, GET_TOKEN, NULL, token);

    if (error == 0) {
        r->out = token;
        r->token_len = 0; // a new one
    }
    return error;
}

// Whether a saved record can be used. Its URL is checked elsewhere.
static bool record_valid(const struct rekey_record *record) {
    struct rekey_span id = record->request_id;
    bool valid = (unsigned)record->kind <= REKEY_POLL_LOCATION && id.len == 36;

    for (size_t i = 0; valid && i < id.len; i++) {
        valid = rekey_is_alnum(id.ptr[i]) || id.ptr[i] == '-';
    }
    return valid;
}

int rekey_resume(struct rekey *r, const struct rekey_record *record) {
    int error = start(r, RESUME, NULL, record);

    if (error != 0) {
        return error;
    }
    r->maybe_executed = true; // the saved operation may have been executed
    if (!record_valid(record)) {
        return end(r, REKEY_E_RECORD);
    }
    memcpy(r->client_id, record->request_id.ptr, record->request_id.len);
    error = record->kind == REKEY_POLL_NONE ? REKEY_E_RESUME_NO_URL
                                            : rekey_message_set_url(r, record->url);
    if (error != 0) {
        return end(r, error);
    }
    r->maybe_executed = record->unsure;
    r->kind = (uint8_t)record->kind;
    return 0;
}

uint32_t rekey_wait_ms(const struct rekey *r) {
    uint64_t until, now;

    if (r->x.until == 0) { // no operation is running, or the next step is due at once
        return 0;
    }
    now = r->port->now_ms(r->port->ctx);
    until = r->x.until < r->deadline ? r->x.until : r->deadline;
    return now < until ? (uint32_t)(until - now) : 0;
}

void rekey_report(const struct rekey *r, struct rekey_report *report) {
    report->outcome = rekey_usable(r) ? (enum rekey_outcome)r->outcome : REKEY_USAGE;
    report->error = report->outcome == REKEY_NONE ? 0 : error_of(r);
    report->cause = r->cause;
    report->http_status = r->http_status;
    report->service = &r->service;
    report->status = r->status.status;
    report->percent = (int)r->status.percent;
    report->kind = (enum rekey_poll_kind)r->kind;
    report->url = rekey_span(r->url, rekey_polling(r) ? r->url_len : 0);
    report->target = rekey_span(r->url, r->url_len);
    report->get = r->read != NULL && r->read->get;
    report->host = r->x.host;
    report->subject = rekey_span(r->subject, r->subject_len);
    report->client_request_id = r->client_id;
    report->request_id = id_of(r, REKEY_FIELD_REQUEST_ID);
    report->correlation_id = id_of(r, REKEY_FIELD_CORRELATION_ID);
    report->requests = r->requests;
    report->answers = r->answers;
    report->polls = r->polls;
    report->wait_ms = r->wait_ms;
    report->needed = r->needed;
    report->save_failed = r->save_failed;
    report->waiting = r->state == WAIT && r->wake > 0;
}

void rekey_explain(const struct rekey *r, char *buf, size_t cap) {
    const struct rekey_transport *t = r->x.transport;
    const int errors[] = {r->error, r->cause};

    buf[0] = '\0';
    for (size_t i = 0; i < 2 && buf[0] == '\0'; i++) {
        if (errors[i] != 0 && t != NULL && t->explain != NULL) {
            t->explain(t->ctx, errors[i], buf, cap);
        }
    }
}

void rekey_abort(struct rekey *r) {
    r->aborted = true; // a running step ends the operation before it returns
    stop(r, REKEY_E_ABORTED);
}

int rekey_run(struct rekey *r) {
    int result;

    if (running(r) && r->port->wait == NULL) {
        stop(r, REKEY_E_PORT);
    }
    while ((result = rekey_step(r)) > 0) {
        if (result != REKEY_AGAIN) {
            r->port->wait(r->port->ctx, result, rekey_wait_ms(r));
        }
    }
    return result;
}
