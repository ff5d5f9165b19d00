// lwipopts.h - lwIP for a superloop: raw API, IPv4, DHCP, DNS; all memory in static pools.

#ifndef REKEY_LWIPOPTS_H
#define REKEY_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_NETIF_API 0
#define LWIP_IPV6 0
#define LWIP_DHCP 1
#define LWIP_DNS 1
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_RAW 0
#define LWIP_ICMP 1
#define LWIP_ACD 0
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_STATS 0
#define LWIP_NOASSERT
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define ARP_TABLE_SIZE 4
#define ARP_QUEUEING 0
#define DNS_TABLE_SIZE 2
#define DNS_MAX_REQUESTS 1
#define DNS_MAX_SERVERS 2

#define MEM_ALIGNMENT 4
#define MEM_LIBC_MALLOC 0
#define MEMP_MEM_MALLOC 0
#define MEM_SIZE 1792 // data that is being sent
#define MEMP_NUM_PBUF 2
#define MEMP_NUM_UDP_PCB 3
#define MEMP_NUM_TCP_PCB 3 // one connection, and earlier ones that are still closing
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG 8

// The driver distributes a frame over small pbufs: each frame uses only the memory that it needs.
#define PBUF_POOL_SIZE 11
#define PBUF_POOL_BUFSIZE 256
#define ETH_PAD_SIZE 2 // the controller has the length of the frame there

#define TCP_MSS 536
#define TCP_WND (3 * TCP_MSS)
#define TCP_SND_BUF (2 * TCP_MSS)
#define TCP_SND_QUEUELEN 8
#define TCP_QUEUE_OOSEQ 0
#define TCP_SYNMAXRTX 4

// A name server that does not listen on port 53: the one of the tests.
#include <stdint.h>
extern uint16_t dns_port;
#define DNS_SERVER_PORT dns_port

#endif
