package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/bundle"
	"hearth/internal/store"
)

// maxConfig bounds the config part of a deploy.
const maxConfig = 1 << 20

func (a *API) deployOps() []operation {
	schema := func() *huma.Schema {
		return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[rest.DeployConfig](), true, "DeployConfig")
	}
	deployed := func(o *huma.Operation) {
		out := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[rest.Deployed](), true, "Deployed")
		o.Responses = map[string]*huma.Response{"201": {
			Description: "It serves", Content: map[string]*huma.MediaType{"application/json": {Schema: out}},
		}}
	}
	return []operation{
		op("deploy-function", "POST", "/functions/{name}/versions", "functions", "Deploy code as a new version", hearth.RoleDeveloper).
			doc(func(o *huma.Operation) {
				o.Description = "Makes the function if there is none. The reply comes when the version serves. If it can't be loaded " +
					"the error is the function's, with its trace, and the version before goes on serving."
				o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {
					Schema: &huma.Schema{Type: "object", Required: []string{"code"}, Properties: map[string]*huma.Schema{
						"config": schema(),
						"code":   {Type: "string", Format: "binary", Description: "a .zip, .tar.gz or single source file; its form is told by its file name"},
					}},
					Encoding: map[string]*huma.Encoding{"config": {ContentType: "application/json"}},
				}}}
				deployed(o)
			}).stream(a.deploy),
		op("configure-function", "PATCH", "/functions/{name}/config", "functions", "Deploy the active code with another configuration", hearth.RoleDeveloper).
			doc(func(o *huma.Operation) {
				o.Description = "The body is merged into the active version's configuration (RFC 7396: null takes a setting away)."
				o.Parameters = []*huma.Param{{
					Name: "If-Match", In: "header", Schema: &huma.Schema{Type: "string"},
					Description: "the function's ETag; the change fails with 412 if it is another by now",
				}}
				o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/merge-patch+json": {Schema: schema()}}}
				deployed(o)
			}).stream(a.reconfigure),
	}
}

func (a *API) deploy(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	name := r.PathValue("name")
	if err := hearth.ValidateName(name); err != nil {
		a.fail(w, r, err)
		return
	}
	cfg, code, err := a.readUpload(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d, err := a.deployer.deploy(r.Context(), name, cfg, code)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d.Ready.Total = hearth.Duration(time.Since(start))
	writeJSON(w, http.StatusCreated, d)
}

// readUpload reads the parts of a deploy, in any order.
func (a *API) readUpload(w http.ResponseWriter, r *http.Request) (cfg rest.DeployConfig, code bundle.Bundle, err error) {
	fail := func(err error) (rest.DeployConfig, bundle.Bundle, error) {
		return cfg, code, a.uploadError(r.Context(), err)
	}
	r.Body = io.NopCloser(a.pacedBody(w, r, a.o.MaxCode+maxConfig))
	mr, err := r.MultipartReader()
	if err != nil {
		return fail(hearth.Errorf(hearth.CodeInvalid, "the body is not multipart/form-data").
			WithHint(`send the parts "config" (JSON) and "code" (a file), for example with: curl -F config='{}' -F code=@main.py`))
	}
	for {
		part, err := mr.NextPart()
		if err == io.EOF { //nolint:errorlint // wrapped, the body was cut off
			break
		}
		if err != nil {
			return fail(err)
		}
		switch part.FormName() {
		case "config":
			var b []byte
			if b, err = io.ReadAll(io.LimitReader(part, maxConfig)); err == nil {
				err = decodeStrict(b, &cfg)
			}
		case "code":
			code, err = a.addCode(r.Context(), part)
		default:
			err = hearth.Errorf(hearth.CodeInvalid, "there is a part %q, which nothing is known of", part.FormName()).
				WithHint(`the parts are "config" and "code"`)
		}
		if err != nil {
			return fail(err)
		}
	}
	if code.Digest == "" {
		return fail(hearth.Errorf(hearth.CodeInvalid, `the part "code" is missing`).WithField("code").
			WithHint("send a .zip, a .tar.gz or a single source file"))
	}
	return cfg, code, nil
}

func (a *API) addCode(ctx context.Context, part *multipart.Part) (bundle.Bundle, error) {
	name := part.FileName()
	if name == "" {
		return bundle.Bundle{}, hearth.Errorf(hearth.CodeInvalid, `the part "code" has no file name`).WithField("code").
			WithHint("its ending tells the form: .zip, .tar.gz, or that of a source file")
	}
	return a.o.Bundles.Add(ctx, part, name)
}

// uploadError is bodyError with the limit of uploads.
func (a *API) uploadError(ctx context.Context, err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return hearth.Errorf(hearth.CodeTooLarge, "the upload is over the limit of %d bytes", a.o.MaxCode).
			WithHint("leave out what the function doesn't need, or start the server with a larger --max-code")
	}
	return a.bodyError(ctx, err)
}

