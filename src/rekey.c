// rekey.c - the operation: token, POST, wait, poll, done, as a machine that rekey_step moves on.
// What the requests say, and what is taken from a head, is in message.c; how they get over the
// connection in exchange.c, what an answer means in operation.c, how long to wait in retry.c.
// What lives here is the order of things, and the one question that everything turns on: may the
// POST have been executed? `wrote` says so of the POST that is under way, `remembered` of the ones
// before it, and outcome_of reads both.

#include "rekey.h"

#include "credential.h"
#include "endpoint.h"
#include "hide.h"
#include "message.h"
#include "retry.h"
#include "url.h"

// UNUSABLE is 0: a zeroed struct is so. From TOKEN on, an operation runs.
enum state { UNUSABLE, IDLE, ENDED, TOKEN, WAIT, EXCHANGE };

enum job { REGENERATE, READ, RESUME, GET_TOKEN };

static bool body_cut(const struct rekey *r) {
    return r->x.http.body_size > r->x.http.body_len;
}

static bool running(const struct rekey *r) {
    return r->state >= TOKEN;
}

// Why nothing runs. A struct that is zeroed was never made ready.
static int error_of(const struct rekey *r) {
    return !rekey_usable(r) && r->error == 0 ? REKEY_E_OPTIONS : r->error;
}

// ---- how it ends --------------------------------------------------------------------------------

// docs/service.md 7.2: the phase decides before the cause.
static enum rekey_outcome outcome_of(const struct rekey *r, int error) {
    // By the group of the error. One that speaks of an answer of no use is "refused", or "unknown"
    // below. Where it was merely read, nothing can have changed: what answered was not understood,
    // and so the service was not reached; or a limit of this device was passed.
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
        outcome = r->renewing ? REKEY_CREDENTIALS : REKEY_USAGE; // the one before went out
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
    if (r->read == NULL && (r->remembered || r->wrote)) {
        return REKEY_UNKNOWN;
    }
    return outcome;
}

// The connection and the token are needed no more.
static void drop(struct rekey *r) {
    rekey_exchange_close(&r->x);
    rekey_zeroize(r->token, sizeof(r->token));
    r->token_len = 0;
}

static int end(struct rekey *r, int error) {
    const size_t secret = offsetof(struct rekey, key_value);

    rekey_hide(r); // an answer that was not complete has said something, too
    r->error = error;
    r->outcome = (uint8_t)outcome_of(r, error);
    r->state = ENDED;
    if (error != 0 || !r->options->hold) {
        drop(r);
    }
    rekey_zeroize((char *)r + secret, offsetof(struct rekey, token) - secret);
    rekey_zeroize(r->x.io, sizeof(r->x.io));
    r->x.until = 0;
    if (error != 0 && r->read != NULL) {
        rekey_zeroize(r->out, r->read->out_size);
    }
    return error;
}

// Ends it outside of a step. What this calls of the port can start nothing meanwhile.
static void stop(struct rekey *r, int error) {
    if (!r->stepping) {
        r->stepping = true;
        if (running(r)) {
            end(r, error);
        } else {
            drop(r); // what the last operation has left for the next one
        }
        r->stepping = false;
    }
}

// ---- when the next request goes out -------------------------------------------------------------

