// semihosting.c - Arm semihosting (IHI 0100): calls to the debugger by BKPT 0xAB.

#include "board.h"

#include <string.h>

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_READ = 0x06,
    SYS_TIME = 0x11,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20,
};

#define MODE_RB 1
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

static int call(int operation, const void *arguments) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_print(const char *text) {
    call(SYS_WRITE0, text);
}

void board_exit(int code) {
    const uint32_t arguments[] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)code};

    call(SYS_EXIT_EXTENDED, arguments);
    for (;;) {
    }
}

size_t board_command_line(char *buf, size_t cap) {
    uint32_t arguments[] = {(uint32_t)(uintptr_t)buf, (uint32_t)cap};

    buf[0] = '\0';
    return call(SYS_GET_CMDLINE, arguments) == 0 ? strlen(buf) : 0;
}

int board_read_file(const char *path, void *buf, size_t cap) {
    const uint32_t open_arguments[] = {(uint32_t)(uintptr_t)path, MODE_RB, (uint32_t)strlen(path)};
    int file = call(SYS_OPEN, open_arguments);
    const uint32_t read_arguments[] = {(uint32_t)file, (uint32_t)(uintptr_t)buf, (uint32_t)cap};
    int left;

    if (file == -1) {
        return -1;
    }
    left = call(SYS_READ, read_arguments); // bytes that were not read
    call(SYS_CLOSE, &file);
    return left < 0 || (size_t)left > cap ? -1 : (int)cap - left;
}

int64_t board_time(void) {
    return (int64_t)(uint32_t)call(SYS_TIME, NULL);
}
