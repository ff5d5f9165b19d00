// tcp.h - TCP as a transport, over lwIP's raw API (NO_SYS): for a superloop without threads.
// lwIP calls back; the callbacks only put pbufs into a chain and set flags, and open, read and
// write look at them. What lwIP has received stays in its pbufs until it is read, and its window
// opens by what was read only. The board polls its driver and calls sys_check_timeouts; all from
// one thread.

#ifndef REKEY_LWIP_TCP_H
#define REKEY_LWIP_TCP_H

#include <lwip/ip_addr.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>

#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// Fields are private, but for `address` and `error`. Starts zeroed.
struct rekey_lwip_tcp {
    struct tcp_pcb *pcb;
    struct pbuf *received;  // read up to its front
    struct rekey_span host; // that is being looked up
    ip_addr_t address;      // of the host: the first one that the name server gave
    uint8_t phase;
    bool ended;  // the peer has sent FIN
    err_t error; // of lwIP, the last one
};

// The transport contract of rekey_port.h; `tcp` becomes its ctx. A host is an IPv4 address, or a
// name that lwIP's DNS client looks up; of its addresses lwIP knows the first.
struct rekey_transport rekey_lwip_transport(struct rekey_lwip_tcp *tcp);

#ifdef __cplusplus
}
#endif

#endif
