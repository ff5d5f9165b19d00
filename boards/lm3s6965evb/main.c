// main.c - a firmware without an operating system: a superloop gets an address by DHCP, then drives
// rekey_step, the network driver and lwIP's timers in turn. All memory is static.
//
// Its configuration is a file of the host that runs the emulator, named on the command line: lines
// of a name and a value (see `settings`). A product has its own storage for that, and for the
// token.

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "board.h"
#include "board_anchors.h"
#include "der_table.h"
#include "owner.h"
#include "rekey.h"
#include "tcp.h"
#include "tls.h"

#define CONFIGURATION_MAX 512
#define DHCP_MS 20000u

static struct {
    struct netif netif;
    struct rekey_lwip_tcp tcp;
    struct rekey_tls tls;
    struct rekey client;
    struct rekey_options options;
    struct rekey_endpoint endpoint;
    struct rekey_keys keys;
    char configuration[CONFIGURATION_MAX];
    struct rekey_span command, key_type, port, token_file, timeout, name_server, name_server_port;
    struct rekey_span runs;
    uint64_t longest_us;            // time of one rekey_step
    uint64_t busy_us, handshake_us; // of this run: without the sleeps; until the first request
    _Alignas(8) unsigned char arena[REKEY_ARENA_SIZE];
} board;

uint16_t dns_port = 53;

static const struct {
    const char *name;
    struct rekey_span *value;
} settings[] = {
    {"command", &board.command},   // list-keys or regenerate
    {"host", &board.options.host}, // the management host
    {"port", &board.port},         // if it is not 443
    {"subscription", &board.endpoint.subscription},
    {"resource-group", &board.endpoint.resource_group},
    {"workspace", &board.endpoint.workspace},
    {"endpoint", &board.endpoint.name},
    {"key-type", &board.key_type}, // primary or secondary; there is no default
    {"token-file", &board.token_file},
    {"timeout", &board.timeout},         // seconds, for the whole operation
    {"name-server", &board.name_server}, // if not the one that DHCP names
    {"name-server-port", &board.name_server_port},
    {"runs", &board.runs}, // how many times to do this
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...) {
    char line[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    board_print(line);
}

// Prints text from others without its control characters.
static void say_text(const char *label, struct rekey_span text) {
    char line[100];
    size_t at = 0;

    if (text.len == 0) {
        return;
    }
    board_print(label);
    while (at < text.len) {
        size_t n = 0;

        for (; n < sizeof(line) - 1 && at < text.len; n++, at++) {
            line[n] = text.ptr[at] >= ' ' && text.ptr[at] <= '~' ? text.ptr[at] : '?';
        }
        line[n] = '\0';
        board_print(line);
    }
    board_print("\n");
}

static void stop(const char *why) {
    say("rekey: %s\n", why);
    board_exit(2);
}

// ---- the port -----------------------------------------------------------------------------------

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return board_ms();
}

static int64_t wall_s(void *ctx) {
    (void)ctx;
    return board_time();
}

// Only for the emulator: this board has no source of randomness, so the host's is read. A product
// must not be built like this.
static int entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    return board_read_file("/dev/urandom", buf, len) == (int)len ? REKEY_DONE : REKEY_E_ENTROPY;
}

uint32_t board_random(void) {
    uint32_t value;

    if (entropy(NULL, &value, sizeof(value)) != REKEY_DONE) {
        stop("no randomness");
    }
    return value;
}

uint32_t sys_now(void) {
    return (uint32_t)board_ms();
}

static int token(void *ctx, char *buf, size_t cap, size_t *len) {
    int n = board.token_file.ptr != NULL ? board_read_file(board.token_file.ptr, buf, cap) : -1;

    (void)ctx;
    if (n == (int)cap && buf[n - 1] != '\n') { // there may be more data
        *len = cap + 1;
        return REKEY_E_LIMIT_TOKEN;
    }
    while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r')) {
        n--;
    }
    *len = n > 0 ? (size_t)n : 0;
    return n > 0 ? REKEY_DONE : REKEY_E_NO_TOKEN;
}

