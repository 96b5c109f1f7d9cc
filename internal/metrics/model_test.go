package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/metrics"
	"hearth/internal/store"
	"hearth/internal/store/sqlite"
)

// flaky is a store that fails now and then: before it writes, or after.
type flaky struct {
	*sqlite.DB
	next func() int // 0 works, 1 fails, 2 works and says that it failed
	done func()     // called when rows and open windows were stored
}

var errFlaky = errors.New("the disk is on fire")

func (f flaky) do(write func() error) error {
	n := f.next()
	if n == 1 {
		return errFlaky
	}
	if err := write(); err != nil || n == 0 {
		return err
	}
	return errFlaky
}

func (f flaky) AddMetrics(ctx context.Context, rows []store.MetricRow, open []byte) error {
	return f.do(func() error {
		err := f.DB.AddMetrics(ctx, rows, open)
		if err == nil {
			f.done()
		}
		return err
	})
}

func (f flaky) RollUpMetrics(ctx context.Context, r store.MetricRange, n int, rows []store.MetricRow) error {
	return f.do(func() error { return f.DB.RollUpMetrics(ctx, r, n, rows) })
}

// model is a server whose calls the test remembers one by one.
type model struct {
	t     *rapid.T
	ctx   context.Context
	path  string
	clock *clock
	db    *sqlite.DB
	a     *metrics.Aggregator
	calls []remembered
	fails bool
}

type remembered struct {
	second int64
	inv    hearth.Invocation
	stored bool // it would survive a kill
}

