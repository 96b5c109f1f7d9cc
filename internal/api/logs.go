package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/logs"
	"hearth/internal/store"
)

func (a *API) logOps() []operation {
	const tag = "logs"
	return []operation{
		call(a, op("list-logs", "GET", "/logs", tag, "Search what functions wrote", hearth.RoleViewer), a.listLogs),
		op("tail-logs", "GET", "/logs/tail", tag, "Follow what functions write", hearth.RoleViewer).
			doc(func(o *huma.Operation) {
				o.Description = "Server-sent events, one line each; the id is the line's `seq`. With `Last-Event-ID` (or `after`) it goes on from there."
				for _, p := range []string{"function", "invocation", "stream", "text"} {
					o.Parameters = append(o.Parameters, queryParam(p, "string", ""))
				}
				explode := true
				o.Parameters = append(o.Parameters, &huma.Param{Name: "level", In: "query", Explode: &explode, Description: "error, warn, info or debug; repeatable",
					Schema: &huma.Schema{Type: "array", Items: &huma.Schema{Type: "string"}}})
				o.Parameters = append(o.Parameters, queryParam("version", "integer", ""), queryParam("after", "integer", "only lines after this one"))
				o.Responses = eventStream()
			}).stream(a.tailLogs),
		op("stream-events", "GET", "/events", "events", "Follow what happens to functions", hearth.RoleViewer).
			doc(func(o *huma.Operation) {
				o.Description = "Server-sent events. With `Last-Event-ID` it goes on from there; an event of the kind `reset` says that some were lost."
				o.Responses = eventStream()
			}).stream(a.streamEvents),
	}
}

func eventStream() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "Events until the reader leaves", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}},
	}}
}

type logsInput struct {
	Page
	Function   string         `query:"function"`
	Version    int            `query:"version" minimum:"1"`
	Invocation string         `query:"invocation"`
	Stream     string         `query:"stream" enum:"stdout,stderr,platform"`
	Level      []hearth.Level `query:"level,explode" enum:"error,warn,info,debug" doc:"repeatable; what logging libraries call CRITICAL or FATAL is an error, too, TRACE is debug"`
	Text       string         `query:"text" doc:"substring, case-insensitive"`
	From       time.Time      `query:"from" doc:"inclusive"`
	To         time.Time      `query:"to" doc:"exclusive"`
	After      int64          `query:"after" minimum:"0" doc:"only lines whose seq is greater"`
	Newest     bool           `query:"newest" doc:"newest first"`
	Histogram  bool           `query:"histogram" doc:"instead of lines, how many there are in each of at most 60 steps from from (an hour before to if not given) to to (now)"`
}

func (a *API) listLogs(ctx context.Context, in *logsInput) (*body[rest.Logs], error) {
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	q := store.LogQuery{
		Function: in.Function, Version: in.Version, Invocation: in.Invocation, Stream: in.Stream, Levels: in.Level, Text: in.Text,
		From: in.From, To: in.To, AfterSeq: in.After, Newest: in.Newest,
	}
	if in.Histogram {
		h, err := a.countLogs(ctx, q)
		return &body[rest.Logs]{h}, err
	}
	ls, next, err := a.o.Store.Logs(ctx, q, in.store())
	if ls == nil {
		ls = []hearth.LogLine{}
	}
	return &body[rest.Logs]{rest.Logs{Items: ls, Next: next}}, err
}

// logSteps is how many steps a histogram has, unless they would be shorter than
// a second.
const (
	logSteps    = 60
	maxLogsSpan = 400 * 24 * time.Hour
)

func (a *API) countLogs(ctx context.Context, q store.LogQuery) (rest.Logs, error) {
	from, to, err := span(q.From, q.To, time.Hour, maxLogsSpan)
	if err != nil {
		return rest.Logs{}, err
	}
	// Whole seconds, the last step made full: at is in seconds.
	first, last := from.Unix(), to.Add(time.Second-1).Unix()
	step := max(1, (last-first+logSteps-1)/logSteps)
	steps := (last - first + step - 1) / step
	q.From, q.To = time.Unix(first, 0), time.Unix(first+steps*step, 0)
	out := rest.Logs{Items: []hearth.LogLine{}, Step: step}
	if out.Counts, err = a.o.Store.CountLogs(ctx, q, int(steps)); err != nil {
		return rest.Logs{}, err
	}
	for i := range steps {
		out.At = append(out.At, first+i*step)
	}
	return out, nil
}

// tailLogs sends lines as they are written. A reader that comes back, or was
// too slow, gets what it missed from the store.
func (a *API) tailLogs(w http.ResponseWriter, r *http.Request) {
	f, err := tailFilter(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	sub := a.o.Logs.Subscribe(f)
	defer sub.Close()
	s, err := a.newStream(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	t := tail{api: a, s: s, filter: f}
	if s.last > 0 {
		t.catchUp(r.Context())
	}
	for s.flush() {
		select {
		case l, ok := <-sub.C:
			if !ok {
				return
			}
			if sub.Lost() > 0 && s.last > 0 {
				t.catchUp(r.Context())
			}
			t.send(l)
		case <-s.wait():
			s.heartbeat()
		case <-s.done:
			return
		case <-a.closing:
			return
		}
	}
}

type tail struct {
	api    *API
	s      *stream
	filter logs.Filter
}

func (t tail) send(l hearth.LogLine) {
	if l.Seq <= t.s.last {
		return
	}
	t.s.last = l.Seq
	t.s.send(strconv.FormatInt(l.Seq, 10), l)
}

// catchUp sends what the store has after the last line sent.
func (t tail) catchUp(ctx context.Context) {
	if err := t.api.o.Store.Flush(ctx); err != nil {
		t.s.note(err)
		return
	}
	q := store.LogQuery{
		Function: t.filter.Function, Version: t.filter.Version, Invocation: t.filter.Invocation,
		Stream: t.filter.Stream, Levels: t.filter.Levels, Text: t.filter.Text, AfterSeq: t.s.last,
	}
	for p := (store.Page{Limit: 1000}); t.s.err == nil; {
		ls, next, err := t.api.o.Store.Logs(ctx, q, p)
		if err != nil {
			t.s.note(err)
			return
		}
		for _, l := range ls {
			t.send(l)
		}
		if next == "" {
			return
		}
		p.Cursor = next
	}
}

func tailFilter(r *http.Request) (logs.Filter, error) {
	q := r.URL.Query()
	version, err := versionParam(r)
	f := logs.Filter{
		Function: q.Get("function"), Version: version, Invocation: q.Get("invocation"),
		Stream: q.Get("stream"), Text: q.Get("text"),
	}
	for _, l := range q["level"] {
		if len(hearth.Level(l).Names()) == 0 {
			return f, hearth.Errorf(hearth.CodeInvalid, "there is no level %.50q", l).WithField("level").WithHint("use error, warn, info or debug")
		}
		f.Levels = append(f.Levels, hearth.Level(l))
	}
	return f, err
}
