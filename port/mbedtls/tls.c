// tls.c - the transport contract of rekey_port.h by mbedTLS, and what mbedTLS asks of its platform:
// an arena in place of the heap, the time, randomness.

#include "tls.h"

#include "arena.h"

#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#if REKEY_TLS13
#include <psa/crypto.h>
#endif

#ifndef REKEY_BUILD_TIME
#error "REKEY_BUILD_TIME: seconds since 1970 of this build; a clock before it was never set"
#endif

enum phase { CLOSED, CONNECTING, HANDSHAKE, OPEN, BROKEN };

// mbedTLS asks for time and randomness without a context. There is one arena in the image, and one
// of these.
static struct rekey_tls *the;

time_t rekey_tls_time(time_t *out) {
    time_t t = (time_t)the->port->wall_s(the->port->ctx);

    if (out != NULL) {
        *out = t;
    }
    return t;
}

mbedtls_ms_time_t mbedtls_ms_time(void) {
    return (mbedtls_ms_time_t)the->port->now_ms(the->port->ctx);
}

// The C library's gmtime_r reads the time zone from a file, and allocates. Here a year begins in
// March, so that its leap day comes last, and 400 of them make an era of 146,097 days.
struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *t, struct tm *out) {
    int64_t days = (int64_t)*t / 86400;
    int64_t seconds = (int64_t)*t % 86400;
    int64_t z, era, day_of_era, year_of_era, day_of_year, month;

    if (seconds < 0) {
        seconds += 86400;
        days--;
    }
    z = days + 719468;
    era = (z >= 0 ? z : z - 146096) / 146097;
    day_of_era = z - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153;
    memset(out, 0, sizeof(*out));
    out->tm_mday = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->tm_mon = (int)(month < 10 ? month + 2 : month - 10);
    out->tm_year = (int)(year_of_era + era * 400 + (month < 10 ? 0 : 1) - 1900);
    out->tm_hour = (int)(seconds / 3600);
    out->tm_min = (int)(seconds / 60 % 60);
    out->tm_sec = (int)(seconds % 60);
    return out;
}

static int random_bytes(void *ctx, unsigned char *buf, size_t len) {
    (void)ctx;
    if (the->port->entropy(the->port->ctx, buf, len) == REKEY_DONE) {
        return 0;
    }
    the->lower_error = REKEY_E_ENTROPY;
    return MBEDTLS_ERR_SSL_HW_ACCEL_FAILED;
}

#if REKEY_TLS13
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *ctx,
                                             uint8_t *buf, size_t size, size_t *len) {
    (void)ctx;
    *len = size;
    return random_bytes(NULL, buf, size) == 0 ? PSA_SUCCESS : PSA_ERROR_INSUFFICIENT_ENTROPY;
}
#endif

// ---- trust --------------------------------------------------------------------------------------

static int add_anchor(void *arg, struct rekey_span der) {
    int (*parse)(mbedtls_x509_crt *, const unsigned char *, size_t) =
        the->anchors.permanent ? mbedtls_x509_crt_parse_der_nocopy : mbedtls_x509_crt_parse_der;
    int result = parse(arg, (const unsigned char *)der.ptr, der.len);

    the->exhausted |= rekey_arena_failed();
    return the->exhausted ? result : 0; // one that is not understood is no anchor
}

// mbedTLS asks for the anchors that may have issued `child`, and frees what it gets.
static int find_anchors(void *ctx, mbedtls_x509_crt const *child, mbedtls_x509_crt **candidates) {
    struct rekey_tls *t = ctx;
    struct rekey_span issuer = rekey_span((const char *)child->issuer_raw.p, child->issuer_raw.len);
    mbedtls_x509_crt *list = mbedtls_calloc(1, sizeof(*list));
    int result;

    *candidates = NULL;
    if (list == NULL) {
        return MBEDTLS_ERR_X509_ALLOC_FAILED;
    }
    mbedtls_x509_crt_init(list);
    result = t->anchors.find(t->anchors.ctx, issuer, add_anchor, list);
    if (result == 0 && list->raw.p != NULL) {
        *candidates = list;
        return 0;
    }
    mbedtls_x509_crt_free(list);
    mbedtls_free(list);
    if (result == REKEY_E_NO_ANCHORS) {
        t->lower_error = result;
    }
    return result == 0 ? 0 : MBEDTLS_ERR_X509_ALLOC_FAILED;
}

