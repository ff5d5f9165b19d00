// peer.h - verifies the server's identity: it puts the chain in order, checks it, and records a
// fault for the text of rekey_explain.

#ifndef REKEY_PEER_H
#define REKEY_PEER_H

#include "connection.h"

// The message that mbedTLS read last (library.h).
struct rekey_tls_message {
    int record;         // MBEDTLS_SSL_MSG_...
    size_t len;         // of the data in the record; 0 if the record itself was refused
    unsigned char type; // of a handshake message: MBEDTLS_SSL_HS_...
    size_t whole;       // the full length of a handshake message that is not complete
};

// All fields are zero if mbedTLS's owner does not provide the message.
struct rekey_tls_message rekey_peer_last_message(const struct connection *c);

// Whether an error of mbedTLS says that an allocation failed. Always false if mbedTLS's owner
// defines REKEY_TLS_SHORTAGE, which is more reliable.
bool rekey_peer_out_of_memory(int code);

// Clears the data about an earlier server; call it before a handshake.
void rekey_peer_begin(struct connection *c);

// The verify callback of mbedtls_ssl_conf_verify; `ctx` is the struct connection.
int rekey_peer_check(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);

// mbedTLS's owner calls it instead of mbedtls_x509_crt_parse_der for a certificate that the server
// sends. `ctx` is the struct connection. Returns 0 or an error of mbedTLS.
int rekey_peer_parse(void *ctx, mbedtls_x509_crt *chain, const unsigned char *der, size_t len,
                     bool copy);

// Call it after a handshake that failed with `code`, an error of mbedTLS. Returns an error of
// rekey_error.h if the server's certificates or its key are at fault, else 0.
int rekey_peer_error(struct connection *c, int code);

// Stores a text in buf[0..cap) that says what is at fault, after such an error.
void rekey_peer_explain(const struct connection *c, int error, char *buf, size_t cap);

#endif
