package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/api"
	"hearth/internal/bundle"
	"hearth/internal/capture"
	"hearth/internal/config"
	"hearth/internal/engine"
	"hearth/internal/live"
	"hearth/internal/logs"
	"hearth/internal/metrics"
	"hearth/internal/runtime"
	"hearth/internal/sandbox"
	"hearth/internal/service"
	"hearth/internal/store"
	"hearth/internal/store/sqlite"
	"hearth/internal/tracing"
	"hearth/web"
)

// Options are what a program decides, and not its operator.
type Options struct {
	Version string
	Logger  *slog.Logger // nil discards

	// Templates are offered to start functions from. Their Runtime is filled in.
	Templates []rest.Template

	// AllowUnenforcedFor, if set, lets single versions run although this host
	// can't enforce some of their limits.
	AllowUnenforcedFor func(hearth.Version) bool

	// Uncounted leaves out the metrics of calls, for the benchmark of what they
	// cost.
	Uncounted bool

	// Drivers and Languages, if set, replace the real ones. Tests bring fakes.
	// The server closes the drivers.
	Drivers   []sandbox.Driver
	Languages []runtime.Language

	// BodyIdle and Heartbeat, if set, replace those of the API.
	BodyIdle, Heartbeat time.Duration
}

// Server is a whole Hearth. Open starts all of it but the answering of
// requests, which Serve does; Close ends it in any case.
type Server struct {
	cfg      config.Config
	opts     Options
	log      *slog.Logger
	instance string

	lock     *lock
	store    store.Store
	bundles  *bundle.Store
	hub      *logs.Hub
	live     *live.Hub
	metrics  *metrics.Aggregator
	catalog  *runtime.Catalog
	drivers  *driverSet
	tracer   *tracing.Tracer // nil sends no traces
	engine   *engine.Engine
	api      *api.API
	listener net.Listener
	http     *http.Server
	loops    service.Loops

	admin   hearth.User
	created bool
	ready   atomic.Bool
	end     sync.Once
}

// Open starts a server on c.Data. The order is that of reliance: the lock on
// the data folder, the database, the code, the engine (which first clears away
// what a crash left behind) with all functions in place, and the listener last,
// so that whoever can connect is served.
func Open(ctx context.Context, c config.Config, o Options) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: c, opts: o, log: o.Logger}
	for _, step := range []func(context.Context) error{
		s.openData, s.openStore, s.openBundles, s.openRuntimes, s.openTracing, s.openEngine, s.openAPI, s.openAdmin, s.listen, s.startLoops,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.Close(ctx))
		}
	}
	return s, nil
}

