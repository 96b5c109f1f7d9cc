package api

import (
	"context"
	"slices"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/metrics"
	"hearth/internal/store"
)

func (a *API) historyOps() []operation {
	return []operation{
		call(a, op("list-deploys", "GET", "/deploys", "versions", "List what served when, newest first", hearth.RoleViewer), a.listDeploys),
	}
}

func (a *API) listDeploys(ctx context.Context, in *struct {
	Page
	Function string    `query:"function" doc:"also of one that was deleted"`
	From     time.Time `query:"from" doc:"inclusive"`
	To       time.Time `query:"to" doc:"exclusive"`
}) (*body[rest.List[hearth.Deploy]], error) {
	ds, next, err := a.o.Store.Deploys(ctx, store.DeployQuery{Function: in.Function, From: in.From, To: in.To}, in.store())
	return listOf(ds, next), err
}

// maxMarks bounds the deploys that are shown in a chart, the newest first.
const maxMarks = 500

// deployMarks tells when the traffic of functions moved, oldest first; of all if
// none is named.
func (a *API) deployMarks(ctx context.Context, functions []string, from, to time.Time) ([]rest.DeployMark, error) {
	if len(functions) == 0 || slices.Contains(functions, metrics.Every) {
		functions = []string{""}
	}
	marks := []rest.DeployMark{}
	for _, f := range functions {
		ds, _, err := a.o.Store.Deploys(ctx, store.DeployQuery{Function: f, From: from, To: to}, store.Page{Limit: maxMarks})
		if err != nil {
			return nil, err
		}
		for _, d := range ds {
			if d.Kind != hearth.DeployDelete {
				marks = append(marks, rest.DeployMark{At: d.At, Function: d.Function, Version: d.Version, Kind: string(d.Kind), By: d.By})
			}
		}
	}
	slices.SortStableFunc(marks, func(x, y rest.DeployMark) int { return y.At.Compare(x.At) })
	marks = marks[:min(len(marks), maxMarks)]
	slices.Reverse(marks)
	return marks, nil
}
