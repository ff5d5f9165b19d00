// peer.h - whether the server is who it should be: its chain is parsed, put in order and verified,
// and what is wrong with it is kept for a text. mbedTLS calls these functions: three as callbacks,
// and those named as its own because the Makefile compiles ssl_tls.c, ssl_tls13_generic.c and
// x509_crt.c with -D options that rename the calls. Without the renaming all checks are made as
// well, but chains have to be in order, and texts are poorer.

#ifndef REKEY_PEER_H
#define REKEY_PEER_H

#include "tls.h"

// Forgets an earlier server: a handshake begins.
void rekey_peer_begin(struct rekey_tls *t);

// mbedtls_x509_crt_ca_cb_t: the anchors that may have issued `child`. `ctx` is the struct
// rekey_tls.
int rekey_peer_anchors(void *ctx, mbedtls_x509_crt const *child, mbedtls_x509_crt **candidates);

// The verify callback of mbedtls_ssl_conf_verify; `ctx` is the struct rekey_tls.
int rekey_peer_check(void *ctx, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);

// After a handshake that failed with `code`, an error of mbedTLS itself: the error of rekey_error.h
// if the server's certificates or its key are at fault, or 0.
int rekey_peer_error(struct rekey_tls *t, int code);

// Says what is at fault, after such an error.
void rekey_peer_explain(const struct rekey_tls *t, int error, char *buf, size_t cap);

#endif
