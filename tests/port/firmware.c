// firmware.c - checks port/lwip, and port/mbedtls over it, on a microcontroller without an
// operating system (boards/lm3s6965evb). The command line selects the check: FIRST-PORT for TCP;
// FIRST-PORT and the file of a trust anchor in DER for TLS.

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <stdlib.h>

#include "board.h"
#include "check.h"
#include "der_table.h"
#include "owner.h"
#include "tcp.h"
#include "tls.h"

#define PEER "10.0.2.2" // the machine that runs the emulator
#define NOBODY "10.0.2.99"

uint16_t dns_port = 53;

static struct netif netif;
static bool forgotten; // the clock was never set

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return board_ms();
}

static int64_t wall_s(void *ctx) {
    (void)ctx;
    return forgotten ? -1 : board_time();
}

// For the emulator only, as in the board's main.c.
static int entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    return board_read_file("/dev/urandom", buf, len) == (int)len ? REKEY_DONE : REKEY_E_ENTROPY;
}

uint32_t board_random(void) {
    uint32_t value = 0;

    entropy(NULL, &value, sizeof(value));
    return value;
}

uint32_t sys_now(void) {
    return (uint32_t)board_ms();
}

static void forget_clock(bool is_forgotten) {
    forgotten = is_forgotten;
}

static void turn(void) {
    ethernet_poll(&netif);
    sys_check_timeouts();
    __asm__ volatile("wfi"); // wakes at the tick of each millisecond, or when a frame arrives
}

static void print(void *ctx, const char *text) {
    (void)ctx;
    board_print(text);
}

static void start_network(void) {
    ip_addr_t nobody;

    lwip_init();
    netif_add(&netif, NULL, NULL, NULL, NULL, ethernet_init, ethernet_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    dhcp_start(&netif);
    while (!dhcp_supplied_address(&netif)) {
        turn();
    }
    ipaddr_aton(NOBODY, &nobody);
    dns_setserver(0, &nobody);
}

int main(void) {
    static struct rekey_lwip_tcp tcp[2];
    static struct rekey_port ports[2];
    static struct rekey_tls tls;
    static _Alignas(8) unsigned char arena[REKEY_ARENA_SIZE];
    static unsigned char der[1024];
    static struct rekey_span certificate = {(const char *)der, 0};
    static const struct rekey_der_table anchors = {&certificate, 1};
    char line[256], *path;
    struct rekey_port_check check = {.ports = {&ports[0], &ports[1]},
                                     .host = PEER,
                                     .address = PEER,
                                     .hanging = "hanging.example",
                                     .loses_resets = true,
                                     .call_ms = 5000,
                                     .large = 65536,
                                     .turn = turn,
                                     .print = print};

    board_command_line(line, sizeof(line));
    check.first_port = (uint16_t)strtoul(line, &path, 10);
    start_network();
    for (size_t i = 0; i < 2; i++) {
        ports[i] = (struct rekey_port){.now_ms = now_ms, .wall_s = wall_s, .entropy = entropy};
        ports[i].plain = rekey_lwip_transport(&tcp[i]);
    }
    if (*path == ' ') { // the arena has memory for only one connection
        int len = board_read_file(path + 1, der, sizeof(der));

        certificate.len = len > 0 ? (size_t)len : 0;
        rekey_mbedtls_init(&ports[0], arena, sizeof(arena));
        rekey_tls_init(&tls, ports[0].plain, &ports[0], rekey_der_table(&anchors));
        ports[0].tls = rekey_tls_transport(&tls);
        check.ports[1] = NULL;
        check.is_tls = true;
        check.forget_clock = forget_clock;
    }
    board_exit(rekey_port_check(&check) == 0 ? 0 : 1);
}
