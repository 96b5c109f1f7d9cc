//go:build unix

package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/examples"
	"hearth/internal/runtime"
	"hearth/internal/runtime/node"
	"hearth/internal/runtime/python"
	"hearth/internal/wire"
)

// settings is the part of hearth.yaml that these tests use.
type settings struct {
	Name    string            `yaml:"name"`
	Runtime string            `yaml:"runtime"`
	Handler string            `yaml:"handler"`
	Memory  int               `yaml:"memory"`
	Route   string            `yaml:"route"`
	Public  bool              `yaml:"public"`
	Env     map[string]string `yaml:"env"`
}

func mustSettings(t *testing.T, folder fs.FS) settings {
	t.Helper()
	text, err := fs.ReadFile(folder, "hearth.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var s settings
	if err := yaml.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustList(t *testing.T) []string {
	t.Helper()
	names, err := examples.List()
	if err != nil || len(names) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	return names
}

func TestEveryExampleIsComplete(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]string{}
	languages := map[string]int{}
	for _, name := range mustList(t) {
		folder, err := examples.Folder(name)
		if err != nil {
			t.Fatal(err)
		}
		s := mustSettings(t, folder)
		if s.Name != name || hearth.ValidateName(name) != nil {
			t.Errorf("%s: hearth.yaml names it %q", name, s.Name)
		}
		if s.Runtime != "python" && s.Runtime != "nodejs" {
			t.Errorf("%s: runtime %q; an example never names a version", name, s.Runtime)
		}
		languages[s.Runtime]++
		if !s.Public {
			t.Errorf("%s is not public", name)
		}
		if _, err := hearth.ParseRoute(s.Route); err != nil || routes[s.Route] != "" {
			t.Errorf("%s: route %q: %v, also of %s", name, s.Route, err, routes[s.Route])
		}
		routes[s.Route] = name
		if !bytes.Contains(readme, []byte("**"+name+"**")) {
			t.Errorf("%s has no line in README.md", name)
		}
		if checks, err := examples.Checks(name); err != nil || len(checks) == 0 {
			t.Errorf("%s: no checks: %v", name, err)
		}
	}
	if languages["python"] < 4 || languages["nodejs"] < 4 {
		t.Errorf("examples by language: %v", languages)
	}
}

// Whoever adds an example says what it is good for, and nothing else is offered.
func TestEveryExampleIsATemplate(t *testing.T) {
	ts, err := examples.Templates()
	if err != nil {
		t.Fatal(err)
	}
	offered := map[string]bool{}
	for _, x := range ts {
		if offered[x.Name] || x.Title == "" || !strings.HasSuffix(x.Description, ".") {
			t.Errorf("%+v is there twice, or says too little", x)
		}
		offered[x.Name] = true
	}
	for _, name := range mustList(t) {
		if !offered[name] {
			t.Errorf("%s is not among the templates", name)
		}
		delete(offered, name)
	}
	if len(offered) > 0 {
		t.Errorf("there are no examples for the templates %v", offered)
	}
}

// TestExamples serves every example by its shim, without a sandbox, and makes
// the requests of its check.yaml.
func TestExamples(t *testing.T) {
	catalog, err := runtime.Detect(t.Context(), t.TempDir(), python.New(), node.New())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range mustList(t) {
		t.Run(name, func(t *testing.T) {
			folder, err := examples.Folder(name)
			if err != nil {
				t.Fatal(err)
			}
			s := mustSettings(t, folder)
			rt, err := catalog.Get(s.Runtime)
			if err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			verifyGuess(t, catalog, rt, folder, s)
			conn := mustServe(t, rt, folder, s)
			checks, err := examples.Checks(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks {
				if err := request(t, conn, name, c); err != nil {
					t.Errorf("%s: %v", c.Name, err)
				}
			}
		})
	}
}

// verifyGuess holds the language to it: an example's handler is what it would guess.
func verifyGuess(t *testing.T, catalog *runtime.Catalog, rt hearth.Runtime, folder fs.FS, s settings) {
	t.Helper()
	language := catalog.Language(rt)
	if guess, err := language.Handler(folder); err != nil || guess != s.Handler {
		t.Errorf("the handler is guessed as %q, %v; want %s", guess, err, s.Handler)
	}
	if err := language.Check(folder, s.Handler); err != nil {
		t.Error(err)
	}
}

// mustServe starts the shim of rt with a copy of the example's code loaded.
func mustServe(t *testing.T, rt hearth.Runtime, folder fs.FS, s settings) *wire.Conn {
	t.Helper()
	code := t.TempDir()
	if err := os.CopyFS(code, folder); err != nil {
		t.Fatal(err)
	}
	ours, theirs := mustPair(t)
	var command []string
	for _, arg := range rt.Command {
		if rest, ok := strings.CutPrefix(arg, hearth.ShimMount+"/"); ok {
			arg = filepath.Join(rt.ShimDir, rest)
		}
		command = append(command, arg)
	}
	var output bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = rt.Env
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	conn := wire.New(ours, wire.Options{})
	t.Cleanup(func() {
		_ = conn.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("output: %s", output.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := conn.Hello(ctx); err != nil {
		t.Fatalf("wait for hello: %v", err)
	}
	load := wire.Load{Function: s.Name, Version: 1, Handler: s.Handler, Code: code, Memory: s.Memory, TimeoutMS: 10_000, Concurrency: 1, Env: s.Env}
	if err := conn.Load(load, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Ready(ctx); err != nil {
		t.Fatalf("load the example: %v", err)
	}
	return conn
}

func mustPair(t *testing.T) (net.Conn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	ours := os.NewFile(uintptr(fds[0]), "wire")
	defer func() { _ = ours.Close() }()
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	return conn, os.NewFile(uintptr(fds[1]), "wire")
}

// request makes one request and verifies its reply.
func request(t *testing.T, conn *wire.Conn, example string, c examples.Check) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	body, err := c.Request.Payload(example)
	if err != nil {
		return err
	}
	at, err := url.Parse(c.Request.Path)
	if err != nil {
		return err
	}
	head := hearth.HTTPRequest{
		Method: c.Request.Method, Path: at.Path, RawPath: "/fn/" + example + at.EscapedPath(), RawQuery: at.RawQuery, Headers: map[string][]string{},
		Host: "localhost", Scheme: "http", Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", Route: "$default",
	}
	if head.Method == "" {
		head.Method = http.MethodGet
	}
	for name, value := range c.Request.Headers {
		head.Headers[name] = []string{value}
	}
	stream, err := conn.Invoke(wire.Invoke{ID: "check", Kind: wire.KindHTTP, DeadlineMS: time.Now().Add(10 * time.Second).UnixMilli(), HTTP: &head}, body)
	if err != nil {
		return err
	}
	defer stream.Close()
	result, reply, more, err := stream.Result(ctx)
	if err != nil {
		return err
	}
	for more {
		chunk, err := stream.Chunk(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the stream: %w", err)
		}
		reply = append(reply, chunk...)
	}
	header := http.Header{}
	for name, values := range result.Headers {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return c.Expect.Verify(result.Status, header, reply)
}

func TestVerifyFindsEveryDifference(t *testing.T) {
	text := "a"
	for name, e := range map[string]examples.Expect{
		"status":   {Status: 201},
		"header":   {Headers: map[string]string{"x": "2"}},
		"body":     {Body: &text},
		"contains": {Contains: []string{"nothing"}},
		"json":     {JSON: map[string]any{"n": 2}},
		"prefix":   {PrefixHex: "00"},
	} {
		if e.Verify(200, http.Header{"X": {"1"}}, []byte(`{"n":1}`)) == nil {
			t.Errorf("a wrong %s was not found", name)
		}
	}
	same := examples.Expect{Status: 200, Headers: map[string]string{"x": "1"}, Contains: []string{"n"}, JSON: map[string]any{"n": 1}, PrefixHex: "7b"}
	if err := same.Verify(200, http.Header{"X": {"1"}}, []byte(`{"n":1}`)); err != nil {
		t.Error(err)
	}
}
