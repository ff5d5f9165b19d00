#!/bin/sh
# install.sh - copies what was built to where it goes; `make install` calls it.
#
#     install.sh command | library COMPILER FLAG... | uninstall
#
# In the environment: the directories of boards/linux/install.mk with DESTDIR, which may be empty; INSTALL; B, the
# directory of the build; VERSION. For `library` also PUBLIC, the headers that applications include, BOARD_ABI, with
# which they must be compiled and linked, and BOARD_LDFLAGS, with which they are linked; COMPILER and its FLAGs compile
# a file of the port.

set -eu
cd "$(dirname "$0")/../.."

directory() {
    for place; do $INSTALL -d "$DESTDIR$place"; done
}

# Fills in the directories, the version, and the common part of the services.
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
    directory "$BINDIR" "$MANDIR/man1" "$COMPLETIONS" "$DOCDIR"
    $INSTALL -m 755 "$B/rekey" "$DESTDIR$BINDIR/rekey"
    $INSTALL -m 644 docs/rekey.1 "$DESTDIR$MANDIR/man1/rekey.1"
    $INSTALL -m 644 boards/linux/completion.bash "$DESTDIR$COMPLETIONS/rekey"
    $INSTALL -m 644 docs/gateway.md docs/fleet.md docs/fleet.svg docs/kubernetes.md docs/rotation.md docs/rotation.svg docs/security.md \
        docs/troubleshooting.md boards/linux/NOTICE "$DESTDIR$DOCDIR"
    [ -n "$UNITDIR" ] || return 0 # a system without systemd
    directory "$UNITDIR" "$SYSUSERS" "$DOCDIR/examples"
    $INSTALL -m 644 boards/linux/systemd/sysusers.conf "$DESTDIR$SYSUSERS/rekey.conf"
    $INSTALL -m 644 boards/linux/systemd/examples/* "$DESTDIR$DOCDIR/examples"
    for unit in $(units); do
        fill_in "boards/linux/systemd/$unit.in" >"$B/$unit"
        $INSTALL -m 644 "$B/$unit" "$DESTDIR$UNITDIR"
    done
}

# Copies the public headers, and those of ours that they include, into $B/install/include/rekey. All limits with which
# the archives were built become part of them, because a struct rekey must have the size that the archive expects.
collect_headers() {
    include=$B/install/include/rekey
    rm -rf "$include"
    $INSTALL -d "$include"
    for header in $PUBLIC; do printf '#include "%s"\n' "${header##*/}"; done >"$B/install/all.c"
    "$@" -M -MT . "$B/install/all.c" >"$B/install/headers"
    for header in $(tr -d '\134' <"$B/install/headers"); do # without the backslashes at line ends
        case $header in
            src/*.h | port/*.h) sed '/^#define REKEY_[A-Z0-9_]*_H$/a #include "rekey_limits.h"' "$header" \
                >"$include/${header##*/}" ;;
        esac
    done
    "$@" -E -dM "$B/install/all.c" | sort | write_limits "$include"/*.h >"$B/install/limits"
    mv "$B/install/limits" "$include/rekey_limits.h"
}

# Standard input: all macros. The limits are those that the headers define unless they are defined already.
write_limits() {
    names=$(sed -n 's/^#ifndef \(REKEY_[A-Z0-9_]*\)$/\1/p' "$@" | paste -s -d '|')
    grep -E "^#define ($names) [^\"]" >"$B/install/values"
    echo '// rekey_limits.h - what the archives were built with.'
    printf '#ifdef REKEY_CONFIG_FILE\n#include REKEY_CONFIG_FILE\n#endif\n'
    sed 's/^#define \([A-Z0-9_]*\) .*/#ifndef \1\n&\n#endif/' "$B/install/values"
    sed -n '/sizeof/d; s/^#define \([A-Z0-9_]*\) \(.*\)/#if \1 != (\2)\n#error "\1: the archives were built with \2"\n#endif/p' \
        "$B/install/values"
}

# The installed headers use a time_t: with a 32-bit glibc an application must have the same one as the archives.
application_flags() {
    printf '%s\n' '#include <limits.h>' '#if defined __GLIBC__ && __SIZEOF_LONG__ == 4' \
        '-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64' '#endif' | "$@" -E -P -x c - | sed -n '/^-D/p'
}

install_library() {
    collect_headers "$@"
    abi="$BOARD_ABI $(application_flags "$@")"
    directory "$LIBDIR/pkgconfig" "$INCLUDEDIR" "$MANDIR/man3" "$DOCDIR"
    rm -rf "$DESTDIR$INCLUDEDIR/rekey"
    cp -r "$B/install/include/rekey" "$DESTDIR$INCLUDEDIR"
    for package in rekey-core rekey; do
        fill_in -e "s|@LDFLAGS@|$BOARD_ABI $BOARD_LDFLAGS|" -e "s|@ABI@|$abi|" -e 's/  */ /g' -e 's/ $//' \
            "boards/linux/$package.pc.in" >"$B/install/$package.pc"
        $INSTALL -m 644 "$B/install/$package.pc" "$DESTDIR$LIBDIR/pkgconfig"
    done
    $INSTALL -m 644 "$B/install/librekey.a" "$B/install/librekey-tls.a" "$DESTDIR$LIBDIR"
    $INSTALL -m 644 docs/librekey.3 "$DESTDIR$MANDIR/man3/librekey.3"
    $INSTALL -m 644 boards/linux/NOTICE "$DESTDIR$DOCDIR"
}

uninstall() {
    rm -f "$DESTDIR$BINDIR/rekey" "$DESTDIR$LIBDIR/librekey.a" "$DESTDIR$LIBDIR/librekey-tls.a" \
        "$DESTDIR$LIBDIR/pkgconfig/rekey.pc" "$DESTDIR$LIBDIR/pkgconfig/rekey-core.pc" \
        "$DESTDIR$MANDIR/man1/rekey.1" "$DESTDIR$MANDIR/man3/librekey.3" \
        "$DESTDIR$COMPLETIONS/rekey"
    [ -z "$UNITDIR" ] || for unit in $(units); do rm -f "$DESTDIR$UNITDIR/$unit" "$DESTDIR$SYSUSERS/rekey.conf"; done
    rm -rf "$DESTDIR$INCLUDEDIR/rekey" "$DESTDIR$DOCDIR"
}

verb=$1
shift
case $verb in
    command) install_command ;;
    library) install_library "$@" ;;
    uninstall) uninstall ;;
esac
