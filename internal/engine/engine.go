package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// Engine runs functions. All methods may be called concurrently.
//
// One mutex guards everything that decides who runs where: functions, pools,
// queues, counters. It is held for well under a microsecond at a time and never
// while a driver, a sandbox or the disk is waited for. What happens between two
// decisions (assigning, loading, calling, destroying) is done without it.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	drivers map[string]*driver
	refills chan struct{} // holds a token for each stem cell being made

	ctx    context.Context // of everything in the background
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	fns     map[string]*function
	stems   map[stemKey]*stems
	live    map[*instance]struct{} // not destroyed yet
	hungry  map[*pool]struct{}     // with waiters
	ring    []*function            // with queued calls, the next one's turn first
	running int                    // admitted calls
	queued  int                    // calls that wait for admission
	count   int                    // sandboxes, those being made included
	memory  int                    // MiB, limits of the adopted ones
	evicted int64
	feeding bool

	used map[VersionUsage]VersionUsage // by function and version; of shared sandboxes that ended, since TakeUsage

	unrecorded map[chan struct{}]struct{} // calls that have their reply; closed when their record is written

	changed  chan struct{} // closed and replaced when Functions changes
	started  bool
	draining bool // no new calls
	closed   bool // no new sandboxes
	quiet    bool // quieted is closed
	quieted  chan struct{}
	stopped  chan struct{} // closed when Stop is done
	cleared  int           // leftovers destroyed at the start
}

// New checks c and returns an engine. It runs nothing before Start but what is
// called for.
func New(c Config) (*Engine, error) {
	c = c.withDefaults()
	switch {
	case len(c.Drivers) == 0:
		return nil, errors.New("engine: no driver is configured")
	case c.Runtime == nil || c.Code == nil:
		return nil, errors.New("engine: Runtime and Code must be configured")
	case c.DefaultDriver != "" && c.Drivers[c.DefaultDriver] == nil:
		return nil, fmt.Errorf("engine: the default driver %q isn't configured", c.DefaultDriver)
	}
	e := &Engine{
		cfg: c, log: c.Logger, drivers: map[string]*driver{}, refills: make(chan struct{}, c.RefillInParallel),
		fns: map[string]*function{}, stems: map[stemKey]*stems{},
		live: map[*instance]struct{}{}, hungry: map[*pool]struct{}{}, used: map[VersionUsage]VersionUsage{}, unrecorded: map[chan struct{}]struct{}{},
		changed: make(chan struct{}), quieted: make(chan struct{}), stopped: make(chan struct{}),
	}
	for name, d := range c.Drivers {
		e.drivers[name] = &driver{Driver: d, starts: make(chan struct{}, c.StartsInParallel)}
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e, nil
}

// Start destroys what an earlier process left behind, then begins to fill the
// pools. A driver that fails is logged, and its functions answer with the
// reason; only ctx makes Start fail.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	again := e.started || e.closed
	e.mu.Unlock()
	if again {
		return nil
	}
	var wg sync.WaitGroup
	for _, d := range e.drivers {
		wg.Go(func() { e.wake(ctx, d) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.started || e.closed {
		return nil
	}
	e.started = true
	for _, s := range e.stems {
		e.wg.Go(func() { e.fillStems(s) })
	}
	e.prewarm()
	for _, fn := range e.fns {
		if fn.active != nil {
			e.tend(fn.active)
		}
	}
	if e.cfg.AvailableMiB != nil {
		e.wg.Go(e.watchMemory)
	}
	return nil
}

// wake clears a driver's leftovers and probes it.
func (e *Engine) wake(ctx context.Context, d *driver) {
	left, err := d.Leftovers(ctx)
	if err != nil {
		e.log.Error("leftovers of an earlier process could not be found", "driver", d.Name(), "err", err)
	}
	for _, sb := range left {
		e.destroy(sb)
	}
	if len(left) > 0 {
		e.log.Info("destroyed what an earlier process left behind", "driver", d.Name(), "sandboxes", len(left))
	}
	e.mu.Lock()
	e.cleared += len(left)
	e.mu.Unlock()
	if _, err := d.capabilities(ctx); err != nil {
		e.log.Warn("a driver can't be used on this host", "driver", d.Name(), "err", err)
	}
}

// prewarm makes the pools that are filled before a function uses them. mu is held.
func (e *Engine) prewarm() {
	for _, name := range e.cfg.Prewarm {
		rt, err := e.cfg.Runtime(name)
		if err != nil {
			e.log.Warn("a runtime can't be prewarmed", "runtime", name, "err", err)
			continue
		}
		if e.drivers[e.cfg.DefaultDriver] == nil {
			continue
		}
		s := e.stemsFor(e.stemKey(e.cfg.DefaultDriver, name, hearth.NetworkNone, hearth.DefaultLimits().MemoryMiB), rt)
		s.pinned = true
		s.poke()
	}
}

// Stop ends the engine: new calls are refused, those in flight and in queues
// may finish until ctx ends, then they are killed. It returns when every
// sandbox is destroyed. It may be called any number of times, also without
// Start.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	first := !e.draining
	e.draining = true
	e.checkQuiet()
	e.mu.Unlock()
	if !first {
		<-e.stopped
		return nil
	}
	select {
	case <-e.quieted:
	case <-ctx.Done():
		e.log.Warn("calls in flight are killed: the time to drain is over")
	}
	e.closeAll()
	<-e.quieted
	e.wg.Wait()
	close(e.stopped)
	return nil
}

// closeAll condemns every sandbox and frees every waiter.
func (e *Engine) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	defer e.cancel() // after the waiters have been told
	for _, p := range e.starved() {
		for len(p.waiters) > 0 {
			t := p.next()
			t.give(nil, shuttingDown())
			e.running--
			t.fn.running--
		}
	}
	for _, fn := range e.fns {
		for _, t := range fn.queue {
			t.give(nil, shuttingDown())
			e.queued--
		}
		fn.queue = nil
		for _, p := range fn.pools {
			p.stopTimers()
			p.dropped = true
		}
	}
	for i := range e.live {
		e.condemn(i, shuttingDown())
	}
	for _, fn := range e.fns {
		for _, p := range fn.pools {
			p.closeIfOver()
		}
	}
	e.checkQuiet()
}

// watchMemory lets idle sandboxes go while the host is short of memory.
func (e *Engine) watchMemory() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-tick.C:
		}
		free, err := e.cfg.AvailableMiB()
		if err != nil || free >= e.cfg.MinAvailableMiB {
			continue
		}
		e.mu.Lock()
		n := 0
		for n < 8 && e.evict() {
			n++
		}
		e.mu.Unlock()
		if n > 0 {
			e.log.Warn("the host is short of memory: idle sandboxes were let go", "available_mib", free, "sandboxes", n)
		}
	}
}

