package metrics_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/metrics"
)

// bench is an aggregator whose clock the test moves.
type bench struct {
	t testing.TB
	*metrics.Aggregator
	*clock
	begin time.Time
}

func newBench(t testing.TB) *bench {
	k := newClock()
	b := &bench{t: t, clock: k, begin: k.Now()}
	a, err := metrics.OpenAggregator(t.Context(), metrics.New(metrics.Options{Now: k.Now}), metrics.AggregatorOptions{Now: k.Now, Elapsed: k.Elapsed})
	if err != nil {
		t.Fatal(err)
	}
	b.Aggregator = a
	return b
}

// pass lets seconds go by.
func (b *bench) pass(n int) {
	for range n {
		b.Advance(time.Second)
		b.Tick()
	}
}

func (b *bench) query(q metrics.Query) *metrics.Result {
	b.t.Helper()
	if q.From.IsZero() {
		q.From = b.begin
	}
	if q.To.IsZero() {
		q.To = b.Now().Add(time.Second)
	}
	r, err := b.Query(b.t.Context(), q)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func all() metrics.Field { return math.MaxUint }

// requests lists what a series counted in each step: -1 is a gap.
func requests(r *metrics.Result, s metrics.Series) []int64 {
	out := make([]int64, len(r.Seconds))
	for i := range out {
		switch {
		case s.Points[i] != nil:
			out[i] = s.Points[i].Requests
		case r.Seconds[i] == 0:
			out[i] = -1
		}
	}
	return out
}

func TestStepsCountWhatHappened(t *testing.T) {
	b := newBench(t)
	for i := range 10 {
		for range i {
			b.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
		}
		b.pass(1)
	}
	b.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond)) // in the second that isn't over
	for step, want := range map[time.Duration]string{
		time.Second:     "[0 1 2 3 4 5 6 7 8 9 1]",
		5 * time.Second: "[10 35 1]",
		time.Minute:     "[46]",
	} {
		for _, functions := range [][]string{nil, {"a"}, {metrics.Every}} {
			r := b.query(metrics.Query{Functions: functions, Step: step})
			if got := fmt.Sprint(requests(r, r.Series[0])); got != want || len(r.Series) != 1 || r.Series[0].Total.Requests != 46 {
				t.Errorf("%v in steps of %s: %s, want %s", functions, step, got, want)
			}
		}
	}
}

func TestGapsAreNoZeros(t *testing.T) {
	b := newBench(t)
	b.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	b.pass(2)
	b.Advance(3 * time.Minute) // held up for so long that nobody was there
	b.Tick()
	b.pass(1)
	r := b.query(metrics.Query{Functions: []string{"a", "never"}, Step: 30 * time.Second})
	if got := fmt.Sprint(requests(r, r.Series[0]), requests(r, r.Series[1])); got != "[1 -1 -1 -1 -1 -1 0] [0 -1 -1 -1 -1 -1 0]" {
		t.Errorf("got %s", got)
	}
}

func TestSecondsOfAStallWereThere(t *testing.T) {
	b := newBench(t)
	b.Advance(5 * time.Second)
	b.Tick()
	r := b.query(metrics.Query{Step: time.Second})
	if got := fmt.Sprint(r.Seconds); got != "[1 1 1 1 1 1]" {
		t.Errorf("there in %s", got)
	}
}

func TestClockThatIsSetBack(t *testing.T) {
	b := newBench(t)
	one := func() { b.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond)) }
	for range 4 {
		one()
		b.pass(1)
	}
	b.set(-3 * time.Second)
	for range 2 {
		b.Tick()
		one()
		b.pass(1)
	}
	r := b.query(metrics.Query{Functions: []string{"a"}, Step: time.Second, To: b.begin.Add(5 * time.Second)})
	if got := fmt.Sprint(requests(r, r.Series[0])); got != "[1 2 2 1 0]" {
		t.Errorf("got %s", got)
	}
	if r.Series[0].Total.Requests != 6 {
		t.Errorf("together %d", r.Series[0].Total.Requests)
	}
}

