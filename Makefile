# Makefile - every verb of rekey. BOARD=<board> picks the target (boards/<board>/board.mk); results go to
# build/<board>/. CC, CROSS_COMPILE, CPPFLAGS, CFLAGS, LDFLAGS, DESTDIR and PREFIX are the user's; what must
# be there is in variables of our own, so that a CFLAGS on the command line takes nothing away.

BOARD    ?= linux
B        ?= build/$(BOARD)
DEPS_DIR ?= build/deps
include boards/$(BOARD)/board.mk

MBEDTLS  := $(or $(MBEDTLS_DIR),$(DEPS_DIR)/mbedtls)
JSMN     := $(or $(JSMN_DIR),$(DEPS_DIR)/jsmn)
CMOCKA   := $(or $(CMOCKA_DIR),$(DEPS_DIR)/cmocka)
export DEPS_DIR

ifeq ($(origin CC),default)
CC       := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR       := $(CROSS_COMPILE)ar
endif
NM       ?= $(CROSS_COMPILE)nm
SIZE     ?= $(CROSS_COMPILE)size
CFLAGS   ?= -Os -g
PYTHON   := /usr/bin/python3

# Seconds since 1970 of what is built: a device's clock before it was never set.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)
JSMN_VERSION := $(or $(word 2,$(shell cat $(JSMN)/../jsmn.version 2>/dev/null)),of JSMN_DIR)

our_warnings := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wframe-larger-than=512 -Werror
our_cflags   := -std=c11 -ffunction-sections -fdata-sections -MMD -MP
our_cppflags := $(BOARD_CPPFLAGS) -Isrc -isystem $(JSMN)
port_cppflags := $(our_cppflags) -D_GNU_SOURCE -DREKEY_BUILD_TIME=$(SOURCE_DATE_EPOCH) -DREKEY_BOARD='"$(BOARD)"' \
    -DREKEY_JSMN_VERSION='"$(JSMN_VERSION)"' -Iport/posix -Iport/mbedtls -isystem $(MBEDTLS)/include \
    '-DMBEDTLS_CONFIG_FILE=<mbedtls_config.h>'

core_objects    := $(patsubst %.c,$(B)/%.o,$(wildcard src/*.c))
port_objects    := $(patsubst %.c,$(B)/%.o,$(wildcard port/posix/*.c port/mbedtls/*.c))
command_objects := $(patsubst %.c,$(B)/%.o,$(wildcard boards/linux/*.c))
mbedtls_objects  = $(patsubst $(MBEDTLS)/library/%.c,$(B)/mbedtls/%.o,$(wildcard $(MBEDTLS)/library/*.c))
unit_tests      := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' '$1' '$@'
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help deps deps-sources deps-test deps-check demo arm unit e2e test check size format clean FORCE

all: deps-sources ## build the command and librekey.a (the default)
	$(Q)$(MAKE) --no-print-directory $(B)/rekey $(B)/librekey.a

help: ## this list
	@echo 'make [VERB] [BOARD=board] [V=1]'
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 14
	@echo 'Boards:'
	@for b in boards/*/board.mk; do printf '  %-12s%s\n' "$$(basename "$$(dirname "$$b")")" \
	    "$$(sed -n 's/^BOARD_TITLE *:= //p' "$$b")"; done

# ---- dependencies ---------------------------------------------------------------------------------

deps: deps-test ## get what BOARD needs: Debian packages, mbedTLS, jsmn, cmocka (build/deps)

deps-sources:
	$(Q)boards/deps.sh sources mbedtls jsmn

deps-test:
	$(Q)boards/deps.sh packages dpkg-dev $(BOARD_PACKAGES) python3 python3-pytest openssl iproute2
	$(Q)boards/deps.sh sources mbedtls jsmn cmocka

deps-check: deps-test
	$(Q)boards/deps.sh packages clang clang-format clang-tidy cppcheck valgrind libclang-rt-dev shellcheck

# ---- building -------------------------------------------------------------------------------------

# Objects are made anew when the compiler or its flags are other ones.
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo "$(CC) $(CPPFLAGS) $(CFLAGS) $(subst ",,$(our_cppflags)) $(MBEDTLS)" | cmp -s - $@ || \
	    echo "$(CC) $(CPPFLAGS) $(CFLAGS) $(subst ",,$(our_cppflags)) $(MBEDTLS)" > $@

$(B)/src/%.o: src/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(our_cppflags) $(CFLAGS) $(our_cflags) $(our_warnings) $(BOARD_CFLAGS) -c $< -o $@

$(B)/port/%.o $(B)/boards/%.o: our_warnings := $(filter-out -Wframe-larger-than=%,$(our_warnings))
$(B)/port/%.o: port/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(our_warnings) $(BOARD_CFLAGS) -c $< -o $@

$(B)/boards/%.o: boards/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(our_warnings) $(BOARD_CFLAGS) -c $< -o $@

$(B)/mbedtls/ssl_tls12_client.o: BOARD_CFLAGS += -include port/mbedtls/tls12_pss.h
$(B)/mbedtls/%.o: $(MBEDTLS)/library/%.c $(B)/flags port/mbedtls/mbedtls_config.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -I$(MBEDTLS)/library -w -c $< -o $@

$(B)/librekey.a: $(core_objects)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(B)/libmbedtls.a: $(mbedtls_objects)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(B)/rekey: $(command_objects) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $^ -o $@

-include $(wildcard $(B)/src/*.d $(B)/port/*/*.d $(B)/boards/*/*.d $(B)/tests/*/*.d)
