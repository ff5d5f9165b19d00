// own_mbedtls.c - an application with its own mbedTLS, of any version, and its own transport for
// rekey over that mbedTLS. Compiled with OVER_REKEY_TLS, it also uses the transport of
// librekey-tls, which contains another mbedTLS: both are in one program.
//
//     own_mbedtls HOST PORT CA-FILE SUBSCRIPTION GROUP WORKSPACE ENDPOINT; the token is in TOKEN

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>
#include <rekey/posix.h>
#include <rekey/rekey.h>
#if MBEDTLS_VERSION_MAJOR < 4
#include <mbedtls/psa_util.h>
#endif
#ifdef OVER_REKEY_TLS
#include <rekey/owner.h>
#include <rekey/pem_bundle.h>
#include <rekey/tls.h>
#endif

// TLS over any transport, by the application's mbedTLS.
struct own_tls {
    struct rekey_transport lower;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    bool connected; // the transport below
    int lower_said; // the result of its last call
};

static int send_below(void *ctx, const unsigned char *buf, size_t len) {
    struct own_tls *own = ctx;
    size_t done = 0;
    own->lower_said = own->lower.write(own->lower.ctx, buf, len, &done);
    return own->lower_said == REKEY_DONE ? (int)done
           : own->lower_said < 0         ? MBEDTLS_ERR_NET_SEND_FAILED
                                         : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int receive_below(void *ctx, unsigned char *buf, size_t len) {
    struct own_tls *own = ctx;
    size_t done = 0;
    own->lower_said = own->lower.read(own->lower.ctx, buf, len, &done);
    return own->lower_said == REKEY_DONE  ? (int)done
           : own->lower_said == REKEY_END ? 0
           : own->lower_said < 0          ? MBEDTLS_ERR_NET_RECV_FAILED
                                          : MBEDTLS_ERR_SSL_WANT_READ;
}

// Translates a result of mbedTLS for the core.
static int status_of(const struct own_tls *own, int result) {
    switch (result) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return own->lower_said > 0 ? own->lower_said : REKEY_AGAIN;
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
        return REKEY_AGAIN;
#endif
    case 0:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return REKEY_END;
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return REKEY_E_END;
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        return REKEY_E_CERT_OTHER;
    default:
        return own->lower_said < 0 ? own->lower_said : REKEY_E_TLS;
    }
}

static int own_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    struct own_tls *own = ctx;
    char name[254];
    if (!own->connected) {
        const int status = own->lower.open(own->lower.ctx, host, port, timeout_ms);
        if (status != REKEY_DONE) {
            return status;
        }
        snprintf(name, sizeof(name), "%.*s", (int)host.len, host.ptr);
        own->connected = true;
        if (mbedtls_ssl_setup(&own->ssl, &own->config) != 0 ||
            mbedtls_ssl_set_hostname(&own->ssl, name) != 0) {
            return REKEY_E_TLS;
        }
        mbedtls_ssl_set_bio(&own->ssl, own, send_below, receive_below, NULL);
    }
    own->lower_said = REKEY_DONE;
    const int result = mbedtls_ssl_handshake(&own->ssl);
    return result == 0 ? REKEY_DONE : status_of(own, result);
}

static int own_write(void *ctx, const void *buf, size_t len, size_t *done) {
    struct own_tls *own = ctx;
    own->lower_said = REKEY_DONE;
    const int result = mbedtls_ssl_write(&own->ssl, buf, len);
    *done = result > 0 ? (size_t)result : 0;
    return result > 0 ? REKEY_DONE : status_of(own, result);
}

static int own_read(void *ctx, void *buf, size_t cap, size_t *done) {
    struct own_tls *own = ctx;
    own->lower_said = REKEY_DONE;
    const int result = mbedtls_ssl_read(&own->ssl, buf, cap);
    *done = result > 0 ? (size_t)result : 0;
    return result > 0 ? REKEY_DONE : status_of(own, result);
}

static void own_close(void *ctx) {
    struct own_tls *own = ctx;
    if (own->connected) {
        mbedtls_ssl_close_notify(&own->ssl);
        mbedtls_ssl_free(&own->ssl);
        mbedtls_ssl_init(&own->ssl);
    }
    own->connected = false;
    own->lower.close(own->lower.ctx);
}

