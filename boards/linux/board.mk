# The building machine: dynamic, with the distribution's C library. The board for development and tests.
BOARD_TITLE    := this machine (dynamic, glibc or musl)
BOARD_PACKAGES := gcc libc6-dev
BOARD_FAST     := 1
include boards/linux/limits.mk
