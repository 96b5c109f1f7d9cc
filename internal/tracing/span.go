package tracing

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"hearth"
)

// Call is what is known of a call when it begins.
type Call struct {
	ID, Function string
	Trigger      hearth.Trigger
	HTTP         *hearth.HTTPRequest // nil for other triggers
	Parent       string              // W3C traceparent of the caller; "" if it has none
	State        string              // and its tracestate
}

// Span is the span of a call. It ends when Observe is told of the call's record;
// a span that never is, is never sent.
type Span struct {
	tracer trace.Tracer
	span   trace.Span
	ctx    context.Context // carries span
	began  time.Time
}

// Begin chooses the ids of a call's span and whether it will be sent. It returns
// nil if t is nil.
func (t *Tracer) Begin(c Call) *Span {
	if t == nil {
		return nil
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": c.Parent, "tracestate": c.State})
	name, attributes := describe(c)
	s := &Span{tracer: t.tracer, began: time.Now()}
	s.ctx, s.span = t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(s.began), trace.WithAttributes(attributes...))
	return s
}

// Context returns the W3C traceparent and tracestate for what the call does.
func (s *Span) Context() (traceparent, tracestate string) {
	m := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(s.ctx, m)
	return m["traceparent"], m["tracestate"]
}

// describe names a call and says what the sampler may want to know. Queries and
// bodies stay here: they may hold secrets.
func describe(c Call) (name string, as []attribute.KeyValue) {
	as = []attribute.KeyValue{semconv.FaaSName(c.Function), semconv.FaaSInvocationID(c.ID)}
	r := c.HTTP
	if r == nil {
		return c.Function, append(as, semconv.FaaSTriggerOther)
	}
	route := routeOf(c)
	method := r.Method
	if known := methodOf(method); known != method {
		method = "HTTP"
		as = append(as, semconv.HTTPRequestMethodKey.String(known), semconv.HTTPRequestMethodOriginal(r.Method))
	} else {
		as = append(as, semconv.HTTPRequestMethodKey.String(known))
	}
	as = append(as, semconv.FaaSTriggerHTTP, semconv.HTTPRoute(route), semconv.URLPath(r.RawPath), semconv.URLScheme(r.Scheme),
		semconv.ServerAddress(hostOf(r.Host)), semconv.ClientAddress(r.SourceIP),
		semconv.NetworkProtocolVersion(strings.TrimPrefix(r.Protocol, "HTTP/")))
	if agent := http.Header(r.Headers).Get("User-Agent"); agent != "" {
		as = append(as, semconv.UserAgentOriginal(agent))
	}
	return method + " " + route, as
}

// routeOf is the route that matched, as a template of paths.
func routeOf(c Call) string {
	if c.HTTP.Route == "$default" {
		return "/fn/" + c.Function + "/*"
	}
	if _, path, ok := strings.Cut(c.HTTP.Route, " "); ok {
		return path
	}
	return c.HTTP.Route
}

// methodOf is the method if it is one of HTTP's, so that strangers can't make up
// names of spans.
func methodOf(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return m
	}
	return "_OTHER"
}

func hostOf(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > 0 && !strings.HasSuffix(hostport, "]") {
		return hostport[:i]
	}
	return hostport
}

// Observe ends the span of a call that is over, with its phases as children.
func (s *Span) Observe(i *hearth.Invocation) {
	if !s.span.IsRecording() {
		return
	}
	end := s.began.Add(i.Duration.Std())
	failed := isError(i)
	s.phases(i, failed)
	s.span.SetAttributes(result(i)...)
	if e := i.Error; e != nil {
		s.span.AddEvent("exception", trace.WithTimestamp(end), trace.WithAttributes(
			semconv.ExceptionType(typeOf(e)), semconv.ExceptionMessage(e.Message), semconv.ExceptionStacktrace(cut(e.Trace))))
	}
	if failed {
		text := ""
		if i.Error != nil {
			text = i.Error.Message
		}
		s.span.SetStatus(codes.Error, text)
	}
	s.span.End(trace.WithTimestamp(end))
}

// phases makes a child of each phase that happened; they follow each other. The
// last one is where a failed call failed.
func (s *Span) phases(i *hearth.Invocation, failed bool) {
	p := i.Phases
	at := s.began
	var last trace.Span
	var until time.Time
	end := func() {
		if last != nil {
			last.End(trace.WithTimestamp(until))
		}
	}
	for _, phase := range []struct {
		name string
		took hearth.Duration
	}{{"queue", p.Queue}, {"sandbox", p.Sandbox}, {"load", p.Load}, {"import", p.Import}, {"handler", p.Handler}, {"reply", p.Reply}} {
		if phase.took <= 0 {
			continue
		}
		end()
		_, last = s.tracer.Start(s.ctx, phase.name, trace.WithTimestamp(at))
		at = at.Add(phase.took.Std())
		until = at
	}
	if last != nil && failed {
		last.SetStatus(codes.Error, "")
	}
	end()
}

// result is what is known of a call when it is over.
func result(i *hearth.Invocation) []attribute.KeyValue {
	as := []attribute.KeyValue{
		semconv.FaaSVersion(strconv.Itoa(i.Version)), attribute.String("hearth.outcome", string(i.Outcome)),
		semconv.HTTPResponseStatusCode(i.Status), semconv.HTTPRequestBodySize(int(i.RequestBytes)), semconv.HTTPResponseBodySize(int(i.ReplyBytes)),
	}
	if i.Start != "" {
		as = append(as, semconv.FaaSColdstart(i.Start != hearth.StartWarm), attribute.String("hearth.start", string(i.Start)), semconv.FaaSInstance(i.Sandbox))
	}
	if i.Usage != nil {
		as = append(as, attribute.Float64("hearth.cpu_time", i.Usage.CPU.Std().Seconds()), attribute.Int64("hearth.memory_peak", i.Usage.MemoryPeak))
	}
	if i.Error != nil {
		as = append(as, semconv.ErrorTypeKey.String(string(i.Outcome)))
	} else if i.Status >= http.StatusInternalServerError {
		as = append(as, semconv.ErrorTypeKey.String(strconv.Itoa(i.Status)))
	}
	return as
}

// isError reports whether a call counts as failed: the function's or the
// platform's fault, and not the caller's.
func isError(i *hearth.Invocation) bool {
	switch i.Outcome {
	case hearth.OutcomeThrottled, hearth.OutcomeCancelled:
		return false
	case hearth.OutcomeOK:
		return i.Status >= http.StatusInternalServerError
	}
	return true
}

func typeOf(e *hearth.Error) string {
	if e.Type != "" {
		return e.Type
	}
	return string(e.Code)
}

// maxTrace bounds what a span holds of a stack: spans wait in memory while the
// collector is slow.
const maxTrace = 8 << 10

func cut(s string) string {
	if len(s) <= maxTrace {
		return s
	}
	return strings.ToValidUTF8(s[:maxTrace], "") + "…"
}
