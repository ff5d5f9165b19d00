// credential_managed.c - the request that both IMDS and the Azure Arc agent accept.

#include "credential_managed.h"

static const char request[] = "GET \203 HTTP/1.1\r\nHost: \200\201\202\r\n"
                              "User-Agent: rekey/" REKEY_VERSION " (\204)\r\n"
                              "Accept-Encoding: identity\r\n"
                              "Metadata: true\r\n\205\206\207\r\n";

int rekey_managed_request(struct rekey *r, const struct rekey_managed *m, const char *path,
                          struct rekey_span key) {
    char text[256], port[12];
    struct rekey_writer target = {.buf = text, .cap = sizeof(text)};
    struct rekey_span values[8];
    struct rekey_http_cursor cursor = {0};
    size_t len, cap;
    char *buf;

    if (!rekey_credential_plain_host(m->host) || r->port->plain.open == NULL) {
        return REKEY_E_PLAIN;
    }
    rekey_credential_aim(r, &r->port->plain, m->host, m->port);
    rekey_writer_put(&target, rekey_span(path, strlen(path)));
    rekey_writer_encode(&target, m->resource);
    if (m->client_id.len > 0) {
        rekey_writer_put(&target, REKEY_SPAN("&client_id="));
        rekey_writer_encode(&target, m->client_id);
    }
    if (!rekey_writer_whole(&target)) {
        return REKEY_E_LIMIT_CREDENTIAL;
    }
    rekey_credential_host(r, 80, port, values);
    values[3] = rekey_span(text, target.len);
    values[4] = r->options->board;
    values[5] = rekey_span("Authorization: Basic ", key.len > 0 ? 21 : 0);
    values[6] = key;
    values[7] = rekey_span("\r\n", key.len > 0 ? 2 : 0);
    buf = rekey_credential_buffer(r, &cap);
    len = rekey_http_emit(request, values, &cursor, buf, cap);
    return request[cursor.form] == '\0' ? (int)len : REKEY_E_LIMIT_CREDENTIAL;
}
