package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"hearth"
)

// stemKey tells which stem cells can stand for each other.
type stemKey struct {
	driver  string
	runtime string
	network hearth.Network
	memory  int // MiB, where the driver can't change it later; else 0
}

// stems is a pool of stem cells. One goroutine for each pool fills it, with
// little urgency: making cells must not take the processor from the call that
// just used one. Guarded by Engine.mu.
type stems struct {
	key    stemKey
	rt     hearth.Runtime
	pinned bool // filled though no version uses it
	users  int  // versions that take traffic, or are about to
	ready  []*instance
	making int       // cells being made to refill it
	taken  time.Time // when the last one was
	hits   int64
	misses int64
	took   []time.Duration // by the last refills, newest last; at most keptRefills
	fails  backoff         // attempts to make one
	deaths backoff         // of cells that waited, since one was used
	err    error           // why the last attempt failed
	wake   chan struct{}
}

// stemKey returns the key of the cells that can become a sandbox of this
// memory.
func (e *Engine) stemKey(driver, runtime string, n hearth.Network, memoryMiB int) stemKey {
	key := stemKey{driver: driver, runtime: runtime, network: n}
	if d := e.drivers[driver]; d != nil && d.known().MemoryFixed {
		key.memory = memoryMiB
	}
	return key
}

// limits is what a cell may use before it is assigned.
func (k stemKey) limits() hearth.Limits {
	l := hearth.DefaultLimits()
	if k.memory > 0 {
		l.MemoryMiB = k.memory
	}
	return l
}

const (
	// settle is how long refilling waits for the call that took a cell.
	settle = 10 * time.Millisecond
	// firstRefillWait is the first step of the back-off between failed refills.
	firstRefillWait = 250 * time.Millisecond
)

// keptRefills is how many refills the median is of.
const keptRefills = 64

// refills returns the median of the last refills, and the last.
func (s *stems) refills() (p50, last time.Duration) {
	n := len(s.took)
	if n == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(s.took))
	return sorted[(n-1)/2], s.took[n-1]
}

func (s *stems) target(e *Engine) int {
	if s.users == 0 && !s.pinned {
		return 0
	}
	return e.cfg.StemTarget(s.key.runtime)
}

func (s *stems) lose(i *instance) {
	if n := slices.Index(s.ready, i); n >= 0 {
		s.ready = slices.Delete(s.ready, n, n+1)
	}
}

// stemsFor returns the pool of a key and makes it on first use. mu is held.
func (e *Engine) stemsFor(key stemKey, rt hearth.Runtime) *stems {
	s := e.stems[key]
	if s == nil {
		s = &stems{key: key, rt: rt, wake: make(chan struct{}, 1)}
		e.stems[key] = s
		if e.started && !e.closed {
			e.wg.Go(func() { e.fillStems(s) })
		}
	}
	return s
}

// takeStem makes a waiting cell p's, nil if there is none. mu is held.
func (e *Engine) takeStem(p *pool) *instance {
	s := e.stemsFor(p.key, p.rt)
	if len(s.ready) == 0 || !e.memoryFor(p) {
		s.misses++
		return nil
	}
	i := s.ready[0] // the oldest: it has settled best
	s.ready = slices.Delete(s.ready, 0, 1)
	s.hits++
	s.taken = time.Now()
	s.deaths = backoff{}
	p.adopt(i)
	s.poke()
	return i
}

// keepStem puts a cell that nobody waits for into its pool. mu is held.
func (e *Engine) keepStem(i *instance) {
	s := e.stems[i.key]
	if i.condemned {
		return
	}
	s.ready = append(s.ready, i)
	if len(s.ready) > max(s.target(e), 1)+1 {
		e.condemn(s.ready[0], nil)
	}
}

// died is called when a cell ended that nobody ended.
func (s *stems) died() {
	s.deaths.failed(0, firstRefillWait)
	s.err = errors.New("a prewarmed sandbox died while it waited")
}

func (s *stems) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) wakeFillers() {
	for _, s := range e.stems {
		s.poke()
	}
}

// fillStems keeps s at its target until the engine stops.
func (e *Engine) fillStems(s *stems) {
	for e.ctx.Err() == nil {
		wait, work := e.refillDue(s)
		switch {
		case !work:
			select {
			case <-e.ctx.Done():
			case <-s.wake:
			}
		case wait > 0:
			// Not to be woken: what wakes it is a cell taken, and waiting for
			// that call is the point, or a back-off.
			timer := time.NewTimer(wait)
			select {
			case <-e.ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
		default:
			e.refill(s)
		}
	}
}

// refillDue says whether a cell is wanted, and how long that may wait.
func (e *Engine) refillDue(s *stems) (wait time.Duration, work bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	target := s.target(e)
	for len(s.ready) > target && target == 0 {
		e.condemn(s.ready[0], nil)
	}
	if len(s.ready) >= target || e.closed || e.count >= e.cfg.MaxSandboxes {
		return 0, false
	}
	wait = max(s.fails.wait(), s.deaths.wait())
	if len(s.ready) > 0 {
		wait = max(wait, settle-time.Since(s.taken))
	}
	return wait, true
}

// refill makes one cell. Failures are kept for those who look and for callers
// who miss.
func (e *Engine) refill(s *stems) {
	select {
	case e.refills <- struct{}{}:
		defer func() { <-e.refills }()
	case <-e.ctx.Done():
		return
	}
	e.mu.Lock()
	if e.closed || e.count >= e.cfg.MaxSandboxes {
		e.mu.Unlock()
		return
	}
	e.count++
	s.making++
	e.mu.Unlock()

	began := time.Now()
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.StartTimeout)
	i, err := e.newInstance(ctx, s.key, s.rt, false)
	cancel()
	took := time.Since(began)
	if err == nil && e.cfg.Refilled != nil {
		e.cfg.Refilled(PoolInfo{Driver: s.key.driver, Runtime: s.key.runtime, Network: s.key.network}, took)
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	s.making--
	if err != nil {
		e.count--
		if e.ctx.Err() != nil {
			return
		}
		s.fails.failed(0, firstRefillWait)
		s.err = err
		e.log.Warn("a prewarmed sandbox could not be made", "driver", s.key.driver, "runtime", s.key.runtime,
			"failures", s.fails.failures, "again_in", s.fails.wait(), "err", err)
		return
	}
	s.fails, s.err = backoff{}, nil
	s.took = append(s.took[max(0, len(s.took)-keptRefills+1):], took)
	e.born(i)
	for _, p := range e.starved() {
		if p.key == s.key && p.mayGrow(0) && e.memoryFor(p) {
			i.start = e.drivers[s.key.driver].startOnDemand(s.rt) // it never waited
			p.adopt(i)
			p.serve(i)
			return
		}
	}
	e.keepStem(i)
}

// born lists a new sandbox and starts to watch it. mu is held.
func (e *Engine) born(i *instance) {
	e.live[i] = struct{}{}
	e.wg.Go(func() { e.watch(i) })
	if e.closed {
		e.condemn(i, nil)
	}
}
