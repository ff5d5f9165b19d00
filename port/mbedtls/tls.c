// tls.c - the transport contract of rekey_port.h over mbedTLS. It uses only public functions of
// mbedTLS.

#include "tls.h"

#include <assert.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <stdio.h>

#include "connection.h"
#include "peer.h"
#if REKEY_TLS_PSA
#include <psa/crypto.h>
#endif

#ifndef REKEY_BUILD_TIME
#error "REKEY_BUILD_TIME: seconds since 1970 of this build; a clock before it was never set"
#endif

static_assert(sizeof(struct connection) <= REKEY_TLS_SIZE,
              "REKEY_TLS_SIZE is too small for this mbedTLS: define a larger one");

enum phase { CLOSED, CONNECTING, HANDSHAKE, OPEN, BROKEN };

#define SESSION_MAX_S 604800 // RFC 8446 4.6.1: a ticket is kept for at most 7 days
#define KEY_UPDATE 24        // a handshake message of TLS 1.3 for which mbedTLS has no name

static struct connection *connection_of(struct rekey_tls *t) {
    return (struct connection *)(void *)&t->state;
}

// ---- the transport below, and errors ------------------------------------------------------------

static int bio_result(struct connection *t, int result, size_t n) {
    switch (result) {
    case REKEY_DONE:
        return (int)n;
    case REKEY_WANT_READ:
        t->lower_waits = true;
        return MBEDTLS_ERR_SSL_WANT_READ;
    case REKEY_WANT_WRITE:
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    case REKEY_END:
        t->ended = true;
        return 0; // mbedTLS turns it into MBEDTLS_ERR_SSL_CONN_EOF
    default:
        t->lower_error = result;
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
}

// mbedTLS sends the rest of a record before it reads again. When the connection is broken, that
// rest is dropped, so that data that the server has sent before can still be read.
static int bio_send(void *ctx, const unsigned char *buf, size_t len) {
    struct connection *t = ctx;
    size_t n = 0;
    int result;

    if (t->phase == BROKEN) {
        return (int)len;
    }
    result = t->lower.write(t->lower.ctx, buf, len, &n);
    return bio_result(t, result, n);
}

static int bio_receive(void *ctx, unsigned char *buf, size_t len) {
    struct connection *t = ctx;
    size_t n = 0;
    int result;

    do {
        result = t->lower.read(t->lower.ctx, buf, len, &n);
    } while (result == REKEY_AGAIN);
    return bio_result(t, result, n);
}

// The meaning of an error of TLS, in words; "" if nothing is known except mbedTLS's number.
static const char *meaning_of(const struct connection *t, enum phase phase, int code) {
    const struct rekey_tls_message m = rekey_peer_last_message(t);
    const bool handshake = m.record == MBEDTLS_SSL_MSG_HANDSHAKE;

    switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return phase == HANDSHAKE ? ": the server refuses the handshake"
                                  : ": the server broke the connection off, with an alert";
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        return handshake && m.len > 0 && m.len < 4
                   ? ": the server split a handshake message where mbedTLS cannot join it"
               : phase == HANDSHAKE ? ": what answers there does not speak TLS"
                                    : ": the server sent a malformed record";
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return ": the server knows no TLS 1.2";
    case MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION:
        return ": the server answers with an extension that was not offered";
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        if (phase == HANDSHAKE || (m.record != 0 && !handshake)) {
            return ": the server sent a message out of turn";
        }
        // If the message is unknown, it is most likely a KeyUpdate, the one that servers send.
        if (m.record == 0 ? mbedtls_ssl_get_version_number(&t->ssl) == MBEDTLS_SSL_VERSION_TLS1_3
                          : m.type == KEY_UPDATE) {
            return ": the server changed its keys (KeyUpdate), which mbedTLS cannot follow";
        }
        return m.type == MBEDTLS_SSL_HS_HELLO_REQUEST
                   ? ": the server wants a new handshake (HelloRequest), which rekey refuses"
                   : ": the server wants another handshake on an open connection";
    default:
        return "";
    }
}

// The size of the memory with which the failed allocation of the last call would have succeeded; 0
// if none has failed. The call clears it.
static size_t shortage(void) {
#ifdef REKEY_TLS_SHORTAGE
    return REKEY_TLS_SHORTAGE();
#else
    return 0;
#endif
}

