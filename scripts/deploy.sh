#!/usr/bin/env bash
# Installs the binary and the systemd unit on this host, and starts the service.
#
#   sudo scripts/deploy.sh [--binary PATH] [--prefix /usr/local] [--no-start]
#
# The binary is bin/hearth of a checkout (make build), or the one beside this
# script in a release archive. Running it again upgrades: the old binary is kept
# as hearth.previous, and calls in flight are drained.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local
start=1
binary=
while [ $# -gt 0 ]; do
  case $1 in
    --binary) binary=${2:?--binary needs a path}; shift 2 ;;
    --prefix) prefix=${2:?--prefix needs a path}; shift 2 ;;
    --no-start) start=0; shift ;;
    -h|--help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "deploy: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
fail() { echo "deploy: $*" >&2; exit 1; }

[ "$(uname -s)" = Linux ] || fail "Hearth serves on Linux only"
if [ -z "$binary" ]; then
  for candidate in "$here/hearth" "$here/../bin/hearth"; do
    [ -x "$candidate" ] && binary=$candidate && break
  done
fi
[ -x "$binary" ] || fail "no binary found: run make build first, or name one with --binary"
[ "$(id -u)" -eq 0 ] || fail "needs root to write $prefix and the unit: run it with sudo"
unit=
for candidate in "$here/hearth.service" "$here/../deploy/hearth.service"; do
  [ -f "$candidate" ] && unit=$candidate && break
done
[ -n "$unit" ] || fail "hearth.service is not beside this script"

install -d "$prefix/bin"
if [ -x "$prefix/bin/hearth" ]; then
  cp -p "$prefix/bin/hearth" "$prefix/bin/hearth.previous"
fi
install -m 0755 "$binary" "$prefix/bin/hearth.new"
mv "$prefix/bin/hearth.new" "$prefix/bin/hearth"
echo "deploy: installed $("$prefix/bin/hearth" --version) in $prefix/bin"

if ! command -v systemctl >/dev/null 2>&1 || [ ! -d /run/systemd/system ]; then
  echo "deploy: no systemd here; start it yourself: $prefix/bin/hearth serve --data /var/lib/hearth"
  exit 0
fi
sed "s#/usr/local/bin/hearth#$prefix/bin/hearth#" "$unit" > /etc/systemd/system/hearth.service
systemctl daemon-reload
if [ "$start" -eq 1 ]; then
  systemctl enable hearth.service
  systemctl restart hearth.service
  echo "deploy: running; the admin's key is in /var/lib/hearth/admin.key, logs: journalctl -u hearth"
fi
