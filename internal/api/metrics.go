package api

import (
	"context"
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/metrics"
)

const defaultSpan = 5 * time.Minute

func (a *API) metricOps() []operation {
	const tag = "metrics"
	return []operation{
		call(a, op("get-metrics", "GET", "/metrics", tag, "Summarise the calls of the last minutes", hearth.RoleViewer), a.getMetrics),
		call(a, op("query-metrics", "GET", "/metrics/query", tag, "Get what was counted, in steps of time", hearth.RoleViewer), a.queryMetrics),
		call(a, op("get-usage", "GET", "/usage", tag, "Get what functions used, and what they would need", hearth.RoleViewer), a.getUsage),
	}
}

func (a *API) getMetrics(ctx context.Context, in *struct {
	Function string `query:"function" doc:"all if not given"`
	Span     string `query:"span" doc:"how far to look back, up to an hour: 5m if not given" example:"5m"`
}) (*body[rest.Metrics], error) {
	span := defaultSpan
	if in.Span != "" {
		d, err := time.ParseDuration(in.Span)
		if err != nil || d < time.Second || d > time.Hour {
			return nil, hearth.Errorf(hearth.CodeInvalid, "span %q is not between 1s and 1h", in.Span).WithField("span")
		}
		span = d
	}
	if err := a.o.Engine.Settled(ctx); err != nil {
		return nil, err
	}
	functions := []string{metrics.Every}
	if in.Function != "" {
		if _, ok := a.functions.get(in.Function); !ok {
			return nil, noFunction(in.Function)
		}
		functions = []string{in.Function}
	}
	now := time.Now()
	res, err := a.o.Metrics.Query(ctx, metrics.Query{
		Functions: functions, From: now.Add(-span), To: now, Totals: true, Fields: metrics.FieldDuration,
	})
	if err != nil {
		return nil, err
	}
	out := rest.Metrics{From: hearth.Moment(now.Add(-span)), To: hearth.Moment(now), Functions: []rest.FunctionMetrics{}}
	covered := sum(res.Seconds)
	for _, s := range res.Series {
		if _, ok := a.functions.get(s.Function); ok && (s.Total.Requests > 0 || in.Function != "") {
			out.Functions = append(out.Functions, functionMetrics(s, span, covered))
		}
	}
	return &body[rest.Metrics]{out}, nil
}

func functionMetrics(s metrics.Series, span time.Duration, covered int64) rest.FunctionMetrics {
	t := s.Total
	m := rest.FunctionMetrics{
		Function: s.Function, Window: hearth.Duration(min(span, time.Duration(covered)*time.Second)),
		Invocations: t.Requests, Errors: t.Errors, Throttled: t.Throttled, ColdStarts: t.ColdStarts, Outcomes: t.Outcomes(), Starts: t.Starts(),
		P50: duration(t.Duration.P50), P95: duration(t.Duration.P95), P99: duration(t.Duration.P99), Max: duration(t.Duration.Max),
	}
	if covered > 0 {
		m.Rate = float64(t.Requests) / float64(covered)
	}
	return m
}

func duration(seconds float64) hearth.Duration {
	return hearth.Duration(math.Round(seconds * float64(time.Second)))
}

func sum(ns []int64) (total int64) {
	for _, n := range ns {
		total += n
	}
	return total
}

// metricsInput asks for series. The lists may be repeated.
type metricsInput struct {
	Function []string         `query:"function,explode" doc:"name of a function, or * for each that had calls; nothing for the whole server"`
	Version  int              `query:"version" minimum:"1" doc:"only of named functions"`
	Group    string           `query:"group" enum:"function,version" doc:"what a series is: a function (if not given) or each of its versions"`
	Outcome  []hearth.Outcome `query:"outcome,explode" doc:"count only calls that ended so; what isn't known by outcome is then left out"`
	From     time.Time        `query:"from" doc:"an hour before to, if not given"`
	To       time.Time        `query:"to" doc:"now, if not given"`
	Step     string           `query:"step" doc:"a Go duration of whole seconds; if not given, one that makes 120 steps or less" example:"30s"`
	Fields   []string         `query:"fields,explode" doc:"requests, outcomes, starts, duration, queue, start, cpu, memory, bytes, sandboxes, pools, batch, host, totals (the percentiles of the whole span, which come with duration, without those of each step); the first ten if none is given"`
}

// fields of a series, in the words of the API.
var metricFields = []string{
	"requests", "outcomes", "starts", "duration", "queue", "start", "cpu", "memory", "bytes", "sandboxes", "pools", "batch", "host", "totals",
}

const (
	defaultFields  = 10 // the first so many of them
	maxMetricSteps = 2000
	maxMetricSpan  = 10 * 366 * 24 * time.Hour
)

