package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

// instance is one sandbox with the link into it, from the moment it is a stem
// cell to its end.
//
// Exactly one goroutine, watch, destroys it; all others condemn it, which takes
// it out of every list at once and leaves the slow part to watch.
type instance struct {
	id      string
	key     stemKey
	sb      sandbox.Sandbox
	link    link
	start   hearth.Start // how it came to be
	created time.Time
	out     output
	flush   func() // delivers raw output; nil where the sandbox has none

	end     chan struct{} // closed by condemn
	dead    chan struct{} // closed when verdict is set
	verdict verdict

	// cpu is what had been used when the last invocation ended, or, where several
	// run at once, when TakeUsage looked. It belongs to whoever holds the only
	// slot, or to mu where there are more.
	cpu  hearth.Duration
	seen int64 // served when TakeUsage looked; guarded by mu

	sentence atomic.Pointer[hearth.Error] // why the engine ended it, if it did

	// Guarded by Engine.mu.
	pool      *pool // nil for a stem cell
	state     sandbox.State
	since     time.Time // of the state, and of the last use while idle
	inflight  int
	served    int64
	loaded    bool
	listed    bool // in pool.open
	draining  bool // takes no more calls, ends with the last one
	condemned bool
}

func (i *instance) become(s sandbox.State) {
	i.state = s
	i.since = time.Now()
}

// newInstance makes a stem cell and opens the link into it. The caller has
// counted it and hands it to watch.
func (e *Engine) newInstance(ctx context.Context, key stemKey, rt hearth.Runtime, onDemand bool) (*instance, error) {
	d := e.drivers[key.driver]
	if _, err := d.capabilities(ctx); err != nil {
		return nil, err
	}
	sb, err := d.Create(ctx, sandbox.Spec{
		ID: newSandboxID(), Runtime: rt, Limits: key.limits(), Network: key.network, OnDemand: onDemand,
	})
	if err != nil {
		return nil, fmt.Errorf("create a %s sandbox: %w", key.driver, err)
	}
	i := &instance{
		id: sb.ID(), key: key, sb: sb, start: hearth.StartPrewarmed, created: time.Now(),
		end: make(chan struct{}), dead: make(chan struct{}),
	}
	i.become(sandbox.StateStem)
	if onDemand {
		i.start = d.startOnDemand(rt)
	}
	if o, ok := sandbox.As[sandbox.Outputter](sb); ok {
		o.Output(i.out.raw)
		i.flush = o.FlushOutput
	}
	if i.link, err = dialWire(ctx, sb, max(wire.DefaultMaxBody, e.cfg.MaxRequest), i.out.wire); err != nil {
		e.destroy(sb)
		return nil, err
	}
	// What the cell used so far is nobody's; not knowing it only makes the
	// first invocation's figure a little too high.
	if u, err := sb.Usage(ctx); err == nil {
		i.cpu = u.CPU
	}
	return i, nil
}

// ending reports whether i is dead or was condemned, or is within a moment.
func (i *instance) ending() bool {
	moment := time.NewTimer(100 * time.Millisecond)
	defer moment.Stop()
	select {
	case <-i.sb.Done():
	case <-i.end:
	case <-i.link.Done():
	case <-moment.C:
		return false
	}
	return true
}

// verdict is why a sandbox came to its end.
type verdict struct {
	exit   sandbox.Exit
	exited bool  // exit is known and is the cause
	link   error // what ended the link; the cause if exit isn't
}

// watch waits for the end of i, finds out why, and destroys it.
func (e *Engine) watch(i *instance) {
	select {
	case <-i.sb.Done():
	case <-i.end:
	case <-i.link.Done():
		// The link ends a moment before the process is known to be dead.
		grace := time.NewTimer(deathGrace)
		select {
		case <-i.sb.Done():
		case <-i.end:
		case <-grace.C:
		}
		grace.Stop()
	}
	i.judge()
	if i.flush != nil {
		i.flush() // last words
	}
	close(i.dead)
	e.mu.Lock()
	if s := e.stems[i.key]; i.pool == nil && !i.condemned && s != nil {
		s.died()
		e.log.Warn("a prewarmed sandbox died while it waited", "sandbox", i.id, "exit", i.verdict.exit, "err", i.verdict.link)
	}
	e.condemn(i, nil)
	e.mu.Unlock()
	e.lastUsage(i)
	// The link closes first: what is written to a sandbox that is being taken
	// down must fail rather than vanish.
	i.link.Close()
	e.destroy(i.sb)
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, i)
	if i.pool != nil {
		i.pool.buried()
	}
}

// judge sets the verdict. A breach of the protocol goes before the exit that
// follows from it, but not before a violent death, which can leave half a frame.
func (i *instance) judge() {
	v := &i.verdict
	select {
	case <-i.sb.Done():
		v.exit, v.exited = i.sb.Exit(), true
	default:
	}
	select {
	case <-i.link.Done():
		v.link = i.link.Err()
	default:
		v.link = io.EOF
	}
	if errors.Is(v.link, wire.ErrProtocol) && v.exit.Signal == "" && !v.exit.OOM {
		v.exited = false
	}
}

// destroy removes sb from the host. A driver that can't is asked again, and
// after that it is the operator's: the next start finds it among the leftovers.
func (e *Engine) destroy(sb sandbox.Sandbox) {
	var err error
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), destroyTimeout)
		err = sb.Destroy(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	e.log.Error("a sandbox could not be destroyed; restart the server to try again", "sandbox", sb.ID(), "err", err)
}

// condemn takes i out of all lists and lets watch destroy it. Why, which may be
// nil, is what its calls in flight fail with. mu is held.
func (e *Engine) condemn(i *instance, why *hearth.Error) {
	if i.condemned {
		return
	}
	i.condemned = true
	if why != nil {
		i.sentence.Store(why)
	}
	i.become(sandbox.StateDraining)
	e.count--
	if p := i.pool; p != nil {
		e.memory -= p.memory()
		p.lose(i)
		e.tend(p)
	} else if s := e.stems[i.key]; s != nil {
		s.lose(i)
	}
	close(i.end)
	e.feed()
	e.wakeFillers()
}

// kill is condemn for those who don't hold mu.
func (e *Engine) kill(i *instance, why *hearth.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.condemn(i, why)
}