func TestOnlyNamedOutcomesCount(t *testing.T) {
	b := newBench(t)
	for i, o := range metrics.Outcomes() {
		for range i + 1 {
			b.Observe(call("a", o, hearth.StartWarm, time.Duration(i+1)*time.Second))
		}
	}
	r := b.query(metrics.Query{Functions: []string{"a"}, Outcomes: []hearth.Outcome{"timeout", "out_of_memory"}, Fields: all()})
	s := r.Series[0].Total
	if d := cmp.Diff(map[hearth.Outcome]int64{"timeout": 3, "out_of_memory": 4}, s.Outcomes()); d != "" || s.Requests != 7 || s.Errors != 7 {
		t.Errorf("total %+v", s)
	}
	near(t, "p50", s.Duration.P50, 4)
	if s.Duration.Max != 4 || s.Duration.Mean != 25./7 {
		t.Errorf("durations %+v", s.Duration)
	}
	if n := b.query(metrics.Query{Functions: []string{"a"}}).Series[0].Total; n.Requests != 36 || n.Errors != 2+3+4+5+8 || n.Throttled != 6 {
		t.Errorf("without a filter: %+v", n)
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 0.01*math.Abs(want)*(1+1e-9) {
		t.Errorf("%s is %g, want %g within 1 %%", what, got, want)
	}
}

// at is the value at a rank of a list, as the quantiles define it.
func at(values []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return s[int(q*float64(len(s)-1))]
}

func TestQuantilesAreThoseOfAllCalls(t *testing.T) {
	b := newBench(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	var durations, queues, colds, memories []float64
	for range 3000 {
		d := time.Duration(math.Exp(rnd.NormFloat64()*2) * float64(10*time.Millisecond))
		i := call([]string{"a", "b"}[rnd.IntN(2)], hearth.OutcomeOK, hearth.StartWarm, d)
		i.Version = 1 + rnd.IntN(3)
		if rnd.IntN(3) == 0 {
			i.Start = hearth.StartForked
			i.Phases.Sandbox, i.Phases.Load, i.Phases.Import = hearth.Duration(d/8), hearth.Duration(d/8), hearth.Duration(d/4)
			colds = append(colds, (i.Phases.Sandbox + i.Phases.Load + i.Phases.Import).Std().Seconds())
		}
		i.Phases.Queue = hearth.Duration(d / 10)
		i.Usage = &hearth.Usage{CPU: hearth.Duration(d / 2), MemoryPeak: int64(1e6 + rnd.Float64()*1e8)}
		durations, queues = append(durations, d.Seconds()), append(queues, (d/10).Seconds())
		memories = append(memories, float64(i.Usage.MemoryPeak))
		b.Observe(i)
		if rnd.IntN(40) == 0 {
			b.pass(1)
		}
	}
	r := b.query(metrics.Query{Fields: all(), Step: 10 * time.Second})
	total := r.Series[0].Total
	for name, c := range map[string]struct {
		got metrics.Values
		raw []float64
	}{"duration": {total.Duration, durations}, "queue": {total.Queue, queues}, "start": {total.Start, colds}, "memory": {total.Memory, memories}} {
		for q, got := range map[float64]float64{.5: c.got.P50, .9: c.got.P90, .95: c.got.P95, .99: c.got.P99} {
			near(t, fmt.Sprintf("%s at %g", name, q), got, at(c.raw, q))
		}
		if c.got.N != int64(len(c.raw)) {
			t.Errorf("%s of %d, want %d", name, c.got.N, len(c.raw))
		}
	}
	if total.Duration.Max != slices.Max(durations) || float64(total.MemoryMax) != slices.Max(memories) {
		t.Errorf("the largest are %g and %d", total.Duration.Max, total.MemoryMax)
	}
	var n int64
	for _, s := range b.query(metrics.Query{Functions: []string{"a", "b"}, ByVersion: true}).Series {
		n += s.Total.Requests
	}
	if n != 3000 {
		t.Errorf("the versions have %d together", n)
	}
}

func TestSandboxesAreMeans(t *testing.T) {
	b := newBench(t)
	busy := 0
	hits := int64(0)
	b.Watch(metrics.Sources{
		Sandboxes: func() []metrics.SandboxCount {
			return []metrics.SandboxCount{
				{Key: metrics.Key{Function: "a", Version: 1}, State: "busy", Count: busy}, {State: "stem", Count: 2},
				{Key: metrics.Key{Function: "a", Version: 2}, State: "idle", Count: 1},
			}
		},
		Pools: func() []metrics.PoolState {
			return []metrics.PoolState{{PoolKey: metrics.PoolKey{Driver: "native", Runtime: "python3.11", Network: "none"}, Ready: busy, Target: 2, Hits: hits, Misses: 1}}
		},
	})
	for range 10 {
		b.pass(1)
		busy, hits = 4-busy, hits+3
	}
	to := b.begin.Add(10 * time.Second)
	r := b.query(metrics.Query{Functions: []string{"a"}, Fields: all(), Step: 10 * time.Second, To: to})
	if d := cmp.Diff(map[string][]float64{"busy": {2}, "idle": {1}}, r.Series[0].Sandboxes); d != "" {
		t.Errorf("of the function (-want +got):\n%s", d)
	}
	if p := r.Pools[0].Points[0]; p.Ready != 2 || p.Target != 2 || p.Hits != 27 || p.Misses != 1 {
		t.Errorf("the pool is %+v", p)
	}
	r = b.query(metrics.Query{Fields: all(), Step: 10 * time.Second, To: to})
	if d := cmp.Diff(map[string][]float64{"busy": {2}, "idle": {1}, "stem": {2}}, r.Series[0].Sandboxes); d != "" {
		t.Errorf("of the server (-want +got):\n%s", d)
	}
}

func TestNothingIsLostUnderLoad(t *testing.T) {
	b := newBench(t)
	const workers, calls = 8, 5000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range calls {
				b.Observe(call(fmt.Sprintf("f%d", i%3), hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
				if i%1000 == 0 {
					if w == 0 {
						b.pass(1)
					}
					b.Forget(fmt.Sprintf("other%d", w))
					if _, err := b.Query(t.Context(), metrics.Query{From: b.begin, To: b.begin.Add(time.Hour)}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, functions := range [][]string{nil, {"f0", "f1", "f2"}} {
		var n int64
		for _, s := range b.query(metrics.Query{Functions: functions}).Series {
			n += s.Total.Requests
		}
		if n != workers*calls {
			t.Errorf("%d were counted of %v, want %d", n, functions, workers*calls)
		}
	}
}
