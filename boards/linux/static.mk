# Shared by all static Linux boards: the command as on this machine, in one file that needs no library.
include boards/linux/limits.mk
BOARD_CFLAGS   := -fno-pie
BOARD_LDFLAGS  := -static
