#!/usr/bin/env bash
# Runs in the guest of Test09Guest, in the payload's folder, as root or as an
# ordinary user: what the first argument, "root" or "user", says too.
set -uo pipefail
who=$1
mkdir -m 1777 tmp # on a disk, because the guest's tmpfs takes no extended attributes
export HEARTH_GUEST=$who HEARTH_E2E_BINARY=$PWD/hearth TMPDIR=$PWD/tmp CI=true
[ "$who" = root ] || export HEARTH_NATIVE_TEST_ROOTLESS=1

# run LEAST WHAT BINARY RUN SKIP: runs tests, of which at least so many must
# pass; prints the outcome of each, and of a failed run all that was said.
failed=0
run() {
  local began=$SECONDS passed
  ./"$3" -test.v -test.timeout 15m -test.run "$4" -test.skip "$5" > "$2.txt" 2>&1
  local code=$?
  passed=$(grep -cE '^ *--- PASS' "$2.txt")
  if [ $code -eq 0 ] && [ "$passed" -ge "$1" ]; then
    grep -E '^ *--- ' "$2.txt"
    echo "guest: $2 passed, $passed tests in $((SECONDS - began)) s"
  else
    cat "$2.txt"
    echo "guest: $2 FAILED with code $code, $passed tests passed in $((SECONDS - began)) s"
    failed=1
  fi
}

cgroups='MemoryBombIs|CPUQuota|ForkBombStops|LimitsChange|Frozen|FreezeKeeps|RemoveWaits|LeftoversAre|LeftoversOf|Version2|AServerLeaf'
kernel='KernelKeeps|X32|PythonWorks|NamespacesAre|MakerOf|Probe|OrdinaryUser|Signals|InnerEnds|ExitCode|Subordinate|Forbidden'
if [ "$who" = root ]; then
  run 30 kernel native.test "^Test($cgroups|$kernel)" 'AnOrdinaryUserHas'
else
  run 8 kernel native.test "^Test($cgroups)" none
fi
# A JIT costs an emulated processor most: what Python has shown of the kernel, Node repeats only where it attacks or takes too much.
run 40 python native.test TestConformance/python 'TestConformance/.*/survives_a_flood'
if [ "$who" = root ]; then
  run 17 node native.test "TestConformance/nodejs/^(can't|is_nobody|inherits|dies_|kills_|stops_a_fork|is_destroyed_in_an_endless)" none
fi
run 2 scenarios e2e.test Test09 Test09Guest
exit $failed
