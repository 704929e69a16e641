#!/usr/bin/env bash
# Builds fuzz targets and runs them, one after another, over their kept inputs and the fixtures of the tests.
#
#   Fuzz/run.sh [SECONDS [NAME...]]      10 minutes of each target without arguments
#
# What is new goes to Fuzz/.work/NAME; a crash is written there too. Copy the input of a mended crash to
# Fuzz/corpus/NAME, where 'make test' finds it. The line printed for each target belongs into docs/fuzzing.md.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(sip sip-stream sip-uri dns sdp cpim multipart inflate xml msrp-frames msrp-reassembly decode)

build() { # one name at a time: 'swift build' takes one product
    swift build --package-path Fuzz --scratch-path Fuzz/.build-fuzz -c release --product "fuzz-$1" \
        -Xswiftc -sanitize=fuzzer,address -Xswiftc -use-ld=lld >"Fuzz/.work/$1/build" 2>&1 \
        || { cat "Fuzz/.work/$1/build" >&2; exit 1; }
}

# Fixtures from which a target starts.
seeds() {
    case "$1" in
        sip | sip-stream) echo Tests/SIPTests/Fixtures/sip* ;;
        msrp-*) echo Tests/MSRPTests/Fixtures ;;
        inflate) echo Tests/CPIMTests/Fixtures ;;
        sdp) echo Tests/ProtocolDecodingTests/Fixtures/sdp ;;
        cpim | multipart) echo Tests/ProtocolDecodingTests/Fixtures/cpim ;;
        xml) echo Tests/ProtocolDecodingTests/Fixtures ;;
        decode) echo Tests/ProtocolDecodingTests/Fixtures Tests/SIPTests/Fixtures Tests/MSRPTests/Fixtures ;;
    esac
}

# The libraries whose words a target meets.
libraries() {
    case "$1" in
        sip*) echo SIP ;;
        dns) echo SIPTransport/DNS ;;
        sdp) echo SDP ;;
        cpim | multipart | inflate) echo CPIM ;;
        xml) echo XMLBodies ;;
        msrp-*) echo MSRP ;;
        decode) echo SIP SDP CPIM MSRP XMLBodies ProtocolDecoding ;;
    esac
}

# A dictionary of the texts in the sources of a target's libraries: names of header fields, attributes, elements.
# Chance alone finds few of them.
words() {
    for library in $(libraries "$1"); do
        grep -rhoE '"[A-Za-z][A-Za-z0-9:._/+-]{1,60}"' "Sources/$library" || true
    done | sort -u
}

# Source files that are new in the root package are seen only when the plan of the build is older than the manifest.
touch Fuzz/Package.swift
for name in "${names[@]}"; do
    mkdir -p "Fuzz/.work/$name/found"
    build "$name"
done

# A trap must end the process at once: the backtracer would hang with its output in a pipe.
export SWIFT_BACKTRACE=enable=no
failed=()
for name in "${names[@]}"; do
    work="Fuzz/.work/$name"
    words "$name" >"$work/words"
    # shellcheck disable=SC2046
    timeout -s KILL $((seconds + 120)) nice -n 19 "Fuzz/.build-fuzz/release/fuzz-$name" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$work/" -dict="$work/words" "$work/found" "Fuzz/corpus/$name" $(seeds "$name") >"$work/log" 2>&1 \
        && result=ok || { result="FAILED, see $work/log"; failed+=("$name"); }
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$work/log")
    first=$(sed -n 's/.*INITED cov: \([0-9]*\).*/\1/p' "$work/log")
    last=$(grep -o 'cov: [0-9]*' "$work/log" | tail -n 1 | cut -d' ' -f2)
    # When the last new edge was found, in runs: near the end means that coverage still rises.
    level=$(awk '/cov: / { for (i = 1; i < NF; i++) if ($i == "cov:" && $(i + 1) > best) { best = $(i + 1); at = $1 } }
        END { sub("#", "", at); print at }' "$work/log")
    echo "$name: $seconds s, ${runs:-0} runs, edges ${first:-?} to ${last:-?}, last new one at run ${level:-?}: $result"
done
[ ${#failed[@]} -eq 0 ]
