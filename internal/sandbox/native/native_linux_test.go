package native_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
	"hearth/internal/runtime"
	"hearth/internal/runtime/node"
	"hearth/internal/runtime/python"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/native"
	"hearth/internal/sandbox/sandboxtest"
	"hearth/internal/wire"
)

// languages are those that the driver is tested with.
var languages = map[string]runtime.Language{"nodejs": node.New(), "python": python.New()}

// Finding a language takes a while, so it is done once.
var detected sync.Map // language to func() (hearth.Runtime, error)

// mustRuntime returns the best interpreter of the host for a language.
func mustRuntime(t testing.TB, language string) hearth.Runtime {
	t.Helper()
	detect := func() (hearth.Runtime, error) {
		dir, err := shimsDir()
		if err != nil {
			return hearth.Runtime{}, err
		}
		rts, note, err := languages[language].Detect(context.Background(), dir)
		if err != nil {
			return hearth.Runtime{}, err
		}
		if len(rts) == 0 {
			return hearth.Runtime{}, fmt.Errorf("%w: %s", errNoLanguage, note)
		}
		return rts[0], nil
	}
	once, _ := detected.LoadOrStore(language, sync.OnceValues(detect))
	rt, err := once.(func() (hearth.Runtime, error))()
	if errors.Is(err, errNoLanguage) {
		skip(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

var errNoLanguage = errors.New("this host lacks the language")

// skip skips, but not where everything is meant to be there.
func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func mustPublicDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hearth-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

var instances atomic.Int64

func mustDriver(t testing.TB, c native.Config) *native.Driver {
	t.Helper()
	if os.Getuid() != 0 {
		skip(t, "needs root")
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Instance == "" {
		c.Instance = fmt.Sprintf("test-%d-%d", os.Getpid(), instances.Add(1))
	}
	c.Logger = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	d, err := native.New(c)
	if err != nil {
		t.Fatal(err)
	}
	native.Stretch(d, sandboxtest.Slow())
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close driver: %v", err)
		}
	})
	return d
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

var sandboxes atomic.Int64

func mustCreate(t testing.TB, d *native.Driver, rt hearth.Runtime) sandbox.Sandbox {
	t.Helper()
	s, err := d.Create(t.Context(), spec(rt))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func spec(rt hearth.Runtime) sandbox.Spec {
	return sandbox.Spec{
		ID: fmt.Sprintf("cell-%d-%d", os.Getpid(), sandboxes.Add(1)), Runtime: rt, Limits: hearth.DefaultLimits(), Network: hearth.NetworkNone,
	}
}

// code is a handler in each language.
type code map[string]string

func (c code) write(t testing.TB, language string) (dir string) {
	t.Helper()
	dir = mustPublicDir(t)
	name := map[string]string{"nodejs": "main.js", "python": "main.py"}[language]
	if err := os.WriteFile(filepath.Join(dir, name), []byte(c[language]), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// function is a sandbox that serves a handler.
type function struct {
	sandbox.Sandbox
	driver  *native.Driver
	runtime hearth.Runtime
	wire    *wire.Conn

	mu  sync.Mutex
	log strings.Builder
}

// mustServe makes s serve the code in dir.
func mustServe(t testing.TB, s sandbox.Sandbox, dir string, l hearth.Limits) *function {
	t.Helper()
	if err := s.Assign(t.Context(), sandbox.Assignment{Limits: l, CodeDir: dir}); err != nil {
		t.Fatal(err)
	}
	f := mustLoad(t, s, l)
	if o, ok := sandbox.As[sandbox.Outputter](s); ok {
		o.Output(func(fd int, p []byte) { f.write(p) })
	}
	return f
}

// mustLoad tells an assigned sandbox to load, with its first call.
func mustLoad(t testing.TB, s sandbox.Sandbox, l hearth.Limits) *function {
	t.Helper()
	f := &function{Sandbox: s}
	c, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.wire = wire.New(c, wire.Options{OnLog: func(_ uint32, _ wire.Log, b []byte) { f.write(b) }})
	err = f.wire.Load(wire.Load{
		Function: "test", Version: 1, Handler: "main.handler", Code: hearth.CodeMount,
		Memory: l.MemoryMiB, TimeoutMS: 10_000, Concurrency: 1,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *function) write(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log.Write(p)
}

func (f *function) output() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

// call invokes the function with a JSON event.
func (f *function) call(ctx context.Context, event string) (string, error) {
	s, err := f.wire.Invoke(wire.Invoke{ID: "1", Kind: wire.KindJSON, DeadlineMS: time.Now().Add(10 * time.Second).UnixMilli()}, []byte(event))
	if err != nil {
		return "", err
	}
	defer s.Close()
	_, body, _, err := s.Result(ctx)
	return string(body), err
}

// mustStart invokes the function and doesn't wait for an answer.
func (f *function) mustStart(t testing.TB, event string) {
	t.Helper()
	_, err := f.wire.Invoke(wire.Invoke{ID: "2", Kind: wire.KindJSON}, []byte(event))
	if err != nil {
		t.Fatal(err)
	}
}

func (f *function) mustCall(t testing.TB, event string) string {
	t.Helper()
	body, err := f.call(t.Context(), event)
	if err != nil {
		t.Fatalf("call: %v\n%s", err, f.output())
	}
	return body
}

var echo = code{
	"python": "def handler(event, context):\n    return event\n",
	"nodejs": "exports.handler = async (event) => event\n",
}

func TestASandboxServesAFunction(t *testing.T) {
	for language := range languages {
		t.Run(language, func(t *testing.T) {
			rt := mustRuntime(t, language)
			d := mustDriver(t, native.Config{})
			s := mustCreate(t, d, rt)
			f := mustServe(t, s, echo.write(t, language), hearth.DefaultLimits())
			if got := f.mustCall(t, `{"a":1}`); got != `{"a":1}` {
				t.Errorf("got %s", got)
			}
			u, err := s.Usage(t.Context())
			if err != nil || u.CPU == 0 || u.Memory == 0 || u.PIDs == 0 {
				t.Errorf("usage %+v, %v", u, err)
			}
			if err := s.Destroy(t.Context()); err != nil {
				t.Error(err)
			}
			<-s.Done()
			if e := s.Exit(); e.Signal != "SIGKILL" {
				t.Errorf("exit %+v", e)
			}
		})
	}
}