// Deploy makes a ready sandbox of v without giving it traffic, so that a
// version that can't load is known before it is activated. The sandbox waits
// for Activate; Discard lets it go. A Deploy that fails leaves nothing behind.
func (e *Engine) Deploy(ctx context.Context, v hearth.Version) (Readiness, error) {
	if v.Config.Batch.Size > 1 {
		return Readiness{}, hearth.Errorf(hearth.CodeUnsupported, "batches are not available yet: batch.size is %d", v.Config.Batch.Size).
			WithHint("leave --batch-size out; every call is then handled by itself").WithField("batch.size")
	}
	e.mu.Lock()
	if e.draining {
		e.mu.Unlock()
		return Readiness{}, shuttingDown()
	}
	p := e.poolOf(v)
	broken := p.broken
	e.mu.Unlock()
	r, err := e.tryOut(ctx, p, broken)
	if err != nil {
		e.Discard(v)
		return Readiness{}, err
	}
	return r, nil
}

func (e *Engine) tryOut(ctx context.Context, p *pool, broken *hearth.Error) (Readiness, error) {
	if broken != nil {
		return Readiness{}, broken
	}
	caps, err := e.drivers[p.key.driver].capabilities(ctx)
	if err != nil {
		return Readiness{}, hearth.Errorf(hearth.CodeUnsupported, "the %s sandbox can't run on this host (%v)", p.key.driver, err).
			WithHint("`hearth doctor` says what is missing; choose another sandbox with --sandbox").WithField("sandbox")
	}
	if need, has := p.rt.MinMemory, p.memory(); has < need {
		return Readiness{}, hearth.Errorf(hearth.CodeInvalid, "%s doesn't start with %d MiB of memory", p.rt.Name, has).
			WithHint("deploy with --memory %d or more", need).WithField("memory")
	}
	warnings, weak := enforce(p.v, caps, e.allowed(p.v))
	if weak != nil {
		return Readiness{}, weak
	}
	made, failed := e.prepare(ctx, p)
	if failed != nil {
		return Readiness{}, failed
	}
	return Readiness{
		Start: made.start, Took: hearth.Duration(made.took), Import: hearth.Duration(made.ready.ImportUS) * hearth.Duration(time.Microsecond),
		Shape: made.ready.Shape, Sealed: caps.Isolation, Warnings: warnings,
	}, nil
}

