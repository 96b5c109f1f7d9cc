package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"hearth"
	"hearth/client/rest"
)

// TestEvents lists the calls that are kept with a function, by name.
func (c *Client) TestEvents(ctx context.Context, function string) ([]hearth.TestEvent, error) {
	l, err := get[rest.List[hearth.TestEvent]](ctx, c, path("functions", function, "test-events"), nil)
	return l.Items, err
}

// TestEvent returns one kept call.
func (c *Client) TestEvent(ctx context.Context, function, event string) (hearth.TestEvent, error) {
	return get[hearth.TestEvent](ctx, c, path("functions", function, "test-events", event), nil)
}

// PutTestEvent keeps a call under e.Name, in the place of the one that was there.
func (c *Client) PutTestEvent(ctx context.Context, function string, e hearth.TestEvent) (hearth.TestEvent, error) {
	put := rest.PutTestEvent{Kind: e.Kind, Method: e.Method, Path: e.Path, Headers: e.Headers, Body: e.Body, Base64: e.Base64}
	return ask[hearth.TestEvent](ctx, c, request{method: http.MethodPut, path: path("functions", function, "test-events", e.Name), json: put})
}

// DeleteTestEvent forgets a kept call.
func (c *Client) DeleteTestEvent(ctx context.Context, function, event string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("functions", function, "test-events", event)}, nil)
}

// CallTestEvent calls a function with a kept call. Errors are as those of
// [Client.Invoke]; any answer of the function itself is a Reply, whatever its
// status.
func (c *Client) CallTestEvent(ctx context.Context, function string, e hearth.TestEvent) (*Reply, error) {
	if e.Kind == hearth.TestEventJSON {
		return c.Invoke(ctx, InvokeRequest{Name: function, Body: strings.NewReader(e.Body)})
	}
	body := e.Body
	if e.Base64 {
		b, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return nil, hearth.Errorf(hearth.CodeInvalid, "the body of the test event %q is not base64: %w", e.Name, err).WithField("body")
		}
		body = string(b)
	}
	header := http.Header{}
	for k, v := range e.Headers {
		header.Set(k, v)
	}
	req, err := c.newRequest(ctx, request{method: e.Method, path: "/fn/" + url.PathEscape(function) + e.Path, header: header, body: strings.NewReader(body)})
	if err != nil {
		return nil, err
	}
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	if own := header.Get("Authorization"); own != "" { // it is the function that checks it
		req.Header.Set("Authorization", own)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= 400 && resp.Header.Get(rest.HeaderVersion) == "" { // the platform's answer has no version
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return replyOf(resp), nil
}
