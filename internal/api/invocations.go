package api

import (
	"context"
	"strings"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

type invocationsInput struct {
	Page
	Function    string           `query:"function"`
	Version     int              `query:"version" minimum:"1"`
	Outcome     []hearth.Outcome `query:"outcome,explode" enum:"failed,ok,function_error,timeout,out_of_memory,crashed,throttled,cancelled,platform_error" doc:"repeatable; failed is all but ok, throttled and cancelled"`
	Trigger     hearth.Trigger   `query:"trigger" enum:"http,api,replay"`
	Start       []hearth.Start   `query:"start,explode" enum:"cold,warm,prewarmed,forked,spawned,restored" doc:"repeatable; cold is all but warm"`
	MinDuration string           `query:"min_duration" doc:"took so long or longer" example:"300ms"`
	MaxDuration string           `query:"max_duration" doc:"took so long or shorter" example:"3s"`
	MinMemory   float64          `query:"min_memory_share" minimum:"0" maximum:"1" doc:"used so much of its memory limit or more" example:"0.9"`
	ID          string           `query:"id" maxLength:"26" doc:"begins so"`
	Text        string           `query:"text" doc:"substring of the error's type or message, case-insensitive"`
	Fingerprint string           `query:"fingerprint" doc:"of a group of errors"`
	From        time.Time        `query:"from" doc:"inclusive"`
	To          time.Time        `query:"to" doc:"exclusive"`
	Sort        store.Sort       `query:"sort" enum:"newest,oldest,slowest,memory,cost" default:"newest" doc:"memory is the highest peak first, cost the most GB-seconds"`
}

func (in *invocationsInput) query() (store.InvocationQuery, error) {
	q := store.InvocationQuery{
		Function: in.Function, Version: in.Version, Trigger: in.Trigger, ID: strings.ToUpper(in.ID), Text: in.Text,
		Fingerprint: in.Fingerprint, MinMemory: in.MinMemory, From: in.From, To: in.To, Sort: in.Sort,
	}
	for _, o := range in.Outcome {
		if o != rest.OutcomeFailed {
			q.Outcomes = append(q.Outcomes, o)
			continue
		}
		for _, o := range hearth.Outcomes() {
			if o.Failed() {
				q.Outcomes = append(q.Outcomes, o)
			}
		}
	}
	for _, s := range in.Start {
		if s == rest.StartCold {
			q.Starts = append(q.Starts, hearth.StartPrewarmed, hearth.StartForked, hearth.StartSpawned, hearth.StartRestored)
		} else {
			q.Starts = append(q.Starts, s)
		}
	}
	for _, d := range []struct {
		field, text string
		into        *time.Duration
	}{{"min_duration", in.MinDuration, &q.MinDuration}, {"max_duration", in.MaxDuration, &q.MaxDuration}} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil || v <= 0 {
			return q, hearth.Errorf(hearth.CodeInvalid, "%s %q is not a duration", d.field, d.text).
				WithHint("write it like 300ms or 3s").WithField(d.field)
		}
		*d.into = v
	}
	return q, nil
}

func (a *API) listInvocations(ctx context.Context, in *invocationsInput) (*body[rest.List[hearth.Invocation]], error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	if in.Cursor == "" {
		if err := a.settle(ctx); err != nil {
			return nil, err
		}
	}
	is, next, err := a.o.Store.Invocations(ctx, q, in.store())
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
