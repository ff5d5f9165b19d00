#!/bin/sh
# coverage.sh - lines and branches of src/ that the unit tests reach; `make coverage` calls it. Fails below 100 %.
#
#     coverage.sh DIR     the build, which is made here; gcovr's report is DIR/lines.txt

set -eu
dir=$1
# Without the test of port/lwip: its threads count in the same counters.
${MAKE:-make} --no-print-directory unit B="$dir" BOARD_UNIT_WITHOUT=lwip CFLAGS="-O0 -g --coverage" FRAME_MAX=65536 >"$dir.log" || {
    tail -40 "$dir.log"
    exit 1
}
/usr/bin/gcovr -r . --filter src/ "$dir" --print-summary -o "$dir/lines.txt"
/usr/bin/gcovr -r . --filter src/ "$dir" -b --fail-under-line 100 --fail-under-branch 100
echo "branches that no input can take, NEVER() and ALWAYS(): $(cat src/*.[ch] | grep -cE '(NEVER|ALWAYS)\(')"
