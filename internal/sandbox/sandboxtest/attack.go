package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/wire"
)

// attackCases try to get out, to reach others, or to lie to the engine.
var attackCases = []testCase{
	{"can't read the host's files", attackFiles, false},
	{"can't read others' environments", attackEnvironments, false},
	{"can't see or signal others' processes", attackProcesses, false},
	{"can't trace", attackTracing, false},
	{"can't make or enter namespaces", attackNamespaces, false},
	{"can't gain privileges", attackPrivileges, false},
	{"is nobody", attackIdentity, false},
	{"can't make sockets of other families", attackSockets, false},
	{"can't reach the host's servers", attackServers, false},
	{"can't reach a sibling by abstract socket", attackSibling, false},
	{"inherits nothing", attackDescriptors, false},
	{"can't change what it runs from", attackWrites, false},
	{"can't see cgroups", attackCgroups, false},
	{"can't reach into the kernel", attackKernel, false},
	{"dies with the wire that it closes", attackCloseWire, false},
	{"dies of garbage on the wire", attackGarbage, true},
	{"dies of a forged answer", attackForge, false},
}

// attempts are what came of each, see the fixtures.
type attempts map[string]string

// worked returns the attempts that did, sorted.
func (a attempts) worked() []string {
	var w []string
	for name, outcome := range a {
		if !strings.HasPrefix(outcome, "refused") {
			w = append(w, name+": "+outcome)
		}
	}
	slices.Sort(w)
	return w
}

// attack calls one attack of the fixtures.
func attack[T any](t *testing.T, s *suite, name string, event any) T {
	t.Helper()
	f := s.serve(t, options{handler: "attacks." + name})
	return reply[T](t, f.mustCall(t, event, ""))
}

// wantRefused wants that nothing works and that something was tried.
func wantRefused(t *testing.T, s *suite, name string, event any) {
	t.Helper()
	got := attack[attempts](t, s, name, event)
	if len(got) == 0 {
		t.Error("nothing was tried")
	}
	for _, w := range got.worked() {
		t.Errorf("%s", w)
	}
}

// wantForbidden is wantRefused where the kernel must not even have looked at
// the arguments: another error than these means that the door is open and the
// attack was only clumsy.
func wantForbidden(t *testing.T, s *suite, name string, event any) {
	t.Helper()
	got := attack[attempts](t, s, name, event)
	if len(got) == 0 {
		t.Error("nothing was tried")
	}
	for _, open := range got.open() {
		t.Errorf("%s", open)
	}
}

func (a attempts) open() []string {
	forbidden := []string{"refused: EPERM", "refused: EACCES", "refused: ENOSYS", "refused: ENOENT", "refused: SIGSYS"}
	var open []string
	for name, outcome := range a {
		if !slices.Contains(forbidden, outcome) {
			open = append(open, name+": "+outcome)
		}
	}
	slices.Sort(open)
	return open
}

// planted is a file of the host that everybody may read.
func planted(t testing.TB) string {
	t.Helper()
	name := filepath.Join(publicDir(t), "secret")
	must(t, os.WriteFile(name, []byte("planted"), 0o644))
	return name
}

// hostFiles are what a function would like to read.
func hostFiles(t *testing.T, s *suite) map[string]any {
	other := writeCode(t, publicDir(t), s.rt.Language)
	names, err := filepath.Glob(filepath.Join(other, "*"))
	must(t, err)
	return map[string]any{"paths": append(names, planted(t), s.place.Dir, "/etc/shadow", filepath.Join(rootHome(t), ".bashrc"), "/etc/hostname", s.code)}
}

func attackFiles(t *testing.T, s *suite) { wantRefused(t, s, "files", hostFiles(t, s)) }

// victim is a process of the host with a secret in its environment and a mark
// in its command line.
func victim(t testing.TB) (pid int, mark, secret string) {
	t.Helper()
	mark, secret = fmt.Sprintf("victim-%d-%d", os.Getpid(), ids.Add(1)), fmt.Sprintf("secret-%d", time.Now().UnixNano())
	cmd := exec.Command("/bin/cat", "/dev/stdin", "/nowhere/"+mark)
	cmd.Env = append(os.Environ(), "SECRET="+secret)
	in, err := cmd.StdinPipe() // it ends when this does, at the latest with this process
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); in.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid, mark, secret
}