static int own_token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    *len = strlen(getenv("TOKEN"));
    if (*len > cap) {
        return REKEY_E_LIMIT_TOKEN;
    }
    memcpy(buf, getenv("TOKEN"), *len);
    return REKEY_DONE;
}

static void check(int result, const char *what) {
    if (result != 0) {
        printf("%s: %d\n", what, result);
        exit(1);
    }
}

static struct rekey_span text(const char *argument) {
    return rekey_span(argument, strlen(argument));
}

static void regenerate(const struct rekey_port *port, char **argv, enum rekey_key key) {
    static struct rekey client;
    const struct rekey_endpoint endpoint = {
        .subscription = text(argv[4]),
        .resource_group = text(argv[5]),
        .workspace = text(argv[6]),
        .name = text(argv[7]),
    };
    struct rekey_options options = REKEY_OPTIONS_INIT;
    struct rekey_report report;
    options.host = text(argv[1]);
    options.port = (uint16_t)atoi(argv[2]);
    options.token = own_token;
    check(rekey_init(&client, port, &options), "rekey_init");
    check(rekey_regenerate(&client, &endpoint, key, REKEY_SPAN("")), "rekey_regenerate");
    rekey_run(&client);
    rekey_report(&client, &report);
    printf("outcome %d, error %s\n", report.outcome, rekey_error_name(report.error));
}

static void compute_a_hash(void) {
    static const unsigned char abc[4] = {0xba, 0x78, 0x16, 0xbf}; // FIPS 180-2, B.1
    unsigned char hash[32];
    size_t len;
    check((int)psa_hash_compute(PSA_ALG_SHA_256, (const unsigned char *)"abc", 3, hash,
                                sizeof(hash), &len),
          "psa_hash_compute");
    check(len != sizeof(hash) || memcmp(hash, abc, sizeof(abc)), "the hash");
}

int main(int argc, char **argv) {
    static struct rekey_posix_tcp tcp = REKEY_POSIX_TCP_INIT;
    static struct own_tls own;
    mbedtls_x509_crt anchors;
    struct rekey_port port = {
        .tls = {&own, own_open, own_write, own_read, own_close, NULL, NULL},
        .ctx = &tcp,
        .now_ms = rekey_posix_now_ms,
        .wall_s = rekey_posix_wall_s,
        .entropy = rekey_posix_entropy,
        .wait = rekey_posix_wait,
    };
    if (argc != 8) {
        return 2;
    }
    check((int)psa_crypto_init(), "psa_crypto_init");
    own.lower = rekey_posix_transport(&tcp);
    mbedtls_ssl_init(&own.ssl);
    mbedtls_ssl_config_init(&own.config);
    mbedtls_x509_crt_init(&anchors);
    check(mbedtls_x509_crt_parse_file(&anchors, argv[3]), argv[3]);
    check(mbedtls_ssl_config_defaults(&own.config, MBEDTLS_SSL_IS_CLIENT,
                                      MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
          "defaults");
#if MBEDTLS_VERSION_MAJOR < 4
    mbedtls_ssl_conf_rng(&own.config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
#endif
    mbedtls_ssl_conf_ca_chain(&own.config, &anchors, NULL);

    compute_a_hash();
    regenerate(&port, argv, REKEY_KEY_PRIMARY);
#ifdef OVER_REKEY_TLS
    static struct rekey_tls tls;
    static struct rekey_pem_bundle bundle;
    static _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];
    rekey_mbedtls_init(&port, arena, sizeof(arena));
    rekey_tls_init(&tls, rekey_posix_transport(&tcp), &port, rekey_pem_bundle(&bundle, argv[3]));
    port.tls = rekey_tls_transport(&tls);
    regenerate(&port, argv, REKEY_KEY_SECONDARY);
    compute_a_hash();
    port.tls = (struct rekey_transport){&own, own_open, own_write, own_read, own_close, NULL, NULL};
    regenerate(&port, argv, REKEY_KEY_PRIMARY);
    rekey_tls_free(&tls);
    rekey_mbedtls_free();
#endif
    mbedtls_ssl_free(&own.ssl);
    mbedtls_ssl_config_free(&own.config);
    mbedtls_x509_crt_free(&anchors);
    mbedtls_psa_crypto_free();
    return 0;
}
