package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// serverLeaf is the group that this process moves to inside its own group:
// version 2 lets a group have either processes or groups with controllers.
const serverLeaf = "server"

// v2 is the one tree of version 2.
type v2 struct {
	mount string
	name  string
	dir   string // the group that holds the sandboxes' groups
	on    map[string]bool
}

// openV2 finds the group that may be divided, in this order: our own if it was
// delegated to us; the top of the tree for root; our own in any case.
func openV2(m cgroupMount, ownPath, name string) *cgroups {
	own := m.locate(ownPath)
	candidates := []string{own}
	if filepath.Base(own) == serverLeaf { // where an earlier start in this group put us
		own = filepath.Dir(own)
		candidates = []string{own, filepath.Join(own, serverLeaf)}
	}
	if !delegated(own) {
		candidates = append([]string{m.dir}, candidates...)
	}
	var first error
	for _, parent := range candidates {
		h := &v2{mount: m.dir, name: name, dir: filepath.Join(parent, name), on: map[string]bool{}}
		err := h.claim(parent)
		if err == nil {
			return h.describe(parent)
		}
		first = err
	}
	e := sandbox.Enforcement{
		Why: "this process may not make cgroups below its own (" + own + "): " + first.Error(),
		Fix: "start it in a group of its own: " + delegateCommand + ", or as a systemd unit with Delegate=yes",
	}
	return &cgroups{hierarchy: noCgroups{}, memory: e, cpu: e, pids: e}
}

// allowDelegation makes systemd pass the controllers on to users' services. It
// has to be a file: Delegate can't be set on a unit that runs.
const allowDelegation = `sudo mkdir -p /etc/systemd/system/user@.service.d && ` +
	`printf '[Service]\nDelegate=cpu memory pids\n' | sudo tee /etc/systemd/system/user@.service.d/hearth.conf && sudo systemctl daemon-reload`

// delegated reports whether systemd gave the group to whoever runs in it.
func delegated(dir string) bool {
	buf := make([]byte, 8)
	for _, attr := range []string{"user.delegate", "trusted.delegate"} {
		if n, err := unix.Getxattr(dir, attr, buf); err == nil && string(buf[:n]) == "1" {
			return true
		}
	}
	return false
}

// claim makes our group below parent, with every controller that parent can
// give.
func (h *v2) claim(parent string) (err error) {
	if err := os.Mkdir(h.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Rmdir(h.dir))
		}
	}()
	// First out, then on: with processes in it the group would become one for
	// threads as soon as it got a controller that can divide those, and get no other.
	if len(missing(parent)) > 0 && !isTop(parent) {
		if err := vacate(parent); err != nil {
			return err
		}
	}
	if err := enable(parent); err != nil && len(words(filepath.Join(h.dir, "cgroup.controllers"))) == 0 {
		return fmt.Errorf("enable controllers: %w", err)
	}
	if err := enable(h.dir); err != nil {
		return fmt.Errorf("enable controllers: %w", err)
	}
	for _, ctl := range words(filepath.Join(h.dir, "cgroup.subtree_control")) {
		h.on[ctl] = true
	}
	return nil
}

// isTop reports whether dir is the top of the host's tree, which may have
// processes and controllers at once. It is the only group without a type.
func isTop(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	return errors.Is(err, fs.ErrNotExist)
}

// missing returns the controllers that limit and that dir has but doesn't pass on.
func missing(dir string) []string {
	var out []string
	on := words(filepath.Join(dir, "cgroup.subtree_control"))
	for _, ctl := range words(filepath.Join(dir, "cgroup.controllers")) {
		if wanted(ctl) && !slices.Contains(on, ctl) {
			out = append(out, ctl)
		}
	}
	return out
}

// enable passes the controllers that limit on to the groups inside dir, one by
// one: a host may forbid one and allow another.
func enable(dir string) error {
	var errs []error
	for _, ctl := range missing(dir) {
		errs = append(errs, put(dir, "cgroup.subtree_control", "+"+ctl))
	}
	return errors.Join(errs...)
}

// vacate moves the processes of dir, which are this one and those it was
// started with, to the leaf.
func vacate(dir string) error {
	leaf := filepath.Join(dir, serverLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	pids, err := procs(dir)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := put(leaf, "cgroup.procs", strconv.Itoa(pid)); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("move process %d to %s: %w", pid, leaf, err)
		}
	}
	return nil
}

// describe says what h enforces.
func (h *v2) describe(parent string) *cgroups {
	say := func(ctl string) sandbox.Enforcement {
		if h.on[ctl] {
			return sandbox.Enforcement{OK: true}
		}
		if !slices.Contains(words(filepath.Join(h.mount, "cgroup.controllers")), ctl) {
			return noController(ctl)
		}
		return sandbox.Enforcement{
			Why: "the " + ctl + " controller isn't passed on to " + parent,
			Fix: "start it in a group of its own: " + delegateCommand + "; for " + ctl +
				" root may have to allow it first, after which you sign in anew: " + allowDelegation,
		}
	}
	return &cgroups{
		hierarchy: h, version: 2, where: h.dir,
		memory: say("memory"), cpu: say("cpu"), pids: say("pids"),
	}
}