// Turns a result of mbedTLS into one of rekey_port.h. After an error the connection can only be
// used to read data that has already arrived.
static int status_of(struct connection *t, int code) {
    const enum phase before = t->phase;
    const bool waits = t->lower_waits;
    int error;

    t->lower_waits = false;
    switch (code) {
    case MBEDTLS_ERR_SSL_WANT_READ:
        // mbedTLS also returns this after a ticket of TLS 1.3 or an alert, although the transport
        // below may have more data. A caller that is woken only by new data would wait forever.
        return waits ? REKEY_WANT_READ : REKEY_AGAIN;
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return REKEY_WANT_WRITE;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return REKEY_END;
#ifdef MBEDTLS_ECP_RESTARTABLE // the owner limits the work of one call by mbedtls_ecp_set_max_ops
    case MBEDTLS_ERR_SSL_CRYPTO_IN_PROGRESS:
        return REKEY_AGAIN;
#endif
    default:
        break;
    }
    t->code = code;
    t->phase = BROKEN;
    t->needed = shortage();
    if (t->needed != 0 || t->exhausted) { // has priority over errors that it may have caused
        return REKEY_E_LIMIT_ARENA;
    }
    if (t->lower_error != 0) {
        return t->lower_error;
    }
    if (rekey_peer_out_of_memory(code)) {
        return REKEY_E_LIMIT_ARENA;
    }
    if (code == 0 || code == MBEDTLS_ERR_SSL_CONN_EOF) {
        return REKEY_E_END;
    }
    error = before == HANDSHAKE ? rekey_peer_error(t, code) : 0;
    t->said = meaning_of(t, before, code);
    return error != 0 ? error : REKEY_E_TLS;
}

// ---- the transport ------------------------------------------------------------------------------

#if !REKEY_TLS_4
static int random_bytes(void *ctx, unsigned char *buf, size_t len) {
    struct connection *t = ctx;

    if (t->port->entropy(t->port->ctx, buf, len) == REKEY_DONE) {
        return 0;
    }
    t->lower_error = REKEY_E_ENTROPY;
    return MBEDTLS_ERR_SSL_HW_ACCEL_FAILED;
}
#endif

// Sets the parts of the configuration that not every mbedTLS has.
static int configure_more(struct connection *t) {
    int code = 0;

#ifndef MBEDTLS_SSL_CIPHERSUITES // ECDHE with AES-GCM, unless the owner has configured the same
    static const int suites[] = {MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                 0};

    mbedtls_ssl_conf_ciphersuites(&t->config, suites);
#endif
#ifdef MBEDTLS_SSL_ALPN
    static const char *protocols[] = {"http/1.1", NULL};

    code = mbedtls_ssl_conf_alpn_protocols(&t->config, protocols);
#endif
#if !REKEY_TLS_4 // 4.x uses the random numbers of PSA
    mbedtls_ssl_conf_rng(&t->config, random_bytes, t);
#endif
#if REKEY_TLS_13_TICKETS && !REKEY_TLS_4 // otherwise 3.6 ignores tickets
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        &t->config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
    return code;
}

static int set_up(struct connection *t) {
    int code = 0;

#if REKEY_TLS_PSA
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
    // mbedTLS does not begin without a list of anchors. The list stays empty until the chain has
    // arrived, and the anchors are looked up for it (peer.c).
    mbedtls_x509_crt_init(&t->found);
    mbedtls_ssl_conf_ca_chain(&t->config, &t->found, NULL);
    mbedtls_ssl_conf_verify(&t->config, rekey_peer_check, t);
    if (code == 0) {
        code = configure_more(t);
    }
    if (code == 0) {
        code = mbedtls_ssl_setup(&t->ssl, &t->config);
    }
    mbedtls_ssl_set_bio(&t->ssl, t, bio_send, bio_receive, NULL);
    mbedtls_ssl_set_user_data_p(&t->ssl, t);
    t->set_up = code == 0;
    if (code != 0) { // the next open starts again
        mbedtls_ssl_free(&t->ssl);
        mbedtls_ssl_config_free(&t->config);
    }
    return code;
}

static void save_session(struct connection *t) {
    if (!t->keeps) {
        return;
    }
    mbedtls_ssl_session_free(&t->session);
    mbedtls_ssl_session_init(&t->session);
    t->have_session = mbedtls_ssl_get_session(&t->ssl, &t->session) == 0;
    t->session_s = t->fault.clock;
    shortage(); // clear the shortage: a session is not required
}

