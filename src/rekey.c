// rekey.c - the operation: token, POST, wait, poll, done, as a machine that rekey_step moves on.
// What an answer means is decided in operation.c, how long to wait in retry.c, what the requests
// say in endpoint.c. What lives here is the order of things, and the one question that everything
// turns on: may the POST have been executed? `wrote` says so of the POST that is under way,
// `remembered` of the ones before it, and outcome_of() reads both.

#include "rekey.h"

#include "endpoint.h"
#include "json.h"
#include "retry.h"
#include "url.h"

enum state { UNUSABLE, IDLE, TOKEN, WAIT, OPEN, SEND, RECEIVE, ENDED };

enum job { REGENERATE, LIST_KEYS, RESUME };

#define STAGING_BODY_MAX (REKEY_STAGING_MAX - REKEY_JSON_TOKENS * REKEY_JSON_TOKEN_SIZE)

static void *json_tokens(struct rekey *r) {
    return r->staging.bytes + STAGING_BODY_MAX;
}

static struct rekey_span answer_body(const struct rekey *r) {
    return rekey_span(r->staging.bytes, r->http.body_len);
}

static bool body_cut(const struct rekey *r) {
    return r->http.body_size > r->http.body_len;
}

static bool polling(const struct rekey *r) {
    return r->kind != REKEY_POLL_NONE;
}

static uint64_t now(const struct rekey *r) {
    return r->port->now_ms(r->port->ctx);
}

static bool running(const struct rekey *r) {
    return r->state != UNUSABLE && r->state != IDLE && r->state != ENDED;
}

static int group(int error) {
    return -error / 100;
}

// ---- how it ends
// ---------------------------------------------------------------------------------

// azure.md 7: the phase decides before the cause.
static enum rekey_outcome outcome_of(const struct rekey *r, int error) {
    int g = group(error);

    if (error == 0) {
        return REKEY_SUCCEEDED;
    }
    if (polling(r)) {
        if (g == 2 || g == 3 || g == 8 || g == 9 || error == REKEY_E_LIMIT_ARENA ||
            error == REKEY_E_LIMIT_TOKEN) {
            return REKEY_RUNNING; // a failure on our side
        }
        if ((error == REKEY_E_FAILED || error == REKEY_E_CANCELED) && !r->remembered) {
            return REKEY_FAILED;
        }
        return REKEY_UNKNOWN;
    }
    if (r->remembered || (r->wrote && r->job == REGENERATE)) {
        return REKEY_UNKNOWN;
    }
    switch (g) {
    case 1:
        return REKEY_USAGE;
    case 2:
        return REKEY_NOT_REACHED;
    case 3:
        return REKEY_NOT_TRUSTED;
    case 6:
        return error == REKEY_E_NOT_PROCESSED ? REKEY_NOT_REACHED : REKEY_REFUSED;
    case 7:
        if (error == REKEY_E_LIMIT_ARENA) {
            return REKEY_LOCAL;
        }
        return error == REKEY_E_LIMIT_TOKEN || error == REKEY_E_LIMIT_KEY_VALUE ? REKEY_USAGE
                                                                                : REKEY_REFUSED;
    case 8:
        return REKEY_CREDENTIALS;
    case 9:
        return REKEY_LOCAL;
    default:
        return REKEY_REFUSED; // framing and JSON, of an answer to listKeys
    }
}

static void close_connection(struct rekey *r) {
    if (r->opening || r->connected) {
        r->port->tls.close(r->port->tls.ctx);
    }
    r->opening = r->connected = false;
}

static int end_as(struct rekey *r, int error, enum rekey_outcome outcome) {
    close_connection(r);
    rekey_zeroize(r->token, sizeof(r->token));
    rekey_zeroize(r->key_value, sizeof(r->key_value));
    rekey_zeroize(&r->staging, sizeof(r->staging));
    rekey_zeroize(r->io, sizeof(r->io));
    if (error != 0 && r->keys != NULL) {
        rekey_zeroize(r->keys, sizeof(*r->keys));
    }
    r->token_len = 0;
    r->error = error;
    r->outcome = (uint8_t)outcome;
    r->state = ENDED;
    return error;
}