func (h *v2) make(id string) (group, error) {
	dir := filepath.Join(h.dir, id)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return &v2Group{dirs: []string{dir}, on: h.on}, nil
}

func (h *v2) find(id string) group {
	g := &v2Group{on: h.on}
	for _, parent := range namesakes(h.mount, h.name) {
		if dir := filepath.Join(parent, id); isDir(dir) {
			g.dirs = append(g.dirs, dir)
		}
	}
	return g
}

func (h *v2) list() ([]string, error) {
	ids := map[string]bool{}
	for _, parent := range namesakes(h.mount, h.name) {
		if err := children(parent, ids); err != nil {
			return nil, err
		}
		if parent != h.dir {
			_ = unix.Rmdir(parent) // an earlier process's, if it is empty
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

func (h *v2) close() error { return rmdir(h.dir, pause()) }

// v2Group is the group of one sandbox. A leftover may have several folders.
type v2Group struct {
	dirs []string
	on   map[string]bool // controllers
}

func (g *v2Group) dir() string {
	if len(g.dirs) == 0 {
		return ""
	}
	return g.dirs[0]
}

func (g *v2Group) join(pid int) error {
	if err := put(g.dir(), "cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("join cgroup: %w", err)
	}
	return nil
}

func (g *v2Group) set(l hearth.Limits) error {
	type line struct{ ctl, file, value string }
	for _, w := range []line{
		{"memory", "memory.max", strconv.FormatInt(int64(l.MemoryMiB)<<20, 10)},
		{"memory", "memory.oom.group", "1"},
		{"cpu", "cpu.max", fmt.Sprintf("%d %d", quota(l.CPU), cpuPeriod)},
		{"pids", "pids.max", strconv.Itoa(l.PIDs)},
	} {
		if !g.on[w.ctl] {
			continue
		}
		if err := put(g.dir(), w.file, w.value); err != nil {
			return fmt.Errorf("set %s: %w", w.file, err)
		}
	}
	if g.on["memory"] {
		// A kernel without swap doesn't have the file.
		if err := put(g.dir(), "memory.swap.max", "0"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set memory.swap.max: %w", err)
		}
	}
	return nil
}

func (g *v2Group) usage() (hearth.Usage, error) {
	var u hearth.Usage
	if !isDir(g.dir()) {
		return u, fmt.Errorf("read usage: %w", sandbox.ErrGone)
	}
	u.CPU = hearth.Duration(time.Duration(keyed(g.dir(), "cpu.stat", "usage_usec")) * time.Microsecond)
	if g.on["memory"] {
		u.Memory, _ = number(g.dir(), "memory.current")
		u.MemoryPeak, _ = number(g.dir(), "memory.peak") // since Linux 5.19
		u.MemoryPeak = max(u.MemoryPeak, u.Memory)
	}
	if g.on["pids"] {
		n, _ := number(g.dir(), "pids.current")
		u.PIDs = int(n)
	}
	return u, nil
}

func (g *v2Group) oomKilled() bool {
	return g.on["memory"] && keyed(g.dir(), "memory.events", "oom_kill") > 0
}

// kill ends every process of the group, frozen or not.
func (g *v2Group) kill() error {
	var errs []error
	for _, dir := range g.dirs {
		err := put(dir, "cgroup.kill", "1")
		if errors.Is(err, fs.ErrNotExist) && isDir(dir) { // before Linux 5.14
			_ = put(dir, "pids.max", "0")
			err = killProcs(dir)
		}
		if err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("kill: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (g *v2Group) freeze(ctx context.Context) error {
	if err := put(g.dir(), "cgroup.freeze", "1"); err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	if err := g.await(ctx, g.dir(), "frozen 1"); err != nil {
		return errors.Join(fmt.Errorf("freeze: %w", err), g.thaw())
	}
	return nil
}

func (g *v2Group) thaw() error {
	if err := put(g.dir(), "cgroup.freeze", "0"); err != nil && !gone(err) {
		return fmt.Errorf("thaw: %w", err)
	}
	return nil
}

// await returns when cgroup.events of dir has the line. The kernel wakes
// whoever polls the file when it changes.
func (g *v2Group) await(ctx context.Context, dir, line string) error {
	f, err := os.Open(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 256)
	for {
		n, err := f.ReadAt(buf, 0)
		if n == 0 && err != nil && gone(err) {
			return err
		}
		if slices.Contains(strings.Split(string(buf[:n]), "\n"), line) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// Short polls, because a context can't wake a poll.
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLPRI}}, 50)
	}
}

func (g *v2Group) remove() error {
	var errs []error
	for _, dir := range g.dirs {
		step := pause()
		errs = append(errs, rmdir(dir, func(deadline time.Time) {
			ctx, cancel := context.WithDeadline(context.Background(), deadline)
			defer cancel()
			_ = g.await(ctx, dir, "populated 0")
			step(deadline)
		}))
	}
	return errors.Join(errs...)
}
