package e2e

import (
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"hearth"
)

// traced answers with the trace it was called in, or fails as it is told.
const traced = `
import os

def handler(event, context):
    print("called")
    if "fail" in event.get("rawQueryString", ""):
        raise KeyError("no lamp")
    return {"context": context.trace, "headers": event.get("headers", {}), "env": sorted(os.environ)}
`

// Spans of calls reach an OpenTelemetry collector: below the caller's span, with
// a child for each phase, and with the failure of a call that failed. The
// function is told the span it runs in.
func Test14Traces(t *testing.T) {
	needsRoot(t)
	c := startCollector(t)
	s := mustServe(t, t.TempDir(), func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.url, "OTEL_SERVICE_NAME=lamps",
			"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test", "OTEL_BSP_SCHEDULE_DELAY=50")
	}, nil)
	s.MustDeploy("traced", map[string]string{"main.py": traced}, "--public", "--route", "GET /lamp")
	const parent, callers = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

	r := s.MustCall("GET", "/lamp?x=1", "", "traceparent", "00-"+parent+"-"+callers+"-01", "tracestate", "vendor=a")
	span := c.await(t, r.Header.Get("X-Hearth-Invocation-Id"))
	if got := fmt.Sprintf("%x below %x", span.TraceId, span.ParentSpanId); got != parent+" below "+callers {
		t.Errorf("the span is of %s", got)
	}
	var said struct {
		Context string
		Headers map[string]string
		Env     []string
	}
	r.JSON(t, &said)
	inside := fmt.Sprintf("00-%s-%x-01", parent, span.SpanId)
	if said.Context != inside || said.Headers["traceparent"] != inside || said.Headers["tracestate"] != "vendor=a" {
		t.Errorf("the function is in %q, its headers say %q %q; want %s", said.Context, said.Headers["traceparent"], said.Headers["tracestate"], inside)
	}
	if text := strings.Join(said.Env, " "); strings.Contains(text, "AMZN") || strings.Contains(text, "OTEL") {
		t.Errorf("the function's environment has %s", text)
	}
	c.wants(t, span, "GET /lamp", map[string]string{
		"faas.name": "traced", "faas.trigger": "http", "faas.version": "1", "http.request.method": "GET", "http.route": "/lamp",
		"http.response.status_code": "200", "url.path": "/lamp", "hearth.outcome": "ok", "client.address": "127.0.0.1",
	})
	if span.Kind != trace.Span_SPAN_KIND_SERVER || span.Status.GetCode() != trace.Status_STATUS_CODE_UNSET {
		t.Errorf("the span has kind %v and status %v", span.Kind, span.Status)
	}
	mustHavePhases(t, c, span, "handler")
	if i := mustInvocation(t, s, r); i.TraceID != parent {
		t.Errorf("the record names the trace %q", i.TraceID)
	}
	c.mu.Lock()
	service := c.resource
	c.mu.Unlock()
	if service["service.name"] != "lamps" || service["deployment.environment.name"] != "test" || service["service.instance.id"] == "" {
		t.Errorf("the resource is %v", service)
	}

	failed := s.MustCall("GET", "/lamp?fail", "")
	span = c.await(t, failed.Header.Get("X-Hearth-Invocation-Id"))
	if len(span.ParentSpanId) > 0 || span.Status.GetCode() != trace.Status_STATUS_CODE_ERROR || len(span.Events) != 1 {
		t.Fatalf("the failed call's span is %v", span)
	}
	event := attributes(span.Events[0].Attributes)
	if span.Events[0].Name != "exception" || event["exception.type"] != "KeyError" || !strings.Contains(event["exception.message"], "no lamp") ||
		!strings.Contains(event["exception.stacktrace"], "main.py") {
		t.Errorf("the exception is %v", event)
	}
	c.wants(t, span, "GET /lamp", map[string]string{"error.type": "function_error", "http.response.status_code": "502"})
	if i := mustInvocation(t, s, failed); i.TraceID != fmt.Sprintf("%x", span.TraceId) {
		t.Errorf("the record names the trace %q, the span %x", i.TraceID, span.TraceId)
	}

	s.MustRun("invoke", "traced", "-d", "{}")
	// What is held when the server is told to stop is sent before it ends.
	s.Stop()
	if n := c.count("traced"); n != 1 {
		t.Errorf("of the invoke operation there are %d spans", n)
	}
}

