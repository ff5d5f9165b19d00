# 32-bit MIPS, big-endian; run by QEMU. With glibc, because Debian has no musl for it.
BOARD_TITLE    := MIPS, 32 bits, big-endian, for the tests (static, glibc)
BOARD_PACKAGES := gcc-mips-linux-gnu libc6-dev-mips-cross qemu-user-static
CROSS_COMPILE  ?= mips-linux-gnu-
EXEC           ?= qemu-mips-static
include boards/linux/static.mk
