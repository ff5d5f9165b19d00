# Rules of this board only: lwIP, the table of trust anchors, the firmware.

lwip_sources  := $(wildcard $(LWIP)/src/core/*.c $(LWIP)/src/core/ipv4/*.c $(LWIP)/src/netif/ethernet.c)
lwip_objects  := $(patsubst $(LWIP)/src/%.c,$(B)/lwip/%.o,$(lwip_sources))
board_objects := $(patsubst %.c,$(B)/%.o,$(wildcard boards/lm3s6965evb/*.c))

# The certificates that the firmware trusts, in PEM: those of the tests, unless others are given.
ANCHORS ?= build/certs/ca-all.pem
build/certs/ca-all.pem: build/certs/.made
$(B)/board_anchors.h: $(ANCHORS) boards/lm3s6965evb/anchors.py
	@mkdir -p $(@D)
	$(Q)$(PYTHON) boards/lm3s6965evb/anchors.py $(ANCHORS) >$@
$(B)/boards/lm3s6965evb/main.o: $(B)/board_anchors.h

$(B)/lwip/%.o: $(LWIP)/src/%.c $(B)/flags boards/lm3s6965evb/lwipopts.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -w -c $< -o $@

$(B)/firmware.elf: $(board_objects) $(port_objects) $(lwip_objects) $(B)/librekey.a $(B)/libmbedtls.a boards/lm3s6965evb/link.ld
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections,-Map=$@.map $(filter %.o %.a,$^) -o $@
$(B)/mbedtls/bignum_core.o: BOARD_CFLAGS += -O2
$(B)/mbedtls/bignum.o: BOARD_CFLAGS += -O2

# The unit tests run on the board, too, each in its own image.
BOARD_TEST_OBJECTS := $(addprefix $(B)/boards/lm3s6965evb/,startup.o semihosting.o memory.o) $(B)/tests/bare_metal.o
$(B)/unit/%: BOARD_STACK := 8192

# They must have the same numbers of rows and checks as on the building machine.
HOST_CC ?= gcc
.PHONY: unit-images
unit-images: $(addprefix $(B)/unit/,$(unit_tests))
	$(Q)$(MAKE) --no-print-directory -s BOARD=linux B=build/linux CC=$(HOST_CC) CROSS_COMPILE= $(addprefix build/linux/unit/,$(unit_tests))
	$(Q)EXEC="$(EXEC)" boards/lm3s6965evb/unit-images.sh $(B)/unit build/linux/unit $(unit_tests)

# The end-to-end tests preload this into the emulator, so it is compiled for the building machine.
$(B)/clock.so: tests/e2e/clock.c
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -shared -fPIC -O1 -Wall -Wextra -Werror $< -o $@ -ldl

# The firmware that prints the use of its arena (tests/bench/arena.py).
comma  := ,
traced := rekey_arena_calloc rekey_arena_free mbedtls_ssl_handshake_step mbedtls_ssl_write mbedtls_pk_verify_ext mbedtls_pk_verify_restartable \
    board_read_file
$(B)/firmware-trace.elf: $(board_objects) $(B)/tests/arena_trace.o $(port_objects) $(lwip_objects) $(B)/librekey.a $(B)/libmbedtls.a boards/lm3s6965evb/link.ld
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $(addprefix -Wl$(comma)--wrap=,$(traced)) $(filter %.o %.a,$^) -o $@