// Called for each certificate of the chain, the leaf last; *flags is what is wrong with this one.
// What is nearest to the leaf is kept for the error text, but an issuer that is not trusted counts
// more.
static int note_fault(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
    struct rekey_tls *t = ctx;
    struct rekey_tls_fault *f = &t->fault;

    (void)depth;
    if (*flags != 0 && (f->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) == 0) {
        if (mbedtls_x509_dn_gets(f->issuer, sizeof(f->issuer), &certificate->issuer) < 0) {
            strcpy(f->issuer, "(a name too long to show)");
        }
        mbedtls_sha256(certificate->raw.p, certificate->raw.len, f->sha256, 0);
        f->from = certificate->valid_from;
        f->to = certificate->valid_to;
    }
    f->flags |= *flags;
    return 0;
}

static int trust_error(const struct rekey_tls *t) {
    uint32_t flags = t->fault.flags;

    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        return REKEY_E_CERT_ISSUER;
    }
    if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
        return REKEY_E_CERT_NAME;
    }
    if ((flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) != 0) {
        return REKEY_E_CERT_DATES;
    }
    return REKEY_E_CERT_OTHER;
}

// ---- the transport below, and errors ------------------------------------------------------------

static int bio_result(struct rekey_tls *t, int result, size_t n) {
    switch (result) {
    case REKEY_DONE:
        return (int)n;
    case REKEY_WANT_READ:
        return MBEDTLS_ERR_SSL_WANT_READ;
    case REKEY_WANT_WRITE:
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    case REKEY_END:
        return 0; // mbedTLS makes MBEDTLS_ERR_SSL_CONN_EOF of it
    default:
        t->lower_error = result;
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
}

static int bio_send(void *ctx, const unsigned char *buf, size_t len) {
    struct rekey_tls *t = ctx;
    size_t n = 0;
    int result = t->lower.write(t->lower.ctx, buf, len, &n);

    return bio_result(t, result, n);
}

static int bio_receive(void *ctx, unsigned char *buf, size_t len) {
    struct rekey_tls *t = ctx;
    size_t n = 0;
    int result;

    do {
        result = t->lower.read(t->lower.ctx, buf, len, &n);
    } while (result == REKEY_AGAIN);
    return bio_result(t, result, n);
}

// What a result of mbedTLS is called by rekey_port.h. After an error the connection is of no more
// use, but for reading what has come already.
static int status_of(struct rekey_tls *t, int code) {
    switch (code) {
    case MBEDTLS_ERR_SSL_WANT_READ:
        return REKEY_WANT_READ;
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return REKEY_WANT_WRITE;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return REKEY_END;
    default:
        break;
    }
    t->code = code;
    t->phase = BROKEN;
    if (rekey_arena_failed() || t->exhausted) { // before what it may have led to
        return REKEY_E_LIMIT_ARENA;
    }
    if (t->lower_error != 0) {
        return t->lower_error;
    }
    if (code == 0 || code == MBEDTLS_ERR_SSL_CONN_EOF) {
        return REKEY_E_END;
    }
    return t->fault.flags != 0 ? trust_error(t) : REKEY_E_TLS;
}

// ---- the transport ------------------------------------------------------------------------------

static int set_up(struct rekey_tls *t) {
    static const char *protocols[] = {"http/1.1", NULL};
    int code = 0;

#if REKEY_TLS13
    if (psa_crypto_init() != PSA_SUCCESS) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
#endif
    mbedtls_ssl_init(&t->ssl);
    mbedtls_ssl_config_init(&t->config);
    mbedtls_ssl_session_init(&t->session);
    code = mbedtls_ssl_config_defaults(&t->config, MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_min_tls_version(&t->config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_authmode(&t->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_cb(&t->config, find_anchors, t);
    mbedtls_ssl_conf_verify(&t->config, note_fault, t);
    mbedtls_ssl_conf_rng(&t->config, random_bytes, NULL);
#if REKEY_TLS13
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        &t->config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
    if (code == 0) {
        code = mbedtls_ssl_conf_alpn_protocols(&t->config, protocols);
    }
    if (code == 0) {
        code = mbedtls_ssl_setup(&t->ssl, &t->config);
    }
    mbedtls_ssl_set_bio(&t->ssl, t, bio_send, bio_receive, NULL);
    t->set_up = code == 0;
    if (code != 0) { // the next open begins anew
        mbedtls_ssl_free(&t->ssl);
        mbedtls_ssl_config_free(&t->config);
    }
    return code;
}

static void save_session(struct rekey_tls *t) {
    if (!t->keeps) {
        return;
    }
    mbedtls_ssl_session_free(&t->session);
    mbedtls_ssl_session_init(&t->session);
    t->have_session = mbedtls_ssl_get_session(&t->ssl, &t->session) == 0;
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
    // The server's certificate was verified, and a resumption does not look at it: 5 KB of arena,
    // which the next full handshake needs if the server has forgotten the session.
    mbedtls_x509_crt_free(t->session.MBEDTLS_PRIVATE(peer_cert));
    mbedtls_free(t->session.MBEDTLS_PRIVATE(peer_cert));
    t->session.MBEDTLS_PRIVATE(peer_cert) = NULL;
#endif
    rekey_arena_failed(); // without a session to resume it goes on as well
}

// The TCP connection is there: prepares the handshake.
static int begin_handshake(struct rekey_tls *t) {
    int code = mbedtls_ssl_session_reset(&t->ssl);

    if (code == 0) {
        code = mbedtls_ssl_set_hostname(&t->ssl, t->host);
    }
    if (code == 0 && t->keeps && t->have_session &&
        mbedtls_ssl_set_session(&t->ssl, &t->session) != 0) {
        t->have_session = false; // it cannot be resumed: a full handshake
    }
    t->phase = HANDSHAKE;
    return code;
}

static int begin(struct rekey_tls *t, struct rekey_span host, uint16_t port) {
    int code = 0;

    memset(&t->fault, 0, sizeof(t->fault));
    t->lower_error = 0;
    t->exhausted = false;
    rekey_arena_failed();
    t->fault.clock = t->port->wall_s(t->port->ctx);
    if (t->fault.clock < (int64_t)REKEY_BUILD_TIME) {
        return REKEY_E_CLOCK;
    }
    if (host.len >= sizeof(t->host)) {
        return REKEY_E_LOOKUP;
    }
    t->keeps = t->keep.len == 0 || (rekey_span_equal(host, t->keep) && port == t->keep_port);
    if (!rekey_span_equal(host, rekey_span(t->host, strlen(t->host))) || port != t->tcp_port) {
        t->have_session = t->have_session && t->keep.len > 0; // it is for the host it was made with
        memcpy(t->host, host.ptr, host.len);
        t->host[host.len] = '\0';
        t->tcp_port = port;
    }
    if (!t->set_up) {
        code = set_up(t);
    }
    t->phase = CONNECTING;
    return code == 0 ? REKEY_AGAIN : status_of(t, code);
}

static int tls_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct rekey_tls *t = ctx;
    int code, result;

    switch (t->phase) {
    case CLOSED:
        return begin(t, host, port);
    case CONNECTING:
        result = t->lower.open(t->lower.ctx, host, port, timeout_ms);
        if (result != REKEY_DONE) {
            return result;
        }
        code = begin_handshake(t);
        return code == 0 ? REKEY_AGAIN : status_of(t, code);
    case HANDSHAKE:
        code = mbedtls_ssl_handshake_step(&t->ssl);
        if (code != 0) {
            return status_of(t, code);
        }
        if (!mbedtls_ssl_is_handshake_over(&t->ssl)) {
            return REKEY_AGAIN;
        }
        t->phase = OPEN;
        if (mbedtls_ssl_get_version_number(&t->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) {
            save_session(t); // in 1.3 the ticket comes later, with a read
        }
        return REKEY_DONE;
    default:
        return t->phase == OPEN ? REKEY_DONE : REKEY_E_TLS;
    }
}

static int tls_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct rekey_tls *t = ctx;
    int code = mbedtls_ssl_write(&t->ssl, data, len);

    if (code > 0) {
        *done = (size_t)code;
        return REKEY_DONE;
    }
    return status_of(t, code);
}

static int tls_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct rekey_tls *t = ctx;
    int code = mbedtls_ssl_read(&t->ssl, buf, cap);

    if (code > 0) {
        *done = (size_t)code;
        return REKEY_DONE;
    }
#if REKEY_TLS13
    if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        save_session(t);
        return REKEY_AGAIN;
    }
#endif
    return status_of(t, code);
}

static void tls_close(void *ctx) {
    struct rekey_tls *t = ctx;

    if (t->phase == OPEN) {
        mbedtls_ssl_close_notify(
            &t->ssl); // one attempt: a peer that does not read it loses nothing
    }
    t->lower.close(t->lower.ctx);
    if (t->phase != CLOSED && t->set_up) {
        mbedtls_ssl_session_reset(&t->ssl);
    }
    t->phase = CLOSED;
}

struct rekey_transport rekey_tls_transport(struct rekey_tls *t) {
    return (struct rekey_transport){
        .ctx = t, .open = tls_open, .write = tls_write, .read = tls_read, .close = tls_close};
}

// ---- the rest -----------------------------------------------------------------------------------

void rekey_tls_init(struct rekey_tls *t, struct rekey_transport lower,
                    const struct rekey_port *port, struct rekey_anchors anchors, void *arena,
                    size_t arena_size) {
    memset(t, 0, sizeof(*t));
    t->lower = lower;
    t->port = port;
    t->anchors = anchors;
    t->arena = arena;
    t->arena_size = arena_size;
    the = t;
    rekey_arena_init(arena, arena_size);
}

static int date_text(char *buf, size_t cap, const mbedtls_x509_time *t) {
    return snprintf(buf, cap, "%04d-%02d-%02dT%02d:%02d:%02dZ", t->year, t->mon, t->day, t->hour,
                    t->min, t->sec);
}

// What a person can do something about.
static const char *code_text(int code) {
    switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return ": the server refuses the handshake";
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        return ": what answers there does not speak TLS";
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return ": the server knows no TLS 1.2";
    default:
        return "";
    }
}

