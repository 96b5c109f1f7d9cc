package native_test

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/native"
)

// The attacks are in testdata/attack, a handler in each language.

// mustAttacker returns a sandbox that serves the attacks.
func mustAttacker(t *testing.T, d *native.Driver, rt hearth.Runtime, l hearth.Limits) *function {
	t.Helper()
	return mustLoadAttacks(t, d, mustCreate(t, d, rt), rt, l)
}

func mustLoadAttacks(t *testing.T, d *native.Driver, s sandbox.Sandbox, rt hearth.Runtime, l hearth.Limits) *function {
	t.Helper()
	name := map[string]string{"nodejs": "main.js", "python": "main.py"}[rt.Language]
	b, err := os.ReadFile(filepath.Join("testdata", "attack", name))
	if err != nil {
		t.Fatal(err)
	}
	f := mustServe(t, s, code{rt.Language: string(b)}.write(t, rt.Language), l)
	f.driver, f.runtime = d, rt
	return f
}

// attack runs one attack with an event and reads what came of it.
func attack[T any](t *testing.T, f *function, name string, event map[string]any) T {
	t.Helper()
	e := map[string]any{"attack": name}
	maps.Copy(e, event)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal([]byte(f.mustCall(t, string(b))), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

type results = map[string]any

// everywhere runs a test in each language with an attacker's sandbox.
func everywhere(t *testing.T, test func(t *testing.T, f *function)) {
	for _, language := range slices.Sorted(maps.Keys(languages)) {
		t.Run(language, func(t *testing.T) {
			d := mustDriver(t, native.Config{})
			test(t, mustAttacker(t, d, mustRuntime(t, language), hearth.DefaultLimits()))
		})
	}
}

// inPython runs a test with an attacker that can make any system call.
func inPython(t *testing.T, test func(t *testing.T, f *function)) {
	d := mustDriver(t, native.Config{})
	test(t, mustAttacker(t, d, mustRuntime(t, "python"), hearth.DefaultLimits()))
}

// not returns the results that are not among the errors allowed.
func not(got results, allowed ...string) results {
	bad := results{}
	for k, v := range got {
		if s, ok := v.(string); !ok || !slices.Contains(allowed, s) {
			bad[k] = v
		}
	}
	return bad
}

func TestHostFilesAreOutOfReach(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte("secret"), 0o666); err != nil {
			t.Fatal(err)
		}
		paths := []string{secret, "/etc/shadow", "/etc/hostname", filepath.Join(rootHome(t), ".bashrc"), "/proc/kallsyms", "/proc/mounts2", "/proc/cmdline", "/proc/kcore", "/sys/kernel/notes"}
		if bad := not(attack[results](t, f, "host_files", results{"paths": paths}), "ENOENT", "EACCES"); len(bad) > 0 {
			t.Errorf("read %v", bad)
		}
		for _, dir := range attack[[]string](t, f, "listing", results{"path": "/"}) {
			if !slices.Contains([]string{"bin", "code", "dev", "etc", "hearth", "lib", "lib32", "lib64", "libx32", "opt", "proc", "root", "sbin", "tmp", "usr"}, dir) {
				t.Errorf("/%s is visible", dir)
			}
		}
		if got := attack[[]string](t, f, "listing", results{"path": "/tmp"}); len(got) > 0 {
			t.Errorf("/tmp holds %q at the start", got)
		}
	})
}

func TestOtherProcessesAreOutOfReach(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		if got := attack[[]string](t, f, "processes", nil); !cmp.Equal(got, []string{"1"}) {
			t.Errorf("sees processes %q", got)
		}
		if bad := not(attack[results](t, f, "signals", results{"pid": os.Getpid()}), "ESRCH"); len(bad) > 0 {
			t.Errorf("signalled %v", bad)
		}
	})
}

func TestTracingIsRefused(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		got := attack[results](t, f, "ptrace", results{"pid": os.Getpid()})
		if bad := not(got, "EPERM", "ENOSYS", "own"); len(bad) > 0 {
			t.Errorf("got %v", bad)
		}
	})
}

func TestNamespacesCantBeMadeOrEntered(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		for _, name := range []string{"namespaces", "setns"} {
			if bad := not(attack[results](t, f, name, nil), "EPERM", "ENOSYS", "EACCES"); len(bad) > 0 {
				t.Errorf("%s: %v", name, bad)
			}
		}
	})
}

