package e2e

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

// sum adds up a list and says how much of it is a gap.
func sum(list []*int64) (n int64, gaps int) {
	for _, v := range list {
		if v == nil {
			gaps++
			continue
		}
		n += *v
	}
	return n, gaps
}

func mustQuery(t *testing.T, c *client.Client, q client.MetricsQuery) rest.MetricData {
	t.Helper()
	m, err := c.QueryMetrics(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func within(t *testing.T, what string, got *float64, want, part float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > part*want {
		t.Errorf("%s is %v, want %g within %g %%", what, deref(got), want, 100*part)
	}
}

func deref(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

// Of a load that is known, the metrics tell exactly what happened, and so do the
// records of the calls, from which the percentiles are computed anew.
func Test13KnownLoad(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir(), "--queue", "0")
	c := s.Client()
	want := mustLoad(t, s)
	m := mustQuery(t, c, client.MetricsQuery{Functions: []string{"*"}})
	if len(m.Series) != len(want) {
		t.Fatalf("there are %d series: %+v", len(m.Series), m.Series)
	}
	var all int64
	for _, series := range m.Series {
		name := series.Function
		var requests, errors int64
		for o, n := range want[name] {
			requests += n
			if o != hearth.OutcomeOK && o != hearth.OutcomeThrottled {
				errors += n
			}
			if got, _ := sum(series.Outcomes[o]); got != n {
				t.Errorf("%s has %d of %s in its steps, want %d", name, got, o, n)
			}
			is, err := client.Collect(func(p client.Page) (rest.List[hearth.Invocation], error) {
				return c.Invocations(t.Context(), client.InvocationsQuery{Function: name, Outcomes: []hearth.Outcome{o}}, p)
			})
			if err != nil || int64(len(is)) != n {
				t.Errorf("%s has %d records of %s (%v), want %d", name, len(is), o, err, n)
			}
		}
		all += requests
		got, _ := sum(series.Requests)
		failed, _ := sum(series.Errors)
		if tot := series.Total; got != requests || failed != errors || tot.Requests != requests || tot.Errors != errors ||
			tot.Throttled != want[name][hearth.OutcomeThrottled] || len(series.Outcomes) != len(want[name]) {
			t.Errorf("%s: %d requests, %d errors in steps, total %+v, want %v", name, got, failed, tot, want[name])
		}
		raw := durations(t, c, name)
		for q, v := range map[float64]*float64{.5: series.Total.P50, .9: series.Total.P90, .95: series.Total.P95, .99: series.Total.P99} {
			within(t, fmt.Sprintf("%s at %g", name, q), v, rank(raw, q), .01)
		}
		within(t, name+" at most", series.Total.Max, rank(raw, 1), 1e-6)
	}
	whole := mustQuery(t, c, client.MetricsQuery{Fields: []string{"requests", "outcomes", "duration", "sandboxes", "host", "pools"}})
	if got := whole.Series[0].Total.Requests; got != all {
		t.Errorf("the whole server has %d requests, want %d", got, all)
	}
	if whole.Host == nil || whole.Host.MemoryTotal == 0 || len(whole.Pools) == 0 {
		t.Errorf("nothing is known of the host and the pools: %+v, %+v", whole.Host, whole.Pools)
	}
	// What is called slow and what failed are different things.
	ok := mustQuery(t, c, client.MetricsQuery{Functions: []string{"frail"}, Outcomes: []hearth.Outcome{hearth.OutcomeTimeout}})
	if tot := ok.Series[0].Total; tot.Requests != 3 || tot.P50 == nil || *tot.P50 < 1.5 {
		t.Errorf("time-outs: %+v", tot)
	}
}

// What a call uses is told as the kernel counts it.
func Test13Usage(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	c := s.Client()
	if _, err := deploySource(c, "worker", loaded, rest.DeployConfig{Limits: hearth.Limits{MemoryMiB: 512}}); err != nil {
		t.Fatal(err)
	}
	const n = 20
	for range n {
		mustInvoke(t, c, "worker", `{"do":"work"}`)
	}
	tot := mustQuery(t, c, client.MetricsQuery{Functions: []string{"worker"}}).Series[0].Total
	within(t, "CPU of all calls", tot.CPU, n*.2, .1)
	if tot.MemoryMax == nil || *tot.MemoryMax < 80<<20 || *tot.MemoryMax > 95<<20 {
		t.Errorf("memory: %+v", tot)
	}
	var held time.Duration
	for _, i := range records(t, c, "worker") {
		cpu := i.Usage.CPU.Std().Seconds()
		within(t, "CPU of a call", &cpu, .2, .1)
		held += (i.Duration - i.Phases.Queue).Std()
	}
	u, err := c.Usage(t.Context(), time.Time{}, time.Time{})
	if err != nil || len(u.Functions) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	f := u.Functions[0]
	if f.Requests != n || f.MemoryPeak != *tot.MemoryMax || f.MemoryLimit != 512<<20 || f.Suggestion == nil || f.Suggestion.MemoryMiB < 160 || f.Suggestion.MemoryMiB > 192 {
		t.Errorf("usage: %+v, suggestion %+v", f, f.Suggestion)
	}
	within(t, "memory over time", &f.GBSeconds, held.Seconds()*.5, 1e-3)
	// Calls that share a sandbox are told nothing, but the function is.
	if _, err := deploySource(c, "shared", loaded, rest.DeployConfig{Concurrency: 4, Limits: hearth.Limits{MemoryMiB: 512}}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		mustInvoke(t, c, "shared", `{"do":"work"}`)
	}
	for limit := time.Now().Add(startLimit); ; time.Sleep(100 * time.Millisecond) { // it is counted once a second
		tot = mustQuery(t, c, client.MetricsQuery{Functions: []string{"shared"}}).Series[0].Total
		if tot.CPU != nil && *tot.CPU > .9 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("calls that share a sandbox: %+v", tot)
		}
	}
	within(t, "CPU of calls that share a sandbox", tot.CPU, 5*.2, .15)
	if tot.MemoryMax == nil || *tot.MemoryMax < 80<<20 || tot.MemoryP99 != nil {
		t.Errorf("their memory: %+v", tot)
	}
}

// A server that is killed under load misses no more than the last second of what
// it counted; the time without it is a gap; and what it counts afterwards is
// added to that, once.
func Test13KillUnderLoad(t *testing.T) {
	needsRoot(t)
	data := t.TempDir()
	s := MustServe(t, data)
	for _, name := range []string{"left", "right"} {
		s.MustDeploy(name, map[string]string{"main.py": "def handler(e, c):\n    return 1\n"}, "--public")
	}
	from := time.Now().Add(-time.Minute)
	steps := func(s *Server, functions ...string) []rest.MetricSeries {
		t.Helper()
		return mustQuery(t, s.Client(), client.MetricsQuery{Functions: functions, From: from, Step: time.Second}).Series
	}
	var sent, answered atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent.Add(1)
				if r, err := s.Call("GET", []string{"/fn/left", "/fn/right"}[i%2], ""); err == nil && r.Status == 200 {
					answered.Add(1)
				}
			}
		})
	}
	for limit := time.Now().Add(startLimit); ; time.Sleep(50 * time.Millisecond) { // waits for load, not for time
		seconds := 0
		for _, n := range steps(s)[0].Requests {
			if n != nil && *n > 0 {
				seconds++
			}
		}
		if seconds >= 5 && answered.Load() > 500 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("after %d answers there are %d seconds with calls", answered.Load(), seconds)
		}
	}
	s.Kill()
	killed := time.Now()
	close(stop)
	wg.Wait()
	for time.Since(killed) < 3*time.Second { // a gap has to be longer than a step to be seen
		time.Sleep(100 * time.Millisecond)
	}

	s = MustServe(t, data)
	before := check(t, steps(s), steps(s, "*"), sent.Load())
	if before > sent.Load() || before < answered.Load()/2 {
		t.Errorf("%d calls are counted of %d that were sent and %d that were answered", before, sent.Load(), answered.Load())
	}
	// Records are written ten times a second: nearly all are there.
	var last time.Time
	var ends []time.Time
	for _, name := range []string{"left", "right"} {
		for _, i := range records(t, s.Client(), name) {
			end := i.At.Add(i.Duration.Std())
			ends = append(ends, end)
			if end.After(last) {
				last = end
			}
		}
	}
	var older int64
	for _, end := range ends {
		if end.Before(last.Add(-time.Second)) {
			older++
		}
	}
	if before < older {
		t.Errorf("%d calls are counted, but %d ended more than a second before the last that is known", before, older)
	}
	whole := steps(s)[0].Requests
	gap := 0
	for i, n := range whole {
		if at := from.Unix() + int64(i); n == nil && at > last.Unix()+1 && at < last.Unix()+3 {
			gap++
		}
	}
	if gap == 0 {
		t.Errorf("there is no gap after %s in %s", last, list(whole))
	}

	const more = 25
	for range more {
		if r := s.MustCall("GET", "/fn/left", ""); r.Status != 200 {
			t.Fatalf("after the kill a call answers %d %s", r.Status, r.Body)
		}
	}
	for range 2 { // now, and after a start that nothing went before
		if after := check(t, steps(s), steps(s, "*"), sent.Load()+more); after != before+more {
			t.Errorf("%d calls are counted, want %d and %d more", after, before, more)
		}
		s.Stop()
		s = MustServe(t, data)
	}
}

func list(ns []*int64) string {
	var b strings.Builder
	for _, n := range ns {
		if n == nil {
			b.WriteString("- ")
		} else {
			fmt.Fprintf(&b, "%d ", *n)
		}
	}
	return b.String()
}

// check compares series with each other and returns how many calls they have.
func check(t *testing.T, whole, each []rest.MetricSeries, most int64) int64 {
	t.Helper()
	var parts int64
	for _, s := range append(each, whole...) {
		n, gaps := sum(s.Requests)
		ok, _ := sum(s.Outcomes[hearth.OutcomeOK])
		if n != s.Total.Requests || ok > n || n > most || gaps == 0 {
			t.Errorf("%q has %d in its steps, %d that went well, and %+v in all", s.Function, n, ok, s.Total)
		}
		if s.Function != "" {
			parts += n
		}
	}
	if parts != whole[0].Total.Requests {
		t.Errorf("the functions have %d, the whole server %d", parts, whole[0].Total.Requests)
	}
	return parts
}
