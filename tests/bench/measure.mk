# measure.mk - measurements of sizes, memory, and complete operations.

.PHONY: size memory arena bench compare fleet

##@ Measuring
size: deps-sources ## flash and RAM by part, the core, struct rekey, its stack; fails above a budget of the board
	$(make_quietly) all
	$(Q)CC="$(CC)" SIZE="$(SIZE)" STRIP="$(STRIP)" NM="$(NM)" CPPFLAGS="$(our_cppflags) $(BOARD_CFLAGS)" \
	    $(PYTHON) tests/bench/size.py $(B) $(B)/$(program) file=$(BOARD_COMMAND_MAX) flash=$(BOARD_FLASH_MAX) ram=$(BOARD_RAM_MAX) \
	    core=$(BOARD_CORE_MAX)

memory: ## write docs/memory.md (make size for every board, and make arena) and its pictures
	+$(Q)tests/bench/memory.sh docs/memory.md "$(CC)"
	+$(Q)$(MAKE) --no-print-directory pictures

arena: deps-test build/certs/.made ## BOARD=lm3s6965evb: the use of the TLS arena during one operation: a table, and docs/arena.svg
	$(if $(BOARD_TRACE),,$(error BOARD=$(BOARD): its allocations cannot be traced, those of BOARD=lm3s6965evb can))
	$(make_quietly) $(B)/$(BOARD_TRACE)
	$(Q)NM=$(NM) $(PYTHON) tests/bench/arena.py $(B)/$(BOARD_TRACE) $(patsubst REKEY_ARENA_SIZE=%,%,$(filter REKEY_ARENA_SIZE=%,$(limits)))

# The command with a faster clock, for the long rows of `make bench`.
$(B)/rekey-bench: link_more = ,--wrap=clock_gettime,--wrap=ppoll
$(B)/rekey-bench: $(command_objects) $(port_objects) $(B)/tests/fast_clock.o $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(link)

# Under an emulator instructions are counted, and nothing else.
on_this_machine := $(if $(BOARD_BENCH)$(strip $(EXEC)),,yes)
bench: all deps-test ## complete operations, also against a hostile service: memory must stay the same; instructions; bytes on the wire; a comparison with curl
	$(Q)$(if $(on_this_machine),boards/deps.sh packages curl valgrind && $(MAKE) --no-print-directory -s $(B)/rekey-bench)
	$(Q)$(if $(BOARD_BENCH),,$(MAKE) --no-print-directory -s build/certs/.made)
	$(Q)$(if $(BOARD_BENCH)$(on_this_machine),REKEY=$(B)/$(program) REKEY_BENCH=$(B)/rekey-bench $(PYTHON) $(or $(BOARD_BENCH),tests/bench/bench.py))
	$(Q)$(if $(BOARD_INSTRUCTIONS),REKEY=$(B)/$(program) EXEC="$(strip $(EXEC))" ADDR2LINE=$(CROSS_COMPILE)addr2line \
	    BUDGETS="$(BOARD_INSTRUCTIONS)" $(PYTHON) tests/bench/operation.py)
	$(Q)$(if $(on_this_machine),REKEY_BENCH=$(B)/rekey-bench $(PYTHON) tests/bench/wire.py)
	$(Q)$(if $(on_this_machine),REKEY=$(B)/$(program) $(PYTHON) tests/bench/beside_curl.py $(BENCH_FLAGS))

# The page names each tool that cannot be installed, with the reason. Node.js may come from elsewhere, with its own npm.
compare_in := build/compare
compare: deps-test ## write docs/comparison.md: rekey beside curl, az and the SDKs; installs them (a gigabyte, ten minutes)
	$(make_quietly) build/certs/.made
	$(Q)$(foreach b,linux linux-musl,$(MAKE) --no-print-directory -s all BOARD=$(b) B=build/$(b) &&) boards/deps.sh packages ca-certificates curl jq
	$(Q)for package in azure-cli python3-azure; do boards/deps.sh packages $$package || true; done
	$(Q)command -v npm >/dev/null || boards/deps.sh packages nodejs npm || true
	$(Q)mkdir -p $(compare_in) && cp tests/compare/package.json tests/compare/sdk.mjs $(compare_in)
	$(Q)cd $(compare_in) && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts || true
	$(Q)REKEY=build/linux/rekey REKEY_STATIC=build/linux-musl/rekey $(PYTHON) tests/compare/compare.py docs/comparison.md

fleet: ## 10,000 gateways against the service's limit of writes: the longest wait; writes docs/fleet.svg
	$(Q)$(PYTHON) tests/bench/fleet.py write
