# examples.mk - programs to copy from (docs/porting.md). What a device has of its own, as its flash, is a model here: tests/e2e.

examples := flash_rotation modem_token secure_element

.PHONY: examples
examples: $(addprefix $(B)/examples/,$(examples)) ## build what an application can copy from (boards/examples)

$(B)/examples/flash_rotation: $(addprefix $(B)/boards/examples/,flash_storage.o flash_record.o) $(B)/tests/flash_file.o
$(B)/examples/secure_element: $(B)/tests/element.o

$(B)/examples/%: $(B)/boards/examples/%.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(link)
$(B)/examples/%: BOARD_LDFLAGS += -fno-lto
