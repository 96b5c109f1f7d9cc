package sandboxtest

import (
	"archive/tar"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

// Place is where a driver keeps what must be found again after a crash. Two
// drivers of one place are the same instance, one after the other.
type Place struct {
	Dir      string // exists, empty at first
	Instance string // unique on the host
}

// Config describes the driver under test.
type Config struct {
	// New makes a driver. It sees to its Close with t.Cleanup.
	New func(t testing.TB, p Place) sandbox.Driver

	// Runtimes returns the runtimes to test with. They may write shims below
	// dir, which stays.
	Runtimes func(t testing.TB, dir string) []hearth.Runtime

	// Scripts is set where functions are scripts of the fake driver: only the
	// cases that have one are run.
	Scripts bool

	// SharedKernel is set where sandboxes run on the host's kernel, so that
	// attacks on it must fail.
	SharedKernel bool

	// Killable is set where a driver finds what a killed process left behind.
	// The test binary is then started again with the variables of KillEnv, and
	// killed while it has sandboxes.
	Killable bool
	KillEnv  []string

	// HostState lists what a driver has on the host: processes, mounts,
	// cgroups. Without sandboxes it must be as it was before there were any.
	HostState func(t testing.TB, d sandbox.Driver) []string
}

// slowEnv says how many times slower this machine is than those the suite's
// times are meant for, as it is where the processor is emulated: a whole number.
// Every time that a case allows or measures grows with it, and nothing else
// changes. Without it the factor is 1.
const slowEnv = "HEARTH_SANDBOXTEST_SLOW"

// Slow returns that factor, for the tests that a driver has besides.
func Slow() int {
	n, _ := strconv.Atoi(os.Getenv(slowEnv)) // 0 where it isn't set
	return max(1, n)
}

// scaled returns d for this machine.
func scaled(d time.Duration) time.Duration { return time.Duration(Slow()) * d }

// patience is how long a step may take that the kernel and the interpreters
// don't hurry: the machine may be busy.
func patience() time.Duration { return scaled(60 * time.Second) }

// Run runs the whole suite.
func Run(t *testing.T, cfg Config) {
	if order := os.Getenv(killEnv); order != "" {
		serveUntilKilled(t, cfg, order)
		return
	}
	for _, rt := range cfg.Runtimes(t, publicDir(t)) {
		t.Run(rt.Name, func(t *testing.T) { newSuite(t, cfg, rt).run(t) })
	}
}

// suite is one driver with one runtime.
type suite struct {
	cfg    Config
	place  Place
	rt     hearth.Runtime
	driver sandbox.Driver
	caps   sandbox.Capabilities
	code   string // folder with the functions
}

var instances atomic.Int64

func newSuite(t *testing.T, cfg Config, rt hearth.Runtime) *suite {
	t.Helper()
	s := &suite{cfg: cfg, rt: rt, place: newPlace(t)}
	s.driver = cfg.New(t, s.place)
	caps, err := s.driver.Probe(ctxFor(t))
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	s.caps = caps
	s.code = writeCode(t, publicDir(t), rt.Language)
	return s
}

func newPlace(t testing.TB) Place {
	return Place{Dir: t.TempDir(), Instance: fmt.Sprintf("suite-%d-%d", os.Getpid(), instances.Add(1))}
}

// testCase is one promise of the contract.
type testCase struct {
	name    string
	run     func(t *testing.T, s *suite)
	scripts bool // the fake driver can play it
}

func (s *suite) run(t *testing.T) {
	before := s.hostState(t)
	for _, group := range [][]testCase{functionCases, limitCases, lifeCases, attackCases} {
		for _, c := range group {
			if s.cfg.Scripts && !c.scripts {
				continue
			}
			t.Run(c.name, func(t *testing.T) { c.run(t, s) })
		}
	}
	s.wantHostState(t, s.driver, before)
}

func (s *suite) hostState(t testing.TB) []string {
	if s.cfg.HostState == nil {
		return nil
	}
	// Zygotes and the like appear with the first sandbox and stay.
	sb := s.create(t, hearth.DefaultLimits())
	must(t, sb.Destroy(ctxFor(t)))
	return s.cfg.HostState(t, s.driver)
}

// wantHostState waits until the host is as it was. The kernel takes processes
// and cgroups down in its own time and tells nobody, hence the polling.
func (s *suite) wantHostState(t testing.TB, d sandbox.Driver, want []string) {
	t.Helper()
	if s.cfg.HostState == nil {
		return
	}
	var got []string
	if !eventually(func() bool { got = s.cfg.HostState(t, d); return len(more(got, want)) == 0 }) {
		t.Errorf("left on the host: %q", more(got, want))
	}
}

// more returns what is in got and not in want.
func more(got, want []string) []string {
	return slices.DeleteFunc(slices.Clone(got), func(s string) bool { return slices.Contains(want, s) })
}

func eventually(ok func() bool) bool {
	for end := time.Now().Add(scaled(10 * time.Second)); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

//go:embed testdata
var testdata embed.FS

// writeCode writes the functions of a language where every user can read them.
func writeCode(t testing.TB, dir, language string) string {
	t.Helper()
	from, err := fs.Sub(testdata, "testdata/"+language)
	must(t, err)
	if _, err := fs.Stat(from, "."); err != nil {
		return dir // a language without functions, like the fake's
	}
	must(t, os.CopyFS(filepath.Join(dir, "code"), from))
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(p, 0o755)
		}
		return os.Chmod(p, 0o644)
	}))
	return filepath.Join(dir, "code")
}

