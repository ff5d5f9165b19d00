// rekey.c - the operation: token, POST, wait, poll, done, as a machine that rekey_step moves on.
// What the requests say, and what is taken from a head, is in message.c; how they get over the
// connection in exchange.c, what an answer means in operation.c, how long to wait in retry.c.
// What lives here is the order of things, and the one question that everything turns on: may the
// POST have been executed? `wrote` says so of the POST that is under way, `remembered` of the ones
// before it, and outcome_of reads both.

#include "rekey.h"

#include "credential.h"
#include "endpoint.h"
#include "message.h"
#include "retry.h"
#include "url.h"

enum state { UNUSABLE, IDLE, TOKEN, WAIT, EXCHANGE, ENDED };

enum job { REGENERATE, LIST_KEYS, RESUME, GET_TOKEN };

static void *json_tokens(struct rekey *r) {
    return r->staging.bytes + REKEY_STAGING_BODY_MAX;
}

static struct rekey_span answer_body(const struct rekey *r) {
    return rekey_span(r->staging.bytes, r->x.http.body_len);
}

static bool body_cut(const struct rekey *r) {
    return r->x.http.body_size > r->x.http.body_len;
}

static bool running(const struct rekey *r) {
    return r->state != UNUSABLE && r->state != IDLE && r->state != ENDED;
}

// ---- how it ends --------------------------------------------------------------------------------

// azure.md 7: the phase decides before the cause.
static enum rekey_outcome outcome_of(const struct rekey *r, int error) {
    int group = error < REKEY_E_LIMIT_ARENA && error > -800 ? 8 : -error / 100;
    bool ours = group == 2 || group == 3 || group == 8 || group == 9 ||
                error == REKEY_E_LIMIT_ARENA || error == REKEY_E_LIMIT_TOKEN;

    if (error == 0) {
        return REKEY_SUCCEEDED;
    }
    if (rekey_polling(r) && ours) {
        return REKEY_RUNNING;
    }
    if (r->remembered || (r->wrote && r->job == REGENERATE)) {
        return REKEY_UNKNOWN;
    }
    if (error == REKEY_E_FAILED || error == REKEY_E_CANCELED) {
        return REKEY_FAILED;
    }
    if (rekey_polling(r)) {
        return REKEY_UNKNOWN;
    }
    if (group == 1 || error == REKEY_E_LIMIT_TOKEN) {
        return REKEY_USAGE;
    }
    if (group == 2 || error == REKEY_E_NOT_PROCESSED) {
        return REKEY_NOT_REACHED;
    }
    if (group == 3) {
        return REKEY_NOT_TRUSTED;
    }
    if (group == 8) {
        return REKEY_CREDENTIALS;
    }
    return ours ? REKEY_LOCAL : REKEY_REFUSED; // an answer to listKeys that is of no use: refused
}

static int end_as(struct rekey *r, int error, enum rekey_outcome outcome) {
    rekey_exchange_close(&r->x);
    rekey_zeroize(r->token, sizeof(r->token));
    rekey_zeroize(r->key_value, sizeof(r->key_value));
    rekey_zeroize(&r->staging, sizeof(r->staging));
    rekey_zeroize(r->x.io, sizeof(r->x.io));
    if (error != 0 && r->keys != NULL) {
        rekey_zeroize(r->keys, sizeof(*r->keys));
    }
    r->error = error;
    r->outcome = (uint8_t)outcome;
    r->state = ENDED;
    return error;
}