func attackEnvironments(t *testing.T, s *suite) {
	_, _, secret := victim(t)
	sibling := s.serve(t, options{handler: "cases.env", env: map[string]string{"SECRET": secret}})
	sibling.mustCall(t, "SECRET", "")
	wantRefused(t, s, "environments", map[string]string{"text": secret})
}

type seen struct {
	Seen  int
	Found bool
}

func attackProcesses(t *testing.T, s *suite) {
	pid, mark, _ := victim(t)
	if got := attack[seen](t, s, "processes", map[string]string{"text": mark}); got.Found || got.Seen > 5 {
		t.Errorf("%d processes are seen; one of the host: %v", got.Seen, got.Found)
	}
	sibling := s.serve(t, options{handler: "cases.echo"})
	sibling.mustCall(t, 1, "")
	wantRefused(t, s, "signals", map[string]any{"pids": []int{pid, os.Getpid()}, "kill": true, "all": true})
	if err := exec.Command("/bin/kill", "-0", strconv.Itoa(pid)).Run(); err != nil {
		t.Errorf("the victim: %v", err)
	}
	sibling.mustCall(t, 1, "")
}

func attackTracing(t *testing.T, s *suite) {
	pid, _, _ := victim(t)
	wantRefused(t, s, "tracing", map[string]any{"pids": []int{pid, os.Getpid()}, "traceme": s.cfg.SharedKernel})
}

// onSharedKernel skips what only matters there, and what a language can't try.
func onSharedKernel(t *testing.T, s *suite) {
	t.Helper()
	if !s.cfg.SharedKernel {
		t.Skip("this driver's sandboxes have a kernel of their own")
	}
}

func inPython(t *testing.T, s *suite) {
	t.Helper()
	if s.rt.Language != "python" {
		t.Skip("needs system calls that this language can't make; the sandbox is the same for all")
	}
}

func attackNamespaces(t *testing.T, s *suite) {
	onSharedKernel(t, s)
	inPython(t, s)
	wantForbidden(t, s, "namespaces", nil)
}

func attackPrivileges(t *testing.T, s *suite) {
	onSharedKernel(t, s)
	wantRefused(t, s, "privileges", nil)
}

func attackIdentity(t *testing.T, s *suite) {
	onSharedKernel(t, s)
	got := attack[map[string]string](t, s, "identity", nil)
	for name, want := range map[string]string{
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
		"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2", "TracerPid": "0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if s.caps.Root && (strings.HasPrefix(got["Uid"], "0\t") || strings.HasPrefix(got["Gid"], "0\t")) {
		t.Errorf("it runs as user %s, group %s", got["Uid"], got["Gid"])
	}
}

func attackSockets(t *testing.T, s *suite) {
	onSharedKernel(t, s)
	inPython(t, s)
	const unix, inet, inet6, raw, packet = 1, 2, 10, 3, 10
	for _, made := range attack[[][2]int](t, s, "sockets", nil) {
		family, kind := made[0], made[1]
		if !slices.Contains([]int{unix, inet, inet6}, family) {
			t.Errorf("a socket of family %d, type %d", family, kind)
		}
		if family != unix && (kind == raw || kind == packet) {
			t.Errorf("a raw socket of family %d, type %d", family, kind)
		}
	}
}

// servers are the test's own, at every address of the host.
func servers(t *testing.T) map[string]any {
	t.Helper()
	mark := fmt.Sprintf("hearth-suite-%d-%d", os.Getpid(), ids.Add(1))
	addresses := [][2]any{}
	listen := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil // no IPv6 here
		}
		t.Cleanup(func() { l.Close() })
		go greet(l)
		return l
	}
	hosts := []string{"127.0.0.1", "::1"}
	all, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			hosts = append(hosts, n.IP.String())
		}
	}
	for _, host := range hosts {
		if l := listen("tcp", net.JoinHostPort(host, "0")); l != nil {
			addresses = append(addresses, [2]any{host, l.Addr().(*net.TCPAddr).Port})
		}
	}
	path := filepath.Join(publicDir(t), "socket")
	listen("unix", path)
	must(t, os.Chmod(path, 0o777))
	listen("unix", "@"+mark)
	// Some languages fill the rest of the address with zeros.
	listen("unix", "@"+mark+strings.Repeat("\x00", 107-len(mark)))
	return map[string]any{"addresses": addresses, "abstract": []string{mark}, "unix": []string{path}}
}

func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte("hello"))
		c.Close()
	}
}