func (m *model) open() {
	db, err := sqlite.Open(m.ctx, m.path, sqlite.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.db = db
	a, err := metrics.OpenAggregator(m.ctx, metrics.New(metrics.Options{Now: m.clock.Now}), metrics.AggregatorOptions{
		Store: flaky{db, m.fate, m.survive}, Now: m.clock.Now, Elapsed: m.clock.Elapsed, MaxRecent: rapid.SampledFrom([]int{10, 100, 100_000}).Draw(m.t, "memory"),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.a = a
	if rapid.Bool().Draw(m.t, "filled") {
		a.FillMemory(m.ctx)
	}
}

func (m *model) fate() int {
	if !m.fails {
		return 0
	}
	return rapid.IntRange(0, 2).Draw(m.t, "fate")
}

func (m *model) close() {
	if err := m.db.Close(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) survive() {
	for i := range m.calls {
		m.calls[i].stored = true
	}
}

func (m *model) observe() {
	t := m.t
	d := time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "duration"))
	inv := hearth.Invocation{
		Function: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "function"), Version: rapid.IntRange(1, 2).Draw(t, "version"),
		Outcome: rapid.SampledFrom(metrics.Outcomes()).Draw(t, "outcome"), Start: rapid.SampledFrom([]hearth.Start{"", "warm", "prewarmed", "spawned"}).Draw(t, "start"),
		Duration: hearth.Duration(d), Phases: hearth.Phases{Queue: hearth.Duration(d / 7)},
		RequestBytes: rapid.Int64Range(0, 1000).Draw(t, "in"), ReplyBytes: rapid.Int64Range(0, 1000).Draw(t, "out"),
	}
	if rapid.Bool().Draw(t, "measured") {
		inv.Usage = &hearth.Usage{CPU: hearth.Duration(d / 3), MemoryPeak: rapid.Int64Range(0, 1<<30).Draw(t, "memory")}
	}
	for range rapid.IntRange(1, 3).Draw(t, "times") {
		m.a.Observe(&inv)
		m.calls = append(m.calls, remembered{second: m.clock.Now().Unix(), inv: inv})
	}
}

// check asks about any time in any steps, and compares with all calls.
func (m *model) check(t *rapid.T) {
	now := m.clock.Now()
	q := metrics.Query{
		From:   now.Add(-time.Duration(rapid.Int64Range(1, 40*3600).Draw(t, "since")) * time.Second),
		Fields: all(), Functions: rapid.SampledFrom([][]string{nil, {"a"}, {"a", "c"}, {metrics.Every}}).Draw(t, "functions"),
	}
	q.To = q.From.Add(time.Duration(rapid.Int64Range(1, 45*3600).Draw(t, "span")) * time.Second)
	q.Totals = rapid.Bool().Draw(t, "totals")
	q.Step = rapid.SampledFrom([]time.Duration{0, 7 * time.Second, 10 * time.Second, time.Minute, 90 * time.Second, time.Hour, 3 * time.Hour}).Draw(t, "step")
	if !q.Totals && q.Step > 0 && q.To.Sub(q.From)/q.Step > 5000 {
		q.Step = 0
	}
	if len(q.Functions) > 0 && q.Functions[0] != metrics.Every {
		q.ByVersion = rapid.Bool().Draw(t, "by version")
		q.Version = rapid.IntRange(0, 2).Draw(t, "version")
	}
	if rapid.Bool().Draw(t, "some outcomes") {
		q.Outcomes = []hearth.Outcome{hearth.OutcomeOK, hearth.OutcomeTimeout}
	}
	r, err := m.a.Query(m.ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	wants := map[metrics.Key]*wanted{}
	for _, c := range m.calls {
		k, ok := keyOf(q, c.inv)
		if !ok || c.second < r.From || c.second >= r.To {
			continue
		}
		if wants[k] == nil {
			wants[k] = &wanted{steps: map[int64]int64{}, outcomes: map[hearth.Outcome]int64{}}
		}
		wants[k].add(q, r, c)
	}
	for _, s := range r.Series {
		w := wants[s.Key]
		delete(wants, s.Key)
		if w == nil {
			w = &wanted{}
		}
		w.compare(t, q, r, s)
	}
	for k, w := range wants {
		if w.requests > 0 {
			t.Errorf("%v is missing, with %d", k, w.requests)
		}
	}
}

func keyOf(q metrics.Query, inv hearth.Invocation) (k metrics.Key, ok bool) {
	if len(q.Functions) == 0 {
		return k, true
	}
	for _, f := range q.Functions {
		ok = ok || f == inv.Function || f == metrics.Every
	}
	ok = ok && (q.Version == 0 || q.Version == inv.Version)
	k = metrics.Key{Function: inv.Function, Version: q.Version}
	if q.ByVersion {
		k.Version = inv.Version
	}
	return k, ok
}

// wanted is what a series should say.
type wanted struct {
	requests, in, out, memory   int64
	steps                       map[int64]int64
	outcomes                    map[hearth.Outcome]int64
	durations, queues, memories []float64
	cpu                         time.Duration
	longest                     time.Duration
}

func (w *wanted) add(q metrics.Query, r *metrics.Result, c remembered) {
	w.in += c.inv.RequestBytes
	w.out += c.inv.ReplyBytes
	ran := c.inv.Outcome != hearth.OutcomeThrottled
	if ran {
		w.queues = append(w.queues, c.inv.Phases.Queue.Std().Seconds())
	}
	if u := c.inv.Usage; u != nil && ran {
		w.cpu += u.CPU.Std()
		w.memory = max(w.memory, u.MemoryPeak)
		w.memories = append(w.memories, float64(u.MemoryPeak))
	}
	if len(q.Outcomes) > 0 && c.inv.Outcome != hearth.OutcomeOK && c.inv.Outcome != hearth.OutcomeTimeout {
		return
	}
	w.requests++
	w.outcomes[c.inv.Outcome]++
	w.steps[(c.second-r.From)/r.Step]++
	if ran {
		w.durations = append(w.durations, c.inv.Duration.Std().Seconds())
		w.longest = max(w.longest, c.inv.Duration.Std())
	}
}

func (w *wanted) compare(t *rapid.T, q metrics.Query, r *metrics.Result, s metrics.Series) {
	got := s.Total
	if got.Requests != w.requests || fmt.Sprint(got.Outcomes()) != fmt.Sprint(w.outcomes) && w.requests > 0 {
		t.Errorf("%v has %d %v, want %d %v", s.Key, got.Requests, got.Outcomes(), w.requests, w.outcomes)
	}
	if w.requests > 0 && (got.BytesIn != w.in || got.BytesOut != w.out || got.MemoryMax != w.memory || time.Duration(got.Duration.Max*1e9+.5) != w.longest ||
		time.Duration(got.CPU*1e9+.5).Round(time.Microsecond) != w.cpu.Round(time.Microsecond)) {
		t.Errorf("%v is %+v, want %+v", s.Key, got, w)
	}
	for name, c := range map[string]struct {
		got metrics.Values
		raw []float64
	}{"duration": {got.Duration, w.durations}, "queue": {got.Queue, w.queues}, "memory": {got.Memory, w.memories}} {
		if w.requests == 0 || len(c.raw) == 0 {
			continue
		}
		for q, v := range map[float64]float64{.5: c.got.P50, .9: c.got.P90, .95: c.got.P95, .99: c.got.P99} {
			if raw := at(c.raw, q); v < raw*.9899 || v > raw*1.0101 {
				t.Errorf("%s of %v at %g is %g, want %g within 1 %%", name, s.Key, q, v, raw)
			}
		}
	}
	if q.Totals {
		return
	}
	for i, p := range s.Points {
		var n int64
		if p != nil {
			n = p.Requests
		}
		if n != w.steps[int64(i)] {
			t.Errorf("step %d of %v (%d s from %d) has %d, want %d", i, s.Key, r.Step, r.From, n, w.steps[int64(i)])
		}
		if n > 0 && r.Seconds[i] == 0 {
			t.Errorf("step %d is a gap, with %d calls", i, n)
		}
	}
}

// emptyDatabase is a file to copy: making the tables takes longer than all else.
func emptyDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "empty.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever the clock does, whenever the server stops, is killed or can't write,
// and in whatever order windows are rolled up: each call is counted once, at
// its time.
func TestNothingIsCountedTwiceOrLost(t *testing.T) {
	dir := t.TempDir()
	empty := emptyDatabase(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := &model{t: rt, ctx: context.Background(), path: filepath.Join(dir, fmt.Sprintf("%d.db", n)), clock: newClock()}
		defer os.Remove(m.path)
		if err := os.WriteFile(m.path, empty, 0o600); err != nil {
			rt.Fatal(err)
		}
		m.open()
		defer m.close()
		rt.Repeat(map[string]func(*rapid.T){
			"observe": func(*rapid.T) { m.observe() },
			"seconds": func(t *rapid.T) {
				m.clock.Advance(time.Duration(rapid.Int64Range(0, 90_000).Draw(t, "ms")) * time.Millisecond)
			},
			"hours": func(t *rapid.T) {
				m.clock.Advance(time.Duration(rapid.Int64Range(0, 5*3600).Draw(t, "s")) * time.Second)
			},
			"set": func(t *rapid.T) {
				m.clock.set(time.Duration(rapid.Int64Range(-4000, 4000).Draw(t, "s")) * time.Second)
			},
			"tick":    func(*rapid.T) { m.a.Tick() },
			"break":   func(t *rapid.T) { m.fails = rapid.Bool().Draw(t, "broken") },
			"memory":  func(*rapid.T) { m.a.FillMemory(m.ctx) },
			"journal": func(*rapid.T) { m.flush() },
			"roll up": func(t *rapid.T) {
				if m.flush() {
					m.a.RollUp(m.ctx, rapid.IntRange(1, 5).Draw(t, "transactions"))
				}
			},
			"restart": func(*rapid.T) {
				m.fails = false
				if !m.a.End(m.ctx) {
					rt.Fatal("the end was not stored")
				}
				m.survive()
				m.close()
				m.open()
			},
			"kill": func(*rapid.T) {
				m.fails = false
				kept := m.calls[:0]
				for _, c := range m.calls {
					if c.stored {
						kept = append(kept, c)
					}
				}
				m.calls = kept
				m.close()
				m.open()
			},
			"": m.check,
		})
	})
}

func (m *model) flush() bool { return m.a.Flush(m.ctx) }
