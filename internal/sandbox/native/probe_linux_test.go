package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// probeHelper prints what Probe finds, as JSON, in a user namespace if it is
// started by an ordinary user.
func probeHelper() error {
	if os.Getenv("ENTER") != "" {
		entered, code, err := EnterUserNamespace(context.Background())
		if err != nil {
			return err
		}
		if !entered {
			os.Exit(code)
		}
	}
	d, err := New(Config{Dir: os.Getenv("DIR"), Instance: "test-probe"})
	if err != nil {
		return err
	}
	c, err := d.Probe(context.Background())
	answer := struct {
		Capabilities sandbox.Capabilities
		Err          *hearth.Error
	}{c, nil}
	if err != nil {
		answer.Err = hearth.AsError(err)
	}
	return errors.Join(json.NewEncoder(os.Stdout).Encode(answer), d.Close())
}

// mustProbe runs the helper and reads its answer.
func mustProbe(t *testing.T, cmd *exec.Cmd) (sandbox.Capabilities, *hearth.Error) {
	t.Helper()
	var answer struct {
		Capabilities sandbox.Capabilities
		Err          *hearth.Error
	}
	out := mustRun(t, cmd)
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return answer.Capabilities, answer.Err
}

func finding(t *testing.T, c sandbox.Capabilities, name string) sandbox.Finding {
	t.Helper()
	for _, f := range c.Findings {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no finding about %s in %+v", name, c.Findings)
	return sandbox.Finding{}
}

func TestProbeAsRoot(t *testing.T) {
	needRoot(t)
	d, err := New(Config{Dir: t.TempDir(), Instance: instanceOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	before := listAll(t)
	c, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Findings {
		t.Logf("%-8s %s: %s %s", f.Status, f.Name, f.Detail, f.Fix)
	}
	if !c.Root || !c.Tmp.OK || !c.Network.OK || c.Streams != 1 || !c.CodeMount || !c.Forks {
		t.Errorf("%+v", c)
	}
	for name, e := range map[string]sandbox.Enforcement{"memory": c.Memory, "cpu": c.CPU, "pids": c.PIDs, "egress": c.Egress} {
		if !e.OK && (e.Why == "" || e.Fix == "") {
			t.Errorf("%s isn't enforced, and the reason or what to do is missing: %+v", name, e)
		}
	}
	if !strings.Contains(c.Isolation, "namespaces, seccomp") || !strings.Contains(c.Isolation, "own uid 200000+") {
		t.Errorf("isolation is %q", c.Isolation)
	}
	for _, f := range c.Findings {
		if f.Status != statusOK && f.Fix == "" {
			t.Errorf("%s is %s and nothing says what to do", f.Name, f.Status)
		}
	}
	if after := listAll(t); after != before {
		t.Errorf("the probe left something behind:\n%s\nbefore:\n%s", after, before)
	}
}

// listAll lists the mounts and the cgroups of this test's instances.
func listAll(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	all := string(mounts)
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), "hearth-"+instanceOf(t)) {
			all += path + "\n"
		}
		return nil // groups of others come and go
	})
	return all
}

func TestProbeAsOrdinaryUser(t *testing.T) {
	needRoot(t)
	dir, err := os.MkdirTemp("", "hearth-probe-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chown(dir, ordinaryUser, ordinaryUser); err != nil {
		t.Fatal(err)
	}
	_, perr := mustProbe(t, asUser(helper("probe", "DIR="+dir), ordinaryUser))
	if perr == nil || perr.Code != hearth.CodeUnsupported || perr.Hint == "" {
		t.Errorf("outside of a namespace: got %+v", perr)
	}
	c, perr := mustProbe(t, asUser(helper("probe", "DIR="+dir, "ENTER=1"), ordinaryUser))
	if perr != nil {
		t.Fatalf("inside: %+v", perr)
	}
	if c.Root || c.Egress.OK || !c.Network.OK || !c.Tmp.OK || !strings.Contains(c.Isolation, "rootless") {
		t.Errorf("inside: %+v", c)
	}
	if f := finding(t, c, "user ids"); f.Status != statusWeak || !strings.Contains(f.Fix, "uidmap") {
		t.Errorf("inside: %+v", f)
	}
	if f := finding(t, c, "network: egress"); f.Status != statusMissing || !strings.Contains(f.Fix, "root") {
		t.Errorf("inside: %+v", f)
	}
}

