package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
)

// Without root, the server runs in a user namespace where it is root: uid 0
// inside is the user who started it. It gets there in three processes, because the
// kernel drops the capabilities of a new namespace at exec while the ids are not
// mapped yet:
//
//	outer   the process that the user started: maps the ids, forwards signals, returns the exit code
//	waiting its child in the new namespaces: waits for the map, then executes itself again
//	inner   the same process after that, root inside: the server
//
// A pipe from outer to inner says "mapped" with its first byte and "outer is
// dead" with its end.
const (
	stageEnv     = "_HEARTH_USER_NAMESPACE"
	stageWaiting = "waiting"
	stageInner   = "inner"
	stagePipe    = 3
)

// innerGrace is how long the inner process may take to shut down once the
// outer one is dead.
const innerGrace = 30 * time.Second

// EnterUserNamespace makes an ordinary user root of a new user namespace, with
// a mount namespace of its own, by running this program again inside. It is
// called first thing, before anything was opened or started.
//
// In the process that the user started it returns when the inner one has
// ended, with its exit code and entered false: the caller exits with it. In the inner
// process it returns at once with entered true. For root, who needs none of
// this, it does nothing and returns true.
//
// An error is a [hearth.Error] and says what the host forbids and how to lift
// it. When ctx ends, the inner process gets SIGTERM.
func EnterUserNamespace(ctx context.Context) (entered bool, exitCode int, err error) {
	switch os.Getenv(stageEnv) {
	case stageWaiting:
		return false, 0, becomeInner()
	case stageInner:
		return true, 0, settleIn()
	}
	if os.Geteuid() == 0 {
		return true, 0, nil
	}
	exitCode, err = runInner(ctx)
	return false, exitCode, err
}

// runInner is the outer process.
func runInner(ctx context.Context) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("enter user namespace: %w", err)
	}
	defer w.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), stageEnv+"="+stageWaiting)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		Setpgid:    true, // else Ctrl-C arrives twice: from the terminal and from here
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	err = cmd.Start()
	_ = r.Close()
	if err != nil {
		return 0, forbidden(err)
	}
	if err = mapIDs(ctx, cmd.Process.Pid); err == nil {
		_, err = w.Write([]byte{1})
	}
	if err != nil {
		_ = w.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return 0, fmt.Errorf("enter user namespace: %w", err)
	}
	return forward(ctx, cmd, signals)
}

// signalLag is how much later than the end of a context the signal may arrive
// here that ended it.
const signalLag = 100 * time.Millisecond

// forward passes signals on until the command ends. A context that a signal
// ended is no second request to end: two mean "at once".
func forward(ctx context.Context, cmd *exec.Cmd, signals <-chan os.Signal) (int, error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
			if s != unix.SIGUSR1 && s != unix.SIGUSR2 {
				stop, late = nil, nil
			}
		case <-stop:
			stop, late = nil, time.After(signalLag)
		case <-late:
			late = nil
			_ = cmd.Process.Signal(unix.SIGTERM)
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, fmt.Errorf("wait for the server in its user namespace: %w", err)
			}
			if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
				return 128 + int(ws.Signal()), nil
			}
			return cmd.ProcessState.ExitCode(), nil
		}
	}
}

// mapIDs writes the maps of the process: with newuidmap the user's subordinate
// ids as well, else the user alone.
func mapIDs(ctx context.Context, pid int) error {
	sub, err := subordinateIDs("/")
	if err == nil {
		if err = runMapper(ctx, "newuidmap", pid, os.Geteuid(), sub.uid); err == nil {
			return runMapper(ctx, "newgidmap", pid, os.Getegid(), sub.gid)
		}
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	one := func(id int) string { return fmt.Sprintf("0 %d 1\n", id) }
	for _, f := range []struct{ name, value string }{
		{"uid_map", one(os.Geteuid())},
		{"setgroups", "deny"}, // the kernel asks for it before a user may map a group
		{"gid_map", one(os.Getegid())},
	} {
		if werr := put(proc, f.name, f.value); werr != nil {
			return fmt.Errorf("map ids: %w", werr)
		}
	}
	return nil
}

// idRange is a line of /etc/subuid or /etc/subgid.
type idRange struct{ start, count int }

// subordinates are the ids that the host set aside for a user.
type subordinates struct{ uid, gid idRange }

// subordinateIDs finds the ids set aside for the user who runs this, and the
// programs that map them. The error says what is missing.
func subordinateIDs(root string) (s subordinates, err error) {
	for _, program := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(program); err != nil {
			return s, fmt.Errorf("%s isn't installed", program)
		}
	}
	names := []string{strconv.Itoa(os.Geteuid())}
	if u, err := user.LookupId(names[0]); err == nil {
		names = append(names, u.Username)
	}
	if s.uid, err = subordinateRange(filepath.Join(root, "etc/subuid"), names); err != nil {
		return s, err
	}
	s.gid, err = subordinateRange(filepath.Join(root, "etc/subgid"), names)
	return s, err
}

// subordinateRange returns the largest range of a user in a file of lines
// "name:start:count".
func subordinateRange(path string, names []string) (idRange, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return idRange{}, err
	}
	var best idRange
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || (f[0] != names[0] && f[0] != names[len(names)-1]) {
			continue
		}
		start, err1 := strconv.Atoi(f[1])
		count, err2 := strconv.Atoi(f[2])
		if err1 == nil && err2 == nil && count > best.count {
			best = idRange{start, count}
		}
	}
	if best.count == 0 {
		return best, fmt.Errorf("%s has no range for %s", path, names[len(names)-1])
	}
	return best, nil
}

