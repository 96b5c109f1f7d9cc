package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"hearth"
	"hearth/client/rest"
)

const prefix = "/api/v1"

// operation is a row of the table: all that the API can be asked, and by whom.
// What isn't in the table isn't served.
type operation struct {
	huma.Operation
	role  hearth.Role                                  // the least that may
	typed func(api huma.API, op huma.Operation)        // JSON in, JSON out
	raw   func(w http.ResponseWriter, r *http.Request) // bytes and streams
}

// op makes a row; call turns it into an operation with JSON documents, stream
// into one that handles the connection itself.
func op(id, method, path, tag, summary string, role hearth.Role) operation {
	return operation{role: role, Operation: huma.Operation{
		OperationID: id, Method: method, Path: prefix + path, Tags: []string{tag}, Summary: summary,
	}}
}

func call[I, O any](a *API, o operation, fn func(context.Context, *I) (*O, error)) operation {
	o.typed = func(api huma.API, hop huma.Operation) {
		huma.Register(api, hop, func(ctx context.Context, in *I) (*O, error) {
			out, err := fn(ctx, in)
			if err != nil {
				return nil, a.toProblem(ctx, err)
			}
			return out, nil
		})
	}
	return o
}

func (o operation) stream(fn func(http.ResponseWriter, *http.Request)) operation {
	o.raw = fn
	return o
}

// doc changes how the operation is described.
func (o operation) doc(change func(*huma.Operation)) operation {
	change(&o.Operation)
	return o
}

// table is the one table of operations.
func (a *API) table() []operation {
	return slices.Concat(
		a.functionOps(), a.versionOps(), a.deployOps(), a.invocationOps(), a.logOps(), a.streamOps(), a.errorOps(), a.captureOps(), a.metricOps(),
		a.templateOps(), a.historyOps(), a.testEventOps(),
		a.sandboxOps(), a.userOps(), a.keyOps(), a.selfOps(),
	)
}

// body is an input or output that is one JSON document.
type body[T any] struct{ Body T }

// ByName is the input of an operation on one named thing.
type ByName struct {
	Name string `path:"name"`
}

// Page is the input of lists. It and the other embedded inputs are exported only
// because the library that reads them doesn't look into others.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" doc:"at most so many items; 100 if not given"`
	Cursor string `query:"cursor" doc:"the next of the page before"`
}

// none is the output of an operation that has nothing to say.
type none struct{}

// register puts the table on the mux and in the OpenAPI document.
func (a *API) register() {
	cfg := huma.DefaultConfig("Hearth", a.o.Version)
	cfg.Info.Description = "Errors are RFC 9457 problem documents with a stable `code`. " +
		"Send the key as `Authorization: Bearer KEY`."
	cfg.CreateHooks = nil // they add $schema to every reply
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.Transformers = []huma.Transformer{validationProblem}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "an API key"},
	}
	cfg.Security = []map[string][]string{{"key": {}}}
	a.huma = humago.New(a.mux, cfg)
	for _, o := range a.table() {
		o.Extensions = map[string]any{"x-role": string(o.role)}
		if o.typed != nil {
			o.typed(a.huma, o.Operation)
		} else {
			a.registerRaw(o)
		}
		a.ops[o.Method+" "+o.Path] = o
	}
	a.documentProblems()
}

func (a *API) registerRaw(o operation) {
	o.Parameters = append(pathParams(o.Path), o.Parameters...)
	if o.Responses == nil {
		o.Responses = map[string]*huma.Response{"200": {Description: "OK"}}
	}
	a.huma.OpenAPI().AddOperation(&o.Operation)
	a.mux.HandleFunc(o.Method+" "+o.Path, o.raw)
}

var paramRE = regexp.MustCompile(`\{(\w+)\}`)

func pathParams(path string) []*huma.Param {
	var ps []*huma.Param
	for _, m := range paramRE.FindAllStringSubmatch(path, -1) {
		ps = append(ps, &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: "string"}})
	}
	return ps
}

func queryParam(name, typ, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: typ}}
}

// documentProblems says of each operation that its errors are our problem
// documents, in place of the library's own.
func (a *API) documentProblems() {
	oapi := a.huma.OpenAPI()
	schema := huma.SchemaFromType(oapi.Components.Schemas, reflect.TypeFor[rest.Problem]())
	oapi.Components.Schemas.Map()["Problem"] = schema
	delete(oapi.Components.Schemas.Map(), "ErrorModel")
	delete(oapi.Components.Schemas.Map(), "ErrorDetail")
	for _, item := range oapi.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Put, item.Delete} {
			if o == nil {
				continue
			}
			o.Responses["default"] = &huma.Response{Description: "A problem", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
			}}
		}
	}
}

// OpenAPI returns the description of all operations.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

func (a *API) writeSpec(w http.ResponseWriter) {
	enc := json.NewEncoder(w)
	_ = enc.Encode(a.huma.OpenAPI())
}

// serveAPI lets an operation of the table answer, if the caller may.
func (a *API) serveAPI(w http.ResponseWriter, r *http.Request) {
	ownHeaders(w)
	id, err := a.identify(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	r = r.WithContext(withIdentity(r.Context(), id))
	_, pattern := a.mux.Handler(r)
	o, ok := a.ops[pattern]
	if !ok {
		a.fail(w, r, a.missing(w, r))
		return
	}
	if err := id.allow(o.role); err != nil {
		a.fail(w, r, err)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// missing tells an unknown address from a known one with another method.
func (a *API) missing(w http.ResponseWriter, r *http.Request) error {
	var allow []string
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := a.mux.Handler(probe); a.ops[pattern].Method == m {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		return hearth.AsError(notFound(r)).WithHint("GET /openapi.json lists what there is")
	}
	return methodNotAllowed(w, r, allow...)
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request, allow ...string) error {
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return hearth.Errorf(hearth.CodeMethod, "%s doesn't work on %s", r.Method, r.URL.Path).
		WithHint("use %s", strings.Join(allow, " or "))
}
