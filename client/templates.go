package client

import (
	"context"

	"hearth/client/rest"
)

// Templates lists the functions that the server offers to start from.
func (c *Client) Templates(ctx context.Context) ([]rest.Template, error) {
	l, err := get[rest.List[rest.Template]](ctx, c, path("templates"), nil)
	return l.Items, err
}
