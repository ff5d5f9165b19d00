# A Cortex-M3 with 256 KB of flash and 64 KB of SRAM, without an operating system; run by QEMU.
BOARD_TITLE    := Cortex-M3, bare metal: LM3S6965 with 64 KB of SRAM (QEMU)
BOARD_PACKAGES := gcc libc6-dev gcc-arm-none-eabi picolibc-arm-none-eabi qemu-system-arm
BOARD_DEPS     := lwip
CROSS_COMPILE  ?= arm-none-eabi-
BOARD_LIMITS   := REKEY_URL_MAX=3584 REKEY_STAGING_MAX=3584 REKEY_TOKEN_MAX=3072 REKEY_ARENA_SIZE=24256 REKEY_TLS_SIZE=1480 REKEY_TLS13=0
# RSA-PSS has a buffer of MBEDTLS_MPI_MAX_SIZE on the stack: here it is for keys of up to 4096 bits.
BOARD_CPPFLAGS  = -DMBEDTLS_SSL_OUT_CONTENT_LEN=2048 -DMBEDTLS_MPI_MAX_SIZE=512 \
                  -Iport/lwip -Iboards/lm3s6965evb -I$(B) -isystem $(LWIP)/src/include
BOARD_ABI      := -mcpu=cortex-m3 -mthumb
BOARD_CFLAGS   := --specs=/usr/lib/picolibc/arm-none-eabi/picolibc.specs $(BOARD_ABI) -DPICOLIBC_INTEGER_PRINTF_SCANF
BOARD_LDFLAGS   = -nostartfiles -Tboards/lm3s6965evb/link.ld -Wl,--defsym=STACK_SIZE=$(BOARD_STACK)
BOARD_STACK    := 3136
BOARD_PORTS    := port/lwip/tcp.c port/anchors/der.c port/anchors/der_table.c \
                  $(addprefix port/mbedtls/,tls.c peer.c peer_fault.c constraints.c sha256.c owner/owner.c owner/arena.c owner/lend.c owner/rsa_public.c)
BOARD_PROGRAM  := firmware.elf
BOARD_DEMO     := tests/arm/firmware.py
BOARD_UNIT     := unit-images
BOARD_UNIT_WITHOUT := proxy tcp sockets lwip file pem
BOARD_E2E      := tests/e2e/test_firmware.py
BOARD_BENCH    := tests/bench/instructions.py
BOARD_TRACE    := firmware-trace.elf
BOARD_CMOCKA_CPPFLAGS := -DHAVE_SIGNAL_H
EXEC           ?= boards/lm3s6965evb/run
BOARD_FLASH_MAX := 131072
BOARD_RAM_MAX   := 49152
# The size that was reached (8,192 was the goal): it may not grow without a reason. It was 13,562 bytes before the
# following, each measured when it came: 940 for secrets that a service repeats (hide.c), 601 for bodies that contradict
# their status code or are not understood (operation.c, json.c), 344 for the contract with a port (its timers and
# explanations, a port or a client that is not ready, calls out of a callback), 60 for a token and a connection that are
# kept (`hold`). Since then 345 bytes were saved elsewhere, and 108 spent: for the kind and the id of a damaged record, for
# pointers that are NULL, and for an abort by a function of the port while an operation starts or succeeds.
BOARD_CORE_MAX  := 15280