static int end(struct rekey *r, int error) {
    return end_as(r, error, outcome_of(r, error));
}

// ---- waiting, and trying again
// -------------------------------------------------------------------

// The next request goes out after `ms`. A wait that would end after the deadline is not begun.
static int wait_then_open(struct rekey *r, uint32_t ms) {
    if (now(r) + ms >= r->deadline) {
        return end(r, REKEY_E_DEADLINE);
    }
    if (!polling(r) || ms > REKEY_IDLE_MAX_MS) {
        close_connection(r);
    }
    r->wait_ms = ms;
    r->wake = now(r) + ms;
    r->state = WAIT;
    return REKEY_AGAIN;
}

static uint32_t backoff(const struct rekey *r, unsigned n) {
    uint32_t random;

    if (r->port->entropy(r->port->ctx, &random, sizeof(random)) != REKEY_DONE) {
        random = UINT32_MAX; // no jitter
    }
    return rekey_backoff_ms(n, random);
}

// A POST that was not executed, or a listKeys, is repeated: up to REKEY_TRIES_MAX in all.
static int try_again(struct rekey *r, int error, bool named, uint32_t ms) {
    r->cause = error;
    if (++r->tries >= REKEY_TRIES_MAX) {
        return end(r, error);
    }
    return wait_then_open(r, named ? ms : backoff(r, r->tries - 1u));
}

// A poll that could not be read is repeated until the deadline.
static int poll_again(struct rekey *r, int error, bool named, uint32_t ms) {
    unsigned n = r->failures;

    r->cause = error;
    r->failures = (uint8_t)(n < 255 ? n + 1 : n);
    return wait_then_open(r, named ? ms : backoff(r, n));
}

// Whether a second try may do better: the network may, a certificate will not.
static bool passing(int error) {
    return group(error) == 2;
}

// The exchange came to no complete answer. For a POST, `wrote` tells whether it may have been
// executed.
static int exchange_failed(struct rekey *r, int error) {
    bool idle_close = r->reused && !r->got_byte && error != REKEY_E_IDLE_TIMEOUT;

    close_connection(r);
    if (polling(r)) {
        if (idle_close) { // it crossed our request: repeat at once, not counted as a try
            r->state = OPEN;
            return REKEY_AGAIN;
        }
        return passing(error) ? poll_again(r, error, false, 0) : end(r, error);
    }
    if (r->wrote && r->job == REGENERATE) {
        r->wrote = false;
        r->remembered = true;
        if (!r->options->retry_unsafe) {
            return end(r, error);
        }
    } else if (!passing(error) || error == REKEY_E_CONNECT_TIMEOUT) {
        return end(r, error); // the whole connect timeout is what the caller would wait
    }
    return try_again(r, error, false, 0);
}

// ---- the requests
// --------------------------------------------------------------------------------

// x-ms-client-request-id: a random GUID (RFC 9562 4.4, version 4).
static int new_client_id(struct rekey *r) {
    static const char hex[] = "0123456789abcdef";
    unsigned char random[16];
    size_t at = 0;

    if (r->port->entropy(r->port->ctx, random, sizeof(random)) != REKEY_DONE) {
        return REKEY_E_ENTROPY;
    }
    random[6] = (unsigned char)(0x40 | (random[6] & 0x0F));
    random[8] = (unsigned char)(0x80 | (random[8] & 0x3F));
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            r->client_id[at++] = '-';
        }
        r->client_id[at++] = hex[random[i] >> 4];
        r->client_id[at++] = hex[random[i] & 15];
    }
    r->client_id[at] = '\0';
    return 0;
}

static int save_record(struct rekey *r) {
    struct rekey_record record = {
        .kind = (enum rekey_poll_kind)r->kind,
        .url = rekey_span(r->url, polling(r) ? r->url_len : 0),
        .request_id = rekey_span(r->client_id, strlen(r->client_id)),
        .unsure = r->remembered,
    };

    return r->options->save == NULL ? REKEY_DONE : r->options->save(r->options->save_ctx, &record);
}