// allowed reports whether v may run although not all of it can be enforced.
func (e *Engine) allowed(v hearth.Version) bool {
	return e.cfg.AllowUnenforced || e.cfg.AllowUnenforcedFor != nil && e.cfg.AllowUnenforcedFor(v)
}

// poolOf returns the pool of v and makes it, and its function, if there is
// none. mu is held.
func (e *Engine) poolOf(v hearth.Version) *pool {
	fn := e.fns[v.Function]
	if fn == nil {
		fn = &function{e: e, name: v.Function, pools: map[int]*pool{}, gone: make(chan struct{})}
		e.fns[v.Function] = fn
	}
	p := fn.pools[v.Number]
	if p == nil {
		p = e.newPool(fn, v)
		fn.pools[v.Number] = p
	}
	return p
}

// Activate sends f's traffic to v from the next call on; calls in flight end
// on the version they began with. It is also how functions are put in place at
// start-up, and how rollbacks happen. An error says why v can't run on this
// host; the function is in place all the same and its calls fail with it.
func (e *Engine) Activate(f hearth.Function, v hearth.Version) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return shuttingDown()
	}
	p := e.poolOf(v)
	fn := p.fn
	f.Active = v.Number
	fn.info = f
	p.loads, p.loadErr = backoff{}, nil
	fn.activate(p)
	e.admitNext() // the new version's limits may be wider
	e.tend(p)
	e.announce()
	if p.broken != nil {
		return p.broken
	}
	return nil
}

// Update takes over what may change of a function without a new version. It
// does nothing for a function that isn't active.
func (e *Engine) Update(f hearth.Function) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn := e.fns[f.Name]
	if fn == nil || fn.active == nil {
		return
	}
	f.Active = fn.active.v.Number
	fn.info = f
	e.announce()
}

// Discard forgets what Deploy prepared. It does nothing to a version that takes
// traffic or took it before.
func (e *Engine) Discard(v hearth.Version) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn := e.fns[v.Function]
	if fn == nil {
		return
	}
	p := fn.pools[v.Number]
	if p == nil || p == fn.active || !p.retired.IsZero() {
		return
	}
	p.retired = time.Now()
	p.empty()
	fn.forget(p)
	if fn.active == nil && len(fn.pools) == 0 {
		delete(e.fns, v.Function)
	}
}

// Remove lets a function end: calls in flight finish, new ones are not found.
// It returns when nothing of it is left, or when ctx ends; the rest is then
// done in the background.
func (e *Engine) Remove(ctx context.Context, name string) error {
	e.mu.Lock()
	fn := e.fns[name]
	if fn == nil {
		e.mu.Unlock()
		return notFound(name)
	}
	delete(e.fns, name)
	fn.end()
	e.announce()
	e.mu.Unlock()
	select {
	case <-fn.gone:
	case <-ctx.Done():
	}
	return nil
}

// Function returns a function that takes traffic and the version that does.
func (e *Engine) Function(name string) (hearth.Function, hearth.Version, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn := e.fns[name]
	if fn == nil || fn.active == nil {
		return hearth.Function{}, hearth.Version{}, false
	}
	return fn.info, fn.active.v, true
}

// Functions lists the functions that take traffic, by name.
func (e *Engine) Functions() []hearth.Function {
	e.mu.Lock()
	defer e.mu.Unlock()
	fs := make([]hearth.Function, 0, len(e.fns))
	for _, fn := range e.fns {
		if fn.active != nil {
			fs = append(fs, fn.info)
		}
	}
	slices.SortFunc(fs, func(a, b hearth.Function) int { return cmp.Compare(a.Name, b.Name) })
	return fs
}