func (a *API) queryMetrics(ctx context.Context, in *metricsInput) (*body[rest.MetricData], error) {
	q, want, err := a.metricsQuery(in)
	if err != nil {
		return nil, err
	}
	if err := a.o.Engine.Settled(ctx); err != nil {
		return nil, err
	}
	res, err := a.o.Metrics.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := a.knownFunctions(in.Function, res); err != nil {
		return nil, err
	}
	out := metricData(res, want, len(in.Outcome) > 0)
	out.Deploys, err = a.deployMarks(ctx, in.Function, out.From, out.To)
	return &body[rest.MetricData]{out}, err
}

// metricsQuery checks the input.
func (a *API) metricsQuery(in *metricsInput) (q metrics.Query, want map[string]bool, err error) {
	bad := func(field, format string, args ...any) error {
		return hearth.Errorf(hearth.CodeInvalid, format, args...).WithField(field)
	}
	q = metrics.Query{
		Functions: in.Function, Version: in.Version, ByVersion: in.Group == "version", Outcomes: in.Outcome,
	}
	named := len(in.Function) > 0 && !slices.Contains(in.Function, metrics.Every)
	switch {
	case slices.Contains(in.Function, ""):
		return q, nil, bad("function", "function is empty: leave it out for the whole server, or name one")
	case len(in.Function) > 1 && !named:
		return q, nil, bad("function", "function is * and names besides: use the one or the others")
	case in.Version != 0 && !named:
		return q, nil, bad("version", "version needs a function to be named")
	case q.ByVersion && !named:
		return q, nil, bad("group", "group=version needs a function to be named")
	}
	for _, o := range in.Outcome {
		if !slices.Contains(metrics.Outcomes(), o) {
			return q, nil, bad("outcome", "outcome %q is not known: use %s", o, join(metrics.Outcomes()))
		}
	}
	if want, err = wantedFields(in.Fields); err != nil {
		return q, nil, err
	}
	for name, f := range map[string]metrics.Field{
		"duration": metrics.FieldDuration, "queue": metrics.FieldQueue, "start": metrics.FieldStart, "memory": metrics.FieldMemory,
		"sandboxes": metrics.FieldSandboxes, "pools": metrics.FieldPools, "host": metrics.FieldHost, "totals": metrics.FieldTotal,
	} {
		if want[name] {
			q.Fields |= f
		}
	}
	if q.From, q.To, err = metricRange(in.From, in.To, time.Hour); err != nil {
		return q, nil, err
	}
	if in.Step != "" {
		if q.Step, err = time.ParseDuration(in.Step); err != nil || q.Step < time.Second || q.Step%time.Second != 0 {
			return q, nil, bad("step", "step %q is not a duration of whole seconds", in.Step)
		}
		if n := q.To.Sub(q.From) / q.Step; n > maxMetricSteps {
			return q, nil, hearth.Errorf(hearth.CodeInvalid, "step %s makes %d steps, over the limit of %d", in.Step, n, maxMetricSteps).
				WithHint("ask for a longer step, like %s, or leave it out", metrics.StepFor(q.To.Sub(q.From))).WithField("step")
		}
	}
	return q, want, nil
}

// metricRange fills in what isn't given and checks the rest.
func metricRange(from, to time.Time, span time.Duration) (time.Time, time.Time, error) {
	if to.IsZero() {
		to = time.Now()
	}
	if from.IsZero() {
		from = to.Add(-span)
	}
	bad := func(format string) error {
		return hearth.Errorf(hearth.CodeInvalid, format, from.Format(time.RFC3339), to.Format(time.RFC3339)).WithField("from")
	}
	switch {
	case !from.Before(to):
		return from, to, bad("from is %s, not before to, which is %s")
	case from.Unix() < 0 || to.Sub(from) > maxMetricSpan:
		return from, to, bad("from %s to %s is more than is ever kept")
	}
	return from, to, nil
}

func wantedFields(names []string) (map[string]bool, error) {
	want := map[string]bool{}
	if len(names) == 0 {
		names = metricFields[:defaultFields]
	}
	for _, n := range names {
		if !slices.Contains(metricFields, n) {
			return nil, hearth.Errorf(hearth.CodeInvalid, "fields %q is not known", n).
				WithHint("use some of %s", join(metricFields)).WithField("fields")
		}
		want[n] = true
	}
	return want, nil
}

func join[T ~string](items []T) string {
	var out string
	for i, s := range items {
		if i > 0 {
			out += ", "
		}
		out += string(s)
	}
	return out
}

// knownFunctions fails for a name that nobody has and nobody had in that time.
func (a *API) knownFunctions(names []string, res *metrics.Result) error {
	for _, n := range names {
		if _, ok := a.functions.get(n); ok || n == metrics.Every {
			continue
		}
		if !slices.ContainsFunc(res.Series, func(s metrics.Series) bool { return s.Function == n && s.Total.Requests > 0 }) {
			return noFunction(n)
		}
	}
	return nil
}
