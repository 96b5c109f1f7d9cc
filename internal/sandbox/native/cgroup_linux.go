package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// cpuPeriod is the window that a CPU quota is counted in, in microseconds.
const cpuPeriod = 100_000

// errNoCgroups is what the operations of a host without usable cgroups return
// where they can't do nothing in silence.
var errNoCgroups = errors.New("this host has no usable cgroups")

// cgroups makes one control group per sandbox, below one of its own:
// <parent>/hearth-<instance>/<id>. It works with what the host lets it: what
// can't be enforced is said in memory, cpu and pids, and is then left out
// without an error.
type cgroups struct {
	memory, cpu, pids sandbox.Enforcement
	version           int    // 1 or 2, 0 if there are none
	where             string // the group that holds the sandboxes' groups, for people

	hierarchy hierarchy
}

// cgroup is the control group of one sandbox. Its methods may be called
// concurrently.
type cgroup struct{ group }

// hierarchy is one kind of cgroups: version 1, version 2, or none.
type hierarchy interface {
	make(id string) (group, error)
	// find returns the group of id wherever an earlier process of this
	// instance made it; it need not exist.
	find(id string) group
	list() ([]string, error)
	close() error
}

// group is what can be done to the processes of one sandbox together.
type group interface {
	join(pid int) error
	set(l hearth.Limits) error
	usage() (hearth.Usage, error)
	oomKilled() bool
	kill() error
	freeze(ctx context.Context) error
	thaw() error
	// remove waits, bounded, until the last process is gone.
	remove() error
}

// openCgroups finds out which cgroups this process may use and makes the group
// that will hold those of the sandboxes. A missing controller is no error.
func openCgroups(instance string) (*cgroups, error) {
	return cgroupHost{root: "/"}.open(instance)
}

// create makes the group of a sandbox and writes its limits. The group has no
// process yet.
func (c *cgroups) create(id string, l hearth.Limits) (*cgroup, error) {
	g, err := c.hierarchy.make(id)
	if err != nil {
		return nil, fmt.Errorf("make cgroup of %s: %w", id, err)
	}
	if err := g.set(l); err != nil {
		return nil, errors.Join(fmt.Errorf("limit cgroup of %s: %w", id, err), g.remove())
	}
	return &cgroup{g}, nil
}

// open returns the group of a sandbox that may have been made by an earlier
// process of this instance.
func (c *cgroups) open(id string) *cgroup { return &cgroup{c.hierarchy.find(id)} }

// leftovers returns the ids of the groups that exist.
func (c *cgroups) leftovers() ([]string, error) { return c.hierarchy.list() }

// close removes the group that held the sandboxes' groups. It fails while
// there are sandboxes.
func (c *cgroups) close() error { return c.hierarchy.close() }

// noCgroups is the hierarchy of a host that has none for us.
type noCgroups struct{}

func (noCgroups) make(string) (group, error) { return noGroup{}, nil }
func (noCgroups) find(string) group          { return noGroup{} }
func (noCgroups) list() ([]string, error)    { return nil, nil }
func (noCgroups) close() error               { return nil }

// noGroup does nothing where that is harmless. Killing isn't: the driver must
// know that it has to do that in another way.
type noGroup struct{}

func (noGroup) join(int) error               { return nil }
func (noGroup) set(hearth.Limits) error      { return nil }
func (noGroup) usage() (hearth.Usage, error) { return hearth.Usage{}, errNoCgroups }
func (noGroup) oomKilled() bool              { return false }
func (noGroup) kill() error                  { return errNoCgroups }
func (noGroup) freeze(context.Context) error { return errNoCgroups }
func (noGroup) thaw() error                  { return errNoCgroups }
func (noGroup) remove() error                { return nil }

// cgroupHost finds cgroups below root, which is "/" but in tests.
type cgroupHost struct{ root string }

// cgroupMount is a mounted hierarchy.
type cgroupMount struct {
	dir         string   // mount point
	root        string   // the part of the hierarchy that is mounted there
	v2          bool     //
	controllers []string // version 1 only
}

