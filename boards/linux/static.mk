# What all static Linux boards share: the command as on this machine, in one file that needs no library.
BOARD_LIMITS   := REKEY_URL_MAX=8192 REKEY_JSON_TOKENS=192
BOARD_CFLAGS   := -fno-pie
BOARD_LDFLAGS  := -static
