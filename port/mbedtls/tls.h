// tls.h - TLS 1.2 and 1.3 over any transport, by mbedTLS, in a static arena.
// The peer is always verified: chain, host name, dates. There is no option that turns this off.
// mbedTLS has one allocator for the whole image, so there is one struct rekey_tls in it as well; it
// is not for use from several threads. An application that uses mbedTLS itself: see
// docs/porting.md.

#ifndef REKEY_TLS_H
#define REKEY_TLS_H

#include <mbedtls/ssl.h>

#include "anchors.h"
#include "rekey_port.h"

// Bytes of arena that a handshake with a chain of 6 KB needs, and some slack (`make bench` shows
// the peak).
#ifndef REKEY_ARENA_SIZE
#define REKEY_ARENA_SIZE 65536
#endif

// Why the peer was not trusted; from the certificate that was at fault.
struct rekey_tls_fault {
    uint32_t flags;   // MBEDTLS_X509_BADCERT_..., and those of peer.c
    const char *what; // what is wrong with it, in words; or NULL
    unsigned number;  // that belongs to these words
    char issuer[112];
    unsigned char sha256[32]; // of that certificate
    mbedtls_x509_time from, to;
    int64_t clock; // what the device's clock said
};

// Fields are private, but for `fault`, `code` and `keep`.
struct rekey_tls {
    struct rekey_span keep; // the host whose session is kept over connections to others; empty: any
    uint16_t keep_port;
    struct rekey_transport lower;
    const struct rekey_port *port;
    struct rekey_anchors anchors;
    unsigned char *arena;
    size_t arena_size;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_ssl_session session; // of `keep`, or of `host` and `tcp_port`, when have_session
    char host[254];
    uint16_t tcp_port;
    uint8_t phase;
    bool set_up, have_session;
    bool keeps;       // this connection's session is the one that is kept
    bool exhausted;   // an allocation failed on this connection
    bool ended;       // the transport below has
    int lower_error;  // the last error of the transport below, of the anchors or of entropy; or 0
    int code;         // the last error of mbedTLS, also of an earlier connection; or 0
    const char *said; // what that error means, in words; or ""
    struct rekey_tls_fault fault;
    // While a chain is verified (peer.c): from the leaf to the anchor; and the subject of a
    // certificate that cannot be parsed, and why not.
    const mbedtls_x509_crt *chain[MBEDTLS_X509_MAX_INTERMEDIATE_CA + 2];
    struct rekey_span unusable;
    const char *unusable_why;
};

// Makes *t ready. `arena` (REKEY_ARENA_SIZE bytes, aligned for a pointer) and all that is pointed
// at live as long as *t. `port` gives clocks and randomness; its own transport may be the one that
// this makes.
void rekey_tls_init(struct rekey_tls *t, struct rekey_transport lower,
                    const struct rekey_port *port, struct rekey_anchors anchors, void *arena,
                    size_t arena_size);

// The transport contract of rekey_port.h; `t` becomes its ctx. One handshake state for each call of
// open. A session is resumed when the same host and port are opened again.
struct rekey_transport rekey_tls_transport(struct rekey_tls *t);

// Says in words why `error` (of open, read or write) came about; an empty text where there is no
// more to say. Names of certificates are in it: whoever prints them makes control characters
// visible.
void rekey_tls_explain(const struct rekey_tls *t, int error, char *buf, size_t cap);

// Frees all, and zeroizes the arena.
void rekey_tls_free(struct rekey_tls *t);

#endif
