################################################################################
#
# rekey
#
################################################################################

REKEY_VERSION = 0.2.0
# The directory in which `make dist` puts the tarball. This file is in the tarball, so it cannot have its checksum.
REKEY_SITE = $(realpath $(BR2_EXTERNAL_REKEY_PATH)/../../../..)/build
REKEY_SITE_METHOD = file
BR_NO_CHECK_HASH_FOR += $(REKEY_SOURCE)
REKEY_LICENSE = MIT, Apache-2.0 (Mbed TLS)
REKEY_LICENSE_FILES = LICENSE boards/linux/NOTICE parts/mbedtls/LICENSE
REKEY_INSTALL_STAGING = YES
REKEY_DEPENDENCIES = jsmn

# Compiled in with its own configuration, so the package mbedtls cannot be used.
REKEY_MBEDTLS_VERSION = 3.6.7
REKEY_MBEDTLS_SOURCE = mbedtls-$(REKEY_MBEDTLS_VERSION).tar.bz2
REKEY_EXTRA_DOWNLOADS = \
	https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-$(REKEY_MBEDTLS_VERSION)/$(REKEY_MBEDTLS_SOURCE)

define REKEY_EXTRACT_MBEDTLS
	mkdir -p $(@D)/parts/mbedtls
	$(call suitable-extractor,$(REKEY_MBEDTLS_SOURCE)) $(REKEY_DL_DIR)/$(REKEY_MBEDTLS_SOURCE) | \
		$(TAR) --strip-components=1 -C $(@D)/parts/mbedtls $(TAR_OPTIONS) -
endef
REKEY_POST_EXTRACT_HOOKS += REKEY_EXTRACT_MBEDTLS

# The board is `linux`, whatever the C library is: Buildroot's compiler and flags decide. Without systemd, no units are
# installed.
REKEY_MAKE = $(TARGET_MAKE_ENV) $(MAKE) -C $(@D) $(TARGET_CONFIGURE_OPTS) PREFIX=/usr \
	MBEDTLS_DIR=parts/mbedtls JSMN_DIR=parts/jsmn JSMN_VERSION=$(JSMN_VERSION) \
	$(if $(BR2_INIT_SYSTEMD),,UNITDIR=)

define REKEY_BUILD_CMDS
	$(INSTALL) -D -m 0644 $(STAGING_DIR)/usr/include/jsmn.h $(@D)/parts/jsmn/jsmn.h
	$(REKEY_MAKE)
endef

define REKEY_INSTALL_STAGING_CMDS
	$(REKEY_MAKE) install-library DESTDIR=$(STAGING_DIR)
endef

define REKEY_INSTALL_TARGET_CMDS
	$(REKEY_MAKE) install-command DESTDIR=$(TARGET_DIR)
	$(INSTALL) -D -m 0755 $(@D)/boards/linux/packaging/rekey-loop $(TARGET_DIR)/usr/libexec/rekey-loop
endef

define REKEY_USERS
	rekey -1 rekey -1 * /var/lib/rekey - rekey-key Rotates keys of Azure ML endpoints
endef

$(eval $(generic-package))
