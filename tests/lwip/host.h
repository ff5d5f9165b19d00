// host.h - lwIP in this process, between its own loopback interface and that of the machine: a
// relay accepts connections inside lwIP, and passes them on to the same port of 127.0.0.1.

#ifndef REKEY_LWIP_HOST_H
#define REKEY_LWIP_HOST_H

#include <stdint.h>

// Starts lwIP, once, with an interface on which everything is lost: 10.0.0.0/8 and 2001:db8::/32.
void lwip_host_start(void);

// Relays connections to the ports `first` and so on, `count` of them, of lwIP's 127.0.0.1 and ::1.
// An orderly end and a reset are passed on in both directions, behind what was sent before them.
void lwip_host_relay(uint16_t first, unsigned count);

#endif
