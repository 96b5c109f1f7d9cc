package api

import (
	"context"
	"time"

	"hearth"
	"hearth/client/rest"
)

const defaultSpan = 5 * time.Minute

func (a *API) metricOps() []operation {
	return []operation{
		call(a, op("get-metrics", "GET", "/metrics", "metrics", "Summarise the calls of the last minutes", hearth.RoleViewer), a.getMetrics),
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
	names := a.o.Metrics.Functions()
	if in.Function != "" {
		if _, ok := a.functions.get(in.Function); !ok {
			return nil, noFunction(in.Function)
		}
		names = []string{in.Function}
	}
	now := hearth.Moment(time.Now())
	out := rest.Metrics{From: now.Add(-span), To: now, Functions: []rest.FunctionMetrics{}}
	for _, n := range names {
		out.Functions = append(out.Functions, a.functionMetrics(n, span))
	}
	return &body[rest.Metrics]{out}, nil
}

func (a *API) functionMetrics(name string, span time.Duration) rest.FunctionMetrics {
	s := a.o.Metrics.Summary(name, span)
	m := rest.FunctionMetrics{
		Function: name, Window: s.Window, Invocations: s.Count, Rate: s.Rate, Errors: s.Errors, Throttled: s.Throttled,
		ColdStarts: s.ColdStarts, Outcomes: s.Outcomes, Starts: s.Starts, P50: s.P50, P95: s.P95, P99: s.P99, Max: s.Max,
	}
	if m.Outcomes == nil {
		m.Outcomes = map[hearth.Outcome]int64{}
	}
	if m.Starts == nil {
		m.Starts = map[hearth.Start]int64{}
	}
	return m
}
