package api

import (
	"context"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

type invocationsInput struct {
	Page
	Function string         `query:"function"`
	Version  int            `query:"version" minimum:"1"`
	Outcome  hearth.Outcome `query:"outcome" enum:"ok,function_error,timeout,out_of_memory,crashed,throttled,cancelled,platform_error"`
	From     time.Time      `query:"from" doc:"inclusive"`
	To       time.Time      `query:"to" doc:"exclusive"`
}

func (a *API) listInvocations(ctx context.Context, in *invocationsInput) (*body[rest.List[hearth.Invocation]], error) {
	if in.Cursor == "" {
		if err := a.settle(ctx); err != nil {
			return nil, err
		}
	}
	is, next, err := a.o.Store.Invocations(ctx, store.InvocationQuery{
		Function: in.Function, Version: in.Version, Outcome: in.Outcome, From: in.From, To: in.To,
	}, in.store())
	return listOf(is, next), err
}

// settle waits for what is known of the calls so far to be in the store:
// records and logs are written a moment after the reply, in batches, and a
// person who called now looks.
func (a *API) settle(ctx context.Context) error {
	if err := a.o.Engine.Settled(ctx); err != nil {
		return err
	}
	return a.o.Store.Flush(ctx)
}

func (a *API) getInvocation(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*body[hearth.Invocation], error) {
	i, err := a.o.Store.Invocation(ctx, in.ID)
	if hearth.ErrorCode(err) == hearth.CodeNotFound {
		if err := a.settle(ctx); err != nil {
			return nil, err
		}
		i, err = a.o.Store.Invocation(ctx, in.ID)
	}
	return &body[hearth.Invocation]{i}, err
}

func (p Page) store() store.Page { return store.Page{Limit: p.Limit, Cursor: p.Cursor} }

// listOf makes the document of a page. It never says null for no items.
func listOf[T any](items []T, next string) *body[rest.List[T]] {
	if items == nil {
		items = []T{}
	}
	return &body[rest.List[T]]{rest.List[T]{Items: items, Next: next}}
}
