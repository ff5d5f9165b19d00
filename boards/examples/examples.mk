# examples.mk - programs to copy from (docs/porting.md). Parts of a device, such as its flash, are models here:
# tests/e2e.

examples := $(if $(BOARD_GUEST),,regenerate) flash_rotation modem_token secure_element many_clients rtos_task

.PHONY: examples
examples: deps-test ## build the examples for applications (boards/examples)
	$(make_quietly) $(addprefix $(B)/examples/,$(examples))

e2e: $(if $(BOARD_E2E),,examples)

# An mbedTLS that allocates from the heap.
ifneq ($(BOARD_GUEST),)
$(B)/boards/examples/many_clients.o: port_cppflags += -DAT_ONCE=50
endif

# It includes <rekey/...>, as applications do; a guest of mbedTLS has no <rekey/owner.h>.
$(B)/boards/examples/regenerate.o: port_cppflags += -I$(B)/include
$(B)/boards/examples/regenerate.o: | $(linked_headers)
$(B)/examples/flash_rotation: $(addprefix $(B)/boards/examples/,flash_storage.o flash_record.o) $(B)/tests/flash_file.o
$(B)/examples/secure_element: $(B)/tests/element.o
$(B)/examples/rtos_task: $(B)/tests/rtos_board.o $(B)/lwip-unix/liblwip.a
$(B)/examples/rtos_task: BOARD_LDFLAGS += $(lwip_unix_ldflags)
$(B)/boards/examples/rtos_task.o: port_cppflags := $(lwip_unix_cppflags)
$(B)/tests/rtos_board.o: test_cppflags += $(lwip_unix_cppflags)

$(B)/examples/%: $(B)/boards/examples/%.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $(filter %.o,$^) $(filter %.a,$^) -o $@
$(B)/examples/%: BOARD_LDFLAGS += -fno-lto
