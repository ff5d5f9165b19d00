# What the static boards with musl share. MUSL_ARCH, Debian's name of the architecture, comes before the include.
# A compiler made for musl (Alpine, OpenWrt, some of Yocto's and Buildroot's) uses its own. Any other one is given
# that of boards/deps.sh, or MUSL_DIR: what `make install` of a musl for this machine left.
include boards/linux/static.mk
ifeq ($(findstring musl,$(shell $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC)) -dumpmachine 2>/dev/null)),)
BOARD_DEPS     := musl-$(MUSL_ARCH)
BOARD_LIBC     := musl $(if $(MUSL_DIR),of MUSL_DIR,$(word 2,$(shell cat $(DEPS_DIR)/musl-$(MUSL_ARCH).version 2>/dev/null)))
BOARD_CFLAGS   += -specs=$(or $(MUSL_DIR),$(DEPS_DIR)/musl-$(MUSL_ARCH))/lib/musl-gcc.specs -idirafter boards/linux/musl
else
BOARD_LIBC     := musl of the compiler
endif
# The compiler sees the whole command when it is linked, which makes it 8 KB smaller. The objects hold ordinary code, too:
# what is linked with them elsewhere, and the tests, need not wait for that.
ifneq ($(shell $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC)) -flto -ffat-lto-objects -x c -c /dev/null -o /dev/null 2>&1 || echo no),no)
BOARD_CFLAGS   += -flto -ffat-lto-objects
BOARD_LDFLAGS  += -flto-partition=one -ffunction-sections -fdata-sections
endif
# A command with a budget has no space for what hardens the others (docs/security.md): an address of its own for each run,
# tables that are read-only once it has begun, and a guard before each return address.
ifdef BOARD_COMMAND_MAX
BOARD_LDFLAGS  += -Wl,-z,norelro,-z,common-page-size=64
else
BOARD_CFLAGS   := $(patsubst -fno-pie,-fpie -fstack-protector-strong,$(BOARD_CFLAGS)) -fno-asynchronous-unwind-tables
BOARD_OBJECTS  := $(B)/boards/linux/musl/relro.o
$(B)/rekey: BOARD_LDFLAGS := $(patsubst -static,-static-pie,$(BOARD_LDFLAGS)) -Wl,-z,relro,-z,now
endif
# An snprintf of our own: musl's brings 7 KB of floating point along.
BOARD_OBJECTS  += $(B)/boards/linux/musl/printf.o
# Two functions that its getaddrinfo calls: 1.4 KB less where there are 32 bits.
BOARD_OBJECTS  += $(B)/boards/linux/musl/lookup.o
# A third slower at SHA-256, of which a handshake has little; 1.5 KB less.
BOARD_CPPFLAGS += -DMBEDTLS_SHA256_SMALLER
