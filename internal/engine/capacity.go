package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hearth"
)

// Capacity is counted in sandboxes and, if the operator set a budget, in the
// memory limits of those that serve a version. When either is used up, the
// sandbox that has been idle longest makes room, whosever it is; a busy one
// never does. Pools whose waiters found no room are looked at again whenever a
// sandbox goes or falls idle.

// mayGrow reports whether the version's own limit allows one more sandbox,
// besides n that are on their way.
func (p *pool) mayGrow(n int) bool {
	limit := p.v.Config.MaxScale
	return limit == 0 || len(p.all)+n < limit
}

// memoryFor makes room in the memory budget for one sandbox of p, if it can.
func (e *Engine) memoryFor(p *pool) bool {
	for e.cfg.MemoryBudgetMiB > 0 && e.memory+p.memory() > e.cfg.MemoryBudgetMiB {
		if !e.evict() {
			return false
		}
	}
	return true
}

// roomFor makes room for one sandbox more, if it can.
func (e *Engine) roomFor(p *pool) bool {
	for e.count >= e.cfg.MaxSandboxes {
		if !e.evict() && !e.evictStem(p.key) {
			return false
		}
	}
	return e.memoryFor(p)
}

// evict lets the sandbox go that has been idle longest; of versions that take
// no traffic any more first. mu is held.
func (e *Engine) evict() bool {
	var victim *instance
	for i := range e.live {
		p := i.pool
		if p == nil || i.condemned || !i.listed || i.inflight > 0 || len(p.all) <= p.minWarm() {
			continue
		}
		if victim == nil || evictsBefore(i, victim) {
			victim = i
		}
	}
	if victim == nil {
		return false
	}
	e.makeRoom(victim)
	return true
}

// makeRoom lets i go for the one who asked: no other may take the room first.
func (e *Engine) makeRoom(i *instance) {
	e.evicted++
	was := e.feeding
	e.feeding = true
	e.condemn(i, nil)
	e.feeding = was
}

func evictsBefore(a, b *instance) bool {
	if ra, rb := !a.pool.retired.IsZero(), !b.pool.retired.IsZero(); ra != rb {
		return ra
	}
	return a.since.Before(b.since)
}

// evictStem lets a stem cell go that can't serve key. mu is held.
func (e *Engine) evictStem(key stemKey) bool {
	for k, s := range e.stems {
		if k != key && len(s.ready) > 0 {
			e.makeRoom(s.ready[0])
			return true
		}
	}
	return false
}

// grow starts a sandbox for each waiter of p that nothing else will serve. mu
// is held.
func (e *Engine) grow(p *pool) {
	for p.uncovered() > 0 && !e.closed && p.mayGrow(p.starting) {
		if wait := p.starts.wait(); wait > 0 && len(p.all) > 0 {
			p.growLater(wait)
			return
		}
		if !e.roomFor(p) {
			return
		}
		e.count++
		p.starting++
		now := time.Now()
		for _, t := range p.waiters {
			if t.sought.IsZero() {
				t.sought = now
			}
		}
		e.wg.Go(func() { e.create(p) })
	}
}

// growLater calls grow when the back-off is over.
func (p *pool) growLater(wait time.Duration) {
	if p.regrow != nil {
		return
	}
	p.regrow = time.AfterFunc(wait, func() {
		p.e.mu.Lock()
		defer p.e.mu.Unlock()
		p.regrow = nil
		p.e.grow(p)
	})
}

// create makes one sandbox on demand and gives it to the pool's oldest waiter,
// or to the stem cells if there is none any more.
func (e *Engine) create(p *pool) {
	d := e.drivers[p.key.driver]
	select {
	case d.starts <- struct{}{}:
		defer func() { <-d.starts }()
	case <-e.ctx.Done():
	}
	if !e.stillWanted(p) {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.StartTimeout)
	i, err := e.newInstance(ctx, p.key, p.rt, true)
	cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	p.starting--
	if err != nil {
		e.count--
		e.startFailed(p, err)
		e.tend(p)
		return
	}
	p.starts, p.startErr = backoff{}, nil
	e.born(i)
	switch {
	case len(p.waiters) > 0 && p.mayGrow(0) && e.memoryFor(p):
		p.adopt(i)
		p.serve(i)
	case i.condemned:
	default:
		e.keepStem(i)
	}
	p.fn.forget(p)
}

// stillWanted reports whether a sandbox that had to wait for its turn has
// waiters left, and calls it off if not.
func (e *Engine) stillWanted(p *pool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.uncovered()+p.concurrency() > 0 && len(p.waiters) > 0 && !e.closed {
		return true
	}
	p.starting--
	e.count--
	e.feed()
	p.fn.forget(p)
	return false
}

// startFailed lets those fail who waited for that sandbox. Where others of the
// version live, a place may yet become free, so they wait on; the next attempt
// is then put off. mu is held.
func (e *Engine) startFailed(p *pool, err error) {
	p.startErr = noSandbox(err)
	p.starts.failed(0, 100*time.Millisecond)
	if e.ctx.Err() == nil {
		e.log.Error("a sandbox could not be made", "version", p.v.Ref(), "driver", p.key.driver, "err", err)
	}
	if len(p.all) > 0 {
		return
	}
	for n := p.concurrency(); n > 0 && len(p.waiters) > 0; n-- {
		t := p.next()
		t.give(nil, p.startErr)
		e.leave(t.fn)
	}
}

// starved lists the pools with waiters.
func (e *Engine) starved() []*pool {
	ps := make([]*pool, 0, len(e.hungry))
	for p := range e.hungry {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b *pool) int { return a.waiters[0].since.Compare(b.waiters[0].since) })
	return ps
}

// feed looks again at pools that found no room, the longest waiter first. mu is
// held.
func (e *Engine) feed() {
	if e.feeding || len(e.hungry) == 0 {
		return
	}
	e.feeding = true
	for _, p := range e.starved() {
		e.grow(p)
	}
	e.feeding = false
}

// noSandbox is what a caller reads when no sandbox could be made. The whole
// reason is for the operator; its last words are usually telling and harmless.
func noSandbox(err error) *hearth.Error {
	var known *hearth.Error
	if errors.As(err, &known) {
		e := *known
		e.Code = hearth.CodeUnavailable
		return &e
	}
	why := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		why = "it took too long"
	}
	why = why[strings.LastIndex(why, ": ")+1:]
	if why = strings.TrimSpace(why); len(why) > 120 {
		why = why[:120]
	}
	e := hearth.Errorf(hearth.CodeUnavailable, "no sandbox could be started: %s", why).
		WithHint("try again; the server's log and `hearth doctor` say more")
	e.Cause = err
	return e
}
