package metrics_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hearth"
	"hearth/internal/metrics"
)

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func call(function string, outcome hearth.Outcome, start hearth.Start, d time.Duration) *hearth.Invocation {
	return &hearth.Invocation{Function: function, Outcome: outcome, Start: start, Duration: hearth.Duration(d)}
}

func wantMetrics(t *testing.T, c *metrics.Collector, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(c.Gatherer(), strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestPrometheusCounts(t *testing.T) {
	c := metrics.New(metrics.Options{})
	for range 3 {
		c.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	}
	c.Observe(call("a", hearth.OutcomeTimeout, hearth.StartPrewarmed, time.Second))
	c.Observe(call("b", hearth.OutcomeThrottled, "", 0))
	wantMetrics(t, c, `
# HELP hearth_invocations_total Invocations that ended, by how.
# TYPE hearth_invocations_total counter
hearth_invocations_total{function="a",outcome="ok"} 3
hearth_invocations_total{function="a",outcome="timeout"} 1
hearth_invocations_total{function="b",outcome="throttled"} 1
# HELP hearth_cold_starts_total Invocations that were the first of their sandbox, by how it came to be.
# TYPE hearth_cold_starts_total counter
hearth_cold_starts_total{function="a",start="prewarmed"} 1
`, "hearth_invocations_total", "hearth_cold_starts_total")
	if n := durations(t, c, "a"); n != 4 {
		t.Errorf("a has %d durations, want 4", n)
	}
	if n := durations(t, c, "b"); n != 0 {
		t.Errorf("b has %d durations, but was only throttled", n)
	}
}

// durations returns how many durations of a function are in its histogram.
func durations(t *testing.T, c *metrics.Collector, function string) uint64 {
	t.Helper()
	families, err := c.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "hearth_invocation_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == function {
				if len(m.GetHistogram().GetBucket()) == 0 || m.GetHistogram().GetSchema() == 0 {
					t.Error("the histogram isn't both classic and native")
				}
				return m.GetHistogram().GetSampleCount()
			}
		}
	}
	return 0
}

