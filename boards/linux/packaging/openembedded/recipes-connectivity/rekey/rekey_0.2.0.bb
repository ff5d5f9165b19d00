SUMMARY = "Regenerates the keys of Azure Machine Learning online endpoints"
DESCRIPTION = "Rotates the two keys of an online endpoint so that the key in use is never the one that is \
regenerated, by timers of systemd. It uses no heap, and has a TLS library of its own inside."
SECTION = "net"
# Releases up to wrynose write & for AND.
LICENSE = "Apache-2.0 ${@'AND' if hasattr(oe, 'spdx_license') else '&'} MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=b589d11008fdb2e300e676dd1302ca54 \
    file://boards/linux/NOTICE;md5=1dc4a412dab2c033fbea133f0cf09695 \
    file://parts/mbedtls-3.6.7/LICENSE;md5=379d5819937a6c2f1ef1630d341e026d \
    file://parts/jsmn/LICENSE;md5=5adc94605a1f7a797a9a834adbe335e3"

# The directory in which `make dist` puts the tarball. This file is in the tarball, so it cannot have its checksum.
FILESEXTRAPATHS:prepend := "${THISDIR}/../../../../../../build:"
# Mbed TLS is compiled in with its own configuration, so a recipe mbedtls cannot be used. Below ${S}, every release
# finds the parts, and no path of the build gets into the debugging information.
SRC_URI = "file://rekey-${PV}.tar.gz \
    https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-3.6.7/mbedtls-3.6.7.tar.bz2;name=mbedtls;subdir=${BP}/parts \
    git://github.com/zserge/jsmn;protocol=https;branch=master;name=jsmn;destsuffix=${BP}/parts/jsmn"
SRC_URI[mbedtls.sha256sum] = "a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6"
# 1.1.0
SRCREV_jsmn = "fdcef3ebf886fa210d14956d3c068a653e76a24e"
SRCREV_FORMAT = "jsmn"

inherit systemd useradd bash-completion

EXTRA_OEMAKE = "PREFIX=${prefix} BINDIR=${bindir} LIBDIR=${libdir} INCLUDEDIR=${includedir} \
    MANDIR=${mandir} DOCDIR=${docdir}/rekey SYSUSERS=${nonarch_libdir}/sysusers.d \
    UNITDIR=${@bb.utils.contains('DISTRO_FEATURES', 'systemd', '${systemd_system_unitdir}', '', d)} \
    MBEDTLS_DIR=parts/mbedtls-3.6.7 JSMN_DIR=parts/jsmn JSMN_VERSION=1.1.0"

do_compile() {
    oe_runmake
}

do_install() {
    oe_runmake install DESTDIR=${D}
}

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system rekey-key"
USERADD_PARAM:${PN} = "--system --user-group --no-create-home --home-dir ${localstatedir}/lib/rekey --shell /sbin/nologin rekey"

# Templates: an image enables its own instances, such as rekey-rotate@scoring.timer.
SYSTEMD_SERVICE:${PN} = "rekey-rotate@.timer rekey-sync@.timer"
SYSTEMD_AUTO_ENABLE = "disable"
FILES:${PN} += "${systemd_system_unitdir} ${nonarch_libdir}/sysusers.d"
# Without trust anchors each run ends with exit code 11; an image may install others.
RRECOMMENDS:${PN} += "ca-certificates"
