package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hearth/internal/service"
	"hearth/internal/store"
)

// Retention is how long windows of each width are kept.
type Retention struct{ BySecond, ByMinute, ByHour time.Duration }

// DefaultRetention is that of a server that is told nothing.
func DefaultRetention() Retention {
	return Retention{BySecond: 2 * time.Hour, ByMinute: 7 * 24 * time.Hour, ByHour: 400 * 24 * time.Hour}
}

// AggregatorOptions are what an Aggregator stands on; zero fields mean the
// default.
type AggregatorOptions struct {
	Store     store.Metrics // nil keeps no more than memory holds
	Retention Retention
	MaxRecent int                  // rows of each width that are held in memory to answer from; 150,000
	Logger    *slog.Logger         // discards
	Now       func() time.Time     // time.Now
	Elapsed   func() time.Duration // on a clock that nobody sets; since the aggregator was made
}

// Aggregator keeps what a Collector counts: each second as a window of each
// function, of which it makes those of minutes and hours. It answers what
// happened at any time that is kept.
//
// A window becomes a row that is never changed, but for the mark that a row of
// the next width holds it too. So what happened at any time is in the rows of
// one width and, besides, in those finer ones without the mark; nothing is in
// two of these, whatever the clock did, and whenever the process ended.
type Aggregator struct {
	*Collector
	o     AggregatorOptions
	loops service.Loops

	mu     sync.RWMutex
	levels [3]*level
	// unwritten are rows that memory has and the store may not have, in the
	// order of their ids; written is the id of the last one that it has.
	unwritten []store.MetricRow
	written   int64

	// Of the loop alone.
	nextID    int64
	last      int64         // the second that was not over at the last tick
	lastRan   time.Duration // Elapsed then
	hits      map[PoolKey][2]int64
	proc      hostClock
	journaled bool // the store has open windows
	failing   bool
	unsure    *chunk        // a roll-up that failed and may have been done
	jumped    bool          // the clock was set since the memory was filled
	steady    time.Duration // Elapsed when the clock was set last
}

// OpenAggregator returns one that keeps what c counts from now on, and knows
// what was kept before. What was counted and not closed when the last process
// was killed is closed now.
func OpenAggregator(ctx context.Context, c *Collector, o AggregatorOptions) (*Aggregator, error) {
	if o.Retention == (Retention{}) {
		o.Retention = DefaultRetention()
	}
	if o.MaxRecent <= 0 {
		o.MaxRecent = 150_000
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
		newLevel(1, int64(o.Retention.BySecond/time.Second)),
		newLevel(60, int64(o.Retention.ByMinute/time.Second)),
		newLevel(3600, int64(o.Retention.ByHour/time.Second)),
	}
	a.last, a.lastRan, a.steady = o.Now().Unix(), o.Elapsed(), -settled
	a.proc.sample() // what comes is the difference to it
	if o.Store == nil {
		return a, nil
	}
	if err := a.load(ctx); err != nil {
		return nil, fmt.Errorf("open the metrics: %w", err)
	}
	return a, nil
}

// Start begins to look at the clock. It keeps the promises of
// [service.Service].
func (a *Aggregator) Start(ctx context.Context) error {
	return a.loops.Run(ctx, a.run, a.pruneNowAndThen)
}

// Stop closes what is open, stores it, and ends the loops.
func (a *Aggregator) Stop() { a.loops.Stop() }

const (
	// late is how long after the beginning of a second the one before is closed:
	// what was observed in its last moment should be in its list by then. What
	// comes later still makes a row of its own.
	late = 2 * time.Millisecond
	// journalEvery is how often the open windows are stored: what a kill costs.
	journalEvery = 250 * time.Millisecond
)

func (a *Aggregator) run(ctx context.Context) {
	a.fillMemory(ctx)
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		now := a.o.Now()
		t.Reset(now.Truncate(journalEvery).Add(journalEvery + late).Sub(now))
		select {
		case <-ctx.Done():
			a.tick(true)
			a.flush(context.WithoutCancel(ctx))
			return
		case <-a.full:
			a.fold()
		case <-t.C:
			a.Beat(ctx)
		}
	}
}

// Beat does what is due by now: it closes seconds, stores what is new and rolls
// up. The loop calls it; who hasn't started the loop, because the time is the
// caller's own, calls it instead, from one goroutine.
func (a *Aggregator) Beat(ctx context.Context) {
	if a.o.Now().Unix() != a.last {
		a.tick(false)
	}
	if a.jumped {
		a.fillMemory(ctx)
	}
	if a.flush(ctx) {
		a.rollUp(ctx, someRollUps)
	}
}

// maxStall is how many seconds the server may be held up and still be taken to
// have been there. What is longer is a gap: it wasn't there for anybody.
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
		sample = sample.again()
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
	switch drift := time.Duration(n)*time.Second - took; {
	case drift > 2*time.Second || drift < -2*time.Second || n < 0:
		a.jumped, a.steady = true, ran
		return []int64{first}
	case n > maxStall:
		return []int64{first}
	}
	var out []int64
	for s := first; s < now; s++ {
		out = append(out, s)
	}
	return out
}

// close makes the rows of a second. mu is held.
func (a *Aggregator) close(second int64, ws map[Key]*window) {
	whole := ws[Key{}]
	if whole == nil {
		whole = &window{}
	}
	delete(ws, Key{})
	for k, w := range ws {
		whole.merge(w)
		a.unwritten = append(a.unwritten, a.add(k, second, w.encode()))
	}
	a.unwritten = append(a.unwritten, a.add(Key{}, second, whole.encode()))
}

