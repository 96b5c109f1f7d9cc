// Package guard decorates a driver so that the driver can stay simple and the
// engine can be careless. It guarantees, for every sandbox:
//
//  1. Assign, Dial and Destroy don't overlap. Destroy doesn't wait for a stuck
//     one: it cancels it, and goes ahead if it won't listen.
//  2. An error of Assign or Dial destroys the sandbox before it is returned.
//  3. The dead are harmless: Assign, Dial and Usage of a sandbox that died or was
//     destroyed fail with sandbox.ErrGone and don't reach the driver.
//  4. Redundant calls vanish: a second Assign fails with sandbox.ErrAssigned and
//     does no harm; a second Destroy waits for the first, and tries again only
//     if that failed.
//  5. Every change is an event: starting, stem, loading, dead, in this order,
//     each once, never concurrently for one sandbox. The other states are the
//     engine's.
//
// It is not the place for policy: when to make or destroy a sandbox is decided
// above, how is decided below.
package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// patience is how long Destroy lets a cancelled call return, and cleanup how
// long a sandbox that failed has to be destroyed.
const (
	patience = time.Second
	cleanup  = 10 * time.Second
)

// New returns d guarded. OnEvent may be nil; it must not wait for the sandbox
// that it is told about.
func New(d sandbox.Driver, onEvent func(sandbox.Event)) sandbox.Driver {
	if onEvent == nil {
		onEvent = func(sandbox.Event) {}
	}
	return &driver{d, onEvent}
}

type driver struct {
	sandbox.Driver
	onEvent func(sandbox.Event)
}

// Create makes a guarded sandbox.
func (d *driver) Create(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	life := &life{id: spec.ID, driver: d}
	life.enter(sandbox.StateStarting, nil)
	sb, err := d.Driver.Create(ctx, spec)
	if err != nil {
		life.enter(sandbox.StateDead, err)
		return nil, err
	}
	life.enter(sandbox.StateStem, nil)
	return d.guard(sb, life), nil
}

// Leftovers guards what it finds. Their first event is their last.
func (d *driver) Leftovers(ctx context.Context) ([]sandbox.Sandbox, error) {
	found, err := d.Driver.Leftovers(ctx)
	for i, sb := range found {
		found[i] = d.guard(sb, &life{id: sb.ID(), driver: d})
	}
	return found, err
}

func (d *driver) guard(sb sandbox.Sandbox, l *life) sandbox.Sandbox {
	g := &guarded{Sandbox: sb, life: l, turn: make(chan struct{}, 1), destroying: make(chan struct{}, 1)}
	g.alive, g.kill = context.WithCancel(context.Background())
	go g.watch()
	return g
}

// life reports the states of one sandbox.
type life struct {
	id     string
	driver *driver

	mu   sync.Mutex
	dead bool
}

func (l *life) enter(s sandbox.State, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	l.dead = s == sandbox.StateDead
	l.driver.onEvent(sandbox.Event{At: time.Now(), Sandbox: l.id, Driver: l.driver.Name(), State: s, Err: err})
}

type guarded struct {
	sandbox.Sandbox
	life *life

	alive context.Context // ends with the sandbox
	kill  context.CancelFunc
	turn  chan struct{} // holds a token while a life-cycle call runs

	mu       sync.Mutex
	assigned bool

	destroying chan struct{} // holds a token while Destroy runs
	destroyed  bool          // of the token's holder
}

// Unwrap lets sandbox.As see the driver's sandbox.
func (g *guarded) Unwrap() sandbox.Sandbox { return g.Sandbox }

func (g *guarded) watch() {
	select {
	case <-g.Done():
		g.kill()
		g.life.enter(sandbox.StateDead, g.Exit().Err)
	case <-g.alive.Done(): // Destroy sees to the rest
	}
}

func (g *guarded) gone() bool {
	select {
	case <-g.Done():
		return true
	case <-g.alive.Done():
		return true
	default:
		return false
	}
}

// do runs one life-cycle call with a context that ends when the sandbox is
// destroyed, and destroys the sandbox if it fails.
func (g *guarded) do(ctx context.Context, call func(context.Context) error) error {
	if g.gone() {
		return sandbox.ErrGone
	}
	select {
	case g.turn <- struct{}{}:
	case <-g.alive.Done():
		return sandbox.ErrGone
	case <-ctx.Done():
		return ctx.Err() // nothing was begun, so nothing is broken
	}
	err := g.during(ctx, call)
	if err == nil || errors.Is(err, sandbox.ErrAssigned) {
		return err
	}
	if g.gone() && !errors.Is(err, sandbox.ErrGone) {
		err = fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	if derr := g.destroy(ctx, err); derr != nil {
		return fmt.Errorf("%w; then destroy it: %w", err, derr)
	}
	return err
}

func (g *guarded) during(ctx context.Context, call func(context.Context) error) error {
	defer func() { <-g.turn }()
	if g.gone() {
		return sandbox.ErrGone
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.alive, cancel)()
	return call(ctx)
}

// Assign passes the first call on.
func (g *guarded) Assign(ctx context.Context, a sandbox.Assignment) error {
	return g.do(ctx, func(ctx context.Context) error {
		if !g.first() {
			return sandbox.ErrAssigned
		}
		g.life.enter(sandbox.StateLoading, nil)
		return g.Sandbox.Assign(ctx, a)
	})
}

func (g *guarded) first() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.assigned
	g.assigned = true
	return first
}

// Dial passes the call on while the sandbox lives.
func (g *guarded) Dial(ctx context.Context) (c net.Conn, err error) {
	err = g.do(ctx, func(ctx context.Context) error {
		c, err = g.Sandbox.Dial(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Usage may run beside the other calls, and its errors do no harm.
func (g *guarded) Usage(ctx context.Context) (hearth.Usage, error) {
	if g.gone() {
		return hearth.Usage{}, sandbox.ErrGone
	}
	return g.Sandbox.Usage(ctx)
}

// Destroy interrupts whatever runs.
func (g *guarded) Destroy(ctx context.Context) error { return g.destroy(ctx, nil) }

func (g *guarded) destroy(ctx context.Context, why error) error {
	g.kill()
	select {
	case g.destroying <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.destroying }()
	if g.destroyed {
		return nil
	}
	release := g.await()
	defer release()
	if err := g.Sandbox.Destroy(ctx); err != nil {
		return err
	}
	g.destroyed = true
	if why == nil && g.ended() {
		why = g.Exit().Err
	}
	g.life.enter(sandbox.StateDead, why)
	return nil
}

// await takes the turn from a call that was cancelled, or stops waiting for it.
func (g *guarded) await() (release func()) {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case g.turn <- struct{}{}:
		return func() { <-g.turn }
	case <-t.C:
		return func() {}
	}
}

func (g *guarded) ended() bool {
	select {
	case <-g.Done():
		return true
	default:
		return false
	}
}
