#!/usr/bin/env bash
# The side-by-side benchmarks: each compares two things in interleaved rounds on
# this machine and prints medians and their ratio. Results go to bench/results/
# as JSON too. ROUNDS (100) sets how many.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-100}
mkdir -p bench/results
stamp=$(date -u +%Y%m%dT%H%M%SZ)
go run ./bench/overhead -rounds $(((rounds + 4) / 5)) -json "bench/results/overhead-$stamp.json"
go run ./bench/coldstart -binary bin/hearth -rounds "$rounds" -json "bench/results/coldstart-$stamp.json"