// runMapper runs newuidmap or newgidmap.
func runMapper(ctx context.Context, program string, pid, id int, r idRange) error {
	out, err := exec.CommandContext(ctx, program, strconv.Itoa(pid),
		"0", strconv.Itoa(id), "1",
		"1", strconv.Itoa(r.start), strconv.Itoa(r.count)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(out))
	}
	return nil
}

// becomeInner is the waiting process. It returns only with an error.
func becomeInner() error {
	if n, err := unix.Read(stagePipe, make([]byte, 1)); n != 1 {
		return fmt.Errorf("enter user namespace: the starting process is gone: %w", errors.Join(err))
	}
	env := append(withoutStage(os.Environ()), stageEnv+"="+stageInner)
	err := unix.Exec("/proc/self/exe", os.Args, env)
	return fmt.Errorf("enter user namespace: %w", err)
}

func withoutStage(env []string) []string {
	var out []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, stageEnv+"=") {
			out = append(out, kv)
		}
	}
	return out
}

// settleIn is the beginning of the inner process.
func settleIn() error {
	if err := os.Unsetenv(stageEnv); err != nil {
		return err
	}
	unix.CloseOnExec(stagePipe)
	pipe := os.NewFile(stagePipe, "outer")
	go func() {
		_, _ = pipe.Read(make([]byte, 1)) // ends with the outer process
		_ = pipe.Close()
		_ = unix.Kill(os.Getpid(), unix.SIGTERM)
		time.AfterFunc(innerGrace, func() { _ = unix.Kill(os.Getpid(), unix.SIGKILL) })
	}()
	// Mounts of the host still arrive, ours don't leave.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return forbidden(err)
	}
	return nil
}

// forbidden says why a user namespace can't be had, with what the host's
// settings tell.
func forbidden(err error) error {
	if why := userNamespaceForbidden("/"); why != nil {
		why.Cause = err
		return why
	}
	return hearth.Errorf(hearth.CodeUnsupported, "this host doesn't let an ordinary user make a user namespace: %w", err).
		WithHint("run hearth as root, or ask the administrator to allow user namespaces")
}

// userNamespaceForbidden looks for the settings that take user namespaces from
// ordinary users. It returns nil if it finds none.
func userNamespaceForbidden(root string) *hearth.Error {
	setting := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, "proc/sys", name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	say := func(what, key, value string) *hearth.Error {
		return hearth.Errorf(hearth.CodeUnsupported, "this host doesn't let an ordinary user make a user namespace: %s", what).
			WithHint("run as root, once: sudo sysctl -w %s=%s; to keep it over restarts: echo '%s=%s' | sudo tee /etc/sysctl.d/99-hearth.conf. Or run hearth as root",
				key, value, key, value)
	}
	switch {
	case setting("user/max_user_namespaces") == "0":
		return say("user.max_user_namespaces is 0", "user.max_user_namespaces", "28633")
	case setting("kernel/unprivileged_userns_clone") == "0":
		return say("kernel.unprivileged_userns_clone is 0", "kernel.unprivileged_userns_clone", "1")
	case setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return say("AppArmor restricts them (Ubuntu 23.10 and later)", "kernel.apparmor_restrict_unprivileged_userns", "0")
	}
	return nil
}

// rootless reports whether this process is root only inside a user namespace.
func rootless() bool {
	m, err := readIDMap("/proc/self/uid_map")
	return err == nil && !(len(m) == 1 && m[0] == fullIDMap)
}

// fullIDMap is the whole map of the host's own user namespace.
var fullIDMap = idRange{0, 1<<32 - 1}

// uidRange returns the ids that sandboxes may have, one each: all of the host's
// beyond those in use for root, in a user namespace the upper half of those that are
// mapped there. Not ok means that there are none to give, and sandboxes share
// the id of the server.
func uidRange() (base, count int, ok bool) {
	const hostBase, hostCount = 200_000, 1_000_000
	if !rootless() {
		return hostBase, hostCount, os.Geteuid() == 0
	}
	uids, err1 := readIDMap("/proc/self/uid_map")
	gids, err2 := readIDMap("/proc/self/gid_map")
	if err1 != nil || err2 != nil {
		return 0, 0, false
	}
	r := intersect(last(uids), last(gids))
	if r.count > 8192 {
		r = idRange{r.start + r.count/2, r.count - r.count/2}
	}
	if r.start == 0 {
		r = idRange{1, r.count - 1}
	}
	if r.count < 1 {
		return 0, 0, false
	}
	return r.start, r.count, true
}

// readIDMap reads the inner side of an id map.
func readIDMap(path string) ([]idRange, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m []idRange
	for line := range strings.Lines(string(b)) {
		var r idRange
		var outer int
		if _, err := fmt.Sscan(line, &r.start, &outer, &r.count); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if outer != r.start && r == fullIDMap {
			r.count-- // not the identity, so not the host's own
		}
		m = append(m, r)
	}
	return m, nil
}

// last returns the range with the highest ids.
func last(m []idRange) idRange {
	var best idRange
	for _, r := range m {
		if r.start+r.count > best.start+best.count {
			best = r
		}
	}
	return best
}

func intersect(a, b idRange) idRange {
	start := max(a.start, b.start)
	return idRange{start, max(0, min(a.start+a.count, b.start+b.count)-start)}
}
