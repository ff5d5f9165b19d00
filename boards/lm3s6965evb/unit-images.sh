#!/bin/sh
# unit-images.sh - runs the unit tests on the microcontroller and on this machine: both must have the same numbers of
# rows and checks. `make unit BOARD=lm3s6965evb` calls it.
#
#     unit-images.sh DIR HOST-DIR TEST...     DIR/TEST is an image for EXEC, HOST-DIR/TEST a program
#
# The seeds of the fuzz entries are files, so they are replayed only on other boards.

set -eu
dir=$1 host=$2
shift 2

# Runs the rest of the arguments with their output in the file $1, and shows it if they fail.
logged() {
    log=$1
    shift
    "$@" >"$log" 2>&1 || {
        cat "$log"
        exit 1
    }
}

logs=
for test; do
    logs="$logs $dir/$test.log"
    logged "$dir/$test.log" timeout 300 "$EXEC" "$dir/$test"
    logged "$dir/$test.here" "$host/$test"
    rows=$(grep ' rows, ' "$dir/$test.log")
    here=$(grep ' rows, ' "$dir/$test.here")
    echo "$test: $rows"
    [ "$rows" = "$here" ] || {
        echo "$test: but here $here"
        exit 1
    }
done
# shellcheck disable=SC2086 # names without blanks
cat $logs | awk '/ rows, / { rows += $1; checks += $3 }
    END { print rows " rows, " checks " checks on the microcontroller, as many as on this machine" }'
echo "The seeds of the fuzz entries are files: they are replayed on other boards only."
