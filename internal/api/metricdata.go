package api

import (
	"math"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/metrics"
)

// metricData writes an answer as a document. With byOutcome only some outcomes
// were counted, and what isn't known by outcome is left out.
func metricData(res *metrics.Result, want map[string]bool, byOutcome bool) rest.MetricData {
	out := rest.MetricData{
		From: time.Unix(res.From, 0).UTC(), To: time.Unix(res.To, 0).UTC(), Step: (time.Duration(res.Step) * time.Second).String(),
		At: make([]int64, len(res.Seconds)), Series: make([]rest.MetricSeries, 0, len(res.Series)), Deploys: []rest.DeployMark{},
	}
	for i := range out.At {
		out.At[i] = res.From + int64(i)*res.Step
	}
	w := metricWriter{there: res.Seconds, covered: sum(res.Seconds), want: want, byOutcome: byOutcome}
	for _, s := range res.Series {
		out.Series = append(out.Series, w.series(s))
	}
	if want["host"] {
		out.Host = w.host(res.Host)
	}
	if want["pools"] {
		for _, p := range res.Pools {
			out.Pools = append(out.Pools, w.pool(p))
		}
	}
	return out
}

type metricWriter struct {
	there     []int64
	covered   int64
	want      map[string]bool
	byOutcome bool
}

// alone reports whether a field was asked for that isn't known by outcome, and
// that doesn't matter.
func (w *metricWriter) alone(field string) bool { return w.want[field] && !w.byOutcome }

func (w *metricWriter) series(s metrics.Series) rest.MetricSeries {
	out := rest.MetricSeries{Function: s.Function, Version: s.Version, Total: w.total(s.Total)}
	if w.want["requests"] {
		out.Requests = count(w, s.Points, func(p *metrics.Point) int64 { return p.Requests })
		out.Errors = count(w, s.Points, func(p *metrics.Point) int64 { return p.Errors })
	}
	if w.want["outcomes"] {
		out.Outcomes = map[hearth.Outcome][]*int64{}
		for o := range s.Total.Outcomes() {
			out.Outcomes[o] = count(w, s.Points, func(p *metrics.Point) int64 { return p.Outcome(o) })
		}
	}
	if w.alone("starts") {
		out.Starts = map[hearth.Start][]*int64{}
		for o := range s.Total.Starts() {
			out.Starts[o] = count(w, s.Points, func(p *metrics.Point) int64 { return p.StartedAs(o) })
		}
	}
	if w.want["duration"] {
		out.Duration = quantiles(s.Points, func(p *metrics.Point) *metrics.Values { return &p.Duration }, true)
		out.Duration.Max = known(s.Points, func(p *metrics.Point) (float64, bool) { return p.Duration.Max, p.Duration.N > 0 })
		out.Duration.Mean = known(s.Points, func(p *metrics.Point) (float64, bool) { return p.Duration.Mean, p.Duration.N > 0 })
	}
	if w.alone("queue") {
		out.Queue = quantiles(s.Points, func(p *metrics.Point) *metrics.Values { return &p.Queue }, false)
	}
	if w.alone("start") {
		out.Start = quantiles(s.Points, func(p *metrics.Point) *metrics.Values { return &p.Start }, false)
	}
	if w.alone("memory") {
		out.Memory = quantiles(s.Points, func(p *metrics.Point) *metrics.Values { return &p.Memory }, false)
		out.Memory.Max = known(s.Points, func(p *metrics.Point) (float64, bool) { return float64(p.MemoryMax), p.MemoryMax > 0 })
	}
	if w.alone("cpu") {
		out.CPU = w.zeros(func(i int) (float64, bool) {
			if s.Points[i] == nil {
				return 0, true
			}
			return s.Points[i].CPU, true
		})
	}
	if w.alone("bytes") {
		out.BytesIn = count(w, s.Points, func(p *metrics.Point) int64 { return p.BytesIn })
		out.BytesOut = count(w, s.Points, func(p *metrics.Point) int64 { return p.BytesOut })
	}
	if w.alone("sandboxes") {
		out.Sandboxes = map[string][]*float64{}
		for state, means := range s.Sandboxes {
			out.Sandboxes[state] = w.zeros(func(i int) (float64, bool) { return means[i], true })
		}
	}
	if w.alone("batch") { // there are no batches yet
		nothing := func() []*float64 { return make([]*float64, len(w.there)) }
		out.Batch = &rest.BatchSeries{Size: nothing(), Wait: rest.Quantiles{P50: nothing(), P99: nothing()}}
	}
	return out
}

func (w *metricWriter) total(t metrics.Point) rest.MetricTotal {
	out := rest.MetricTotal{Requests: t.Requests, Errors: t.Errors, Throttled: t.Throttled, ColdStarts: t.ColdStarts}
	if t.Requests > 0 {
		out.ErrorRate = float64(t.Errors) / float64(t.Requests)
	}
	if w.covered > 0 {
		out.Rate = round(float64(t.Requests) / float64(w.covered))
	}
	if d := t.Duration; d.N > 0 && (w.want["duration"] || w.want["totals"]) {
		out.P50, out.P90, out.P95, out.P99 = ref(round(d.P50)), ref(round(d.P90)), ref(round(d.P95)), ref(round(d.P99))
	}
	if t.Duration.N > 0 {
		out.Max = ref(round(t.Duration.Max))
	}
	if w.byOutcome {
		return out
	}
	out.CPU, out.BytesIn, out.BytesOut = ref(round(t.CPU)), ref(t.BytesIn), ref(t.BytesOut)
	if t.MemoryMax > 0 {
		out.MemoryMax = ref(t.MemoryMax)
	}
	if t.Memory.N > 0 {
		out.MemoryP99 = ref(round(t.Memory.P99))
	}
	return out
}