// The connection is ready: what must be true before the first byte of a request goes out. A poll is
// sent with the id of its POST.
static int begin_request(struct rekey *r) {
    int error = 0;

    r->timer = now(r);
    r->state = SEND;
    r->cursor = (struct rekey_http_cursor){0};
    r->body_len = r->out_len = r->out_at = 0;
    r->requests++;
    r->cut_short = r->got_byte = false;
    if (polling(r)) {
        return REKEY_AGAIN;
    }
    r->url_len = (uint16_t)rekey_endpoint_path(
        r->endpoint, r->job == LIST_KEYS ? REKEY_SPAN("listKeys") : REKEY_SPAN("regenerateKeys"),
        r->url);
    error = new_client_id(r);
    if (r->job == REGENERATE) {
        r->body_len = (uint16_t)rekey_endpoint_body(
            (enum rekey_key)r->key,
            rekey_span(r->key_value_len > 0 ? r->key_value : NULL, r->key_value_len),
            r->staging.bytes, sizeof(r->staging.bytes));
        error = error == 0 && save_record(r) != REKEY_DONE ? REKEY_E_SAVE : error;
    }
    return error == 0 ? REKEY_AGAIN : end(r, error);
}

// Puts the next bytes of the request into staging, behind the body that lies at its start.
static void emit_request(struct rekey *r) {
    const struct rekey_options *o = r->options;
    const struct rekey_span none = {NULL, 0};
    bool ipv6 = memchr(o->host.ptr, ':', o->host.len) != NULL;
    bool post = !polling(r);
    struct rekey_span target = rekey_span(r->url, r->url_len);
    struct rekey_url url;
    char port[10], length[10];

    if (!post && rekey_url_parse(target, &url) == 0) { // it was checked when it came
        target = url.target;
    }
    {
        const struct rekey_span pieces[] = {
            post ? REKEY_SPAN("POST ") : REKEY_SPAN("GET "),
            target.len == 0 || target.ptr[0] != '/' ? REKEY_SPAN("/") : none,
            target,
            REKEY_SPAN(" HTTP/1.1\r\nHost: "),
            ipv6 ? REKEY_SPAN("[") : none,
            o->host,
            ipv6 ? REKEY_SPAN("]") : none,
            o->port != 443 ? REKEY_SPAN(":") : none,
            rekey_span(port, o->port != 443 ? rekey_http_decimal(o->port, port) : 0),
            REKEY_SPAN("\r\nUser-Agent: rekey/" REKEY_VERSION " ("),
            o->board,
            REKEY_SPAN(")\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"
                       "x-ms-client-request-id: "),
            rekey_span(r->client_id, strlen(r->client_id)),
            REKEY_SPAN("\r\nAuthorization: Bearer "),
            rekey_span(r->token, r->token_len),
            r->body_len > 0 ? REKEY_SPAN("\r\nContent-Type: application/json") : none,
            post ? REKEY_SPAN("\r\nContent-Length: ") : none,
            rekey_span(length, post ? rekey_http_decimal(r->body_len, length) : 0),
            REKEY_SPAN("\r\n\r\n"),
            rekey_span(r->staging.bytes, r->body_len),
        };

        r->out_at = 0;
        r->out_len = (uint16_t)rekey_http_emit(pieces, sizeof(pieces) / sizeof(pieces[0]),
                                               &r->cursor, r->staging.bytes + r->body_len,
                                               sizeof(r->staging.bytes) - r->body_len);
    }
}

// ---- the answers
// ---------------------------------------------------------------------------------

static void set_field(struct rekey *r, enum rekey_field_index i, const char *name, char *buf,
                      size_t cap) {
    r->fields[i] = (struct rekey_http_field){.name = name, .buf = buf, .cap = (uint16_t)cap};
}

