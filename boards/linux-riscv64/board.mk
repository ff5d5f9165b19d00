# 64-bit RISC-V; run by QEMU. With glibc, because Debian 12's linker crashes on Debian 13's musl.
BOARD_TITLE    := RISC-V, 64 bits, for the tests (static, glibc)
BOARD_PACKAGES := gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user-static
CROSS_COMPILE  ?= riscv64-linux-gnu-
EXEC           ?= qemu-riscv64-static
include boards/linux/static.mk
BOARD_CFLAGS   += -Wno-format-truncation # this gcc does not see how short the names of days are in test_httpdate.c
