package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
	"hearth/internal/sandbox/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is an engine on the fake driver, with everything it reports.
type house struct {
	t      testing.TB
	e      *Engine
	driver *fake.Driver

	mu      sync.Mutex
	records []hearth.Invocation
	logs    map[string]*strings.Builder // by invocation, "" for between
	writers map[*logWriter]bool         // open
}

type oneDir struct{ dir string }

func (d oneDir) Dir(string) (string, error) { return d.dir, nil }

// build opens an engine. With Prewarm left nil there are no stem cells.
func build(t testing.TB, o fake.Options, c Config) *house {
	t.Helper()
	h := &house{t: t, driver: fake.New(o), logs: map[string]*strings.Builder{}, writers: map[*logWriter]bool{}}
	c.Drivers = map[string]sandbox.Driver{fake.Name: guard.New(h.driver, nil)}
	c.DefaultDriver = fake.Name
	c.Runtime = func(name string) (hearth.Runtime, error) {
		if name != fake.Runtime().Name {
			return hearth.Runtime{}, errors.New("no such interpreter")
		}
		return fake.Runtime(), nil
	}
	c.Code = oneDir{t.TempDir()}
	c.Recorder = h
	c.Output = h.output
	if c.StemTarget == nil {
		c.StemTarget = func(string) int { return 0 }
	}
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h.e = e
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) RecordInvocation(i hearth.Invocation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, i)
}

type logWriter struct {
	h          *house
	version    string
	invocation string
}

func (h *house) output(name string, version int, invocation string) LogWriter {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.logs[invocation] == nil {
		h.logs[invocation] = &strings.Builder{}
	}
	w := &logWriter{h, fmt.Sprint(name, "@", version), invocation}
	h.writers[w] = true
	return w
}

func (w *logWriter) Write(stream, _ string, _ time.Time, p []byte) {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	fmt.Fprintf(w.h.logs[w.invocation], "%s:%s", stream, p)
}

func (w *logWriter) Platform(format string, args ...any) {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	fmt.Fprintf(w.h.logs[w.invocation], "platform:"+format+"\n", args...)
}

func (w *logWriter) Close() {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	if !w.h.writers[w] {
		w.h.t.Errorf("log of %s %q closed twice", w.version, w.invocation)
	}
	delete(w.h.writers, w)
}

// log returns what an invocation printed.
func (h *house) log(invocation string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.logs[invocation]; b != nil {
		return b.String()
	}
	return ""
}

// record returns the only record of an invocation.
func (h *house) record(id string) hearth.Invocation {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []hearth.Invocation
	for _, r := range h.records {
		if r.ID == id {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		h.t.Fatalf("invocation %s has %d records", id, len(found))
	}
	return found[0]
}

// close stops the engine and wants nothing left and no contract broken.
func (h *house) close() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.e.Stop(ctx); err != nil {
		h.t.Errorf("stop: %v", err)
	}
	if alive := h.driver.Alive(); len(alive) > 0 {
		h.t.Errorf("sandboxes left: %v", alive)
	}
	if v := h.driver.Violations(); len(v) > 0 {
		h.t.Errorf("violations: %q", v)
	}
	h.mu.Lock()
	for w := range h.writers {
		h.t.Errorf("log of %s %q was never closed", w.version, w.invocation)
	}
	h.mu.Unlock()
	s := h.e.Stats()
	if s.Running != 0 || s.Waiting != 0 || s.Sandboxes != 0 || s.MemoryMiB != 0 {
		h.t.Errorf("counters of a stopped engine: %+v", s)
	}
	if infos := h.e.Sandboxes(ctx); len(infos) > 0 {
		h.t.Errorf("sandboxes still listed: %+v", infos)
	}
}

// version returns a version of a function that the fake can run.
func version(name string, number int, change ...func(*hearth.Config)) hearth.Version {
	v := hearth.Version{
		Function: name, Number: number, Runtime: fake.Runtime().Name, Handler: "main.handler",
		Sandbox: fake.Name, CodeDigest: "sha256:0", Config: hearth.DefaultConfig(),
	}
	for _, f := range change {
		f(&v.Config)
	}
	return v
}

func (h *house) activate(v hearth.Version) {
	h.t.Helper()
	if err := h.e.Activate(hearth.Function{Name: v.Function}, v); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) deploy(v hearth.Version) Readiness {
	h.t.Helper()
	r, err := h.e.Deploy(h.t.Context(), v)
	if err != nil {
		h.t.Fatalf("deploy: %v", err)
	}
	h.activate(v)
	return r
}

// call makes a call and reads the whole reply.
func (h *house) call(name, id, script string) (string, hearth.Start, error) {
	return h.callCtx(h.t.Context(), name, id, script)
}

func (h *house) callCtx(ctx context.Context, name, id, script string) (string, hearth.Start, error) {
	r, err := h.e.Invoke(ctx, Call{ID: id, Function: name, Trigger: hearth.TriggerAPI, Event: hearth.Event{Body: []byte(script)}})
	if err != nil {
		return "", "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), r.Start, err
}

func (h *house) mustCall(name, id, script, want string) hearth.Start {
	h.t.Helper()
	got, start, err := h.call(name, id, script)
	if err != nil || got != want {
		h.t.Fatalf("%s replied %q, %v; want %q", script, got, err, want)
	}
	return start
}

// fails makes a call that must fail with a code.
func (h *house) fails(name, id, script string, code hearth.Code) *hearth.Error {
	h.t.Helper()
	got, _, err := h.call(name, id, script)
	var e *hearth.Error
	if !errors.As(err, &e) || e.Code != code {
		h.t.Fatalf("%s gave %q, %#v; want %s", script, got, err, code)
	}
	if e.Hint == "" && code != hearth.CodeFunctionError && code != hearth.CodeCancelled {
		h.t.Errorf("%s: no hint with %q", script, e.Message)
	}
	return e
}

func TestFirstCallThenWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1))
		if s := h.mustCall("f", "a", `{"echo":1,"log":"hi"}`, "1"); s != hearth.StartSpawned {
			t.Errorf("first start: %s", s)
		}
		synctest.Wait()
		if s := h.mustCall("f", "b", `{"count":true}`, "2"); s != hearth.StartWarm {
			t.Errorf("second start: %s", s)
		}
		synctest.Wait()
		r := h.record("a")
		if r.Outcome != hearth.OutcomeOK || r.Status != 200 || r.Version != 1 || r.Sandbox == "" || r.Start != hearth.StartSpawned || r.Usage == nil {
			t.Errorf("record: %+v", r)
		}
		if h.log("a") != "stdout:hi\n" {
			t.Errorf("log: %q", h.log("a"))
		}
	})
}
