// tcp.h - TCP as a transport, over lwIP's raw API: for a superloop (NO_SYS=1), and for a task under
// an operating system (NO_SYS=0 with LWIP_TCPIP_CORE_LOCKING).
// lwIP calls back; the callbacks only put pbufs into a chain and set flags, and open, read and
// write look at them. What lwIP has received stays in its pbufs until it is read, and its window
// opens by what was read only.
//
// In a superloop, the board polls its driver and calls sys_check_timeouts; all from one thread.
// Under an operating system, one task calls rekey_step. Each call of lwIP is made with its core
// lock, which is never held longer than one call of the transport, as a handshake would; what the
// callbacks, in lwIP's thread, share with the task is under the same lock.

#ifndef REKEY_LWIP_TCP_H
#define REKEY_LWIP_TCP_H

#include <lwip/ip_addr.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>

#include "rekey_config.h"
#include "rekey_port.h"

#ifdef __cplusplus
extern "C" {
#endif

// Where lwIP has both families: how long an address has until one of the other family, if the name
// has one, is tried in its place.
#ifndef REKEY_LWIP_FAMILY_MS
#define REKEY_LWIP_FAMILY_MS 2000u
#endif

// Without `ready`, and where lwIP has no memory left, a task calls again after this time.
#ifndef REKEY_LWIP_POLL_MS
#define REKEY_LWIP_POLL_MS 10u
#endif

// Starts zeroed. `ready` is the image's to set, `address` and `error` are to be read; all other
// fields are private.
struct rekey_lwip_tcp {
#if !NO_SYS
    // Tells the task to call again; NULL: it polls (REKEY_LWIP_POLL_MS). It is called by lwIP, with
    // the core lock, mostly from lwIP's thread: so it gives a semaphore or sets an event, and calls
    // neither lwIP nor rekey. It may come once too often, and also when nothing is open.
    void (*ready)(void *arg);
    void *ready_arg;
#endif
    struct tcp_pcb *pcb;
    struct pbuf *received;  // read up to its front
    struct rekey_span host; // that is being looked up
    ip_addr_t address;      // of the host: the last one that the name server gave
#if LWIP_IPV4 && LWIP_IPV6
    u32_t began; // the attempt, on the clock of sys_now
    bool second; // the other family was looked up
#endif
    uint8_t lookup; // see tcp.c
    bool open;
    bool ended;  // the peer has sent FIN
    err_t error; // of lwIP, the last one
};

// The transport contract of rekey_port.h; `tcp` becomes its ctx. A host is an IP address, or a name
// that lwIP's DNS client looks up; of its addresses lwIP knows the first of each family. A
// lookup cannot be taken back: lwIP may call with its answer after close, so *tcp stays in place
// for as long as lwIP runs.
struct rekey_transport rekey_lwip_transport(struct rekey_lwip_tcp *tcp);

#ifdef __cplusplus
}
#endif

#endif