// publicDir returns a folder that other users can enter, which the folders of
// testing are not.
func publicDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hearth-suite-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

var ids atomic.Int64

func (s *suite) spec(l hearth.Limits) sandbox.Spec {
	id := fmt.Sprintf("%s-%d", s.place.Instance, ids.Add(1))
	return sandbox.Spec{ID: id, Runtime: s.rt, Limits: l, Network: hearth.NetworkNone}
}

// create makes a stem cell that the end of the test destroys.
func (s *suite) create(t testing.TB, l hearth.Limits) sandbox.Sandbox {
	t.Helper()
	sb, err := s.driver.Create(ctxFor(t), s.spec(l))
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	t.Cleanup(func() { destroy(t, sb) })
	return sb
}

func destroy(t testing.TB, sb sandbox.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	defer cancel()
	if err := sb.Destroy(ctx); err != nil {
		t.Errorf("destroy: %v", err)
	}
}

// function is a sandbox that serves one.
type function struct {
	sandbox.Sandbox
	s    *suite
	wire *wire.Conn

	mu     sync.Mutex
	output map[int]*strings.Builder // by descriptor, shim and raw together
	bytes  int                      // of all output
}

// options of a function; zero fields mean the defaults.
type options struct {
	handler     string // "cases.echo"
	limits      hearth.Limits
	concurrency int
	env         map[string]string
}

func (o options) withDefaults() options {
	o.limits = o.limits.WithDefaults(hearth.DefaultLimits())
	o.concurrency = max(1, o.concurrency)
	return o
}

func (o options) version() hearth.Version {
	v := hearth.Version{Function: "conformance", Number: 1, Handler: o.handler, Config: hearth.DefaultConfig()}
	v.Config.Limits, v.Config.Concurrency, v.Config.Env = o.limits, o.concurrency, o.env
	return v
}

// serve makes a sandbox and gives it a function, which it loads with the first
// call or with ready.
func (s *suite) serve(t testing.TB, o options) *function {
	t.Helper()
	o = o.withDefaults()
	return s.give(t, s.create(t, o.limits), o)
}

