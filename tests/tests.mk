# tests.mk - the tests, and the stand-in service (docs/testing.md).

fuzz_tests    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
of_this_build := REKEY=$(B)/$(program) REKEY_BUILD=$(B) REKEY_EXEC="$(EXEC)" REKEY_NM=$(NM)
pytest        := $(PYTHON) -m pytest -q -rs -p no:cacheprovider $(PYTEST_FLAGS)
# Several at a time, because most of the time is waiting. An emulator needs a processor for itself.
PYTEST_JOBS   ?= $(if $(EXEC),3,6)
side_by_side  := $(if $(BOARD_E2E),,-n $(PYTEST_JOBS) --dist loadgroup)
vpath %.c tests/unit tests/fault tests/fuzz tests/bench tests/vectors tests/e2e tests/model tests/pictures

.PHONY: test test-all unit unit-here e2e e2e-guest guest-one template demo arm deps-demo deps-test deps-peers

##@ Testing
test: deps unit e2e ## get what is missing, build, run the tests (a sample of long tables): 5 minutes on two cores

test-all: export REKEY_ALL := 1
test-all: test ## the same with every row of every table: three times as long

unit: deps-test ## the unit tests alone, and the seeds of the fuzz entries
	$(make_quietly) $(addprefix $(B)/unit/,$(unit_tests)) template
	$(make_quietly) $(or $(BOARD_UNIT),unit-here)

# For a machine with processes and files. A board without them has its own target, BOARD_UNIT.
unit-here: $(addprefix $(B)/fuzz/,$(fuzz_tests))
	$(Q)EXEC="$(EXEC)" tests/unit/run.sh $(B) $(unit_tests) -- $(fuzz_tests)

# The tests in these files need tools that only `make check-install` installs.
with_more_tools := fleet.py image.py kubernetes.py systemd.py

e2e: all deps-test $(if $(BOARD_E2E),,deps-peers) ## the end-to-end tests alone: the command against the stand-in service, over real TLS
	$(make_quietly) build/certs/.made $(preloads) $(if $(BOARD_E2E),,$(B)/anchors $(B)/many)
	$(Q)$(of_this_build) $(pytest) $(side_by_side) $(or $(BOARD_E2E),tests/e2e $(addprefix --ignore=tests/e2e/test_,$(with_more_tools)))

# port/mbedtls over an mbedTLS that is not ours. No distribution has 4.x, so that half needs
# MBEDTLS4_DIR.
guest_tests := $(patsubst %,tests/e2e/test_%.py,tls chains trust hostile regenerate many credentials)
guest_build := rekey many anchors clock.so files.so heap.so
e2e-guest: export REKEY_ALL := 1
e2e-guest: deps-test build/certs/.made ## the TLS tests over a stock mbedTLS 3.6, and over the 4.x installed in MBEDTLS4_DIR, if that is set
	$(Q)$(MAKE) --no-print-directory -s guest-one BOARD=linux-stock B=build/linux-stock
	$(Q)$(if $(MBEDTLS4_DIR),$(MAKE) --no-print-directory -s guest-one BOARD=linux-stock B=build/linux-stock-4 MBEDTLS_DIR=$(MBEDTLS4_DIR),\
	    echo "mbedTLS 4.x: skipped, MBEDTLS4_DIR is not set")

guest-one:
	$(make_quietly) $(addprefix $(B)/,$(guest_build))
	$(Q)$(of_this_build) $(pytest) $(side_by_side) $(guest_tests)

demo: deps-demo ## everything in a minute: build, start the stand-in service, regenerate a key
	$(make_quietly) all build/certs/.made $(if $(BOARD_DEMO),,$(preloads))
	$(Q)$(of_this_build) $(PYTHON) $(or $(BOARD_DEMO),tests/arm/demo.py)
	$(make_quietly) size | grep '^sizeof'

arm: deps-demo all ## build, and start the stand-in service by hand; prints a command to paste
	$(make_quietly) build/certs/.made
	$(Q)$(PYTHON) tests/arm/arm.py --certs build/certs --demo $(B)/$(program)

# The packages that the stand-in service needs.
deps-demo:
	$(Q)boards/deps.sh packages dpkg-dev $(BOARD_PACKAGES) python3 openssl

deps-test:
	$(Q)boards/deps.sh packages dpkg-dev $(BOARD_PACKAGES) python3 python3-pytest python3-pytest-xdist python3-cryptography openssl iproute2 strace
	$(Q)boards/deps.sh sources $(our_mbedtls) jsmn cmocka $(if $(BOARD_E2E),,lwip) $(BOARD_DEPS)

# The web servers that run in front of the service in the end-to-end tests; without them these tests are skipped.
deps-peers:
	$(Q)boards/deps.sh peers || true

# ---- the parts of the tests -----------------------------------------------------------------------