func TestPrivilegesCantBeHad(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		if bad := not(attack[results](t, f, "privileges", nil), "EPERM", "ENOSYS"); len(bad) > 0 {
			t.Errorf("got %v", bad)
		}
		want := results{
			"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
			"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
		}
		got := attack[results](t, f, "status", nil)
		if groups := got["Groups"]; groups != "" && os.Getenv(rootlessEnv) == "" {
			t.Errorf("groups are %v", groups)
		}
		delete(got, "Groups")
		for _, id := range []string{"Uid", "Gid"} {
			ids := strings.Fields(got[id].(string))
			// An ordinary user has no ids to give away: then it is the user's own.
			if os.Getenv(rootlessEnv) != "" {
				delete(got, id)
				continue
			}
			if len(ids) != 4 || slices.Contains(ids, "0") || len(slices.Compact(ids)) != 1 {
				t.Errorf("%s is %q", id, got[id])
			}
			delete(got, id)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSiblingsHaveDifferentUsers(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		g := mustAttacker(t, f.driver, f.runtime, hearth.DefaultLimits())
		a, b := attack[results](t, f, "status", nil), attack[results](t, g, "status", nil)
		if a["Uid"] == b["Uid"] || a["Gid"] == b["Gid"] {
			t.Errorf("both are %v, %v", a["Uid"], a["Gid"])
		}
	})
}

func TestOnlyOrdinarySocketsAreMade(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		got := attack[results](t, f, "sockets", nil)
		for _, family := range []string{"unix", "inet", "inet6"} {
			if got[family] != "made" {
				t.Errorf("%s: %v", family, got[family])
			}
			delete(got, family)
		}
		if bad := not(got, "EPERM", "EAFNOSUPPORT", "EACCES"); len(bad) > 0 {
			t.Errorf("got %v", bad)
		}
	})
}

func TestTheHostsLoopbackIsOutOfReach(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	everywhere(t, func(t *testing.T, f *function) {
		got := attack[string](t, f, "loopback", results{"port": l.Addr().(*net.TCPAddr).Port})
		if got != "ENETUNREACH" {
			t.Errorf("got %s", got)
		}
		if got := attack[[]string](t, f, "interfaces", nil); !cmp.Equal(got, []string{"lo"}) {
			t.Errorf("interfaces: %q", got)
		}
	})
}

func TestEgressGivesAnInterfaceAndResolversOnly(t *testing.T) {
	d := mustDriver(t, native.Config{})
	rt := mustRuntime(t, "nodejs")
	sp := spec(rt)
	sp.Network = hearth.NetworkEgress
	s, err := d.Create(t.Context(), sp)
	if hearth.ErrorCode(err) == hearth.CodeUnsupported {
		skip(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	f := mustLoadAttacks(t, d, s, rt, hearth.DefaultLimits())
	if got := attack[[]string](t, f, "interfaces", nil); len(got) != 2 {
		t.Errorf("interfaces: %q, not the loopback and one more", got)
	}
	conf := attack[results](t, f, "host_files", results{"paths": []string{"/etc/resolv.conf"}})
	if text, _ := conf["/etc/resolv.conf"].(string); !strings.Contains(text, "nameserver ") {
		t.Errorf("resolv.conf is %v", conf)
	}
	l, err := net.Listen("tcp", "0.0.0.0:0") // on every address of the host
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := attack[string](t, f, "loopback", results{"port": l.Addr().(*net.TCPAddr).Port}); got == "connected" {
		t.Error("it reaches the host's loopback")
	}
	mustDestroy(t, s)
	mustLeaveNothing(t, d)
}

func TestSiblingsDontMeetOverAbstractSockets(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		name := results{"name": "hearth-test-meeting"}
		if got := attack[string](t, f, "listen", name); got != "listening" {
			t.Fatal(got)
		}
		if got := attack[string](t, f, "sibling", name); got != "connected" {
			t.Errorf("not even with itself: %s", got)
		}
		g := mustAttacker(t, f.driver, f.runtime, hearth.DefaultLimits())
		if got := attack[string](t, g, "sibling", name); got != "ECONNREFUSED" {
			t.Errorf("got %s", got)
		}
	})
}

