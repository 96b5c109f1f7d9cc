package engine

import (
	"context"
	"slices"
	"time"

	"hearth"
)

// Admission has two steps. A call is admitted when the server and its function
// have room for one more (counted in calls); until then it waits in its
// function's queue, and functions take turns. An admitted call then needs a
// place in a sandbox, and waits for it in the pool of the version that was
// active at that moment: see pool. Both waits together are bounded by
// QueueTimeout, and a queue that is full refuses at once.

// ticket is a call that waits.
type ticket struct {
	fn      *function
	version int // asked for; 0 is the active one
	pool    *pool
	ch      chan grant // holds one
	given   bool
	since   time.Time
	// sought is when work on a place began: what comes before is queueing,
	// what comes after is the time of the sandbox.
	sought time.Time
}

type grant struct {
	i   *instance
	err *hearth.Error
}

// give ends the wait. mu is held.
func (t *ticket) give(i *instance, err *hearth.Error) {
	t.given = true
	t.ch <- grant{i, err}
}

// acquire admits c unless it was before, and finds it a place. It sets the
// phases queue and sandbox of c.
func (e *Engine) acquire(ctx context.Context, c *call) (*instance, *hearth.Error) {
	began := time.Now()
	e.mu.Lock()
	i, t, err := e.enter(c)
	if i != nil {
		c.took(i)
	}
	e.mu.Unlock()
	if err != nil || i != nil {
		return i, err
	}
	i, err = e.await(ctx, t)
	now := time.Now()
	if t.sought.IsZero() {
		t.sought = now
	}
	c.inv.Phases.Queue += hearth.Duration(t.sought.Sub(began))
	c.inv.Phases.Sandbox += hearth.Duration(now.Sub(t.sought))
	if t.pool != nil {
		c.pool = t.pool
	}
	if c.admitted = err == nil; c.admitted {
		e.mu.Lock()
		c.took(i)
		e.mu.Unlock()
	}
	return i, err
}

// enter returns a place, or the ticket of one that will wait. mu is held.
func (e *Engine) enter(c *call) (*instance, *ticket, *hearth.Error) {
	if c.admitted {
		// A second attempt, after the first place turned out to be dead.
		return e.enterPool(c.pool)
	}
	fn := e.fns[c.Function]
	if fn == nil || fn.active == nil {
		return nil, nil, notFound(c.Function)
	}
	p := fn.pool(c.Version)
	if p == nil {
		return nil, nil, hearth.Errorf(hearth.CodeNotFound, "version %d of %s takes no traffic", c.Version, c.Function).
			WithHint("call the active version %d, or roll back to %d first", fn.active.v.Number, c.Version)
	}
	c.pool = p
	switch {
	case e.draining:
		return nil, nil, shuttingDown()
	case len(fn.queue) == 0 && e.running < e.cfg.MaxConcurrency && fn.running < fn.limit():
		if err := p.refuses(); err != nil {
			return nil, nil, err
		}
		e.admit(fn)
		c.admitted = true
		return e.enterPool(p)
	case len(fn.queue) >= e.cfg.MaxQueue || e.queued >= e.cfg.MaxQueueTotal:
		return nil, nil, e.throttled(fn)
	}
	t := &ticket{fn: fn, version: c.Version, ch: make(chan grant, 1), since: time.Now()}
	fn.queue = append(fn.queue, t)
	e.queued++
	if !fn.waiting {
		fn.waiting = true
		e.ring = append(e.ring, fn)
	}
	return nil, t, nil
}

func (e *Engine) admit(fn *function) {
	e.running++
	fn.running++
}

// refuses says why a call of p's version would be pointless now.
func (p *pool) refuses() *hearth.Error {
	if p.broken != nil {
		if p.resolve(); p.broken != nil {
			err := *p.broken
			err.Code = hearth.CodeUnavailable
			return &err
		}
		if p.fn.active == p {
			p.e.use(p, +1)
		}
	}
	if wait := p.loads.wait(); p.loadErr != nil && wait > 0 {
		err := *p.loadErr
		err.RetryAfter = hearth.Duration(wait)
		return &err
	}
	return nil
}

// enterPool returns a place in p or a ticket that waits there. mu is held.
func (e *Engine) enterPool(p *pool) (*instance, *ticket, *hearth.Error) {
	if i := e.seat(p); i != nil {
		return i, nil, nil
	}
	t := &ticket{fn: p.fn, version: p.v.Number, ch: make(chan grant, 1), since: time.Now()}
	e.wait(t, p)
	return nil, t, nil
}

