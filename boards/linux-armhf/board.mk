# 32-bit ARM with hard float (Raspberry Pi OS, BeagleBone, i.MX6 and the like); run by QEMU.
BOARD_TITLE    := ARM, hard float (static, musl)
BOARD_PACKAGES := gcc-arm-linux-gnueabihf qemu-user-static
CROSS_COMPILE  ?= arm-linux-gnueabihf-
EXEC           ?= qemu-arm-static
MUSL_ARCH      := armhf
BOARD_COMMAND_MAX := 212992
# Million instructions of one operation that `make bench` allows, TLS 1.2 and 1.3: some 6 % above what is needed.
BOARD_INSTRUCTIONS := 63 52.5
include boards/linux/musl.mk
