// credential_certificate.c - a token for a client certificate. The assertion is a JWT (RFC 7519,
// RFC 7523) that is signed with the private key of the certificate. Each request has a new one.

#include "credential_entra.h"

#include "message.h"

#define LIFETIME_S 600 // of the assertion; the limit of the authority
// The end of staging holds the claims, and later the signature, before they are encoded. The
// longest names that rekey_entra_check accepts fit.
#define TAIL 1024

static const char header[] = "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"\200\"}";
static const char claims[] =
    "{\"aud\":\"https://\200\201\202/\203/oauth2/v2.0/token\",\"iss\":\"\204\","
    "\"sub\":\"\204\",\"jti\":\"\205\",\"nbf\":\206,\"iat\":\206,\"exp\":\207}";

size_t rekey_base64url(const void *data, size_t len, char *out) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = data;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 6; have -= 6) {
            out[n++] = alphabet[bits >> (have - 6) & 63];
        }
    }
    if (have > 0) {
        out[n++] = alphabet[bits << (6 - have) & 63];
    }
    return n;
}

// Appends base64url of data[0..len).
static void put_encoded(struct rekey_writer *w, const void *data, size_t len) {
    const char *at = data;
    char four[4];

    for (; len > 3; len -= 3, at += 3) {
        rekey_writer_put(w, rekey_span(four, rekey_base64url(at, 3, four)));
    }
    rekey_writer_put(w, rekey_span(four, rekey_base64url(at, len, four)));
}

// Appends base64url of `form`, filled in at the end of staging.
static void put_filled(struct rekey_writer *w, struct rekey *r, const char *form,
                       const struct rekey_span *values) {
    char *tail = r->staging.bytes + sizeof(r->staging.bytes) - TAIL;
    struct rekey_http_cursor cursor = {0};
    size_t len = rekey_http_emit(form, values, &cursor, tail, TAIL);

    put_encoded(w, tail, len);
}

// Appends the header and the claims, which are signed.
static int put_content(struct rekey_writer *w, struct rekey *r,
                       const struct rekey_credential_certificate *c) {
    char thumbprint[44], guid[36], port[12], from[10], to[10];
    int64_t now = r->port->wall_s(r->port->ctx);
    struct rekey_span values[8], print;
    unsigned char sha256[32];
    int error = c->signer.thumbprint(c->signer.ctx, sha256);

    if (now < 0 || now > (int64_t)UINT32_MAX - LIFETIME_S) {
        return REKEY_E_CLOCK;
    }
    if (error == 0) {
        error = rekey_message_guid(r, guid);
    }
    if (error != 0) {
        return error;
    }
    print = rekey_span(thumbprint, rekey_base64url(sha256, sizeof(sha256), thumbprint));
    put_filled(w, r, header, &print);
    rekey_writer_put(w, REKEY_SPAN("."));
    rekey_credential_host(r, 443, port, values);
    values[3] = c->entra.tenant;
    values[4] = c->entra.client_id;
    values[5] = rekey_span(guid, sizeof(guid));
    values[6] = rekey_span(from, rekey_http_decimal((uint32_t)now, from));
    values[7] = rekey_span(to, rekey_http_decimal((uint32_t)now + LIFETIME_S, to));
    put_filled(w, r, claims, values);
    return rekey_writer_whole(w) ? 0 : REKEY_E_LIMIT_CREDENTIAL;
}

static int prepare(struct rekey_credential *base, struct rekey *r) {
    const struct rekey_credential_certificate *c =
        (const struct rekey_credential_certificate *)base;
    struct rekey_writer form = rekey_entra_begin(r, &c->entra, REKEY_ENTRA_ASSERTION, TAIL);
    unsigned char *signature = (unsigned char *)form.buf + form.cap;
    size_t start = form.len, n = 0;
    int error;

    rekey_credential_aim(r, &r->port->tls, c->entra.authority, c->entra.port);
    error = put_content(&form, r, c);
    if (error == 0) {
        error = c->signer.sign(c->signer.ctx, rekey_span(form.buf + start, form.len - start),
                               signature, &n);
    }
    if (error != 0) {
        return error;
    }
    rekey_writer_put(&form, REKEY_SPAN("."));
    put_encoded(&form, signature, n);
    return rekey_entra_finish(base, r, &c->entra, &form, start);
}

int rekey_credential_certificate_init(struct rekey_credential_certificate *c,
                                      const struct rekey_entra *entra, struct rekey_signer signer) {
    static const struct rekey_credential base =
        REKEY_CREDENTIAL(prepare, rekey_credential_answered);

    if (entra == NULL || signer.thumbprint == NULL || signer.sign == NULL) {
        return REKEY_E_OPTIONS;
    }
    c->base = base;
    c->entra = *entra;
    c->signer = signer;
    return rekey_entra_check(entra);
}
