package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// pool holds the sandboxes of one version. All of it is guarded by Engine.mu.
//
// A call that finds no free place waits in waiters and is served by whatever
// comes first: a place that another call leaves, a stem cell, or the sandbox
// that was started because it waits. Nothing is made for a particular call, so
// nothing is lost when a caller leaves or is served otherwise.
type pool struct {
	e   *Engine
	fn  *function
	v   hearth.Version
	key stemKey
	rt  hearth.Runtime
	// broken is why the version can't run on this host at all.
	broken *hearth.Error

	all     map[*instance]struct{}
	open    []*instance // loaded, with a free place; the most recently used last
	waiters []*ticket   // admitted calls without a place, oldest first

	starting  int // sandboxes being made because of waiters
	opening   int // given to a call that is loading them
	finishing int // replied, about to be free
	warming   int // being made to keep MinWarm
	undead    int // not destroyed yet, condemned or not

	retired time.Time // when another version took over; zero while this one may take traffic
	dropped bool      // forgotten by its function
	sweeper *time.Timer
	between LogWriter // output between invocations

	regrow   *time.Timer
	starts   backoff       // failures to make a sandbox on demand, in a row
	loads    backoff       // failures to load in a row
	loadErr  *hearth.Error // the last of them
	startErr *hearth.Error // the last failure to make a sandbox
}

func (e *Engine) newPool(fn *function, v hearth.Version) *pool {
	p := &pool{e: e, fn: fn, v: v, all: map[*instance]struct{}{}, between: e.cfg.Output(v.Function, v.Number, "")}
	p.resolve()
	fn.alive++
	return p
}

// resolve finds the driver and the runtime of the version.
func (p *pool) resolve() {
	name := p.v.Sandbox
	if name == "" {
		name = p.e.cfg.DefaultDriver
	}
	p.key = p.e.stemKey(name, p.v.Runtime, p.v.Config.Network, p.memory())
	if p.e.drivers[name] == nil {
		p.broken = hearth.Errorf(hearth.CodeUnsupported, "there is no sandbox %q on this server", name).
			WithHint("it has %s: choose one with --sandbox, or leave that out", strings.Join(slices.Sorted(maps.Keys(p.e.drivers)), ", ")).WithField("sandbox")
		return
	}
	rt, err := p.e.cfg.Runtime(p.v.Runtime)
	if err != nil {
		p.broken = hearth.Errorf(hearth.CodeUnsupported, "the runtime %q isn't on this host: %w", p.v.Runtime, err).
			WithHint("`hearth doctor` lists the runtimes; choose one with --runtime, or install the interpreter and restart the server").
			WithField("runtime")
		return
	}
	// A version from a time when more could be enforced, or less was asked for.
	if caps, known := p.e.drivers[name].lastProbe(); known {
		if _, weak := enforce(p.v, caps, p.e.allowed(p.v)); weak != nil {
			p.broken = weak
			return
		}
	}
	p.rt, p.broken = rt, nil
}

func (p *pool) concurrency() int { return max(1, p.v.Config.Concurrency) }
func (p *pool) memory() int      { return p.v.Config.Limits.MemoryMiB }

func (p *pool) keepAlive() time.Duration {
	switch d := p.v.Config.KeepAlive.Std(); {
	case !p.retired.IsZero():
		return min(p.e.cfg.RollbackWarm, p.e.cfg.KeepAlive)
	case d > 0:
		return d
	}
	return p.e.cfg.KeepAlive
}

// minWarm is how many sandboxes must not be let go.
func (p *pool) minWarm() int {
	if !p.retired.IsZero() || p.fn.active != p {
		return 0
	}
	return p.v.Config.MinWarm
}

// take returns the most recently used sandbox with a free place, nil if there
// is none.
func (p *pool) take() *instance {
	for len(p.open) > 0 {
		i := p.open[len(p.open)-1]
		select {
		case <-i.link.Done(): // dead, its watcher is on the way
			p.unlist(i)
			continue
		default:
		}
		i.inflight++
		i.become(sandbox.StateBusy)
		if i.inflight >= p.concurrency() {
			p.unlist(i)
		}
		return i
	}
	return nil
}

// list offers i's free place, to the oldest waiter first.
func (p *pool) list(i *instance) {
	for i.inflight < p.concurrency() && len(p.waiters) > 0 {
		i.inflight++
		i.become(sandbox.StateBusy)
		p.serve(i)
	}
	if i.inflight >= p.concurrency() {
		return
	}
	if i.inflight == 0 {
		i.become(sandbox.StateIdle)
		p.watchIdle()
	}
	if !i.listed {
		i.listed = true
		p.open = append(p.open, i)
	}
}

