// Package servertest starts a whole server for a test, on a port that the
// kernel chooses and a folder that the test removes, with the fake driver in
// the place of real sandboxes. It is not for tests of sandboxes.
package servertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/runtime"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
	"hearth/internal/server"
)

// Env is a running server.
type Env struct {
	*server.Server
	T      testing.TB
	Config config.Config
	Admin  *client.Client
	Key    string // the admin's
	Logs   *Buffer
	Driver *fake.Driver

	stop  context.CancelFunc
	done  chan struct{} // closed when Serve has returned
	err   error         // what it returned
	ended sync.Once
}

// Change alters what a server is started with.
type Change func(*config.Config, *server.Options)

// Start runs a server until the test ends.
func Start(t testing.TB, changes ...Change) *Env {
	t.Helper()
	e := &Env{T: t, Logs: &Buffer{}, Driver: fake.New(fake.Options{}), done: make(chan struct{})}
	e.Config = config.Default()
	e.Config.Data, e.Config.Listen, e.Config.Sandbox = t.TempDir(), "127.0.0.1:0", fake.Name
	e.Config.Drain = 5 * time.Second
	o := server.Options{
		Version: "test", Drivers: []sandbox.Driver{e.Driver}, Languages: []runtime.Language{Language{}},
		Logger: slog.New(slog.NewTextHandler(e.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range changes {
		c(&e.Config, &o)
	}
	s, err := server.Open(t.Context(), e.Config, o)
	if err != nil {
		t.Fatalf("open the server: %v", err)
	}
	e.Server = s
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	go func() {
		defer close(e.done)
		e.err = s.Serve(ctx)
	}()
	t.Cleanup(e.End)
	e.connect()
	return e
}

// connect waits for the file that says that the server answers.
func (e *Env) connect() {
	e.T.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		end, key, err := config.ReadEndpoint(e.Config.Data)
		if err == nil {
			e.Key = key
			if e.Admin, err = client.New(end.URL, key); err != nil {
				e.T.Fatal(err)
			}
			if err = e.Admin.Ready(e.T.Context()); err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			e.T.Fatalf("the server didn't get ready: %v", err)
		}
	}
}

// Stop asks the server to drain, as a signal would.
func (e *Env) Stop() { e.stop() }

// Wait returns what Serve returned.
func (e *Env) Wait() error {
	<-e.done
	return e.err
}

// End stops the server for good and checks how it was used.
func (e *Env) End() {
	e.ended.Do(func() {
		e.stop()
		if err := e.Close(context.Background()); err != nil {
			e.T.Errorf("close the server: %v", err)
		}
		if err := e.Wait(); err != nil {
			e.T.Errorf("serve: %v", err)
		}
		if v := e.Driver.Violations(); len(v) > 0 {
			e.T.Errorf("the driver was misused: %v", v)
		}
		if e.T.Failed() {
			e.T.Logf("the server's log:\n%s", e.Logs)
		}
	})
}

// Deploy deploys a function of the fake language.
func (e *Env) Deploy(name string, c rest.DeployConfig) rest.Deployed {
	e.T.Helper()
	d, err := e.Admin.Deploy(e.T.Context(), client.DeployRequest{
		Name: name, Config: c, Code: strings.NewReader("# played by the fake driver\n"), Filename: "main.py",
	})
	if err != nil {
		e.T.Fatalf("deploy %s: %v", name, err)
	}
	return d
}

// User makes a user of a role and returns its client and key.
func (e *Env) User(name string, role hearth.Role) (*client.Client, string) {
	e.T.Helper()
	if _, err := e.Admin.AddUser(e.T.Context(), rest.NewUser{Name: name, Role: role}); err != nil {
		e.T.Fatalf("add user: %v", err)
	}
	k, err := e.Admin.AddKey(e.T.Context(), rest.NewKey{Name: "test", User: name})
	if err != nil {
		e.T.Fatalf("add key: %v", err)
	}
	c, err := client.New(e.URL(), k.Secret)
	if err != nil {
		e.T.Fatal(err)
	}
	return c, k.Secret
}

// Answer is an HTTP reply that was read whole.
type Answer struct {
	*http.Response
	Text string
}

// Do sends a request, without following redirects. Headers are "Name: value".
func (e *Env) Do(method, path, body string, headers ...string) Answer {
	e.T.Helper()
	req, err := http.NewRequestWithContext(e.T.Context(), method, e.URL()+path, strings.NewReader(body))
	if err != nil {
		e.T.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		e.T.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.T.Fatalf("%s %s: read the reply: %v", method, path, err)
	}
	return Answer{resp, string(b)}
}

// Auth is the header for a key.
func Auth(key string) string { return "Authorization: Bearer " + key }

// MustError returns the platform's error in err, and fails the test if there is
// none.
func MustError(t testing.TB, err error) *hearth.Error {
	t.Helper()
	var e *hearth.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, not an error of ours", err)
	}
	return e
}

// Buffer is a bytes.Buffer for concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Language is the language of the fake driver. It owns Python files, which
// nobody reads, and finds every handler but those of a module "nowhere".
type Language struct{}

// Name implements runtime.Language.
func (Language) Name() string { return "fake" }

// Aliases implements runtime.Language.
func (Language) Aliases() []string { return []string{"pretended"} }

// Detect implements runtime.Language.
func (Language) Detect(context.Context, string) ([]hearth.Runtime, string, error) {
	return []hearth.Runtime{fake.Runtime()}, "", nil
}

// Owns implements runtime.Language.
func (Language) Owns(code fs.FS) bool {
	m, _ := fs.Glob(code, "*.py")
	return len(m) > 0
}

// Handler implements runtime.Language.
func (Language) Handler(fs.FS) (string, error) { return "main.handler", nil }

// Check implements runtime.Language.
func (Language) Check(_ fs.FS, handler string) error {
	if module, _, _ := strings.Cut(handler, "."); module == "nowhere" {
		return hearth.Errorf(hearth.CodeInvalid, "there is no module nowhere").WithField("handler").WithHint("use main.handler")
	}
	return nil
}

// Head sends a request and returns the status only: the reply may be a stream
// without an end.
func (e *Env) Head(method, path string, headers ...string) int {
	e.T.Helper()
	ctx, cancel := context.WithCancel(e.T.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, e.URL()+path, nil)
	if err != nil {
		e.T.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.T.Fatalf("%s %s: %v", method, path, err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
