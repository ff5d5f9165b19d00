# port.mk - the porters' kit (docs/porting.md): the checks of a transport, the programs that apply them to rekey's own
# ports, and transports that break a sentence on purpose.

check_objects := $(patsubst %.c,$(B)/%.o,$(wildcard tests/port/check*.c tests/port/calls.c))
subject_objects := $(check_objects) $(addprefix $(B)/tests/port/,subject.o lookup.o pass.o small.o)

# The available ports, and the broken transports: over TCP, or over TLS. A board without processes
# has its own image.
ifneq ($(BOARD_E2E),)
port_checks := $(B)/port-check/firmware.elf
else
check_ports  := posix mbedtls $(if $(wildcard port/sockets),sockets) $(if $(wildcard tests/lwip/host.c),lwip)
broken_posix := order refuse keep block timer part zero close explain
broken_tls   := cut name notify
port_checks  := $(addprefix $(B)/port-check/,$(check_ports) $(addprefix broken_,$(broken_posix) $(broken_tls)))

endif

.PRECIOUS: $(B)/tests/port/%.o
.PHONY: port-check
##@ Porting
port-check: deps-test ## check the ports against rekey_port.h with a hostile peer; broken transports must be detected
	$(make_quietly) $(port_checks)
	$(Q)EXEC="$(EXEC)" $(PYTHON) tests/port/run.py $(port_checks)

$(B)/tests/port/%.o: tests/port/%.c $(B)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(port_cppflags) -Itests/port $(CFLAGS) $(our_cflags) $(filter-out -Wframe%,$(our_warnings)) $(BOARD_CFLAGS) -c $< -o $@

$(addprefix $(B)/port-check/broken_,$(broken_posix)): $(B)/tests/port/posix.o
$(addprefix $(B)/port-check/broken_,$(broken_tls)): $(B)/tests/port/mbedtls.o
$(B)/port-check/broken_notify: link_more = ,--wrap=mbedtls_ssl_close_notify
$(B)/port-check/broken_%: $(B)/tests/port/broken_%.o $(subject_objects) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(link)

$(B)/port-check/sockets: $(B)/port/sockets/sockets.o
$(B)/tests/port/sockets.o: BOARD_CFLAGS += -Iport/sockets
$(B)/port-check/lwip: $(B)/lwip-unix/liblwip.a
$(B)/port-check/lwip: BOARD_LDFLAGS += $(lwip_unix_ldflags)
$(B)/tests/port/lwip.o: port_cppflags = $(lwip_unix_cppflags)
$(B)/port-check/%: $(B)/tests/port/%.o $(B)/tests/port/sound.o $(subject_objects) $(port_objects) $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(link)

# The kit needs stack in addition to the handshake's.
$(B)/port-check/firmware.elf: BOARD_STACK := 8192
$(B)/port-check/firmware.elf: $(B)/tests/port/firmware.o $(check_objects) $(filter-out %/main.o,$(board_objects)) $(port_objects) $(lwip_objects) \
    $(B)/librekey.a $(B)/libmbedtls.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(link)

-include $(wildcard $(B)/tests/port/*.d)
