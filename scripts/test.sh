#!/usr/bin/env bash
# All tests: Go with the race detector, the shims in their own languages (run by
# Go tests beside them), the dashboard's own, the native sandbox with its attacks, and the numbered
# end-to-end scenarios through the real binary.
set -euo pipefail
cd "$(dirname "$0")/.."
export HEARTH_TEST=1
if [ "$(uname -s)" != Linux ]; then
  echo "test: not Linux: only the unit tests can run here"
  exec go test -short ./...
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "test: not root: tests that need root say so and are skipped; run 'sudo make test' for all"
fi
scripts/web.sh test
scripts/web.sh build
go build ./...
GOOS=darwin go build ./...
mapfile -t packages < <(go list ./... | grep -v '/e2e$')
go test -race -timeout 20m -p 2 "${packages[@]}"
# By itself: it makes load, and has to see what a user's machine would show.
go test -race -timeout 30m ./e2e
echo "test: all passed"
