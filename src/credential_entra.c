// credential_entra.c - the form that requests a token from Microsoft Entra, shared by the three
// kinds.

#include "credential_entra.h"

#include "message.h"
#include "url.h"

static const char request[] =
    "POST /\203/oauth2/v2.0/token HTTP/1.1\r\nHost: \200\201\202\r\n"
    "User-Agent: rekey/" REKEY_VERSION " (\204)\r\n"
    "Accept: application/json\r\nAccept-Encoding: identity\r\nclient-request-id: \205\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: \206\r\n\r\n";

static bool name_valid(struct rekey_span text, size_t max) {
    for (size_t i = 0; i < text.len; i++) {
        if (!rekey_is_alnum(text.ptr[i]) && !rekey_is_one_of(text.ptr[i], "-.")) {
            return false;
        }
    }
    return text.len > 0 && text.len <= max && text.ptr[0] != '.'; // not "..": part of a path
}

int rekey_entra_check(const struct rekey_entra *e) {
    struct rekey_span host = e->authority;

    if (e->port == 0 ||
        !rekey_url_host_valid(host, host.len > 0 && memchr(host.ptr, ':', host.len) != NULL)) {
        return REKEY_E_HOST;
    }
    return name_valid(e->tenant, 253) && name_valid(e->client_id, 64) ? 0 : REKEY_E_IDENTITY;
}

struct rekey_writer rekey_entra_begin(struct rekey *r, const struct rekey_entra *e,
                                      const char *proof, size_t tail) {
    size_t cap;
    char *buf = rekey_credential_buffer(r, &cap);
    struct rekey_writer form = {.buf = buf + REKEY_ENTRA_BODY,
                                .cap = cap - REKEY_ENTRA_BODY - tail};

    rekey_writer_put(&form, REKEY_SPAN("client_id="));
    rekey_writer_put(&form, e->client_id);
    rekey_writer_put(&form, REKEY_SPAN("&scope="));
    rekey_writer_encode(&form, e->scope);
    rekey_writer_put(&form, rekey_span(proof, strlen(proof)));
    return form;
}

int rekey_entra_finish(struct rekey_credential *c, struct rekey *r, const struct rekey_entra *e,
                       const struct rekey_writer *form, size_t proof) {
    char guid[36], port[12], length[10];
    struct rekey_span values[7];
    struct rekey_http_cursor cursor = {0};
    int error = rekey_message_guid(r, guid);
    size_t head, cap;
    char *buf = rekey_credential_buffer(r, &cap);

    if (error != 0) {
        return error;
    }
    rekey_credential_aim(r, &r->port->tls, e->authority, e->port);
    rekey_credential_host(r, 443, port, values);
    values[3] = e->tenant;
    values[4] = r->options->board;
    values[5] = rekey_span(guid, sizeof(guid));
    values[6] = rekey_span(length, rekey_http_decimal((uint32_t)form->len, length));
    head = rekey_http_emit(request, values, &cursor, buf, REKEY_ENTRA_BODY);
    if (request[cursor.form] != '\0' || !rekey_writer_whole(form)) {
        return REKEY_E_LIMIT_CREDENTIAL;
    }
    c->proof_len = (uint16_t)(form->len - proof);
    memmove(buf + head, buf + REKEY_ENTRA_BODY, form->len);
    return (int)(head + form->len);
}
