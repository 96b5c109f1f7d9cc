package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// guestEnv says who a test is inside the virtual machine that Test09Guest
// starts: "root", or "user" for an ordinary one with a delegated cgroup and
// subordinate ids. Elsewhere it is empty.
const guestEnv = "HEARTH_GUEST"

// A machine with Debian's kernel and cgroup v2 alone, as most hosts are: the whole
// conformance suite of both languages, all attacks among it, the driver's tests
// of what it asks of the kernel, and a server with functions that take too much;
// once as root and once as an ordinary user.
func Test09Guest(t *testing.T) {
	needsRoot(t)
	if os.Getenv(guestEnv) != "" {
		t.Skip("this is the guest")
	}
	payload := mustPayload(t)
	for _, c := range []struct {
		who     string
		options []string
	}{{"root", nil}, {"user", []string{"--user"}}} {
		t.Run(c.who, func(t *testing.T) {
			t.Parallel() // a guest waits more than it works
			began := time.Now()
			args := append(slices.Clone(c.options), "--timeout", guestSeconds, payload, "bash guest.sh "+c.who)
			out, err := exec.Command("../scripts/guest.sh", args...).CombinedOutput()
			t.Logf("%s\n%s", time.Since(began).Round(time.Second), out)
			if err != nil {
				t.Errorf("the guest: %v", err)
			}
			for _, part := range []string{"kernel", "python", "node", "scenarios"} {
				if !strings.Contains(string(out), "guest: "+part+" passed") {
					t.Errorf("it doesn't say that %s passed", part)
				}
			}
		})
	}
}

// guestSeconds bounds a guest: its processor is emulated, on a busy machine.
const guestSeconds = "1500"

// mustPayload makes the folder that goes into the guest: static binaries of
// hearth and of the tests, and the script that runs them.
func mustPayload(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	hearth, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"cp", hearth, filepath.Join(dir, "hearth")},
		{"cp", "testdata/guest.sh", dir},
		{"go", "test", "-c", "-o", filepath.Join(dir, "e2e.test"), "."},
		{"go", "test", "-c", "-o", filepath.Join(dir, "native.test"), "../internal/sandbox/native"},
		{"cp", "-r", "../internal/sandbox/native/testdata", dir},
	} {
		cmd := exec.Command(c[0], c[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(c, " "), err, out)
		}
	}
	return dir
}

// What the doctor says where cgroup v2 is all there is.
func Test09DoctorInGuest(t *testing.T) {
	who := os.Getenv(guestEnv)
	if who == "" {
		t.Skip("runs inside of Test09Guest")
	}
	isolation, found := doctor(t)
	want := []string{"namespaces", "seccomp", "cgroup v2", "own uid"}
	if who == "user" {
		want = append(want, "rootless")
	}
	for _, w := range want {
		if !strings.Contains(isolation, w) {
			t.Errorf("the isolation is %q, without %q", isolation, w)
		}
	}
	for _, name := range []string{"memory limit", "cpu limit", "process limit", "/tmp limit", "no network", "user ids"} {
		if f := found[name]; f.Status != "ok" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if got := found["privileges"].Status; (got == "ok") != (who == "root") {
		t.Errorf("privileges of %s: %s", who, got)
	}
}

// Debian forbade user namespaces to ordinary users once, and whoever runs a
// host still can: they are told which setting it is.
func Test09ForbiddenNamespacesInGuest(t *testing.T) {
	if os.Getenv(guestEnv) != "root" {
		t.Skip("changes the host's settings: runs inside of Test09Guest alone")
	}
	u := mustOrdinaryUser(t)
	for _, c := range []struct{ file, setting string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone"},
		{"/proc/sys/user/max_user_namespaces", "user.max_user_namespaces"},
	} {
		before, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.file, []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"up", "--data", filepath.Join(u.home, "data"), "--listen", "127.0.0.1:0"}, {"doctor"}} {
			r := u.run(t, args...)
			said := r.Out + r.Err
			if r.Code == 0 || !strings.Contains(said, c.setting) || !strings.Contains(said, "sudo sysctl -w") {
				t.Errorf("with %s at 0, hearth %s ends with %d and says:\n%s", c.setting, args[0], r.Code, said)
			}
		}
		if err := os.WriteFile(c.file, before, 0); err != nil {
			t.Fatal(err)
		}
	}
}
