# tests.mk - the tests, and the stand-in service (docs/testing.md).

fuzz_tests    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
of_this_build := REKEY=$(B)/$(program) REKEY_BUILD=$(B) REKEY_EXEC="$(EXEC)" REKEY_NM=$(NM)
pytest        := $(PYTHON) -m pytest -q -rs -p no:cacheprovider $(PYTEST_FLAGS)
# Side by side, because most of the time is waiting. An emulator takes a processor.
PYTEST_JOBS   ?= $(if $(EXEC),3,6)
side_by_side  := $(if $(BOARD_E2E),,-n $(PYTEST_JOBS) --dist loadgroup)
vpath %.c tests/unit tests/fault tests/fuzz tests/bench tests/vectors tests/e2e tests/model

.PHONY: test test-all unit unit-here e2e template demo arm deps-demo deps-test deps-peers

##@ Testing
test: deps unit e2e ## get what is missing, build, run the tests, of long tables a sample: 5 minutes on two cores

test-all: export REKEY_ALL := 1
test-all: test ## the same with every row of every table: three times as long

unit: deps-test ## the unit tests alone, and the seeds of the fuzz entries
	$(make_quietly) $(addprefix $(B)/unit/,$(unit_tests)) template
	$(make_quietly) $(or $(BOARD_UNIT),unit-here)

# On a machine with processes and files. A board without them has a target of its own, BOARD_UNIT.
unit-here: $(addprefix $(B)/fuzz/,$(fuzz_tests))
	$(Q)EXEC="$(EXEC)" tests/unit/run.sh $(B) $(unit_tests) -- $(fuzz_tests)

e2e: all deps-test $(if $(BOARD_E2E),,deps-peers) ## the end-to-end tests alone: the command against the stand-in service, over real TLS
	$(make_quietly) build/certs/.made $(preloads) $(if $(BOARD_E2E),,$(B)/example $(B)/anchors)
	$(Q)$(of_this_build) $(pytest) $(side_by_side) $(or $(BOARD_E2E),tests/e2e)

demo: deps-demo ## the whole job in a minute: build, start the stand-in service, regenerate a key
	$(make_quietly) all build/certs/.made $(if $(BOARD_DEMO),,$(preloads))
	$(Q)$(of_this_build) $(PYTHON) $(or $(BOARD_DEMO),tests/arm/demo.py)
	$(make_quietly) size | grep '^sizeof'

arm: deps-demo all ## build, and start the stand-in service by hand; prints a command to paste
	$(make_quietly) build/certs/.made
	$(Q)$(PYTHON) tests/arm/arm.py --certs build/certs --demo $(B)/$(program)

# What the stand-in service needs, and no more.
deps-demo:
	$(Q)boards/deps.sh packages dpkg-dev $(BOARD_PACKAGES) python3 openssl

deps-test:
	$(Q)boards/deps.sh packages dpkg-dev $(BOARD_PACKAGES) python3 python3-pytest python3-pytest-xdist python3-cryptography openssl iproute2 strace
	$(Q)boards/deps.sh sources mbedtls jsmn cmocka $(BOARD_DEPS)

# The web servers that stand in front of the service in the end-to-end tests; without them these are skipped.
deps-peers:
	$(Q)boards/deps.sh peers || true

# ---- what the tests are made of -------------------------------------------------------------------

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
	$(link)

$(B)/unit/% $(B)/fuzz/% $(B)/anchors $(B)/example: BOARD_LDFLAGS += -fno-lto

# A fuzz entry with a main of its own: libFuzzer's for `make fuzz`, or the one that runs the seeds.
FUZZ_MAIN = $(B)/tests/replay.o
$(B)/fuzz/%: $(B)/tests/fuzz_%.o $(FUZZ_MAIN) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(link)

# Prints what trust anchors a bundle has, for the end-to-end tests.
$(B)/anchors: $(B)/tests/anchors.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(link)

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
