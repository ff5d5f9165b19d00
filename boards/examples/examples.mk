# examples.mk - programs to copy from (docs/porting.md). What a device has of its own, as its flash, is a model here: tests/e2e.

# A task over lwIP with its own thread: lwIP's port to POSIX threads, in its contrib folder, stands for an RTOS.
rtos_lwip    := $(wildcard $(LWIP)/contrib/ports/unix/port/sys_arch.c)
rtos_task    := $(if $(rtos_lwip),$(if $(shell grep -l ready_arg port/lwip/tcp.h),rtos_task))
rtos_objects := $(patsubst $(LWIP)/%.c,$(B)/rtos/%.o,$(wildcard $(LWIP)/src/core/*.c $(LWIP)/src/core/ipv4/*.c $(LWIP)/src/api/*.c) $(rtos_lwip)) \
    $(B)/rtos/tcp.o
rtos_cppflags = $(port_cppflags) -Itests/e2e/lwip -Iport/lwip -isystem $(LWIP)/src/include -isystem $(LWIP)/contrib/ports/unix/port/include

examples := flash_rotation modem_token secure_element $(if $(wildcard port/mbedtls/owner/owner.h),many_clients $(rtos_task))

.PHONY: examples
examples: $(addprefix $(B)/examples/,$(examples)) ## build what an application can copy from (boards/examples)

# Until port/mbedtls/owner is there.
ifeq ($(wildcard port/mbedtls/owner/owner.h),)
$(B)/boards/examples/%.o: port_cppflags += -Iboards/examples/before
endif

$(B)/examples/flash_rotation: $(addprefix $(B)/boards/examples/,flash_storage.o flash_record.o) $(B)/tests/flash_file.o
$(B)/examples/secure_element: $(B)/tests/element.o

$(B)/examples/%: $(B)/boards/examples/%.o $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(BOARD_CFLAGS) $(LDFLAGS) $(BOARD_LDFLAGS) -Wl,--gc-sections $(filter %.o,$^) $(filter %.a,$^) -o $@
$(B)/examples/%: BOARD_LDFLAGS += -fno-lto

$(B)/examples/rtos_task: $(rtos_objects) $(B)/tests/rtos_board.o
$(B)/examples/rtos_task: BOARD_LDFLAGS += -pthread
$(B)/boards/examples/rtos_task.o: port_cppflags := $(rtos_cppflags)
$(B)/tests/rtos_board.o: test_cppflags := $(rtos_cppflags)
$(B)/rtos/tcp.o: port_cppflags := $(rtos_cppflags)
$(B)/rtos/tcp.o: port/lwip/tcp.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(compile)

$(B)/rtos/%.o: $(LWIP)/%.c $(B)/flags tests/e2e/lwip/lwipopts.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(rtos_cppflags) $(CFLAGS) $(our_cflags) $(BOARD_CFLAGS) -w -c $< -o $@