// TestProbeWithoutCapabilities is root as a container has it.
func TestProbeWithoutCapabilities(t *testing.T) {
	needRoot(t)
	cmd := helper("probe", "DIR="+t.TempDir())
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		skip(t, "setpriv isn't installed")
	}
	cmd.Path, cmd.Args = setpriv, append([]string{"setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "/proc/self/exe"}, cmd.Args[1:]...)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args[3] = self
	_, perr := mustProbe(t, cmd)
	if perr == nil || perr.Code != hearth.CodeUnsupported || !strings.Contains(perr.Message, "mount namespaces") || perr.Hint == "" {
		t.Errorf("got %+v", perr)
	}
}

func TestProbeExplains(t *testing.T) {
	mounts := trial{"the mount interface of Linux 5.12", "5.12", nil}
	for what, c := range map[string]struct {
		err    error
		around surroundings
		hint   string
	}{
		"an old kernel":        {fmt.Errorf("mount_setattr: %w", unix.ENOSYS), surroundings{kernel: "5.4.0-150"}, "this kernel is 5.4.0-150; run Linux 5.12"},
		"a closed container":   {unix.EPERM, surroundings{kernel: "6.1.0", container: "docker"}, "--privileged"},
		"root with less":       {unix.EPERM, surroundings{kernel: "6.1.0"}, "CAP_SYS_ADMIN"},
		"a limit reached":      {unix.ENOSPC, surroundings{kernel: "6.1.0"}, "sysctl -w user.max_"},
		"a kernel built small": {syscall.EIO, surroundings{kernel: "6.1.0"}, "as distributions build theirs"},
	} {
		err := hearth.AsError(mounts.explain(c.err, c.around))
		if err.Code != hearth.CodeUnsupported || !strings.Contains(err.Hint, c.hint) || !errors.Is(err, c.err) && !errors.Is(err, errors.Unwrap(c.err)) {
			t.Errorf("%s: got %+v, want a hint with %q", what, err, c.hint)
		}
	}
}

func TestSurroundings(t *testing.T) {
	for what, c := range map[string]struct {
		files map[string]string
		want  surroundings
		found []string
	}{
		"a plain host":    {map[string]string{"proc/sys/kernel/osrelease": "6.1.0-18-amd64\n", "proc/1/environ": "HOME=/\x00TERM=linux\x00"}, surroundings{kernel: "6.1.0-18-amd64"}, []string{"kernel ok"}},
		"WSL":             {map[string]string{"proc/sys/kernel/osrelease": "5.15.146.1-microsoft-standard-WSL2\n"}, surroundings{kernel: "5.15.146.1-microsoft-standard-WSL2", wsl: true}, []string{"kernel ok", "WSL weak"}},
		"Docker":          {map[string]string{"proc/sys/kernel/osrelease": "6.1.0\n", ".dockerenv": ""}, surroundings{kernel: "6.1.0", container: "docker"}, []string{"kernel ok", "container weak"}},
		"Podman":          {map[string]string{"proc/sys/kernel/osrelease": "6.1.0\n", "run/.containerenv": "x"}, surroundings{kernel: "6.1.0", container: "podman"}, []string{"kernel ok", "container weak"}},
		"LXC":             {map[string]string{"proc/sys/kernel/osrelease": "6.1.0\n", "proc/1/environ": "A=b\x00container=lxc\x00"}, surroundings{kernel: "6.1.0", container: "lxc"}, []string{"kernel ok", "container weak"}},
		"an older kernel": {map[string]string{"proc/sys/kernel/osrelease": "5.13.9\n"}, surroundings{kernel: "5.13.9"}, []string{"kernel weak"}},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			path := filepath.Join(root, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		got := findSurroundings(root)
		var found []string
		for _, f := range got.findings() {
			found = append(found, f.Name+" "+f.Status)
		}
		if got != c.want || strings.Join(found, ", ") != strings.Join(c.found, ", ") {
			t.Errorf("%s: got %+v, %v, want %+v, %v", what, got, found, c.want, c.found)
		}
	}
}

func TestIsolationLine(t *testing.T) {
	for want, got := range map[string]string{
		"namespaces, seccomp, cgroup v1, own uid 200000+":          isolation(true, 1, 200000, true),
		"namespaces, seccomp, cgroup v2, own uid 32769+, rootless": isolation(false, 2, 32769, true),
		"namespaces, seccomp, shared uid, rootless":                isolation(false, 0, 0, false),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
