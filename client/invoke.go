package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"hearth"
	"hearth/client/rest"
)

// InvokeRequest is one call of a function. Body is the event's JSON document,
// nil for null. Version 0 is the active one.
type InvokeRequest struct {
	Name    string
	Version int
	Body    io.Reader
}

// Reply is a function's answer. The caller closes Body; doing so early gives
// the call up.
type Reply struct {
	Invocation string
	Version    int
	Start      hearth.Start
	Status     int
	Header     http.Header
	Body       io.ReadCloser
}

// Invoke calls a function and returns when its reply begins. A failure of the
// function is an error whose code has the fault hearth.FaultFunction; it then
// is a *Failure, which also knows the invocation.
func (c *Client) Invoke(ctx context.Context, r InvokeRequest) (*Reply, error) {
	q := url.Values{}
	setInt(q, "version", r.Version)
	resp, err := c.do(ctx, request{ //nolint:bodyclose // the caller closes it as Reply.Body
		method: http.MethodPost, path: path("functions", r.Name, "invoke"), query: q, body: r.Body,
		header: http.Header{"Content-Type": {"application/json"}},
	})
	if err != nil {
		return nil, err
	}
	return replyOf(resp), nil
}

func replyOf(resp *http.Response) *Reply {
	version, _ := strconv.Atoi(resp.Header.Get(rest.HeaderVersion))
	return &Reply{
		Invocation: resp.Header.Get(rest.HeaderInvocation), Version: version,
		Start:  hearth.Start(resp.Header.Get(rest.HeaderStart)),
		Status: resp.StatusCode, Header: resp.Header, Body: resp.Body,
	}
}

// InvocationsQuery filters; zero fields don't.
type InvocationsQuery struct {
	Function    string
	Version     int
	Outcomes    []hearth.Outcome // any of these; also rest.OutcomeFailed
	Trigger     hearth.Trigger
	Starts      []hearth.Start // any of these; also rest.StartCold
	MinDuration time.Duration  // inclusive
	MinMemory   float64        // the least share of the memory limit, 0 to 1
	MaxDuration time.Duration  // inclusive
	ID          string         // its beginning
	Text        string         // substring of the error's type or message, case-insensitive
	Fingerprint string         // of a group of errors
	From, To    time.Time      // From inclusive, To exclusive
	Sort        string         // newest (the default), oldest, slowest, memory or cost
}

// Invocations lists in the order of iq.Sort.
func (c *Client) Invocations(ctx context.Context, iq InvocationsQuery, p Page) (rest.List[hearth.Invocation], error) {
	q := p.query()
	set(q, "function", iq.Function)
	setInt(q, "version", iq.Version)
	for _, o := range iq.Outcomes {
		q.Add("outcome", string(o))
	}
	set(q, "trigger", string(iq.Trigger))
	for _, s := range iq.Starts {
		q.Add("start", string(s))
	}
	setDuration(q, "min_duration", iq.MinDuration)
	setDuration(q, "max_duration", iq.MaxDuration)
	if iq.MinMemory != 0 {
		q.Set("min_memory_share", strconv.FormatFloat(iq.MinMemory, 'g', -1, 64))
	}
	set(q, "id", iq.ID)
	set(q, "text", iq.Text)
	set(q, "fingerprint", iq.Fingerprint)
	setTime(q, "from", iq.From)
	setTime(q, "to", iq.To)
	set(q, "sort", iq.Sort)
	return get[rest.List[hearth.Invocation]](ctx, c, path("invocations"), q)
}

// Invocation returns the record of one call.
func (c *Client) Invocation(ctx context.Context, id string) (hearth.Invocation, error) {
	return get[hearth.Invocation](ctx, c, path("invocations", id), nil)
}

func setDuration(q url.Values, name string, d time.Duration) {
	if d != 0 {
		q.Set(name, d.String())
	}
}

func setTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}
