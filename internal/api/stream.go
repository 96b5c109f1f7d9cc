package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/live"
	"hearth/internal/metrics"
)

func (a *API) streamOps() []operation {
	return []operation{
		op("stream", "GET", "/stream", "events", "Follow several topics on one connection", hearth.RoleViewer).
			doc(func(o *huma.Operation) {
				explode := true
				o.Description = "Server-sent events. The first is `hello`; then, each second, `metrics`; as they happen, `invocation`, `log` and " +
					"`change`; and each second in which something changed, `sandboxes`. With `Last-Event-ID` (or `after`) the stream goes on behind " +
					"that event, whatever its topic; ids are opaque. Where that isn't possible any more, because the server was started anew or too " +
					"much has happened, `hello` says `resumed: false` and the stream begins at this moment. A reader that is too slow loses events, " +
					"and is told so by `lost`. A comment comes where nothing else did for 15 s."
				o.Parameters = []*huma.Param{
					{Name: "topic", In: "query", Required: true, Explode: &explode, Schema: &huma.Schema{Type: "array", Items: &huma.Schema{Type: "string"}},
						Description: "metrics, invocations, logs, changes or sandboxes; for one function as logs:NAME, which works with the first three; repeatable"},
					queryParam("after", "string", "id of the last event that you had"),
				}
				o.Responses = map[string]*huma.Response{"200": {
					Description: "Events until the reader leaves",
					Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: a.eventSchema()}},
				}}
			}).stream(a.serveStream),
	}
}

// eventSchema describes the data of the stream's events.
func (a *API) eventSchema() *huma.Schema {
	s := &huma.Schema{Description: "the data of an event"}
	for _, t := range []reflect.Type{
		reflect.TypeFor[rest.StreamHello](), reflect.TypeFor[rest.StreamLost](), reflect.TypeFor[rest.LiveMetrics](), reflect.TypeFor[hearth.Invocation](),
		reflect.TypeFor[hearth.LogLine](), reflect.TypeFor[rest.Event](), reflect.TypeFor[rest.LiveSandboxes](),
	} {
		s.OneOf = append(s.OneOf, a.huma.OpenAPI().Components.Schemas.Schema(t, true, ""))
	}
	return s
}

// streamPause is how long a stream waits between pieces: events that come close
// together leave in one.
const streamPause = 50 * time.Millisecond

// serveStream sends what happens until the reader leaves. The reader holds no
// queue: it looks at what the hub keeps, so that a slow one costs nothing.
func (a *API) serveStream(w http.ResponseWriter, r *http.Request) {
	f, err := live.ParseFilter(r.URL.Query()["topic"])
	if err != nil {
		a.fail(w, r, err)
		return
	}
	reader, resumed, err := a.o.Live.NewReader(f, lastEventID(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	defer reader.Close()
	s := a.beginStream(w, r)
	defer s.tick.Stop()
	s.event(rest.EventHello, reader.Position(), rest.StreamHello{
		ServerTime: hearth.Moment(time.Now()), Instance: a.o.Instance, Version: a.o.Version, Resumed: resumed,
	})
	for s.flush() {
		events, lost, more := reader.Next()
		for _, l := range lost {
			s.event(rest.EventLost, "", rest.StreamLost{Topic: l.Topic.String(), Count: l.Count})
		}
		for _, e := range events {
			if only := f[live.Metrics]; e.Topic == live.Metrics && len(only) > 0 {
				s.event(rest.EventMetrics, e.ID(), narrow(e.Value.(rest.LiveMetrics), only))
				continue
			}
			s.write(e.Frame())
		}
		if more == nil {
			continue
		}
		if len(events) > 0 || len(lost) > 0 {
			s.tick.Reset(a.o.Heartbeat)
			if !s.flush() || !s.pause() {
				return
			}
			continue
		}
		select {
		case <-more:
		case <-s.wait():
			// An id alone moves the reader's position without an event.
			s.write(fmt.Appendf(nil, ": \nid: %s\n\n", reader.Position()))
			if !a.stillMay(r) {
				return
			}
		case <-s.done:
			return
		case <-a.closing:
			return
		}
	}
}

// narrow leaves the series of the functions. m is shared and stays as it is.
func narrow(m rest.LiveMetrics, functions []string) rest.LiveMetrics {
	series := []rest.LiveSeries{}
	for _, s := range m.Series {
		if slices.Contains(functions, s.Function) {
			series = append(series, s)
		}
	}
	m.Series = series
	return m
}

// stillMay reports whether the caller of a request that goes on for long may
// still look: keys are deleted, sessions end.
func (a *API) stillMay(r *http.Request) bool {
	_, err := a.authorize(r, hearth.RoleViewer)
	return err == nil
}

func (s *stream) write(p []byte) {
	_, err := s.w.Write(p)
	s.note(err)
}

// event writes an event of a kind.
func (s *stream) event(kind, id string, v any) {
	data, err := json.Marshal(v)
	s.note(err)
	if id != "" {
		kind += "\nid: " + id
	}
	s.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, data))
}

