package native

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Some things can be tried only in a process of its own. Such a test starts
// this test binary again with the name of a helper, which does them and prints
// what happened.

const helperEnv = "HEARTH_NATIVE_TEST_HELPER"

func helpers() map[string]func() error {
	return map[string]func() error{
		"rootless":      rootlessHelper,
		"attempt":       attemptHelper,
		"exec-filtered": execFilteredHelper,
		"getppid":       getppidHelper,
		"spin":          spinHelper,
		"eat":           eatHelper,
		"fork":          forkHelper,
		"tick":          tickHelper,
		"cgroups":       cgroupsHelper,
		"probe":         probeHelper,
		"egress":        egressHelper,
	}
}

// TestHelperProcess isn't a test: it is where helpers run.
func TestHelperProcess(t *testing.T) {
	name := os.Getenv(helperEnv)
	if name == "" {
		return
	}
	if err := helpers()[name](); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(3)
	}
	os.Exit(0)
}

// helper returns a command that runs a helper.
func helper(name string, env ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperProcess$")
	cmd.Env = append(os.Environ(), append(env, helperEnv+"="+name)...)
	return cmd
}

// mustRun returns what a command printed.
func mustRun(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// needRoot skips a test that only root can do. In CI that is a failure: there
// we are root.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
}

// skip skips a test of something that this host lacks, and fails it in CI, whose
// hosts lack nothing.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("skipped in CI: " + why)
	}
	t.Skip(why)
}
