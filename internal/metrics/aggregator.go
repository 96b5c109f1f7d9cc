package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"hearth/internal/service"
)

// Retention is how long windows of each width are kept.
type Retention struct{ Seconds, Minutes, Hours time.Duration }

// DefaultRetention is that of a server that is told nothing.
func DefaultRetention() Retention {
	return Retention{Seconds: 2 * time.Hour, Minutes: 7 * 24 * time.Hour, Hours: 400 * 24 * time.Hour}
}

// AggregatorOptions are what an Aggregator stands on; zero fields mean the
// default.
type AggregatorOptions struct {
	Retention Retention
	Logger    *slog.Logger         // discards
	Now       func() time.Time     // time.Now
	Elapsed   func() time.Duration // on a clock that nobody sets; since the aggregator was made
}

// Aggregator keeps what a Collector counts: each second as a window of each
// function, of which it makes those of minutes and hours. It answers what
// happened at any time that is kept.
type Aggregator struct {
	*Collector
	o     AggregatorOptions
	loops service.Loops

	mu     sync.RWMutex
	levels [3]*level
	nextID int64

	// Of the loop alone.
	last    int64         // the second that was not over at the last tick
	lastRan time.Duration // Elapsed then
	hits    map[PoolKey][2]int64
	proc    hostClock
}

// NewAggregator returns one that keeps what c counts from now on.
func NewAggregator(c *Collector, o AggregatorOptions) *Aggregator {
	if o.Retention == (Retention{}) {
		o.Retention = DefaultRetention()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Elapsed == nil {
		began := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(began) }
	}
	a := &Aggregator{Collector: c, o: o, hits: map[PoolKey][2]int64{}, nextID: 1}
	a.levels = [...]*level{
		newLevel(1, int64(o.Retention.Seconds/time.Second)),
		newLevel(60, int64(o.Retention.Minutes/time.Second)),
		newLevel(3600, int64(o.Retention.Hours/time.Second)),
	}
	a.last, a.lastRan = o.Now().Unix(), o.Elapsed()
	a.proc.sample() // what comes is the difference to it
	return a
}

// Start begins to look at the clock. It keeps the promises of
// [service.Service].
func (a *Aggregator) Start(ctx context.Context) error { return a.loops.Run(ctx, a.run) }

// Stop ends that.
func (a *Aggregator) Stop() { a.loops.Stop() }

// late is how long after the beginning of a second the one before is closed:
// what was observed in its last moment should be in its list by then. What
// comes later still makes a row of its own.
const late = 2 * time.Millisecond

func (a *Aggregator) run(ctx context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		now := a.o.Now()
		t.Reset(now.Truncate(time.Second).Add(time.Second + late).Sub(now))
		select {
		case <-ctx.Done():
			a.tick(true)
			return
		case <-a.full:
			a.fold()
		case <-t.C:
			a.tick(false)
		}
	}
}

// maxStall is how long the server may be held up and still be taken to have
// been there. What is longer is a gap: it wasn't there for anybody.
const maxStall = 10

// tick closes the windows of the seconds that are over, all if it is the last
// one.
func (a *Aggregator) tick(end bool) {
	now, ran := a.o.Now().Unix(), a.o.Elapsed()
	sample := a.sample()
	a.mu.Lock()
	defer a.mu.Unlock()
	closed := a.take(now, end)
	passed := a.passed(now, ran)
	if end {
		passed = append(passed, now)
	}
	for _, second := range passed {
		if closed[second] == nil {
			closed[second] = map[Key]*window{}
		}
		whole := &window{server: &server{seconds: 1}}
		sample.into(whole.server)
		sample = a.again(sample)
		closed[second][Key{}] = whole
	}
	for second, ws := range closed {
		a.close(second, ws)
	}
	a.trim(now)
}

// passed returns the seconds that are over since the last tick and in which
// the server was there.
func (a *Aggregator) passed(now int64, ran time.Duration) []int64 {
	first, took := a.last, ran-a.lastRan
	if now == first {
		return nil
	}
	a.last, a.lastRan = now, ran
	n := now - first
	if drift := time.Duration(n)*time.Second - took; n < 0 || drift > 2*time.Second || drift < -2*time.Second || n > maxStall {
		return []int64{first} // the clock was set, or nobody was there in between
	}
	var out []int64
	for s := first; s < now; s++ {
		out = append(out, s)
	}
	return out
}

// close makes the rows of a second.
func (a *Aggregator) close(second int64, ws map[Key]*window) {
	whole := ws[Key{}]
	if whole == nil {
		whole = &window{}
	}
	delete(ws, Key{})
	for k, w := range ws {
		whole.merge(w)
		a.add(0, k, second, w)
	}
	a.add(0, Key{}, second, whole)
}

func (a *Aggregator) add(l int, k Key, at int64, w *window) {
	r := &row{id: a.nextID, at: at, data: w.encode()}
	a.nextID++
	a.levels[l].add(k, r, l == len(a.levels)-1)
}

// maxRecent bounds the rows of a level that are held in memory.
const maxRecent = 150_000

// trim drops from memory what is too old or too much.
func (a *Aggregator) trim(now int64) {
	for _, l := range a.levels {
		l.forget(now - l.keep - l.step)
		for l.size > maxRecent {
			l.forget(l.complete + max(l.step, (now-l.complete)/10))
		}
	}
}

// visit calls fn with the windows that p needs, each once.
func (a *Aggregator) visit(_ context.Context, p *plan, now time.Time, fn func(Key, *row)) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	l := a.levels[p.level]
	visit := func(s series, from int64) {
		for k := range s {
			if !p.wants(k) {
				continue
			}
			for _, r := range s.between(k, from, p.to) {
				fn(k, r)
			}
		}
	}
	visit(l.recent, max(p.from, l.complete))
	for _, finer := range a.levels[:p.level] {
		visit(finer.open, p.from)
	}
	a.current(p, now.Unix(), fn)
	return nil
}

// current calls fn with the windows that are still open.
func (a *Aggregator) current(p *plan, now int64, fn func(Key, *row)) {
	c := a.Collector
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foldLocked()
	give := func(k Key, second int64, w *window) {
		if second >= p.from && second < p.to && p.wants(k) {
			fn(k, &row{at: second, data: w.encode()})
		}
	}
	give(Key{}, now, &window{server: &server{seconds: 1}})
	for second, ws := range c.windows {
		whole := &window{}
		for k, w := range ws {
			give(k, second, w)
			whole.merge(w)
		}
		give(Key{}, second, whole)
	}
}

// take closes and returns the windows of all seconds but the current one; with
// end of that too.
func (c *Collector) take(now int64, end bool) map[int64]map[Key]*window {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foldLocked()
	closed := map[int64]map[Key]*window{}
	for second, ws := range c.windows {
		if second != now || end {
			closed[second] = ws
			delete(c.windows, second)
		}
	}
	return closed
}
