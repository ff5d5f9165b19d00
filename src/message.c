// message.c - builds the requests of the operation, and reads the heads of the answers. rekey.c
// decides when a request is sent and what an answer leads to.

#include "message.h"

#include "endpoint.h"
#include "retry.h"
#include "url.h"

int rekey_message_guid(const struct rekey *r, char guid[36]) {
    unsigned char random[16];

    if (r->port->entropy(r->port->ctx, random, sizeof(random)) != REKEY_DONE) {
        return REKEY_E_ENTROPY;
    }
    random[6] = (unsigned char)(0x40 | (random[6] & 0x0F));
    random[8] = (unsigned char)(0x80 | (random[8] & 0x3F));
    for (size_t i = 0; i < sizeof(random); i++) {
        rekey_hex(random[i], guid);
        *guid++ |= 0x20; // a digit has this bit
        *guid++ |= 0x20;
        if (i >= 3 && i <= 9 && i % 2 == 1) {
            *guid++ = '-';
        }
    }
    return 0;
}

int rekey_message_prepare(struct rekey *r) {
    struct rekey_span action = r->read != NULL ? r->read->action : REKEY_SPAN("/regenerateKeys");

    if (r->endpoint == NULL) {
        r->url_len = (uint16_t)action.len;
        memcpy(r->url, action.ptr, action.len);
    } else {
        r->url_len = (uint16_t)rekey_endpoint_path(r->endpoint, action, r->url);
    }
    if (r->read == NULL) {
        r->body_len = (uint16_t)rekey_endpoint_body((enum rekey_key)r->key,
                                                    rekey_span(r->key_value, r->key_value_len),
                                                    r->staging.bytes, sizeof(r->staging.bytes));
    }
    return rekey_message_guid(r, r->client_id);
}

// The request, with a byte from 0x80 on in place of each value (http.h).
static const char request[] =
    "\200\201 HTTP/1.1\r\nHost: \202\203\204\r\nUser-Agent: rekey/" REKEY_VERSION " (\205)\r\n"
    "Accept-Encoding: identity\r\nx-ms-client-request-id: \206\r\nAuthorization: Bearer "
    "\207\210\211\r\n\r\n\212";

size_t rekey_message_emit(struct rekey *r) {
    static const char type_and_length[] = "\r\nContent-Type: application/json\r\nContent-Length: ";
    const size_t type = sizeof("\r\nContent-Type: application/json") - 1;
    const struct rekey_options *o = r->options;
    bool ipv6 = memchr(o->host.ptr, ':', o->host.len) != NULL;
    char port[12] = "]:", length[10];
    struct rekey_span values[] = {
        REKEY_SPAN("POST "),
        rekey_span(r->url, r->url_len),
        rekey_span("[", ipv6),
        o->host,
        rekey_span(port + !ipv6, ipv6),
        o->board,
        rekey_span(r->client_id, sizeof(r->client_id) - 1),
        rekey_span(r->token, r->token_len),
        REKEY_SPAN(type_and_length),
        rekey_span(length, 0),
        rekey_span(r->staging.bytes, r->body_len),
    };
    struct rekey_url url;

    if (o->port != 443) {
        values[4].len += 1 + rekey_http_decimal(o->port, port + 2);
    }
    if (rekey_polling(r)) {
        rekey_url_parse(values[1], &url); // cannot fail: the URL was checked when it came
        values[0] = rekey_span("GET /", url.target.len > 0 && url.target.ptr[0] == '/' ? 4 : 5);
        values[1] = url.target;
        values[8].len = 0;
    } else if (r->read != NULL && r->read->get) {
        values[0] = REKEY_SPAN("GET ");
        values[8].len = 0;
    } else {
        if (r->body_len == 0) {
            values[8].ptr += type;
            values[8].len -= type;
        }
        values[9].len = rekey_http_decimal(r->body_len, length);
    }
    return rekey_http_emit(request, values, &r->cursor, r->staging.bytes + r->body_len,
                           sizeof(r->staging.bytes) - r->body_len);
}

