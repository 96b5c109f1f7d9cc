#!/usr/bin/env bash
# gofmt, go vet (Linux and macOS), shellcheck, golangci-lint, biome and tsc. The Go linter is
# built once and kept in the user's cache, because building it takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v2.15.0

unformatted=$(git ls-files '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || { printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted"; exit 1; }
go vet ./...
GOOS=darwin go vet ./...
git ls-files '*.sh' | xargs shellcheck .ci/run

scripts/web.sh check

cache=${XDG_CACHE_HOME:-$HOME/.cache}/hearth
linter=$cache/golangci-lint-$version
if [ ! -x "$linter" ]; then
  echo "lint: building golangci-lint $version once (some minutes)"
  mkdir -p "$cache"
  GOBIN=$cache CGO_ENABLED=0 go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
  mv "$cache/golangci-lint" "$linter"
fi
"$linter" run ./...