// add makes a row of the finest level. mu is held.
func (a *Aggregator) add(k Key, at int64, w []byte) store.MetricRow {
	r := store.MetricRow{ID: a.nextID, Step: a.levels[0].step, At: at, Function: k.Function, Version: k.Version, Data: w}
	a.nextID++
	a.hold(0, k, r)
	return r
}

// hold takes a row into memory. mu is held.
func (a *Aggregator) hold(l int, k Key, r store.MetricRow) {
	a.levels[l].add(k, &row{id: r.ID, at: r.At, data: r.Data}, l == len(a.levels)-1)
}

// trim drops from memory what is too old or too much. mu is held.
func (a *Aggregator) trim(now int64) {
	for _, l := range a.levels {
		if old := now - l.keep; old-l.complete > l.keep/20 { // seldom: it looks at all of them
			l.forget(old)
		}
		for l.size > a.o.MaxRecent && l.complete <= now {
			l.forget(l.middle())
		}
	}
}

// maxUnwritten bounds the rows that wait for a store that fails.
const maxUnwritten = 200_000

// flush stores the new rows and the open windows, and reports whether the store
// has all rows then. What fails is tried again.
func (a *Aggregator) flush(ctx context.Context) bool {
	a.mu.RLock()
	rows := a.unwritten
	a.mu.RUnlock()
	open, some := a.openWindows()
	if a.o.Store == nil {
		a.wrote(rows)
		return true
	}
	if !a.makeSure(ctx) {
		return false
	}
	if len(rows) == 0 && !some && !a.journaled {
		return true
	}
	if err := a.o.Store.AddMetrics(ctx, rows, open); err != nil {
		a.failed(ctx, "metrics could not be stored", err)
		return false
	}
	a.journaled, a.failing = some, false
	a.wrote(rows)
	return true
}

// wrote notes that rows are stored.
func (a *Aggregator) wrote(rows []store.MetricRow) {
	if len(rows) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written = max(a.written, rows[len(rows)-1].ID)
	a.unwritten = append([]store.MetricRow(nil), a.unwritten[len(rows):]...)
}

// failed reports a failure, the first of a series, and gives up the oldest rows
// if there are too many.
func (a *Aggregator) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil && !a.failing {
		a.o.Logger.Error(what, "err", err)
	}
	a.failing = true
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.unwritten) - maxUnwritten
	if n <= 0 {
		return
	}
	n += maxUnwritten / 10
	for _, r := range a.unwritten[:n] {
		a.levels[0].drop(Key{r.Function, r.Version}, r.ID, r.At)
	}
	a.o.Logger.Error("metrics were lost: the store has failed for too long", "rows", n)
	a.unwritten = append([]store.MetricRow(nil), a.unwritten[n:]...)
}

// visit calls fn with the windows that p needs, each once.
func (a *Aggregator) visit(ctx context.Context, p *plan, now time.Time, fn func(Key, ...*row)) error {
	l := a.levels[p.level]
	a.mu.RLock()
	give := func(s series, from int64) {
		for k := range s {
			if !p.wants(k) {
				continue
			}
			if rs := s.between(k, from, p.to); len(rs) > 0 {
				fn(k, rs...)
			}
		}
	}
	give(l.recent, max(p.from, l.complete))
	for _, finer := range a.levels[:p.level] {
		give(finer.open, p.from)
	}
	for _, r := range a.unwritten { // too old for memory, too new for the store
		if k := (Key{r.Function, r.Version}); r.Step == l.step && r.At < l.complete && r.At >= p.from && r.At < p.to && p.wants(k) {
			fn(k, &row{at: r.At, data: r.Data})
		}
	}
	a.current(p, now.Unix(), fn)
	// Rows that are stored from here on hold what fn has seen already.
	lastID, end := a.written, min(p.to, l.complete)
	a.mu.RUnlock()
	if a.o.Store == nil || p.from >= end || lastID == 0 {
		return nil
	}
	q := store.MetricQuery{Step: l.step, From: p.from, To: end, LastID: lastID, Functions: p.stored()}
	return a.o.Store.Metrics(ctx, q, func(r store.MetricRow) error {
		if k := (Key{r.Function, r.Version}); p.wants(k) {
			fn(k, &row{at: r.At, data: r.Data})
		}
		return nil
	})
}

// stored names the functions whose rows are to be read, nil for all.
func (p *plan) stored() []string {
	if len(p.Functions) > 0 && p.Functions[0] == Every {
		return nil
	}
	return append([]string{""}, p.Functions...)
}

// current calls fn with the windows that are still open.
func (a *Aggregator) current(p *plan, now int64, fn func(Key, ...*row)) {
	give := func(k Key, second int64, w *window) {
		if second >= p.from && second < p.to && p.wants(k) {
			fn(k, &row{at: second, data: w.encode()})
		}
	}
	give(Key{}, now, &window{server: &server{seconds: 1}})
	a.eachOpen(func(second int64, ws map[Key]*window) {
		whole := &window{}
		for k, w := range ws {
			give(k, second, w)
			whole.merge(w)
		}
		give(Key{}, second, whole)
	})
}

// eachOpen folds, and calls fn with the windows of each second that isn't
// closed. fn must not keep them.
func (c *Collector) eachOpen(fn func(second int64, ws map[Key]*window)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foldLocked()
	for second, ws := range c.windows {
		fn(second, ws)
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