// The polling URLs of a POST's answer need two places: staging takes the preferred one; the URL
// buffer, which still holds the POST's path, takes the other. A poll looks for its own kind of URL
// only.
static void start_answer(struct rekey *r) {
    static const char *const names[] = {"", "azure-asyncoperation", "operation-location",
                                        "location"};

    for (uint8_t kind = REKEY_POLL_ASYNC_OPERATION; kind <= REKEY_POLL_LOCATION; kind++) {
        bool wanted = !polling(r) || kind == r->kind;
        bool preferred = polling(r) || kind == REKEY_POLL_ASYNC_OPERATION;

        set_field(r, (enum rekey_field_index)(kind - 1), names[kind],
                  preferred ? r->staging.bytes : r->url, wanted ? REKEY_URL_MAX : 0);
    }
    set_field(r, REKEY_FIELD_RETRY_AFTER, "retry-after", r->retry_after, sizeof(r->retry_after));
    set_field(r, REKEY_FIELD_RETRY_AFTER_MS, "retry-after-ms", r->retry_after_ms,
              sizeof(r->retry_after_ms));
    set_field(r, REKEY_FIELD_X_MS_RETRY_AFTER_MS, "x-ms-retry-after-ms", r->x_ms_retry_after_ms,
              sizeof(r->x_ms_retry_after_ms));
    set_field(r, REKEY_FIELD_DATE, "date", r->date, sizeof(r->date));
    set_field(r, REKEY_FIELD_REQUEST_ID, "x-ms-request-id", r->request_id,
              sizeof(r->request_id) - 1);
    set_field(r, REKEY_FIELD_CORRELATION_ID, "x-ms-correlation-request-id", r->correlation_id,
              sizeof(r->correlation_id) - 1);
    rekey_http_start(&r->http, r->fields, REKEY_FIELD_COUNT, r->staging.bytes, STAGING_BODY_MAX);
    r->url_error = 0;
    r->new_kind = REKEY_POLL_NONE;
    r->new_url = false;
    r->state = RECEIVE;
}

// A captured field as a span; without a pointer if it did not come or did not fit.
static struct rekey_span field_value(const struct rekey *r, enum rekey_field_index i) {
    const struct rekey_http_field *f = &r->fields[i];

    return rekey_span(f->seen > 0 && f->len <= f->cap ? f->buf : NULL, f->len);
}

static void set_subject(struct rekey *r, struct rekey_span host) {
    size_t len = host.len < sizeof(r->subject) ? host.len : sizeof(r->subject);

    memcpy(r->subject, host.ptr, len);
    r->subject_len = (uint8_t)len;
}

// azure.md 4.1: a polling URL is https, without userinfo, on the host and port that was called.
static int check_url(struct rekey *r, struct rekey_span text) {
    struct rekey_url url;
    int error = rekey_url_parse(text, &url);

    if (error == 0 &&
        (url.port != r->options->port || !rekey_url_same_host(url.host, r->options->host))) {
        error = REKEY_E_URL_FOREIGN;
    }
    if (error != 0) {
        set_subject(r, rekey_url_host_of(text));
    }
    return error;
}

// Takes the URL that field `i` brought, if it passes; else says in url_error why not.
static void take_url(struct rekey *r, enum rekey_field_index i) {
    const struct rekey_http_field *f = &r->fields[i];

    r->new_kind = (uint8_t)(i + 1);
    if (f->seen > 1) {
        r->url_error = REKEY_E_REPEATED_FIELD;
    } else if (f->len > f->cap) {
        r->url_error = REKEY_E_LIMIT_URL;
        r->needed = f->len;
    } else {
        r->url_error = check_url(r, rekey_span(f->buf, f->len));
        if (r->url_error == 0) {
            memmove(r->url, f->buf, f->len);
            r->url_len = f->len;
            r->new_url = true;
        }
    }
}

// The head is complete, and staging must be free for the body: the polling URL is chosen now.
static void head_complete(struct rekey *r) {
    const struct rekey_http_field *f = r->fields;
    unsigned status = r->http.status;
    bool monitor = f[REKEY_FIELD_OPERATION_LOCATION].seen > 0;
    bool location = f[REKEY_FIELD_LOCATION].seen > 0;
    enum rekey_field_index other = monitor ? REKEY_FIELD_OPERATION_LOCATION : REKEY_FIELD_LOCATION;

    if (status >= 300 && status < 400 && !polling(r)) {
        struct rekey_span target = field_value(r, REKEY_FIELD_LOCATION);

        set_subject(r,
                    target.ptr != NULL && !monitor ? rekey_url_host_of(target) : rekey_span("", 0));
    }
    if (status < 200 || status > 202) {
        return;
    }
    if (polling(r)) {
        if (f[r->kind - 1].seen > 0) {
            take_url(r, (enum rekey_field_index)(r->kind - 1));
        }
        return;
    }
    if (f[REKEY_FIELD_ASYNC_OPERATION].seen > 0) {
        take_url(r, REKEY_FIELD_ASYNC_OPERATION);
    }
    // The other one: where there is no preferred one, or that is over its budget and status is 202.
    if ((r->new_kind == REKEY_POLL_NONE || (r->url_error == REKEY_E_LIMIT_URL && status == 202)) &&
        (monitor || (location && status == 202))) {
        take_url(r, other);
    }
}

