package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

func (a *API) testEventOps() []operation {
	const tag, at = "test events", "/functions/{name}/test-events"
	return []operation{
		call(a, op("list-test-events", "GET", at, tag, "List the calls kept with a function, by name", hearth.RoleViewer), a.listTestEvents),
		call(a, op("get-test-event", "GET", at+"/{event}", tag, "Get a kept call", hearth.RoleViewer), a.getTestEvent),
		call(a, op("put-test-event", "PUT", at+"/{event}", tag, "Keep a call with a function", hearth.RoleDeveloper), a.putTestEvent),
		call(a, op("delete-test-event", "DELETE", at+"/{event}", tag, "Forget a kept call", hearth.RoleDeveloper), a.deleteTestEvent),
	}
}

// EventByName is the input of an operation on one test event.
type EventByName struct {
	ByName
	Event string `path:"event"`
}

// EventWas is the input of changes that may depend on what an event is.
type EventWas struct {
	IfMatch     string `header:"If-Match" doc:"the event's ETag; the change fails with 412 if it is another by now"`
	IfNoneMatch string `header:"If-None-Match" doc:"* fails with 412 if there is such an event"`
}

// eventWithETag is the document of an event; the tag is when it was updated.
type eventWithETag struct {
	ETag string `header:"ETag"`
	Body hearth.TestEvent
}

func taggedEvent(e hearth.TestEvent, err error) (*eventWithETag, error) {
	return &eventWithETag{ETag: strconv.Quote(strconv.FormatInt(e.UpdatedAt.UnixMilli(), 10)), Body: e}, err
}

func (w EventWas) store() (store.EventWas, error) {
	out := store.EventWas{}
	switch strings.TrimSpace(w.IfNoneMatch) {
	case "":
	case "*":
		out.Absent = true
	default:
		return out, hearth.Errorf(hearth.CodeInvalid, "If-None-Match is %s", w.IfNoneMatch).WithHint("only * is known").WithField("If-None-Match")
	}
	tag := strings.Trim(strings.TrimPrefix(w.IfMatch, "W/"), `"`)
	if tag == "" || tag == "*" {
		return out, nil
	}
	ms, err := strconv.ParseInt(tag, 10, 64)
	if err != nil || ms < 1 {
		return out, hearth.Errorf(hearth.CodeStale, "If-Match is %s, which no test event ever had", w.IfMatch).
			WithHint("send the ETag of the event as you last read it")
	}
	out.UpdatedAt = time.UnixMilli(ms)
	return out, nil
}

func (a *API) listTestEvents(ctx context.Context, in *ByName) (*body[rest.List[hearth.TestEvent]], error) {
	es, err := a.o.Store.TestEvents(ctx, in.Name)
	return listOf(es, ""), err
}

func (a *API) getTestEvent(ctx context.Context, in *EventByName) (*eventWithETag, error) {
	return taggedEvent(a.o.Store.TestEvent(ctx, in.Name, in.Event))
}

func (a *API) putTestEvent(ctx context.Context, in *struct {
	EventByName
	EventWas
	Body rest.PutTestEvent
}) (*eventWithETag, error) {
	was, err := in.EventWas.store()
	if err != nil {
		return nil, err
	}
	b := in.Body
	switch {
	case b.Name != "" && b.Name != in.Event:
		return nil, hearth.Errorf(hearth.CodeInvalid, "name is %q and the address says %q", b.Name, in.Event).
			WithHint("leave name out; to rename an event keep it under the new name and delete the old one").WithField("name")
	case b.Shared != nil && !*b.Shared:
		return nil, hearth.Errorf(hearth.CodeInvalid, "shared is false, but everybody who sees the function sees its test events").
			WithHint("leave it out; what is for you alone stays with you").WithField("shared")
	}
	e := hearth.TestEvent{
		Name: in.Event, Kind: b.Kind, Method: strings.ToUpper(b.Method), Path: b.Path, Headers: b.Headers, Body: b.Body, Base64: b.Base64,
		UpdatedBy: caller(ctx).user.Name,
	}
	if e.Kind == hearth.TestEventHTTP {
		e.Method, e.Path = cmp.Or(e.Method, http.MethodGet), cmp.Or(e.Path, "/")
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return taggedEvent(a.o.Store.PutTestEvent(ctx, in.Name, e, was))
}

func (a *API) deleteTestEvent(ctx context.Context, in *struct {
	EventByName
	EventWas
}) (*none, error) {
	was, err := in.EventWas.store()
	if err != nil {
		return nil, err
	}
	return nil, a.o.Store.DeleteTestEvent(ctx, in.Name, in.Event, was)
}