// decodeStrict reads one JSON document and refuses members that it doesn't know:
// a misspelt limit must not silently be no limit.
func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var own *hearth.Error
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &typ):
		return hearth.Errorf(hearth.CodeInvalid, "%s can't be a %s", typ.Field, typ.Value).WithField(typ.Field)
	}
	return hearth.Errorf(hearth.CodeInvalid, "the configuration can't be read: %v", err)
}

func (a *API) reconfigure(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rev, err := Conditional{IfMatch: r.Header.Get("If-Match")}.revision()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	patch, err := io.ReadAll(a.pacedBody(w, r, maxConfig))
	if err != nil {
		a.fail(w, r, a.uploadError(r.Context(), err))
		return
	}
	d, err := a.deployer.reconfigure(r.Context(), r.PathValue("name"), patch, rev)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	d.Ready.Total = hearth.Duration(time.Since(start))
	writeJSON(w, http.StatusCreated, d)
}

// deployer changes what functions are. Changes of one function follow each
// other; those of different functions don't wait.
type deployer struct {
	api   *API
	locks *keyedLocks
}

// deploy checks everything that can be checked, then loads the version for
// real, and only then lets it take the traffic.
func (d *deployer) deploy(ctx context.Context, name string, cfg rest.DeployConfig, code bundle.Bundle) (rest.Deployed, error) {
	unlock := d.locks.lock(name)
	defer unlock()
	return d.deployLocked(ctx, name, cfg, code)
}

func (d *deployer) deployLocked(ctx context.Context, name string, cfg rest.DeployConfig, code bundle.Bundle) (out rest.Deployed, err error) {
	if !d.api.o.Ready() {
		return out, errStopping
	}
	v, err := d.version(name, cfg, code)
	if err != nil {
		return out, err
	}
	v.CreatedBy, v.Message = caller(ctx).user.Name, cfg.Message
	f, u, err := functionOf(name, cfg)
	if err != nil {
		return out, err
	}
	f.CreatedBy = v.CreatedBy
	if v, err = d.api.o.Store.AddVersion(ctx, f, v); err != nil {
		return out, err
	}
	ready, err := d.api.o.Engine.Deploy(ctx, v)
	if err != nil {
		return out, errors.Join(err, d.drop(ctx, v))
	}
	if f, err = d.api.o.Store.Activate(ctx, noted(v), u, 0); err != nil {
		d.api.o.Engine.Discard(v)
		return out, errors.Join(err, d.drop(ctx, v))
	}
	if err := d.put(ctx, f, v, rest.EventDeployed); err != nil {
		return out, err
	}
	return rest.Deployed{
		Function: d.api.info(f, &v), Version: v,
		Ready: rest.Readiness{
			Start: ready.Start, Took: ready.Took, Import: ready.Import, Shape: ready.Shape,
			Sealed: ready.Sealed, Warnings: ready.Warnings,
		},
	}, nil
}

// noted is what the history says of a deploy of v.
func noted(v hearth.Version) hearth.Deploy {
	return hearth.Deploy{Function: v.Function, Version: v.Number, Kind: hearth.DeployNew, By: v.CreatedBy, Message: v.Message}
}

// drop forgets a version that never served, even if the caller is gone.
func (d *deployer) drop(ctx context.Context, v hearth.Version) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return d.api.o.Store.DropVersion(ctx, v.Function, v.Number)
}

// put lets a version that the store calls active serve. With an error it is in
// place all the same, and its calls say why they can't be.
func (d *deployer) put(ctx context.Context, f hearth.Function, v hearth.Version, kind string) error {
	err := d.api.o.Engine.Activate(f, v)
	d.api.functions.put(f, v)
	d.api.changes.publish(rest.Event{Kind: kind, Function: f.Name, Version: v.Number, By: caller(ctx).user.Name})
	return err
}

// version fills what cfg leaves out and checks the whole.
func (d *deployer) version(name string, cfg rest.DeployConfig, code bundle.Bundle) (hearth.Version, error) {
	v := hearth.Version{
		Function: name, Handler: cfg.Handler, Sandbox: cfg.Sandbox,
		CodeDigest: code.Digest, CodeBytes: code.Bytes, Config: configOf(cfg),
	}
	if v.Sandbox == "" {
		v.Sandbox = d.api.o.Sandbox
	}
	if v.Handler != "" {
		if err := hearth.ValidateHandler(v.Handler); err != nil {
			return v, err
		}
	}
	if err := errors.Join(v.Config.Validate(), hearth.ValidateMessage(cfg.Message)); err != nil {
		return v, err
	}
	files, err := d.api.o.Bundles.FS(code.Digest)
	if err != nil {
		return v, err
	}
	rt, handler, err := d.api.o.Languages.Choose(cfg.Runtime, v.Handler, files)
	if err != nil {
		return v, err
	}
	v.Runtime, v.Handler = rt.Name, handler
	if v.Config.Limits.MemoryMiB < rt.MinMemory {
		return v, hearth.Errorf(hearth.CodeInvalid, "memory is %d MiB, with which %s doesn't start", v.Config.Limits.MemoryMiB, rt.Name).
			WithHint("give it at least %d", rt.MinMemory).WithField("memory")
	}
	return v, nil
}

