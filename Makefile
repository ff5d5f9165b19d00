# Makefile - the product, and how it is built. The targets that install, test, check and measure are in the files that
# are included at the end. BOARD=<board> selects the target: boards/<board>/board.mk, or, if the name contains a slash,
# the board.mk of a folder outside of this tree. Results go to build/<name of the folder>/. CC, CROSS_COMPILE, CPPFLAGS,
# CFLAGS, LDFLAGS and LIMITS are the user's. Mandatory flags are in separate variables, so that a CFLAGS on the command
# line removes none of them.

BOARD     ?= linux
BOARD_DIR := $(patsubst %/,%,$(if $(findstring /,$(BOARD)),$(BOARD),boards/$(BOARD)))
board     := $(notdir $(BOARD_DIR))
B         ?= build/$(board)
DEPS_DIR  ?= build/deps
$(if $(wildcard $(BOARD_DIR)/board.mk),,$(error BOARD=$(BOARD): there is no $(BOARD_DIR)/board.mk; `make help` lists the boards))
include $(BOARD_DIR)/board.mk

MBEDTLS  := $(or $(MBEDTLS_DIR),$(DEPS_DIR)/mbedtls)
JSMN     := $(or $(JSMN_DIR),$(DEPS_DIR)/jsmn)
CMOCKA   := $(or $(CMOCKA_DIR),$(DEPS_DIR)/cmocka)
LWIP     := $(or $(LWIP_DIR),$(DEPS_DIR)/lwip)
export DEPS_DIR

ifeq ($(origin CC),default)
CC       := $(CROSS_COMPILE)gcc
endif
ifeq ($(origin AR),default)
AR       := $(CROSS_COMPILE)ar
endif
NM       ?= $(shell $(CC) -print-prog-name=nm)
OBJCOPY  ?= $(shell $(CC) -print-prog-name=objcopy)
SIZE     ?= $(CROSS_COMPILE)size
STRIP    ?= $(CROSS_COMPILE)strip
CFLAGS   ?= -Os -g
FRAME_MAX := 512
PYTHON   := /usr/bin/python3

# Seconds since 1970 of the source: if a device's clock is before that, it was never set. A tarball contains the time of
# its commit (.gitattributes); that time takes precedence over a repository into which the tarball was unpacked.
ifndef SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH := $(shell grep '^[0-9]' boards/commit-time || \
    { test -e .git && git log -1 --format=%ct 2>/dev/null; } || date +%s)
endif
export SOURCE_DATE_EPOCH
VERSION      := $(shell sed -n 's/^\#define REKEY_VERSION "\(.*\)"/\1/p' src/rekey_config.h)
JSMN_VERSION ?= $(or $(word 2,$(shell cat $(JSMN)/../jsmn.version 2>/dev/null)),of JSMN_DIR)

# How mbedTLS is compiled, unless somebody else built it: mbedtls_cppflags, $(B)/libmbedtls.a.
our_mbedtls := $(if $(BOARD_GUEST),$(if $(MBEDTLS_DIR),,mbedtls),mbedtls)
include $(if $(BOARD_GUEST),port/mbedtls/guest.mk,port/mbedtls/owner/mbedtls.mk)

our_warnings := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wframe-larger-than=$(FRAME_MAX) -Werror
# Debugging information has paths relative to this directory: the directory of the build makes no
# difference.
prefix_map   := '-ffile-prefix-map=$(CURDIR)=.'
our_cflags   := -std=c11 $(prefix_map) -ffunction-sections -fdata-sections -MD -MP
# LIMITS="REKEY_URL_MAX=16384 ..." goes before the board's own limits.
limits       := $(LIMITS) $(foreach l,$(BOARD_LIMITS),$(if $(filter $(firstword $(subst =, ,$l))=%,$(LIMITS)),,$l))
our_cppflags := $(addprefix -D,$(limits)) $(BOARD_CPPFLAGS) -Isrc -isystem $(JSMN)
# With a 32-bit glibc, time_t has 64 bits only if both are defined; elsewhere they have no effect.
time_cppflags := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
port_cppflags := $(our_cppflags) $(time_cppflags) -D_GNU_SOURCE -DREKEY_BUILD_TIME=$(SOURCE_DATE_EPOCH) -DREKEY_BOARD='"$(board)"' \
    -DREKEY_JSMN_VERSION='"$(JSMN_VERSION)"' $(if $(BOARD_LIBC),-DREKEY_LIBC='"$(BOARD_LIBC)"') \
    -Iport/posix -Iport/anchors -Iport/mbedtls -Iport/mbedtls/owner $(mbedtls_cppflags)

