#!/bin/sh
# fuzz.sh - `make fuzz`: all fuzz entries at once, for some seconds. Inputs that libFuzzer finds interesting are kept in
# build/fuzz/corpus, where the next run begins. An input that breaks something is put into build/fuzz. Make it small,
# and add it to tests/fuzz/seeds under a name.
#
#     fuzz.sh DIR SECONDS ENTRY...     DIR/ENTRY are the programs

set -eu
dir=$1 seconds=$2
shift 2
here=$(dirname "$0")
for entry; do
    mkdir -p "$dir/corpus/$entry"
    "$dir/$entry" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -dict="$here/$entry.dict" -artifact_prefix="$dir/$entry-" "$dir/corpus/$entry" "$here/seeds/$entry" \
        >"$dir/$entry.log" 2>&1 &
    eval "pid_$entry=$!"
done
failed=
for entry; do
    eval "wait \$pid_$entry" || failed="$failed $entry"
    awk -v entry="$entry" '/stat::number_of_executed_units/ {runs = $2} / cov: / {cov = $4}
        END {printf "fuzz %-10s %9d runs, %4d edges\n", entry, runs, cov}' "$dir/$entry.log"
done
for entry in $failed; do
    echo "fuzz: $entry found something; see $dir/$entry.log:" >&2
    grep -E 'does not hold|ERROR|SUMMARY|Test unit written' "$dir/$entry.log" >&2 || tail "$dir/$entry.log" >&2
done
[ -z "$failed" ]