static struct rekey_port client_port = {.now_ms = now_ms, .wall_s = wall_s, .entropy = entropy};

// ---- the network --------------------------------------------------------------------------------

// One turn of the superloop, except for the client.
static void turn(void) {
    ethernet_poll(&board.netif);
    sys_check_timeouts();
}

static void sleep_until_something(void) {
    __asm__ volatile("wfi"); // woken by the tick of each millisecond, or by a frame
}

static void start_network(void) {
    uint64_t until = board_ms() + DHCP_MS;
    ip_addr_t server;

    lwip_init();
    netif_add(&board.netif, NULL, NULL, NULL, NULL, ethernet_init, ethernet_input);
    netif_set_default(&board.netif);
    netif_set_up(&board.netif);
    dhcp_start(&board.netif);
    while (!dhcp_supplied_address(&board.netif)) {
        turn();
        sleep_until_something();
        if (board_ms() > until) {
            stop("no address by DHCP");
        }
    }
    say("address: %s\n", ip4addr_ntoa(netif_ip4_addr(&board.netif)));
    if (board.name_server.ptr != NULL && ipaddr_aton(board.name_server.ptr, &server)) {
        dns_setserver(0, &server);
    }
    if (board.name_server_port.ptr != NULL) {
        dns_port = (uint16_t)atoi(board.name_server_port.ptr);
    }
}

// ---- the configuration --------------------------------------------------------------------------

static void set(const char *name, struct rekey_span value) {
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (strcmp(name, settings[i].name) == 0) {
            *settings[i].value = value;
            return;
        }
    }
    stop("the configuration has a name that is no setting");
}

// Values become spans into the configuration, and are NUL-terminated there.
static void configure(void) {
    char path[256];
    int len = board_command_line(path, sizeof(path)) > 0
                  ? board_read_file(path, board.configuration, sizeof(board.configuration) - 1)
                  : -1;
    char *line = board.configuration;

    if (len < 0) {
        stop("no configuration: give the name of its file on the command line");
    }
    if (len == (int)sizeof(board.configuration) - 1) {
        stop("the configuration is too long");
    }
    while (*line != '\0') {
        char *end = line + strcspn(line, "\n");
        char *space = line + strcspn(line, " \n");
        char *next = *end != '\0' ? end + 1 : end;

        *end = '\0';
        if (space < end) {
            *space = '\0';
            set(line, rekey_span(space + 1, (size_t)(end - space - 1)));
        }
        line = next;
    }
}

// ---- the client ---------------------------------------------------------------------------------

// One turn of the superloop; returns the result of rekey_step.
static int turn_with_client(void) {
    uint64_t start = board_us(), us;
    struct rekey_report report;
    int result = rekey_step(&board.client);

    us = board_us() - start;
    board.longest_us = us > board.longest_us ? us : board.longest_us;
    turn();
    board.busy_us += board_us() - start;
    rekey_report(&board.client, &report);
    if (report.requests == 0) {
        board.handshake_us = board.busy_us;
    }
    return result;
}

// Nothing is changed by default: the command and the key type must be spelled out.
static int begin(void) {
    enum rekey_key key = 0;

    if (rekey_span_equal(board.command, REKEY_SPAN("list-keys"))) {
        return rekey_list_keys(&board.client, &board.endpoint, &board.keys);
    }
    if (!rekey_span_equal(board.command, REKEY_SPAN("regenerate"))) {
        stop("the command is neither regenerate nor list-keys");
    }
    if (rekey_span_equal(board.key_type, REKEY_SPAN("primary"))) {
        key = REKEY_KEY_PRIMARY;
    } else if (rekey_span_equal(board.key_type, REKEY_SPAN("secondary"))) {
        key = REKEY_KEY_SECONDARY;
    }
    return rekey_regenerate(&board.client, &board.endpoint, key, rekey_span(NULL, 0));
}

