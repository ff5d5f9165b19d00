#!/bin/sh
# size.sh BUILD_DIR - what `make size` prints: sizes of the command and of the core's objects, sizeof(struct rekey)
# with the default limits and with this board's, and the stack of the core along its deepest path.
set -eu
build=$1
work=$build/size
mkdir -p "$work"

echo "command (bytes, stripped sections as the linker made them)"
$SIZE "$build/rekey"
echo
echo "core, with -Os (bytes)"
objects=
for file in src/*.c; do
    object=$work/$(basename "$file" .c).o
    # shellcheck disable=SC2086  # both are lists of words
    (cd "$work" && true) && $CC $CPPFLAGS -std=c11 -Os -ffunction-sections -fcallgraph-info=su,da -c "$file" -o "$object"
    objects="$objects $object"
done
# shellcheck disable=SC2086
$SIZE -t $objects
echo
cat >"$work/sizeof.c" <<'END'
#include "rekey.h"
char size_of_struct_rekey[sizeof(struct rekey)];
END
for flags in "-Isrc" "$CPPFLAGS"; do
    # shellcheck disable=SC2086
    $CC $flags -std=c11 -c "$work/sizeof.c" -o "$work/sizeof.o"
    bytes=$(nm -S --defined-only "$work/sizeof.o" | awk '/size_of_struct_rekey/ { print $2 }')
    case $flags in
    -Isrc) echo "sizeof(struct rekey): $((0x$bytes)) bytes with the default limits (the budget is 14336)" ;;
    *) echo "sizeof(struct rekey): $((0x$bytes)) bytes with this board's" ;;
    esac
done
/usr/bin/python3 tests/bench/stack.py rekey_step 1024 "$work"/*.ci
