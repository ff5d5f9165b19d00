// credential.c - the code that all kinds of credential share: the exchange with the token service,
// its repetitions, and the parsing of the answer. The file of each kind has the request and its
// server.

#include "credential.h"

#include "hide.h"
#include "json.h"
#include "message.h"
#include "retry.h"

enum phase { START, PREPARE, EXCHANGE, WAIT };

// A token is renewed when its remaining lifetime is less than this and less than half of the whole
// lifetime (docs/service.md 5.7).
#define RENEW_BEFORE_MS 300000u
// A service with a cache may return the same token again. It is then used until this lifetime is
// left.
#define RENEW_LATE_MS 30000u
// Two expiry times that differ by less are the same: the lifetime is given in whole seconds.
#define SAME_EXPIRY_MS 5000u

bool rekey_credential_plain_host(struct rekey_span host) {
    static const char *const names[] = {"localhost", "::1", "169.254.169.254"};
    size_t digits = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (rekey_span_equal_nocase(host, rekey_span(names[i], strlen(names[i])))) {
            return true;
        }
    }
    while (digits < host.len && (rekey_is_digit(host.ptr[digits]) || host.ptr[digits] == '.')) {
        digits++;
    }
    return host.len > 4 && digits == host.len && memcmp(host.ptr, "127.", 4) == 0;
}

void rekey_credential_aim(struct rekey *r, const struct rekey_transport *transport,
                          struct rekey_span host, uint16_t port) {
    r->x.transport = transport;
    r->x.host = host;
    r->x.port = port;
}

// Whether `len` more bytes fit. If not, the writer stays too full for good.
static bool reserve(struct rekey_writer *w, size_t len) {
    if (w->len <= w->cap && len > w->cap - w->len) {
        w->len = w->cap + 1;
    }
    return w->len <= w->cap;
}

void rekey_writer_put(struct rekey_writer *w, struct rekey_span text) {
    if (reserve(w, text.len)) {
        memcpy(w->buf + w->len, text.ptr, text.len);
        w->len += text.len;
    }
}

void rekey_writer_encode(struct rekey_writer *w, struct rekey_span text) {
    for (size_t i = 0; i < text.len && reserve(w, 3); i++) {
        char c = text.ptr[i];

        if (rekey_is_alnum(c) || rekey_is_one_of(c, "-._~")) {
            w->buf[w->len++] = c;
        } else {
            w->buf[w->len] = '%';
            rekey_hex((unsigned char)c, w->buf + w->len + 1);
            w->len += 3;
        }
    }
}

bool rekey_writer_whole(const struct rekey_writer *w) {
    return w->len <= w->cap;
}

// ---- the answer of the token service ------------------------------------------------------------

// The number in a member, which may be in quotation marks; a lifetime of several years is cut to a
// bound. 0 if the member is not a number.
static uint32_t number(const struct rekey_json *json, int at) {
    int32_t value = at > 0 ? rekey_number(rekey_json_raw(json, at), 200000000) : 0;

    return value < 0 ? 0 : (uint32_t)value;
}

// The lifetime counts from now, on the port's clock.
static void set_lifetime(struct rekey_credential *c, const struct rekey *r, uint32_t seconds) {
    uint64_t lifetime = (uint64_t)seconds * 1000;
    uint64_t before = lifetime / 2 < RENEW_BEFORE_MS ? lifetime / 2 : RENEW_BEFORE_MS;
    uint64_t expiry = r->now + lifetime;

    if (seconds == 0) {
        c->expiry = c->renew_at = 0;
        return;
    }
    if (expiry + SAME_EXPIRY_MS > c->expiry && expiry < c->expiry + SAME_EXPIRY_MS &&
        before > RENEW_LATE_MS) {
        before = RENEW_LATE_MS;
    }
    c->expiry = expiry;
    c->renew_at = expiry - before;
}

// Reads an answer with status 200, which is in the token buffer, and moves the token to the start
// of that buffer.
static int read_token(struct rekey_credential *c, struct rekey *r) {
    struct rekey_span body = rekey_span(r->token, r->x.http.body_len);
    struct rekey_json json;
    uint32_t lifetime;
    size_t needed;
    int at;

    if (r->x.http.body_size > body.len) {
        r->needed = r->x.http.body_size;
        return REKEY_E_LIMIT_TOKEN_ANSWER;
    }
    if (r->x.http.coded ||
        rekey_json_parse(&json, body, false, r->staging.bytes, REKEY_JSON_TOKENS) != 0) {
        return REKEY_E_TOKEN_ANSWER;
    }
    lifetime = number(&json, rekey_json_find(&json, 0, "expires_in"));
    at = rekey_json_find(&json, 0, "access_token");
    if (!rekey_json_is_string(&json, at)) {
        return REKEY_E_TOKEN_ANSWER;
    }
    // Unescaping in place is safe: it never writes ahead of what it reads.
    r->token_len = (uint16_t)rekey_json_string(&json, at, r->token, sizeof(r->token), &needed);
    rekey_zeroize(r->token + r->token_len, sizeof(r->token) - r->token_len);
    for (size_t i = 0; i < r->token_len; i++) {
        if (r->token[i] <= ' ' || r->token[i] > '~') {
            r->token_len = 0;
        }
    }
    if (r->token_len == 0) {
        return REKEY_E_TOKEN_ANSWER;
    }
    set_lifetime(c, r, lifetime);
    return 0;
}

