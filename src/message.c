// message.c - the requests of the operation, and what is taken from the head of an answer.
// Which request goes out when, and what an answer leads to, is for rekey.c.

#include "message.h"

#include "endpoint.h"
#include "retry.h"
#include "url.h"

// Version 4 of RFC 9562.
int rekey_message_guid(const struct rekey *r, char guid[37]) {
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
            guid[at++] = '-';
        }
        guid[at++] = hex[random[i] >> 4];
        guid[at++] = hex[random[i] & 15];
    }
    guid[at] = '\0';
    return 0;
}

int rekey_message_post(struct rekey *r, bool regenerate) {
    r->url_len = (uint16_t)rekey_endpoint_path(
        r->endpoint, regenerate ? REKEY_SPAN("regenerateKeys") : REKEY_SPAN("listKeys"), r->url);
    if (regenerate) {
        r->body_len = (uint16_t)rekey_endpoint_body((enum rekey_key)r->key,
                                                    rekey_span(r->key_value, r->key_value_len),
                                                    r->staging.bytes, sizeof(r->staging.bytes));
    }
    return rekey_message_guid(r, r->client_id);
}

// What goes out, but for the values.
static const char request[] =
    "\200\201 HTTP/1.1\r\nHost: \202\203\204\r\nUser-Agent: rekey/" REKEY_VERSION " (\205)\r\n"
    "Accept: application/json\r\nAccept-Encoding: identity\r\n"
    "x-ms-client-request-id: \206\r\nAuthorization: Bearer \207\r\n\210\211\212\r\n\213";

size_t rekey_message_emit(struct rekey *r) {
    const struct rekey_options *o = r->options;
    bool ipv6 = memchr(o->host.ptr, ':', o->host.len) != NULL;
    char port[12] = "]:", length[12];
    struct rekey_span values[] = {
        REKEY_SPAN("POST "),
        rekey_span(r->url, r->url_len),
        rekey_span("[", ipv6),
        o->host,
        rekey_span(port + !ipv6, ipv6),
        o->board,
        rekey_span(r->client_id, strlen(r->client_id)),
        rekey_span(r->token, r->token_len),
        REKEY_SPAN("Content-Type: application/json\r\n"),
        REKEY_SPAN("Content-Length: "),
        rekey_span(length, 0),
        rekey_span(r->staging.bytes, r->body_len),
    };
    struct rekey_url url;

    if (o->port != 443) {
        values[4].len += 1 + rekey_http_decimal(o->port, port + 2);
    }
    if (rekey_polling(r)) {
        rekey_url_parse(values[1], &url); // it was checked when it came
        values[0] = rekey_span("GET /", url.target.len > 0 && url.target.ptr[0] == '/' ? 4 : 5);
        values[1] = url.target;
        values[8].len = values[9].len = 0;
    } else {
        values[10].len = rekey_http_decimal(r->body_len, length);
        length[values[10].len++] = '\r';
        length[values[10].len++] = '\n';
        values[8].len = r->body_len > 0 ? values[8].len : 0;
    }
    return rekey_http_emit(request, values, &r->cursor, r->staging.bytes + r->body_len,
                           sizeof(r->staging.bytes) - r->body_len);
}

// The polling URLs of a POST's answer need two places: staging takes the preferred one; the URL
// buffer, which still holds the POST's path, takes the other. A poll looks for its own kind of URL
// only.
void rekey_message_answer(struct rekey *r, bool cut_short) {
    static const struct {
        const char *name;
        uint16_t offset, cap;
    } captured[REKEY_FIELD_COUNT] = {
#define CAPTURED(field, name, member, spare)                                                       \
    [field] = {name, offsetof(struct rekey, member), sizeof(((struct rekey *)0)->member) - (spare)}
        CAPTURED(REKEY_FIELD_ASYNC_OPERATION, "azure-asyncoperation", staging, 0),
        CAPTURED(REKEY_FIELD_OPERATION_LOCATION, "operation-location", url, 0),
        CAPTURED(REKEY_FIELD_LOCATION, "location", url, 0),
        CAPTURED(REKEY_FIELD_RETRY_AFTER, "retry-after", retry_after, 0),
        CAPTURED(REKEY_FIELD_RETRY_AFTER_MS, "retry-after-ms", retry_after_ms, 0),
        CAPTURED(REKEY_FIELD_X_MS_RETRY_AFTER_MS, "x-ms-retry-after-ms", x_ms_retry_after_ms, 0),
        CAPTURED(REKEY_FIELD_DATE, "date", date, 0),
        CAPTURED(REKEY_FIELD_REQUEST_ID, "x-ms-request-id", request_id, 1),
        CAPTURED(REKEY_FIELD_CORRELATION_ID, "x-ms-correlation-request-id", correlation_id, 1),
        CAPTURED(REKEY_FIELD_AUTHENTICATE, "www-authenticate", service.message.text, 0),
#undef CAPTURED
    };

    for (size_t i = 0; i < REKEY_FIELD_COUNT; i++) {
        struct rekey_http_field *f = &r->fields[i];

        *f = (struct rekey_http_field){.name = captured[i].name,
                                       .buf = (char *)r + captured[i].offset,
                                       .cap = captured[i].cap};
        if (i <= REKEY_FIELD_LOCATION) {
            f->cap = !rekey_polling(r) || i + 1 == r->kind ? REKEY_URL_MAX : 0;
            f->buf = rekey_polling(r) ? r->staging.bytes : f->buf;
        }
    }
    r->service.message.len = 0;
    r->url_error = 0;
    r->new_kind = REKEY_POLL_NONE;
    r->new_url = false;
    rekey_exchange_receive(&r->x, r->fields, REKEY_FIELD_COUNT, r->staging.bytes,
                           REKEY_STAGING_BODY_MAX, cut_short);
}

