// tls.c - the transport contract of rekey_port.h by mbedTLS, and what mbedTLS asks of its platform:
// an arena in place of the heap, the time, randomness.

#include "tls.h"

#include "arena.h"
#include "peer.h"

#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#if REKEY_TLS13
#include <psa/crypto.h>
#endif

#ifndef REKEY_BUILD_TIME
#error "REKEY_BUILD_TIME: seconds since 1970 of this build; a clock before it was never set"
#endif

enum phase { CLOSED, CONNECTING, HANDSHAKE, OPEN, BROKEN };

#define TICKET_MAX_S 604800u // RFC 8446 4.6.1: a ticket is kept for 7 days at most
#define KEY_UPDATE 24        // a handshake message of TLS 1.3 that mbedTLS has no name for

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
        t->ended = true;
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

// What an error of TLS means, in words; "" where mbedTLS's number says all that is known.
static const char *meaning_of(const struct rekey_tls *t, enum phase phase, int code) {
    const unsigned char *message = t->ssl.MBEDTLS_PRIVATE(in_msg);
    const int type = t->ssl.MBEDTLS_PRIVATE(in_msgtype);
    const size_t len = t->ssl.MBEDTLS_PRIVATE(in_msglen); // 0 where the record itself is refused

    switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return phase == HANDSHAKE ? ": the server refuses the handshake"
                                  : ": the server broke the connection off, with an alert";
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        return type == MBEDTLS_SSL_MSG_HANDSHAKE && len > 0 && len < 4
                   ? ": the server split a handshake message where mbedTLS cannot join it"
               : phase == HANDSHAKE ? ": what answers there does not speak TLS"
                                    : ": the server sent a malformed record";
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return ": the server knows no TLS 1.2";
    case MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION:
        return ": the server answers with an extension that was not offered";
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        if (phase == HANDSHAKE || type != MBEDTLS_SSL_MSG_HANDSHAKE) {
            return ": the server sent a message out of turn";
        }
        return message[0] == KEY_UPDATE
                   ? ": the server changed its keys (KeyUpdate), which mbedTLS cannot follow"
               : message[0] == MBEDTLS_SSL_HS_HELLO_REQUEST
                   ? ": the server wants a new handshake (HelloRequest), which rekey refuses"
                   : ": the server wants another handshake on an open connection";
    default:
        return "";
    }
}

// What a result of mbedTLS is called by rekey_port.h. After an error the connection is of no more
// use, but for reading what has come already.
static int status_of(struct rekey_tls *t, int code) {
    const enum phase before = t->phase;
    int error;

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
    error = before == HANDSHAKE ? rekey_peer_error(t, code) : 0;
    t->said = meaning_of(t, before, code);
    return error != 0 ? error : REKEY_E_TLS;
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
    mbedtls_ssl_conf_ca_cb(&t->config, rekey_peer_anchors, t);
    mbedtls_ssl_conf_verify(&t->config, rekey_peer_check, t);
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
#if REKEY_TLS13
    if (t->session.MBEDTLS_PRIVATE(ticket_lifetime) > TICKET_MAX_S) {
        t->session.MBEDTLS_PRIVATE(ticket_lifetime) = TICKET_MAX_S;
    }
#endif
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

    rekey_peer_begin(t);
    t->lower_error = 0;
    t->exhausted = t->ended = false;
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
    if (code == 0 && !t->ended) { // records without data
        return REKEY_AGAIN;
    }
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

void rekey_tls_explain(const struct rekey_tls *t, int error, char *buf, size_t cap) {
    if (-error / 100 == 3 && error != REKEY_E_NO_ANCHORS) {
        rekey_peer_explain(t, error, buf, cap);
    } else if (error == REKEY_E_TLS) {
        snprintf(buf, cap, "mbedTLS error -0x%04X%s", (unsigned)-t->code,
                 t->said != NULL ? t->said : "");
    } else {
        buf[0] = '\0';
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