void rekey_tls_explain(const struct rekey_tls *t, int error, char *buf, size_t cap) {
    static const char hex[] = "0123456789ABCDEF";
    const struct rekey_tls_fault *f = &t->fault;
    mbedtls_time_t clock = (mbedtls_time_t)f->clock;
    mbedtls_x509_time device;
    char from[80], to[80], at[80], digest[65]; // six ints of any size fit a date
    struct tm tm;

    mbedtls_platform_gmtime_r(&clock, &tm);
    device = (mbedtls_x509_time){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                                 tm.tm_hour,        tm.tm_min,     tm.tm_sec};
    date_text(from, sizeof(from), &f->from);
    date_text(to, sizeof(to), &f->to);
    date_text(at, sizeof(at), &device);
    for (size_t i = 0; i < 32; i++) {
        digest[2 * i] = hex[f->sha256[i] >> 4];
        digest[2 * i + 1] = hex[f->sha256[i] & 15];
    }
    digest[64] = '\0';
    buf[0] = '\0';
    switch (error) {
    case REKEY_E_CERT_ISSUER:
        snprintf(
            buf, cap,
            "issuer %s is not among the trust anchors (certificate SHA-256 %s); a proxy or captive "
            "portal?",
            f->issuer, digest);
        break;
    case REKEY_E_CERT_NAME:
        snprintf(buf, cap, "it is not for %s (issuer %s, certificate SHA-256 %s)", t->host,
                 f->issuer, digest);
        break;
    case REKEY_E_CERT_DATES:
        snprintf(buf, cap, "it is valid from %s to %s, the device's clock says %s", from, to, at);
        break;
    case REKEY_E_CERT_OTHER:
        snprintf(buf, cap, "verification flags 0x%lx (issuer %s, certificate SHA-256 %s)",
                 (unsigned long)f->flags, f->issuer, digest);
        break;
    case REKEY_E_CLOCK:
        snprintf(buf, cap, "the device's clock says %s", at);
        break;
    case REKEY_E_TLS:
        snprintf(buf, cap, "mbedTLS error -0x%04X%s", (unsigned)-t->code, code_text(t->code));
        break;
    default:
        break;
    }
}

void rekey_tls_free(struct rekey_tls *t) {
    if (t->set_up) {
        mbedtls_ssl_session_free(&t->session);
        mbedtls_ssl_free(&t->ssl);
        mbedtls_ssl_config_free(&t->config);
#if REKEY_TLS13
        mbedtls_psa_crypto_free();
#endif
    }
    rekey_arena_init(NULL, 0);
    mbedtls_platform_zeroize(t->arena, t->arena_size);
    t->set_up = false;
}
