// host.h - lwIP in this process, between its own loopback interface and that of the machine: a
// relay accepts connections inside lwIP, and passes them on to the same port of 127.0.0.1.

#ifndef REKEY_LWIP_HOST_H
#define REKEY_LWIP_HOST_H

#include <stdint.h>

// Starts lwIP, once, with an interface that drops everything: 10.0.0.0/8 and 2001:db8::/32.
void lwip_host_start(void);

// Relays connections to `count` ports of lwIP's 127.0.0.1 and ::1, beginning with `first`. An
// orderly end and a reset are passed on in both directions, after the data that was sent before
// them.
void lwip_host_relay(uint16_t first, unsigned count);

#endif