// pause waits a little and reports whether the reader is still there.
func (s *stream) pause() bool {
	t := time.NewTimer(streamPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}

// Sample publishes each second's figures, and the sandboxes when they have
// changed, until ctx ends. Nothing is done while nobody watches.
func (a *API) Sample(ctx context.Context) {
	t := time.NewTimer(untilNextSecond())
	defer t.Stop()
	var last sandboxState
	var next time.Time // the second to tell of next
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			t.Reset(untilNextSecond())
			if watched, _ := a.o.Live.Watched(live.Metrics); watched {
				next = a.sampleSince(ctx, next, now.Truncate(time.Second))
			}
			if watched, joined := a.o.Live.Watched(live.Sandboxes); watched {
				last = a.sampleSandboxes(ctx, last, joined)
			}
		}
	}
}

// untilNextSecond is a little more than that, so that what ended in the second
// has been counted.
func untilNextSecond() time.Duration {
	now := time.Now()
	return now.Truncate(time.Second).Add(time.Second + 20*time.Millisecond).Sub(now)
}

// maxLate is how long a second is waited for: those that count it may be held up
// on a busy host, and to say that nothing happened would be wrong. A second that
// never comes is one in which the server wasn't there.
const maxLate = 5 * time.Second

// sampleSince publishes the seconds from next on that are over and counted, and
// returns the first that isn't.
func (a *API) sampleSince(ctx context.Context, next, now time.Time) time.Time {
	if next.Before(now.Add(-maxLate)) || next.After(now) { // nobody watched, or the clock was set
		next = now.Add(-time.Second)
	}
	for ; next.Before(now); next = next.Add(time.Second) {
		if !a.sampleMetrics(ctx, next) && now.Sub(next) < maxLate {
			break
		}
	}
	return next
}

// sampleMetrics publishes a second whole, and each function's part of it. It
// reports false if the second isn't counted yet.
func (a *API) sampleMetrics(ctx context.Context, second time.Time) bool {
	m := rest.LiveMetrics{At: second.Unix(), Step: 1, Series: []rest.LiveSeries{}, Load: rest.Load(a.o.Engine.Stats())}
	for _, functions := range [][]string{nil, {metrics.Every}} {
		res, err := a.o.Metrics.Query(ctx, metrics.Query{
			Functions: functions, From: second, To: second.Add(time.Second), Step: time.Second,
			Fields: metrics.FieldDuration | metrics.FieldMemory | metrics.FieldHost, Totals: true,
		})
		if err != nil || sum(res.Seconds) == 0 {
			return false
		}
		for _, s := range res.Series {
			if s.Total.Requests > 0 || s.Function == "" {
				m.Series = append(m.Series, liveSeries(s))
			}
		}
		if len(res.Host) > 0 && res.Host[0] != nil {
			_, total, _ := metrics.HostMemory()
			m.Host = &rest.LiveHost{CPU: &res.Host[0].CPU, Memory: int64(res.Host[0].Memory), MemoryTotal: total}
		}
	}
	a.o.Live.Publish(live.Metrics, "", m, 256*(1+len(m.Series)))
	return true
}

func liveSeries(s metrics.Series) rest.LiveSeries {
	t := s.Total
	l := rest.LiveSeries{Function: s.Function, Requests: t.Requests, Errors: t.Errors, Outcomes: t.Outcomes(), CPU: &t.CPU}
	if l.Outcomes == nil {
		l.Outcomes = map[hearth.Outcome]int64{}
	}
	if t.Duration.N > 0 {
		l.P50, l.P95, l.P99 = &t.Duration.P50, &t.Duration.P95, &t.Duration.P99
	}
	if t.Memory.N > 0 {
		l.MemoryMax = &t.MemoryMax
	}
	return l
}

type sandboxState struct {
	told   []byte
	joined int64
}

func (a *API) sampleSandboxes(ctx context.Context, last sandboxState, joined int64) sandboxState {
	now := rest.LiveSandboxes{Items: a.sandboxes(ctx), Pools: a.pools()}
	b, err := json.Marshal(now)
	if err != nil || (joined == last.joined && bytes.Equal(b, last.told)) {
		return last
	}
	a.o.Live.Publish(live.Sandboxes, "", json.RawMessage(b), len(b))
	return sandboxState{b, joined}
}
