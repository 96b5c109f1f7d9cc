#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (30s) each.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-30s}
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | while read -r file; do
  package=$(dirname "$file")
  grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/func //' | while read -r target; do
    echo "fuzz: $package $target for $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
  done
done
