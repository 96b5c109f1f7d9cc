package native_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// rootlessEnv has this test binary run as an ordinary user would: TestMain
// enters a user namespace first.
const rootlessEnv = "HEARTH_NATIVE_TEST_ROOTLESS"

func TestAnOrdinaryUserHasSandboxesToo(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "needs root, to become an ordinary user")
	}
	const nobody = 65534
	dir := mustPublicDir(t)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^(TestASandboxServesAFunction|TestPrivilegesCantBeHad|TestOtherProcessesAreOutOfReach|TestNamespacesCantBeMadeOrEntered|TestCodeAndRootAreReadOnly|TestTheHostsLoopbackIsOutOfReach|TestManyRoundsLeaveNothing|TestSiblingsShareNoProcessGroup)$")
	cmd.Env = []string{"TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), rootlessEnv + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "doesn't let an ordinary user") {
		skip(t, "this host forbids it: "+string(out))
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestASandboxServesAFunction") {
		t.Errorf("%v\n%s", err, out)
	}
}
