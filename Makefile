# Makefile - every verb of rekey. BOARD=<board> picks the target (boards/<board>/board.mk); results go to
# build/<board>/. CC, CROSS_COMPILE, CPPFLAGS, CFLAGS, LDFLAGS and LIMITS are the user's; what must be there is
# in variables of our own, so that a CFLAGS on the command line takes nothing away.

BOARD    ?= linux
B        ?= build/$(BOARD)
DEPS_DIR ?= build/deps
$(if $(wildcard boards/$(BOARD)/board.mk),,$(error BOARD=$(BOARD): there is no such board; `make help` lists them))
include boards/$(BOARD)/board.mk

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
NM       ?= $(CROSS_COMPILE)nm
SIZE     ?= $(CROSS_COMPILE)size
STRIP    ?= $(CROSS_COMPILE)strip
CFLAGS   ?= -Os -g
FRAME_MAX := 512
FUZZ_TIME := 120
PYTHON   := /usr/bin/python3

# Seconds since 1970 of what is built: a device's clock before it was never set.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)
JSMN_VERSION := $(or $(word 2,$(shell cat $(JSMN)/../jsmn.version 2>/dev/null)),of JSMN_DIR)

our_warnings := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wframe-larger-than=$(FRAME_MAX) -Werror
our_cflags   := -std=c11 -ffunction-sections -fdata-sections -MD -MP
# LIMITS="REKEY_URL_MAX=16384 ..." goes before the board's own limits.
limits       := $(LIMITS) $(foreach l,$(BOARD_LIMITS),$(if $(filter $(firstword $(subst =, ,$l))=%,$(LIMITS)),,$l))
our_cppflags := $(addprefix -D,$(limits)) $(BOARD_CPPFLAGS) -Isrc -isystem $(JSMN)
# Where glibc has 32 bits, it has a time_t of 64 only if both are defined; elsewhere they change nothing.
time_cppflags := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
port_cppflags := $(our_cppflags) $(time_cppflags) -D_GNU_SOURCE -DREKEY_BUILD_TIME=$(SOURCE_DATE_EPOCH) -DREKEY_BOARD='"$(BOARD)"' \
    -DREKEY_JSMN_VERSION='"$(JSMN_VERSION)"' -Iport/posix -Iport/mbedtls -isystem $(MBEDTLS)/include \
    '-DMBEDTLS_CONFIG_FILE=<mbedtls_config.h>'