// seat finds a free place, or a stem cell, without waiting. It finds none where
// one is about to be free: waiting for that is cheaper than a new sandbox.
func (e *Engine) seat(p *pool) *instance {
	if i := p.take(); i != nil {
		return i
	}
	if p.finishing+p.opening*(p.concurrency()-1) > len(p.waiters) || !p.mayGrow(p.starting) {
		return nil
	}
	return e.takeStem(p)
}

// wait puts t in p's line and sees that a sandbox is made if one is needed.
func (e *Engine) wait(t *ticket, p *pool) {
	p.push(t)
	e.grow(p)
}

// await waits for a grant, the caller's patience, or ours.
func (e *Engine) await(ctx context.Context, t *ticket) (*instance, *hearth.Error) {
	patience := time.NewTimer(e.cfg.QueueTimeout)
	defer patience.Stop()
	for {
		select {
		case g := <-t.ch:
			return g.i, g.err
		case <-ctx.Done():
			return e.giveUp(t, func() *hearth.Error { return cancelled(ctx) }, true)
		case <-patience.C:
			if e.nearlyServed(t) {
				// Its sandbox is being made, which has a limit of its own.
				patience.Reset(time.Second)
				continue
			}
			return e.giveUp(t, func() *hearth.Error { return e.timedOut(t) }, false)
		}
	}
}

func (e *Engine) nearlyServed(t *ticket) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !t.given && t.pool != nil && t.pool.starting > 0 && !t.sought.IsZero()
}

// giveUp takes t out of its line. A place that was granted in the same moment
// is used after all, unless nobody is there to use it.
func (e *Engine) giveUp(t *ticket, why func() *hearth.Error, gone bool) (*instance, *hearth.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !t.given {
		err := why()
		e.withdraw(t)
		return nil, err
	}
	g := <-t.ch
	if g.i == nil || !gone {
		return g.i, g.err
	}
	err := why()
	e.putBack(g.i)
	e.leave(t.fn)
	return nil, err
}

// withdraw takes a waiting ticket out of its line. mu is held.
func (e *Engine) withdraw(t *ticket) {
	if t.pool != nil {
		t.pool.cut(t)
		e.leave(t.fn)
		t.fn.forget(t.pool)
		return
	}
	t.fn.queue = slices.DeleteFunc(t.fn.queue, func(o *ticket) bool { return o == t })
	e.queued--
	e.checkQuiet()
}

// putBack returns a place that its call doesn't need. mu is held.
func (e *Engine) putBack(i *instance) {
	i.inflight--
	p := i.pool
	switch {
	case i.condemned:
	case i.draining && i.inflight == 0:
		e.condemn(i, nil)
	case i.loaded:
		p.list(i)
		e.feed()
	case len(p.waiters) > 0:
		i.inflight++
		p.serve(i)
	default:
		// A cell that has not met its version yet could serve any, but its
		// output is bound to this one: it is the cheap thing to lose.
		e.condemn(i, nil)
	}
}

// leave ends an admission and lets the next call in. mu is held.
func (e *Engine) leave(fn *function) {
	e.running--
	fn.running--
	e.admitNext()
	e.checkQuiet()
}

// admitNext admits from the queues while there is room; functions take turns.
func (e *Engine) admitNext() {
	for blocked := 0; blocked < len(e.ring) && e.running < e.cfg.MaxConcurrency; {
		fn := e.ring[0]
		e.ring = append(e.ring[:0], e.ring[1:]...)
		if len(fn.queue) == 0 {
			fn.waiting = false
			continue
		}
		e.ring = append(e.ring, fn)
		if fn.running >= fn.limit() {
			blocked++
			continue
		}
		blocked = 0
		e.admitFirst(fn)
	}
}

// admitFirst admits the first of fn's queue, which is not empty.
func (e *Engine) admitFirst(fn *function) {
	t := fn.queue[0]
	fn.queue = slices.Delete(fn.queue, 0, 1)
	e.queued--
	p := fn.pool(t.version)
	if p == nil {
		t.give(nil, notFound(fn.name))
		return
	}
	if err := p.refuses(); err != nil {
		t.give(nil, err)
		return
	}
	e.admit(fn)
	t.pool = p
	if i := e.seat(p); i != nil {
		t.sought = time.Now()
		t.give(i, nil)
		return
	}
	e.wait(t, p)
}

// checkQuiet tells Stop when nothing is left to wait for. mu is held.
func (e *Engine) checkQuiet() {
	if e.draining && e.running == 0 && e.queued == 0 && !e.quiet {
		e.quiet = true
		close(e.quieted)
	}
}
