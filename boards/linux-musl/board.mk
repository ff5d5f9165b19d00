# The building machine, with a static command: for any distribution, and for containers without one.
BOARD_TITLE    := this machine (static, musl)
BOARD_PACKAGES := gcc
MUSL_ARCH      := $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
BOARD_FAST     := 1
include boards/linux/musl.mk
