package sandboxtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

// functionCases are about functions that mean no harm.
var functionCases = []testCase{
	{"echoes what it is given", testEcho, true},
	{"says how it loaded", testReady, true},
	{"sees its own environment alone", testEnvironment, true},
	{"finds its code", testCode, false},
	{"tells a module that has a syntax error", testSyntaxError, false},
	{"tells a module that throws", testImportError, true},
	{"tells a module that isn't there", testNoModule, false},
	{"tells a handler that isn't there", testNoHandler, true},
	{"tells an exception and goes on", testException, true},
	{"tells a reply that can't be sent", testUnsendable, false},
	{"delivers what is printed before the reply", testLog, true},
	{"delivers what is written behind the shim's back", testRawOutput, false},
	{"survives a flood of output", testFlood, false},
	{"carries 6 MB both ways", testPayload, false},
	{"carries bytes that are no text", testBinary, false},
	{"streams more than its credit", testStream, true},
	{"serves many at once", testConcurrency, true},
	{"remembers, but not for siblings", testMemoryOfCalls, true},
	{"draws other random numbers than its siblings", testLuck, false},
}

func testEcho(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.echo"})
	for _, event := range []string{`{"a":[1,2.5,"ü",null,true]}`, `"text"`, `[]`, `null`, `17`} {
		if got := f.mustCall(t, []byte(event), event); !sameJSON(t, got, []byte(event)) {
			t.Errorf("%s came back as %s", event, got)
		}
	}
	if got := f.mustCall(t, []byte{}, ""); string(got) != "null" {
		t.Errorf("an empty event came back as %s", got)
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	return fmt.Sprint(reply[any](t, a)) == fmt.Sprint(reply[any](t, b))
}

func testReady(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.echo"})
	r, err := f.wire.Ready(ctxFor(t))
	must(t, err)
	if r.Shape == "" || r.ImportUS < 0 {
		t.Errorf("ready: %+v", r)
	}
	f.mustCall(t, 1, "1")
}

func testEnvironment(t *testing.T, s *suite) {
	t.Setenv("HEARTH_SUITE_SECRET", "of the server")
	f := s.serve(t, options{handler: "cases.env", env: map[string]string{"COLOUR": "grün & \"gelb\""}})
	if got := reply[string](t, f.mustCall(t, "COLOUR", `{"env":"COLOUR"}`)); got != "grün & \"gelb\"" {
		t.Errorf("COLOUR is %q", got)
	}
	if got := f.mustCall(t, "HEARTH_SUITE_SECRET", `{"env":"HEARTH_SUITE_SECRET"}`); string(got) != "null" {
		t.Errorf("the server's environment is seen: %s", got)
	}
	if s.cfg.Scripts {
		return
	}
	for name, want := range map[string]string{
		"HOME": "/tmp", "TMPDIR": "/tmp", "HEARTH_FUNCTION": "conformance", "HEARTH_VERSION": "1", "_HANDLER": "cases.env",
		"AWS_LAMBDA_FUNCTION_NAME": "conformance", "TZ": "UTC",
	} {
		if got := reply[*string](t, f.mustCall(t, name, "")); got == nil || *got != want {
			t.Errorf("%s is %v, want %q", name, got, want)
		}
	}
}

func testCode(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.where"})
	got := reply[struct{ Code string }](t, f.mustCall(t, nil, ""))
	if s.caps.CodeMount && got.Code != hearth.CodeMount {
		t.Errorf("the code is at %s", got.Code)
	}
}

// wantLoadError gives the sandbox a function that doesn't load.
func wantLoadError(t *testing.T, s *suite, o options, kind string) *wire.Error {
	t.Helper()
	f := s.serve(t, o)
	_, err := f.wire.Ready(ctxFor(t))
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("ready: %v", err)
	}
	if e.Kind != kind {
		t.Errorf("the error is of kind %q, want %q: %+v", e.Kind, kind, e)
	}
	if _, err := f.wire.Invoke(wire.Invoke{ID: "1", Kind: wire.KindJSON}, nil); !errors.As(err, &e) {
		t.Errorf("invoke: %v", err)
	}
	return e
}

func testSyntaxError(t *testing.T, s *suite) {
	e := wantLoadError(t, s, options{handler: "broken.handler"}, wire.ErrorImport)
	if e.Type != "SyntaxError" || e.Message == "" {
		t.Errorf("error: %+v", e)
	}
}

func testImportError(t *testing.T, s *suite) {
	e := wantLoadError(t, s, options{handler: "throws.handler", env: map[string]string{"FAKE_LOAD_FAIL": "RuntimeError: not today"}}, wire.ErrorImport)
	if !strings.Contains(e.Message, "not today") {
		t.Errorf("error: %+v", e)
	}
	if !s.cfg.Scripts && (!strings.Contains(e.Trace, "throws.") || !strings.Contains(e.Trace, "begin")) {
		t.Errorf("the trace doesn't show where:\n%s", e.Trace)
	}
}

func testNoModule(t *testing.T, s *suite) {
	wantLoadError(t, s, options{handler: "nowhere.handler"}, wire.ErrorNoModule)
}

func testNoHandler(t *testing.T, s *suite) {
	wantLoadError(t, s, options{handler: "cases.missing"}, wire.ErrorNoHandler)
}

// wantError calls a function and wants an error of one kind.
func wantError(t *testing.T, f *function, event any, script, kind string) *wire.Error {
	t.Helper()
	body, err := f.call(t, event, script)
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("the call replied %.200s, %v (exit %+v)", body, err, f.exitNow())
	}
	if e.Kind != kind {
		t.Errorf("the error is of kind %q, want %q: %+v", e.Kind, kind, e)
	}
	return e
}

