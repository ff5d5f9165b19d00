# measure.mk - sizes, memory, and whole operations measured.

.PHONY: size memory bench fleet

##@ Measuring
size: deps-sources ## flash and RAM by part, the core, struct rekey, its stack; fails above a budget of the board
	$(make_quietly) all
	$(Q)CC="$(CC)" SIZE="$(SIZE)" STRIP="$(STRIP)" NM="$(NM)" CPPFLAGS="$(our_cppflags) $(BOARD_CFLAGS)" \
	    $(PYTHON) tests/bench/size.py $(B) $(B)/$(program) file=$(BOARD_COMMAND_MAX) flash=$(BOARD_FLASH_MAX) ram=$(BOARD_RAM_MAX) \
	    core=$(BOARD_CORE_MAX)

memory: ## write docs/memory.md: what make size prints, for every board
	+$(Q)tests/bench/memory.sh docs/memory.md "$(CC)"

# The command with a clock that runs faster, for the long rows of `make bench`.
$(B)/rekey-bench: link_more = ,--wrap=clock_gettime,--wrap=ppoll
$(B)/rekey-bench: $(command_objects) $(port_objects) $(B)/tests/fast_clock.o $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	$(link)

# Under an emulator instructions are counted, and nothing else.
on_this_machine := $(if $(BOARD_BENCH)$(strip $(EXEC)),,yes)
bench: all deps-test ## whole operations, also against a hostile service: memory must stay the same; instructions; beside curl
	$(Q)$(if $(on_this_machine),boards/deps.sh packages curl valgrind && $(MAKE) --no-print-directory -s $(B)/rekey-bench)
	$(Q)$(if $(BOARD_BENCH),,$(MAKE) --no-print-directory -s build/certs/.made)
	$(Q)$(if $(BOARD_BENCH)$(on_this_machine),REKEY=$(B)/$(program) REKEY_BENCH=$(B)/rekey-bench $(PYTHON) $(or $(BOARD_BENCH),tests/bench/bench.py))
	$(Q)$(if $(BOARD_INSTRUCTIONS),REKEY=$(B)/$(program) EXEC="$(strip $(EXEC))" ADDR2LINE=$(CROSS_COMPILE)addr2line \
	    BUDGETS="$(BOARD_INSTRUCTIONS)" $(PYTHON) tests/bench/operation.py)
	$(Q)$(if $(on_this_machine),REKEY=$(B)/$(program) $(PYTHON) tests/bench/beside_curl.py $(BENCH_FLAGS))

fleet: ## 10,000 gateways against the service's limit of writes: the worst wait of the last one; writes docs/fleet.svg
	$(Q)$(PYTHON) tests/bench/fleet.py write