// Copies the first line of a member's string into text[0..cap). Returns its length, and stores in
// *cut whether the line did not fit.
static uint16_t copy(const struct rekey_json *json, const char *name, char *text, size_t cap,
                     bool *cut) {
    int at = rekey_json_find(json, 0, name);
    size_t needed = 0, len = 0;

    if (rekey_json_is_string(json, at)) {
        len = rekey_json_string(json, at, text, cap, &needed);
    }
    *cut = needed > len;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r' || text[i] == '\n') {
            len = i;
            *cut = false; // the other lines repeat the ids below
        }
    }
    return (uint16_t)len;
}

static void copy_id(const struct rekey_json *json, const char *name, char id[41]) {
    bool cut;

    id[copy(json, name, id, 40, &cut)] = '\0';
}

// The buffer from which the report takes an id.
static char *id_of(struct rekey *r, enum rekey_field_index i) {
    return r->captured[i - REKEY_FIELD_RETRY_AFTER];
}

// Reads an OAuth error (RFC 6749 5.2), with Entra's own members, into the report.
static void read_error(struct rekey *r) {
    struct rekey_arm_error *e = &r->service;
    struct rekey_json json;

    memset(e, 0, sizeof(*e));
    id_of(r, REKEY_FIELD_REQUEST_ID)[0] = id_of(r, REKEY_FIELD_CORRELATION_ID)[0] = '\0';
    if (r->x.http.coded || rekey_json_parse(&json, rekey_span(r->token, r->x.http.body_len),
                                            r->x.http.body_size > r->x.http.body_len,
                                            r->staging.bytes, REKEY_JSON_TOKENS) == REKEY_E_JSON) {
        return;
    }
    e->code.len = copy(&json, "error", e->code.text, sizeof(e->code.text), &e->code.cut);
    e->message.len =
        copy(&json, "error_description", e->message.text, sizeof(e->message.text), &e->message.cut);
    copy_id(&json, "trace_id", id_of(r, REKEY_FIELD_REQUEST_ID));
    copy_id(&json, "correlation_id", id_of(r, REKEY_FIELD_CORRELATION_ID));
}

int rekey_credential_answered(struct rekey_credential *c, struct rekey *r, unsigned status) {
    (void)c;
    (void)r;
    return status == 408 || status == 429 || (status >= 500 && status < 600)
               ? REKEY_WANT_TIME
               : REKEY_E_TOKEN_REFUSED;
}

struct rekey_span rekey_credential_authenticate(const struct rekey *r) {
    return rekey_message_field(r, REKEY_FIELD_AUTHENTICATE);
}

// ---- the exchange -------------------------------------------------------------------------------

// Schedules another try after the wait that the answer named, or after the backoff. Returns `error`
// if there are no more tries.
static int again_later(struct rekey_credential *c, struct rekey *r, int error, int32_t named_ms) {
    uint32_t ms = (uint32_t)named_ms;
    uint32_t random;

    r->cause = error;
    c->challenged = false; // each try begins with a new challenge
    if (++c->tries >= REKEY_TRIES_MAX && r->now >= c->patient_until) {
        return error;
    }
    if (named_ms < 0) {
        if (r->port->entropy(r->port->ctx, &random, sizeof(random)) != REKEY_DONE) {
            random = UINT32_MAX; // no jitter
        }
        ms = rekey_backoff_ms(c->tries - 1u, random);
    }
    if (c->tries >= REKEY_TRIES_MAX && ms < REKEY_POLL_FLOOR_MS) {
        ms = REKEY_POLL_FLOOR_MS;
    }
    if (r->now + ms >= r->deadline) {
        return REKEY_E_DEADLINE;
    }
    r->wake = r->now + ms;
    c->phase = WAIT;
    return REKEY_AGAIN;
}