static bool retry_after(const struct rekey *r, uint32_t *ms) {
    struct rekey_retry_after fields = {
        .x_ms_ms = field_value(r, REKEY_FIELD_X_MS_RETRY_AFTER_MS),
        .ms = field_value(r, REKEY_FIELD_RETRY_AFTER_MS),
        .after = field_value(r, REKEY_FIELD_RETRY_AFTER),
        .date = field_value(r, REKEY_FIELD_DATE),
    };

    return rekey_retry_after(&fields, r->port->wall_s(r->port->ctx), ms);
}

// The token was refused. It is asked for once more; a second refusal in a row ends it.
static int token_refused(struct rekey *r) {
    r->cause = REKEY_E_UNAUTHORIZED;
    if (r->renewing) {
        return end(r, REKEY_E_UNAUTHORIZED);
    }
    r->renewing = true;
    r->state = TOKEN;
    if (!polling(r)) {
        close_connection(r); // a POST goes out on a fresh one
    }
    return REKEY_AGAIN;
}

// The next poll: after the wait that the answer named, or the default; never for long more than one
// a second.
static int poll_later(struct rekey *r, bool named, uint32_t ms) {
    ms = named ? ms : r->options->poll_interval_ms;
    if (ms < REKEY_POLL_FLOOR_MS) {
        if (r->immediate == REKEY_IMMEDIATE_POLLS) {
            ms = REKEY_POLL_FLOOR_MS;
        } else {
            r->immediate++;
        }
    }
    return wait_then_open(r, ms);
}

// The new URL is polled from now on.
static void adopt_url(struct rekey *r) {
    r->kind = r->new_kind;
    r->save_failed = save_record(r) != REKEY_DONE;
}

static int post_answered(struct rekey *r) {
    uint32_t ms = 0;
    bool named = retry_after(r, &ms);
    unsigned has = (named ? REKEY_HAS_RETRY_AFTER : 0) |
                   (r->fields[REKEY_FIELD_ASYNC_OPERATION].seen > 0 ||
                            r->fields[REKEY_FIELD_OPERATION_LOCATION].seen > 0
                        ? REKEY_HAS_MONITOR
                        : 0) |
                   (r->fields[REKEY_FIELD_LOCATION].seen > 0 ? REKEY_HAS_LOCATION : 0);
    struct rekey_step_rule step = rekey_operation_post(r->http_status, has);

    r->wrote = false;
    switch (step.next) {
    case REKEY_NEXT_SUCCEEDED:
        return end(r, 0);
    case REKEY_NEXT_POLL:
        if (r->url_error != 0) {
            r->remembered = true;
            return end(r, r->url_error);
        }
        adopt_url(r);
        r->renewing = false;
        return poll_later(r, named, ms);
    case REKEY_NEXT_NEW_TOKEN:
        return token_refused(r);
    case REKEY_NEXT_REPEAT:
        return try_again(r, step.error, named, ms);
    case REKEY_NEXT_MAYBE:
        r->remembered = true;
        return r->options->retry_unsafe ? try_again(r, step.error, named, ms) : end(r, step.error);
    case REKEY_NEXT_REFUSED:
        return end(r, step.error);
    default:
        r->remembered = true;
        return end(r, step.error);
    }
}

