// lwipopts.h - lwIP as a process of this machine, for the tests: its unix port with threads, core
// locking that is checked at each call, both address families, and only its own loopback interface.

#ifndef REKEY_LWIP_UNIX_OPTS_H
#define REKEY_LWIP_UNIX_OPTS_H

#define NO_SYS 0
#define LWIP_TCPIP_CORE_LOCKING 1
#define TCPIP_MBOX_SIZE 64
#define DEFAULT_TCP_RECVMBOX_SIZE 64
#define DEFAULT_UDP_RECVMBOX_SIZE 16
#define DEFAULT_ACCEPTMBOX_SIZE 16

// sys_arch.c of the unix port defines these.
void sys_check_core_locking(void);
void sys_mark_tcpip_thread(void);
void sys_lock_tcpip_core(void);
void sys_unlock_tcpip_core(void);
#define LWIP_ASSERT_CORE_LOCKED() sys_check_core_locking()
#define LWIP_MARK_TCPIP_THREAD() sys_mark_tcpip_thread()
#define LOCK_TCPIP_CORE() sys_lock_tcpip_core()
#define UNLOCK_TCPIP_CORE() sys_unlock_tcpip_core()

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_FRAG 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_DNS 1
#define LWIP_DNS_SECURE 0
#define DNS_MAX_RETRIES 2
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_NETCONN 1
#define LWIP_SOCKET 1
#define LWIP_COMPAT_SOCKETS 0 // these names belong to the C library, which is in the same program
#define LWIP_POSIX_SOCKETS_IO_NAMES 0
#define LWIP_SO_LINGER 1
#define LWIP_STATS 0

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define MEMP_NUM_NETCONN 256
#define TCP_MSS 1460
#define TCP_WND (8 * TCP_MSS)
#define TCP_SND_BUF (8 * TCP_MSS)
#define TCP_SND_QUEUELEN 64

#endif
