#!/bin/sh
# Builds a fuzz target and runs it for some seconds over its kept inputs and the fixtures of the tests.
#
#   Fuzz/run.sh NAME SECONDS [SEED-FOLDER...]
#
# What is new goes to Fuzz/.work/NAME; a crash is written there too. Copy the input of a mended crash to
# Fuzz/corpus/NAME, where the smoke test finds it.
set -eu

name=$1
seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
work="$here/.work/$name"
mkdir -p "$work/found"

swift build --package-path "$here" --scratch-path "$here/.build-fuzz" -c release --product "fuzz-$name" \
    -Xswiftc -sanitize=fuzzer,address -Xswiftc -use-ld=lld

# A trap must end the process at once: the backtracer would hang with its output in a pipe.
export SWIFT_BACKTRACE=enable=no
timeout -s KILL $((seconds + 60)) "$here/.build-fuzz/release/fuzz-$name" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$work/" "$work/found" "$here/corpus/$name" "$@" > "$work/log" 2>&1 && status=0 || status=$?
grep -E 'cov:|stat::|ERROR|SUMMARY' "$work/log" | tail -n 8
exit $status