static int poll_answered(struct rekey *r) {
    struct rekey_status_body body = {.percent = -1};
    struct rekey_step_rule step;
    uint32_t ms = 0;
    bool named = retry_after(r, &ms);

    r->polls++;
    if (r->http_status >= 200 && r->http_status <= 202) {
        rekey_operation_body(&body, (enum rekey_poll_kind)r->kind, answer_body(r), body_cut(r),
                             r->http.coded, json_tokens(r), REKEY_JSON_TOKENS);
        memcpy(r->status, body.status, sizeof(r->status));
        r->percent = body.percent;
    }
    step = rekey_operation_poll(r->http_status, (enum rekey_poll_kind)r->kind, &body);
    if (r->http_status != 404) {
        r->not_found = 0;
    }
    if (r->http_status != 401) {
        r->renewing = false;
    }
    switch (step.next) {
    case REKEY_NEXT_SUCCEEDED:
        return end(r, 0);
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
        return ++r->not_found > REKEY_NOT_FOUND_MAX ? end(r, step.error) : poll_later(r, named, ms);
    case REKEY_NEXT_FAILED:
        rekey_arm_error_read(&r->service, answer_body(r), false, json_tokens(r), REKEY_JSON_TOKENS);
        return end(r, step.error);
    default:
        if (step.error == REKEY_E_LIMIT_STAGING) {
            r->needed = r->http.body_size + REKEY_JSON_TOKENS * REKEY_JSON_TOKEN_SIZE;
        }
        return end(r, step.error);
    }
}

// listKeys changes nothing: what the rules for the POST call "may have been executed" is repeated.
static int list_answered(struct rekey *r) {
    uint32_t ms = 0;
    bool named = retry_after(r, &ms);
    struct rekey_step_rule step = rekey_operation_post(r->http_status, 0);
    int error = step.error;

    switch (step.next) {
    case REKEY_NEXT_SUCCEEDED:
        if (r->http.coded) {
            error = REKEY_E_CONTENT_CODING;
        } else if (body_cut(r)) {
            r->needed = r->http.body_size + REKEY_JSON_TOKENS * REKEY_JSON_TOKEN_SIZE;
            error = REKEY_E_LIMIT_STAGING;
        } else {
            error = rekey_endpoint_keys(r->keys, answer_body(r), json_tokens(r), REKEY_JSON_TOKENS,
                                        &r->needed);
        }
        return end(r, error);
    case REKEY_NEXT_NEW_TOKEN:
        return token_refused(r);
    case REKEY_NEXT_REPEAT:
    case REKEY_NEXT_MAYBE:
        return try_again(r, REKEY_E_NOT_PROCESSED, named, ms);
    default:
        return end(r, error != 0 ? error : REKEY_E_STATUS);
    }
}

// An answer is complete. `rest` bytes came after it, which belong to nothing.
static int answered(struct rekey *r, size_t rest) {
    r->answers++;
    r->http_status = r->http.status;
    if (!r->http.keep || r->cut_short || rest > 0) {
        close_connection(r);
    }
    r->request_id[r->fields[REKEY_FIELD_REQUEST_ID].len <= 40
                      ? r->fields[REKEY_FIELD_REQUEST_ID].len
                      : 40] = '\0';
    r->correlation_id[r->fields[REKEY_FIELD_CORRELATION_ID].len <= 40
                          ? r->fields[REKEY_FIELD_CORRELATION_ID].len
                          : 40] = '\0';
    memset(&r->service, 0, sizeof(r->service));
    if (r->http_status >= 400 && !r->http.coded) {
        rekey_arm_error_read(&r->service, answer_body(r), body_cut(r), json_tokens(r),
                             REKEY_JSON_TOKENS);
    }
    if (polling(r)) {
        return poll_answered(r);
    }
    return r->job == LIST_KEYS ? list_answered(r) : post_answered(r);
}

// ---- the states
// ----------------------------------------------------------------------------------

