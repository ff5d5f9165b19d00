# 64-bit ARM; run by QEMU.
BOARD_TITLE    := ARM, 64 bits (static, musl)
BOARD_PACKAGES := gcc-aarch64-linux-gnu qemu-user-static
CROSS_COMPILE  ?= aarch64-linux-gnu-
EXEC           ?= qemu-aarch64-static
MUSL_ARCH      := arm64
BOARD_FAST     := 1
# Million instructions of one operation that `make bench` allows, TLS 1.2 and 1.3: some 6 % above what is needed.
BOARD_INSTRUCTIONS := 24 22
include boards/linux/musl.mk
