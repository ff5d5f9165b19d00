# pictures.mk - the pictures of docs/, which are made from the code.

.PHONY: pictures check-pictures picture-programs

pictures: picture-programs ## write docs/*.svg, from the code, a run of the command, and docs/memory.md
	$(Q)$(PYTHON) tests/pictures/pictures.py $(B) build/model/model docs
	$(Q)$(PYTHON) tests/bench/fleet.py write >/dev/null

# Without docs/fleet.svg, which takes longer: tests/e2e/test_fleet.py compares it.
check-pictures: picture-programs ## check that the pictures are those that `make pictures` writes
	$(Q)$(PYTHON) tests/pictures/pictures.py $(B) build/model/model build/pictures
	$(Q)for each in build/pictures/*.svg; do \
	    cmp $$each docs/$${each##*/} || { echo "run make pictures"; exit 1; }; done
	$(pytest) tests/pictures

picture-programs: deps-demo deps-sources
	$(Q)boards/deps.sh packages iproute2
	$(make_quietly) $(B)/rekey $(B)/clock.so $(B)/outcomes build/certs/.made
	$(make_quietly) build/model/model B=build/model CFLAGS="-O2 -g"

$(B)/outcomes: BOARD_LDFLAGS += -fno-lto
$(B)/outcomes: $(B)/tests/outcomes.o $(filter-out $(B)/src/rekey.o,$(core_objects))
	$(call say,LD)
	$(link)
