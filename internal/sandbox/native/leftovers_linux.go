package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// A process that must not outlive the server is noted in a file with its start
// time, because ids of processes are used again. Cgroups tell the same, where
// there are any.

// notePID notes a process, atomically: a file is whole or not there.
func (d *Driver) notePID(id string, pid int) error {
	start, err := startTime(pid)
	if err != nil {
		return fmt.Errorf("note process: %w", err)
	}
	name := d.pidFile(id)
	if err := os.WriteFile(name, fmt.Appendf(nil, "%d %s\n", pid, start), 0o600); err != nil {
		return fmt.Errorf("note process: %w", err)
	}
	return nil
}

func (d *Driver) dropPID(id string) { _ = os.Remove(d.pidFile(id)) }

func (d *Driver) pidFile(id string) string { return filepath.Join(d.cfg.Dir, pidsDir, id) }

// startTime returns when a process began, in the kernel's own clock.
func startTime(pid int) (string, error) {
	f, err := procStat(pid)
	if err != nil {
		return "", err
	}
	return f[statStart], nil
}

// openNoted returns a pidfd of the process that a file notes, -1 if it has
// ended.
func openNoted(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return -1, err
	}
	pidText, start, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	pid, err := strconv.Atoi(pidText)
	if err != nil {
		return -1, nil // cut off by the crash: the cgroup knows
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", pid, err)
	}
	// Read after it was opened: now the id can't change hands.
	if now, err := startTime(pid); err != nil || now != start {
		_ = unix.Close(fd)
		return -1, nil
	}
	return fd, nil
}

// Leftovers finds what a killed server of the same instance and folder left:
// cells, and zygotes, which look the same from here. What is returned can only
// be destroyed.
func (d *Driver) Leftovers(ctx context.Context) ([]sandbox.Sandbox, error) {
	k, err := d.ready()
	if err != nil {
		return nil, fmt.Errorf("find leftovers: %w", err)
	}
	ids := map[string]bool{}
	groups, err := k.groups.leftovers()
	if err != nil {
		return nil, fmt.Errorf("find leftovers: %w", err)
	}
	for _, id := range groups {
		ids[id] = true
	}
	files, err := os.ReadDir(filepath.Join(d.cfg.Dir, pidsDir))
	if err != nil {
		return nil, fmt.Errorf("find leftovers: %w", err)
	}
	for _, f := range files {
		ids[f.Name()] = true
	}
	if err := errors.Join(k.egress.leftovers(), d.cleanFiles()); err != nil {
		return nil, fmt.Errorf("find leftovers: %w", err)
	}
	var all []sandbox.Sandbox
	for id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !d.owns(id) {
			all = append(all, &leftover{d: d, group: k.groups.open(id), id: id, done: make(chan struct{})})
		}
	}
	return all, nil
}

// owns reports whether id is of this process and alive.
func (d *Driver) owns(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		for z := range l.all {
			if z.id == id {
				return true
			}
		}
		if l.birth != nil && l.birth.id == id {
			return true
		}
	}
	return d.cells[id] != nil
}

// cleanFiles removes the temporary files of sandboxes that aren't ours.
func (d *Driver) cleanFiles() error {
	dir := filepath.Join(d.cfg.Dir, filesDir)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		id, _, _ := strings.Cut(f.Name(), ".")
		if d.owns(id) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// leftover is what a killed server left of a sandbox or a zygote.
type leftover struct {
	d     *Driver
	group *cgroup
	id    string

	mu   sync.Mutex // held while it is destroyed
	done chan struct{}
	gone bool
}

var _ sandbox.Sandbox = (*leftover)(nil)

var errLeftover = fmt.Errorf("a sandbox of an earlier server can only be destroyed: %w", sandbox.ErrUnsupported)

// ID returns the id that it had.
func (l *leftover) ID() string { return l.id }

// Assign fails.
func (l *leftover) Assign(context.Context, sandbox.Assignment) error { return errLeftover }

// Dial fails.
func (l *leftover) Dial(context.Context) (net.Conn, error) { return nil, errLeftover }

// Usage reads the counters, where the cgroup is still there.
func (l *leftover) Usage(context.Context) (hearth.Usage, error) { return l.group.usage() }

// Done is closed by Destroy.
func (l *leftover) Done() <-chan struct{} { return l.done }

// Exit knows nothing.
func (l *leftover) Exit() sandbox.Exit { return sandbox.Exit{Code: -1, Err: errLeftover} }

// Destroy kills its processes and removes its traces.
func (l *leftover) Destroy(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil
	}
	if err := errors.Join(l.killNoted(ctx), l.killGroup()); err != nil {
		return fmt.Errorf("destroy leftover %s: %w", l.id, err)
	}
	l.d.dropPID(l.id)
	l.gone = true
	close(l.done)
	return nil
}

func (l *leftover) killGroup() error {
	if err := l.group.kill(); err != nil && !errors.Is(err, errNoCgroups) {
		return err
	}
	return l.group.remove()
}

// killNoted kills the process that the file names and waits for its end.
func (l *leftover) killNoted(ctx context.Context) error {
	fd, err := openNoted(l.d.pidFile(l.id))
	if errors.Is(err, fs.ErrNotExist) || (err == nil && fd < 0) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := newProcess(fd)
	if err != nil {
		return err
	}
	defer p.close()
	if err := errors.Join(p.kill(), ignoreNone(l.group.thaw())); err != nil {
		return err
	}
	deadline := time.Now().Add(deathTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := p.pidfd.SetReadDeadline(deadline); err != nil {
		return err
	}
	return p.ended()
}

func ignoreNone(err error) error {
	if errors.Is(err, errNoCgroups) {
		return nil
	}
	return err
}
