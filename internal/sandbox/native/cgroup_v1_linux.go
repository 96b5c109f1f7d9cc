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
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// v1Controllers are the hierarchies of version 1 that a sandbox is in: three
// that limit, one that counts CPU time, one that stops processes.
var v1Controllers = []string{"memory", "cpu", "pids", "cpuacct", "freezer"}

// v1Parent is where the groups of one controller go.
type v1Parent struct {
	mount string // of the hierarchy
	dir   string // of our parent group; our own cgroup until openV1 made it
}

// v1 is one tree per controller, the same names in each.
type v1 struct {
	name    string              // of the group that holds the sandboxes' groups
	parents map[string]v1Parent // by controller, those that are usable
}

// openV1 makes the parent group in every hierarchy that lets it.
func openV1(own map[string]v1Parent, name string) *cgroups {
	h := &v1{name: name, parents: map[string]v1Parent{}}
	c := &cgroups{hierarchy: h, version: 1}
	why := map[string]sandbox.Enforcement{}
	for _, ctl := range v1Controllers {
		p, ok := own[ctl]
		if !ok {
			why[ctl] = noController(ctl)
			continue
		}
		dir := filepath.Join(p.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			why[ctl] = notWritable(dir, err)
			continue
		}
		h.parents[ctl] = v1Parent{mount: p.mount, dir: dir}
		why[ctl] = sandbox.Enforcement{OK: true}
		if wanted(ctl) {
			c.where = dir
		}
	}
	c.memory, c.cpu, c.pids = why["memory"], why["cpu"], why["pids"]
	if len(h.parents) == 0 {
		c.hierarchy, c.version = noCgroups{}, 0
	}
	return c
}

func noController(ctl string) sandbox.Enforcement {
	return sandbox.Enforcement{
		Why: "the kernel offers no " + ctl + " controller here",
		Fix: "boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1) and, for memory, with cgroup_enable=memory",
	}
}

func notWritable(dir string, err error) sandbox.Enforcement {
	return sandbox.Enforcement{
		Why: fmt.Sprintf("no cgroup can be made in %s: %v", filepath.Dir(dir), errors.Unwrap(err)),
		Fix: "run as root, or on a host with cgroup v2: " + delegateCommand,
	}
}

// delegateCommand starts the server in a group that an ordinary user may use.
const delegateCommand = "systemd-run --user --scope -p Delegate=yes hearth serve"

func (h *v1) make(id string) (group, error) {
	g := &v1Group{dirs: map[string][]string{}}
	for ctl, p := range h.parents {
		dir := filepath.Join(p.dir, id)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(err, g.remove())
		}
		g.dirs[ctl] = []string{dir}
	}
	return g, nil
}

// find looks in every group of our name, wherever in the hierarchy: an
// earlier process of this instance may have been started in another group.
func (h *v1) find(id string) group {
	g := &v1Group{dirs: map[string][]string{}}
	for ctl, p := range h.parents {
		for _, parent := range namesakes(p.mount, h.name) {
			if dir := filepath.Join(parent, id); isDir(dir) {
				g.dirs[ctl] = append(g.dirs[ctl], dir)
			}
		}
	}
	return g
}