static int end(struct rekey *r, int error) {
    return end_as(r, error, outcome_of(r, error));
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

// There is a token. A poll goes over the connection that there is, all else over a fresh one.
static int open_with_token(struct rekey *r) {
    if (!rekey_polling(r)) {
        rekey_exchange_close(&r->x);
    }
    rekey_exchange_open(&r->x);
    r->state = EXCHANGE;
    return REKEY_AGAIN;
}

// Now, unless the token must be renewed first.
static int open_now(struct rekey *r) {
    if (r->renew_at != 0 && r->now >= r->renew_at) {
        return ask_for_token(r);
    }
    return open_with_token(r);
}

// After `ms`. A wait that would end after the deadline is not begun.
static int open_later(struct rekey *r, uint32_t ms) {
    if (r->now + ms >= r->deadline) {
        return end(r, REKEY_E_DEADLINE);
    }
    if (!rekey_polling(r) || ms > REKEY_IDLE_MAX_MS) {
        rekey_exchange_close(&r->x);
    }
    r->wait_ms = ms;
    r->wake = r->now + ms;
    r->state = WAIT;
    return REKEY_AGAIN;
}

// Something failed and is repeated: after the wait that the answer `named`, or the backoff for the
// n-th time in a row.
static int repeat(struct rekey *r, int error, unsigned n, bool named, uint32_t ms) {
    uint32_t random;

    r->cause = error;
    if (!named) {
        if (r->port->entropy(r->port->ctx, &random, sizeof(random)) != REKEY_DONE) {
            random = UINT32_MAX; // no jitter
        }
        ms = rekey_backoff_ms(n, random);
    }
    return open_later(r, ms);
}

// A POST that was not executed, or a listKeys: up to REKEY_TRIES_MAX in all.
static int try_again(struct rekey *r, int error, bool named, uint32_t ms) {
    if (++r->tries >= REKEY_TRIES_MAX) {
        return end(r, error);
    }
    return repeat(r, error, r->tries - 1u, named, ms);
}

// A poll that could not be read: until the deadline.
static int poll_again(struct rekey *r, int error, bool named, uint32_t ms) {
    unsigned n = r->failures;

    r->failures = (uint8_t)(n < 8 ? n + 1 : n); // the backoff grows no more
    return repeat(r, error, n, named, ms);
}

// The exchange came to no complete answer. Only what the network did may do better a second time.
static int exchange_failed(struct rekey *r, int error) {
    bool passing = rekey_retry_helps(error);
    bool idle_close = r->x.reused && !r->x.got_byte && error != REKEY_E_IDLE_TIMEOUT;

    rekey_exchange_close(&r->x);
    if (rekey_polling(r)) {
        if (idle_close) { // it crossed our request: repeat at once, not counted as a try
            return open_now(r);
        }
        return passing ? poll_again(r, error, false, 0) : end(r, error);
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
    return try_again(r, error, false, 0);
}

// ---- the requests -------------------------------------------------------------------------------

static int save_record(struct rekey *r) {
    const struct rekey_record record = {
        .kind = (enum rekey_poll_kind)r->kind,
        .url = rekey_span(r->url, rekey_polling(r) ? r->url_len : 0),
        .request_id = rekey_span(r->client_id, strlen(r->client_id)),
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
        error = rekey_message_post(r, r->job == REGENERATE);
    }
    if (error == 0 && !rekey_polling(r) && r->job == REGENERATE) {
        error = save_record(r);
    }
    return error == 0 ? REKEY_AGAIN : end(r, error);
}

static int send_more(struct rekey *r) {
    size_t len = rekey_message_emit(r);

    if (len == 0) {
        rekey_message_answer(r, false);
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

// The next poll comes after the wait that the answer named, or the default; never for long more
// than one a second.
static int poll_later(struct rekey *r, bool named, uint32_t ms) {
    ms = named ? ms : r->options->poll_interval_ms;
    if (ms < REKEY_POLL_FLOOR_MS) {
        if (r->immediate == REKEY_IMMEDIATE_POLLS) {
            ms = REKEY_POLL_FLOOR_MS;
        } else {
            r->immediate++;
        }
    }
    return open_later(r, ms);
}

// The new URL is polled from now on.
static void adopt_url(struct rekey *r) {
    r->kind = r->new_kind;
    r->save_failed = save_record(r) != 0;
}

static int post_answered(struct rekey *r) {
    uint32_t ms = 0;
    bool named = rekey_message_retry_after(r, &ms);
    bool monitor = rekey_message_seen(r, REKEY_FIELD_ASYNC_OPERATION) ||
                   rekey_message_seen(r, REKEY_FIELD_OPERATION_LOCATION);
    struct rekey_step_rule step = rekey_operation_post(
        r->http_status, (named ? REKEY_HAS_RETRY_AFTER : 0) | (monitor ? REKEY_HAS_MONITOR : 0) |
                            (rekey_message_seen(r, REKEY_FIELD_LOCATION) ? REKEY_HAS_LOCATION : 0));

    r->wrote = false;
    switch (step.next) {
    case REKEY_NEXT_POLL:
        if (r->url_error == 0) {
            adopt_url(r);
            r->renewing = false;
            return poll_later(r, named, ms);
        }
        r->remembered = true;
        return end(r, r->url_error);
    case REKEY_NEXT_NEW_TOKEN:
        return token_refused(r);
    case REKEY_NEXT_REPEAT:
        return try_again(r, step.error, named, ms);
    case REKEY_NEXT_MAYBE:
        r->remembered = true;
        return r->options->retry_unsafe ? try_again(r, step.error, named, ms) : end(r, step.error);
    case REKEY_NEXT_UNKNOWN:
        r->remembered = true;
        return end(r, step.error);
    default: // succeeded, refused
        return end(r, step.error);
    }
}

static int poll_answered(struct rekey *r) {
    struct rekey_status_body body = {.percent = -1};
    struct rekey_step_rule step;
    uint32_t ms = 0;
    bool named = rekey_message_retry_after(r, &ms);

    r->polls++;
    if (r->http_status / 100 == 2) {
        rekey_operation_body(&body, (enum rekey_poll_kind)r->kind, answer_body(r), body_cut(r),
                             r->x.http.coded, json_tokens(r), REKEY_JSON_TOKENS);
        memcpy(r->status, body.status, sizeof(r->status));
        r->percent = body.percent;
    }
    step = rekey_operation_poll(r->http_status, (enum rekey_poll_kind)r->kind, &body);
    if (step.next != REKEY_NEXT_NOT_FOUND) {
        r->not_found = 0;
    }
    if (step.next != REKEY_NEXT_NEW_TOKEN) {
        r->renewing = false;
    }
    switch (step.next) {
    case REKEY_NEXT_RUNNING:
        r->failures = 0;
        if (r->url_error != 0) {
            return end(r, r->url_error);
        }
        if (r->new_url) {
            adopt_url(r);
        }
        return poll_later(r, named, ms);
    case REKEY_NEXT_NEW_TOKEN:
        return token_refused(r);
    case REKEY_NEXT_REPEAT:
        return poll_again(r, step.error, named, ms);
    case REKEY_NEXT_NOT_FOUND:
        r->cause = step.error;
        if (++r->not_found > REKEY_NOT_FOUND_MAX) {
            return end(r, step.error);
        }
        return poll_later(r, named, ms);
    case REKEY_NEXT_FAILED:
        rekey_arm_error_read(&r->service, answer_body(r), false, json_tokens(r), REKEY_JSON_TOKENS);
        return end(r, step.error);
    default: // succeeded, unknown
        return end(r, step.error);
    }
}

// listKeys changes nothing: what the rules for the POST call "may have been executed" is repeated.
static int list_answered(struct rekey *r) {
    uint32_t ms = 0;
    bool named = rekey_message_retry_after(r, &ms);
    struct rekey_step_rule step = rekey_operation_post(r->http_status, 0);

    switch (step.next) {
    case REKEY_NEXT_SUCCEEDED:
        if (r->x.http.coded || body_cut(r)) {
            return end(r, r->x.http.coded ? REKEY_E_CONTENT_CODING : REKEY_E_LIMIT_STAGING);
        }
        return end(r, rekey_endpoint_keys(r->keys, answer_body(r), json_tokens(r),
                                          REKEY_JSON_TOKENS, &r->needed));
    case REKEY_NEXT_NEW_TOKEN:
        return token_refused(r);
    case REKEY_NEXT_REPEAT:
    case REKEY_NEXT_MAYBE:
        return try_again(r, REKEY_E_NOT_PROCESSED, named, ms);
    case REKEY_NEXT_REFUSED:
        return end(r, step.error);
    default:
        return end(r, REKEY_E_STATUS);
    }
}

// Ends a captured id, which has a byte to spare.
static void terminate(char *text, const struct rekey_http_field *f) {
    text[f->len < f->cap ? f->len : f->cap] = '\0';
}

static int answered(struct rekey *r) {
    r->answers++;
    r->http_status = r->x.http.status;
    terminate(r->request_id, &r->fields[REKEY_FIELD_REQUEST_ID]);
    terminate(r->correlation_id, &r->fields[REKEY_FIELD_CORRELATION_ID]);
    if (r->url_error != REKEY_E_LIMIT_URL) {
        r->needed =
            body_cut(r) ? r->x.http.body_size + REKEY_JSON_TOKENS * REKEY_JSON_TOKEN_SIZE : 0;
    }
    r->claims = rekey_message_claims(r);
    memset(&r->service, 0, sizeof(r->service));
    if (r->http_status >= 400 && !r->x.http.coded) {
        rekey_arm_error_read(&r->service, answer_body(r), body_cut(r), json_tokens(r),
                             REKEY_JSON_TOKENS);
    }
    if (rekey_polling(r)) {
        return poll_answered(r);
    }
    return r->job == LIST_KEYS ? list_answered(r) : post_answered(r);
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

    r->x.until = result > 0 ? r->deadline : 0;
    return result == REKEY_DONE || result == REKEY_E_LIMIT_TOKEN ? take_token(r, len) : result;
}

static int step_token(struct rekey *r) {
    struct rekey_credential *credential = r->options->credential;
    int result;

    result = credential != NULL ? credential->step(credential, r) : given_token(r);
    if (result > 0) {
        return result;
    }
    if (result < 0) {
        return end(r, result);
    }
    aim(r);
    if (r->job != GET_TOKEN) {
        return open_with_token(r);
    }
    r->token_out->lifetime_ms = r->expiry == 0 ? 0 : r->expiry - r->now;
    r->token_out->len = r->token_len;
    memcpy(r->token_out->value, r->token, r->token_len);
    return end(r, 0);
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
        rekey_message_answer(r, true);
        return REKEY_AGAIN;
    }
    return exchange_failed(r, result);
}

int rekey_step(struct rekey *r) {
    if (!running(r)) {
        return r->error;
    }
    r->now = r->port->now_ms(r->port->ctx);
    r->x.until = 0;
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

// ---- the rest of the API ------------------------------------------------------------------------

int rekey_init(struct rekey *r, const struct rekey_port *port,
               const struct rekey_options *options) {
    const struct rekey_span host = options->host;

    memset(r, 0, sizeof(*r));
    r->port = port;
    r->options = options;
    r->outcome = REKEY_NONE;
    r->error = REKEY_E_IDLE;
    r->state = IDLE;
    if (!rekey_url_host_valid(host, host.len > 0 && memchr(host.ptr, ':', host.len) != NULL)) {
        r->error = REKEY_E_HOST;
    } else if ((options->token == NULL && options->credential == NULL) || options->port == 0 ||
               options->timeout_ms == 0 || options->connect_timeout_ms == 0 ||
               options->idle_timeout_ms == 0) {
        r->error = REKEY_E_OPTIONS;
    } else {
        return 0;
    }
    r->state = UNUSABLE;
    return r->error;
}

// Everything but port and options begins anew.
static int start(struct rekey *r, enum job job) {
    const size_t kept = offsetof(struct rekey, endpoint);

    if (r->state == UNUSABLE) {
        return r->error;
    }
    if (running(r)) {
        return REKEY_E_BUSY;
    }
    memset((char *)r + kept, 0, sizeof(*r) - kept);
    aim(r);
    r->outcome = REKEY_NONE;
    r->percent = -1;
    r->job = (uint8_t)job;
    ask_for_token(r);
    r->deadline = r->port->now_ms(r->port->ctx) + r->options->timeout_ms;
    return 0;
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
    int error = start(r, REGENERATE);

    if (error != 0) {
        return error;
    }
    error = rekey_endpoint_check(endpoint);
    if (error == 0) {
        error = check_key(r, key, key_value);
    }
    if (error != 0) {
        return end_as(r, error, REKEY_USAGE);
    }
    r->endpoint = endpoint;
    r->key = (uint8_t)key;
    r->key_value_len = (uint16_t)key_value.len;
    if (key_value.len > 0) {
        memcpy(r->key_value, key_value.ptr, key_value.len);
    }
    return 0;
}

int rekey_list_keys(struct rekey *r, const struct rekey_endpoint *endpoint,
                    struct rekey_keys *keys) {
    int error = start(r, LIST_KEYS);

    if (error != 0) {
        return error;
    }
    error = rekey_endpoint_check(endpoint);
    if (error != 0) {
        return end(r, error);
    }
    memset(keys, 0, sizeof(*keys));
    r->endpoint = endpoint;
    r->keys = keys;
    return 0;
}

int rekey_get_token(struct rekey *r, struct rekey_token *token) {
    int error = start(r, GET_TOKEN);

    if (error == 0) {
        r->token_out = token;
    }
    return error;
}

int rekey_resume(struct rekey *r, const struct rekey_record *record) {
    int error = start(r, RESUME);

    if (error != 0) {
        return error;
    }
    if (record->request_id.len != sizeof(r->client_id) - 1) {
        return end(r, REKEY_E_RECORD);
    }
    memcpy(r->client_id, record->request_id.ptr, record->request_id.len);
    r->remembered = record->unsure;
    if (record->kind == REKEY_POLL_NONE) {
        error = REKEY_E_RESUME_NO_URL;
    } else if (record->url.len > REKEY_URL_MAX) {
        r->needed = (uint32_t)record->url.len;
        error = REKEY_E_LIMIT_URL;
    } else {
        error = rekey_message_check_url(r, record->url);
    }
    if (error != 0) {
        return end_as(r, error, REKEY_UNKNOWN);
    }
    memcpy(r->url, record->url.ptr, record->url.len);
    r->url_len = (uint16_t)record->url.len;
    r->kind = (uint8_t)record->kind;
    return 0;
}

uint32_t rekey_wait_ms(const struct rekey *r) {
    uint64_t until = r->x.until < r->deadline ? r->x.until : r->deadline;
    uint64_t now = r->port->now_ms(r->port->ctx);

    if (!running(r) || until <= now) {
        return 0;
    }
    return until - now < UINT32_MAX ? (uint32_t)(until - now) : UINT32_MAX;
}

void rekey_report(const struct rekey *r, struct rekey_report *report) {
    *report = (struct rekey_report){
        .outcome = (enum rekey_outcome)r->outcome,
        .error = r->state == ENDED ? r->error : 0,
        .cause = r->cause,
        .http_status = r->http_status,
        .service = &r->service,
        .status = r->status,
        .percent = r->percent,
        .kind = (enum rekey_poll_kind)r->kind,
        .url = rekey_span(r->url, rekey_polling(r) ? r->url_len : 0),
        .host = r->x.host,
        .subject = rekey_span(r->subject, r->subject_len),
        .client_request_id = r->client_id,
        .request_id = r->request_id,
        .correlation_id = r->correlation_id,
        .requests = r->requests,
        .answers = r->answers,
        .polls = r->polls,
        .wait_ms = r->wait_ms,
        .needed = r->needed,
        .save_failed = r->save_failed,
        .waiting = r->state == WAIT,
    };
}

void rekey_abort(struct rekey *r) {
    if (running(r)) {
        end(r, REKEY_E_ABORTED);
    }
}

int rekey_run(struct rekey *r) {
    int result = rekey_step(r);

    while (result > 0) {
        if (result != REKEY_AGAIN) {
            r->port->wait(r->port->ctx, result, rekey_wait_ms(r));
        }
        result = rekey_step(r);
    }
    return result;
}
