#!/usr/bin/env bash
# Builds static archives for amd64 and arm64 with checksums in dist/. The same
# commit and Go version give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-dev}
scripts/web.sh build
[ -f web/dist/index.html ] || { echo "dist: the dashboard isn't built, and an archive without it is no release: install npm" >&2; exit 1; }
out=dist
rm -rf "$out"
mkdir -p "$out"
for arch in amd64 arm64; do
  name=hearth-$version-linux-$arch
  mkdir -p "$out/$name"
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath \
    -ldflags "-s -w -X main.version=$version" -o "$out/$name/hearth" ./cmd/hearth
  cp README.md LICENSE CHANGELOG.md deploy/hearth.service scripts/deploy.sh "$out/$name/"
  tar -C "$out" --sort=name --owner=0 --group=0 --numeric-owner --mtime='UTC 2020-01-01' -cf - "$name" | gzip -n -9 > "$out/$name.tar.gz"
  rm -r "${out:?}/$name"
done
(cd "$out" && sha256sum ./*.tar.gz | sed 's# \./# #' > SHA256SUMS && cat SHA256SUMS)
