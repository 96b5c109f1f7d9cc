package api

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/bundle"
	"hearth/internal/engine"
	"hearth/internal/live"
	"hearth/internal/logs"
	"hearth/internal/metrics"
	"hearth/internal/store"
	"hearth/internal/tracing"
)

// Languages is what the API asks about the languages of the host.
type Languages interface {
	// All lists the runtimes, best first.
	All() []hearth.Runtime
	// Choose picks the runtime and the handler of code. What is "" is guessed;
	// runtime may be the name of a language. It fails, with a field and a hint,
	// where the code certainly can't run so.
	Choose(runtime, handler string, code fs.FS) (rt hearth.Runtime, fn string, err error)
}

// Options is what an API stands on. All but Web are needed to serve.
type Options struct {
	Engine    *engine.Engine
	Store     store.Store
	Bundles   *bundle.Store
	Logs      *logs.Hub
	Metrics   *metrics.Aggregator
	Live      *live.Hub // nil makes one that hears of changes alone
	Languages Languages
	Logger    *slog.Logger
	Web       fs.FS           // the dashboard
	Tracer    *tracing.Tracer // nil sends no traces
	Templates []rest.Template
	Defaults  rest.Defaults  // of the server; Config is filled in
	Settings  []rest.Setting // what viewers may know of them

	Version, Instance string
	URL               func() string                           // how callers reach the server, without a final slash
	Ready             func() bool                             // false while the server drains
	Drivers           func(ctx context.Context) []rest.Driver // the sandbox drivers and what they can do
	Sandbox           string                                  // of functions that name none
	Proxies           []netip.Prefix                          // whose X-Forwarded-* headers are believed
	Secure            bool                                    // served by TLS
	MaxRequest        int64                                   // bytes of an invocation's request
	MaxCode           int64                                   // bytes of an upload
	BodyIdle          time.Duration                           // longest silence in a request's body; 0 is 20 s
	Heartbeat         time.Duration                           // of event streams; 0 is 15 s
}

// API is an http.Handler for the whole server.
type API struct {
	o         Options
	log       *slog.Logger
	mux       *http.ServeMux
	huma      huma.API
	ops       map[string]operation // by pattern of mux
	auth      *authenticator
	sessions  *sessions
	functions *registry
	deployer  *deployer
	changes   *changes
	from      origins
	ui        *ui    // nil without a dashboard
	disguise  []byte // key of the marks in place of hidden values; see redact
	started   time.Time
	closing   chan struct{} // closed by Close
	close     sync.Once
}

// New returns an API that knows no functions yet; see [API.Restore]. It touches
// nothing in o before it serves.
func New(o Options) *API {
	if o.BodyIdle == 0 {
		o.BodyIdle = 20 * time.Second
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Live == nil {
		o.Live = live.NewHub()
	}
	a := &API{
		o: o, log: o.Logger, mux: http.NewServeMux(), ops: map[string]operation{},
		functions: newRegistry(), changes: newChanges(o.Live), from: origins{trusted: o.Proxies},
		started: time.Now(), closing: make(chan struct{}), disguise: []byte(rand.Text()),
	}
	a.auth = newAuthenticator(o.Store, o.Logger)
	a.sessions = newSessions(o.Store, o.Secure)
	a.deployer = &deployer{api: a, locks: newKeyedLocks()}
	if o.Web != nil {
		var err error
		if a.ui, err = newUI(o.Web); err != nil {
			a.log.Error("no dashboard", "err", err)
		}
	}
	a.register()
	return a
}

// Restore puts all functions of the store in place. Those that can't be are
// logged and answer with an error; they don't keep the others from starting.
func (a *API) Restore(ctx context.Context) error {
	for p := (store.Page{Limit: 1000}); ; {
		fs, next, err := a.o.Store.Functions(ctx, "", p)
		if err != nil {
			return err
		}
		for _, f := range fs {
			if err := a.restore(ctx, f); err != nil {
				a.log.Error("function can't run on this host", "function", f.Name, "err", err)
			}
		}
		if next == "" {
			return nil
		}
		p.Cursor = next
	}
}

func (a *API) restore(ctx context.Context, f hearth.Function) error {
	if f.Active == 0 {
		return nil
	}
	v, err := a.o.Store.Version(ctx, f.Name, f.Active)
	if err != nil {
		return err
	}
	a.functions.put(f, v) // even if it can't run here now: its calls say why
	return a.o.Engine.Activate(f, v)
}

// Close ends event streams, which would otherwise outlast a graceful shutdown,
// and writes what is held in memory. It may be called any number of times, also
// at once.
func (a *API) Close(ctx context.Context) {
	a.close.Do(func() { close(a.closing) })
	a.Flush(ctx)
}

// Flush writes when keys were last used.
func (a *API) Flush(ctx context.Context) { a.auth.flush(ctx) }

// ServeHTTP answers any request. Reserved prefixes are the platform's, all else
// belongs to functions.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &statusWriter{ResponseWriter: w}
	start := time.Now()
	defer func() {
		a.recovered(rec, r, recover())
		a.log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", rec.status,
			"took", time.Since(start), "from", a.from.of(r).IP)
	}()
	first, rest, deeper := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch first {
	case "fn":
		a.serveNamed(rec, r)
	case "api":
		a.serveAPI(rec, r)
	case "auth":
		a.serveAuth(rec, r)
	case "ui":
		a.serveUI(rec, r, deeper)
	case "openapi.json", "openapi.yaml", "metrics", "healthz", "readyz", "docs", "favicon.ico":
		if rest != "" || deeper {
			a.fail(rec, r, notFound(r))
			return
		}
		a.servePlain(rec, r, first)
	default:
		a.serveRoute(rec, r)
	}
}

// recovered answers for a handler that panicked, whose stack goes to the log.
// http.ErrAbortHandler is how we break a connection and goes on its way.
func (a *API) recovered(w *statusWriter, r *http.Request, v any) {
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	a.log.Error("handler panicked", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, a.toProblem(r.Context(), hearth.Errorf(hearth.CodePlatform, "internal error")))
}

func notFound(r *http.Request) error {
	return hearth.Errorf(hearth.CodeNotFound, "there is nothing at %s", r.URL.Path)
}

// servePlain answers the fixed addresses.
func (a *API) servePlain(w http.ResponseWriter, r *http.Request, name string) {
	ownHeaders(w)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.fail(w, r, methodNotAllowed(w, r, http.MethodGet, http.MethodHead))
		return
	}
	switch name {
	case "healthz":
		writeText(w, http.StatusOK, "ok\n")
	case "readyz":
		if !a.o.Ready() {
			a.fail(w, r, errStopping)
			return
		}
		writeText(w, http.StatusOK, "ready\n")
	case "openapi.json", "metrics":
		if _, err := a.authorize(r, hearth.RoleViewer); err != nil {
			a.fail(w, r, err)
			return
		}
		if name == "metrics" {
			if err := a.o.Engine.Settled(r.Context()); err != nil {
				return // the caller has gone
			}
			promhttp.HandlerFor(a.o.Metrics.Gatherer(), promhttp.HandlerOpts{}).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		a.writeSpec(w)
	default:
		a.fail(w, r, notFound(r))
	}
}

// ownHeaders guards what the platform itself sends. Functions choose their own.
func ownHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// statusWriter remembers the status for the access log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the first final status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status < 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes the status that it implies.
func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
