package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"hearth"
	"hearth/client/rest"
)

// MetricsQuery asks for what was counted. Zero fields leave the choice to the
// server: the whole server, all outcomes, the last hour, steps so that there
// are 120 or less, and the fields of a function's page.
type MetricsQuery struct {
	Functions []string // names, or "*" for each that had calls
	Version   int      // of named functions only
	ByVersion bool     // a series for each version; of named functions only
	Outcomes  []hearth.Outcome
	From, To  time.Time
	Step      time.Duration // whole seconds
	Fields    []string      // as the reference of the API names them
}

// QueryMetrics returns what was counted, in steps of time.
func (c *Client) QueryMetrics(ctx context.Context, m MetricsQuery) (rest.MetricData, error) {
	q := span(m.From, m.To)
	for _, f := range m.Functions {
		q.Add("function", f)
	}
	for _, o := range m.Outcomes {
		q.Add("outcome", string(o))
	}
	for _, f := range m.Fields {
		q.Add("fields", f)
	}
	if m.Version != 0 {
		q.Set("version", strconv.Itoa(m.Version))
	}
	if m.ByVersion {
		q.Set("group", "version")
	}
	if m.Step != 0 {
		q.Set("step", m.Step.String())
	}
	return get[rest.MetricData](ctx, c, path("metrics", "query"), q)
}

func span(from, to time.Time) url.Values {
	q := url.Values{}
	if !from.IsZero() {
		q.Set("from", from.UTC().Format(time.RFC3339Nano))
	}
	if !to.IsZero() {
		q.Set("to", to.UTC().Format(time.RFC3339Nano))
	}
	return q
}

// Usage returns what functions used between two times (zero: in the last week).
func (c *Client) Usage(ctx context.Context, from, to time.Time) (rest.UsageReport, error) {
	return get[rest.UsageReport](ctx, c, path("usage"), span(from, to))
}
