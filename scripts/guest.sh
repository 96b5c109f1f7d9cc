#!/usr/bin/env bash
# Runs a command inside a virtual machine with Debian's kernel and cgroup v2,
# which is what most hosts have and CI machines may lack.
#
#   scripts/guest.sh [--user] [--timeout SECONDS] FOLDER COMMAND
#
# FOLDER is copied into the guest at /payload (read-write, thrown away), COMMAND
# is run there by bash; what it prints is printed and its exit code returned.
# With --user it runs as the ordinary user "ada" (uid 1000, with subordinate
# ids) in a cgroup that is delegated to that user, as `systemd-run --user --scope
# -p Delegate=yes` does it.
#
# The machine is made once, from Debian's packages, and kept in the user's cache.
# It needs root (to make the image), qemu-system-x86, debootstrap, busybox-static
# and cpio. Without /dev/kvm the processor is emulated: allow for a factor of ten.
set -euo pipefail

as_user=0
limit=1200
while [ $# -gt 0 ]; do
  case $1 in
    --user) as_user=1; shift ;;
    --timeout) limit=${2:?}; shift 2 ;;
    -h|--help) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) break ;;
  esac
done
[ $# -eq 2 ] || { echo "guest: usage: $0 [--user] [--timeout SECONDS] FOLDER COMMAND" >&2; exit 2; }
payload=$1
command=$2

say() { printf 'guest: %s\n' "$*" >&2; }
for tool in qemu-system-x86_64 debootstrap busybox cpio mkfs.ext4 python3; do
  command -v "$tool" >/dev/null || { say "$tool is missing: run scripts/setup_env.sh --test"; exit 3; }
done
[ "$(id -u)" -eq 0 ] || { say "needs root to make the guest's image"; exit 3; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the modules that the named ones need, in the order to load them. The
# package carries no modules.dep; each module names its own dependencies.
modules() {
  python3 - "$@" <<'PY'
import os, re, sys
base, wanted = sys.argv[1], sys.argv[2:]
paths = {f[:-3].replace('-', '_'): os.path.join(d, f)
         for d, _, files in os.walk(base) for f in files if f.endswith('.ko')}
order = []
def add(name):
    path = paths.get(name.replace('-', '_'))
    if path is None or path in order:
        return
    with open(path, 'rb') as f:
        found = re.search(rb'depends=([^\0]*)\0', f.read())
    for dep in found.group(1).decode().split(',') if found and found.group(1) else []:
        add(dep)
    order.append(path)
for name in wanted:
    add(name)
print('\n'.join(order))
PY
}

build() {
  say "making the machine (once, about two minutes)"
  local tmp=$work/build
  mkdir -p "$tmp/kernel" "$tmp/initramfs/"{bin,mod,dev,proc,root}
  local package
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2}')
  [ -n "$package" ] || { apt-get update -qq; package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2}'); }
  (cd "$tmp" && apt-get download -qq "$package" 2>/dev/null && dpkg-deb -x linux-image-*.deb kernel)
  cp "$tmp"/kernel/boot/vmlinuz-* "$tmp/vmlinuz"

  cp "$(command -v busybox)" "$tmp/initramfs/bin/busybox"
  local n=10 module
  modules "$tmp"/kernel/lib/modules virtio_pci virtio_blk virtio_console \
    veth nft_ct nft_masq nft_chain_nat nft_reject_inet > "$tmp/order"
  while read -r module; do
    cp "$module" "$tmp/initramfs/mod/$n-$(basename "$module")"
    n=$((n + 1))
  done < "$tmp/order"
  cat > "$tmp/initramfs/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in /mod/*; do /bin/busybox insmod "$module"; done
tries=0
while [ ! -e /dev/vdb ] && [ $tries -lt 100 ]; do /bin/busybox sleep 0.1; tries=$((tries+1)); done
/bin/busybox mount -t ext4 /dev/vda /root || exit 1
exec /bin/busybox switch_root /root /sbin/guest-init
INIT
  chmod +x "$tmp/initramfs/init"
  (cd "$tmp/initramfs" && find . | cpio -o -H newc 2>/dev/null | gzip -1) > "$tmp/initramfs.gz"

  debootstrap --variant=minbase \
    --include=python3,nodejs,uidmap,iproute2,procps,ca-certificates bookworm "$tmp/tree" > "$tmp/debootstrap.log" 2>&1 ||
    { tail -5 "$tmp/debootstrap.log" >&2; exit 1; }
  chroot "$tmp/tree" useradd --create-home --uid 1000 --shell /bin/bash ada
  cat > "$tmp/tree/sbin/guest-init" <<'INIT'
#!/bin/bash
# First process of the guest: mounts, runs /payload/.command, powers off.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /payload
mount -t devpts pts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 -o nsdelegate cgroup /sys/fs/cgroup
mount -t ext4 /dev/vdb /payload
ip link set lo up
hostname guest
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 CI=${CI:-}
for controller in cpu memory pids; do echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control; done
cd /payload || exit 1
if [ -e .as-user ]; then
  own=/sys/fs/cgroup/user.slice
  mkdir -p $own/scope
  for controller in cpu memory pids; do echo "+$controller" > $own/cgroup.subtree_control; done
  chown ada $own/scope $own/scope/cgroup.procs $own/scope/cgroup.subtree_control $own/scope/cgroup.threads
  chown -R ada /payload
  echo $$ > $own/scope/cgroup.procs
  export HOME=/home/ada
  setpriv --reuid 1000 --regid 1000 --init-groups bash .command
else
  bash .command
fi
printf '\nguest-exit-code:%d\n' $?
sync
echo o > /proc/sysrq-trigger
sleep 10
INIT
  chmod +x "$tmp/tree/sbin/guest-init"
  mkfs.ext4 -q -d "$tmp/tree" "$tmp/root.img" 2G > /dev/null
  mkdir -p "$(dirname "$cache")"
  rm -rf "$cache.new"
  mkdir "$cache.new"
  cp --sparse=always "$tmp/vmlinuz" "$tmp/initramfs.gz" "$tmp/root.img" "$cache.new/"
  mv "$cache.new" "$cache"
  rm -rf "$tmp"
}
# The name changes with the recipe, so that a changed one is built anew.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hearth/guest-$(declare -f modules build | sha256sum | cut -c1-12)
mkdir -p "$(dirname "$cache")"
( flock 9; [ -d "$cache" ] || build ) 9> "$cache.lock"

mkdir "$work/payload"
cp -a "$payload/." "$work/payload/"
printf '%s\n' "$command" > "$work/payload/.command"
[ "$as_user" -eq 0 ] || touch "$work/payload/.as-user"
size=$(($(du -sm "$work/payload" | cut -f1) * 2 + 512))
mkfs.ext4 -q -d "$work/payload" "$work/payload.img" "${size}M" > /dev/null

# A /dev/kvm without the processor's own extensions is there on some nested
# hosts and doesn't run a guest.
accelerator=tcg,thread=multi cpu=max options=""
if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
  accelerator=kvm
else
  # The emulator finds what it has translated by its address: where each process
  # has others, it translates all of Node anew at every start, which is a third
  # of what a start costs. And it moves one byte at a time for "rep stosb", with
  # which the kernel clears pages where a processor calls that fast (ERMS).
  cpu=max,erms=off options=norandmaps
fi
# q35 rather than microvm: its timers let an emulated processor calibrate its
# clock even on a loaded host.
timeout --foreground "$limit" qemu-system-x86_64 -M q35 -accel "$accelerator" -cpu "$cpu" -smp 2 -m 3072 \
  -nodefaults -no-user-config -display none -no-reboot \
  -kernel "$cache/vmlinuz" -initrd "$cache/initramfs.gz" -append "console=ttyS0 quiet panic=-1 $options" -serial stdio \
  -drive if=none,id=root,file="$cache/root.img",format=raw,snapshot=on -device virtio-blk-pci,drive=root \
  -drive if=none,id=payload,file="$work/payload.img",format=raw -device virtio-blk-pci,drive=payload \
  < /dev/null | stdbuf -oL tr -d '\r' | tee "$work/output" | grep --line-buffered -v -e '^guest-exit-code:' -e 'sysrq: Power Off' -e 'reboot: Power down' || true
code=$(sed -n 's/^guest-exit-code:\([0-9]*\)$/\1/p' "$work/output" | tail -1)
[ -n "$code" ] || { say "the machine ended before the command did (limit ${limit} s)"; exit 4; }
exit "$code"
