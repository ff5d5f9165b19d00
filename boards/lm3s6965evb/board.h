// board.h - the functions that the files of this board share.

#ifndef REKEY_BOARD_H
#define REKEY_BOARD_H

#include <stddef.h>
#include <stdint.h>

struct netif;

// startup.c: time since reset; the peak use of memory, in bytes.
uint64_t board_ms(void);
uint64_t board_us(void);
size_t board_stack_peak(void);
size_t board_stack_size(void);
size_t board_ram(void); // stack, data and bss

// semihosting.c: services of the debugger, or of QEMU. They replace parts of a product: a console,
// a provisioned configuration, a clock that keeps time, a source of randomness.
void board_print(const char *text);
__attribute__((noreturn)) void board_exit(int code);
size_t board_command_line(char *buf, size_t cap);             // NUL-terminated; returns its length
int board_read_file(const char *path, void *buf, size_t cap); // bytes read, up to `cap`; -1
int64_t board_time(void);                                     // seconds since 1970; -1: not set

// ethernet.c: the Stellaris Ethernet controller as a netif of lwIP.
#define ETHERNET_INTERRUPT 42
signed char ethernet_init(struct netif *netif); // for netif_add
void ethernet_poll(struct netif *netif);        // handles the frames that have arrived
void ethernet_interrupt(void);

#endif
