#!/usr/bin/env bash
# The whole loop on one machine, by natadv's own commands: train, record behind wet glass, find what fools the model,
# harden it with that, and show on a session it has never seen what the hardening was worth.
#
# Usage: scripts/demo.sh [signs|FOLDER]   (FOLDER with train/LABEL/* and test/LABEL/*, as ../shared/data/gtsrb)
# From the environment: IMAGES of the training session, TEST_IMAGES of the test session, EPOCHS of hardening, OUT, and
# LEAST_IMAGES of the test part for the export to compare on, where a folder has fewer than 256.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

data=${1:-signs}
out=${OUT:-demo}/$(basename "$data")
images=${IMAGES:-12}
test_images=${TEST_IMAGES:-$images}
epochs=${EPOCHS:-30}
least_images=${LEAST_IMAGES:-256}
started=$SECONDS

run() {
    printf '\n\033[1m$ %s\033[0m   [%d s]\n' "$*" $((SECONDS - started))
    "$@"
}

if [ -e "$out" ] && [ ! -e "$out/.demo" ]; then
    echo "error: $out: exists and is not of an earlier demo; move it away or name another place: OUT=..." >&2
    exit 1
fi
rm -rf "$out"
mkdir -p "$out"
touch "$out/.demo"

run natadv train classifier --data "$data" --out "$out/plain"
run natadv export "$out/plain/checkpoint.pt" --out "$out/plain.bundle" --data "$data" --least-images "$least_images"

run natadv data export "$data" --split train --count "$images" --seed 11 --out "$out/images-training"
run natadv data export "$data" --split test --count "$test_images" --seed 12 --out "$out/images-test"
run natadv capture run simulated "$out/images-training" --out "$out/session-training" --purpose training --seed 11
run natadv capture run simulated "$out/images-test" --out "$out/session-test" --purpose test --seed 12

run natadv capture scan "$out/session-training" "$out/plain.bundle"
run natadv capture scan "$out/session-test" "$out/plain.bundle"

run natadv train classifier --data "$data" --init "$out/plain/checkpoint.pt" --out "$out/hardened" \
    --hits "$out"/session-training/scans/*/hits --raindrops 0.8 --epochs "$epochs" --batch-size 32 --lr 0.006 \
    --wetness medium --wetness medium --wetness heavy --wetness close
run natadv export "$out/hardened/checkpoint.pt" --out "$out/hardened.bundle" --data "$data" --least-images "$least_images"
run natadv capture scan "$out/session-test" "$out/hardened.bundle"
run natadv capture report "$out/session-test"

run natadv edge run "$out/hardened.bundle" --source simulated --images "$out/images-test" \
    --seconds 10 --video "$out/live.mkv" > "$out/live.jsonl"
tail -n 1 "$out/live.jsonl"

printf '\nDone in %d s. The report, before and after hardening: %s\n' \
    $((SECONDS - started)) "$out/session-test/report.html"