// count lists numbers of calls: null where there was no server, 0 where there
// was one and nothing happened.
func count(w *metricWriter, ps []*metrics.Point, of func(*metrics.Point) int64) []*int64 {
	out, values := make([]*int64, len(ps)), make([]int64, len(ps))
	for i, p := range ps {
		switch {
		case p != nil:
			values[i] = of(p)
			out[i] = &values[i]
		case w.there[i] > 0:
			out[i] = &values[i]
		}
	}
	return out
}

// zeros lists amounts, which are null where there was no server.
func (w *metricWriter) zeros(of func(i int) (float64, bool)) []*float64 {
	return numbers(len(w.there), func(i int) (float64, bool) {
		if w.there[i] == 0 {
			return 0, false
		}
		return of(i)
	})
}

// known lists what is null wherever it isn't known.
func known(ps []*metrics.Point, of func(*metrics.Point) (float64, bool)) []*float64 {
	return numbers(len(ps), func(i int) (float64, bool) {
		if ps[i] == nil {
			return 0, false
		}
		return of(ps[i])
	})
}

func numbers(n int, of func(i int) (float64, bool)) []*float64 {
	out, values := make([]*float64, n), make([]float64, n)
	for i := range n {
		v, ok := of(i)
		if ok {
			values[i] = round(v)
			out[i] = &values[i]
		}
	}
	return out
}

// quantiles lists the median and the 99th of what is measured; with all, the
// others too.
func quantiles(ps []*metrics.Point, of func(*metrics.Point) *metrics.Values, all bool) *rest.Quantiles {
	at := func(q func(*metrics.Values) float64) []*float64 {
		return known(ps, func(p *metrics.Point) (float64, bool) { v := of(p); return q(v), v.N > 0 })
	}
	out := &rest.Quantiles{
		P50: at(func(v *metrics.Values) float64 { return v.P50 }),
		P99: at(func(v *metrics.Values) float64 { return v.P99 }),
	}
	if all {
		out.P90 = at(func(v *metrics.Values) float64 { return v.P90 })
		out.P95 = at(func(v *metrics.Values) float64 { return v.P95 })
	}
	return out
}

func (w *metricWriter) host(ps []*metrics.HostPoint) *rest.HostSeries {
	at := func(of func(*metrics.HostPoint) float64) []*float64 {
		return numbers(len(ps), func(i int) (float64, bool) {
			if ps[i] == nil {
				return 0, false
			}
			return of(ps[i]), true
		})
	}
	_, total, _ := metrics.HostMemory()
	return &rest.HostSeries{
		Cores: metrics.HostCores(), MemoryTotal: total,
		CPU:          at(func(p *metrics.HostPoint) float64 { return p.CPU }),
		Memory:       at(func(p *metrics.HostPoint) float64 { return p.Memory }),
		HearthCPU:    at(func(p *metrics.HostPoint) float64 { return p.HearthCPU }),
		HearthMemory: at(func(p *metrics.HostPoint) float64 { return p.HearthMemory }),
	}
}

func (w *metricWriter) pool(s metrics.PoolSeries) rest.PoolSeries {
	at := func(of func(*metrics.PoolPoint) (float64, bool)) []*float64 {
		return numbers(len(s.Points), func(i int) (float64, bool) {
			if s.Points[i] == nil {
				return 0, false
			}
			return of(s.Points[i])
		})
	}
	counts := func(of func(*metrics.PoolPoint) int64) []*int64 {
		out := make([]*int64, len(s.Points))
		for i, p := range s.Points {
			if p != nil {
				out[i] = ref(of(p))
			}
		}
		return out
	}
	return rest.PoolSeries{
		Driver: s.Driver, Runtime: s.Runtime, Network: hearth.Network(s.Network),
		Ready:  at(func(p *metrics.PoolPoint) (float64, bool) { return p.Ready, true }),
		Target: at(func(p *metrics.PoolPoint) (float64, bool) { return p.Target, true }),
		Hits:   counts(func(p *metrics.PoolPoint) int64 { return p.Hits }),
		Misses: counts(func(p *metrics.PoolPoint) int64 { return p.Misses }),
		Refill: rest.Quantiles{P50: at(func(p *metrics.PoolPoint) (float64, bool) { return p.Refill.P50, p.Refill.N > 0 })},
	}
}

func ref[T any](v T) *T { return &v }

// round drops digits that say nothing: parts of bytes, and of seconds what is
// below a tenth of a microsecond.
func round(v float64) float64 {
	if math.Abs(v) >= 1e6 {
		return math.Round(v)
	}
	return math.Round(v*1e7) / 1e7
}
