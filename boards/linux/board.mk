# The building machine: dynamic, with the distribution's C library. The board for development and tests.
BOARD_TITLE    := this machine (dynamic, glibc or musl)
BOARD_PACKAGES := gcc libc6-dev
BOARD_FAST     := 1
# Million instructions of one operation that `make bench` allows, TLS 1.2 and 1.3: some 6 % above what is needed.
BOARD_INSTRUCTIONS := 25 22.8
include boards/linux/limits.mk
