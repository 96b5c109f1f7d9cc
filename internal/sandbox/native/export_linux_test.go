package native

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"hearth/internal/sandbox"
)

// PID returns the first process of a sandbox, in the pid namespace of the test.
func PID(s sandbox.Sandbox) int { return s.(*cell).proc.pid }

// Traces lists what a driver has on the host for sandboxes and zygotes.
func Traces(d *Driver) ([]string, error) {
	k, err := d.ready()
	if err != nil {
		return nil, err
	}
	all, err := k.groups.leftovers()
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i] = "cgroup " + all[i]
	}
	for _, dir := range []string{rootDir, pidsDir, filesDir} {
		files, err := os.ReadDir(filepath.Join(d.cfg.Dir, dir))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			all = append(all, dir+" "+f.Name())
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.cells {
		all = append(all, "sandbox "+id)
	}
	if free := len(d.slots.free); free != d.slots.count {
		all = append(all, "user ids")
	}
	slices.Sort(all)
	return all, nil
}

// Zygotes returns the ids and processes of a driver's zygotes.
func Zygotes(d *Driver) map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]int{}
	for _, l := range d.lines {
		for z := range l.all {
			all[z.id] = z.proc.Pid
		}
	}
	return all
}

// KillZygotes kills them without warning and waits until that was noticed.
func KillZygotes(d *Driver) error {
	d.mu.Lock()
	var all []*zygote
	for _, l := range d.lines {
		for z := range l.all {
			all = append(all, z)
		}
	}
	d.mu.Unlock()
	for _, z := range all {
		if err := z.proc.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		<-z.dead
	}
	return nil
}

// SetPatience sets how long zygotes that are started from now on may take to
// answer.
func SetPatience(d *Driver, p time.Duration) { d.patience = p }

// Stretch makes every start as many times longer as the machine is slower than
// those that the driver's times are meant for.
func Stretch(d *Driver, times int) {
	d.patience *= time.Duration(times)
	d.starting *= time.Duration(times)
}

// AwaitBirth waits until a zygote is being started.
func AwaitBirth(d *Driver) {
	for d.birth() == nil {
		time.Sleep(time.Millisecond)
	}
}

func (d *Driver) birth() *birth {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		if l.birth != nil {
			return l.birth
		}
	}
	return nil
}

// SetClosed makes a driver look closed, as it does to a zygote that gets ready
// just after Close has looked for those that it has to end.
func SetClosed(d *Driver, closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = closed
}

// AwaitSpawns waits until n sandboxes have been asked for that no zygote has
// made.
func AwaitSpawns(d *Driver, n int) {
	for d.asked() < n {
		time.Sleep(time.Millisecond)
	}
}

func (d *Driver) asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, l := range d.lines {
		for z := range l.all {
			z.mu.Lock()
			n += len(z.pending)
			z.mu.Unlock()
		}
	}
	return n
}
