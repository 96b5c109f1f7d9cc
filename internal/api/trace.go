package api

import (
	"net/http"
	"strings"

	"hearth"
	"hearth/internal/engine"
	"hearth/internal/tracing"
)

// trace gives a call its place in a trace: the span that is made of it, or where
// none is, that of the caller. The function finds it in its context, and in the
// headers of an HTTP event.
func (a *API) trace(r *http.Request, c *engine.Call) {
	parent, state := traceContext(r)
	c.Trace = parent
	span := a.o.Tracer.Begin(tracing.Call{
		ID: c.ID, Function: c.Function, Trigger: c.Trigger, HTTP: c.Event.HTTP, Parent: parent, State: state,
	})
	if span == nil {
		return
	}
	c.Trace, state = span.Context()
	c.Observer = span
	if c.Event.HTTP == nil {
		return
	}
	h := http.Header(c.Event.HTTP.Headers) // a copy of the request's
	h.Set("Traceparent", c.Trace)
	if h.Del("Tracestate"); state != "" {
		h.Set("Tracestate", state)
	}
}

// traceContext returns the W3C trace context of a request, if it is well formed.
func traceContext(r *http.Request) (parent, state string) {
	all := r.Header.Values("Traceparent")
	if len(all) != 1 || hearth.TraceID(all[0]) == "" {
		return "", ""
	}
	return all[0], strings.Join(r.Header.Values("Tracestate"), ",")
}
