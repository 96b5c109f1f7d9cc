package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Options are what a Tracer is made of.
type Options struct {
	Version  string // of the server
	Instance string // its name, which tells servers of one service apart
	Logger   *slog.Logger
	Getenv   func(string) string // os.Getenv; the SDK reads that one too
}

// Tracer makes spans. A nil Tracer makes none. Its methods may be called
// concurrently.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Open returns a Tracer as the environment says, nil if it doesn't name a
// collector or turns tracing off. It doesn't wait for the collector to be there.
// What it can't do it tells the log rather than keep a server from starting.
func Open(ctx context.Context, o Options) (*Tracer, error) {
	if off(o.Getenv) {
		return nil, nil
	}
	if why := unsupported(o.Getenv); why != "" {
		o.Logger.Warn("no traces are sent: " + why)
		return nil, nil
	}
	otel.SetErrorHandler(&errorLog{log: o.Logger})
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare traces: %w", err)
	}
	// What the environment says goes last, to win.
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		semconv.ServiceName("hearth"), semconv.ServiceVersion(o.Version), semconv.ServiceInstanceID(o.Instance),
	), resource.WithFromEnv())
	if err != nil {
		o.Logger.Warn("OTEL_RESOURCE_ATTRIBUTES can't be read whole", "err", err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(res))
	o.Logger.Info("traces are sent", "to", endpoint(o.Getenv))
	return &Tracer{provider: p, tracer: p.Tracer("hearth", trace.WithInstrumentationVersion(o.Version), trace.WithSchemaURL(semconv.SchemaURL))}, nil
}

// off reports whether the environment asks for no traces.
func off(getenv func(string) string) bool {
	return endpoint(getenv) == "" || strings.EqualFold(strings.TrimSpace(getenv("OTEL_SDK_DISABLED")), "true") ||
		strings.TrimSpace(getenv("OTEL_TRACES_EXPORTER")) == "none"
}

func endpoint(getenv func(string) string) string {
	if e := strings.TrimSpace(getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")); e != "" {
		return e
	}
	return strings.TrimSpace(getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

// unsupported says what the environment asks for that isn't there.
func unsupported(getenv func(string) string) string {
	if e := strings.TrimSpace(getenv("OTEL_TRACES_EXPORTER")); e != "" && e != "otlp" {
		return fmt.Sprintf("OTEL_TRACES_EXPORTER is %q; only otlp and none are known", e)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := strings.TrimSpace(getenv(name)); p != "" {
			if p != "http/protobuf" {
				return fmt.Sprintf("%s is %q; only http/protobuf is spoken (collectors take it on port 4318)", name, p)
			}
			return ""
		}
	}
	return ""
}

// Close sends what is held and ends. It may be called more than once.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// errorLog tells the log of spans that could not be sent, now and then.
type errorLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	last time.Time
}

// quietFor is how long nothing is said of further failures.
const quietFor = time.Minute

// Handle implements otel.ErrorHandler.
func (e *errorLog) Handle(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.last) < quietFor {
		return
	}
	e.last = time.Now()
	e.log.Warn("traces are not taken, calls go on without", "err", err)
}