static int operate(void) {
    int result = begin();

    board.busy_us = 0;
    if (result != 0) {
        return result;
    }
    while ((result = turn_with_client()) > 0) {
        if (result != REKEY_AGAIN) {
            sleep_until_something();
        }
    }
    return result;
}

// Not inlined: otherwise its buffers would be on the stack below the handshake.
__attribute__((noinline)) static void say_what_came_of_it(int error,
                                                          const struct rekey_report *report) {
    const struct rekey_arm_error *service = report->service;
    char why[400] = ""; // may have a name and a fingerprint

    say("outcome: %d, requests: %lu, polls: %lu\n", report->outcome,
        (unsigned long)report->requests, (unsigned long)report->polls);
    if (error == 0 && board.keys.primary.len > 0) { // keys are never shown
        say("keys: primary %lu bytes, secondary %lu bytes\n", (unsigned long)board.keys.primary.len,
            (unsigned long)board.keys.secondary.len);
    }
    if (error != 0) {
        say("error: %d %s\n", error, rekey_error_text(error));
        client_port.tls.explain(client_port.tls.ctx, error, why, sizeof(why));
        say_text("why: ", rekey_span(why, strlen(why)));
        say_text("host: ", report->subject);
        say_text("service: ", rekey_span(service->code.text, service->code.len));
        say_text("message: ", rekey_span(service->message.text, service->message.len));
    }
}

int main(void) {
    static const struct rekey_der_table anchors = {board_anchors, BOARD_ANCHOR_COUNT};
    struct rekey_report report = {.outcome = REKEY_USAGE};
    int error = 0, runs = 1;

    board.options = (struct rekey_options)REKEY_OPTIONS_INIT;
    board.options.board = REKEY_SPAN("lm3s6965evb");
    board.options.token = token;
    configure();
    if (board.port.ptr != NULL) {
        board.options.port = (uint16_t)atoi(board.port.ptr);
    }
    if (board.timeout.ptr != NULL) {
        board.options.timeout_ms = (uint32_t)atoi(board.timeout.ptr) * 1000;
    }
    if (board.runs.ptr != NULL) {
        runs = atoi(board.runs.ptr);
    }
    start_network();
    client_port.tls = rekey_tls_transport(&board.tls);
    rekey_mbedtls_init(&client_port, board.arena, sizeof(board.arena));
    rekey_tls_init(&board.tls, rekey_lwip_transport(&board.tcp), &client_port,
                   rekey_der_table(&anchors));
    if (rekey_init(&board.client, &client_port, &board.options) != 0) {
        stop("a bad host or port");
    }
    for (int i = 1; i <= runs && error == 0; i++) {
        error = operate();
        rekey_report(&board.client, &report);
        if (runs > 1) {
            say("run %d: outcome %d, arena peak %lu, busy %lu us, handshake %lu us\n", i,
                report.outcome, (unsigned long)rekey_arena_peak(), (unsigned long)board.busy_us,
                (unsigned long)board.handshake_us);
        }
    }
    say_what_came_of_it(error, &report);
    say("arena peak: %lu of %lu\n", (unsigned long)rekey_arena_peak(),
        (unsigned long)sizeof(board.arena));
    say("stack peak: %lu of %lu\n", (unsigned long)board_stack_peak(),
        (unsigned long)board_stack_size());
    say("RAM: %lu of 65536, struct rekey %lu\n", (unsigned long)board_ram(),
        (unsigned long)sizeof(board.client));
    say("longest step: %lu us, busy: %lu us, handshake: %lu us\n", (unsigned long)board.longest_us,
        (unsigned long)board.busy_us, (unsigned long)board.handshake_us);
    return report.outcome == REKEY_FAILED ? REKEY_REFUSED : (int)report.outcome; // as the command
}
