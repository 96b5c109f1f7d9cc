package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"hearth"
	"hearth/client/rest"
)

// Client speaks to one server as one user. Its methods may be called
// concurrently.
type Client struct {
	base *url.URL
	key  string
	http *http.Client
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient sets the HTTP client. Its Timeout must be zero for streams.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// New returns a client of the server at base ("http://127.0.0.1:8080") that
// sends key with each request, if it isn't empty.
func New(base, key string, opts ...Option) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, hearth.Errorf(hearth.CodeInvalid, "%q is not the address of a server", base).
			WithHint("write it like http://127.0.0.1:8080").WithField("url")
	}
	c := &Client{base: u, key: key, http: &http.Client{}}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// URL returns the server's address, without a final slash.
func (c *Client) URL() string { return c.base.String() }

// Page asks for a part of a list: at most Limit items (0 is the server's
// choice), from Cursor on.
type Page struct {
	Limit  int
	Cursor string
}

func (p Page) query() url.Values {
	q := url.Values{}
	setInt(q, "limit", p.Limit)
	set(q, "cursor", p.Cursor)
	return q
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setInt(q url.Values, name string, value int) {
	if value != 0 {
		q.Set(name, strconv.Itoa(value))
	}
}

// request is one call of the API.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         io.Reader // sent as it is
	json         any       // else sent as JSON
}

// path joins the parts of a path below /api/v1, escaped.
func path(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "/api/v1/" + strings.Join(parts, "/")
}

// do sends r and returns a reply whose status is below 400. The caller closes
// its body.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return resp, nil
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
	body, contentType := r.body, ""
	if r.json != nil {
		b, err := json.Marshal(r.json)
		if err != nil {
			return nil, hearth.Errorf(hearth.CodeInvalid, "encode the request: %w", err)
		}
		body, contentType = bytes.NewReader(b), "application/json"
	}
	target := c.base.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, hearth.Errorf(hearth.CodeInvalid, "make the request: %w", err)
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	return req, nil
}

// unreachable says what a person can do when no reply came.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return hearth.Errorf(hearth.CodeCancelled, "the request to %s was given up: %w", c.base, ctx.Err())
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var e *hearth.Error // of a body that failed to read
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return hearth.Errorf(hearth.CodeInvalid, "the server at %s speaks plain HTTP, not HTTPS", c.base.Host).
			WithHint("use http://%s, or let the server have --tls-cert and --tls-key", c.base.Host).WithField("url")
	}
	return hearth.Errorf(hearth.CodeUnavailable, "no answer from %s (%v)", c.base, err).
		WithHint("is the server running? start it with: hearth serve, or point HEARTH_URL at it")
}

// call is do with a JSON reply, which is read into out unless that is nil.
func (c *Client) call(ctx context.Context, r request, out any) error {
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(out)
	}
	if err != nil {
		return hearth.Errorf(hearth.CodePlatform, "read the reply of %s: %w", c.base, err)
	}
	return nil
}

// get is call for the common case.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	return ask[T](ctx, c, request{method: http.MethodGet, path: path, query: query})
}

// ask is call that returns the reply.
func ask[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	err := c.call(ctx, r, &out)
	return out, err
}

// maxProblem bounds what is read of an error.
const maxProblem = 256 << 10

// readProblem turns an error reply into the error that the server meant.
func readProblem(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	mt, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p rest.Problem
	if mt == "application/problem+json" && json.Unmarshal(b, &p) == nil && p.Code != "" {
		if p.Invocation != "" {
			return &Failure{Invocation: p.Invocation, Err: p.Err()}
		}
		return p.Err()
	}
	e := hearth.Errorf(rest.CodeOf(resp.StatusCode), "the server answered %s", resp.Status)
	if text := strings.TrimSpace(string(b)); text != "" && len(text) < 200 {
		e.Message += ": " + text
	}
	return e.WithHint("does a Hearth server answer at this address?")
}

// Failure is an invocation that failed. The *hearth.Error is in its chain.
type Failure struct {
	Invocation string // its id: what the server recorded is under it
	Err        *hearth.Error
}

// Error returns the message of the error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the error.
func (f *Failure) Unwrap() error { return f.Err }

// ifMatch is the header that makes a change fail with CodeStale unless the
// function still has this revision; 0 is any.
func ifMatch(revision int64) http.Header {
	if revision == 0 {
		return nil
	}
	return http.Header{"If-Match": {fmt.Sprintf("%q", strconv.FormatInt(revision, 10))}}
}
