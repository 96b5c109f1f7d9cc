package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// Name is the driver's name, Runtime its only runtime.
const Name = "fake"

// Runtime returns the runtime "fake1".
func Runtime() hearth.Runtime {
	return hearth.Runtime{Name: "fake1", Language: "fake", Version: "1.0.0", Interpreter: "/nonexistent/fake", MinMemory: hearth.MinMemoryMiB}
}

// Options steer a Driver. The zero value makes every promise and no trouble.
type Options struct {
	// Create is called first thing in every Create, which fails with its error.
	// It may wait.
	Create func(ctx context.Context, s sandbox.Spec) error
	// Assign is the same for Assign, Destroy for Destroy.
	Assign  func(ctx context.Context, a sandbox.Assignment) error
	Destroy func(ctx context.Context, id string) error

	// Leftovers are the IDs of sandboxes that an earlier process left.
	Leftovers []string

	// Capabilities replaces what Probe says, ProbeErr makes it fail.
	Capabilities *sandbox.Capabilities
	ProbeErr     error
}

// Driver is a sandbox.Driver.
type Driver struct {
	o Options

	mu         sync.Mutex
	sandboxes  map[string]*Sandbox // not destroyed
	seen       map[string]bool
	violations []string
	closed     bool
	created    int
}

// New returns a driver.
func New(o Options) *Driver {
	return &Driver{o: o, sandboxes: map[string]*Sandbox{}, seen: map[string]bool{}}
}

// Name returns "fake".
func (d *Driver) Name() string { return Name }

// Probe says that all is well, or what Options say.
func (d *Driver) Probe(context.Context) (sandbox.Capabilities, error) {
	if d.o.ProbeErr != nil {
		return sandbox.Capabilities{}, d.o.ProbeErr
	}
	if d.o.Capabilities != nil {
		return *d.o.Capabilities, nil
	}
	yes := sandbox.Enforcement{OK: true}
	return sandbox.Capabilities{
		Isolation: "none: a goroutine", Memory: yes, CPU: yes, PIDs: yes, Tmp: yes, Network: yes, Egress: yes,
		Streams: 1, CodeMount: true,
	}, nil
}

// Create makes a stem cell.
func (d *Driver) Create(ctx context.Context, s sandbox.Spec) (sandbox.Sandbox, error) {
	if err := d.checkSpec(s); err != nil {
		return nil, err
	}
	if d.o.Create != nil {
		if err := d.o.Create(ctx, s); err != nil {
			return nil, fmt.Errorf("create sandbox: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create sandbox: %w", err)
	}
	sb := newSandbox(d, s.ID, s.Limits)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.New("create sandbox: the driver is closed")
	}
	d.sandboxes[s.ID] = sb
	d.created++
	return sb, nil
}

func (d *Driver) checkSpec(s sandbox.Spec) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case s.ID == "":
		d.violationLocked("Create without an ID")
	case d.seen[s.ID]:
		d.violationLocked("Create with the ID %s a second time", s.ID)
	}
	d.seen[s.ID] = true
	if err := s.Limits.Validate(); err != nil {
		d.violationLocked("Create %s with limits out of range: %v", s.ID, err)
	}
	if s.Runtime.Name != Runtime().Name {
		return fmt.Errorf("create sandbox: there is no runtime %q here", s.Runtime.Name)
	}
	return nil
}

// Leftovers returns those of Options, once.
func (d *Driver) Leftovers(context.Context) ([]sandbox.Sandbox, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var left []sandbox.Sandbox
	for _, id := range d.o.Leftovers {
		sb := newSandbox(d, id, hearth.DefaultLimits())
		sb.leftover = true
		d.sandboxes[id] = sb
		left = append(left, sb)
	}
	d.o.Leftovers = nil
	return left, nil
}

// Close destroys everything.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	var rest []*Sandbox
	for _, sb := range d.sandboxes {
		rest = append(rest, sb)
	}
	d.mu.Unlock()
	var errs []error
	for _, sb := range rest {
		errs = append(errs, sb.Destroy(context.Background()))
	}
	return errors.Join(errs...)
}

// Violations lists what was done in an order that the contracts forbid. A test
// wants it empty.
func (d *Driver) Violations() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.violations)
}

// Alive lists the IDs of the sandboxes that were not destroyed, sorted.
func (d *Driver) Alive() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for id := range d.sandboxes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Sandbox returns one that was not destroyed, nil if there is none.
func (d *Driver) Sandbox(id string) *Sandbox {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sandboxes[id]
}

// Created counts the sandboxes ever made.
func (d *Driver) Created() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.created
}

func (d *Driver) violation(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.violationLocked(format, args...)
}

func (d *Driver) violationLocked(format string, args ...any) {
	d.violations = append(d.violations, fmt.Sprintf(format, args...))
}

func (d *Driver) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sandboxes, id)
}

// sleep waits, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
