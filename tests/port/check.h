// check.h - the porters' kit: holds a transport to the sentences of rekey_port.h.
// It opens the transport to peer.py, which behaves in one bad way on each of its ports, and says
// for each check whether it passed, or which sentence is broken. It calls nothing but the port, so
// that it runs on a device as well; nothing but TCP to the machine with peer.py is needed.

#ifndef REKEY_PORT_CHECK_H
#define REKEY_PORT_CHECK_H

#include "rekey_port.h"

struct rekey_port_check {
    // One port for each connection, the clocks being the same. The transport that is checked is
    // `tls` of both if `is_tls` is set, else `plain`. Without a second one (NULL), what needs two
    // connections at once is not checked. Where `wait` is NULL, the transport is called again and
    // again, as a superloop does, and `turn` between the calls.
    const struct rekey_port *ports[2];
    bool is_tls;
    void (*turn)(void); // all else that such a loop does, as to poll a driver; or NULL

    uint16_t first_port; // of peer.py, which prints it
    const char *host;    // a name of the peer, `--host`; as "localhost"
    const char *address; // its IP address in text, `--bind` or `--address`

    // An address that answers nothing at all, not even an error. NULL: the port of peer.py that
    // lets nobody in.
    const char *nobody;

    // A name with two addresses, `--two`: the first leads nowhere, without an error; the second is
    // the peer's. NULL where this port has one address for each name.
    const char *two;

    // A name whose lookup is never answered. NULL where lookups are not tested.
    const char *hanging;

    // While `forgotten`, the wall_s that the TLS transport asks returns -1. NULL: not tested.
    void (*forget_clock)(bool forgotten);

    uint32_t call_ms; // what one call may take; 0: 1000. A handshake on a slow device needs more
    uint32_t large;   // bytes of the large transfers, at most 1,048,576; 0: that

    void (*print)(void *ctx, const char *text); // text of whole lines
    void *print_ctx;
};

// Runs all checks and prints a line for each, and the broken sentences. Returns how many checks
// found a broken sentence.
int rekey_port_check(const struct rekey_port_check *check);

#endif
