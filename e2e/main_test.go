package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth/client"
	"hearth/internal/config"
)

// binaryEnv names a program under test that was built before.
const binaryEnv = "HEARTH_E2E_BINARY"

// binary is the program under test, built once for all scenarios.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(binaryEnv); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "hearth-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "hearth")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/hearth")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hearth: %w\n%s", err, out)
	}
	// Ordinary users run it too.
	return path, os.Chmod(dir, 0o755)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil && os.Getenv(binaryEnv) == "" {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// needsRoot skips a scenario where it can't run, and fails it in CI, which can.
func needsRoot(t *testing.T) {
	t.Helper()
	why := ""
	switch {
	case testing.Short():
		t.Skip("end-to-end scenarios are not short")
	case runtime.GOOS != "linux":
		why = "functions run on Linux only"
	case os.Geteuid() != 0:
		why = "this scenario counts what is left on the host, for which it needs root"
	}
	if why == "" {
		return
	}
	if os.Getenv("CI") != "" && runtime.GOOS == "linux" {
		t.Fatalf("CI must run this: %s", why)
	}
	t.Skip(why)
}

// start is how long a server may take to answer, on a slow machine.
const startLimit = time.Minute

// Server is a running hearth and the folder it lives in.
type Server struct {
	t    *testing.T
	Data string
	Home string // of the command line that speaks to it
	URL  string
	Key  string
	cmd  *exec.Cmd
	log  *syncBuffer
	done chan struct{}
}

// MustServe starts "hearth serve" (or what args begin with) on a data folder.
func MustServe(t *testing.T, data string, args ...string) *Server {
	t.Helper()
	return mustServe(t, data, func(*exec.Cmd) {}, args)
}

// MustServeAs is MustServe as an ordinary user.
func MustServeAs(t *testing.T, u ordinary, data string, args ...string) *Server {
	t.Helper()
	return mustServe(t, data, u.become, args)
}

func mustServe(t *testing.T, data string, adjust func(*exec.Cmd), args []string) *Server {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	command := []string{"serve"}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[:1], args[1:]
	}
	s := &Server{t: t, Data: data, Home: t.TempDir(), log: &syncBuffer{}, done: make(chan struct{})}
	s.cmd = exec.Command(path, append(append(command, "--data", data, "--listen", "127.0.0.1:0"), args...)...)
	s.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+s.Home)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	adjust(s.cmd)
	// A killed server leaves its address; the next one's must not be mistaken for it.
	_ = os.Remove(filepath.Join(data, config.ServerFile))
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.cmd.Wait(); close(s.done) }()
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	go func() {
		select {
		case <-s.done: // it ended: no use to wait on
			cancel()
		case <-ctx.Done():
		}
	}()
	e, key, err := config.WaitEndpoint(ctx, data)
	if err != nil {
		t.Fatalf("the server didn't start: %v\n%s", err, s.log.String())
	}
	s.URL, s.Key = e.URL, key
	return s
}

// Stop ends the server as a user would, and waits for it.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(startLimit):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("the server didn't stop within %s of SIGTERM", startLimit)
		<-s.done
	}
}

// Kill ends the server as a power cut would.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Client speaks to the server as its admin.
func (s *Server) Client() *client.Client {
	c, err := client.New(s.URL, s.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// Result is what a command came to.
type Result struct {
	Out, Err string
	Code     int
}

// For is the same server for a subtest.
func (s *Server) For(t *testing.T) *Server {
	c := *s
	c.t = t
	return &c
}

// Run runs the command line on this server.
func (s *Server) Run(args ...string) Result { return s.RunIn("", args...) }

// RunIn is Run with standard input.
func (s *Server) RunIn(stdin string, args ...string) Result {
	s.t.Helper()
	return s.RunWith(nil, stdin, args...)
}

// RunWith is Run with standard input and more of an environment.
func (s *Server) RunWith(env []string, stdin string, args ...string) Result {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(append(os.Environ(), "HEARTH_DATA="+s.Data, "XDG_CONFIG_HOME="+s.Home), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !asExit(err, &exit) {
		s.t.Fatal(err)
	}
	return Result{Out: out.String(), Err: errOut.String(), Code: cmd.ProcessState.ExitCode()}
}

func asExit(err error, target **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*target = e
	return ok
}

// MustRun is Run that has to succeed.
func (s *Server) MustRun(args ...string) string {
	s.t.Helper()
	r := s.Run(args...)
	if r.Code != 0 {
		s.t.Fatalf("hearth %s: exit code %d\n%s%s", strings.Join(args, " "), r.Code, r.Out, r.Err)
	}
	return r.Out
}

// MustDeploy writes files to a folder and deploys it under a name.
func (s *Server) MustDeploy(name string, files map[string]string, flags ...string) {
	s.t.Helper()
	dir := MustWrite(s.t, files)
	s.MustRun(append([]string{"deploy", dir, "--name", name}, flags...)...)
}

// MustWrite makes a folder with these files.
func MustWrite(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
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

// Reply is an answer over HTTP, read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// JSON reads the body into v.
func (r Reply) JSON(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.Body), v); err != nil {
		t.Fatalf("read %q: %v", r.Body, err)
	}
}

// MustCall makes a request without a key.
func (s *Server) MustCall(method, path, body string, header ...string) Reply {
	s.t.Helper()
	r, err := s.Call(method, path, body, header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// Call makes a request; header is names and values in turn.
func (s *Server) Call(method, path, body string, header ...string) (Reply, error) {
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: string(b)}, err
}

// syncBuffer is a buffer that a process writes to while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// awaitLog waits until the server has printed a text.
func awaitLog(t *testing.T, s *Server, text string) {
	t.Helper()
	limit := time.After(startLimit)
	for !strings.Contains(s.log.String(), text) {
		select {
		case <-s.done:
			t.Fatalf("the server ended before it printed %q:\n%s", text, s.log.String())
		case <-limit:
			t.Fatalf("the server didn't print %q within %s:\n%s", text, startLimit, s.log.String())
		case <-time.After(20 * time.Millisecond): // a pipe that is copied gives no signal
		}
	}
}