// A version's first call shows where its time went.
func Test14TracesOfAColdStart(t *testing.T) {
	needsRoot(t)
	c := startCollector(t)
	s := mustServe(t, t.TempDir(), func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+c.url+"/v1/traces", "OTEL_BSP_SCHEDULE_DELAY=50")
	}, nil)
	s.MustDeploy("traced", map[string]string{"main.py": "import json, decimal\n" + traced}, "--public")
	boxes, err := s.Client().Sandboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes.Items {
		if b.Function == "traced" { // the deploy loaded it: the next call needs a new one
			if err := s.Client().KillSandbox(t.Context(), b.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := s.MustCall("GET", "/fn/traced/a", "")
	span := c.await(t, r.Header.Get("X-Hearth-Invocation-Id"))
	c.wants(t, span, "GET /fn/traced/*", map[string]string{"faas.coldstart": "true", "hearth.start": r.Header.Get("X-Hearth-Start")})
	phases := []string{"load", "import", "handler"}
	if mustInvocation(t, s, r).Phases.Sandbox > 0 { // one that waited is taken in no time
		phases = append(phases, "sandbox")
	}
	mustHavePhases(t, c, span, phases...)
}

// A collector that isn't there, or takes nothing, costs the calls nothing.
func Test14TracesWithoutACollector(t *testing.T) {
	needsRoot(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := mustServe(t, t.TempDir(), func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+l.Addr().String(), "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_EXPORTER_OTLP_TIMEOUT=200")
	}, nil)
	s.MustDeploy("traced", map[string]string{"main.py": traced}, "--public", "--concurrency", "1")
	before := mustMemory(t, s)
	const calls, clients = 3000, 8 // each is at least two spans: several times what may wait
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range calls / clients {
				if r, err := s.Call("GET", "/fn/traced/", ""); err != nil || r.Status != 200 {
					t.Errorf("a call answers %d, %v", r.Status, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if after := mustMemory(t, s); after > before+64<<20 {
		t.Errorf("the server's memory grew from %d MiB to %d MiB", before>>20, after>>20)
	}
	awaitLog(t, s, "traces are not taken")
	s.Stop()
}

// mustMemory tells how much memory the server's process uses, in bytes.
func mustMemory(t *testing.T, s *Server) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var kib int64
	_, line, _ := strings.Cut(string(b), "VmRSS:")
	if _, err := fmt.Sscanf(line, "%d kB", &kib); err != nil {
		t.Fatalf("read VmRSS: %v", err)
	}
	return kib << 10
}

func mustInvocation(t *testing.T, s *Server, r Reply) hearth.Invocation {
	t.Helper()
	i, err := s.Client().Invocation(t.Context(), r.Header.Get("X-Hearth-Invocation-Id"))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// mustHavePhases checks that these phases are there, that all follow each other
// within the span, and that none is of another trace.
func mustHavePhases(t *testing.T, c *otlpCollector, of *trace.Span, names ...string) {
	t.Helper()
	at := of.StartTimeUnixNano
	seen := map[string]bool{}
	phases := c.children(of)
	slices.SortFunc(phases, func(a, b *trace.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	for _, p := range phases {
		if p.StartTimeUnixNano != at || p.EndTimeUnixNano <= at || string(p.TraceId) != string(of.TraceId) {
			t.Errorf("%s goes from %d to %d, the phase before ended at %d", p.Name, p.StartTimeUnixNano, p.EndTimeUnixNano, at)
		}
		at = p.EndTimeUnixNano
		seen[p.Name] = true
	}
	for _, name := range names {
		if !seen[name] {
			t.Errorf("there is no phase %s among %v", name, seen)
		}
	}
	if slack := 2 * time.Millisecond; at > of.EndTimeUnixNano+uint64(slack) {
		t.Errorf("the phases end %v after the call", time.Duration(at-of.EndTimeUnixNano))
	}
}

// otlpCollector takes spans by OTLP over HTTP, as a real one does.
type otlpCollector struct {
	url string

	mu       sync.Mutex
	spans    []*trace.Span
	resource map[string]string
	more     chan struct{} // closed and replaced when spans come
}

func startCollector(t *testing.T) *otlpCollector {
	c := &otlpCollector{more: make(chan struct{})}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("the collector was sent %v", err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

func (c *otlpCollector) take(r *http.Request) error {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return fmt.Errorf("%s %s %s", r.Method, r.URL, r.Header)
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var req collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &req); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range req.ResourceSpans {
		c.resource = attributes(of.Resource.GetAttributes())
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	close(c.more)
	c.more = make(chan struct{})
	return nil
}

// await returns the span of an invocation, once its children are there too.
func (c *otlpCollector) await(t *testing.T, invocation string) *trace.Span {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	for {
		c.mu.Lock()
		more := c.more
		for _, s := range c.spans {
			if attributes(s.Attributes)["faas.invocation_id"] == invocation {
				c.mu.Unlock() // a span ends after its children
				return s
			}
		}
		c.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("no span of the invocation %q came", invocation)
		}
	}
}

func (c *otlpCollector) children(of *trace.Span) (spans []*trace.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if string(s.ParentSpanId) == string(of.SpanId) {
			spans = append(spans, s)
		}
	}
	return spans
}

// count tells how many spans have a name.
func (c *otlpCollector) count(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			n++
		}
	}
	return n
}

func (c *otlpCollector) wants(t *testing.T, s *trace.Span, name string, want map[string]string) {
	t.Helper()
	got := attributes(s.Attributes)
	if s.Name != name {
		t.Errorf("the span is named %q, want %q", s.Name, name)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q; all: %v", k, got[k], v, got)
		}
	}
}

func attributes(kvs []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range kvs {
		switch v := kv.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[kv.Key] = v.StringValue
		default:
			m[kv.Key] = strings.Trim(kv.Value.String()[strings.IndexByte(kv.Value.String(), ':')+1:], " ")
		}
	}
	return m
}
