package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

// loaded is what the functions of a known load do, each call by its event.
const loaded = `
import time

def handler(event, context):
    what = event["do"]
    if what == "sleep":
        time.sleep(event["ms"] / 1000)
        return {"slept": event["ms"]}
    if what == "fail":
        raise ValueError("as told")
    if what == "hang":
        while True:
            time.sleep(1)
    if what == "eat":
        held = []
        while True:
            held.append(bytearray(b"x") * (4 << 20))
    if what == "work":
        began = time.process_time()
        held = bytearray(80 << 20)
        for at in range(0, len(held), 4096):
            held[at] = 1
        while time.process_time() - began < 0.2:
            pass
        return len(held)
`

// counts is how many calls of each function end in which way.
type counts map[string]map[hearth.Outcome]int64

// mustLoad deploys three functions and calls them so that it is known how each
// call ends. The server must not queue.
func mustLoad(t *testing.T, s *Server) counts {
	t.Helper()
	c := s.Client()
	for name, cfg := range map[string]rest.DeployConfig{
		"steady": {},
		"frail":  {Limits: hearth.Limits{MemoryMiB: 64, Timeout: hearth.Duration(1500 * time.Millisecond)}},
		"narrow": {MaxScale: 1},
	} {
		if _, err := deploySource(c, name, loaded, cfg); err != nil {
			t.Fatal(err)
		}
	}
	want := counts{
		"steady": {hearth.OutcomeOK: 40, hearth.OutcomeError: 9},
		"frail":  {hearth.OutcomeOK: 5, hearth.OutcomeTimeout: 3, hearth.OutcomeOOM: 2, hearth.OutcomeError: 1},
		"narrow": {hearth.OutcomeOK: 1, hearth.OutcomeThrottled: 12},
	}
	many := func(n int64, name, event string) {
		for i := range n {
			mustInvoke(t, c, name, strings.ReplaceAll(event, "MS", fmt.Sprint(1+i)))
		}
	}
	many(40, "steady", `{"do":"sleep","ms":MS}`)
	many(9, "steady", `{"do":"fail"}`)
	many(5, "frail", `{"do":"sleep","ms":1}`)
	many(3, "frail", `{"do":"hang"}`)
	many(2, "frail", `{"do":"eat"}`)
	many(1, "frail", `{"do":"fail"}`)
	// While one call has the only place, all others are refused.
	done := make(chan struct{})
	go func() {
		defer close(done)
		mustInvoke(t, c, "narrow", `{"do":"sleep","ms":3000}`)
	}()
	awaitBusy(t, c, "narrow")
	many(12, "narrow", `{"do":"sleep","ms":1}`)
	select {
	case <-done:
		t.Fatal("the call that was to keep the place has ended too early")
	default:
	}
	<-done
	return want
}

// mustInvoke makes a call, whatever comes of it.
func mustInvoke(t *testing.T, c *client.Client, name, event string) {
	t.Helper()
	r, err := c.Invoke(t.Context(), client.InvokeRequest{Name: name, Body: strings.NewReader(event)})
	if err == nil {
		err = r.Body.Close()
	}
	if code := hearth.ErrorCode(err); err != nil && code.Outcome() == hearth.OutcomePlatform {
		t.Errorf("%s: %v", name, err)
	}
}

// awaitBusy waits until a sandbox of a function works.
func awaitBusy(t *testing.T, c *client.Client, name string) {
	t.Helper()
	for limit := time.Now().Add(startLimit); ; time.Sleep(5 * time.Millisecond) { // lists tell of no change
		boxes, err := c.Sandboxes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range boxes.Items {
			if b.Function == name && b.State == "busy" {
				return
			}
		}
		if time.Now().After(limit) {
			t.Fatalf("%s doesn't work: %+v", name, boxes.Items)
		}
	}
}

