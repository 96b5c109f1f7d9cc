package client

import (
	"context"
	"net/url"
	"time"

	"hearth/client/rest"
)

// ErrorsQuery filters; zero fields don't. The server's choice is the last day.
type ErrorsQuery struct {
	Function string
	From, To time.Time // From inclusive, To exclusive
}

// Errors lists what failed, in groups of failures that are alike.
func (c *Client) Errors(ctx context.Context, eq ErrorsQuery) (rest.ErrorGroups, error) {
	q := url.Values{}
	set(q, "function", eq.Function)
	setTime(q, "from", eq.From)
	setTime(q, "to", eq.To)
	return get[rest.ErrorGroups](ctx, c, path("errors"), q)
}