func testException(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.fail"})
	for range 2 { // it goes on
		e := wantError(t, f, "luck", `{"fail":"ValueError: no luck"}`, wire.ErrorHandler)
		if e.Message != "no luck" || !slices.Contains([]string{"ValueError", "RangeError"}, e.Type) {
			t.Errorf("error: %+v", e)
		}
		if !s.cfg.Scripts && (!strings.Contains(e.Trace, "cases.") || strings.Contains(e.Trace, hearth.ShimMount+"/")) {
			t.Errorf("the trace isn't the function's alone:\n%s", e.Trace)
		}
	}
}

func testUnsendable(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.unsendable"})
	for range 2 {
		wantError(t, f, nil, "", wire.ErrorReply)
	}
}

func testLog(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.log"})
	f.mustCall(t, nil, `{"log":["first","third"]}`)
	if got := f.printed(1); got != "first\nthird\n" {
		t.Errorf("standard output: %q", got)
	}
	if got := f.printed(2); !s.cfg.Scripts && got != "second\n" {
		t.Errorf("standard error: %q", got)
	}
}

func testRawOutput(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.raw_output"})
	if _, ok := sandbox.As[sandbox.Outputter](f.Sandbox); !ok {
		t.Skip("this driver's output comes by wire alone")
	}
	f.mustCall(t, nil, "")
	for fd, want := range map[int]string{1: "straight to one\n", 2: "straight to two\n"} {
		if got := f.printed(fd); !strings.HasSuffix(got, want) {
			t.Errorf("descriptor %d: %q", fd, got)
		}
	}
}

func testFlood(t *testing.T, s *suite) {
	const kib = 20 << 10
	for _, name := range []string{"flood", "raw_flood"} {
		t.Run(name, func(t *testing.T) {
			f := s.serve(t, options{handler: "cases." + name})
			if _, ok := sandbox.As[sandbox.Outputter](f.Sandbox); !ok && name == "raw_flood" {
				t.Skip("this driver's output comes by wire alone")
			}
			f.mustCall(t, map[string]int{"kib": kib}, "")
			// The reader may cap what it keeps, but the function is not held
			// up, and nothing of the host grows with the flood.
			if got := f.amount(); got == 0 || got > kib<<10 {
				t.Errorf("%d KiB of output came as %d bytes", kib, got)
			}
		})
	}
}

func testPayload(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.raw", limits: hearth.Limits{MemoryMiB: 256}})
	text := strings.Repeat("0123456789abcdef", 6<<20/16)
	got := f.mustCall(t, map[string]string{"body": text}, "")
	if string(got) != text {
		t.Errorf("6 MiB came back as %d bytes", len(got))
	}
}

func testBinary(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.raw"})
	got := f.mustCall(t, map[string]int{"pairs": 1000}, "")
	if !bytes.Equal(got, bytes.Repeat([]byte{0, 255}, 1000)) {
		t.Errorf("1000 pairs of bytes came as %d bytes: %.40q", len(got), got)
	}
}

func testStream(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.stream"})
	got := f.mustCall(t, map[string]int{"chunks": 40, "size": 100_000}, `{"stream":40,"size":100000}`)
	if len(got) != 40*100_000 {
		t.Errorf("4 MB came as %d bytes", len(got))
	}
	if !s.cfg.Scripts && (got[0] != 'A' || got[100_000] != 'B' || got[len(got)-1] != 'A'+39%26) {
		t.Error("the chunks came in another order")
	}
	f.mustCall(t, map[string]int{"chunks": 1, "size": 1}, `{"stream":1,"size":1}`)
}

func testConcurrency(t *testing.T, s *suite) {
	const n = 8
	nap := scaled(300 * time.Millisecond)
	f := s.serve(t, options{handler: "cases.nap", concurrency: n})
	_, err := f.wire.Ready(ctxFor(t))
	must(t, err)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			event := map[string]int{"ms": int(nap.Milliseconds()), "i": i}
			got, err := f.call(t, event, fmt.Sprintf(`{"sleep":"%s","echo":{"i":%d}}`, nap, i))
			if err != nil {
				t.Errorf("call %d: %v", i, err)
				return
			}
			if r := reply[map[string]int](t, got); r["i"] != i {
				t.Errorf("call %d got the reply of %d", i, r["i"])
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > n*nap*3/4 {
		t.Errorf("%d naps of %s took %s: one after the other", n, nap, took)
	}
}

func testMemoryOfCalls(t *testing.T, s *suite) {
	a, b := s.serve(t, options{handler: "cases.count"}), s.serve(t, options{handler: "cases.count"})
	const script = `{"count":true}`
	for i := 1; i <= 3; i++ {
		if got := string(a.mustCall(t, nil, script)); got != fmt.Sprint(i) {
			t.Errorf("call %d counts %s", i, got)
		}
	}
	if got := string(b.mustCall(t, nil, script)); got != "1" {
		t.Errorf("a sibling counts %s", got)
	}
}

func testLuck(t *testing.T, s *suite) {
	a, b := s.serve(t, options{handler: "cases.luck"}), s.serve(t, options{handler: "cases.luck"})
	x, y := reply[[]any](t, a.mustCall(t, nil, "")), reply[[]any](t, b.mustCall(t, nil, ""))
	for i := range x {
		if x[i] == y[i] {
			t.Errorf("siblings both drew %v", x[i])
		}
	}
}
