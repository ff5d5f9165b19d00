#!/bin/sh
# memory.sh - writes docs/memory.md: the output of `make size` for every board, and of `make arena`; `make memory` calls
# it.
#
#     memory.sh FILE COMPILER     COMPILER is this machine's

set -eu
make="${MAKE:-make} --no-print-directory -s"
mkdir -p build
boards=$(for each in boards/*/board.mk; do basename "$(dirname "$each")"; done | LC_ALL=C sort)
for board in $boards; do
    $make deps all BOARD="$board" >build/memory.log 2>&1 || {
        tail -20 build/memory.log
        exit 1
    }
done
{
    printf '# Memory\n\n'
    echo "Written by \`make memory\` (gcc $($2 -dumpfullversion) and the cross compilers of the same distribution); do not edit."
    printf '\n![Flash and RAM of each board as bars](memory.svg)\n'
    for board in $boards; do
        title=$(sed -n 's/^BOARD_TITLE *:= //p' "boards/$board/board.mk")
        printf '\n## %s: %s\n\n```\n' "$board" "$title"
        $make size BOARD="$board"
        echo '```'
    done
    printf '\n## The TLS arena of lm3s6965evb during one operation\n\n'
    printf 'Where a state of the handshake needs the most:\n\n```\n'
    $make arena BOARD=lm3s6965evb
    printf '```\n\n![Bytes of the arena by owner, event by event](arena.svg)\n'
} >build/memory.md
mv build/memory.md "$1"
