// tls.h - TLS 1.2 and 1.3 over any transport, by mbedTLS 3.6 or 4.x.
// The peer is always verified: chain, host name, dates. There is no option that turns this off.
// There may be any number of these, in as many threads as mbedTLS itself allows. mbedTLS may be the
// image's own, in its own configuration and over its own allocator; where the image has none,
// owner.h brings one along.

#ifndef REKEY_TLS_H
#define REKEY_TLS_H

#include "anchors.h"
#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes that a connection needs beside what mbedTLS allocates. They depend on mbedTLS's version and
// configuration; where they are too few, tls.c does not compile and names this macro.
#ifndef REKEY_TLS_SIZE
#if UINTPTR_MAX > 0xffffffff
#define REKEY_TLS_SIZE 3584
#else
#define REKEY_TLS_SIZE 2688
#endif
#endif

struct rekey_tls {
    // The host whose session is kept over connections to others, to be resumed; empty: the last
    // one.
    struct rekey_span keep;
    uint16_t keep_port;
    union { // private
        uint64_t integer;
        void *pointer;
        unsigned char bytes[REKEY_TLS_SIZE];
    } state;
};

// Makes *t ready. All that is pointed at lives as long as *t. `port` gives clocks and randomness;
// its own transport may be the one that this makes. One that was used before is freed first
// (rekey_tls_free), or its memory is lost to mbedTLS's allocator.
void rekey_tls_init(struct rekey_tls *t, struct rekey_transport lower,
                    const struct rekey_port *port, struct rekey_anchors anchors);

// The transport contract of rekey_port.h; `t` becomes its ctx. One handshake state for each call of
// open. A session is resumed when the same host and port are opened again. `explain` may have names
// out of certificates: whoever prints them makes control characters visible.
struct rekey_transport rekey_tls_transport(struct rekey_tls *t);

// Closes the connection, and gives back all that mbedTLS allocated for it.
void rekey_tls_free(struct rekey_tls *t);

#ifdef __cplusplus
}
#endif

#endif
