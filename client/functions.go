package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

	"hearth"
	"hearth/client/rest"
)

// Functions lists by name; prefix filters.
func (c *Client) Functions(ctx context.Context, prefix string, p Page) (rest.List[rest.FunctionInfo], error) {
	q := p.query()
	set(q, "prefix", prefix)
	return get[rest.List[rest.FunctionInfo]](ctx, c, path("functions"), q)
}

// Function returns one function.
func (c *Client) Function(ctx context.Context, name string) (rest.FunctionInfo, error) {
	return get[rest.FunctionInfo](ctx, c, path("functions", name), nil)
}

// UpdateFunction changes what is not nil in u. With a revision other than 0 it
// fails with CodeStale if the function has changed since.
func (c *Client) UpdateFunction(ctx context.Context, name string, u rest.FunctionUpdate, revision int64) (rest.FunctionInfo, error) {
	return ask[rest.FunctionInfo](ctx, c, request{method: http.MethodPatch, path: path("functions", name), json: u, header: ifMatch(revision)})
}

// DeleteFunction removes a function with its versions and routes. Revision is
// as for UpdateFunction.
func (c *Client) DeleteFunction(ctx context.Context, name string, revision int64) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("functions", name), header: ifMatch(revision)}, nil)
}

// DeployRequest is a deploy. Filename tells the form of Code by its ending:
// .zip, .tar.gz, .tgz, or a single source file such as main.py.
type DeployRequest struct {
	Name     string
	Config   rest.DeployConfig
	Code     io.Reader
	Filename string
}

// Deploy sends code and configuration and returns when the version serves. If
// it can't be loaded the error is the function's, with its trace, and the
// version that served before goes on serving.
func (c *Client) Deploy(ctx context.Context, d DeployRequest) (rest.Deployed, error) {
	pr, pw := io.Pipe()
	defer pr.Close()
	w := multipart.NewWriter(pw)
	go func() { pw.CloseWithError(writeDeploy(w, d)) }()
	return ask[rest.Deployed](ctx, c, request{
		method: http.MethodPost, path: path("functions", d.Name, "versions"), body: pr,
		header: http.Header{"Content-Type": {w.FormDataContentType()}},
	})
}

func writeDeploy(w *multipart.Writer, d DeployRequest) error {
	part, err := w.CreateFormField("config")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(part).Encode(d.Config); err != nil {
		return err
	}
	if part, err = w.CreateFormFile("code", d.Filename); err != nil {
		return err
	}
	if _, err := io.Copy(part, d.Code); err != nil {
		var own *hearth.Error // of who packs it
		if errors.As(err, &own) {
			return own
		}
		return hearth.Errorf(hearth.CodeInvalid, "read the code: %w", err)
	}
	return w.Close()
}

// Reconfigure makes a new version of the active one's code. Patch is merged
// into its configuration as RFC 7396 says: null takes a setting away.
func (c *Client) Reconfigure(ctx context.Context, name string, patch map[string]any) (rest.Deployed, error) {
	return ask[rest.Deployed](ctx, c, request{method: http.MethodPatch, path: path("functions", name, "config"), json: patch})
}

// Versions lists newest first.
func (c *Client) Versions(ctx context.Context, name string, p Page) (rest.List[hearth.Version], error) {
	return get[rest.List[hearth.Version]](ctx, c, path("functions", name, "versions"), p.query())
}

// Version returns one version.
func (c *Client) Version(ctx context.Context, name string, number int) (hearth.Version, error) {
	return get[hearth.Version](ctx, c, path("functions", name, "versions", strconv.Itoa(number)), nil)
}

// VersionFiles returns the files of a version, with the text of those that are
// text and not too long.
func (c *Client) VersionFiles(ctx context.Context, name string, number int) (rest.VersionFiles, error) {
	return get[rest.VersionFiles](ctx, c, path("functions", name, "versions", strconv.Itoa(number), "files"), nil)
}

// VersionCode returns the code of a version as a .tar.gz, which the caller
// closes.
func (c *Client) VersionCode(ctx context.Context, name string, number int) (io.ReadCloser, error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path("functions", name, "versions", strconv.Itoa(number), "code")})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Rollback lets an earlier version serve again; 0 is the one before the active
// one. Going forward again works the same way.
func (c *Client) Rollback(ctx context.Context, name string, r rest.Rollback) (rest.FunctionInfo, error) {
	return ask[rest.FunctionInfo](ctx, c, request{method: http.MethodPost, path: path("functions", name, "rollback"), json: r})
}
