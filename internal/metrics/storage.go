package metrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/internal/store"
)

// load reads what the last process left to do: rows that are not rolled up, and
// the windows that were open when it ended.
func (a *Aggregator) load(ctx context.Context) error {
	lastID, open, err := a.o.Store.MetricsState(ctx)
	if err != nil {
		return err
	}
	a.nextID, a.written = lastID+1, lastID
	for _, l := range a.levels {
		l.complete = math.MaxInt64 // until the memory is filled
	}
	if err := a.loadOpen(ctx); err != nil {
		return err
	}
	return a.adopt(ctx, open)
}

// loadOpen reads the rows that are not rolled up.
func (a *Aggregator) loadOpen(ctx context.Context) error {
	for _, l := range a.levels[:len(a.levels)-1] {
		open := series{}
		q := store.MetricQuery{Step: l.step, From: math.MinInt64, To: math.MaxInt64, NotRolled: true}
		err := a.o.Store.Metrics(ctx, q, func(r store.MetricRow) error {
			open.add(Key{r.Function, r.Version}, &row{id: r.ID, at: r.At, data: r.Data})
			return nil
		})
		if err != nil {
			return err
		}
		a.mu.Lock()
		l.open = open
		a.mu.Unlock()
	}
	return nil
}

// adopt stores the windows that were open as rows.
func (a *Aggregator) adopt(ctx context.Context, open []byte) error {
	if len(open) == 0 {
		return nil
	}
	var rows []store.MetricRow
	for d := (decoder{b: open}); len(d.b) > 0; {
		second, k := d.int(), Key{d.text(), int(d.int())}
		data := slices.Clone(d.take(d.int()))
		if d.bad {
			return fmt.Errorf("the windows that were open: %w", errWindow)
		}
		rows = append(rows, a.add(k, second, data))
	}
	if err := a.o.Store.AddMetrics(ctx, rows, []byte{}); err != nil {
		return err
	}
	a.written = a.nextID - 1
	return nil
}

// openWindows encodes the windows that aren't closed, for adopt. It reports
// whether there are calls in them.
func (a *Aggregator) openWindows() (open []byte, some bool) {
	e := encoder{b: []byte{}}
	put := func(second int64, k Key, w *window) {
		data := w.encode()
		e.ints(second)
		e.text(k.Function)
		e.ints(int64(k.Version), int64(len(data)))
		e.b = append(e.b, data...)
	}
	a.eachOpen(func(second int64, ws map[Key]*window) {
		whole := &window{server: &server{seconds: 1}}
		for k, w := range ws {
			put(second, k, w)
			whole.merge(w)
		}
		put(second, Key{}, whole)
	})
	return e.b, len(e.b) > 0
}

// memory is what is held of each level for answers, and how much of it is read
// at once.
var memory = [...]struct{ span, slice int64 }{{2 * 3600, 600}, {25 * 3600, 3600}, {40 * 24 * 3600, 24 * 3600}}

// fillMemory reads the rows of the recent past. Only the loop calls it, which
// is also the only one that adds rows: what it reads is all there is.
func (a *Aggregator) fillMemory(ctx context.Context) {
	if a.o.Store == nil || !a.flush(ctx) {
		return
	}
	a.jumped = false
	now := a.o.Now().Unix()
	for i, l := range a.levels {
		recent, complete, size := series{}, int64(math.MaxInt64), 0
		for to := now + 1; size < a.o.MaxRecent*3/4 && to > now-min(memory[i].span, l.keep); {
			from := floor(to-memory[i].slice, l.step)
			q := store.MetricQuery{Step: l.step, From: from, To: complete}
			slice := series{}
			err := a.o.Store.Metrics(ctx, q, func(r store.MetricRow) error {
				k := Key{r.Function, r.Version}
				slice[k] = append(slice[k], &row{id: r.ID, at: r.At, data: r.Data})
				size++
				return nil
			})
			if err != nil {
				a.failed(ctx, "metrics could not be read", err)
				return
			}
			for k, rs := range slice {
				recent[k] = append(rs, recent[k]...)
			}
			to, complete = from, from
		}
		a.mu.Lock()
		l.recent, l.complete, l.size = recent, complete, size
		a.mu.Unlock()
	}
}

const (
	// grace is how long after its end a minute or an hour is rolled up: what
	// comes later makes a row of its own.
	grace = 3
	// someRollUps is how many transactions are made before the clock is looked
	// at again, and rollUpRows how many rows one marks, or those of one function
	// if they are more.
	someRollUps = 4
	rollUpRows  = 4000
)

// chunk is what one transaction rolls up.
type chunk struct {
	level int
	store.MetricRange
	keys []Key
	n    int               // rows that it marks
	rows []store.MetricRow // that hold them, one for each key
}