func (h *v1) list() ([]string, error) {
	ids := map[string]bool{}
	for _, p := range h.parents {
		for _, parent := range namesakes(p.mount, h.name) {
			if err := children(parent, ids); err != nil {
				return nil, err
			}
			if parent != p.dir {
				_ = unix.Rmdir(parent) // an earlier process's, if it is empty
			}
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

func (h *v1) close() error {
	var errs []error
	for _, p := range h.parents {
		errs = append(errs, rmdir(p.dir, pause()))
	}
	return errors.Join(errs...)
}

// v1Group is the group of one sandbox: a folder per controller. A leftover may
// have several.
type v1Group struct{ dirs map[string][]string }

// dir returns the folder of a controller, "" if there is none.
func (g *v1Group) dir(ctl string) string {
	if d := g.dirs[ctl]; len(d) > 0 {
		return d[0]
	}
	return ""
}

func (g *v1Group) join(pid int) error {
	for ctl, dirs := range g.dirs {
		if err := put(dirs[0], "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("join %s cgroup: %w", ctl, err)
		}
	}
	return nil
}

func (g *v1Group) set(l hearth.Limits) error {
	if dir := g.dir("memory"); dir != "" {
		if err := setMemoryV1(dir, int64(l.MemoryMiB)<<20); err != nil {
			return fmt.Errorf("set memory limit: %w", err)
		}
	}
	if dir := g.dir("cpu"); dir != "" {
		if err := errors.Join(
			put(dir, "cpu.cfs_period_us", strconv.Itoa(cpuPeriod)),
			put(dir, "cpu.cfs_quota_us", strconv.FormatInt(quota(l.CPU), 10))); err != nil {
			return fmt.Errorf("set CPU limit: %w", err)
		}
	}
	if dir := g.dir("pids"); dir != "" {
		if err := put(dir, "pids.max", strconv.Itoa(l.PIDs)); err != nil {
			return fmt.Errorf("set process limit: %w", err)
		}
	}
	return nil
}

// setMemoryV1 sets the limit of memory, and that of memory and swap together to
// the same. The second must never be below the first, so the order depends on
// the direction.
func setMemoryV1(dir string, limit int64) error {
	const mem, memsw = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
	v := strconv.FormatInt(limit, 10)
	order := []string{mem, memsw}
	if now, err := number(dir, memsw); err != nil {
		order = order[:1] // the kernel doesn't count swap
	} else if now < limit {
		order = []string{memsw, mem}
	}
	for _, file := range order {
		if err := put(dir, file, v); err != nil {
			return err
		}
	}
	// Buffers of TCP are counted apart here. A kernel may leave them out.
	if err := put(dir, "memory.kmem.tcp.limit_in_bytes", v); err != nil && !gone(err) && !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	return put(dir, "memory.swappiness", "0")
}

func (g *v1Group) usage() (hearth.Usage, error) {
	var u hearth.Usage
	read := func(ctl, file string) int64 {
		n, err := number(g.dir(ctl), file)
		if err != nil {
			return 0
		}
		return n
	}
	if g.dir("cpuacct") == "" && g.dir("memory") == "" {
		return u, errNoCgroups
	}
	for ctl := range g.dirs {
		if !isDir(g.dir(ctl)) {
			return u, fmt.Errorf("read usage: %w", sandbox.ErrGone)
		}
	}
	u.CPU = hearth.Duration(read("cpuacct", "cpuacct.usage"))
	u.Memory = read("memory", "memory.usage_in_bytes")
	u.MemoryPeak = read("memory", "memory.max_usage_in_bytes")
	u.PIDs = int(read("pids", "pids.current"))
	return u, nil
}

func (g *v1Group) oomKilled() bool {
	dir := g.dir("memory")
	return dir != "" && keyed(dir, "memory.oom_control", "oom_kill") > 0
}

// kill ends every process of the group. Version 1 has no call for it: forks are
// stopped first, then rounds of signals run until nothing is left. Frozen
// processes die when they are thawed.
func (g *v1Group) kill() error {
	if dir := g.dir("pids"); dir != "" {
		_ = put(dir, "pids.max", "0")
	}
	var errs []error
	for _, dirs := range g.dirs {
		for _, dir := range dirs {
			errs = append(errs, killProcs(dir))
		}
	}
	return errors.Join(append(errs, g.thaw())...)
}

// killProcs sends SIGKILL to every process of a group.
func killProcs(dir string) error {
	pids, err := procs(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, pid := range pids {
		if kerr := unix.Kill(pid, unix.SIGKILL); kerr != nil && !errors.Is(kerr, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill process %d: %w", pid, kerr))
		}
	}
	return err
}

func (g *v1Group) freeze(ctx context.Context) error {
	dir := g.dir("freezer")
	if dir == "" {
		return errNoCgroups
	}
	if err := put(dir, "freezer.state", "FROZEN"); err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	// Version 1 tells nobody when it is done.
	for wait := pause(); ; wait(time.Now().Add(time.Second)) {
		if w := words(filepath.Join(dir, "freezer.state")); len(w) == 1 && w[0] == "FROZEN" {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(fmt.Errorf("freeze: %w", err), g.thaw())
		}
	}
}

func (g *v1Group) thaw() error {
	var errs []error
	for _, dir := range g.dirs["freezer"] {
		if err := put(dir, "freezer.state", "THAWED"); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("thaw: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (g *v1Group) remove() error {
	var errs []error
	for _, dirs := range g.dirs {
		for _, dir := range dirs {
			errs = append(errs, rmdir(dir, func(deadline time.Time) { awaitProcs(dir, deadline) }))
		}
	}
	return errors.Join(errs...)
}

// awaitProcs waits until one process of the group ends, or a moment if there
// is none: the kernel may hold a group for a little after its last process.
func awaitProcs(dir string, deadline time.Time) {
	pids, err := procs(dir)
	if err != nil {
		return
	}
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		_ = unix.Close(fd)
	}
	time.Sleep(time.Millisecond)
}

// pause returns a wait that grows from one to twenty milliseconds.
func pause() func(time.Time) {
	d := time.Millisecond
	return func(time.Time) {
		time.Sleep(d)
		d = min(2*d, 20*time.Millisecond)
	}
}

// gone reports whether err says that the group doesn't exist any more.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// namesakes finds every group called name in a hierarchy.
func namesakes(mount, name string) []string {
	var found []string
	_ = filepath.WalkDir(mount, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return nil // groups come and go while we look
		case d.Name() == name:
			found = append(found, path)
			return fs.SkipDir
		}
		return nil
	})
	return found
}

// children adds the names of the groups inside dir to ids.
func children(dir string, ids map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list cgroups: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			ids[e.Name()] = true
		}
	}
	return nil
}
