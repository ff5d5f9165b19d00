// ethernet.c - the Ethernet controller of the LM3S6965. Frames pass through a FIFO of 32-bit words.
// The length comes first, in two bytes: so a frame with two bytes before it (ETH_PAD_SIZE) is a
// sequence of complete words, and is copied only once, from the FIFO into the pbufs or from them
// into the FIFO.

#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <string.h>

#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYSCTL_RCGC2 REGISTER(0x400FE108) // clocks of the controller and its PHY
#define RCGC2_ETHERNET (1u << 28 | 1u << 30)
#define NVIC_ENABLE_1 REGISTER(0xE000E104)
#define MAC_ACKNOWLEDGE REGISTER(0x40048000)
#define MAC_INTERRUPTS REGISTER(0x40048004)
#define MAC_RECEIVE REGISTER(0x40048008)
#define MAC_TRANSMIT REGISTER(0x4004800C)
#define MAC_DATA REGISTER(0x40048010)
#define MAC_ADDRESS_0 REGISTER(0x40048014)
#define MAC_ADDRESS_1 REGISTER(0x40048018)
#define MAC_PACKETS REGISTER(0x40048034)
#define MAC_REQUEST REGISTER(0x40048038)
#define RECEIVE_ON 1u
#define RECEIVE_RESET_FIFO (1u << 4)
#define TRANSMIT_ON_PAD_CRC_DUPLEX (1u | 1u << 1 | 1u << 2 | 1u << 4)
#define INTERRUPT_RECEIVED 1u

#define HEADER 14 // bytes of a frame that the sent length does not include
#define CRC 4
#define FRAME_MAX 1514

// A frame has arrived: the superloop wakes up, and reads it. ethernet_poll allows the next
// interrupt.
void ethernet_interrupt(void) {
    MAC_INTERRUPTS = 0;
}

static err_t send(struct netif *netif, struct pbuf *p) {
    uint32_t word = (uint32_t)(p->tot_len - ETH_PAD_SIZE - HEADER);
    unsigned at = 0;

    (void)netif;
    while ((MAC_REQUEST & 1) != 0) { // the previous frame: at most 1.3 ms at 10 Mbit/s
    }
    for (struct pbuf *q = p; q != NULL; q = q->next) {
        const uint8_t *bytes = q->payload;

        for (u16_t i = 0; i < q->len; i++, at++) {
            if (at >= ETH_PAD_SIZE) {
                word |= (uint32_t)bytes[i] << (at % 4 * 8);
            }
            if (at % 4 == 3) {
                MAC_DATA = word;
                word = 0;
            }
        }
    }
    if (at % 4 != 0) {
        MAC_DATA = word;
    }
    MAC_REQUEST = 1;
    return ERR_OK;
}

// Reads one frame from the FIFO. It is always read to its end; if there is no pbuf, it is dropped,
// and TCP will send the data again.
static void receive(struct netif *netif) {
    uint32_t word = MAC_DATA;
    u16_t len = (u16_t)(word & 0xFFFF); // including these two bytes and the CRC
    u16_t kept = (u16_t)(len - CRC);
    struct pbuf *p = len > CRC + HEADER && kept <= ETH_PAD_SIZE + FRAME_MAX
                         ? pbuf_alloc(PBUF_RAW, kept, PBUF_POOL)
                         : NULL;
    struct pbuf *q = p;
    u16_t at = 0; // in q

    for (u16_t i = 0; i < len; i = (u16_t)(i + 4)) {
        if (i > 0) {
            word = MAC_DATA;
        }
        if (q != NULL && at == q->len) {
            q = q->next;
            at = 0;
        }
        if (q != NULL) {
            memcpy((uint8_t *)q->payload + at, &word, q->len - at < 4 ? (size_t)(q->len - at) : 4);
            at = (u16_t)(q->len - at < 4 ? q->len : at + 4);
        }
    }
    if (p != NULL && netif->input(p, netif) != ERR_OK) {
        pbuf_free(p);
    }
}

void ethernet_poll(struct netif *netif) {
    MAC_ACKNOWLEDGE = INTERRUPT_RECEIVED;
    while ((MAC_PACKETS & 0x3F) != 0) {
        receive(netif);
    }
    MAC_INTERRUPTS = INTERRUPT_RECEIVED;
}

err_t ethernet_init(struct netif *netif) {
    static const uint8_t address[] = {0x02, 0x52, 0x4B, 0x00, 0x00, 0x01}; // locally administered

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->linkoutput = send;
    netif->mtu = 1500;
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    netif->hwaddr_len = sizeof(address);
    memcpy(netif->hwaddr, address, sizeof(address));
    SYSCTL_RCGC2 |= RCGC2_ETHERNET;
    MAC_ADDRESS_0 = (uint32_t)address[0] | (uint32_t)address[1] << 8 | (uint32_t)address[2] << 16 |
                    (uint32_t)address[3] << 24;
    MAC_ADDRESS_1 = (uint32_t)address[4] | (uint32_t)address[5] << 8;
    MAC_RECEIVE = RECEIVE_RESET_FIFO;
    MAC_RECEIVE = RECEIVE_ON;
    MAC_TRANSMIT = TRANSMIT_ON_PAD_CRC_DUPLEX;
    MAC_INTERRUPTS = INTERRUPT_RECEIVED;
    NVIC_ENABLE_1 = 1u << (ETHERNET_INTERRUPT - 32);
    return ERR_OK;
}
