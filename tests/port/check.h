// check.h - the porters' kit: checks a transport against the sentences of rekey_port.h. It opens
// the transport to peer.py, which behaves in one bad way on each of its ports, and says for each
// check whether it passed, or which sentence is broken. It calls only the port, so that it runs on
// a device as well; it needs only TCP to the machine with peer.py.

#ifndef REKEY_PORT_CHECK_H
#define REKEY_PORT_CHECK_H

#include "rekey_port.h"

struct rekey_port_check {
    // One port for each connection, with the same clocks. The transport under test is `tls` of both
    // if `is_tls` is set, else `plain`. Without a second port (NULL), the checks that need two
    // connections at the same time are skipped. If `wait` is NULL, the transport is called again
    // and again, as in a superloop, with `turn` between the calls.
    const struct rekey_port *ports[2];
    bool is_tls;
    void (*turn)(void); // the other work of such a loop, for example polling a driver; or NULL

    uint16_t first_port; // the first port of peer.py, which prints it
    const char *host;    // a name of the peer (`--host`), such as "localhost"
    const char *address; // its IP address as text (`--bind` or `--address`)

    // An address that does not answer at all, not even with an error. NULL: the port of peer.py
    // that accepts no connection.
    const char *nobody;

    // A name with two addresses (`--two`): the first does not answer, not even with an error; the
    // second is the peer's. NULL if this port uses one address for each name.
    const char *two;

    // A name whose lookup never ends. NULL if lookups are not tested.
    const char *hanging;

    // While `forgotten` is set, the wall_s that the TLS transport uses returns -1. NULL: not
    // tested.
    void (*forget_clock)(bool forgotten);

    uint32_t call_ms; // limit for one call; 0: 1000. A handshake on a slow device needs more
    uint32_t large;   // bytes of the large transfers, at most 1,048,576; 0: the maximum

    void (*print)(void *ctx, const char *text); // prints text of complete lines
    void *print_ctx;
};

// Runs all checks and prints a line for each, and the broken sentences. Returns how many checks
// found a broken sentence.
int rekey_port_check(const struct rekey_port_check *check);

#endif