func configOf(cfg rest.DeployConfig) hearth.Config {
	c := hearth.DefaultConfig()
	c.Limits = cfg.Limits.WithDefaults(c.Limits)
	c.Env, c.MaxScale, c.MinWarm, c.KeepAlive, c.Batch = cfg.Env, cfg.MaxScale, cfg.MinWarm, cfg.KeepAlive, cfg.Batch
	if cfg.Network != "" {
		c.Network = cfg.Network
	}
	if cfg.Concurrency != 0 {
		c.Concurrency = cfg.Concurrency
	}
	if cfg.OnDisconnect != "" {
		c.OnDisconnect = cfg.OnDisconnect
	}
	if cfg.Capture != "" {
		c.Capture = cfg.Capture
	}
	return c
}

// functionOf returns the function as a first deploy makes it, and the change
// that a later one makes.
func functionOf(name string, cfg rest.DeployConfig) (f hearth.Function, u store.FunctionUpdate, err error) {
	f.Name = name
	u, err = updateOf(rest.FunctionUpdate{Public: cfg.Public, Routes: cfg.Routes, CORS: cfg.CORS})
	if u.Public != nil {
		f.Public = *u.Public
	}
	if u.Routes != nil {
		f.Routes = *u.Routes
	}
	if u.CORS != nil {
		f.CORS = *u.CORS
	}
	return f, u, err
}

// updateOf checks a change of a function.
func updateOf(in rest.FunctionUpdate) (u store.FunctionUpdate, err error) {
	u.Public = in.Public
	if in.Routes != nil {
		rs, err := checkRoutes(*in.Routes)
		if err != nil {
			return u, err
		}
		u.Routes = &rs
	}
	if in.CORS != nil {
		c := in.CORS
		if len(c.Origins) == 0 {
			c = nil
		} else if err := c.Validate(); err != nil {
			return u, err
		}
		u.CORS = &c
	}
	return u, nil
}

// checkRoutes returns a copy of routes in which a CORS that says "none" is
// written in one way.
func checkRoutes(routes []hearth.Route) ([]hearth.Route, error) {
	out := slices.Clone(routes)
	seen := map[string]bool{}
	for i, r := range routes {
		if err := r.Validate(); err != nil {
			return nil, err
		}
		if seen[r.String()] {
			return nil, hearth.Errorf(hearth.CodeInvalid, "route %q is there twice", r).WithField("route")
		}
		seen[r.String()] = true
		if r.CORS != nil && r.CORS.None() {
			out[i].CORS = &hearth.CORS{Origins: []string{}}
		}
	}
	return out, nil
}

// reconfigure deploys the code that serves with another configuration. With a
// revision other than 0 it fails with CodeStale if the function has changed since.
func (d *deployer) reconfigure(ctx context.Context, name string, patch []byte, revision int64) (out rest.Deployed, err error) {
	unlock := d.locks.lock(name)
	defer unlock()
	f, ok := d.api.functions.get(name)
	if !ok {
		return out, noFunction(name)
	}
	if revision != 0 && revision != f.Revision {
		return out, hearth.Errorf(hearth.CodeStale, "function %q has changed meanwhile: it is at revision %d, not %d", name, f.Revision, revision).
			WithHint("read it again and look at what changed")
	}
	cfg, err := patched(f.version, patch)
	if err != nil {
		return out, err
	}
	return d.deployLocked(ctx, name, cfg, bundle.Bundle{Digest: f.version.CodeDigest, Bytes: f.version.CodeBytes})
}

// keyedLocks is a mutex per key, kept only while somebody wants it.
type keyedLocks struct {
	mu sync.Mutex
	m  map[string]*keyedLock
}

type keyedLock struct {
	mu      sync.Mutex
	wanters int
}

func newKeyedLocks() *keyedLocks { return &keyedLocks{m: map[string]*keyedLock{}} }

// lock waits for the key and returns its unlock.
func (k *keyedLocks) lock(key string) func() {
	k.mu.Lock()
	l := k.m[key]
	if l == nil {
		l = &keyedLock{}
		k.m[key] = l
	}
	l.wanters++
	k.mu.Unlock()
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.wanters--; l.wanters == 0 {
			delete(k.m, key)
		}
	}
}
