// tls.h - TLS 1.2 and 1.3 over any transport, by mbedTLS 3.6 or 4.x.
// The peer is always verified: chain, host name, dates. There is no option that turns this off.
// There may be any number of connections, in as many threads as mbedTLS itself allows. The
// application may use its own mbedTLS, with its own configuration and allocator; if it has none,
// owner.h provides one.

#ifndef REKEY_TLS_H
#define REKEY_TLS_H

#include "anchors.h"
#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// The size in bytes of a connection, without the memory that mbedTLS allocates. It depends on the
// version and configuration of mbedTLS: if it is too small, tls.c does not compile, and the error
// names this macro.
#ifndef REKEY_TLS_SIZE
#if UINTPTR_MAX > 0xffffffff
#define REKEY_TLS_SIZE 3584
#else
#define REKEY_TLS_SIZE 2688
#endif
#endif

struct rekey_tls {
    // The session of this host is kept for resumption, even after connections to other hosts.
    // Empty: the session of the last host is kept.
    struct rekey_span keep;
    uint16_t keep_port;
    union { // private
        uint64_t integer;
        void *pointer;
        unsigned char bytes[REKEY_TLS_SIZE];
    } state;
};

// Initializes *t. All pointers must stay valid as long as *t is used. Of `port`, the clocks and the
// randomness are used; its transport `tls` may be the one over *t. If *t was used before, call
// rekey_tls_free first; otherwise the memory that mbedTLS allocated for it is leaked.
void rekey_tls_init(struct rekey_tls *t, struct rekey_transport lower,
                    const struct rekey_port *port, struct rekey_anchors anchors);

// Returns a transport that keeps the contract of rekey_port.h, with `t` as its ctx. Each call of
// open does one state of the handshake. A session is resumed if the same host and port are opened
// again. The text of `explain` may contain names from certificates: make control characters visible
// before you print it.
struct rekey_transport rekey_tls_transport(struct rekey_tls *t);

// Closes the connection, and frees all memory that mbedTLS allocated for it.
void rekey_tls_free(struct rekey_tls *t);

#ifdef __cplusplus
}
#endif

#endif
