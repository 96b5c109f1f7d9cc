package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"hearth"
	"hearth/client/rest"
)

// WhoAmI returns the user behind the key.
func (c *Client) WhoAmI(ctx context.Context) (rest.Identity, error) {
	return get[rest.Identity](ctx, c, path("whoami"), nil)
}

// SignInLink makes an address that signs a browser in as the caller, once.
func (c *Client) SignInLink(ctx context.Context) (rest.SignInLink, error) {
	return ask[rest.SignInLink](ctx, c, request{method: http.MethodPost, path: path("whoami", "sign-in-links")})
}

// Server returns what the server says about itself, with what each sandbox
// driver can and can't enforce on its host.
func (c *Client) Server(ctx context.Context) (rest.Server, error) {
	return get[rest.Server](ctx, c, path("server"), nil)
}

// Ready reports whether the server takes calls.
func (c *Client) Ready(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodGet, path: "/readyz"}, nil)
}

// Runtimes lists the languages of the server's host, best first.
func (c *Client) Runtimes(ctx context.Context) (rest.List[hearth.Runtime], error) {
	return get[rest.List[hearth.Runtime]](ctx, c, path("runtimes"), nil)
}

// Sandboxes lists the sandboxes that live.
func (c *Client) Sandboxes(ctx context.Context) (rest.List[rest.Sandbox], error) {
	return get[rest.List[rest.Sandbox]](ctx, c, path("sandboxes"), nil)
}

// KillSandbox destroys a sandbox; its calls fail.
func (c *Client) KillSandbox(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("sandboxes", id)}, nil)
}

// Pools lists the pools of prewarmed sandboxes.
func (c *Client) Pools(ctx context.Context) (rest.List[rest.Pool], error) {
	return get[rest.List[rest.Pool]](ctx, c, path("pools"), nil)
}

// Metrics summarises the calls of the last span of time (0 is the server's
// choice) of one function, or of all with "".
func (c *Client) Metrics(ctx context.Context, function string, span time.Duration) (rest.Metrics, error) {
	q := url.Values{}
	set(q, "function", function)
	if span > 0 {
		q.Set("span", span.String())
	}
	return get[rest.Metrics](ctx, c, path("metrics"), q)
}

// Users lists the users.
func (c *Client) Users(ctx context.Context, p Page) (rest.List[hearth.User], error) {
	return get[rest.List[hearth.User]](ctx, c, path("users"), p.query())
}

// AddUser makes a user, who has no key yet.
func (c *Client) AddUser(ctx context.Context, u rest.NewUser) (hearth.User, error) {
	return ask[hearth.User](ctx, c, request{method: http.MethodPost, path: path("users"), json: u})
}

// UpdateUser changes the user of this name.
func (c *Client) UpdateUser(ctx context.Context, name string, u rest.UserUpdate) (hearth.User, error) {
	return ask[hearth.User](ctx, c, request{method: http.MethodPatch, path: path("users", name), json: u})
}

// DeleteUser removes the user of this name, and its keys.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("users", name)}, nil)
}

// Keys lists the keys of the user of this name, of the caller with "".
func (c *Client) Keys(ctx context.Context, user string, p Page) (rest.List[hearth.Key], error) {
	q := p.query()
	set(q, "user", user)
	return get[rest.List[hearth.Key]](ctx, c, path("keys"), q)
}

// AddKey makes a key. Its secret is in the reply and nowhere else.
func (c *Client) AddKey(ctx context.Context, k rest.NewKey) (rest.CreatedKey, error) {
	return ask[rest.CreatedKey](ctx, c, request{method: http.MethodPost, path: path("keys"), json: k})
}

// DeleteKey takes a key away by its ID.
func (c *Client) DeleteKey(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("keys", id)}, nil)
}
