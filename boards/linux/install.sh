#!/bin/sh
# install.sh - copies what was built to where it goes; `make install` calls it.
#
#     install.sh command | library COMPILER FLAG... | uninstall
#
# In the environment: the places of boards/linux/install.mk with DESTDIR, which may be empty; INSTALL; B, the directory of
# the build; VERSION. For `library` also BUILT_WITH, the limits that the archives were built with as NAME=VALUE, MBEDTLS,
# mbedTLS's directory, and BOARD_LDFLAGS; COMPILER and its FLAGs compile a file of the port.

set -eu
cd "$(dirname "$0")/../.."

directory() {
    for place; do $INSTALL -d "$DESTDIR$place"; done
}

# Fills in the places, the version, and what the services share.
fill_in() {
    sed -e "s|@BINDIR@|$BINDIR|g" -e "s|@LIBDIR@|$LIBDIR|g" -e "s|@INCLUDEDIR@|$INCLUDEDIR|g" -e "s|@DOCDIR@|$DOCDIR|g" \
        -e "s|@VERSION@|$VERSION|g" -e '/^@SERVICE@$/{r boards/linux/systemd/service.inc' -e 'd}' "$@"
}

units() {
    for unit in boards/linux/systemd/rekey-*.in; do
        unit=${unit##*/}
        echo "${unit%.in}"
    done
}

install_command() {
    directory "$BINDIR" "$MANDIR/man1" "$COMPLETIONS" "$UNITDIR" "$SYSUSERS" "$DOCDIR/examples"
    $INSTALL -m 755 "$B/rekey" "$DESTDIR$BINDIR/rekey"
    $INSTALL -m 644 docs/rekey.1 "$DESTDIR$MANDIR/man1/rekey.1"
    $INSTALL -m 644 boards/linux/completion.bash "$DESTDIR$COMPLETIONS/rekey"
    $INSTALL -m 644 boards/linux/systemd/sysusers.conf "$DESTDIR$SYSUSERS/rekey.conf"
    $INSTALL -m 644 boards/linux/systemd/examples/* "$DESTDIR$DOCDIR/examples"
    $INSTALL -m 644 docs/gateway.md docs/rotation.md docs/security.md "$DESTDIR$DOCDIR"
    for unit in $(units); do
        fill_in "boards/linux/systemd/$unit.in" >"$B/$unit"
        $INSTALL -m 644 "$B/$unit" "$DESTDIR$UNITDIR"
    done
}

# The headers that an application includes, and those that these include, into $B/install/include. A struct rekey
# must have the size that the archive knows: the limits that it was built with become part of the headers.
collect_headers() {
    include=$B/install/include
    rm -rf "$include"
    $INSTALL -d "$include"
    {
        printf '// rekey_limits.h - what the archive was built with (make LIMITS="...").\n\n'
        for limit in $BUILT_WITH; do echo "#define ${limit%%=*} ${limit#*=}"; done
    } >"$include/rekey_limits.h"
    {
        printf '#include "%s"\n' rekey.h rotate.h show.h client_certificate.h der_table.h owner.h pem_bundle.h tls.h
        for header in src/credential*.h port/posix/*.h; do echo "#include \"${header##*/}\""; done
    } | "$@" -M -MT . -xc - >"$B/install/headers"
    for header in $(tr -d '\134' <"$B/install/headers"); do # without the backslashes at line ends
        case $header in
            src/* | port/*) ;;
            *) continue ;;
        esac
        sed '/^#define REKEY_\(CONFIG\|TLS\|OWNER\)_H$/a #include "rekey_limits.h"' "$header" \
            >"$include/${header##*/}"
    done
}

# The installed headers hold a time_t: with 32 bits and glibc an application must have the one that the archives have.
application_flags() {
    printf '%s\n' '#include <limits.h>' '#if defined __GLIBC__ && __SIZEOF_LONG__ == 4' \
        '-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64' '#endif' | "$@" -E -P -x c - | sed -n '/^-D/p'
}

install_library() {
    collect_headers "$@"
    more=$(application_flags "$@")
    fill_in -e "s|@LDFLAGS@|$BOARD_LDFLAGS|" -e "s| *@CFLAGS@|${more:+ $more}|" boards/linux/rekey.pc.in \
        >"$B/install/rekey.pc"
    directory "$LIBDIR/pkgconfig" "$INCLUDEDIR" "$MANDIR/man3"
    rm -rf "$DESTDIR$INCLUDEDIR/rekey"
    cp -r "$B/install/include" "$DESTDIR$INCLUDEDIR/rekey"
    $INSTALL -m 644 "$B/install/librekey.a" "$B/install/librekey-tls.a" "$DESTDIR$LIBDIR"
    $INSTALL -m 644 "$B/install/rekey.pc" "$DESTDIR$LIBDIR/pkgconfig/rekey.pc"
    $INSTALL -m 644 docs/librekey.3 "$DESTDIR$MANDIR/man3/librekey.3"
}

uninstall() {
    rm -f "$DESTDIR$BINDIR/rekey" "$DESTDIR$LIBDIR/librekey.a" "$DESTDIR$LIBDIR/librekey-tls.a" \
        "$DESTDIR$LIBDIR/pkgconfig/rekey.pc" "$DESTDIR$MANDIR/man1/rekey.1" "$DESTDIR$MANDIR/man3/librekey.3" \
        "$DESTDIR$COMPLETIONS/rekey" "$DESTDIR$SYSUSERS/rekey.conf"
    for unit in $(units); do rm -f "$DESTDIR$UNITDIR/$unit"; done
    rm -rf "$DESTDIR$INCLUDEDIR/rekey" "$DESTDIR$DOCDIR"
}

verb=$1
shift
case $verb in
    command) install_command ;;
    library) install_library "$@" ;;
    uninstall) uninstall ;;
esac