func (s *suite) give(t testing.TB, sb sandbox.Sandbox, o options) *function {
	t.Helper()
	f := &function{Sandbox: sb, s: s, output: map[int]*strings.Builder{1: {}, 2: {}}}
	if out, ok := sandbox.As[sandbox.Outputter](sb); ok {
		out.Output(f.write)
	}
	v := o.version()
	v.Runtime = s.rt.Name
	must(t, sb.Assign(ctxFor(t), sandbox.Assignment{Version: v, Limits: o.limits, CodeDir: s.code}))
	c, err := sb.Dial(ctxFor(t))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	f.wire = wire.New(c, wire.Options{OnLog: func(_ uint32, l wire.Log, p []byte) { f.write(l.FD, p) }})
	t.Cleanup(func() { f.wire.Close() })
	if _, err := f.wire.Hello(ctxFor(t)); err != nil {
		t.Fatal(err)
	}
	must(t, f.wire.Load(s.load(t, v)))
	return f
}

func (s *suite) load(t testing.TB, v hearth.Version) (wire.Load, []byte) {
	t.Helper()
	l := wire.Load{
		Function: v.Function, Version: v.Number, Handler: v.Handler, Code: hearth.CodeMount, Memory: v.Config.Limits.MemoryMiB,
		TimeoutMS: v.Config.Limits.Timeout.Std().Milliseconds(), Concurrency: v.Config.Concurrency, Env: v.Config.Env,
	}
	if s.caps.CodeMount {
		return l, nil
	}
	l.Code = "/tmp/code"
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.AddFS(os.DirFS(s.code)))
	must(t, w.Close())
	return l, b.Bytes()
}

// keep is the most output of one descriptor that a test holds.
const keep = 1 << 20

func (f *function) write(fd int, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += len(p)
	if b := f.output[fd]; b != nil && b.Len() < keep {
		b.Write(p)
	}
}

// printed returns what came from a descriptor, once all of it was delivered.
func (f *function) printed(fd int) string {
	f.flush()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.output[fd].String()
}

func (f *function) flush() {
	if out, ok := sandbox.As[sandbox.Outputter](f.Sandbox); ok {
		out.FlushOutput()
	}
}

func (f *function) amount() int {
	f.flush()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes
}

// begin sends an event, or the script that stands for it.
func (f *function) begin(t testing.TB, event any, script string) *wire.Stream {
	t.Helper()
	body, raw := event.([]byte)
	switch {
	case f.s.cfg.Scripts:
		body = []byte(script)
	case !raw:
		var err error
		body, err = json.Marshal(event)
		must(t, err)
	}
	id := fmt.Sprint(ids.Add(1))
	st, err := f.wire.Invoke(wire.Invoke{ID: id, Kind: wire.KindJSON, DeadlineMS: time.Now().Add(patience()).UnixMilli()}, body)
	if err != nil {
		t.Fatalf("invoke: %v", err)
	}
	return st
}

// call invokes the function and reads the whole reply.
func (f *function) call(t testing.TB, event any, script string) ([]byte, error) {
	t.Helper()
	st := f.begin(t, event, script)
	defer st.Close()
	ctx := ctxFor(t)
	_, body, more, err := st.Result(ctx)
	for err == nil && more {
		var p []byte
		p, err = st.Chunk(ctx)
		body = append(body, p...)
		if err == io.EOF {
			return body, nil
		}
	}
	return body, err
}

// mustCall is call for those that must succeed.
func (f *function) mustCall(t testing.TB, event any, script string) []byte {
	t.Helper()
	body, err := f.call(t, event, script)
	if err != nil {
		t.Fatalf("call: %v\nexit: %+v\noutput: %s%s", err, f.exitNow(), f.printed(1), f.printed(2))
	}
	return body
}

// exitNow is for messages: why the sandbox died, if it did.
func (f *function) exitNow() sandbox.Exit {
	select {
	case <-f.Done():
		return f.Exit()
	case <-time.After(time.Second):
		return sandbox.Exit{}
	}
}

// died waits until nothing runs inside any more.
func died(t testing.TB, sb sandbox.Sandbox) sandbox.Exit {
	t.Helper()
	select {
	case <-sb.Done():
	case <-time.After(patience()):
		t.Fatal("it lives on")
	}
	return sb.Exit()
}

// ctxFor bounds one step.
func ctxFor(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply reads what a function returned.
func reply[T any](t testing.TB, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("reply %.200q: %v", body, err)
	}
	return v
}