// The answer to a POST may have two polling URLs. The preferred one is captured in staging, the
// other one in the URL buffer, where it overwrites the path of the POST. The answer to a poll is
// searched only for a URL of the same kind.
void rekey_message_answer(struct rekey *r, bool cut_short) {
    // In the order of enum rekey_field_index.
    const char *name = "azure-asyncoperation\0operation-location\0location\0"
                       "retry-after\0retry-after-ms\0x-ms-retry-after-ms\0date\0"
                       "x-ms-request-id\0x-ms-correlation-request-id\0www-authenticate";

    for (size_t i = 0; i < REKEY_FIELD_COUNT; i++) {
        struct rekey_http_field *f = &r->fields[i];

        f->name = name;
        name += strlen(name) + 1;
        if (i <= REKEY_FIELD_LOCATION) {
            f->buf = i == 0 || rekey_polling(r) ? r->staging.bytes : r->url;
            f->cap = !rekey_polling(r) || i + 1 == r->kind ? REKEY_URL_MAX : 0;
        } else if (i < REKEY_FIELD_AUTHENTICATE) {
            f->buf = r->captured[i - REKEY_FIELD_RETRY_AFTER];
            f->cap = sizeof(r->captured[0]) - 1;
        } else {
            f->buf = r->service.message.text;
            f->cap = sizeof(r->service.message.text);
        }
    }
    r->service.message.len = 0;
    r->url_error = 0;
    r->new_kind = REKEY_POLL_NONE;
    rekey_exchange_receive(&r->x, r->fields, REKEY_FIELD_COUNT, r->staging.bytes,
                           REKEY_STAGING_BODY_MAX, cut_short);
}

struct rekey_span rekey_message_field(const struct rekey *r, enum rekey_field_index i) {
    const struct rekey_http_field *f = &r->fields[i];

    return rekey_span(f->buf, f->len <= f->cap ? f->len : 0);
}

int32_t rekey_message_named_ms(const struct rekey *r) {
    struct rekey_span fields[REKEY_RETRY_FIELDS];

    for (unsigned i = 0; i < REKEY_RETRY_FIELDS; i++) {
        fields[i] = rekey_message_field(r, (enum rekey_field_index)(REKEY_FIELD_RETRY_AFTER + i));
    }
    return rekey_retry_after(fields, r->port->wall_s(r->port->ctx));
}

// This word has no other use, so the field, which may have been cut, is searched for it without
// parsing.
bool rekey_message_claims(const struct rekey *r) {
    static const char word[] = "insufficient_claims";
    const struct rekey_http_field *f = &r->fields[REKEY_FIELD_AUTHENTICATE];
    size_t len = f->len < f->cap ? f->len : f->cap;

    for (size_t i = 0; i + sizeof(word) - 1 <= len; i++) {
        if (memcmp(f->buf + i, word, sizeof(word) - 1) == 0) {
            return true;
        }
    }
    return false;
}

// Stores the host of a URL for the report.
static void set_subject(struct rekey *r, struct rekey_span url) {
    struct rekey_span host = rekey_url_host_of(url);

    r->subject_len = (uint8_t)(host.len < sizeof(r->subject) ? host.len : sizeof(r->subject));
    memcpy(r->subject, host.ptr, r->subject_len);
}

// docs/service.md 4.1
int rekey_message_set_url(struct rekey *r, struct rekey_span text) {
    struct rekey_url url;
    int error;

    if (text.len > REKEY_URL_MAX) {
        r->needed = (uint32_t)text.len;
        return REKEY_E_LIMIT_URL;
    }
    error = rekey_url_parse(text, &url);
    if (error == 0 &&
        (url.port != r->options->port || !rekey_url_same_host(url.host, r->options->host))) {
        error = REKEY_E_URL_FOREIGN;
    }
    if (error != 0) {
        set_subject(r, text);
        return error;
    }
    memmove(r->url, text.ptr, text.len);
    r->url_len = (uint16_t)text.len;
    return 0;
}

// Stores the URL of field `i` if it passes the rules; otherwise url_error says why not.
static void set_url_of_field(struct rekey *r, enum rekey_field_index i) {
    const struct rekey_http_field *f = &r->fields[i];

    r->new_kind = (uint8_t)(i + 1);
    r->url_error =
        f->seen > 1 ? REKEY_E_REPEATED_FIELD : rekey_message_set_url(r, rekey_span(f->buf, f->len));
}

// The body needs staging next, so the polling URL must be chosen now.
void rekey_message_head(struct rekey *r) {
    unsigned status = r->x.http.status;
    enum rekey_field_index first = (enum rekey_field_index)(rekey_polling(r) ? r->kind - 1 : 0);
    bool monitor = rekey_message_seen(r, REKEY_FIELD_OPERATION_LOCATION);

    if (status >= 300 && status < 400 && !rekey_polling(r) && !monitor) {
        set_subject(r, rekey_message_field(r, REKEY_FIELD_LOCATION));
    }
    if (status < 200 || status > 202) {
        return;
    }
    if (rekey_message_seen(r, first)) {
        set_url_of_field(r, first);
        if (r->url_error != REKEY_E_LIMIT_URL) {
            return;
        }
    }
    if (!rekey_polling(r) && monitor) {
        set_url_of_field(r, REKEY_FIELD_OPERATION_LOCATION);
    } else if (!rekey_polling(r) && status == 202 && rekey_message_seen(r, REKEY_FIELD_LOCATION)) {
        set_url_of_field(r, REKEY_FIELD_LOCATION);
    }
}