func TestSourcesAreAskedAtEachScrape(t *testing.T) {
	c := metrics.New(metrics.Options{Version: "1.2.3"})
	dropped := int64(0)
	c.Watch(metrics.Sources{
		Sandboxes: func() []metrics.SandboxCount {
			return []metrics.SandboxCount{{"native", "idle", 2}, {"native", "busy", 1}, {"native", "idle", 3}}
		},
		Pools: func() []metrics.PoolState {
			return []metrics.PoolState{{Driver: "native", Runtime: "python3.11", Network: "none", Ready: 1, Target: 2, Hits: 3, Misses: 4}}
		},
		Dropped: func() int64 { dropped++; return dropped },
	})
	for scrape := 1; scrape <= 2; scrape++ {
		wantMetrics(t, c, fmt.Sprintf(`
# HELP hearth_sandboxes Sandboxes that live, by state.
# TYPE hearth_sandboxes gauge
hearth_sandboxes{driver="native",state="busy"} 1
hearth_sandboxes{driver="native",state="idle"} 5
# HELP hearth_pool_ready Prewarmed sandboxes that wait.
# TYPE hearth_pool_ready gauge
hearth_pool_ready{driver="native",network="none",runtime="python3.11"} 1
# HELP hearth_pool_misses_total Cold starts that found none.
# TYPE hearth_pool_misses_total counter
hearth_pool_misses_total{driver="native",network="none",runtime="python3.11"} 4
# HELP hearth_telemetry_dropped_total Records of invocations and log lines that were given up.
# TYPE hearth_telemetry_dropped_total counter
hearth_telemetry_dropped_total %d
`, scrape), "hearth_sandboxes", "hearth_pool_ready", "hearth_pool_misses_total", "hearth_telemetry_dropped_total")
	}
	problems, err := testutil.GatherAndLint(c.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	c.Watch(metrics.Sources{})
	wantMetrics(t, c, "", "hearth_sandboxes", "hearth_pool_ready")
}

func TestBuildAndProcessAreShown(t *testing.T) {
	c := metrics.New(metrics.Options{Version: "1.2.3"})
	for _, name := range []string{"hearth_build_info", "go_goroutines"} {
		if n, err := testutil.GatherAndCount(c.Gatherer(), name); err != nil || n != 1 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func TestManyFunctionsShareALabel(t *testing.T) {
	c := metrics.New(metrics.Options{MaxFunctions: 2})
	for i := range 100 {
		c.Observe(call(fmt.Sprintf("f%d", i), hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	}
	c.Observe(call("f1", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	wantMetrics(t, c, `
# HELP hearth_invocations_total Invocations that ended, by how.
# TYPE hearth_invocations_total counter
hearth_invocations_total{function="_other",outcome="ok"} 98
hearth_invocations_total{function="f0",outcome="ok"} 1
hearth_invocations_total{function="f1",outcome="ok"} 2
`, "hearth_invocations_total")
	if got := fmt.Sprint(c.Functions()); got != "[f0 f1]" {
		t.Errorf("functions are %s", got)
	}
	if s := c.Summary("", time.Minute); s.Count != 101 {
		t.Errorf("all together have %d", s.Count)
	}
}

func TestForgottenFunctionsMakeRoom(t *testing.T) {
	c := metrics.New(metrics.Options{MaxFunctions: 1})
	c.Observe(call("old", hearth.OutcomeOK, hearth.StartForked, time.Millisecond))
	c.Forget("old")
	c.Forget("old")
	c.Forget("never")
	c.Observe(call("new", hearth.OutcomeOK, hearth.StartForked, time.Millisecond))
	if got := fmt.Sprint(c.Functions()); got != "[new]" {
		t.Errorf("functions are %s", got)
	}
	wantMetrics(t, c, `
# HELP hearth_cold_starts_total Invocations that were the first of their sandbox, by how it came to be.
# TYPE hearth_cold_starts_total counter
hearth_cold_starts_total{function="new",start="forked"} 1
`, "hearth_cold_starts_total")
	if s := c.Summary("old", time.Minute); s.Count != 0 {
		t.Errorf("it is still summed up: %+v", s)
	}
	c.Observe(call("more", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	c.Forget(metrics.Other) // no function; must not make room for another
	c.Observe(call("less", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	if got := fmt.Sprint(c.Functions()); got != "[new]" {
		t.Errorf("functions are %s", got)
	}
}

func TestSummaryCounts(t *testing.T) {
	k := newClock()
	c := metrics.New(metrics.Options{Now: k.Now})
	k.Advance(time.Hour)
	for range 6 {
		c.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, 10*time.Millisecond))
	}
	c.Observe(call("a", hearth.OutcomeError, hearth.StartSpawned, 20*time.Millisecond))
	c.Observe(call("a", hearth.OutcomePlatform, "", time.Millisecond))
	c.Observe(call("a", hearth.OutcomeThrottled, "", time.Hour))
	c.Observe(call("a", hearth.OutcomeCancelled, hearth.StartWarm, 10*time.Millisecond))
	c.Observe(call("b", hearth.OutcomeOK, hearth.StartWarm, time.Second))
	s := c.Summary("a", 10*time.Second)
	want := metrics.Summary{
		Function: "a", Window: hearth.Duration(10 * time.Second), Count: 10, Rate: 1, Errors: 2, ErrorRate: .2, Throttled: 1, ColdStarts: 1,
		Outcomes: map[hearth.Outcome]int64{"ok": 6, "function_error": 1, "platform_error": 1, "throttled": 1, "cancelled": 1},
		Starts:   map[hearth.Start]int64{"warm": 7, "spawned": 1},
		P50:      s.P50, P95: s.P95, P99: s.P99, Max: hearth.Duration(20 * time.Millisecond),
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	near(t, "p50", s.P50, 10*time.Millisecond)
	if all := c.Summary("", 10*time.Second); all.Count != 11 || all.Max != hearth.Duration(time.Second) {
		t.Errorf("all: %+v", all)
	}
	if none := c.Summary("z", time.Minute); none.Count != 0 || none.P99 != 0 || none.Rate != 0 {
		t.Errorf("of nobody: %+v", none)
	}
}

func near(t *testing.T, what string, got hearth.Duration, want time.Duration) {
	t.Helper()
	if math.Abs(float64(got)-float64(want)) > 0.011*float64(want) {
		t.Errorf("%s is %s, want %s within 1 %%", what, got, want)
	}
}

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	k := newClock()
	c := metrics.New(metrics.Options{Now: k.Now})
	// 1 ms to 3 s, spread over fifty seconds and two functions.
	for i := 1; i <= 3000; i++ {
		c.Observe(call([]string{"a", "b"}[i%2], hearth.OutcomeOK, hearth.StartWarm, time.Duration(i)*time.Millisecond))
		if i%60 == 0 {
			k.Advance(time.Second)
		}
	}
	s := c.Summary("", time.Minute)
	near(t, "p50", s.P50, 1500*time.Millisecond)
	near(t, "p95", s.P95, 2850*time.Millisecond)
	near(t, "p99", s.P99, 2970*time.Millisecond)
	if s.Max != hearth.Duration(3*time.Second) {
		t.Errorf("max is %s", s.Max)
	}
}

func TestWindowsForget(t *testing.T) {
	k := newClock()
	c := metrics.New(metrics.Options{Now: k.Now})
	k.Advance(2 * time.Hour)
	// One call a second for two hours.
	for range 7200 {
		c.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
		k.Advance(time.Second)
	}
	for window, slack := range map[time.Duration]int64{
		10 * time.Second: 1, time.Minute: 1, 2 * time.Minute: 10, 5 * time.Minute: 10, 20 * time.Minute: 60, time.Hour: 60, 5 * time.Hour: 60,
	} {
		want := int64(min(window, time.Hour) / time.Second)
		s := c.Summary("a", window)
		if s.Count < want || s.Count > want+slack {
			t.Errorf("the last %s have %d, want %d", window, s.Count, want)
		}
		if s.Rate != 1 {
			t.Errorf("the last %s have %f a second", window, s.Rate)
		}
	}
	k.Advance(59 * time.Second)
	if n := c.Summary("a", 30*time.Second).Count; n != 0 {
		t.Errorf("after half a minute of silence: %d", n)
	}
	k.Advance(3 * time.Hour)
	if n := c.Summary("a", time.Hour).Count; n != 0 {
		t.Errorf("after three hours of silence: %d", n)
	}
}

func TestRateOfAYoungServer(t *testing.T) {
	k := newClock()
	c := metrics.New(metrics.Options{Now: k.Now})
	for range 10 {
		c.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
		k.Advance(time.Second)
	}
	if s := c.Summary("a", time.Hour); s.Rate != 1 || s.Window != hearth.Duration(10*time.Second) {
		t.Errorf("rate is %f over %s", s.Rate, s.Window)
	}
}

func TestNothingIsLostUnderLoad(t *testing.T) {
	c := metrics.New(metrics.Options{})
	var wg sync.WaitGroup
	const workers, calls = 8, 500
	for w := range workers {
		wg.Go(func() {
			for i := range calls {
				c.Observe(call(fmt.Sprintf("f%d", i%3), hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
				if i%100 == 0 {
					c.Summary("", time.Minute)
					c.Forget(fmt.Sprintf("other%d", w))
				}
			}
		})
	}
	wg.Wait()
	if n := c.Summary("", time.Hour).Count; n != workers*calls {
		t.Errorf("%d were counted, want %d", n, workers*calls)
	}
}

func BenchmarkObserve(b *testing.B) {
	c := metrics.New(metrics.Options{})
	inv := call("a", hearth.OutcomeOK, hearth.StartWarm, 1500*time.Microsecond)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Observe(inv)
		}
	})
}
