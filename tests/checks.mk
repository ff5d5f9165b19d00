# checks.mk - checks beyond the tests: style, static analysis, sanitizers, fuzzing, mutants, proofs, coverage, vectors.

c_files := $(wildcard src/*.[ch] port/*/*.[ch] port/*/*/*.[ch] boards/*/*.[ch] boards/*/*/*.[ch] tests/*/*.[ch])
sh_files := boards/deps.sh boards/lm3s6965evb/run $(wildcard boards/*/*.sh tests/*/*.sh boards/linux/debian/build boards/linux/debian/p* boards/linux/fleet/mender/Artifact*)
# No leak detection: there is no heap, and the detector cannot trace a process that is not dumpable.
sanitize := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_TIME := 120

.PHONY: check check-style check-layout check-analysis check-clang check-sanitizers check-valgrind deps-check format fuzz vectors mutate proof model coverage

##@ Checking
check: check-style check-layout check-pictures check-analysis check-clang check-sanitizers check-valgrind ## formatting, pictures, static analysis, both compilers, sanitizers, valgrind

deps-check: deps-test
	$(Q)boards/deps.sh packages clang clang-format clang-tidy cppcheck valgrind libclang-rt-dev shellcheck

check-style: deps-check
	clang-format --dry-run -Werror $(c_files)
	shellcheck -s sh $(sh_files)
	shellcheck -s bash boards/linux/completion.bash

check-layout: deps-test ## check that includes have one direction, that no file of the command is too long, and that references are valid
	$(PYTHON) tests/lint/layout.py
	$(PYTHON) tests/lint/references.py
	$(pytest) tests/lint tests/compare

check-analysis: deps-check
	cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=comparePointers:boards/lm3s6965evb/startup.c '--suppress=*:$(MBEDTLS)/*' \
	    -Isrc $(addprefix -Iport/,posix anchors mbedtls mbedtls/owner) -I$(MBEDTLS)/include \
	    '-DMBEDTLS_CONFIG_FILE="mbedtls_config.h"' -D__linux__ -D__unix__ -DREKEY_BUILD_TIME=1 src port boards
	clang-tidy --quiet --warnings-as-errors='*' $(wildcard src/*.c) -- -std=c11 $(our_cppflags)
	clang-tidy --quiet --warnings-as-errors='*' $(filter-out port/lwip/%,$(wildcard port/*/*.c port/*/*/*.c boards/linux/*.c boards/linux/command/*.c)) -- \
	    -std=c11 $(port_cppflags) -isystem $(MBEDTLS)/library

check-clang: deps-check
	$(MAKE) unit all B=build/clang CC=clang

.PHONY: check-pages
check: check-pages
check-pages: deps-test html ## check that docs/troubleshooting.md explains each message and exit code, and that links work
	$(PYTHON) tests/lint/troubleshooting.py
	$(pytest) tests/lint/test_troubleshooting.py tests/lint/test_to_html.py

check-sanitizers: deps-check
	ASAN_OPTIONS=detect_leaks=0 $(MAKE) unit e2e B=build/asan CFLAGS="$(sanitize)" FRAME_MAX=65536 REKEY_SANITIZED=1

check-valgrind: deps-check
	$(MAKE) e2e EXEC="valgrind -q --error-exitcode=99 --exit-on-first-error=yes" PYTEST_FLAGS="-m board"

format: ## format the C files with clang-format
	clang-format -i $(c_files)

# A separate build: all objects are instrumented, and libFuzzer has its own main.
fuzz: deps-check ## all fuzz entries at once, for FUZZ_TIME seconds
	$(make_quietly) B=build/fuzz CC=clang FUZZ_MAIN= LDFLAGS=-fsanitize=fuzzer FRAME_MAX=65536 \
	    CFLAGS="-fsanitize=fuzzer-no-link $(sanitize)" $(addprefix build/fuzz/fuzz/,$(fuzz_tests))
	$(Q)tests/fuzz/fuzz.sh build/fuzz/fuzz $(FUZZ_TIME) $(fuzz_tests)

$(B)/verify: $(B)/tests/verify.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(link)

# A separate build with a build time in 1970, so that no clock is too early.
export WYCHEPROOF_DIR LIMBO_DIR
vectors: deps-test ## run published vectors from checkouts in WYCHEPROOF_DIR and LIMBO_DIR; list the differences
	$(make_quietly) B=build/vectors SOURCE_DATE_EPOCH=1 $(addprefix build/vectors/,verify rekey clock.so)
	$(Q)$(PYTHON) tests/vectors/vectors.py --verify build/vectors/verify --rekey build/vectors/rekey --clock build/vectors/clock.so

mutate: deps-test ## change one token of src/ or port/ at a time: does a unit test fail? MUTATE_FLAGS="--sample 60" for some
	$(Q)$(PYTHON) tests/mutate/mutate.py $(MUTATE_FLAGS)

# The compiler's flags without -isystem, which CBMC does not know. CBMC runs gcc as its
# preprocessor.
proof: deps-sources ## prove the parsers with CBMC, up to the bounds that it prints; PROOF_FLAGS=--mutants: do the proofs see a fault?
	$(Q)boards/deps.sh packages gcc python3
	$(Q)boards/deps.sh sources cbmc
	$(Q)nice $(PYTHON) tests/proof/proof.py --cbmc $(or $(CBMC_DIR),$(DEPS_DIR)/cbmc)/cbmc $(PROOF_FLAGS) --cppflags \
	    $(subst -isystem ,-I,$(port_cppflags)) -Itests/proof -Iboards/linux -I$(MBEDTLS)/library

# A separate build, for speed. phases.c includes rotate.c, whose phases are private.
model_objects := $(patsubst tests/model/%.c,$(B)/tests/%.o,$(wildcard tests/model/*.c))
$(B)/model: link_more = ,--wrap=rekey_zeroize
$(B)/model: $(model_objects) $(filter-out $(B)/src/rotate.o,$(core_objects))
	$(call say,LD)
	$(link)

model: deps-sources ## explore the rotation: two adverse events over two runs; MODEL=deep: three, and more kinds; MODEL=mutants: does it see faults?
	$(make_quietly) build/model/model B=build/model CFLAGS="-O2 -g"
	$(Q)$(if $(filter mutants,$(MODEL)),$(PYTHON) tests/model/mutants.py $(MUTATE_FLAGS),build/model/model $(if $(filter deep,$(MODEL)),-d))

coverage: deps-test ## lines and branches of src/ that the unit tests reach: all of them, or it fails
	$(Q)boards/deps.sh packages gcovr
	$(Q)rm -rf build/coverage
	$(Q)tests/unit/coverage.sh build/coverage
