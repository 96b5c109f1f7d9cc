package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// Driver makes sandboxes from namespaces, cgroups and seccomp. All methods may
// be called concurrently.
type Driver struct {
	cfg   Config
	log   *slog.Logger
	slots *slots

	// destroying bounds how many sandboxes are taken apart at once: the kernel
	// does that work under global locks, and a burst of it delays everything
	// that starts meanwhile.
	destroying chan struct{}

	start sync.Once
	kit   *kit
	kerr  error

	mu     sync.Mutex
	cells  map[string]*cell
	lines  map[string]*lineage // by runtime
	closed bool

	patience time.Duration // for a zygote's answer
	starting time.Duration // a sandbox, where the caller has no shorter time
	probes   atomic.Int64  // counts, so that each has groups of its own

	life   context.Context // of what goes on behind the scenes; stop ends it
	stop   context.CancelFunc
	births sync.WaitGroup // zygotes, from start to removal
}

var _ sandbox.Driver = (*Driver)(nil)

// kit is what the first sandbox needs and all others share.
type kit struct {
	groups *cgroups
	nets   *netnsPool
	egress *egress
	mounts *mountWorker
	filter *os.File // the seccomp filter, in sealed memory
}

// zygotePatience is how long a zygote may take to fork.
const zygotePatience = 15 * time.Second

// destroyers is how many sandboxes are taken apart at once.
const destroyers = 4

// New returns a driver that has started nothing yet and touched nothing on the
// host but Config.Dir.
func New(c Config) (*Driver, error) {
	c = c.withDefaults()
	if !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("native driver: %q is not an absolute path", c.Dir)
	}
	for _, dir := range []string{c.Dir, filepath.Join(c.Dir, rootDir), filepath.Join(c.Dir, pidsDir), filepath.Join(c.Dir, filesDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("native driver: %w", err)
		}
	}
	life, stop := context.WithCancel(context.Background())
	return &Driver{
		life: life, stop: stop, patience: zygotePatience, starting: startTimeout,
		cfg: c, log: c.Logger, slots: newSlots(c),
		destroying: make(chan struct{}, destroyers),
		cells:      map[string]*cell{}, lines: map[string]*lineage{},
	}, nil
}

// The folders below Config.Dir.
const (
	rootDir  = "root"  // empty: roots are put together on it, each in its own mount namespace
	pidsDir  = "pids"  // a file per process that must not outlive the server
	filesDir = "files" // resolv.conf of sandboxes with network
)

// Name returns "native".
func (d *Driver) Name() string { return "native" }

// ready makes the shared kit the first time it is needed.
func (d *Driver) ready() (*kit, error) {
	d.start.Do(func() { d.kit, d.kerr = d.open() })
	return d.kit, d.kerr
}

func (d *Driver) open() (_ *kit, err error) {
	k := &kit{}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	filter, err := seccompFilter()
	if err != nil {
		return nil, fmt.Errorf("assemble seccomp filter: %w", err)
	}
	if k.filter, err = memfile("seccomp", filter); err != nil {
		return nil, err
	}
	if k.mounts, err = newMountWorker(); err != nil {
		return nil, err
	}
	if k.groups, err = openCgroups(d.cfg.Instance); err != nil {
		return nil, err
	}
	k.egress = openEgress(d.cfg.Instance, d.cfg.Egress)
	k.nets = newNetnsPool(d.cfg.NetworkPool)
	return k, nil
}

func (k *kit) close() error {
	var errs []error
	if k.nets != nil {
		k.nets.close()
	}
	if k.mounts != nil {
		k.mounts.close()
	}
	if k.egress != nil {
		errs = append(errs, k.egress.close())
	}
	if k.groups != nil {
		errs = append(errs, k.groups.close())
	}
	if k.filter != nil {
		errs = append(errs, k.filter.Close())
	}
	return errors.Join(errs...)
}

// Warm starts what the first Create for rt would have to wait for.
func (d *Driver) Warm(ctx context.Context, rt hearth.Runtime) error {
	if len(rt.Zygote) == 0 {
		return nil
	}
	z, err := d.zygote(ctx, rt)
	if err != nil {
		return err
	}
	z.release()
	return nil
}

// Create makes a stem cell: forked from the runtime's zygote where it has one,
// else started by the init.
func (d *Driver) Create(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	k, err := d.ready()
	if err != nil {
		return nil, fmt.Errorf("create sandbox: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, d.starting)
	defer cancel()
	s := newCell(d, k, spec, cancel)
	if err := d.register(s); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		// Destroy bounds itself, and what is half made must go even if the
		// caller has no time left.
		err = errors.Join(err, s.Destroy(context.WithoutCancel(ctx)))
		return nil, fmt.Errorf("create sandbox: %w", err)
	}
	return s, nil
}

var errClosed = hearth.Errorf(hearth.CodeUnavailable, "the native driver is closed")

func (d *Driver) register(s *cell) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return errClosed
	case d.cells[s.id] != nil:
		return fmt.Errorf("create sandbox: the id %s is in use", s.id)
	}
	d.cells[s.id] = s
	return nil
}

func (d *Driver) forget(s *cell) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.cells, s.id)
}

// Close destroys all sandboxes and ends the zygotes. The driver can't be used
// afterwards.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	cells := make([]*cell, 0, len(d.cells))
	for _, s := range d.cells {
		cells = append(cells, s)
	}
	d.mu.Unlock()

	errs := make([]error, len(cells))
	var wg sync.WaitGroup
	for i, s := range cells {
		wg.Go(func() { errs[i] = s.Destroy(context.Background()) })
	}
	wg.Wait()
	d.endZygotes()

	d.start.Do(func() { d.kerr = errClosed }) // nothing was ever started
	if d.kit != nil {
		errs = append(errs, d.kit.close())
	}
	return errors.Join(errs...)
}

// slots hands out the numbers that become user ids. The one that was given
// back longest ago is next, so that an id doesn't return at once.
type slots struct {
	mu     sync.Mutex
	free   []int
	base   int
	count  int
	setuid bool
}

func newSlots(c Config) *slots {
	s := &slots{base: c.UIDBase, count: c.Sandboxes, setuid: true}
	if rootless() {
		base, count, ok := uidRange()
		s.base, s.setuid = base, ok
		if ok {
			s.count = min(s.count, count)
		}
	}
	for i := range s.count {
		s.free = append(s.free, i)
	}
	return s
}

// take returns a slot and the user id that goes with it.
func (s *slots) take() (slot, uid int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		return 0, 0, hearth.Errorf(hearth.CodeUnavailable, "all %d sandboxes of this host are in use", s.count).
			WithHint("let fewer functions run at once, or raise the number of sandboxes")
	}
	slot = s.free[0]
	s.free = s.free[1:]
	if !s.setuid {
		return slot, os.Getuid(), nil
	}
	return slot, s.base + slot, nil
}

func (s *slots) put(slot int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, slot)
}

// rootSpec says what sandboxes of rt see. Every user id that one may have gets
// a name there, because the root of a zygote is shared by its forks.
func (d *Driver) rootSpec(rt hearth.Runtime) rootSpec {
	s := rootSpec{On: filepath.Join(d.cfg.Dir, rootDir), Files: rt.Files, Shim: rt.ShimDir}
	if d.slots.setuid {
		s.UID, s.UIDs = d.slots.base, d.slots.count
	}
	return s
}
