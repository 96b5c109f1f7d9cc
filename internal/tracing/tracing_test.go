package tracing

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"hearth"
)

// newTracer returns a tracer that keeps its spans.
func newTracer(t *testing.T, o ...sdk.TracerProviderOption) (*Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	p := sdk.NewTracerProvider(append([]sdk.TracerProviderOption{sdk.WithSyncer(kept)}, o...)...)
	tr := &Tracer{provider: p, tracer: p.Tracer("test")}
	t.Cleanup(func() {
		if err := tr.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tr, kept
}

func attributesOf(s tracetest.SpanStub) map[string]string {
	m := map[string]string{}
	for _, a := range s.Attributes {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}

func httpCall() Call {
	return Call{ID: "01X", Function: "hello", Trigger: hearth.TriggerHTTP, HTTP: &hearth.HTTPRequest{
		Method: "GET", RawPath: "/hello", Path: "/hello", RawQuery: "token=secret", Route: "GET /hello", Host: "example.org:8080",
		Scheme: "http", Protocol: "HTTP/1.1", SourceIP: "192.0.2.7", Headers: map[string][]string{"User-Agent": {"curl/8"}},
	}}
}

func record() *hearth.Invocation {
	const ms = hearth.Duration(time.Millisecond)
	return &hearth.Invocation{
		ID: "01X", Function: "hello", Version: 3, Outcome: hearth.OutcomeOK, Status: 200, Start: hearth.StartPrewarmed, Sandbox: "s-1",
		Duration: 10 * ms, Phases: hearth.Phases{Queue: 1 * ms, Load: 2 * ms, Import: 3 * ms, Handler: 4 * ms},
		RequestBytes: 5, ReplyBytes: 6, Usage: &hearth.Usage{CPU: 7 * ms, MemoryPeak: 8},
	}
}

func TestACallIsASpanWithItsPhases(t *testing.T) {
	tr, kept := newTracer(t)
	s := tr.Begin(httpCall())
	s.Observe(record())
	spans := kept.GetSpans()
	if len(spans) != 5 {
		t.Fatalf("there are %d spans", len(spans))
	}
	root := spans[4]
	if root.Name != "GET /hello" || root.SpanKind != trace.SpanKindServer || root.Parent.IsValid() || root.Status.Code != codes.Unset ||
		root.EndTime.Sub(root.StartTime) != 10*time.Millisecond || len(root.Events) > 0 {
		t.Errorf("the span is %+v", root)
	}
	want := map[string]string{
		"faas.name": "hello", "faas.version": "3", "faas.invocation_id": "01X", "faas.trigger": "http", "faas.coldstart": "true", "faas.instance": "s-1",
		"http.request.method": "GET", "http.route": "/hello", "http.response.status_code": "200", "http.request.body.size": "5", "http.response.body.size": "6",
		"url.path": "/hello", "url.scheme": "http", "server.address": "example.org", "client.address": "192.0.2.7",
		"network.protocol.version": "1.1", "user_agent.original": "curl/8",
		"hearth.outcome": "ok", "hearth.start": "prewarmed", "hearth.cpu_time": "0.007", "hearth.memory_peak": "8",
	}
	if got := attributesOf(root); !maps.Equal(got, want) {
		t.Errorf("the attributes are %v,\nwant %v", got, want)
	}
	at := root.StartTime
	for i, want := range []struct {
		name string
		took time.Duration
	}{{"queue", time.Millisecond}, {"load", 2 * time.Millisecond}, {"import", 3 * time.Millisecond}, {"handler", 4 * time.Millisecond}} {
		s := spans[i]
		if s.Name != want.name || s.EndTime.Sub(s.StartTime) != want.took || !s.StartTime.Equal(at) ||
			s.Parent.SpanID() != root.SpanContext.SpanID() || s.SpanContext.TraceID() != root.SpanContext.TraceID() {
			t.Errorf("phase %d is %s from %v to %v below %v", i, s.Name, s.StartTime, s.EndTime, s.Parent.SpanID())
		}
		at = s.EndTime
	}
}

func TestASpanBelongsToTheCallersTrace(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	tr, kept := newTracer(t)
	c := httpCall()
	c.Parent, c.State = parent, "vendor=a,other=b"
	s := tr.Begin(c)
	inside, state := s.Context()
	s.Observe(record())
	spans := kept.GetSpans()
	root := spans[len(spans)-1]
	if root.Parent.SpanID().String() != "00f067aa0ba902b7" || !root.Parent.IsRemote() || root.SpanContext.TraceID().String() != hearth.TraceID(parent) {
		t.Errorf("the parent is %+v", root.Parent)
	}
	if want := "00-" + hearth.TraceID(parent) + "-" + root.SpanContext.SpanID().String() + "-01"; inside != want || state != "vendor=a,other=b" {
		t.Errorf("the function gets %s and %s, want %s", inside, state, want)
	}
}

func TestWhatIsNotSampledIsPassedOnAndNotSent(t *testing.T) {
	tr, kept := newTracer(t, sdk.WithSampler(sdk.ParentBased(sdk.AlwaysSample())))
	c := httpCall()
	c.Parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	s := tr.Begin(c)
	inside, _ := s.Context()
	s.Observe(record())
	if len(kept.GetSpans()) > 0 || hearth.TraceID(inside) != hearth.TraceID(c.Parent) || !strings.HasSuffix(inside, "-00") {
		t.Errorf("sent are %d, the function gets %s", len(kept.GetSpans()), inside)
	}
}

func TestHowACallFailedIsInItsSpan(t *testing.T) {
	long := strings.Repeat("é", maxTrace)
	for _, tt := range []struct {
		name   string
		change func(i *hearth.Invocation)
		status codes.Code
		says   string // description of the status
		err    string // error.type
		event  string // type of the exception
	}{
		{"an exception", func(i *hearth.Invocation) {
			i.Outcome, i.Status, i.Error = hearth.OutcomeError, 502, &hearth.Error{Code: hearth.CodeFunctionError, Message: "no lamp", Type: "KeyError", Trace: long}
		}, codes.Error, "no lamp", "function_error", "KeyError"},
		{"a time-out", func(i *hearth.Invocation) {
			i.Outcome, i.Status, i.Error = hearth.OutcomeTimeout, 504, &hearth.Error{Code: hearth.CodeFunctionTimeout, Message: "it overran"}
		}, codes.Error, "it overran", "timeout", "function_timeout"},
		{"no room", func(i *hearth.Invocation) {
			*i = hearth.Invocation{Outcome: hearth.OutcomeThrottled, Status: 429, Error: &hearth.Error{Code: hearth.CodeThrottled, Message: "full"}}
		}, codes.Unset, "", "throttled", "throttled"},
		{"an answer of its own", func(i *hearth.Invocation) { i.Status = 503 }, codes.Error, "", "503", ""},
		{"a caller's mistake", func(i *hearth.Invocation) { i.Status = 404 }, codes.Unset, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, kept := newTracer(t)
			i := record()
			tt.change(i)
			tr.Begin(httpCall()).Observe(i)
			spans := kept.GetSpans()
			root := spans[len(spans)-1]
			if root.Status.Code != tt.status || root.Status.Description != tt.says || attributesOf(root)["error.type"] != tt.err {
				t.Errorf("status %+v, error.type %q", root.Status, attributesOf(root)["error.type"])
			}
			var failed []string
			for _, s := range spans[:len(spans)-1] {
				if s.Status.Code == codes.Error {
					failed = append(failed, s.Name)
				}
			}
			if want := tt.status == codes.Error; want != slices.Equal(failed, []string{"handler"}) {
				t.Errorf("failed are the phases %v", failed)
			}
			if (len(root.Events) == 1) != (tt.event != "") {
				t.Fatalf("the events are %+v", root.Events)
			}
			if tt.event == "" {
				return
			}
			e := attribute.NewSet(root.Events[0].Attributes...)
			typ, _ := e.Value("exception.type")
			stack, _ := e.Value("exception.stacktrace")
			if root.Events[0].Name != "exception" || typ.AsString() != tt.event || len(stack.AsString()) > maxTrace+3 {
				t.Errorf("the event is %.300v", root.Events[0])
			}
		})
	}
}

func TestNamesOfSpansAreFew(t *testing.T) {
	for _, tt := range []struct {
		change func(c *Call)
		want   string
	}{
		{func(c *Call) { c.HTTP.Route, c.HTTP.RawPath = "$default", "/fn/hello/users/7" }, "GET /fn/hello/*"},
		{func(c *Call) { c.HTTP.Route = "/shop/*" }, "GET /shop/*"},
		{func(c *Call) { c.HTTP.Method = "X-" + strings.Repeat("A", 30) }, "HTTP /hello"},
		{func(c *Call) { c.HTTP, c.Trigger = nil, hearth.TriggerAPI }, "hello"},
	} {
		c := httpCall()
		tt.change(&c)
		if name, _ := describe(c); name != tt.want {
			t.Errorf("it is named %q, want %q", name, tt.want)
		}
	}
}

func TestTheEnvironmentDecides(t *testing.T) {
	const at = "http://127.0.0.1:1"
	for _, tt := range []struct {
		name string
		env  map[string]string
		on   bool
		says string // in the log
	}{
		{"nothing", nil, false, ""},
		{"an endpoint", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at}, true, at},
		{"an endpoint for traces", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": at + "/v1/traces"}, true, at + "/v1/traces"},
		{"disabled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_SDK_DISABLED": "TRUE"}, false, ""},
		{"no exporter", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		{"an exporter that isn't here", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_TRACES_EXPORTER": "zipkin"}, false, "only otlp"},
		{"a protocol that isn't here", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "4318"},
		{"the protocol of traces wins", map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
		}, true, at},
	} {
		var said strings.Builder
		tr, err := Open(t.Context(), Options{
			Logger: slog.New(slog.NewTextHandler(&said, nil)), Getenv: func(k string) string { return tt.env[k] },
		})
		if err != nil || (tr != nil) != tt.on || !strings.Contains(said.String(), tt.says) {
			t.Errorf("%s: on is %v, %v, %s", tt.name, tr != nil, err, said.String())
		}
		if err := tr.Close(t.Context()); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestWithoutATracerThereAreNoSpans(t *testing.T) {
	var tr *Tracer
	if s := tr.Begin(httpCall()); s != nil {
		t.Errorf("there is a span %+v", s)
	}
}

func TestFailuresAreToldNowAndThen(t *testing.T) {
	var said strings.Builder
	e := &errorLog{log: slog.New(slog.NewTextHandler(&said, nil))}
	for range 5 {
		e.Handle(context.DeadlineExceeded)
	}
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("%d lines for 5 failures", n)
	}
	e.last = time.Now().Add(-2 * quietFor)
	e.Handle(context.DeadlineExceeded)
	if n := strings.Count(said.String(), "\n"); n != 2 {
		t.Errorf("%d lines after the silence", n)
	}
}
