# What the static boards with musl share. MUSL_ARCH, Debian's name of the architecture, comes before the include. A
# compiler made for musl (Alpine, OpenWrt, some of Yocto's and Buildroot's) uses its own musl. Any other one uses that
# of boards/deps.sh, or MUSL_DIR: the directory into which `make install` of a musl for this machine wrote.
include boards/linux/static.mk
ifeq ($(findstring musl,$(shell $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC)) -dumpmachine 2>/dev/null)),)
BOARD_DEPS     := musl-$(MUSL_ARCH)
BOARD_LIBC     := musl $(if $(MUSL_DIR),of MUSL_DIR,$(word 2,$(shell cat $(DEPS_DIR)/musl-$(MUSL_ARCH).version 2>/dev/null)))
BOARD_CFLAGS   += -specs=$(or $(MUSL_DIR),$(DEPS_DIR)/musl-$(MUSL_ARCH))/lib/musl-gcc.specs -idirafter boards/linux/musl
else
BOARD_LIBC     := musl of the compiler
endif
# The compiler sees the whole command when it is linked, which makes the command 8 KB smaller. The objects also contain
# ordinary code, so that the tests and other programs link faster.
ifneq ($(shell $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC)) -flto -ffat-lto-objects -x c -c /dev/null -o /dev/null 2>&1 || echo no),no)
BOARD_CFLAGS   += -flto -ffat-lto-objects
BOARD_LDFLAGS  += -flto-partition=one -ffunction-sections -fdata-sections
endif
# A command with a budget has no space for the hardening of the others (docs/security.md): another address for each run,
# tables that are read-only after the start, and a guard before each return address.
ifdef BOARD_COMMAND_MAX
BOARD_LDFLAGS  += -Wl,-z,norelro,-z,common-page-size=64
else
BOARD_CFLAGS   := $(patsubst -fno-pie,-fpie -fstack-protector-strong,$(BOARD_CFLAGS)) -fno-asynchronous-unwind-tables
BOARD_OBJECTS  := $(B)/boards/linux/musl/relro.o
$(B)/rekey: BOARD_LDFLAGS := $(patsubst -static,-static-pie,$(BOARD_LDFLAGS)) -Wl,-z,relro,-z,now
endif
# Our own snprintf: musl's adds 7 KB of floating point.
BOARD_OBJECTS  += $(B)/boards/linux/musl/printf.o
# Two functions that musl's getaddrinfo calls: 1.4 KB less on 32-bit machines.
BOARD_OBJECTS  += $(B)/boards/linux/musl/lookup.o
# SHA-256 is a third slower, but a handshake needs little of it; 1.5 KB less.
BOARD_CPPFLAGS += -DMBEDTLS_SHA256_SMALLER