// The transport below is connected: prepares the handshake.
static int begin_handshake(struct connection *t) {
    int code = mbedtls_ssl_session_reset(&t->ssl);

#ifdef MBEDTLS_SSL_SESSION_TICKETS
    // Do not ask for a ticket of TLS 1.2 if the session will not be kept. A server sends tickets of
    // TLS 1.3 without being asked.
    mbedtls_ssl_conf_session_tickets(&t->config, t->keeps ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                                          : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
    if (code == 0) {
        code = mbedtls_ssl_set_hostname(&t->ssl, t->host);
    }
    t->have_session = t->have_session && t->fault.clock - t->session_s <= SESSION_MAX_S;
    if (code == 0 && t->keeps && t->have_session &&
        mbedtls_ssl_set_session(&t->ssl, &t->session) != 0) {
        t->have_session = false; // it cannot be resumed: do a full handshake
    }
    t->phase = HANDSHAKE;
    return code;
}

static int begin(struct rekey_tls *tls, struct rekey_span host, uint16_t port) {
    struct connection *t = connection_of(tls);
    int code = 0;

    rekey_peer_begin(t);
    t->lower_error = 0;
    t->exhausted = t->ended = false;
    shortage(); // clear the shortages of others
    t->fault.clock = t->port->wall_s(t->port->ctx);
    if (t->fault.clock < (int64_t)REKEY_BUILD_TIME) {
        return REKEY_E_CLOCK;
    }
    if (t->anchors.find == NULL) {
        return REKEY_E_NO_ANCHORS;
    }
    if (host.len >= sizeof(t->host)) {
        return REKEY_E_LOOKUP;
    }
    t->keeps = tls->keep.len == 0 || (rekey_span_equal(host, tls->keep) && port == tls->keep_port);
    if (!rekey_span_equal(host, rekey_span(t->host, strlen(t->host))) || port != t->tcp_port) {
        t->have_session =
            t->have_session && tls->keep.len > 0; // it is for the host it was made with
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
    struct connection *t = connection_of(ctx);
    int code, result;

    switch (t->phase) {
    case CLOSED:
        return begin(ctx, host, port);
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
        t->proof = t->proof == CHAIN_PROVED ? KEY_NEXT
                   : t->proof == KEY_NEXT   ? KEY_PROVED
                                            : t->proof;
        if (!mbedtls_ssl_is_handshake_over(&t->ssl)) {
            return REKEY_AGAIN;
        }
        t->phase = OPEN;
        shortage(); // clear it: a shortage did no harm
        if (mbedtls_ssl_get_version_number(&t->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) {
            save_session(t); // in TLS 1.3 the ticket arrives later, during a read
        }
        return REKEY_DONE;
    default:
        return t->phase == OPEN ? REKEY_DONE : REKEY_E_TLS;
    }
}

static int tls_write(void *ctx, const void *data, size_t len, size_t *done) {
    struct connection *t = connection_of(ctx);
    int code;

    if (t->phase != OPEN) {
        return t->lower_error != 0 ? t->lower_error : REKEY_E_TLS;
    }
    code = mbedtls_ssl_write(&t->ssl, data, len);
    if (code > 0) {
        *done = (size_t)code;
        return REKEY_DONE;
    }
    return status_of(t, code);
}

static int tls_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct connection *t = connection_of(ctx);
    int code = mbedtls_ssl_read(&t->ssl, buf, cap);

    if (code > 0) {
        *done = (size_t)code;
        return REKEY_DONE;
    }
#if REKEY_TLS_13_TICKETS
    if (code == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        save_session(t);
        return REKEY_AGAIN;
    }
#endif
    if (code == 0 && !t->ended) { // a record without data
        return REKEY_AGAIN;
    }
    return status_of(t, code);
}

static void tls_close(void *ctx) {
    struct connection *t = connection_of(ctx);

    if (t->phase == OPEN) {
        mbedtls_ssl_close_notify(
            &t->ssl); // one attempt: a peer that does not read it loses nothing
    }
    t->lower.close(t->lower.ctx);
    if (t->phase != CLOSED && t->set_up) {
        mbedtls_ssl_session_reset(&t->ssl); // zeroizes what was sent and received, before all else
    }
    t->phase = CLOSED;
}

static uint32_t tls_wait_ms(void *ctx) {
    const struct connection *t = connection_of(ctx);

    return t->lower.wait_ms != NULL ? t->lower.wait_ms(t->lower.ctx) : UINT32_MAX;
}

static void tls_explain(void *ctx, int error, char *buf, size_t cap) {
    const struct connection *t = connection_of(ctx);

    buf[0] = '\0';
    if (-error / 100 == 3 && error != REKEY_E_NO_ANCHORS) {
        rekey_peer_explain(t, error, buf, cap);
    } else if (error == REKEY_E_TLS) {
        snprintf(buf, cap, "mbedTLS error -0x%04X%s", (unsigned)-t->code,
                 t->said != NULL ? t->said : "");
    } else if (error == REKEY_E_LIMIT_ARENA) {
        if (t->needed != 0) {
            snprintf(buf, cap, "at least %lu bytes are needed", (unsigned long)t->needed);
        }
    } else if (t->lower.explain != NULL) {
        t->lower.explain(t->lower.ctx, error, buf, cap);
    }
}

struct rekey_transport rekey_tls_transport(struct rekey_tls *t) {
    return (struct rekey_transport){.ctx = t,
                                    .open = tls_open,
                                    .write = tls_write,
                                    .read = tls_read,
                                    .close = tls_close,
                                    .wait_ms = tls_wait_ms,
                                    .explain = tls_explain};
}

// ---- the rest -----------------------------------------------------------------------------------

void rekey_tls_init(struct rekey_tls *tls, struct rekey_transport lower,
                    const struct rekey_port *port, struct rekey_anchors anchors) {
    struct connection *t = connection_of(tls);

    memset(tls, 0, sizeof(*tls));
    t->lower = lower;
    t->port = port;
    t->anchors = anchors;
}

void rekey_tls_free(struct rekey_tls *tls) {
    struct connection *t = connection_of(tls);

    if (t->phase != CLOSED) {
        tls_close(tls);
    }
    if (t->set_up) {
        mbedtls_ssl_session_free(&t->session);
        mbedtls_ssl_free(&t->ssl);
        mbedtls_ssl_config_free(&t->config);
    }
    t->set_up = t->have_session = false;
}