// Changed returns a channel that is closed at the next change of Functions.
// Take it before Functions, so that no change is missed.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

func (e *Engine) announce() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// Sandboxes lists all that live, stem cells included, the oldest first. Usage
// is zero where it can't be read any more.
func (e *Engine) Sandboxes(ctx context.Context) []SandboxInfo {
	e.mu.Lock()
	infos := make([]SandboxInfo, 0, len(e.live))
	boxes := make(map[string]sandbox.Sandbox, len(e.live))
	for i := range e.live {
		info := SandboxInfo{
			ID: i.id, Driver: i.key.driver, Runtime: i.key.runtime, State: string(i.state),
			Since: hearth.Moment(i.since), Created: hearth.Moment(i.created), Served: i.served, InFlight: i.inflight,
		}
		if i.pool != nil {
			info.Function, info.Version = i.pool.v.Function, i.pool.v.Number
		}
		infos = append(infos, info)
		boxes[i.id] = i.sb
	}
	e.mu.Unlock()
	for n := range infos {
		if u, err := boxes[infos[n].ID].Usage(ctx); err == nil {
			infos[n].Usage = u
		}
	}
	slices.SortFunc(infos, func(a, b SandboxInfo) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return infos
}

// Counts says how many sandboxes are in which state, those being made
// included. Unlike Sandboxes it asks no sandbox anything.
func (e *Engine) Counts() []SandboxCount {
	count := map[SandboxCount]int{}
	e.mu.Lock()
	for i := range e.live {
		k := SandboxCount{Driver: i.key.driver, State: i.state}
		if i.pool != nil {
			k.Function, k.Version = i.pool.v.Function, i.pool.v.Number
		}
		count[k]++
	}
	for _, s := range e.stems {
		count[SandboxCount{Driver: s.key.driver, State: sandbox.StateStarting}] += s.making
	}
	for _, fn := range e.fns {
		for _, p := range fn.pools {
			count[SandboxCount{Driver: p.key.driver, Function: p.v.Function, Version: p.v.Number, State: sandbox.StateStarting}] += p.starting
		}
	}
	e.mu.Unlock()
	out := make([]SandboxCount, 0, len(count))
	for k, n := range count {
		if k.Count = n; n > 0 {
			out = append(out, k)
		}
	}
	return out
}

// Pools lists the pools of stem cells.
func (e *Engine) Pools() []PoolInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	infos := make([]PoolInfo, 0, len(e.stems))
	for k, s := range e.stems {
		info := PoolInfo{
			Driver: k.driver, Runtime: k.runtime, Network: k.network,
			Ready: len(s.ready), Target: s.target(e), Hits: s.hits, Misses: s.misses,
		}
		p50, last := s.refills()
		info.RefillP50, info.RefillLast = hearth.Duration(p50), hearth.Duration(last)
		if s.err != nil {
			info.Error = s.err.Error()
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b PoolInfo) int {
		return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Runtime, b.Runtime), cmp.Compare(a.Network, b.Network))
	})
	return infos
}

// Stats is what the engine counts besides invocations.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	waiting := e.queued
	for p := range e.hungry {
		waiting += len(p.waiters)
	}
	return Stats{
		Running: e.running, Waiting: waiting, Sandboxes: e.count, MemoryMiB: e.memory,
		Evicted: e.evicted, Recovered: e.cleared,
	}
}

// KillSandbox destroys one sandbox; its calls fail with CodeFunctionCrashed.
func (e *Engine) KillSandbox(ctx context.Context, id string) error {
	e.mu.Lock()
	var found *instance
	for i := range e.live {
		if i.id == id && !i.condemned {
			found = i
		}
	}
	if found == nil {
		e.mu.Unlock()
		return hearth.Errorf(hearth.CodeNotFound, "there is no sandbox %q", id).WithHint("`hearth top` lists them")
	}
	e.condemn(found, hearth.Errorf(hearth.CodeFunctionCrashed, "the sandbox was killed by an operator").WithHint("try again"))
	e.mu.Unlock()
	select {
	case <-found.dead:
	case <-ctx.Done():
	}
	return nil
}