static int step_token(struct rekey *r) {
    size_t len = 0;
    int result = r->options->token(r->options->token_ctx, r->staging.bytes, REKEY_TOKEN_MAX, &len);

    if (result > 0) {
        r->sleep_end = r->deadline;
        return result;
    }
    if (result == REKEY_E_LIMIT_TOKEN || (result == REKEY_DONE && len > REKEY_TOKEN_MAX)) {
        r->needed = (uint32_t)len;
        return end(r, REKEY_E_LIMIT_TOKEN);
    }
    if (result < 0) {
        return end(r, result);
    }
    for (size_t i = 0; i < len; i++) {
        if (r->staging.bytes[i] <= ' ' || r->staging.bytes[i] > '~') {
            return end(r, REKEY_E_TOKEN);
        }
    }
    if (len == 0) {
        return end(r, REKEY_E_TOKEN);
    }
    if (r->renewing &&
        rekey_span_equal(rekey_span(r->token, r->token_len), rekey_span(r->staging.bytes, len))) {
        return end(r, REKEY_E_UNAUTHORIZED);
    }
    memcpy(r->token, r->staging.bytes, len);
    r->token_len = (uint16_t)len;
    r->state = OPEN;
    return REKEY_AGAIN;
}

static int step_wait(struct rekey *r) {
    if (now(r) < r->wake) {
        r->sleep_end = r->wake;
        return REKEY_WANT_TIME;
    }
    r->state = OPEN;
    return REKEY_AGAIN;
}

// The connection served a poll, or the POST, before. It can take another if nothing came over it
// since.
static int step_reuse(struct rekey *r) {
    size_t n;
    int result = r->port->tls.read(r->port->tls.ctx, r->io, sizeof(r->io), &n);

    if (result == REKEY_AGAIN) {
        return result;
    }
    if (result != REKEY_WANT_READ && result != REKEY_WANT_WRITE) {
        close_connection(r);
        return REKEY_AGAIN;
    }
    r->reused = true;
    return begin_request(r);
}

static int step_open(struct rekey *r) {
    const struct rekey_options *o = r->options;
    int result;

    if (r->connected) {
        return step_reuse(r);
    }
    if (!r->opening) {
        r->opening = true;
        r->reused = r->got_byte = false;
        r->timer = now(r);
    }
    r->sleep_end = r->timer + o->connect_timeout_ms;
    result = r->port->tls.open(r->port->tls.ctx, o->host, o->port, o->connect_timeout_ms);
    if (result > 0) {
        return now(r) < r->sleep_end ? result : exchange_failed(r, REKEY_E_CONNECT_TIMEOUT);
    }
    if (result < 0) {
        return exchange_failed(r, result);
    }
    r->opening = false;
    r->connected = true;
    return begin_request(r);
}

// After a failure of the transport, or too long without a byte. A POST that went out in part may
// have been answered, and refused, before the rest was read: what the server has sent still counts.
static int send_failed(struct rekey *r, int error) {
    if (polling(r) || r->job == LIST_KEYS) {
        return exchange_failed(r, error);
    }
    start_answer(r);
    r->cut_short = true;
    r->cause = error;
    return REKEY_AGAIN;
}

static bool idle_too_long(struct rekey *r) {
    r->sleep_end = r->timer + r->options->idle_timeout_ms;
    return now(r) >= r->sleep_end;
}

static int step_send(struct rekey *r) {
    size_t n = 0;
    int result;

    if (r->out_at == r->out_len) {
        emit_request(r);
        if (r->out_len == 0) {
            start_answer(r);
            return REKEY_AGAIN;
        }
    }
    r->wrote = !polling(r);
    result = r->port->tls.write(r->port->tls.ctx, r->staging.bytes + r->body_len + r->out_at,
                                (size_t)(r->out_len - r->out_at), &n);
    if (result > 0) {
        return idle_too_long(r) ? send_failed(r, REKEY_E_IDLE_TIMEOUT) : result;
    }
    if (result < 0) {
        return send_failed(r, result);
    }
    r->out_at = (uint16_t)(r->out_at + n);
    r->timer = now(r);
    return REKEY_AGAIN;
}

