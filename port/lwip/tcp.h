// tcp.h - TCP as a transport over lwIP's raw API, for a superloop (NO_SYS=1) or for a task under an
// operating system (NO_SYS=0 with LWIP_TCPIP_CORE_LOCKING).
// The callbacks that lwIP calls only append pbufs to a chain and set flags; open, read and write
// use them. Received data stays in lwIP's pbufs until it is read, and the TCP window opens only by
// the bytes that were read.
//
// In a superloop, the board polls its driver and calls sys_check_timeouts, all in one thread. Under
// an operating system, one task calls rekey_step. The transport holds lwIP's core lock whenever it
// calls lwIP, and never longer than one of its own calls takes, so not during a whole handshake.
// The same lock protects the data that the callbacks, which run in lwIP's thread, share with the
// task.

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

// If lwIP has both IPv4 and IPv6: how long to wait for an address before an address of the other
// family is tried instead, if the name has one.
#ifndef REKEY_LWIP_FAMILY_MS
#define REKEY_LWIP_FAMILY_MS 2000u
#endif

// How often a task calls again if there is no `ready`, or if lwIP is out of memory.
#ifndef REKEY_LWIP_POLL_MS
#define REKEY_LWIP_POLL_MS 10u
#endif

// Zero it before use. The application may set `ready` and read `address` and `error`; all other
// fields are private.
struct rekey_lwip_tcp {
#if !NO_SYS
    // Tells the task to call again; NULL: the task polls (REKEY_LWIP_POLL_MS). lwIP calls it with
    // the core lock held, mostly in its own thread. So it should only give a semaphore or set an
    // event, and must call neither lwIP nor rekey. It may be called more often than necessary, and
    // also when nothing is open.
    void (*ready)(void *arg);
    void *ready_arg;
#endif
    struct tcp_pcb *pcb;
    struct pbuf *received;  // data that was not read yet
    struct rekey_span host; // the host that is being looked up
    ip_addr_t address;      // of the host: the last address that the name server gave
#if LWIP_IPV4 && LWIP_IPV6
    u32_t began; // start of the attempt, on the clock of sys_now
    bool second; // the other address family was looked up
#endif
    uint8_t lookup; // see tcp.c
    bool open;
    bool ended;  // the peer has sent FIN
    err_t error; // the last error of lwIP
};

// Returns a transport that keeps the contract of rekey_port.h, with `tcp` as its ctx. A host is an
// IP address, or a name that lwIP's DNS client looks up; lwIP returns only the first address of
// each family. A lookup cannot be cancelled: lwIP may report its result after close, so *tcp must
// stay in memory as long as lwIP runs.
struct rekey_transport rekey_lwip_transport(struct rekey_lwip_tcp *tcp);

#ifdef __cplusplus
}
#endif

#endif