// A real Prometheus that scrapes the server counts every call as it ended, and is
// given histograms of its native kind.
func Test12Prometheus(t *testing.T) {
	needsRoot(t)
	needsPrometheus(t)
	s := MustServe(t, t.TempDir(), "--queue", "0")
	p := startPrometheus(t, s, "--enable-feature=native-histograms")
	want := mustLoad(t, s)
	const worked = 5
	if _, err := deploySource(s.Client(), "worker", loaded, rest.DeployConfig{Limits: hearth.Limits{MemoryMiB: 256}}); err != nil {
		t.Fatal(err)
	}
	for range worked {
		mustInvoke(t, s.Client(), "worker", `{"do":"work"}`)
	}
	want["worker"] = map[hearth.Outcome]int64{hearth.OutcomeOK: worked}

	var all int64
	for _, outcomes := range want {
		for _, n := range outcomes {
			all += n
		}
	}
	for limit := time.Now().Add(startLimit); p.number(t, "sum(hearth_invocations_total)") < float64(all); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(limit) { // a scrape gives no sign
			t.Fatalf("Prometheus counts %g calls of %d", p.number(t, "sum(hearth_invocations_total)"), all)
		}
	}
	got := counts{}
	for _, r := range p.query(t, "hearth_invocations_total") {
		name := r.Metric["function"]
		if got[name] == nil {
			got[name] = map[hearth.Outcome]int64{}
		}
		got[name][hearth.Outcome(r.Metric["outcome"])] = int64(r.number(t))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Prometheus counts\n%v\nwant\n%v", got, want)
	}

	// Native: one sample with its buckets inside, for each function.
	for name, outcomes := range want {
		n := float64(0)
		for o, count := range outcomes {
			if o != hearth.OutcomeThrottled {
				n += float64(count)
			}
		}
		rs := p.query(t, fmt.Sprintf("hearth_invocation_duration_seconds{function=%q}", name))
		if len(rs) != 1 || len(rs[0].Histogram) != 2 {
			t.Fatalf("the durations of %s didn't come as a native histogram: %+v", name, rs)
		}
		var h struct{ Count, Sum string }
		if err := json.Unmarshal(rs[0].Histogram[1], &h); err != nil {
			t.Fatal(err)
		}
		if h.Count != fmt.Sprint(n) {
			t.Errorf("%s has %s durations, want %g", name, h.Count, n)
		}
	}
	raw := durations(t, s.Client(), "steady")
	p50 := p.number(t, `histogram_quantile(0.5, sum(hearth_invocation_duration_seconds{function="steady"}))`)
	if exact := rank(raw, .5); math.Abs(p50-exact) > .1*exact { // buckets grow by a tenth
		t.Errorf("the median is %g in Prometheus and %g in truth", p50, exact)
	}

	cpu := p.number(t, `hearth_invocation_cpu_seconds_total{function="worker"}`) / worked
	if cpu < .18 || cpu > .22 {
		t.Errorf("calls that work 200 ms took %g s of CPU in Prometheus", cpu)
	}
	memory := p.number(t, `hearth_function_memory_max_bytes{function="worker"}`) / (1 << 20)
	if memory < 80 || memory > 95 {
		t.Errorf("calls that touch 80 MiB took %g MiB in Prometheus", memory)
	}
}

// durations lists how long the calls of a function took that weren't refused, in
// seconds, as their records say.
func durations(t *testing.T, c *client.Client, function string) (out []float64) {
	t.Helper()
	for _, i := range records(t, c, function) {
		if i.Outcome != hearth.OutcomeThrottled {
			out = append(out, i.Duration.Std().Seconds())
		}
	}
	return out
}

func records(t *testing.T, c *client.Client, function string) []hearth.Invocation {
	t.Helper()
	is, err := client.Collect(func(p client.Page) (rest.List[hearth.Invocation], error) {
		return c.Invocations(t.Context(), client.InvocationsQuery{Function: function}, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// rank is the value at a quantile of a list.
func rank(values []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return s[int(q*float64(len(s)-1))]
}

// answered is a series of an answer of Prometheus.
type answered struct {
	Metric    map[string]string
	Value     []json.RawMessage
	Histogram []json.RawMessage
}

func (r answered) number(t *testing.T) float64 {
	t.Helper()
	var text string
	if len(r.Value) != 2 || json.Unmarshal(r.Value[1], &text) != nil {
		t.Fatalf("%v is no number", r)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// query asks Prometheus for what it knows now.
func (p prometheus) query(t *testing.T, query string) []answered {
	t.Helper()
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Status, Error string
		Data          struct{ Result []answered }
	}
	if resp.StatusCode == http.StatusServiceUnavailable { // it is still starting
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Status != "success" {
		t.Fatalf("%s: %v %s", query, err, a.Error)
	}
	return a.Data.Result
}

// number is the only number of an answer, 0 if there is none yet.
func (p prometheus) number(t *testing.T, query string) float64 {
	t.Helper()
	switch rs := p.query(t, query); len(rs) {
	case 0:
		return 0
	case 1:
		return rs[0].number(t)
	default:
		t.Fatalf("%s has several answers: %+v", query, rs)
		return 0
	}
}