static int step_receive(struct rekey *r) {
    size_t n = 0;
    int result = r->port->tls.read(r->port->tls.ctx, r->io, sizeof(r->io), &n);
    struct rekey_span in = rekey_span(r->io, n);

    if (result == REKEY_AGAIN) {
        return result;
    }
    if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
        return idle_too_long(r) ? exchange_failed(r, REKEY_E_IDLE_TIMEOUT) : result;
    }
    if (result == REKEY_END) {
        r->http.keep = false;
        result = rekey_http_end(&r->http);
        return result == REKEY_DONE ? answered(r, 0) : exchange_failed(r, result);
    }
    if (result < 0) {
        return exchange_failed(r, result);
    }
    r->got_byte = true;
    r->timer = now(r);
    do {
        result = rekey_http_feed(&r->http, &in);
        if (result == REKEY_HTTP_HEAD) {
            head_complete(r);
        }
    } while (result == REKEY_HTTP_HEAD);
    if (result == REKEY_AGAIN) {
        return result;
    }
    return result == REKEY_DONE ? answered(r, in.len) : exchange_failed(r, result);
}

int rekey_step(struct rekey *r) {
    if (!running(r)) {
        return r->error;
    }
    r->sleep_end = 0;
    if (now(r) >= r->deadline) {
        return end(r, REKEY_E_DEADLINE);
    }
    switch (r->state) {
    case TOKEN:
        return step_token(r);
    case WAIT:
        return step_wait(r);
    case OPEN:
        return step_open(r);
    case SEND:
        return step_send(r);
    default:
        return step_receive(r);
    }
}

// ---- the rest of the API
// -------------------------------------------------------------------------

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
    } else if (options->token == NULL || options->port == 0 || options->timeout_ms == 0 ||
               options->connect_timeout_ms == 0 || options->idle_timeout_ms == 0) {
        r->error = REKEY_E_OPTIONS;
    } else {
        return 0;
    }
    r->state = UNUSABLE;
    return r->error;
}

// Everything but port and options begins anew.
static int start(struct rekey *r, enum job job) {
    if (r->state == UNUSABLE) {
        return r->error;
    }
    if (running(r)) {
        return REKEY_E_BUSY;
    }
    memset((char *)r + offsetof(struct rekey, endpoint), 0,
           sizeof(*r) - offsetof(struct rekey, endpoint));
    r->outcome = REKEY_NONE;
    r->percent = -1;
    r->job = (uint8_t)job;
    r->state = TOKEN;
    r->deadline = now(r) + r->options->timeout_ms;
    return 0;
}

int rekey_regenerate(struct rekey *r, const struct rekey_endpoint *endpoint, enum rekey_key key,
                     struct rekey_span key_value) {
    int error = start(r, REGENERATE);

    if (error != 0) {
        return error;
    }
    error = rekey_endpoint_check(endpoint);
    if (error == 0 && key != REKEY_KEY_PRIMARY && key != REKEY_KEY_SECONDARY) {
        error = REKEY_E_KEY_TYPE;
    }
    if (error == 0 && key_value.len > REKEY_KEY_VALUE_MAX) {
        r->needed = (uint32_t)key_value.len;
        error = REKEY_E_LIMIT_KEY_VALUE;
    }
    for (size_t at = 0, n; error == 0 && at < key_value.len; at += n) {
        n = rekey_utf8(key_value, at, NULL);
        error = n == 0 ? REKEY_E_KEY_VALUE : 0;
    }
    if (error != 0) {
        return end(r, error);
    }
    r->endpoint = endpoint;
    r->key = (uint8_t)key;
    if (key_value.len > 0) {
        memcpy(r->key_value, key_value.ptr, key_value.len);
        r->key_value_len = (uint16_t)key_value.len;
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
        error = check_url(r, record->url);
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
    uint64_t until = r->sleep_end < r->deadline ? r->sleep_end : r->deadline;
    uint64_t t = now(r);

    if (!running(r) || until <= t) {
        return 0;
    }
    return until - t < UINT32_MAX ? (uint32_t)(until - t) : UINT32_MAX;
}

void rekey_report(const struct rekey *r, struct rekey_report *report) {
    *report = (struct rekey_report){
        .outcome = (enum rekey_outcome)r->outcome,
        .error = r->error,
        .cause = r->cause,
        .http_status = r->http_status,
        .service = &r->service,
        .status = r->status,
        .percent = r->percent,
        .kind = (enum rekey_poll_kind)r->kind,
        .url = rekey_span(r->url, polling(r) ? r->url_len : 0),
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
