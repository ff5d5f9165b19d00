// startup.c - from reset to main on an LM3S6965: vectors, clock, memory, the painted stack.

#include <stdint.h>
#include <string.h>

#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYSCTL_RIS REGISTER(0x400FE050)
#define SYSCTL_RCC REGISTER(0x400FE060)
#define RIS_PLL_LOCKED (1u << 6)
#define RCC_OSCILLATOR (0xFu << 6 | 1u << 0) // crystal of 8 MHz, main oscillator on
#define RCC_BYPASS (1u << 11)
#define RCC_PLL_OFF (1u << 13)
#define RCC_DIVIDE_BY_4 (3u << 23 | 1u << 22) // 200 MHz of the PLL
#define SYSTICK_CONTROL REGISTER(0xE000E010)
#define SYSTICK_RELOAD REGISTER(0xE000E014)
#define SYSTICK_VALUE REGISTER(0xE000E018)

#define CLOCK_HZ 50000000u
#define TICKS_PER_MS (CLOCK_HZ / 1000)
#define PAINT 0xC0DEC0DEu

extern uint32_t stack_bottom[], stack_top[], data_start[], data_end[], data_load[], bss_start[],
    bss_end[];

int main(void);

static volatile uint32_t milliseconds, wraps;

static void on_systick(void) {
    if (++milliseconds == 0) {
        wraps++;
    }
}

__attribute__((noreturn, used)) static void say_fault(void) {
    board_print("fault: the stack, or a bad address\n");
    board_exit(99);
}

// The stack may be exhausted: it starts again.
__attribute__((naked)) static void on_fault(void) {
    __asm__ volatile("ldr sp, =stack_top\n\tb say_fault");
}

__attribute__((noreturn, used)) void reset(void) {
    uint32_t *here = __builtin_frame_address(0);

    for (uint32_t *p = stack_bottom; p < here - 16; p++) {
        *p = PAINT;
    }
    for (uint32_t *p = data_start, *from = data_load; p < data_end;) {
        *p++ = *from++;
    }
    for (uint32_t *p = bss_start; p < bss_end;) {
        *p++ = 0;
    }
    SYSCTL_RCC = RCC_OSCILLATOR | RCC_BYPASS | RCC_PLL_OFF;
    SYSCTL_RCC = 0xEu << 6 | RCC_BYPASS | RCC_DIVIDE_BY_4;
    while ((SYSCTL_RIS & RIS_PLL_LOCKED) == 0) {
    }
    SYSCTL_RCC = 0xEu << 6 | RCC_DIVIDE_BY_4;
    SYSTICK_RELOAD = TICKS_PER_MS - 1;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 7; // on, with interrupt, from the processor's clock
    board_exit(main());
}

uint64_t board_ms(void) {
    uint32_t high, low;

    do {
        high = wraps;
        low = milliseconds;
    } while (high != wraps || low != milliseconds);
    return (uint64_t)high << 32 | low;
}

uint64_t board_us(void) {
    uint32_t ticks;
    uint64_t ms;

    do {
        ms = board_ms();
        ticks = SYSTICK_VALUE;
    } while (ms != board_ms());
    return ms * 1000 + (TICKS_PER_MS - 1 - ticks) / (CLOCK_HZ / 1000000);
}

size_t board_stack_peak(void) {
    const uint32_t *p = stack_bottom;

    while (p < stack_top && *p == PAINT) {
        p++;
    }
    return (size_t)(stack_top - p) * sizeof(*p);
}

size_t board_stack_size(void) {
    return (size_t)(stack_top - stack_bottom) * sizeof(*stack_top);
}

size_t board_ram(void) {
    return (size_t)((char *)bss_end - (char *)stack_bottom);
}

// The exceptions of a Cortex-M3, then the interrupts of the LM3S6965 up to its Ethernet controller.
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15 + ETHERNET_INTERRUPT + 1])(void);
} vectors = {
    .stack = stack_top,
    .handlers =
        {
            [0] = reset,
            [1] = on_fault, // NMI
            [2] = on_fault, // hard fault
            [3] = on_fault, // memory management
            [4] = on_fault, // bus fault
            [5] = on_fault, // usage fault
            [14] = on_systick,
            [15 + ETHERNET_INTERRUPT] = ethernet_interrupt,
        },
};
