// peer.h - whether the server is who it should be: its chain is put in order and verified, and what
// is wrong with it is kept for a text.

#ifndef REKEY_PEER_H
#define REKEY_PEER_H

#include "connection.h"

// What mbedTLS read last (library.h).
struct rekey_tls_message {
    int record;         // MBEDTLS_SSL_MSG_...
    size_t len;         // of what is in the record; 0 where the record itself is refused
    unsigned char type; // of a handshake message: MBEDTLS_SSL_HS_...
    size_t whole;       // the length of a handshake message that is not complete
};

// All zero where mbedTLS's owner does not tell.
struct rekey_tls_message rekey_peer_last_message(const struct connection *c);

// Whether an error of mbedTLS says that an allocation failed; false where mbedTLS's owner tells it.
bool rekey_peer_out_of_memory(int code);

// Forgets an earlier server: a handshake begins.
void rekey_peer_begin(struct connection *c);

// The verify callback of mbedtls_ssl_conf_verify; `ctx` is the struct connection.
int rekey_peer_check(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);

// For mbedTLS's owner, in place of mbedtls_x509_crt_parse_der for a certificate that the server
// sends. `ctx` is the struct connection. Returns 0 or an error of mbedTLS.
int rekey_peer_parse(void *ctx, mbedtls_x509_crt *chain, const unsigned char *der, size_t len,
                     bool copy);

// After a handshake that failed with `code`, an error of mbedTLS itself: the error of rekey_error.h
// if the server's certificates or its key are at fault, or 0.
int rekey_peer_error(struct connection *c, int code);

// Says what is at fault, after such an error.
void rekey_peer_explain(const struct connection *c, int error, char *buf, size_t cap);

#endif