func (s *Server) openData(context.Context) (err error) {
	if err := os.MkdirAll(s.cfg.Data, 0o700); err != nil {
		return hearth.Errorf(hearth.CodeInvalid, "the data folder %s can't be made: %w", s.cfg.Data, err).
			WithHint("name another with --data").WithField("data")
	}
	if s.lock, err = takeLock(filepath.Join(s.cfg.Data, config.LockFile)); err != nil {
		return err
	}
	// A server that was killed left its address; nobody must take it for this one's.
	if err := os.Remove(filepath.Join(s.cfg.Data, config.ServerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear the last server's address: %w", err)
	}
	s.instance, err = instanceID(filepath.Join(s.cfg.Data, "instance"))
	return err
}

func (s *Server) openStore(ctx context.Context) error {
	db, err := sqlite.Open(ctx, filepath.Join(s.cfg.Data, "hearth.db"), sqlite.Options{Logger: s.log})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	s.store = db
	last, err := db.LastLogSeq(ctx)
	if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	s.live = live.NewHub()
	s.hub = logs.New(recorder{db, s.live}, logs.Options{FirstSeq: last + logs.SeqGap})
	s.metrics, err = metrics.OpenAggregator(ctx, metrics.New(metrics.Options{Version: s.opts.Version}), metrics.AggregatorOptions{
		Store: db, Logger: s.log,
		Retention: metrics.Retention{BySecond: s.cfg.MetricsBySecond, ByMinute: s.cfg.MetricsByMinute, ByHour: s.cfg.MetricsByHour},
	})
	return err
}

func (s *Server) openBundles(context.Context) (err error) {
	l := bundle.DefaultLimits()
	l.MaxUpload = int64(s.cfg.MaxCodeMiB) << 20
	l.MaxUnpacked = 5 * l.MaxUpload
	s.bundles, err = bundle.Open(filepath.Join(s.cfg.Data, "code"), l)
	return err
}

func (s *Server) openRuntimes(ctx context.Context) (err error) {
	s.catalog, err = detect(ctx, filepath.Join(s.cfg.Data, "shims"), s.opts.Languages)
	if err != nil {
		return err
	}
	for _, note := range s.catalog.Notes() {
		s.log.Warn("a language is missing", "why", note)
	}
	s.drivers, err = openDrivers(filepath.Join(s.cfg.Data, "run"), s.instance, s.opts)
	return err
}

func (s *Server) openTracing(ctx context.Context) (err error) {
	s.tracer, err = tracing.Open(ctx, tracing.Options{Version: s.opts.Version, Instance: s.instance, Logger: s.log, Getenv: os.Getenv})
	return err
}

func (s *Server) openEngine(ctx context.Context) (err error) {
	if s.engine, err = engine.New(s.engineConfig()); err != nil {
		return err
	}
	s.metrics.Watch(s.sources())
	if !s.opts.Uncounted {
		if err := s.metrics.Start(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return s.engine.Start(ctx)
}

func (s *Server) engineConfig() engine.Config {
	c := s.cfg
	var observer engine.Observer
	if !s.opts.Uncounted {
		observer = s.metrics
	}
	return engine.Config{
		Drivers: s.drivers.byName(), DefaultDriver: c.Sandbox, Runtime: s.catalog.Get, Code: s.bundles,
		Recorder: recorder{s.store, s.live}, Capturer: capture.New(s.store, s.log), Observer: observer, Logger: s.log,
		Refilled: func(p engine.PoolInfo, took time.Duration) {
			s.metrics.ObserveRefill(metrics.PoolKey{Driver: p.Driver, Runtime: p.Runtime, Network: string(p.Network)}, took)
		},
		Output: func(function string, version int, invocation string) engine.LogWriter {
			return s.hub.Writer(function, version, invocation)
		},
		MaxConcurrency: c.Concurrency, MaxQueue: cmp.Or(c.Queue, engine.NoQueue), MaxQueueTotal: max(1024, c.Queue), QueueTimeout: c.QueueWait,
		MemoryBudgetMiB: memoryBudget(c.MemoryMiB), KeepAlive: c.KeepAlive,
		MaxRequest: c.MaxRequestMiB << 20, MaxReply: c.MaxReplyMiB << 20,
		StemTarget: func(string) int { return c.StemCells }, Prewarm: newest(s.catalog.All()),
		AllowUnenforced: c.AllowUnenforced, AllowUnenforcedFor: s.opts.AllowUnenforcedFor,
		AvailableMiB: availableMiB, MinAvailableMiB: minAvailableMiB,
	}
}

// minAvailableMiB is what is left to the rest of the host: below it, idle
// sandboxes are let go.
const minAvailableMiB = 256

// newest names the best runtime of each language, whose sandboxes are prewarmed
// before anybody asks.
func newest(rts []hearth.Runtime) []string {
	var names []string
	seen := map[string]bool{}
	for _, rt := range rts {
		if !seen[rt.Language] {
			seen[rt.Language] = true
			names = append(names, rt.Name)
		}
	}
	return names
}

func (s *Server) openAPI(ctx context.Context) error {
	proxies, err := s.cfg.Proxies()
	if err != nil {
		return err
	}
	s.api = api.New(api.Options{
		Engine: s.engine, Store: s.store, Bundles: s.bundles, Logs: s.hub, Metrics: s.metrics, Live: s.live,
		Languages: languages{s.catalog}, Logger: s.log, Web: web.Files(), Tracer: s.tracer, Templates: s.opts.Templates,
		Version: s.opts.Version, Instance: s.instance, URL: s.URL, Ready: s.ready.Load,
		Drivers: s.drivers.report, Sandbox: s.cfg.Sandbox, Proxies: proxies, Secure: s.secure(),
		MaxRequest: int64(s.cfg.MaxRequestMiB) << 20, MaxCode: int64(s.cfg.MaxCodeMiB) << 20,
		BodyIdle: s.opts.BodyIdle, Heartbeat: s.opts.Heartbeat,
		Defaults: s.defaults(), Settings: settings(s.cfg),
	})
	return s.api.Restore(ctx)
}

// secure reports whether browsers reach the server by TLS.
func (s *Server) secure() bool {
	return s.cfg.TLSCert != "" || strings.HasPrefix(strings.ToLower(s.cfg.PublicURL), "https://")
}

func (s *Server) listen(context.Context) error {
	l, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return listenError(s.cfg.Listen, err)
	}
	if s.cfg.TLSCert != "" {
		certs, err := newCertificates(s.cfg.TLSCert, s.cfg.TLSKey, s.log)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12, GetCertificate: certs.get, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	s.listener = l
	s.http = &http.Server{
		Handler: s.api, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return nil
}

// URL returns how callers reach the server, without a final slash.
func (s *Server) URL() string {
	if s.cfg.PublicURL != "" {
		return strings.TrimRight(s.cfg.PublicURL, "/")
	}
	return s.localURL()
}

// localURL is the address for programs on the same host.
func (s *Server) localURL() string {
	if s.listener == nil {
		return ""
	}
	scheme := "http"
	if s.cfg.TLSCert != "" {
		scheme = "https"
	}
	addr := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(host, fmt.Sprint(addr.Port)))
}

// Created reports whether this is the first start on its data folder, which
// made the admin and its key.
func (s *Server) Created() bool { return s.created }

// Sandboxes says what each driver can and can't do on this host.
func (s *Server) Sandboxes(ctx context.Context) []rest.Driver { return s.drivers.report(ctx) }

// SignInLink makes an address that signs a browser in as the admin, once.
func (s *Server) SignInLink() rest.SignInLink { return s.api.SignInLink(s.admin.ID) }

// Serve answers requests until ctx ends or Close is called, then drains: it is
// not ready any more, refuses new calls, lets those in flight finish for as long
// as the configuration says, and returns. It is called once.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.writeEndpoint(); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(s.cfg.Data, config.ServerFile))
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	s.ready.Store(true)
	s.log.Info("ready", "url", s.URL())
	select {
	case err := <-served:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	return s.drain(context.WithoutCancel(ctx))
}

func (s *Server) drain(ctx context.Context) error {
	s.ready.Store(false)
	s.log.Info("stopping: calls in flight may finish", "for", s.cfg.Drain)
	within, cancel := context.WithTimeout(ctx, s.cfg.Drain)
	defer cancel()
	s.api.Close(within)
	if err := s.engine.Stop(within); err != nil {
		s.log.Error("engine didn't stop cleanly", "err", err)
	}
	// The calls are over; what remains is the last bytes of their replies.
	last, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.http.Shutdown(last); err != nil {
		return s.http.Close()
	}
	return nil
}

// flushTraces sends the last spans. A collector that isn't there must not make
// the end of a server long, nor a failure.
func (s *Server) flushTraces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.tracer.Close(ctx); err != nil {
		s.log.Warn("the last traces are lost", "err", err)
	}
}

// Close ends what Open began, in the opposite order, without waiting for calls
// in flight longer than ctx. It may be called any number of times, also while
// Serve runs, which then returns.
func (s *Server) Close(ctx context.Context) error {
	var errs []error
	s.end.Do(func() {
		s.ready.Store(false)
		s.loops.Stop()
		if s.api != nil {
			s.api.Close(ctx)
		}
		if s.engine != nil {
			errs = append(errs, s.engine.Stop(ctx))
		}
		if s.metrics != nil {
			s.metrics.Stop() // after the last call was counted
		}
		s.flushTraces(ctx)
		if s.http != nil {
			errs = append(errs, s.http.Close())
		}
		if s.listener != nil {
			_ = s.listener.Close() // again, if it was never served
		}
		if s.drivers != nil {
			errs = append(errs, s.drivers.close())
		}
		if s.store != nil {
			errs = append(errs, s.store.Close())
		}
		if s.lock != nil {
			errs = append(errs, s.lock.release())
		}
	})
	return errors.Join(errs...)
}
