package api

import (
	"context"
	"time"

	"hearth"
	"hearth/client/rest"
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