// The exchanges are with the management host.
static void aim(struct rekey *r) {
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

// There is a token. A poll goes over the connection that there is, and so does what is merely read,
// unless it is repeated; all else over a fresh one.
static int open_with_token(struct rekey *r) {
    if (!rekey_polling(r) && (r->read == NULL || r->tries > 0)) {
        rekey_exchange_close(&r->x);
    }
    rekey_exchange_open(&r->x);
    r->state = EXCHANGE;
    return REKEY_AGAIN;
}

// Now, unless there is no token yet, or it must be renewed first.
static int open_now(struct rekey *r) {
    const struct rekey_credential *credential = r->options->credential;

    if (r->token_len == 0 ||
        (credential != NULL && credential->renew_at != 0 && r->now >= credential->renew_at)) {
        return ask_for_token(r);
    }
    return open_with_token(r);
}

// After `ms`, but polls never for long more than one a second. A wait that would end after the
// deadline is not begun.
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

// Something failed and is repeated, after the wait that the answer named, or the backoff for the
// n-th time in a row: a POST that was not executed, or a listKeys, up to REKEY_TRIES_MAX in all; a
// poll that could not be read until the deadline.
static int again(struct rekey *r, int error) {
    unsigned n = r->tries;
    uint32_t ms = (uint32_t)r->named_ms;
    uint32_t random;

    if (n < REKEY_TRIES_MAX - 1 || rekey_polling(r)) {
        r->tries = (uint8_t)(n < 8 ? n + 1 : n); // the backoff grows no more
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

// The exchange ended without a complete answer. Only what the network did may do better a second
// time.
static int exchange_failed(struct rekey *r, int error) {
    bool passing = rekey_retry_helps(error);
    bool idle_close = r->x.reused && !r->x.got_byte && error != REKEY_E_IDLE_TIMEOUT;

    rekey_exchange_close(&r->x);
    r->named_ms = -1;
    if (idle_close) { // it crossed our request: repeat at once, not counted as a try
        return open_now(r);
    }
    if (rekey_polling(r)) {
        return passing ? again(r, error) : end(r, error);
    }
    if (r->wrote && r->job == REGENERATE) {
        r->wrote = false;
        r->remembered = true;
        if (!r->options->retry_unsafe) {
            return end(r, error);
        }
    } else if (!passing || error == REKEY_E_CONNECT_TIMEOUT) {
        return end(r, error); // the whole connect timeout is what the caller would wait
    }
    return again(r, error);
}

// ---- the requests -------------------------------------------------------------------------------

static int save_record(struct rekey *r) {
    const struct rekey_record record = {
        .kind = (enum rekey_poll_kind)r->kind,
        .url = rekey_span(r->url, rekey_polling(r) ? r->url_len : 0),
        .request_id = rekey_span(r->client_id, sizeof(r->client_id) - 1),
        .unsure = r->remembered,
    };

    if (r->options->save == NULL || r->options->save(r->options->save_ctx, &record) == REKEY_DONE) {
        return 0;
    }
    return REKEY_E_SAVE;
}

// The connection is ready: what must be true before the first byte of a request goes out. A poll is
// sent with the id of its POST.
static int begin_request(struct rekey *r) {
    int error = 0;

    r->requests++;
    r->cursor = (struct rekey_http_cursor){0};
    r->body_len = 0;
    if (!rekey_polling(r)) {
        error = rekey_message_prepare(r);
    }
    if (r->aborted) { // while randomness was got: nothing is saved that was not begun
        error = REKEY_E_ABORTED;
    }
    if (error == 0 && !rekey_polling(r) && r->job == REGENERATE) {
        error = save_record(r);
    }
    return error == 0 ? REKEY_AGAIN : end(r, error);
}

// The request is out, or as much of it as could be sent: the token and the key value in it are
// needed no more.
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

// ---- what an answer leads to --------------------------------------------------------------------

// The token was refused. It is asked for once more; a second refusal in a row ends it.
static int token_refused(struct rekey *r) {
    r->cause = r->claims ? REKEY_E_CLAIMS : REKEY_E_UNAUTHORIZED;
    if (r->renewing) {
        return end(r, r->cause);
    }
    r->renewing = true;
    return ask_for_token(r);
}

// The next poll comes after the wait that the answer named, or the default.
static int poll_later(struct rekey *r) {
    return open_later(r, r->named_ms < 0 ? r->options->poll_interval_ms : (uint32_t)r->named_ms);
}

// The operation is running. A URL that came is polled from now on.
static int go_on_polling(struct rekey *r) {
    if (r->url_error != 0) {
        r->remembered = true;
        return end(r, r->url_error);
    }
    if (r->new_kind != REKEY_POLL_NONE) {
        rekey_hide_forget_key_value(r); // no POST comes any more
        r->kind = r->new_kind;
        r->renewing = false;
        r->save_failed = save_record(r) != 0;
    }
    r->tries = 0;
    return poll_later(r);
}

// `unreadable` is why the body is evidence of nothing; 0 if it is not. What is merely read may say
// anything: that is for its `take`.
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
    if (next != REKEY_NEXT_NEW_TOKEN) {
        r->renewing = false;
    }
    return next;
}

// A captured id as a string.
static const char *id(const struct rekey *r, enum rekey_field_index i) {
    return r->captured[i - REKEY_FIELD_RETRY_AFTER];
}

// Ends a captured id, which has a byte to spare.
static void terminate(struct rekey_http_field *f) {
    f->buf[f->len < f->cap ? f->len : f->cap] = '\0';
}

// Parses the body. Returns why it is evidence of nothing; 0 if it is not. What a cut body holds can
// still be looked up.
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
    r->wrote = false;
    terminate(&r->fields[REKEY_FIELD_REQUEST_ID]);
    terminate(&r->fields[REKEY_FIELD_CORRELATION_ID]);
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
        return go_on_polling(r);
    case REKEY_NEXT_NEW_TOKEN:
        return token_refused(r);
    case REKEY_NEXT_MAYBE:
        r->remembered = true;
        if (r->read != NULL) { // it changes nothing: repeated freely
            error = REKEY_E_NOT_PROCESSED;
        } else if (!r->options->retry_unsafe) {
            break;
        }
        // fall through
    case REKEY_NEXT_REPEAT:
        return again(r, error);
    case REKEY_NEXT_NOT_FOUND:
        r->cause = error;
        if (++r->not_found > REKEY_NOT_FOUND_MAX) {
            break;
        }
        return poll_later(r);
    case REKEY_NEXT_SUCCEEDED:
        if (r->read != NULL) {
            error = unreadable != 0 ? unreadable : r->read->take(r->out, &json, &r->needed);
        }
        break;
    case REKEY_NEXT_UNKNOWN:
        r->remembered = true;
        break;
    default: // refused, failed
        break;
    }
    return end(r, error);
}

