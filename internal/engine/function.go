package engine

import (
	"slices"
	"time"

	"hearth"
)

// function is a name and the pools of its versions. Guarded by Engine.mu.
type function struct {
	e      *Engine
	name   string
	info   hearth.Function
	active *pool         // nil before the first Activate
	pools  map[int]*pool // by version: the active one, the one before, those being deployed

	running int       // admitted calls
	queue   []*ticket // calls that wait for admission, oldest first
	waiting bool      // in Engine.ring

	alive   int           // pools that have sandboxes which are not destroyed
	removed bool          // from Engine.fns
	gone    chan struct{} // closed when removed and nothing is alive
}

func (f *function) closeIfOver() {
	if f.removed && f.alive == 0 {
		close(f.gone)
	}
}

// pool returns the pool of a version, of the active one for 0, or nil.
func (f *function) pool(version int) *pool {
	if version == 0 {
		return f.active
	}
	return f.pools[version]
}

// limit is how many calls may be admitted at once, as the active version says.
func (f *function) limit() int {
	p := f.active
	if p == nil || p.v.Config.MaxScale == 0 {
		return f.e.cfg.MaxConcurrency
	}
	return p.v.Config.MaxScale * p.concurrency()
}

// activate makes p the one that takes traffic. The one before stays warm for
// a while, so that a rollback needs nothing; those before that are let go.
func (f *function) activate(p *pool) {
	old := f.active
	if old == p {
		return
	}
	f.active, p.retired = p, time.Time{}
	f.e.use(p, +1)
	for _, q := range f.pools {
		switch {
		case q == p:
		case q == old:
			q.retired = time.Now()
			f.e.use(q, -1)
			q.sweep()
		case !q.retired.IsZero():
			q.empty()
			f.forget(q)
		}
	}
}

// forget drops a retired pool that holds nothing any more.
func (f *function) forget(p *pool) {
	if p.retired.IsZero() || len(p.all)+p.starting+p.warming+len(p.waiters) > 0 || f.pools[p.v.Number] != p {
		return
	}
	delete(f.pools, p.v.Number)
	p.dropped = true
	p.closeIfOver()
}

// use counts the versions that want a pool of stem cells filled. mu is held.
func (e *Engine) use(p *pool, n int) {
	if p.broken != nil {
		return
	}
	s := e.stemsFor(p.key, p.rt)
	s.users += n
	s.poke()
}

// tend makes up for a sandbox that p lost: for those who wait, and for MinWarm.
// mu is held.
func (e *Engine) tend(p *pool) {
	e.grow(p)
	for len(p.all)+p.warming < p.minWarm() && e.mayWarm(p) {
		p.warming++
		e.wg.Go(func() { e.warm(p) })
	}
	p.fn.forget(p)
}

func (e *Engine) mayWarm(p *pool) bool {
	return e.started && !e.closed && p.broken == nil && e.count < e.cfg.MaxSandboxes && e.memoryFor(p)
}

// warm makes one loaded sandbox for MinWarm, after the back-off that failures
// to load have earned.
func (e *Engine) warm(p *pool) {
	e.mu.Lock()
	wait := p.loads.wait()
	e.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-e.ctx.Done():
			timer.Stop()
		}
	}
	e.mu.Lock()
	wanted := len(p.all) < p.minWarm() && !e.closed
	e.mu.Unlock()
	var err *hearth.Error
	if wanted {
		_, err = e.prepare(e.ctx, p)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p.warming--
	if err != nil && e.ctx.Err() == nil {
		e.log.Warn("a sandbox could not be kept warm", "version", p.v.Ref(), "err", err)
		p.loads.failed(0, time.Second)
	}
	e.tend(p)
}

// end lets everything of f go that isn't busy, and the rest when it is done.
func (f *function) end() {
	f.removed = true
	for _, p := range f.pools {
		if p == f.active {
			f.e.use(p, -1)
		}
		if p.retired.IsZero() {
			p.retired = time.Now()
		}
		p.empty()
	}
	f.active = nil
	for _, p := range f.pools {
		f.forget(p)
	}
	if f.alive == 0 && len(f.pools) == 0 {
		// closeIfOver had nothing to count down.
		select {
		case <-f.gone:
		default:
			close(f.gone)
		}
	}
	for _, t := range slices.Clone(f.queue) {
		f.e.withdraw(t)
		t.give(nil, notFound(f.name))
	}
}