// open is openCgroups on this host.
func (h cgroupHost) open(instance string) (*cgroups, error) {
	mounts, err := h.mounts()
	if err != nil {
		return nil, err
	}
	own, err := h.own()
	if err != nil {
		return nil, err
	}
	name := "hearth-" + instance
	for _, m := range mounts {
		if m.v2 && slices.ContainsFunc(words(filepath.Join(m.dir, "cgroup.controllers")), wanted) {
			return openV2(m, own[""], name), nil
		}
	}
	byController := map[string]v1Parent{}
	for _, m := range mounts {
		for _, c := range m.controllers {
			byController[c] = v1Parent{mount: m.dir, dir: m.locate(own[c])}
		}
	}
	return openV1(byController, name), nil
}

// wanted reports whether c is a controller that enforces a limit.
func wanted(c string) bool { return c == "memory" || c == "cpu" || c == "pids" }

// mounts reads the cgroup mounts that this process sees.
func (h cgroupHost) mounts() ([]cgroupMount, error) {
	f, err := os.Open(filepath.Join(h.root, "proc/self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("find cgroups: %w", err)
	}
	defer f.Close()
	var ms []cgroupMount
	for s := bufio.NewScanner(f); s.Scan(); {
		// 36 35 0:31 /root /mountpoint opts … - fstype source superopts
		before, after, ok := strings.Cut(s.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		m := cgroupMount{dir: filepath.Join(h.root, left[4]), root: left[3]}
		switch right[0] {
		case "cgroup2":
			m.v2 = true
		case "cgroup":
			m.controllers = strings.Split(right[2], ",")
		default:
			continue
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// own reads the group that this process is in, by version 1 controller; ""
// is version 2.
func (h cgroupHost) own() (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(h.root, "proc/self/cgroup"))
	if err != nil {
		return nil, fmt.Errorf("find own cgroup: %w", err)
	}
	own := map[string]string{}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3) // 4:memory:/path
		if len(f) != 3 {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			own[c] = f[2]
		}
	}
	return own, nil
}

// locate returns the folder of the group with the given path. A mount may show
// only a part of its hierarchy, as in containers.
func (m cgroupMount) locate(path string) string {
	if m.root != "/" {
		if path == m.root || strings.HasPrefix(path, m.root+"/") {
			path = strings.TrimPrefix(path, m.root)
		}
	}
	return filepath.Join(m.dir, filepath.Join("/", path)) // "/../x" of a cgroup namespace stays inside
}

// words returns the words of a file, none if it can't be read.
func words(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// put writes a value to a cgroup file, which must exist.
func put(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// number reads a cgroup file with one number. "max" is -1.
func number(dir, file string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	s := strings.TrimSpace(string(b))
	if s == "max" {
		return -1, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

// keyed reads one number of a file with lines "key number", 0 if there is none.
func keyed(dir, file, key string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == key {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// quota is the CPU time of one period, in microseconds.
func quota(cores float64) int64 { return int64(cores * cpuPeriod) }

// procs reads the processes of a group.
func procs(dir string) ([]int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, w := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(w)
		if err != nil {
			return nil, fmt.Errorf("read processes of %s: %w", dir, err)
		}
		if pid > 0 { // 0 is a process outside of our pid namespace
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// removeTimeout bounds how long a group may take to empty after its processes
// were killed. Tearing down namespaces and memory takes tens of milliseconds
// on a busy host.
const removeTimeout = 10 * time.Second

// rmdir removes an empty group, waiting with wait while it is busy.
func rmdir(dir string, wait func(deadline time.Time)) error {
	deadline := time.Now().Add(removeTimeout)
	for {
		err := unix.Rmdir(dir)
		switch {
		case err == nil || errors.Is(err, unix.ENOENT):
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EBUSY) && time.Now().Before(deadline):
			wait(deadline)
		default:
			return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
		}
	}
}
