# 32-bit ARM with the C library of a distribution, and with a distribution's flags; run by QEMU. A time_t has 32 bits
# there by default, and in some releases the ppoll of _FORTIFY_SOURCE accepts no other.
BOARD_TITLE    := ARM, hard float, for the tests (dynamic, glibc)
BOARD_PACKAGES := gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user-static
CROSS_COMPILE  ?= arm-linux-gnueabihf-
EXEC           ?= qemu-arm-static -L /usr/arm-linux-gnueabihf
CFLAGS         ?= -O2 -g -D_FORTIFY_SOURCE=2
include boards/linux/limits.mk