# cmocka is compiled from its source on every board; these flags replace its checks by cmake.
cmocka_cppflags := -DHAVE_UINTPTR_T $(or $(BOARD_CMOCKA_CPPFLAGS),-DHAVE_SIGNAL_H -DHAVE_SIGLONGJMP -DHAVE_STRUCT_TIMESPEC \
    -DHAVE_CLOCK_REALTIME -DHAVE_CLOCK_GETTIME -D_GNU_SOURCE)
test_cppflags := $(port_cppflags) -Iport/sockets -Itests/unit -Itests/vectors -isystem $(CMOCKA)/include -DHAVE_UINTPTR_T

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
	$(link)

$(B)/unit/% $(B)/fuzz/% $(B)/anchors $(B)/many: BOARD_LDFLAGS += -fno-lto

# port/sockets, which no command uses. It is compiled against POSIX only.
$(B)/unit/sockets: $(B)/port/sockets/sockets.o
$(B)/port/sockets/%.o: port_cppflags := $(our_cppflags) -D_POSIX_C_SOURCE=200809L

# lwIP with threads in a process of this machine (its unix port), with port/lwip and port/sockets over it, and a relay
# to the machine's own loopback interface (tests/lwip/host.h): $(B)/lwip-unix/liblwip.a, which is linked with
# $(lwip_unix_ldflags).
lwip_unix_sources := $(wildcard $(LWIP)/src/core/*.c $(LWIP)/src/core/ipv4/*.c $(LWIP)/src/core/ipv6/*.c $(LWIP)/src/api/*.c) \
    $(LWIP)/src/netif/ethernet.c $(LWIP)/contrib/ports/unix/port/sys_arch.c
lwip_unix_objects := $(patsubst $(LWIP)/%.c,$(B)/lwip-unix/%.o,$(lwip_unix_sources)) \
    $(addprefix $(B)/lwip-unix/,port/lwip/tcp.o port/sockets/sockets.o tests/lwip/host.o tests/lwip/sockets_client.o)
lwip_unix_cppflags := $(port_cppflags) -Itests/lwip -Iport/lwip -Iport/sockets '-DREKEY_SOCKETS_HEADER=<lwip/sockets.h>' \
    -isystem $(LWIP)/src/include -isystem $(LWIP)/contrib/ports/unix/port/include
lwip_unix_ldflags := -pthread
compile_lwip_unix = $(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(lwip_unix_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -pthread

# lwIP reads packets without alignment, which the sanitizer of undefined behaviour reports. Its coverage is of no
# interest.
$(B)/lwip-unix/%.o: $(LWIP)/%.c $(B)/flags tests/lwip/lwipopts.h
	$(compile_lwip_unix) -w $(if $(findstring --coverage,$(CFLAGS)),-fno-profile-arcs -fno-test-coverage) $(if $(findstring undefined,$(CFLAGS)),-fno-sanitize=undefined) -c $< -o $@
$(B)/lwip-unix/port/%.o: port/%.c $(B)/flags tests/lwip/lwipopts.h
	$(compile_lwip_unix) $(filter-out -Wframe%,$(our_warnings)) -c $< -o $@
$(B)/lwip-unix/tests/%.o: tests/%.c $(B)/flags tests/lwip/lwipopts.h
	$(compile_lwip_unix) $(filter-out -Wframe%,$(our_warnings)) -c $< -o $@

$(B)/lwip-unix/liblwip.a: $(lwip_unix_objects)
	$(call say,AR)
	$(archive)

$(B)/tests/test_lwip.o: test_cppflags += $(lwip_unix_cppflags)
$(B)/unit/lwip: $(B)/lwip-unix/liblwip.a
$(B)/unit/lwip: BOARD_LDFLAGS += $(lwip_unix_ldflags)

# A fuzz entry needs a main: libFuzzer's for `make fuzz`, or the one that runs the seeds.
FUZZ_MAIN = $(B)/tests/replay.o
$(B)/fuzz/%: $(B)/tests/fuzz_%.o $(FUZZ_MAIN) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(link)

# Prints the trust anchors of a bundle, for the end-to-end tests.
$(B)/anchors: $(B)/tests/anchors.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(link)

# Many clients in one thread, for the end-to-end tests.
$(B)/many: $(B)/tests/many.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(link)

# The tests preload these into the command: they count calls of the heap, shift the wall clock, or limit the file
# system. They do not work in a static command. Under an emulator, the emulator's clock is shifted.
preloads := $(if $(BOARD_E2E),$(B)/clock.so,$(if $(EXEC)$(filter -static,$(BOARD_LDFLAGS)),,$(addprefix $(B)/,heap.so clock.so files.so)))
$(B)/%.so: tests/e2e/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC -O1 -Wall -Wextra -Werror $< -o $@ -ldl

# The porter's page must compile.
template: $(B)/port/template/port.o

build/certs/.made: tests/arm/certs.sh
	$(Q)tests/arm/certs.sh build/certs && touch $@