func (p *pool) unlist(i *instance) {
	if !i.listed {
		return
	}
	i.listed = false
	n := slices.Index(p.open, i)
	p.open = slices.Delete(p.open, n, n+1)
}

// push puts t at the end of the line.
func (p *pool) push(t *ticket) {
	t.pool = p
	p.waiters = append(p.waiters, t)
	p.e.hungry[p] = struct{}{}
}

// next takes the oldest waiter out of the line.
func (p *pool) next() *ticket {
	t := p.waiters[0]
	p.cut(t)
	return t
}

// cut takes t out of the line, wherever it stands.
func (p *pool) cut(t *ticket) {
	n := slices.Index(p.waiters, t)
	p.waiters = slices.Delete(p.waiters, n, n+1)
	if len(p.waiters) == 0 {
		delete(p.e.hungry, p)
	}
}

// serve gives i to the oldest waiter.
func (p *pool) serve(i *instance) { p.next().give(i, nil) }

// adopt makes a stem cell one of p's, with one call in flight on it.
func (p *pool) adopt(i *instance) {
	i.pool = p
	i.inflight = 1
	i.become(sandbox.StateLoading)
	p.all[i] = struct{}{}
	p.opening++
	p.undead++
	p.e.memory += p.memory()
	i.out.serve(p.between, p.concurrency() > 1)
}

// opened is called when i has loaded the version.
func (p *pool) opened(i *instance) {
	p.loads, p.loadErr = backoff{}, nil
	if i.condemned {
		return
	}
	i.loaded = true
	p.opening--
	i.become(sandbox.StateBusy)
	if p.concurrency() > 1 {
		p.list(i)
	}
}

// lose takes a condemned sandbox out.
func (p *pool) lose(i *instance) {
	p.unlist(i)
	delete(p.all, i)
	if !i.loaded {
		p.opening--
	}
}

// buried is called when a condemned sandbox is destroyed.
func (p *pool) buried() {
	p.undead--
	p.closeIfOver()
}

func (p *pool) closeIfOver() {
	if p.dropped && p.undead == 0 && len(p.waiters) == 0 && p.between != nil {
		p.between.Close()
		p.between = nil
		p.fn.alive--
		p.fn.closeIfOver()
	}
}

// uncovered is how many waiters nothing that is under way will serve.
func (p *pool) uncovered() int {
	return len(p.waiters) - p.finishing - p.starting*p.concurrency() - p.opening*(p.concurrency()-1)
}

// idle returns the sandboxes without calls, the least recently used first.
func (p *pool) idle() []*instance {
	var idle []*instance
	for _, i := range p.open {
		if i.inflight == 0 {
			idle = append(idle, i)
		}
	}
	slices.SortFunc(idle, func(a, b *instance) int { return a.since.Compare(b.since) })
	return idle
}

// watchIdle sees that sweep runs when the first idle sandbox is due. One timer
// does for the pool: a call costs none.
func (p *pool) watchIdle() {
	if p.sweeper != nil {
		return
	}
	p.sweeper = time.AfterFunc(p.keepAlive(), func() {
		p.e.mu.Lock()
		defer p.e.mu.Unlock()
		p.sweep()
	})
}

// sweep lets go what has been idle for too long, but for MinWarm.
func (p *pool) sweep() {
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
	now, keep := time.Now(), p.minWarm()
	var next time.Duration
	for _, i := range p.idle() {
		left := p.keepAlive() - now.Sub(latest(i.since, p.retired))
		switch {
		case len(p.all) <= keep:
			next = p.keepAlive()
		case left <= 0:
			p.e.condemn(i, nil)
		case next == 0:
			next = left
		}
	}
	if next > 0 && p.sweeper == nil {
		p.watchIdle()
		p.sweeper.Reset(next)
	}
	p.fn.forget(p)
}

func (p *pool) stopTimers() {
	for _, t := range []*time.Timer{p.sweeper, p.regrow} {
		if t != nil {
			t.Stop()
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// empty lets all idle sandboxes go; busy ones go when they are done.
func (p *pool) empty() {
	for i := range p.all {
		i.draining = true
		if i.inflight == 0 {
			p.e.condemn(i, nil)
		}
	}
}

// backoff spaces out attempts at what keeps failing.
type backoff struct {
	failures int
	until    time.Time
}

const maxBackoff = 30 * time.Second

// failed notes a failure; the next attempt is due after first, twice that, and
// so on, after the free failures.
func (b *backoff) failed(free int, first time.Duration) {
	b.failures++
	if n := b.failures - free; n > 0 {
		b.until = time.Now().Add(min(first<<min(n-1, 16), maxBackoff))
	}
}

// wait is how long it is until the next attempt.
func (b *backoff) wait() time.Duration { return max(0, time.Until(b.until)) }
