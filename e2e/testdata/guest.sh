#!/usr/bin/env bash
# Runs in the guest of Test09Guest, in the payload's folder, as root or as an
# ordinary user: what the first argument, "root" or "user", says too.
set -uo pipefail
who=$1
mkdir -m 1777 tmp # on a disk, because the guest's tmpfs takes no extended attributes
export HEARTH_GUEST=$who HEARTH_E2E_BINARY=$PWD/hearth TMPDIR=$PWD/tmp CI=true
[ "$who" = root ] || export HEARTH_NATIVE_TEST_ROOTLESS=1

# The processor may be emulated, about ten times slower, on a busy machine.
export HEARTH_SANDBOXTEST_SLOW=3

# run LEAST MOST WHAT BINARY RUN SKIP: runs tests, of which at least LEAST must
# pass and at most MOST may skip themselves; prints the outcome of each, and of a
# failed run all that was said.
failed=0
run() {
  local began=$SECONDS passed skipped
  ./"$4" -test.v -test.timeout 20m -test.run "$5" -test.skip "$6" > "$3.txt" 2>&1
  local code=$?
  passed=$(grep -cE '^ *--- PASS' "$3.txt")
  skipped=$(grep -cE '^ *--- SKIP' "$3.txt")
  if [ $code -eq 0 ] && [ "$passed" -ge "$1" ] && [ "$skipped" -le "$2" ]; then
    grep -E '^ *--- ' "$3.txt"
    echo "guest: $3 passed, $passed tests in $((SECONDS - began)) s"
  else
    cat "$3.txt"
    echo "guest: $3 FAILED with code $code, $passed tests passed and $skipped were skipped in $((SECONDS - began)) s"
    failed=1
  fi
}

cgroups='MemoryBombIs|CPUQuota|ForkBombStops|LimitsChange|Frozen|FreezeKeeps|RemoveWaits|LeftoversAre|LeftoversOf|Version2|AServerLeaf'
kernel='KernelKeeps|X32|PythonWorks|NamespacesAre|MakerOf|Probe|OrdinaryUser|Signals|InnerEnds|ExitCode|Subordinate|Forbidden|Egress'
if [ "$who" = root ]; then
  run 38 0 kernel native.test "^Test($cgroups|$kernel)" 'AnOrdinaryUserHas'
else
  run 8 0 kernel native.test "^Test($cgroups)" none
fi
run 59 0 python native.test TestConformance/python none
# JavaScript makes no system calls of its own choice: two attacks skip themselves.
run 57 2 node native.test TestConformance/nodejs none
run 2 9 scenarios e2e.test Test09 Test09Guest
exit $failed