// ---- the states ---------------------------------------------------------------------------------

static int take_token(struct rekey *r, size_t len) {
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
    memcpy(r->token, r->staging.bytes, len);
    r->token_len = (uint16_t)len;
    return 0;
}

// The application has the token, or says that it has none.
static int given_token(struct rekey *r) {
    size_t len = 0;
    int result = r->options->token(r->options->token_ctx, r->staging.bytes, REKEY_TOKEN_MAX, &len);

    if (result > 0 && result != REKEY_AGAIN) {
        r->x.until = r->now + REKEY_TOKEN_WAIT_MS;
    }
    return result == REKEY_DONE || result == REKEY_E_LIMIT_TOKEN ? take_token(r, len) : result;
}

static int step_token(struct rekey *r) {
    struct rekey_credential *credential = r->options->credential;
    struct rekey_token *out = r->out;
    int result = credential != NULL ? credential->step(credential, r) : given_token(r);

    if (result > 0) {
        return result;
    }
    if (result == 0) {
        aim(r);
        if (r->job != GET_TOKEN) {
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

    r->wrote |= !rekey_polling(r) && rekey_exchange_writes(&r->x);
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
    // A POST that went out in part may have been answered, and refused, before the rest was read:
    // what the server has sent still counts.
    if (r->job == REGENERATE && !rekey_polling(r) && rekey_exchange_writes(&r->x)) {
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
    if (r->aborted && running(r)) {
        result = end(r, REKEY_E_ABORTED);
    }
    r->stepping = false;
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

// Everything but port, options and what is held begins anew. There is no endpoint to check when an
// operation is resumed.
static int start(struct rekey *r, enum job job, const struct rekey_endpoint *endpoint) {
    const size_t kept = offsetof(struct rekey, state);
    uint64_t now;
    int error = 0;

    if (!rekey_usable(r)) {
        return error_of(r);
    }
    if (running(r) || r->stepping) {
        return REKEY_E_BUSY;
    }
    r->stepping = true; // what the clock calls can start nothing; cleared with the rest
    now = r->port->now_ms(r->port->ctx);
    memset((char *)r + kept, 0, offsetof(struct rekey, x) - kept);
    memset(&r->fields, 0, offsetof(struct rekey, token) - offsetof(struct rekey, fields));
    aim(r);
    r->outcome = REKEY_NONE;
    r->status.percent = -1;
    r->job = (uint8_t)job;
    r->state = WAIT; // which is over
    r->deadline = now + r->options->timeout_ms;
    r->endpoint = endpoint;
    if (endpoint != NULL) {
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
    int error = start(r, REGENERATE, endpoint);

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
    int error = start(r, READ, endpoint);

    if (error == 0) {
        memset(out, 0, read->out_size);
        r->read = read;
        r->out = out;
    }
    return error;
}

int rekey_list_keys(struct rekey *r, const struct rekey_endpoint *endpoint,
                    struct rekey_keys *keys) {
    static const struct rekey_read list = {
        .action = {"/listKeys", 9}, .take = rekey_endpoint_keys, .out_size = sizeof(*keys)};

    return rekey_start_read(r, endpoint, &list, keys);
}

int rekey_get_token(struct rekey *r, struct rekey_token *token) {
    int error = start(r, GET_TOKEN, NULL);

    if (error == 0) {
        r->out = token;
        r->token_len = 0; // a new one
    }
    return error;
}

int rekey_resume(struct rekey *r, const struct rekey_record *record) {
    int error = start(r, RESUME, NULL);

    if (error != 0) {
        return error;
    }
    if (record->request_id.len != sizeof(r->client_id) - 1) {
        return end(r, REKEY_E_RECORD);
    }
    memcpy(r->client_id, record->request_id.ptr, record->request_id.len);
    r->remembered = record->unsure;
    error = record->kind == REKEY_POLL_NONE ? REKEY_E_RESUME_NO_URL
                                            : rekey_message_take_url(r, record->url);
    if (error != 0) {
        r->remembered = true; // what was saved may have been executed
        return end(r, error);
    }
    r->kind = (uint8_t)record->kind;
    return 0;
}

uint32_t rekey_wait_ms(const struct rekey *r) {
    uint64_t until, now;

    if (r->x.until == 0) { // nothing runs, or it is to be called at once
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
    report->request_id = id(r, REKEY_FIELD_REQUEST_ID);
    report->correlation_id = id(r, REKEY_FIELD_CORRELATION_ID);
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
    r->aborted = true; // where a step runs, it ends the operation before it returns
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
