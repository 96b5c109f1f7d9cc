package client

import (
	"context"
	"net/http"
	"net/url"

	"hearth"
	"hearth/client/rest"
)

// Capture returns what a call was asked and answered, if it was captured.
func (c *Client) Capture(ctx context.Context, invocation string) (hearth.Capture, error) {
	return get[hearth.Capture](ctx, c, path("invocations", invocation, "capture"), nil)
}

// ReplayRequest asks for a call with the event of an earlier one.
type ReplayRequest struct {
	Invocation string // the earlier one
	Version    int    // 0 is the active one
	Force      bool   // also if something of the event was cut off or taken out
}

// Replay calls a function once more; see Invoke. Reply.Status is the function's
// own where the event is one of HTTP, whatever it is.
func (c *Client) Replay(ctx context.Context, r ReplayRequest) (*Reply, error) {
	q := url.Values{}
	setInt(q, "version", r.Version)
	if r.Force {
		q.Set("force", "true")
	}
	req, err := c.newRequest(ctx, request{method: http.MethodPost, path: path("invocations", r.Invocation, "replay"), query: q})
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req) //nolint:bodyclose // the caller closes it as Reply.Body
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= 400 && resp.Header.Get(rest.HeaderVersion) == "" { // not from the function
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return replyOf(resp), nil
}
