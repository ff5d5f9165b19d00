# install.mk - installing, and packages for Debian.

# The directories. A distribution with other places sets these variables; no other directory is written. An empty
# UNITDIR= leaves out the files for systemd: the units, the user, the examples. Nothing is stripped: a distribution
# strips by its own rules, and keeps the debugging information.
PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib
INCLUDEDIR  ?= $(PREFIX)/include
MANDIR      ?= $(PREFIX)/share/man
DOCDIR      ?= $(PREFIX)/share/doc/rekey
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERS    ?= $(PREFIX)/lib/sysusers.d
INSTALL     ?= install

install_script := $(foreach v,DESTDIR BINDIR LIBDIR INCLUDEDIR MANDIR DOCDIR COMPLETIONS UNITDIR SYSUSERS INSTALL B VERSION,$v="$($v)") \
    boards/linux/install.sh

# The libraries that are linked into the program.
libraries := mbedtls jsmn $(BOARD_DEPS) $(if $(findstring picolibc,$(BOARD_PACKAGES)),picolibc)
sbom      := DEPS_DIR="$(DEPS_DIR)" VERSION="$(VERSION)" SOURCE_DATE_EPOCH="$(SOURCE_DATE_EPOCH)" MBEDTLS="$(MBEDTLS)" \
    JSMN_VERSION="$(JSMN_VERSION)" boards/linux/sbom.sh

.PHONY: install install-command install-library uninstall html deps-html sbom deb deb-all deb-one deps-cross deps-install check-install dist

##@ Installing
install: install-command install-library ## install command, library, man pages, units under DESTDIR and PREFIX (/usr/local)

install-command: all ## install only what a gateway needs
	$(Q)$(if $(BOARD_PROGRAM),echo "$(board) has no command to install"; exit 1)
	$(Q)$(install_script) command

# Two archives, because an application may have its own TLS: librekey.a is the core with the ports, librekey-tls.a is
# port/mbedtls with mbedTLS in our configuration. All names of that mbedTLS get a prefix, so that an application may use
# another one as well; for this the archive must contain machine code, not only the output of -flto.
$(B)/install/librekey.a: $(core_objects) $(filter-out $(B)/port/mbedtls/%,$(port_objects))
	@mkdir -p $(@D)
	$(archive)

$(B)/install/librekey-tls.a: $(filter $(B)/port/mbedtls/%,$(port_objects)) $(mbedtls_objects) boards/linux/install.mk
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) crsD $@ $(filter %.o,$^)
	$(Q)$(NM) -g --defined-only $@ 2>/dev/null | sed -n 's/^[0-9a-f]* [A-Z] //p' | grep -v '^rekey_' | sort -u | sed 's/.*/& rekey_&/' >$@.names
	$(Q)$(OBJCOPY) --redefine-syms=$@.names -R '.gnu.lto_*' -R '.gnu.debuglto_*' $@ || \
	    { echo '$@: with -flto, CFLAGS needs -ffat-lto-objects' >&2; exit 1; }

install-library: all ## install only what an application needs
	$(make_quietly) $(B)/install/librekey.a $(B)/install/librekey-tls.a
	$(Q)PUBLIC="$(public_headers)" BOARD_ABI="$(BOARD_ABI)" BOARD_LDFLAGS="$(if $(BOARD_PROGRAM),,$(BOARD_LDFLAGS))" \
	    $(install_script) library $(CC) $(CPPFLAGS) $(port_cppflags) $(CFLAGS) $(BOARD_CFLAGS)

uninstall: ## remove what install put there, with the same variables; configuration and keys stay
	$(Q)$(install_script) uninstall

sbom: all ## what is in the program, as SPDX (JSON): build/BOARD/rekey.spdx.json
	$(Q)$(sbom) $(B)/$(program) $(board) $(libraries) >$(B)/rekey.spdx.json
	@echo $(B)/rekey.spdx.json

html: deps-html ## README.md, docs and the manual pages as HTML into build/html; fails at a broken link
	$(Q)$(PYTHON) docs/to_html.py build/html

deps-html:
	$(Q)boards/deps.sh packages python3 cmark-gfm mandoc

dist: ## the source as a tarball, build/rekey-VERSION.tar.gz
	$(Q)mkdir -p build && git archive --prefix=rekey-$(VERSION)/ HEAD | gzip -9n >build/rekey-$(VERSION).tar.gz
	@echo build/rekey-$(VERSION).tar.gz

# Static commands, so that one package fits every release and derivative of Debian.
DEB_BOARDS  := linux-musl linux-armhf linux-arm64
deb: DEB_BOARDS := linux-musl
deb: deb-all ## a Debian package for this machine into build/deb

deb-all: ## Debian packages for amd64, armhf and arm64
	$(Q)for b in $(DEB_BOARDS); do $(MAKE) --no-print-directory -s deps-cross BOARD=$$b && \
	    $(MAKE) --no-print-directory -s deb-one BOARD=$$b || exit 1; done

deps-cross:
	$(Q)boards/deps.sh packages dpkg-dev binutils $(filter-out qemu-%,$(BOARD_PACKAGES))

deb-one:
	$(Q)rm -rf $(B)/deb && $(MAKE) --no-print-directory -s install-command DESTDIR=$(B)/deb PREFIX=/usr
	$(Q)$(STRIP) --strip-all -R .comment -R .note $(B)/deb/usr/bin/rekey
	$(Q)$(sbom) $(B)/deb/usr/bin/rekey $(board) $(libraries) | $(INSTALL) -m 644 /dev/stdin $(B)/deb/usr/share/doc/rekey/rekey.spdx.json
	$(Q)DEPS_DIR="$(DEPS_DIR)" MBEDTLS="$(MBEDTLS)" SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) \
	    boards/linux/debian/build $(B)/deb $(MUSL_ARCH) $(VERSION) build/deb

deps-install: deps-test
	$(Q)boards/deps.sh packages systemd systemd-container debootstrap mandoc lintian pkgconf qemu-user-static \
	    g++ clang cmake libmbedtls-dev python3-kconfiglib python3-yaml busybox shellcheck gcc-arm-none-eabi picolibc-arm-none-eabi
	$(Q)boards/deps.sh sources lwip
	$(Q)boards/deps.sh tree || true

check-install: all deb-all deps-install ## test the results of install and deb: systemd-analyze, mandoc, lintian, pkg-config, C++, CMake, the armhf package
	$(make_quietly) build/certs/.made
	$(Q)$(of_this_build) REKEY_DEB=build/deb $(pytest) $(addprefix tests/e2e/test_,install.py library.py build.py systemd.py packaging.py pages.py)
