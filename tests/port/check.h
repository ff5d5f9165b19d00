// check.h - the porters' kit: checks a transport against the sentences of rekey_port.h. It connects
// the transport to peer.py, which misbehaves in a different way on each of its ports, and prints
// for each check whether it passed, or which sentence is broken. It calls only the port, so that it
// can run on a device, too; the device only needs TCP to the machine with peer.py.

#ifndef REKEY_PORT_CHECK_H
#define REKEY_PORT_CHECK_H

#include "rekey_port.h"

struct rekey_port_check {
    // One port for each connection, with the same clocks. If `is_tls` is set, the transport `tls`
    // of both is checked, else `plain`. If the second port is NULL, the checks that need two
    // connections at once are skipped. If `wait` of the port is NULL, the transport is called again
    // and again, as in a superloop, and `turn` is called in between.
    const struct rekey_port *ports[2];
    bool is_tls;
    void (*turn)(void); // the other work of such a loop, such as polling a driver; or NULL

    uint16_t first_port; // of peer.py, which prints it
    const char *host;    // a name of the peer, `--host`; such as "localhost"
    const char *address; // its IP address as text, `--bind` or `--address`

    // An address that does not answer at all, not even with an error. NULL: the port of peer.py
    // that accepts no connection is used.
    const char *nobody;

    // A name with two addresses, `--two`: the first one does not answer, not even with an error;
    // the second one is that of the peer. NULL if this port supports only one address for each
    // name.
    const char *two;

    // A name whose lookup is never answered. NULL: lookups are not tested.
    const char *hanging;

    // Makes the wall_s that the TLS transport uses return -1 while `forgotten`. NULL: not tested.
    void (*forget_clock)(bool forgotten);

    // The network between may show the peer's reset as FIN, and answer only later bytes with RST,
    // as QEMU's user network does. Then an orderly end is right.
    bool loses_resets;

    uint32_t call_ms; // the longest time of one call, longer for a slow device; 0: 1000
    uint32_t large;   // bytes of the large transfers, at most 1,048,576; 0: 1,048,576

    void (*print)(void *ctx, const char *text); // prints whole lines
    void *print_ctx;
};

// Runs all checks and prints a line for each, and the broken sentences. Returns the number of
// checks that found a broken sentence.
int rekey_port_check(const struct rekey_port_check *check);

#endif
