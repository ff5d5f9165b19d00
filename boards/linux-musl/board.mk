# The building machine, with a static command: for any distribution, and for containers without one.
BOARD_TITLE    := this machine (static, musl)
BOARD_PACKAGES := gcc
MUSL_ARCH      := $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
BOARD_FAST     := 1
# Million instructions of one operation that `make bench` allows, TLS 1.2 and 1.3: some 6 % above what is needed.
BOARD_INSTRUCTIONS := 27.5 25.2
include boards/linux/musl.mk
