// credential_managed.c - the request that both IMDS and the Azure Arc agent accept.

#include "credential_managed.h"

// The request after its target.
static const char rest[] = " HTTP/1.1\r\nHost: \200\201\202\r\n"
                           "User-Agent: rekey/" REKEY_VERSION " (\203)\r\n"
                           "Accept-Encoding: identity\r\n"
                           "Metadata: true\r\n\204\205\206\r\n";

int rekey_managed_request(struct rekey *r, const struct rekey_managed *m, const char *path,
                          struct rekey_span key) {
    struct rekey_writer w = {.len = 0};
    struct rekey_span values[7];
    struct rekey_http_cursor cursor = {0};
    char port[12];

    if (!rekey_credential_plain_host(m->host) || r->port->plain.open == NULL) {
        return REKEY_E_PLAIN;
    }
    rekey_credential_aim(r, &r->port->plain, m->host, m->port);
    w.buf = rekey_credential_buffer(r, &w.cap);
    rekey_writer_put(&w, REKEY_SPAN("GET "));
    rekey_writer_put(&w, rekey_span(path, strlen(path)));
    rekey_writer_encode(&w, m->resource);
    if (m->client_id.len > 0) {
        rekey_writer_put(&w, REKEY_SPAN("&client_id="));
        rekey_writer_encode(&w, m->client_id);
    }
    if (!rekey_writer_whole(&w)) {
        return REKEY_E_LIMIT_CREDENTIAL;
    }
    rekey_credential_host(r, 80, port, values);
    values[3] = r->options->board;
    values[4] = rekey_span("Authorization: Basic ", key.len > 0 ? 21 : 0);
    values[5] = key;
    values[6] = rekey_span("\r\n", key.len > 0 ? 2 : 0);
    w.len += rekey_http_emit(rest, values, &cursor, w.buf + w.len, w.cap - w.len);
    return rest[cursor.form] == '\0' ? (int)w.len : REKEY_E_LIMIT_CREDENTIAL;
}