program         := $(or $(BOARD_PROGRAM),rekey)
core_objects    := $(patsubst %.c,$(B)/%.o,$(wildcard src/*.c))
port_sources    := $(wildcard $(or $(BOARD_PORTS),port/posix/*.c port/anchors/*.c port/mbedtls/*.c port/mbedtls/owner/*.c))
port_objects    := $(patsubst %.c,$(B)/%.o,$(port_sources))
command_objects := $(patsubst %.c,$(B)/%.o,$(wildcard boards/linux/*.c boards/linux/command/*.c))
unit_tests      := $(filter-out $(BOARD_UNIT_WITHOUT),$(patsubst test_%.c,%,$(notdir $(wildcard tests/unit/test_*.c tests/fault/test_*.c))))

# The headers that applications include as <rekey/NAME.h>: those of the core and of the board's ports. $(B)/include has
# links to them, and to the headers that they include, so that the same includes work in the tree.
port_folders    := $(sort $(dir $(port_sources)))
port_headers    := $(wildcard $(foreach d,$(port_folders),$(addprefix $d,posix.h proxy.h sockets.h tcp.h anchors.h pem_bundle.h \
    der_table.h tls.h client_certificate.h owner.h)))
public_headers  := $(wildcard src/rekey.h src/rotate.h src/show.h src/credential*.h) \
    $(filter-out $(patsubst %.c,%.h,$(filter-out $(port_sources),$(wildcard $(addsuffix *.c,$(port_folders))))),$(port_headers))
linked_headers  := $(addprefix $(B)/include/rekey/,$(notdir $(wildcard src/*.h $(addsuffix *.h,$(port_folders)))))
vpath %.h src $(port_folders)

compile_core = $(Q)$(CC) $(CPPFLAGS) $(our_cppflags) $(CFLAGS) $(our_cflags) $(our_warnings) $(BOARD_CFLAGS) -c $< -o $@
compile      = $(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(our_warnings) $(BOARD_CFLAGS) -c $< -o $@
link         = $(Q)$(CC) $(prefix_map) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections$(link_more) $^ -o $@
archive      = $(Q)rm -f $@ && $(AR) crsD $@ $^
# Uses all processors, unless make was given a number of jobs.
make_quietly = +$(Q)$(MAKE) --no-print-directory -s $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' '$1' '$@'
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help deps deps-sources clean FORCE

##@ Building
all: deps-sources ## build the command, or the firmware, and librekey.a (the default)
	$(make_quietly) $(B)/$(program) $(B)/librekey.a $(linked_headers)

deps: deps-test $(if $(BOARD_E2E),,deps-peers) ## get what BOARD needs: Debian packages, mbedTLS, jsmn, cmocka (build/deps)

deps-sources:
	$(Q)boards/deps.sh sources $(our_mbedtls) jsmn $(BOARD_DEPS)

clean: ## remove what was built; build/deps stays
	rm -rf $(filter-out $(DEPS_DIR),$(wildcard build/*))

help: ## this list
	@echo 'make [VERB] [BOARD=board] [V=1]'
	@sed -n 's/^##@ /\n/p; s/^\([a-z0-9-]*\):.*## /  \1\t/p' Makefile $(parts) | expand -t 18
	@echo; awk -F ' *:= ' 'BEGIN { print "Boards" } /^BOARD_TITLE/ { split(FILENAME, part, "/"); printf "  %-18s%s\n", part[2], $$2 }' \
	    boards/*/board.mk

# Objects are compiled again if the compiler, its flags or mbedTLS change, because the files of an unpacked source are
# older than the objects of the previous version. The board's flags are compared before single objects add to them, and
# without the time of the build, which changes with each commit.
flags := $(subst ",,$(CC) $(CPPFLAGS) $(CFLAGS) $(filter-out -DREKEY_BUILD_TIME=%,$(port_cppflags)) $(BOARD_CFLAGS)) \
    $(shell cat $(MBEDTLS).version 2>/dev/null)
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo "$(flags)" | cmp -s - $@ || echo "$(flags)" > $@

$(B)/src/%.o: src/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(compile_core)

$(B)/port/%.o $(B)/boards/%.o $(B)/board/%.o: our_warnings := $(filter-out -Wframe-larger-than=%,$(our_warnings))
$(B)/port/%.o: port/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(compile)

$(B)/boards/%.o: boards/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(compile)

$(B)/include/rekey/%.h: %.h
	@mkdir -p $(@D)
	$(Q)ln -sf $(abspath $<) $@

# The objects of a board outside of this tree.
$(B)/board/%.o: $(BOARD_DIR)/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(compile)

$(B)/librekey.a: $(core_objects)
	$(call say,AR)
	$(archive)

$(B)/rekey: link_more = ,-Map=$@.map
$(B)/rekey: $(command_objects) $(BOARD_OBJECTS) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(link)

# Rules of the board, then the other targets.
parts := boards/linux/install.mk boards/linux/image/image.mk tests/tests.mk tests/port/port.mk boards/examples/examples.mk tests/checks.mk tests/bench/measure.mk tests/pictures/pictures.mk
-include $(BOARD_DIR)/rules.mk
include $(parts)
-include $(wildcard $(B)/src/*.d $(B)/port/*/*.d $(B)/port/*/*/*.d $(B)/board/*.d $(B)/boards/*/*.d $(B)/boards/*/*/*.d $(B)/tests/*.d $(B)/tests/port/*.d)
