package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hearth"
	"hearth/client/rest"
)

// LogsQuery filters; zero fields don't.
type LogsQuery struct {
	Function   string
	Version    int
	Invocation string
	Stream     string         // "stdout", "stderr" or "platform"
	Levels     []hearth.Level // any of these
	Text       string         // substring, case-insensitive
	From, To   time.Time
	Newest     bool  // newest first, else oldest first
	AfterSeq   int64 // only lines that came after this one
}

func (lq LogsQuery) fill(q url.Values) url.Values {
	set(q, "function", lq.Function)
	setInt(q, "version", lq.Version)
	set(q, "invocation", lq.Invocation)
	set(q, "stream", lq.Stream)
	for _, l := range lq.Levels {
		q.Add("level", string(l))
	}
	set(q, "text", lq.Text)
	setTime(q, "from", lq.From)
	setTime(q, "to", lq.To)
	setInt(q, "after", int(lq.AfterSeq))
	if lq.Newest {
		q.Set("newest", "true")
	}
	return q
}

// Logs lists stored lines.
func (c *Client) Logs(ctx context.Context, lq LogsQuery, p Page) (rest.List[hearth.LogLine], error) {
	return get[rest.List[hearth.LogLine]](ctx, c, path("logs"), lq.fill(p.query()))
}

// CountLogs counts stored lines in the time of the query, by steps. The server's
// choice is the last hour.
func (c *Client) CountLogs(ctx context.Context, lq LogsQuery) (rest.Logs, error) {
	q := lq.fill(url.Values{})
	q.Set("histogram", "true")
	return get[rest.Logs](ctx, c, path("logs"), q)
}

// TailLogs yields lines as they are written, until ctx ends, the loop is left
// or the server refuses. It takes up a broken stream again where it was.
func (c *Client) TailLogs(ctx context.Context, lq LogsQuery) iter.Seq2[hearth.LogLine, error] {
	return stream[hearth.LogLine](ctx, c, path("logs", "tail"), lq.fill(url.Values{}))
}

// Events yields changes as they happen, as TailLogs does.
func (c *Client) Events(ctx context.Context) iter.Seq2[rest.Event, error] {
	return stream[rest.Event](ctx, c, path("events"), nil)
}

// reconnectDelay is how long a stream waits before it calls again.
const reconnectDelay = 500 * time.Millisecond

// stream reads server-sent events whose data are all of one kind.
func stream[T any](ctx context.Context, c *Client, path string, q url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for e, err := range events(ctx, c, path, q) {
			var v T
			if err == nil {
				err = e.decode(&v)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// event is a server-sent event.
type event struct{ id, kind, data string }

func (e event) decode(v any) error {
	if err := json.Unmarshal([]byte(e.data), v); err != nil {
		return hearth.Errorf(hearth.CodePlatform, "read an event: %w", err)
	}
	return nil
}

// events reads server-sent events. A connection that breaks is made again, from
// the last id on; an answer with an error ends the sequence.
func events(ctx context.Context, c *Client, path string, q url.Values) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		lastID := q.Get("after")
		for connected := false; ; {
			header := http.Header{"Accept": {"text/event-stream"}}
			if lastID != "" {
				header.Set("Last-Event-ID", lastID)
			}
			resp, err := c.do(ctx, request{method: http.MethodGet, path: path, query: q, header: header})
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				connected = true
				more := readEvents(resp.Body, &lastID, yield)
				resp.Body.Close()
				if !more || ctx.Err() != nil {
					return
				}
			case !connected || hearth.ErrorCode(err) != hearth.CodeUnavailable:
				yield(event{}, err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(reconnectDelay):
			}
		}
	}
}

// readEvents yields the events of one connection. It returns false when the
// consumer has left. An id without data is the position of a stream in which
// nothing happens.
func readEvents(r io.Reader, lastID *string, yield func(event, error) bool) bool {
	br := bufio.NewReader(r)
	var e event
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return true
		}
		line = strings.TrimRight(line, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "id":
			e.id = value
		case name == "event":
			e.kind = value
		case name == "data":
			e.data += value
		case line == "":
			if e.data != "" && !yield(e, nil) {
				return false
			}
			if e.id != "" {
				*lastID = e.id
			}
			e = event{}
		}
	}
}

// Collect reads a whole list, page by page.
func Collect[T any](list func(Page) (rest.List[T], error)) ([]T, error) {
	var all []T
	for p := (Page{Limit: 1000}); ; {
		l, err := list(p)
		if err != nil {
			return all, err
		}
		all = append(all, l.Items...)
		if l.Next == "" {
			return all, nil
		}
		if l.Next == p.Cursor {
			return all, errors.New("the server sent the same cursor twice")
		}
		p.Cursor = l.Next
	}
}
