#!/bin/sh
# memory.sh - writes docs/memory.md, from the output of `make size` for every board and of `make arena`. `make memory` calls
# it.
#
#     memory.sh FILE COMPILER     COMPILER is the compiler for this machine

set -eu
make="${MAKE:-make} --no-print-directory -s"
mkdir -p build

# What is built first prints nothing into the page.
quietly() {
    "$@" >build/memory.log 2>&1 || {
        tail -20 build/memory.log
        exit 1
    }
}

# shellcheck disable=SC2086  # make is words
quietly $make deps-test build/certs/.made
boards=$(for each in boards/*/board.mk; do basename "$(dirname "$each")"; done | LC_ALL=C sort)
for board in $boards; do
    # shellcheck disable=SC2086
    quietly $make deps all BOARD="$board"
done
# shellcheck disable=SC2086
quietly $make arena BOARD=lm3s6965evb
{
    printf '# Memory\n\n'
    echo "\`make memory\` writes this page; do not edit it. Compilers: gcc $($2 -dumpfullversion) and the cross compilers of the same"
    echo "distribution. Each section is the output of \`make size\` for one board: the sizes of the core's files, the flash and RAM of"
    echo "the program by part, and the deepest use of the stack by \`rekey_step\`, without the functions of the port."
    printf '\n![Flash and RAM of each board as bars](memory.svg)\n'
    for board in $boards; do
        title=$(sed -n 's/^BOARD_TITLE *:= //p' "boards/$board/board.mk")
        printf '\n## %s: %s\n\n```\n' "$board" "$title"
        $make size BOARD="$board"
        echo '```'
    done
    printf '\n## The TLS arena of lm3s6965evb during one operation\n\n'
    printf 'For each state of the handshake, the moment at which the most bytes are in use:\n\n```\n'
    $make arena BOARD=lm3s6965evb
    printf '```\n\n![Bytes of the arena by owner, event by event](arena.svg)\n'
} >build/memory.md
mv build/memory.md "$1"
