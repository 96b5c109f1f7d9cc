package client

import (
	"context"
	"time"

	"hearth"
	"hearth/client/rest"
)

// DeployQuery filters the history; zero fields don't.
type DeployQuery struct {
	Function string
	From, To time.Time // From inclusive, To exclusive
}

// Deploys lists what served when, newest first.
func (c *Client) Deploys(ctx context.Context, q DeployQuery, p Page) (rest.List[hearth.Deploy], error) {
	v := p.query()
	set(v, "function", q.Function)
	setTime(v, "from", q.From)
	setTime(v, "to", q.To)
	return get[rest.List[hearth.Deploy]](ctx, c, path("deploys"), v)
}