bool rekey_message_seen(const struct rekey *r, enum rekey_field_index i) {
    return r->fields[i].seen > 0;
}

// A captured field; empty if it did not come or did not fit.
struct rekey_span rekey_message_field(const struct rekey *r, enum rekey_field_index i) {
    const struct rekey_http_field *f = &r->fields[i];

    return rekey_span(f->buf, f->len <= f->cap ? f->len : 0);
}

bool rekey_message_retry_after(const struct rekey *r, uint32_t *ms) {
    const struct rekey_retry_after fields = {
        .x_ms_ms = rekey_message_field(r, REKEY_FIELD_X_MS_RETRY_AFTER_MS),
        .ms = rekey_message_field(r, REKEY_FIELD_RETRY_AFTER_MS),
        .after = rekey_message_field(r, REKEY_FIELD_RETRY_AFTER),
        .date = rekey_message_field(r, REKEY_FIELD_DATE),
    };

    return rekey_retry_after(&fields, r->port->wall_s(r->port->ctx), ms);
}

// The word is nothing else's, so that the challenge need not be parsed; it may be cut.
bool rekey_message_claims(const struct rekey *r) {
    const struct rekey_http_field *f = &r->fields[REKEY_FIELD_AUTHENTICATE];
    const struct rekey_span word = REKEY_SPAN("insufficient_claims");
    size_t len = f->len < f->cap ? f->len : f->cap;

    for (size_t i = 0; r->http_status == 401 && i + word.len <= len; i++) {
        if (memcmp(f->buf + i, word.ptr, word.len) == 0) {
            return true;
        }
    }
    return false;
}

// Keeps the host that a URL leads to, for the report.
static void set_subject(struct rekey *r, struct rekey_span url) {
    struct rekey_span host = rekey_url_host_of(url);

    r->subject_len = (uint8_t)(host.len < sizeof(r->subject) ? host.len : sizeof(r->subject));
    memcpy(r->subject, host.ptr, r->subject_len);
}

// azure.md 4.1: a polling URL is https, without userinfo, on the host and port that was called.
int rekey_message_check_url(struct rekey *r, struct rekey_span text) {
    struct rekey_url url;
    int error = rekey_url_parse(text, &url);

    if (error == 0 &&
        (url.port != r->options->port || !rekey_url_same_host(url.host, r->options->host))) {
        error = REKEY_E_URL_FOREIGN;
    }
    if (error != 0) {
        set_subject(r, text);
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
        r->url_error = rekey_message_check_url(r, rekey_span(f->buf, f->len));
    }
    if (r->url_error == 0) {
        memmove(r->url, f->buf, f->len);
        r->url_len = f->len;
        r->new_url = true;
    }
}

// The head is complete, and staging must be free for the body: the polling URL is chosen now.
void rekey_message_head(struct rekey *r) {
    unsigned status = r->x.http.status;
    bool monitor = rekey_message_seen(r, REKEY_FIELD_OPERATION_LOCATION);
    enum rekey_field_index other = monitor ? REKEY_FIELD_OPERATION_LOCATION : REKEY_FIELD_LOCATION;
    bool use_other = monitor || (rekey_message_seen(r, REKEY_FIELD_LOCATION) && status == 202);

    if (status >= 300 && status < 400 && !rekey_polling(r) && !monitor) {
        set_subject(r, rekey_message_field(r, REKEY_FIELD_LOCATION));
    }
    if (status < 200 || status > 202) {
        return;
    }
    if (rekey_polling(r)) {
        if (rekey_message_seen(r, (enum rekey_field_index)(r->kind - 1))) {
            take_url(r, (enum rekey_field_index)(r->kind - 1));
        }
        return;
    }
    if (rekey_message_seen(r, REKEY_FIELD_ASYNC_OPERATION)) {
        take_url(r, REKEY_FIELD_ASYNC_OPERATION);
        use_other = use_other && status == 202 && r->url_error == REKEY_E_LIMIT_URL;
    }
    if (use_other) {
        take_url(r, other);
    }
}