// rollUp makes rows of the next width, in up to so many transactions. All rows
// of the memory must be stored. It reports whether all was done that is due.
func (a *Aggregator) rollUp(ctx context.Context, transactions int) bool {
	for range transactions {
		c, ok := a.due()
		if !ok {
			return true
		}
		err := a.rollUpOne(ctx, c)
		if hearth.ErrorCode(err) == hearth.CodeConflict { // somebody else was at the rows
			err, a.jumped = errors.Join(err, a.loadOpen(ctx)), true
		}
		if err != nil {
			a.failed(ctx, "metrics could not be rolled up", err)
			return false
		}
	}
	return false
}

// due finds the oldest step that is over and has rows that aren't rolled up.
func (a *Aggregator) due() (chunk, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	now := a.o.Now().Unix()
	for i, l := range a.levels[:len(a.levels)-1] {
		width := a.levels[i+1].step
		end := floor(now-grace, width)
		oldest := end
		for _, rs := range l.open {
			oldest = min(oldest, rs[0].at)
		}
		if oldest == end {
			continue
		}
		c := chunk{level: i, MetricRange: store.MetricRange{Step: l.step, From: floor(oldest, width), LastID: a.written}}
		c.To = c.From + width
		for _, k := range slices.SortedFunc(maps.Keys(l.open), compareKeys) {
			n := len(l.open.between(k, c.From, c.To))
			switch {
			case n == 0:
				continue
			case c.n == 0:
				c.First = k.Function
			case c.n+n > rollUpRows && k.Function != c.Last:
				return c, true
			}
			c.Last, c.n, c.keys = k.Function, c.n+n, append(c.keys, k)
		}
		return c, true
	}
	return chunk{}, false
}

func (a *Aggregator) rollUpOne(ctx context.Context, c chunk) error {
	l, next := a.levels[c.level], c.level+1
	for _, k := range c.keys {
		w := &window{}
		for _, r := range l.open.between(k, c.From, c.To) { // the loop is the only one that changes it
			if err := w.mergeBytes(r.data); err != nil {
				a.o.Logger.Error("a row of metrics is left out", "row", r.id, "function", k.Function, "err", err)
			}
		}
		c.rows = append(c.rows, store.MetricRow{
			ID: a.nextID, Step: a.levels[next].step, At: c.From, Function: k.Function, Version: k.Version, Data: w.encode(),
		})
		a.nextID++ // not to be given to another row, whatever comes of this one
	}
	if a.o.Store != nil {
		if err := a.o.Store.RollUpMetrics(ctx, c.MetricRange, c.n, c.rows); err != nil {
			if hearth.ErrorCode(err) != hearth.CodeConflict {
				a.unsure = &c
			}
			return err
		}
	}
	a.rolledUp(c)
	return nil
}

// rolledUp does in memory what was done in the store.
func (a *Aggregator) rolledUp(c chunk) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, k := range c.keys {
		a.levels[c.level].open.cut(k, c.From, c.To, c.LastID)
		a.hold(c.level+1, k, c.rows[i])
	}
	a.written = max(a.written, c.rows[len(c.rows)-1].ID)
}

// makeSure finds out what became of a roll-up that failed: it may have been
// done all the same. It reports whether that is known.
func (a *Aggregator) makeSure(ctx context.Context) bool {
	if a.unsure == nil {
		return true
	}
	last, _, err := a.o.Store.MetricsState(ctx)
	if err != nil {
		a.failed(ctx, "the state of the metrics could not be read", err)
		return false
	}
	if last >= a.unsure.rows[0].ID {
		a.rolledUp(*a.unsure)
	}
	a.unsure = nil
	return true
}

const (
	pruneEvery = time.Minute
	// pruneLate is how much longer than asked rows are kept, so that a question
	// about all that is kept is answered to its beginning.
	pruneLate = 120
	// settled is how long a clock that was set isn't trusted to say what is old:
	// if it was set wrongly, all would be deleted.
	settled = time.Hour
)

func (a *Aggregator) pruneNowAndThen(ctx context.Context) {
	t := time.NewTicker(pruneEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			a.Prune(ctx)
		}
	}
}

// Prune deletes the rows that were kept long enough, as the loop does once a
// minute.
func (a *Aggregator) Prune(ctx context.Context) {
	a.mu.RLock()
	wait := a.o.Elapsed()-a.steady < settled
	a.mu.RUnlock()
	if wait || a.o.Store == nil {
		return
	}
	now := a.o.Now().Unix()
	for i, l := range a.levels {
		top := i == len(a.levels)-1
		if _, err := a.o.Store.PruneMetrics(ctx, l.step, now-l.keep-pruneLate, !top); err != nil && ctx.Err() == nil {
			a.o.Logger.Warn("old metrics not deleted", "err", err)
		}
	}
}