func attackServers(t *testing.T, s *suite) { wantRefused(t, s, "connect", servers(t)) }

func attackSibling(t *testing.T, s *suite) {
	name := fmt.Sprintf("hearth-sibling-%d-%d", os.Getpid(), ids.Add(1))
	event := map[string]any{"addresses": []string{}, "abstract": []string{name}}
	sibling := s.serve(t, options{handler: "attacks.listen"})
	sibling.mustCall(t, name, "")
	wantRefused(t, s, "connect", event)
}

func attackDescriptors(t *testing.T, s *suite) {
	for _, wrong := range foreign(t, attack[map[string]string](t, s, "descriptors", nil)) {
		t.Error(wrong)
	}
}

// foreign lists the descriptors that a function should not have.
func foreign(t testing.TB, fds map[string]string) (wrong []string) {
	t.Helper()
	for fd, target := range fds {
		n, err := strconv.Atoi(fd)
		must(t, err)
		var ok bool
		switch {
		case n <= 2:
			ok = strings.HasPrefix(target, "pipe:") || target == "/dev/null"
		case n == 3:
			ok = strings.HasPrefix(target, "socket:") || strings.HasPrefix(target, "/dev/")
		default:
			ok = ownDescriptor(target)
		}
		if !ok {
			wrong = append(wrong, fmt.Sprintf("descriptor %d is %s", n, target))
		}
	}
	return wrong
}

// ownDescriptor reports what an interpreter opens for itself: its event loop,
// and files that it may read.
func ownDescriptor(target string) bool {
	for _, p := range []string{"anon_inode:[event", "anon_inode:[io_uring]", "pipe:", "socket:", "/dev/null", "/dev/urandom", "/proc/", "/code", "/usr/", "/hearth"} {
		if strings.HasPrefix(target, p) {
			return true
		}
	}
	return false
}

func attackWrites(t *testing.T, s *suite) {
	files := []string{"/etc/passwd", "/etc/resolv.conf", s.rt.Interpreter}
	folders := []string{"/", "/usr", "/usr/bin", "/etc", "/proc", "/proc/sys", "/dev", "/sys", "/var", "/root", "/home", hearth.ShimMount}
	if s.caps.CodeMount {
		folders = append(folders, hearth.CodeMount)
		files = append(files, hearth.CodeMount+"/cases.py", hearth.CodeMount+"/cases.mjs")
	}
	wantRefused(t, s, "writes", map[string]any{"files": files, "folders": folders})
}

func attackCgroups(t *testing.T, s *suite) {
	onSharedKernel(t, s)
	wantRefused(t, s, "cgroups", nil)
}

func attackKernel(t *testing.T, s *suite) {
	onSharedKernel(t, s)
	wantForbidden(t, s, "kernel", nil)
}

// wantWireEnds calls an attack on the wire and returns what ended that.
func wantWireEnds(t *testing.T, s *suite, name, script string) (*function, error) {
	t.Helper()
	f := s.serve(t, options{handler: "attacks." + name})
	_, err := f.wire.Ready(ctxFor(t))
	must(t, err)
	st := f.begin(t, nil, script)
	// The answer may be on its way before the attack is noticed.
	if _, _, _, err := st.Result(ctxFor(t)); errors.Is(err, context.DeadlineExceeded) {
		t.Error("the call hangs")
	}
	select {
	case <-f.wire.Done():
	case <-time.After(patience()):
		t.Fatal("the wire lives on")
	}
	return f, f.wire.Err()
}

func attackCloseWire(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "attacks.close_wire"})
	_, err := f.wire.Ready(ctxFor(t))
	must(t, err)
	st := f.begin(t, nil, "")
	// Somebody else may hold the same socket inside, so that the end may come
	// only with the sandbox: the engine's timer sees to that.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, body, _, err := st.Result(ctx); err == nil {
		t.Errorf("it answered %s over the wire that it closed", body)
	}
	destroy(t, f)
	died(t, f)
}

func attackGarbage(t *testing.T, s *suite) {
	f, err := wantWireEnds(t, s, "garbage", `{"garbage":true}`)
	if !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("the wire ended with %v", err)
	}
	destroy(t, f)
	died(t, f)
}

func attackForge(t *testing.T, s *suite) {
	f, err := wantWireEnds(t, s, "forge", "")
	if !errors.Is(err, wire.ErrProtocol) {
		t.Errorf("the wire ended with %v", err)
	}
	destroy(t, f)
	died(t, f)
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
