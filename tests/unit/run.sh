#!/bin/sh
# run.sh - runs the unit tests, then the fuzz entries over their seeds; `make unit` calls it. Stops at the first that fails.
#
#     run.sh DIR TEST... -- ENTRY...     DIR/unit/TEST and DIR/fuzz/ENTRY are the programs
#
# EXEC in the environment may be an emulator.

set -eu
dir=$1
shift
while [ "$1" != -- ]; do
    ${EXEC:-} "$dir/unit/$1"
    shift
done
shift
for entry; do
    ${EXEC:-} "$dir/fuzz/$entry" "$(dirname "$0")/../fuzz/seeds/$entry"/* 2>"$dir/fuzz/$entry.log" || {
        tail -20 "$dir/fuzz/$entry.log"
        exit 1
    }
done
