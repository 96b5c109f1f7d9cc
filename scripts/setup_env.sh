#!/usr/bin/env bash
# Prepares a host. Says what it does; does nothing that is done already.
#
#   scripts/setup_env.sh --run    what `make run` needs: a Python 3 and a Node.js to offer as runtimes, npm to build the dashboard
#   scripts/setup_env.sh --test   and what the tests need besides
#   scripts/setup_env.sh --check  changes nothing; exit code 1 if something is missing
set -euo pipefail
mode=${1:---run}

say()  { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

packages=()
without_npm=0 # whether to go on if npm alone can't be installed
need() { # need COMMAND PACKAGE
  have "$1" || [ -x "/usr/sbin/$1" ] || packages+=("$2")
}

[ "$(uname -s)" = Linux ] || { say "this is $(uname -s): functions run on Linux only; the unit tests run here (make unit)"; exit 0; }

if ! have go; then
  say "there is no Go. Install Go 1.26 or later from https://go.dev/dl/ and run this again."
  exit 1
fi
need python3 python3
need node nodejs
have npm || { [ "$mode" = --check ] || without_npm=1; packages+=(npm); } # builds the dashboard
if [ "$mode" = --test ]; then
  need curl curl
  need shellcheck shellcheck
  need gcc gcc            # go test -race needs a C compiler
  [ -e /usr/include/stdlib.h ] || packages+=(libc6-dev)
  need newuidmap uidmap   # user ids of their own for the sandboxes of an ordinary user
  need qemu-system-x86_64 qemu-system-x86
  need cpio cpio
  need debootstrap debootstrap
  need busybox busybox-static
  need mkfs.ext4 e2fsprogs
  need chromium chromium  # the dashboard is opened in it
  need prometheus prometheus # scrapes a server, and answers what the Grafana dashboard asks
fi

if [ ${#packages[@]} -eq 0 ]; then
  exit 0
fi
if [ "$mode" = --check ]; then
  say "missing: ${packages[*]}"
  exit 1
fi
if ! have apt-get; then
  say "please install: ${packages[*]} (this script knows apt-get only)"
  exit 0
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if have sudo && sudo -n true 2>/dev/null; then sudo=(sudo -n); else
    say "please install as root: apt-get install --no-install-recommends ${packages[*]}"
    exit 0
  fi
fi
say "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
install() { "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; }
install "${packages[@]}" && exit 0
"${sudo[@]}" apt-get update -qq
install "${packages[@]}" && exit 0
if [ "$mode" = --run ] && [ "$without_npm" -eq 1 ]; then
  # The dashboard is all that npm is for: the rest runs without.
  say "npm can't be installed here; the dashboard will be left out"
  rest=()
  for package in "${packages[@]}"; do [ "$package" = npm ] || rest+=("$package"); done
  packages=("${rest[@]}")
  [ ${#packages[@]} -gt 0 ] || exit 0
fi
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