// Zeroizes the request. Before that, it hides the secret end of the request in the answer: in the
// first `body_len` bytes of the body, and in the ids.
static void forget_request(const struct rekey_credential *c, struct rekey *r, size_t body_len) {
    // `proof_len` may still be that of an earlier, longer request.
    size_t proof_len = c->proof_len < c->length ? c->proof_len : c->length;
    struct rekey_span proof = rekey_span(r->staging.bytes + c->length - proof_len, proof_len);
    char *ids[] = {id_of(r, REKEY_FIELD_REQUEST_ID), id_of(r, REKEY_FIELD_CORRELATION_ID)};

    rekey_hide_text(r->token, body_len, false, proof); // a string that was cut is not shown
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        size_t len = strlen(ids[i]);

        rekey_hide_text(ids[i], len, len == sizeof(r->captured[0]) - 1, proof);
    }
    rekey_zeroize(&r->staging, sizeof(r->staging));
}

static int answered(struct rekey_credential *c, struct rekey *r) {
    unsigned status = r->x.http.status;
    int32_t named_ms = rekey_message_named_ms(r);
    int result;

    rekey_exchange_close(&r->x);
    c->phase = PREPARE;
    forget_request(c, r, status != 200 ? r->x.http.body_len : 0); // 200: do not damage a token
    result = status == 200 ? read_token(c, r) : c->answered(c, r, status);
    if (status == 200 || result == REKEY_AGAIN) {
        rekey_hide(r);
        return result;
    }
    r->http_status = (uint16_t)status;
    read_error(r);
    rekey_hide(r);
    return result == REKEY_WANT_TIME ? again_later(c, r, REKEY_E_TOKEN_REFUSED, named_ms) : result;
}

// The exchange ended without an answer. Another try may help if the network failed, but not after a
// connect timeout: the caller does not want to wait for that time again.
static int failed(struct rekey_credential *c, struct rekey *r, int error) {
    int group = -error / 100;

    rekey_exchange_close(&r->x);
    forget_request(c, r, 0);
    if (group == 4 || (group == 7 && error != REKEY_E_LIMIT_ARENA)) {
        r->cause = error;
        return REKEY_E_TOKEN_ANSWER;
    }
    if (c->once && (error == REKEY_E_CONNECT || error == REKEY_E_CONNECT_TIMEOUT)) {
        r->cause = error;
        return REKEY_E_NO_TOKEN;
    }
    if (!rekey_retry_helps(error) || error == REKEY_E_CONNECT_TIMEOUT) {
        return error;
    }
    return again_later(c, r, error, -1);
}

static int step_exchange(struct rekey_credential *c, struct rekey *r) {
    int result = rekey_exchange_step(&r->x, r->now);

    switch (result) {
    case REKEY_EXCHANGE_READY:
    case REKEY_EXCHANGE_HEAD:
        return REKEY_AGAIN;
    case REKEY_EXCHANGE_EMIT:
        if (!c->sent) {
            c->sent = true;
            rekey_exchange_send(&r->x, r->staging.bytes, c->length);
            return REKEY_AGAIN;
        }
        rekey_message_answer(r, false);
        r->token_len = 0;
        r->x.http.body = r->token;
        r->x.http.body_cap = sizeof(r->token);
        return REKEY_AGAIN;
    case REKEY_EXCHANGE_ANSWERED:
        return answered(c, r);
    default:
        return result > 0 ? result : failed(c, r, result);
    }
}

int rekey_credential_step(struct rekey_credential *c, struct rekey *r) {
    int result;

    switch (c->phase) {
    case START:
        rekey_exchange_close(&r->x); // one connection at a time
        c->tries = 0;
        c->patient_until = 0;
        c->challenged = false;
        c->phase = PREPARE;
        return REKEY_AGAIN;
    case PREPARE:
        result = c->prepare(c, r);
        if (result < 0) {
            return result;
        }
        if ((size_t)result > sizeof(r->staging.bytes)) {
            return REKEY_E_LIMIT_CREDENTIAL;
        }
        if (r->x.transport->open == NULL) { // the port may have no `plain`
            return REKEY_E_PORT;
        }
        c->length = (uint16_t)result;
        c->sent = false;
        rekey_exchange_open(&r->x);
        c->phase = EXCHANGE;
        return REKEY_AGAIN;
    case EXCHANGE:
        return step_exchange(c, r);
    default: // WAIT
        if (r->now >= r->wake) {
            c->phase = PREPARE;
            return REKEY_AGAIN;
        }
        r->x.until = r->wake;
        return REKEY_WANT_TIME;
    }
}

// ---- the head of a request ----------------------------------------------------------------------

void rekey_credential_host(const struct rekey *r, uint16_t usual, char port[12],
                           struct rekey_span values[3]) {
    size_t bracket = memchr(r->x.host.ptr, ':', r->x.host.len) != NULL;

    memcpy(port, "]:", 2);
    values[0] = rekey_span("[", bracket);
    values[1] = r->x.host;
    values[2] = rekey_span(port + 1 - bracket, bracket);
    if (r->x.port != usual) {
        values[2].len += 1 + rekey_http_decimal(r->x.port, port + 2);
    }
}