program         := $(or $(BOARD_PROGRAM),rekey)
core_objects    := $(patsubst %.c,$(B)/%.o,$(wildcard src/*.c))
port_objects    := $(patsubst %.c,$(B)/%.o,$(wildcard $(or $(BOARD_PORTS),port/posix/*.c port/mbedtls/*.c)))
command_objects := $(patsubst %.c,$(B)/%.o,$(wildcard boards/linux/*.c))
mbedtls_objects  = $(patsubst $(MBEDTLS)/library/%.c,$(B)/mbedtls/%.o,$(wildcard $(MBEDTLS)/library/*.c))
unit_tests      := $(filter-out $(BOARD_UNIT_WITHOUT),$(patsubst test_%.c,%,$(notdir $(wildcard tests/unit/test_*.c tests/fault/test_*.c))))
fuzz_tests      := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
vpath %.c tests/unit tests/fault tests/fuzz tests/bench tests/vectors tests/e2e

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' '$1' '$@'
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help install install-command install-library uninstall deb deb-one deps-cross dist check-install deps-install deps deps-sources deps-test deps-peers deps-check demo arm unit unit-here e2e test template check fuzz vectors mutate proof coverage size memory bench format clean FORCE

all: deps-sources ## build the command, or the firmware, and librekey.a (the default)
	$(Q)$(MAKE) --no-print-directory -s $(B)/$(program) $(B)/librekey.a

help: ## this list
	@echo 'make [VERB] [BOARD=board] [V=1]'
	@sed -n 's/^\([a-z0-9-]*\):.*## /  \1\t/p' Makefile | expand -t 18
	@echo 'Boards:'
	@for b in boards/*/board.mk; do printf '  %-15s%s\n' "$$(basename "$$(dirname "$$b")")" \
	    "$$(sed -n 's/^BOARD_TITLE *:= //p' "$$b")"; done

# ---- dependencies ---------------------------------------------------------------------------------

# The web servers that stand in front of the service in the end-to-end tests; without them these are skipped.
deps-peers:
	$(Q)boards/deps.sh peers || true

deps: deps-test $(if $(BOARD_E2E),,deps-peers) ## get what BOARD needs: Debian packages, mbedTLS, jsmn, cmocka (build/deps)

deps-sources:
	$(Q)boards/deps.sh sources mbedtls jsmn $(BOARD_DEPS)

deps-test:
	$(Q)boards/deps.sh packages dpkg-dev $(BOARD_PACKAGES) python3 python3-pytest python3-cryptography openssl iproute2 strace
	$(Q)boards/deps.sh sources mbedtls jsmn cmocka $(BOARD_DEPS)

deps-check: deps-test
	$(Q)boards/deps.sh packages clang clang-format clang-tidy cppcheck valgrind libclang-rt-dev shellcheck

# ---- building -------------------------------------------------------------------------------------

# Objects are made anew when the compiler, its flags or mbedTLS are other ones: the files of an unpacked source are older
# than the objects of the version before. Of the board's flags, as they are before single objects add to them; without the
# time of the build, which changes with each commit.
flags := $(CC) $(CPPFLAGS) $(CFLAGS) $(subst ",,$(filter-out -DREKEY_BUILD_TIME=%,$(port_cppflags))) $(BOARD_CFLAGS) \
    $(shell cat $(MBEDTLS).version 2>/dev/null)
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo "$(flags)" | cmp -s - $@ || echo "$(flags)" > $@

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
$(B)/mbedtls/pk_wrap.o: BOARD_CFLAGS += -include port/mbedtls/pk_verify.h
$(B)/mbedtls/ssl_tls13_client.o: BOARD_CFLAGS += -include port/mbedtls/tls13_client.h
$(addprefix $(B)/mbedtls/,ssl_tls12_client.o pk_wrap.o ssl_tls13_client.o): $(addprefix port/mbedtls/,tls12_pss.h pk_verify.h tls13_client.h)
$(B)/mbedtls/rsa.o: BOARD_CFLAGS += -Dmbedtls_mpi_exp_mod_unsafe=rekey_rsa_public
$(B)/mbedtls/ssl_tls.o $(B)/mbedtls/ssl_tls13_generic.o: BOARD_CFLAGS += -Dmbedtls_x509_crt_parse_der=rekey_peer_parse \
    -Dmbedtls_x509_crt_parse_der_nocopy=rekey_peer_parse_nocopy -Dmbedtls_x509_crt_verify_with_ca_cb=rekey_peer_verify
$(B)/mbedtls/x509_crt.o: BOARD_CFLAGS += -Dmbedtls_x509_get_sig_alg=rekey_x509_signature
$(addprefix $(B)/mbedtls/,ssl_tls.o ssl_tls12_client.o ssl_tls13_client.o ssl_tls13_generic.o x509_crt.o rsa.o): Makefile
$(addprefix $(B)/port/mbedtls/,rsa_public.o client_certificate.o peer.o): BOARD_CFLAGS += -isystem $(MBEDTLS)/library
$(B)/mbedtls/%.o: $(MBEDTLS)/library/%.c $(B)/flags port/mbedtls/mbedtls_config.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -I$(MBEDTLS)/library -w -c $< -o $@

$(B)/librekey.a: $(core_objects)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(B)/libmbedtls.a: $(mbedtls_objects)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(B)/rekey: $(command_objects) $(BOARD_OBJECTS) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections,-Map=$@.map $^ -o $@

-include boards/$(BOARD)/rules.mk
-include $(wildcard $(B)/src/*.d $(B)/port/*/*.d $(B)/boards/*/*.d $(B)/tests/*.d)

# ---- installing -----------------------------------------------------------------------------------

# Where things go. A distribution that has other places sets these; nothing outside of them is written. Not stripped:
# a distribution strips by its own rules, and keeps what it takes away.
PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib
INCLUDEDIR  ?= $(PREFIX)/include
MANDIR      ?= $(PREFIX)/share/man
DOCDIR      ?= $(PREFIX)/share/doc/rekey
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERS    ?= $(PREFIX)/lib/sysusers.d
INSTALL     ?= install
VERSION     := $(shell sed -n 's/^\#define REKEY_VERSION "\(.*\)"/\1/p' src/rekey_config.h)

units       := $(patsubst boards/linux/systemd/%.in,%,$(wildcard boards/linux/systemd/rekey-*.in))
examples    := $(wildcard boards/linux/systemd/examples/*)
fill_in     := sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' \
    -e 's|@VERSION@|$(VERSION)|g' -e 's|@LDFLAGS@|$(BOARD_LDFLAGS)|g'
# The installed headers hold a time_t: with 32 bits and glibc an application must have the one that the archives have.
of_application = $(CC) $(CPPFLAGS) $(CFLAGS) $(BOARD_CFLAGS) -E -P -x c - | sed -n '/^-D/p'
to          = "$(DESTDIR)"$(1)

install: install-command install-library ## install command, library, man pages, units under DESTDIR and PREFIX (/usr/local)

install-command: all ## of these only what a gateway needs
	$(Q)$(if $(BOARD_PROGRAM),echo "$(BOARD) has no command to install"; exit 1)
	$(Q)$(INSTALL) -d $(call to,$(BINDIR)) $(call to,$(MANDIR)/man1) $(call to,$(COMPLETIONS)) $(call to,$(UNITDIR)) \
	    $(call to,$(SYSUSERS)) $(call to,$(DOCDIR)/examples)
	$(Q)$(INSTALL) -m 755 $(B)/rekey $(call to,$(BINDIR)/rekey)
	$(Q)$(INSTALL) -m 644 docs/rekey.1 $(call to,$(MANDIR)/man1/rekey.1)
	$(Q)$(INSTALL) -m 644 boards/linux/completion.bash $(call to,$(COMPLETIONS)/rekey)
	$(Q)$(INSTALL) -m 644 boards/linux/systemd/sysusers.conf $(call to,$(SYSUSERS)/rekey.conf)
	$(Q)$(INSTALL) -m 644 $(examples) $(call to,$(DOCDIR)/examples)
	$(Q)for unit in $(units); do $(fill_in) "boards/linux/systemd/$$unit.in" >"$(B)/$$unit" && \
	    $(INSTALL) -m 644 "$(B)/$$unit" $(call to,$(UNITDIR)) || exit 1; done

# Two archives, because an application may have TLS of its own: librekey.a is the core with the POSIX port and has no
# name of mbedTLS in it, librekey-tls.a is port/mbedtls with mbedTLS as our configuration wants it.
$(B)/install/librekey.a: $(core_objects) $(filter $(B)/port/posix/%,$(port_objects))
$(B)/install/librekey-tls.a: $(filter $(B)/port/mbedtls/%,$(port_objects)) $(mbedtls_objects)
$(B)/install/%.a:
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) crs $@ $^

# The headers that an application includes, and those that these include, mbedTLS's among them. A struct rekey must have
# the size that the archive knows: the limits that it was built with become part of the headers.
public_headers := rekey.h rotate.h show.h client_certificate.h der_table.h pem_bundle.h tls.h \
    $(notdir $(wildcard src/credential*.h port/posix/*.h))
install-library: all ## of these only what an application needs
	$(Q)$(MAKE) --no-print-directory -s $(B)/install/librekey.a $(B)/install/librekey-tls.a
	$(Q)rm -rf $(B)/install/include && $(INSTALL) -d $(B)/install/include/mbedtls $(B)/install/include/psa \
	    $(call to,$(LIBDIR)/pkgconfig) $(call to,$(INCLUDEDIR)) $(call to,$(MANDIR)/man3)
	$(Q){ echo '// rekey_limits.h - what the archive was built with (make LIMITS="...").'; echo; \
	    $(foreach l,$(limits),echo '#define $(subst =, ,$l)';) } \
	    >$(B)/install/include/rekey_limits.h
	$(Q)printf '#include "%s"\n' $(public_headers) | $(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(BOARD_CFLAGS) \
	    -M -MT . -xc - >$(B)/install/headers && for header in $$(tr -d '\\' <$(B)/install/headers); do case $$header in \
	    port/mbedtls/mbedtls_config.h) place=mbedtls/ ;; src/*|port/*) place= ;; \
	    $(MBEDTLS)/include/*/*) place=$${header#$(MBEDTLS)/include/}; place=$${place%/*}/ ;; *) continue ;; esac; \
	    sed '/^#define REKEY_\(CONFIG\|TLS\|MBEDTLS_CONFIG\)_H$$/a #include "rekey_limits.h"' "$$header" \
	    >"$(B)/install/include/$$place$${header##*/}" || exit 1; done
	$(Q)rm -rf $(call to,$(INCLUDEDIR)/rekey) && cp -r $(B)/install/include $(call to,$(INCLUDEDIR)/rekey)
	$(Q)$(INSTALL) -m 644 $(B)/install/librekey.a $(B)/install/librekey-tls.a $(call to,$(LIBDIR))
	$(Q)more=$$(printf '%s\n' '#include <limits.h>' '#if defined __GLIBC__ && __SIZEOF_LONG__ == 4' '$(time_cppflags)' '#endif' | \
	    $(of_application)) && $(fill_in) -e "s| *@CFLAGS@|$${more:+ $$more}|" boards/linux/rekey.pc.in >$(B)/install/rekey.pc
	$(Q)$(INSTALL) -m 644 $(B)/install/rekey.pc $(call to,$(LIBDIR)/pkgconfig/rekey.pc)
	$(Q)$(INSTALL) -m 644 docs/librekey.3 $(call to,$(MANDIR)/man3/librekey.3)

uninstall: ## remove what install put there, with the same variables; configuration and keys stay
	$(Q)rm -f $(call to,$(BINDIR)/rekey) $(call to,$(LIBDIR)/librekey.a) $(call to,$(LIBDIR)/librekey-tls.a) \
	    $(call to,$(LIBDIR)/pkgconfig/rekey.pc) $(call to,$(MANDIR)/man1/rekey.1) $(call to,$(MANDIR)/man3/librekey.3) \
	    $(call to,$(COMPLETIONS)/rekey) $(call to,$(SYSUSERS)/rekey.conf)
	$(Q)for unit in $(units); do rm -f $(call to,$(UNITDIR))/"$$unit"; done
	$(Q)rm -rf $(call to,$(INCLUDEDIR)/rekey) $(call to,$(DOCDIR))

# Static commands, so that one package fits every release and derivative of Debian.
DEB_BOARDS  := linux-musl linux-armhf linux-arm64
deb: ## Debian packages for this machine (amd64), armhf and arm64 into build/deb
	$(Q)for b in $(DEB_BOARDS); do $(MAKE) --no-print-directory -s deps-cross BOARD=$$b && \
	    $(MAKE) --no-print-directory -s deb-one BOARD=$$b || exit 1; done

deps-cross:
	$(Q)boards/deps.sh packages dpkg-dev binutils $(filter-out qemu-%,$(BOARD_PACKAGES))

deb-one:
	$(Q)rm -rf $(B)/deb
	$(Q)$(MAKE) --no-print-directory -s install-command DESTDIR=$(B)/deb PREFIX=/usr
	$(Q)$(STRIP) $(B)/deb/usr/bin/rekey
	$(Q)SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) boards/linux/debian/build $(B)/deb $(MUSL_ARCH) $(VERSION) build/deb

deps-install: deps-test
	$(Q)boards/deps.sh packages systemd mandoc lintian pkgconf qemu-user-static

check-install: all deb deps-install ## what install and deb leave: systemd-analyze, mandoc, lintian, pkg-config, the armhf package
	$(Q)$(MAKE) --no-print-directory -s build/certs/.made
	$(Q)REKEY=$(B)/$(program) REKEY_BUILD=$(B) REKEY_DEB=build/deb \
	    $(PYTHON) -m pytest -q -p no:cacheprovider $(PYTEST_FLAGS) tests/e2e/test_install.py

dist: ## the source as a tarball, build/rekey-VERSION.tar.gz
	$(Q)mkdir -p build && git archive --prefix=rekey-$(VERSION)/ HEAD | gzip -9n >build/rekey-$(VERSION).tar.gz
	@echo build/rekey-$(VERSION).tar.gz

# ---- tests ----------------------------------------------------------------------------------------

# cmocka is compiled from its source on every board; what it would ask cmake for is in these.
cmocka_cppflags := -DHAVE_UINTPTR_T $(or $(BOARD_CMOCKA_CPPFLAGS),-DHAVE_SIGNAL_H -DHAVE_SIGLONGJMP -DHAVE_STRUCT_TIMESPEC \
    -DHAVE_CLOCK_REALTIME -DHAVE_CLOCK_GETTIME -D_GNU_SOURCE)
test_cppflags := $(port_cppflags) -Itests/unit -Itests/vectors -isystem $(CMOCKA)/include -DHAVE_UINTPTR_T

$(B)/tests/cmocka.o: $(CMOCKA)/src/cmocka.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(cmocka_cppflags) $(CFLAGS) $(BOARD_CFLAGS) -std=gnu11 -I$(CMOCKA)/include -w -c $< -o $@

$(B)/tests/%.o: %.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(test_cppflags) $(CFLAGS) $(our_cflags) $(filter-out -Wframe%,$(our_warnings)) -Wno-missing-field-initializers $(BOARD_CFLAGS) -c $< -o $@

$(B)/unit/%: $(B)/tests/test_%.o $(B)/tests/support.o $(B)/tests/cmocka.o $(BOARD_TEST_OBJECTS) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $^ -o $@

# A fuzz entry with a main of its own: libFuzzer's for `make fuzz`, or the one that runs the seeds.
FUZZ_MAIN = $(B)/tests/replay.o
$(B)/fuzz/%: $(B)/tests/fuzz_%.o $(FUZZ_MAIN) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $^ -o $@

# Prints what trust anchors a bundle has, for the end-to-end tests.
$(B)/anchors: $(B)/tests/anchors.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $^ -o $@

# The command with a clock that runs faster, for the long rows of `make bench`.
$(B)/rekey-bench: $(command_objects) $(port_objects) $(B)/tests/fast_clock.o $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections,--wrap=clock_gettime,--wrap=ppoll $^ -o $@

# Preloaded into the command by the tests: counts calls of the heap, shifts the wall clock, is a lesser file system. None gets into a static
# command; under an emulator, it is the emulator whose clock is shifted.
preloads := $(if $(BOARD_E2E),$(B)/clock.so,$(if $(EXEC)$(filter -static,$(BOARD_LDFLAGS)),,$(addprefix $(B)/,heap.so clock.so files.so)))
$(B)/%.so: tests/e2e/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC -O1 -Wall -Wextra -Werror $< -o $@ -ldl

# The example in README.md, and the porter's page: what is shown there must compile, and the example runs.
$(B)/example.c: README.md
	@mkdir -p $(@D)
	$(Q)sed -n '/^```c$$/,/^```$$/p' README.md | grep -v '^```' > $@

$(B)/example: $(B)/example.c $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(filter-out -Wframe%,$(our_warnings)) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $^ -o $@

template: $(B)/port/template/port.o

build/certs/.made: tests/arm/certs.sh
	$(Q)tests/arm/certs.sh build/certs && touch $@

unit: deps-test ## the unit tests alone, and the seeds of the fuzz entries
	$(Q)$(MAKE) --no-print-directory -s $(addprefix $(B)/unit/,$(unit_tests)) template
	$(Q)$(MAKE) --no-print-directory -s $(or $(BOARD_UNIT),unit-here)

# On a machine with processes and files. A board without them has a target of its own, BOARD_UNIT.
unit-here: $(addprefix $(B)/fuzz/,$(fuzz_tests))
	$(Q)for t in $(unit_tests); do $(EXEC) $(B)/unit/$$t || exit 1; done
	$(Q)for t in $(fuzz_tests); do $(EXEC) $(B)/fuzz/$$t tests/fuzz/seeds/$$t/* 2>$(B)/fuzz/$$t.log || \
	    { tail -20 $(B)/fuzz/$$t.log; exit 1; }; done

e2e: all deps-test $(if $(BOARD_E2E),,deps-peers) ## the end-to-end tests alone: the command against the stand-in service, over real TLS
	$(Q)$(MAKE) --no-print-directory -s build/certs/.made $(preloads) $(if $(BOARD_E2E),,$(B)/example $(B)/anchors)
	$(Q)REKEY=$(B)/$(program) REKEY_BUILD=$(B) REKEY_EXEC="$(EXEC)" REKEY_NM=$(NM) \
	    $(PYTHON) -m pytest -q -p no:cacheprovider $(PYTEST_FLAGS) $(or $(BOARD_E2E),tests/e2e)

test: deps unit e2e ## get what is missing, build, and run all tests

demo: deps ## the whole job in a minute: build, start the stand-in service, regenerate a key
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)$(MAKE) --no-print-directory -s build/certs/.made $(if $(BOARD_DEMO),,$(preloads))
	$(Q)REKEY=$(B)/$(program) REKEY_BUILD=$(B) REKEY_EXEC="$(EXEC)" $(PYTHON) $(or $(BOARD_DEMO),tests/arm/demo.py)
	$(Q)$(MAKE) --no-print-directory -s size | grep '^sizeof'

arm: deps-test ## start the stand-in service by hand; prints the command to try
	$(Q)$(MAKE) --no-print-directory -s build/certs/.made
	$(Q)$(PYTHON) tests/arm/arm.py --certs build/certs --demo

# ---- checks ---------------------------------------------------------------------------------------

c_files := $(wildcard src/*.[ch] port/*/*.[ch] boards/*/*.[ch] boards/*/*/*.h tests/*/*.[ch])
# No leak detection: there is no heap, and it cannot trace a process that is not dumpable.
sanitize := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

check: deps-check ## formatting, static analysis, both compilers, sanitizers, valgrind
	clang-format --dry-run -Werror $(c_files)
	shellcheck -s sh boards/deps.sh boards/lm3s6965evb/run tests/fuzz/fuzz.sh boards/linux/debian/build boards/linux/debian/post*
	shellcheck -s bash boards/linux/completion.bash
	cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=comparePointers:boards/lm3s6965evb/startup.c -Isrc -Iport/posix \
	    -D__linux__ -D__unix__ -DREKEY_BUILD_TIME=1 src port boards
	clang-tidy --quiet --warnings-as-errors='*' $(wildcard src/*.c) -- -std=c11 $(our_cppflags)
	clang-tidy --quiet --warnings-as-errors='*' $(filter-out port/lwip/%,$(wildcard port/*/*.c boards/linux/*.c)) -- \
	    -std=c11 $(port_cppflags) -isystem $(MBEDTLS)/library
	$(MAKE) unit all B=build/clang CC=clang
	ASAN_OPTIONS=detect_leaks=0 $(MAKE) unit e2e B=build/asan CFLAGS="$(sanitize)" FRAME_MAX=65536 REKEY_SANITIZED=1
	$(MAKE) e2e EXEC="valgrind -q --error-exitcode=99 --exit-on-first-error=yes" PYTEST_FLAGS="-m board"

# A build of its own: all objects are instrumented, and libFuzzer brings the main.
fuzz: deps-check ## all fuzz entries at once, for FUZZ_TIME seconds
	$(Q)$(MAKE) --no-print-directory -s B=build/fuzz CC=clang FUZZ_MAIN= LDFLAGS=-fsanitize=fuzzer FRAME_MAX=65536 \
	    CFLAGS="-fsanitize=fuzzer-no-link $(sanitize)" $(addprefix build/fuzz/fuzz/,$(fuzz_tests))
	$(Q)tests/fuzz/fuzz.sh build/fuzz/fuzz $(FUZZ_TIME) $(fuzz_tests)

$(B)/verify: $(B)/tests/verify.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $^ -o $@

# A build of its own, for which no clock is too early.
export WYCHEPROOF_DIR LIMBO_DIR
vectors: deps-test ## published vectors, of checkouts in WYCHEPROOF_DIR and LIMBO_DIR: agreed, and what is not
	$(Q)$(MAKE) --no-print-directory -s B=build/vectors SOURCE_DATE_EPOCH=1 $(addprefix build/vectors/,verify rekey clock.so)
	$(Q)$(PYTHON) tests/vectors/vectors.py --verify build/vectors/verify --rekey build/vectors/rekey --clock build/vectors/clock.so

mutate: deps-test ## change one token of src/ or port/ at a time: does a unit test fail? MUTATE_FLAGS="--sample 60" for some
	$(Q)$(PYTHON) tests/mutate/mutate.py $(MUTATE_FLAGS)

# The compiler's flags without -isystem, which CBMC does not have. It runs gcc as its preprocessor.
proof: deps-sources ## prove the parsers with CBMC, up to the bounds that it prints; PROOF_FLAGS=--mutants: do the proofs see a fault?
	$(Q)boards/deps.sh packages gcc python3
	$(Q)boards/deps.sh sources cbmc
	$(Q)nice $(PYTHON) tests/proof/proof.py --cbmc $(or $(CBMC_DIR),$(DEPS_DIR)/cbmc)/cbmc $(PROOF_FLAGS) --cppflags \
	    $(subst -isystem ,-I,$(port_cppflags)) -Itests/proof -Iboards/linux -I$(MBEDTLS)/library

coverage: deps-test ## lines and branches of src/ that the unit tests reach: all of them, or it fails
	$(Q)boards/deps.sh packages gcovr
	$(Q)rm -rf build/coverage
	$(Q)$(MAKE) --no-print-directory unit B=build/coverage CFLAGS="-O0 -g --coverage" FRAME_MAX=65536 >build/coverage.log || \
	    { tail -40 build/coverage.log; exit 1; }
	$(Q)/usr/bin/gcovr -r . --filter src/ build/coverage --print-summary -o build/coverage/lines.txt
	$(Q)/usr/bin/gcovr -r . --filter src/ build/coverage -b --fail-under-line 100 --fail-under-branch 100
	@echo "branches that no input can take, NEVER() and ALWAYS(): $$(cat src/*.[ch] | grep -cE '(NEVER|ALWAYS)\(')"

size: deps-sources ## flash and RAM by part, the core, struct rekey, its stack; fails above a budget of the board
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)CC="$(CC)" SIZE="$(SIZE)" STRIP="$(STRIP)" NM="$(NM)" CPPFLAGS="$(our_cppflags) $(BOARD_CFLAGS)" \
	    $(PYTHON) tests/bench/size.py $(B) $(B)/$(program) file=$(BOARD_COMMAND_MAX) flash=$(BOARD_FLASH_MAX) ram=$(BOARD_RAM_MAX) \
	    core=$(BOARD_CORE_MAX)

# The boards whose numbers docs/memory.md shows: all.
MEMORY_BOARDS := $(sort $(notdir $(patsubst %/board.mk,%,$(wildcard boards/*/board.mk))))
memory: ## write docs/memory.md: what make size prints, for every board
	$(Q)for b in $(MEMORY_BOARDS); do $(MAKE) --no-print-directory -s deps all BOARD=$$b >build/memory.log 2>&1 || \
	    { tail -20 build/memory.log; exit 1; }; done
	$(Q)mkdir -p build && { echo "# Memory"; echo; \
	    echo "Written by \`make memory\` ($$($(CC) -dumpfullversion | sed 's/^/gcc /') and the cross compilers of the same distribution); do not edit."; \
	    for b in $(MEMORY_BOARDS); do printf '\n## %s: %s\n\n```\n' $$b "$$(sed -n 's/^BOARD_TITLE *:= //p' boards/$$b/board.mk)"; \
	    $(MAKE) --no-print-directory -s size BOARD=$$b || exit 1; echo '```'; done; } >build/memory.md
	$(Q)mv build/memory.md docs/memory.md

bench: all deps-test ## whole operations, also against a hostile service: memory must stay the same; beside curl
	$(Q)$(if $(BOARD_BENCH),,boards/deps.sh packages curl)
	$(Q)$(MAKE) --no-print-directory -s build/certs/.made $(if $(BOARD_BENCH),,$(B)/rekey-bench)
	$(Q)REKEY=$(B)/$(program) REKEY_BENCH=$(B)/rekey-bench $(PYTHON) $(or $(BOARD_BENCH),tests/bench/bench.py)
	$(Q)$(if $(BOARD_BENCH)$(strip $(EXEC)),,REKEY=$(B)/$(program) $(PYTHON) tests/bench/beside_curl.py $(BENCH_FLAGS))

format: ## let clang-format have its way
	clang-format -i $(c_files)

clean: ## remove what was built; build/deps stays
	rm -rf $(filter-out $(DEPS_DIR),$(wildcard build/*))
