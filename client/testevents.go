package client

import (
	"context"
	"net/http"

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