func TestNothingIsInherited(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		for fd, target := range attack[results](t, f, "descriptors", nil) {
			want := map[string]string{"0": "/dev/null", "1": "pipe", "2": "pipe", "3": "socket"}[fd]
			if want == "" && f.runtime.Language == "nodejs" && ownOfNode(target) {
				continue
			}
			if target != want {
				t.Errorf("descriptor %s is %v", fd, target)
			}
		}
		got := attack[struct {
			Given string
			Now   []string
		}](t, f, "environment", nil)
		for _, own := range []string{"HOSTNAME", "SUDO", "HEARTH_NATIVE", "GOMAXPROCS", "SSH", "GOFLAGS"} {
			if strings.Contains(got.Given, own) || slices.ContainsFunc(got.Now, func(k string) bool { return strings.HasPrefix(k, own) }) {
				t.Errorf("%s is in the environment: %q, %q", own, got.Given, got.Now)
			}
		}
	})
}

// ownOfNode reports whether a descriptor is one that Node opens for itself.
func ownOfNode(target any) bool {
	return slices.Contains([]any{"anon_inode", "pipe", "/dev/null"}, target)
}

func TestCodeAndRootAreReadOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		if bad := not(attack[results](t, f, "own_code", nil), "EROFS", "EACCES", "EPERM"); len(bad) > 0 {
			t.Errorf("got %v", bad)
		}
		if bad := not(attack[results](t, f, "sysctl", nil), "ENOENT", "EACCES", "EPERM"); len(bad) > 0 {
			t.Errorf("sysctl: %v", bad)
		}
	})
}

func TestNothingIsWritableOrSetuid(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		if got := attack[[]string](t, f, "writable", nil); len(got) > 0 {
			t.Errorf("writable: %q", got)
		}
		if got := attack[[]string](t, f, "setuid_programs", nil); len(got) > 0 {
			t.Errorf("set-uid programs would count in %q", got)
		}
	})
}

func TestCgroupsCantBeSeen(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		if bad := not(attack[results](t, f, "cgroupfs", nil), "ENOENT", "EPERM"); len(bad) > 0 {
			t.Errorf("got %v", bad)
		}
	})
}

func TestTerminalsCantBeTypedInto(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		if bad := not(attack[results](t, f, "tiocsti", nil), "EPERM", "ENOTTY", "EACCES"); len(bad) > 0 {
			t.Errorf("got %v", bad)
		}
	})
}

func TestAForkBombMeetsItsLimit(t *testing.T) {
	everywhere(t, func(t *testing.T, f *function) {
		got := attack[struct {
			Forks int
			Error string
		}](t, f, "fork_bomb", nil)
		if got.Error != "EAGAIN" || got.Forks >= hearth.DefaultLimits().PIDs {
			t.Errorf("got %+v", got)
		}
		if got := attack[[]string](t, f, "processes", nil); !slices.Contains(got, "1") {
			t.Error("the function doesn't answer any more")
		}
	})
}

func TestTemporaryFoldersHaveTheirSize(t *testing.T) {
	for _, language := range slices.Sorted(maps.Keys(languages)) {
		t.Run(language, func(t *testing.T) {
			d := mustDriver(t, native.Config{})
			l := hearth.DefaultLimits()
			l.TmpMiB = 16 // not that of the stem cell
			f := mustAttacker(t, d, mustRuntime(t, language), l)
			for path, want := range map[string]int{"/tmp/x": 16, "/dev/shm/x": 4} {
				got := attack[struct {
					MiB   int
					Error string
				}](t, f, "fill", results{"path": path})
				if got.Error != "ENOSPC" || got.MiB > want || got.MiB < want-1 {
					t.Errorf("%s: %+v", path, got)
				}
			}
		})
	}
}

func TestANodeSandboxHasAUser(t *testing.T) {
	d := mustDriver(t, native.Config{})
	f := mustAttacker(t, d, mustRuntime(t, "nodejs"), hearth.DefaultLimits())
	if got := attack[string](t, f, "user", nil); got != "sandbox" {
		t.Errorf("user is %q", got)
	}
}

func TestARuntimeFileThatIsMissingIsNamed(t *testing.T) {
	d := mustDriver(t, native.Config{})
	rt := mustRuntime(t, "nodejs")
	rt.Files = append(rt.Files, "/no/such/library.so")
	_, err := d.Create(t.Context(), spec(rt))
	if want := "runtime file /no/such/library.so: no such file"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}

// rootHome is where root keeps its own files.
func rootHome(t testing.TB) string {
	t.Helper()
	u, err := user.LookupId("0")
	if err != nil {
		t.Fatal(err)
	}
	return u.HomeDir
}
