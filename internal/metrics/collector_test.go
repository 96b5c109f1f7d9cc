package metrics_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hearth"
	"hearth/internal/metrics"
)

// clock is a time that the test moves.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	elapsed time.Duration // on a clock that isn't set
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
	c.elapsed += d
}

// set moves the clock without any time going by.
func (c *clock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
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
			return []metrics.SandboxCount{
				{Driver: "native", State: "idle", Count: 2}, {Driver: "native", State: "busy", Count: 1}, {Driver: "native", State: "idle", Count: 3},
			}
		},
		Pools: func() []metrics.PoolState {
			return []metrics.PoolState{{PoolKey: metrics.PoolKey{Driver: "native", Runtime: "python3.11", Network: "none"}, Ready: 1, Target: 2, Hits: 3, Misses: 4}}
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
		c.Functions() // else the order in which they are known is left to chance
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
	c.Observe(call("more", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	c.Forget(metrics.Other) // no function; must not make room for another
	c.Observe(call("less", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
	if got := fmt.Sprint(c.Functions()); got != "[new]" {
		t.Errorf("functions are %s", got)
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

func TestPrometheusTellsWhatCallsUse(t *testing.T) {
	c := metrics.New(metrics.Options{MaxFunctions: 2})
	alone := call("a", hearth.OutcomeOK, hearth.StartWarm, time.Second)
	alone.Usage = &hearth.Usage{CPU: hearth.Duration(250 * time.Millisecond), MemoryPeak: 20 << 20}
	alone.Phases.Queue, alone.RequestBytes, alone.ReplyBytes = hearth.Duration(50*time.Millisecond), 10, 20
	together := call("a", hearth.OutcomeOK, hearth.StartWarm, time.Second) // its sandbox's usage isn't its own
	together.RequestBytes = 5
	c.Observe(alone)
	c.Observe(together)
	c.Watch(metrics.Sources{Load: func() metrics.Load { return metrics.Load{Running: 3, Waiting: 2, MemoryMiB: 256, Evicted: 7} }})
	const want = `
# HELP hearth_calls Calls in the server, by state.
# TYPE hearth_calls gauge
hearth_calls{state="running"} 3
hearth_calls{state="waiting"} 2
# HELP hearth_invocation_cpu_seconds_total CPU time of invocations, or of the sandbox where several run in one.
# TYPE hearth_invocation_cpu_seconds_total counter
hearth_invocation_cpu_seconds_total{function="a"} 0.25
# HELP hearth_invocation_reply_bytes_total Bytes of the bodies of replies.
# TYPE hearth_invocation_reply_bytes_total counter
hearth_invocation_reply_bytes_total{function="a"} 20
# HELP hearth_invocation_request_bytes_total Bytes of the bodies of requests.
# TYPE hearth_invocation_request_bytes_total counter
hearth_invocation_request_bytes_total{function="a"} 15
# HELP hearth_invocation_queue_seconds Time that invocations waited for a place.
# TYPE hearth_invocation_queue_seconds histogram
hearth_invocation_queue_seconds_bucket{function="a",le="0.001"} 1
hearth_invocation_queue_seconds_bucket{function="a",le="0.01"} 1
hearth_invocation_queue_seconds_bucket{function="a",le="0.1"} 2
hearth_invocation_queue_seconds_bucket{function="a",le="1"} 2
hearth_invocation_queue_seconds_bucket{function="a",le="10"} 2
hearth_invocation_queue_seconds_bucket{function="a",le="+Inf"} 2
hearth_invocation_queue_seconds_sum{function="a"} 0.05
hearth_invocation_queue_seconds_count{function="a"} 2
# HELP hearth_sandboxes_evicted_total Sandboxes let go to make room for others.
# TYPE hearth_sandboxes_evicted_total counter
hearth_sandboxes_evicted_total 7
# HELP hearth_sandboxes_memory_limit_bytes Memory limits of the sandboxes that serve a function.
# TYPE hearth_sandboxes_memory_limit_bytes gauge
hearth_sandboxes_memory_limit_bytes 2.68435456e+08
`
	names := []string{
		"hearth_calls", "hearth_invocation_cpu_seconds_total", "hearth_invocation_reply_bytes_total", "hearth_invocation_request_bytes_total",
		"hearth_invocation_queue_seconds", "hearth_sandboxes_evicted_total", "hearth_sandboxes_memory_limit_bytes",
	}
	wantMetrics(t, c, want, names...)
	if n, err := testutil.GatherAndCount(c.Gatherer(), "hearth_invocation_memory_peak_bytes"); err != nil || n != 1 {
		t.Errorf("there are %d series of memory, %v", n, err)
	}
	c.Forget("a")
	for _, name := range names {
		if !strings.HasPrefix(name, "hearth_invocation") {
			continue
		}
		if n, err := testutil.GatherAndCount(c.Gatherer(), name); err != nil || n != 0 {
			t.Errorf("of a forgotten function there are %d series of %s, %v", n, name, err)
		}
	}
}
