# What the static boards with musl share. MUSL_ARCH, Debian's name of the architecture, comes before the include.
# A compiler made for musl (Alpine, OpenWrt, some of Yocto's and Buildroot's) uses its own. Any other one is given
# that of boards/deps.sh, or MUSL_DIR: what `make install` of a musl for this machine left.
include boards/linux/static.mk
ifeq ($(findstring musl,$(shell $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC)) -dumpmachine 2>/dev/null)),)
BOARD_DEPS     := musl-$(MUSL_ARCH)
BOARD_CFLAGS   += -specs=$(or $(MUSL_DIR),$(DEPS_DIR)/musl-$(MUSL_ARCH))/lib/musl-gcc.specs -idirafter boards/linux/musl
endif
# Nothing in a static program of musl makes pages read-only once it has started: the alignment for that, and that of the data
# to a page, would be padding of the file.
BOARD_LDFLAGS  += -Wl,-z,norelro,-z,common-page-size=64
# An snprintf of our own: musl's brings 7 KB of floating point along. Sorting, numbers, options: 5 KB.
BOARD_OBJECTS  := $(addprefix $(B)/boards/linux/musl/,printf.o small.o getopt.o)
# A third slower at SHA-256, of which a handshake has little; 1.5 KB less.
BOARD_CPPFLAGS += -DMBEDTLS_SHA256_SMALLER
