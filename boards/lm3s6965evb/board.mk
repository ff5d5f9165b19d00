# A Cortex-M3 with 256 KB of flash and 64 KB of SRAM, without an operating system; run by QEMU.
BOARD_TITLE    := Cortex-M3, bare metal: LM3S6965 with 64 KB of SRAM (QEMU)
BOARD_PACKAGES := gcc-arm-none-eabi picolibc-arm-none-eabi qemu-system-arm
BOARD_DEPS     := lwip
CROSS_COMPILE  ?= arm-none-eabi-
BOARD_LIMITS   := REKEY_URL_MAX=3584 REKEY_STAGING_MAX=3584 REKEY_TOKEN_MAX=3072 REKEY_ARENA_SIZE=38400 REKEY_TLS13=0 \
                  MBEDTLS_SSL_OUT_CONTENT_LEN=2048
