package client

import (
	"context"
	"iter"
	"net/url"

	"hearth"
	"hearth/client/rest"
)

// StreamEvent is one event of the stream. One of the pointers is set, by Kind.
type StreamEvent struct {
	ID   string // behind it the stream can be taken up again; "" of EventLost
	Kind string // rest.EventHello and the like

	Hello      *rest.StreamHello
	Lost       *rest.StreamLost
	Metrics    *rest.LiveMetrics
	Invocation *hearth.Invocation
	Log        *hearth.LogLine
	Change     *rest.Event
	Sandboxes  *rest.LiveSandboxes
}

// StreamQuery says what a stream tells of.
type StreamQuery struct {
	Topics []string // rest.StreamLogs, rest.StreamLogs + ":hello" and the like
	After  string   // id of the last event the caller had, "" for none
}

// Stream yields what happens on several topics, until ctx ends, the loop is left
// or the server refuses. It takes up a broken stream again where it was; each
// connection begins with a Hello, which says whether something is missing in
// between. Events of kinds that this client doesn't know are left out.
func (c *Client) Stream(ctx context.Context, sq StreamQuery) iter.Seq2[StreamEvent, error] {
	q := url.Values{"topic": sq.Topics}
	set(q, "after", sq.After)
	return func(yield func(StreamEvent, error) bool) {
		for e, err := range events(ctx, c, path("stream"), q) {
			s := StreamEvent{ID: e.id, Kind: e.kind}
			if err == nil {
				known, why := s.decode(e)
				if !known {
					continue
				}
				err = why
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func (s *StreamEvent) decode(e event) (known bool, err error) {
	switch e.kind {
	case rest.EventHello:
		s.Hello = &rest.StreamHello{}
		return true, e.decode(s.Hello)
	case rest.EventLost:
		s.Lost = &rest.StreamLost{}
		return true, e.decode(s.Lost)
	case rest.EventMetrics:
		s.Metrics = &rest.LiveMetrics{}
		return true, e.decode(s.Metrics)
	case rest.EventInvocation:
		s.Invocation = &hearth.Invocation{}
		return true, e.decode(s.Invocation)
	case rest.EventLog:
		s.Log = &hearth.LogLine{}
		return true, e.decode(s.Log)
	case rest.EventChange:
		s.Change = &rest.Event{}
		return true, e.decode(s.Change)
	case rest.EventSandboxStates:
		s.Sandboxes = &rest.LiveSandboxes{}
		return true, e.decode(s.Sandboxes)
	}
	return false, nil
}
