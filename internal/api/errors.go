package api

import (
	"context"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

func (a *API) errorOps() []operation {
	return []operation{
		call(a, op("list-errors", "GET", "/errors", "invocations", "List what fails, grouped", hearth.RoleViewer), a.listErrors),
	}
}

const (
	errorSteps    = 24
	maxErrorsSpan = 400 * 24 * time.Hour
)

func (a *API) listErrors(ctx context.Context, in *struct {
	Function string    `query:"function" doc:"all if not given"`
	From     time.Time `query:"from" doc:"inclusive; a day before to if not given"`
	To       time.Time `query:"to" doc:"exclusive; now if not given"`
}) (*body[rest.ErrorGroups], error) {
	from, to, err := span(in.From, in.To, 24*time.Hour, maxErrorsSpan)
	if err != nil {
		return nil, err
	}
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	fs, err := a.o.Store.Failures(ctx, store.FailureQuery{Function: in.Function, From: from, To: to, Steps: errorSteps})
	if err != nil {
		return nil, err
	}
	out := rest.ErrorGroups{From: from, To: to, Items: make([]rest.ErrorGroup, 0, len(fs))}
	for _, f := range fs {
		g := rest.ErrorGroup{
			Fingerprint: f.Fingerprint, Function: f.Function, Outcome: f.Outcome, Type: f.Type, Message: f.Message, Frame: f.Frame,
			Count: f.Count, First: f.First, Last: f.Last, FirstVersion: f.FirstVersion, LastVersion: f.LastVersion,
			Samples: f.Samples, Sparkline: f.Counts,
		}
		if known, ok := a.functions.get(f.Function); ok && f.FirstVersion == known.Active && f.FirstVersion > 1 {
			g.NewIn = f.FirstVersion
		}
		out.Items = append(out.Items, g)
	}
	return &body[rest.ErrorGroups]{out}, nil
}

// span fills in what a caller left out of a span of time.
func span(from, to time.Time, usual, longest time.Duration) (time.Time, time.Time, error) {
	if to.IsZero() {
		// What has just happened must be in it, and the end isn't.
		to = time.Now().Add(time.Millisecond)
	}
	if from.IsZero() {
		from = to.Add(-usual)
	}
	from, to = hearth.Moment(from), hearth.Moment(to)
	switch {
	case !to.After(from):
		return from, to, hearth.Errorf(hearth.CodeInvalid, "from isn't before to").WithField("from").
			WithHint("give times like 2024-05-01T12:00:00Z, from before to")
	case to.Sub(from) > longest:
		return from, to, hearth.Errorf(hearth.CodeInvalid, "from %s to %s is too long, the limit is %s", from.Format(time.DateOnly), to.Format(time.DateOnly), longest).
			WithField("from").WithHint("ask for a shorter time")
	}
	return from, to, nil
}
