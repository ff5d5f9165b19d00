# 32-bit ARM without floating point (ARMv5 and later); run by QEMU.
BOARD_TITLE    := ARM, soft float, ARMv5 and later (static, musl)
BOARD_PACKAGES := gcc-arm-linux-gnueabi qemu-user-static
CROSS_COMPILE  ?= arm-linux-gnueabi-
EXEC           ?= qemu-arm-static
MUSL_ARCH      := armel
include boards/linux/musl.mk
