# 32-bit MIPS, run by QEMU: the big-endian one. Debian has no musl for it: with glibc.
BOARD_TITLE    := MIPS, 32 bits, big-endian, for the tests (static, glibc)
BOARD_PACKAGES := gcc-mips-linux-gnu libc6-dev-mips-cross qemu-user-static
CROSS_COMPILE  ?= mips-linux-gnu-
EXEC           ?= qemu-mips-static
include boards/linux/static.mk
