package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/internal/server/servertest"
)

// shell is where a test runs commands: an environment, a home and a server.
type shell struct {
	t    *testing.T
	env  map[string]string
	home string
	in   io.Reader
	out  io.Writer // instead of a buffer
}

// newShell is a shell on the host of a server.
func newShell(t *testing.T, e *servertest.Env) *shell {
	return &shell{t: t, home: t.TempDir(), env: map[string]string{"HEARTH_DATA": e.Config.Data}}
}

type result struct {
	out, err string
	code     int
}

func (s *shell) run(args ...string) result { return s.runContext(s.t.Context(), args...) }

func (s *shell) runContext(ctx context.Context, args ...string) result {
	s.t.Helper()
	var out, errOut bytes.Buffer
	a := &App{Version: "test", In: s.in, Out: &out, Err: &errOut, Home: s.home, Env: func(k string) string { return s.env[k] }}
	if a.In == nil {
		a.In = strings.NewReader("")
	}
	if s.out != nil {
		a.Out = s.out
	}
	code := a.Run(ctx, args)
	return result{out.String(), errOut.String(), code}
}

// must is run that has to succeed.
func (s *shell) must(args ...string) string {
	s.t.Helper()
	r := s.run(args...)
	if r.code != ExitOK {
		s.t.Fatalf("hearth %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

func mustJSON[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q is not the JSON that was meant: %v", text, err)
	}
	return v
}

func mustWrite(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "hello")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q isn't in:\n%s", p, text)
		}
	}
}
