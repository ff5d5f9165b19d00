# The command over an mbedTLS that somebody else built, for the tests of port/mbedtls as a guest. MBEDTLS_DIR is an
# installed or built 3.6 or 4.x (port/mbedtls/guest.mk); without it, the 3.6 of build/deps in its own default
# configuration is used.
BOARD_TITLE    := this machine, with a stock mbedTLS and the C library's heap, for the tests
BOARD_PACKAGES := gcc libc6-dev
include boards/linux/limits.mk
BOARD_LIMITS   += REKEY_ARENA_SIZE=16
BOARD_GUEST    := 1
BOARD_CPPFLAGS := -DMANY_HEAP
BOARD_PORTS    := port/posix/*.c port/anchors/*.c port/mbedtls/*.c boards/linux-stock/*.c
BOARD_UNIT_WITHOUT := arena rsa gmtime
