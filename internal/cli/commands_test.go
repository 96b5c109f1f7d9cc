package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

// Every command that shows something shows it as a table, plain and as JSON.
func TestFormsOfOutput(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	s.must("invoke", "hello", "-d", `{"log":"hi there"}`)
	for _, c := range []struct {
		args string
		says []string // in a table and plain
	}{
		{"list", []string{"NAME", "ACCESS", "hello", "/fn/hello", "128 MiB", "key"}},
		{"get hello", []string{"name", "hello", "limits", "needs a key", "/fn/hello/"}},
		{"versions hello", []string{"VERSION", "ACTIVE", "yes", "admin"}},
		{"invocations", []string{"OUTCOME", "hello@1", "ok", "200"}},
		{"logs hello", []string{"hi there"}},
		{"metrics", []string{"FUNCTION", "P99"}},
		{"top --once", []string{"sandboxes", "SANDBOX", "hello@1"}},
		{"users", []string{"NAME", "ROLE", "admin"}},
		{"keys", []string{"STARTS WITH", "never"}},
		{"load hello --rps 50 --for 100ms", []string{"calls", "p50", "ok", "start warm"}},
		{"rollback hello 1", []string{"hello@1 serves"}},
		{"open", []string{e.URL() + "/auth/"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			for _, form := range []string{"table", "plain"} {
				out := s.must(append(args, "-o", form)...)
				wants(t, out, c.says...)
				if strings.Contains(out, "\x1b") {
					t.Errorf("escapes without a terminal: %q", out)
				}
			}
			if v := mustJSON[any](t, s.must(append(args, "-o", "json")...)); v == nil {
				t.Error("the JSON is null")
			}
		})
	}
	if out := s.must("list", "nothing-of-that-name", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("an empty list is %q", out)
	}
}

// Scripts tell by the exit code whose fault it was.
func TestExitCodes(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	for _, c := range []struct {
		code int
		args []string
		says string
	}{
		{ExitOK, []string{"invoke", "hello", "-d", "1"}, ""},
		{ExitFunction, []string{"invoke", "hello", "-d", `{"fail":"ValueError: no"}`}, "error: ValueError: no"},
		{ExitFunction, []string{"invoke", "hello", "-d", `{"exit":3}`}, "exit status 3"},
		{ExitFunction, []string{"invoke", "hello", "-d", `{"oom":true}`}, "--memory"},
		{ExitFunction, []string{"invoke", "hello", "-d", `{"stream":2,"break":"ValueError: late"}`}, "error: "},
		{ExitUsage, []string{"invoke", "hello", "-d", "{"}, "isn't JSON"},
		{ExitUsage, []string{"invoke", "helo"}, "did you mean hello?"},
		{ExitUsage, []string{"frobnicate"}, "hearth --help"},
		{ExitUsage, []string{"list", "--frob"}, "hearth list --help"},
		{ExitPlatform, []string{"list", "--url", "http://127.0.0.1:1"}, "no answer from"},
	} {
		r := s.run(c.args...)
		if r.code != c.code {
			t.Errorf("hearth %s: exit code %d, want %d\n%s", strings.Join(c.args, " "), r.code, c.code, r.err)
		}
		wants(t, r.err, c.says)
		if (r.err == "") != (c.code == ExitOK) {
			t.Errorf("hearth %s printed %q", strings.Join(c.args, " "), r.err)
		}
	}
	// A program reads errors as JSON.
	r := s.run("invoke", "helo", "-o", "json")
	got := mustJSON[struct{ Error hearth.Error }](t, r.err).Error
	if got.Code != hearth.CodeNotFound || got.Hint == "" {
		t.Errorf("the error as JSON is %s", r.err)
	}
}

// Who pressed Ctrl-C isn't told so.
func TestInterruptIsQuiet(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	for _, event := range []string{`{"hang":true}`, `{"stream":100000,"every":"1ms"}`} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan result)
		go func() { done <- s.runContext(ctx, "invoke", "hello", "-d", event) }()
		awaitBusy(t, e)
		cancel()
		if r := <-done; r.code != ExitInterrupted || r.err != "" {
			t.Errorf("%s: exit code %d, printed %q", event, r.code, r.err)
		}
	}
}

// awaitBusy waits until a call has reached a sandbox.
func awaitBusy(t *testing.T, e *servertest.Env) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		l, err := e.Admin.Sandboxes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range l.Items {
			if s.State == "busy" {
				return
			}
		}
	}
	t.Fatal("no call reached a sandbox")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// An output that fails is not the function's fault.
func TestReplyThatCannotBeWritten(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	s.out = full{}
	r := s.run("invoke", "hello", "-d", "1")
	if r.code != ExitPlatform {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, r.err, "can't be written: no space left")
}

// A folder's hearth.yaml is read, and flags win over it, with zeros too.
func TestDeployReadsTheFolder(t *testing.T) {
	e := servertest.Start(t)
	s := newShell(t, e)
	dir := mustWrite(t, map[string]string{
		"main.py":     "# played by the fake driver\n",
		"hearth.yaml": "memory: 256\nmin_warm: 2\ntimeout: 3s\npublic: true\nroute: [/a, POST /b]\nenv: {A: one, B: two}\n",
	})
	out := s.must("deploy", dir)
	wants(t, out, "hello@1 live in", "256 MiB", "3s", "sealed", e.URL()+"/a (public)", "hearth invoke hello")
	d := mustJSON[rest.Deployed](t, s.must("deploy", dir, "--min-warm", "0", "--memory", "512MiB", "--public=false", "-e", "A=1", "-e", "C=3", "-o", "json"))
	c := d.Version.Config
	if c.MinWarm != 0 || c.Limits.MemoryMiB != 512 || d.Function.Public || d.Version.Number != 2 {
		t.Errorf("flags didn't win: %+v", d)
	}
	if len(d.Function.Routes) != 2 || c.Env["A"] != "1" || c.Env["B"] != "two" || c.Env["C"] != "3" {
		t.Errorf("what no flag says isn't the file's: %+v", d)
	}
	wants(t, s.must("get", "hello"), "env           A=1\nenv           B=two\nenv           C=3\n")

	file := filepath.Join(dir, "main.py")
	wants(t, s.must("deploy", file), "main@1 live")
	s.must("deploy", dir, "--cors-origin", "*", "--cors-origin", "POST /b=https://a.example", "--cors-origin", "/a=none")
	wants(t, s.must("get", "hello"), "cors          *\n", "cors          /a: none\n", "cors          POST /b: https://a.example\n")
	for _, c := range []struct{ origin, says, hint string }{
		{"a.example", `--cors-origin: cors holds "a.example", which is not an origin`, "ROUTE="},
		{"POST /b=a.example", `--cors-origin: route "POST /b": cors holds "a.example"`, "ROUTE="},
		{"b=https://a.example", `route "b" is not a path`, "start with /"},
		{"/c=https://a.example", `route "/c", which is not among those of this deploy`, "--route"},
	} {
		r := s.run("deploy", dir, "--cors-origin", c.origin)
		if r.code != ExitUsage {
			t.Errorf("--cors-origin %s: exit code %d", c.origin, r.code)
		}
		wants(t, r.err, c.says, c.hint)
	}
	wants(t, s.run("deploy", dir, "--cors-origin", "none", "--cors-origin", "*").err, "both none and *", "leave one of them out")
	wants(t, s.must("deploy", file, "--name", "other", "--language", "pretended"), "other@1 live")
	r := s.run("deploy", file, "--runtime", "fake", "--language", "pretended")
	wants(t, r.err, "both runtime (fake) and language (pretended)", "leave one of them out")
}

// The event comes from the flag, a file or standard input.
func TestPayloads(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	file := filepath.Join(mustWrite(t, map[string]string{"e.json": `"file"`}), "e.json")
	for arg, want := range map[string]string{`"flag"`: `"flag"`, "@" + file: `"file"`, "-": `"input"`, "": "null"} {
		s.in = strings.NewReader(`"input"`)
		if got := s.must("invoke", "hello", "-d", arg); got != want {
			t.Errorf("-d %s is echoed as %q, want %q", arg, got, want)
		}
	}
	s.in = nil
	r := s.run("invoke", "hello", "-v", "-d", `{"log":"seen","echo":1}`)
	if r.out != "1" {
		t.Errorf("with -v the reply is %q", r.out)
	}
	wants(t, r.err, "log     seen", "call    01", "phases  queue")
}

// hearth login keeps servers, for their owner's eyes only.
func TestLogin(t *testing.T) {
	e := servertest.Start(t)
	s := newShell(t, e)
	delete(s.env, "HEARTH_DATA")
	s.in = strings.NewReader(e.Key + "\n")
	wants(t, s.must("login", strings.TrimPrefix(e.URL(), "http://")), e.URL()+" as admin (admin)")
	s.in = nil
	s.must("list") // by the context
	wants(t, s.must("login"), e.URL(), "yes")
	info, err := os.Stat(filepath.Join(s.home, "hearth", "contexts.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("contexts are kept as %v (%v)", info.Mode(), err)
	}
	if r := s.run("login", e.URL(), "--key", "hk_wrong"); r.code != ExitUsage {
		t.Errorf("a wrong key is kept: exit code %d", r.code)
	}
	s.must("list")
	s.must("login", "local")
	if out := s.must("login"); strings.Contains(out, "yes") {
		t.Errorf("after login local:\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(s.home, "hearth", "contexts.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := s.run("list"); r.code != ExitUsage || !strings.Contains(r.err, "mend or remove that file") {
		t.Errorf("broken contexts: exit code %d, %s", r.code, r.err)
	}
}

// Users and keys are made, shown once, changed and taken away.
func TestAccounts(t *testing.T) {
	e := servertest.Start(t)
	s := newShell(t, e)
	key := strings.TrimSpace(s.must("users", "add", "vic", "--role", "viewer"))
	vic := &shell{t: t, home: t.TempDir(), env: map[string]string{"HEARTH_URL": e.URL(), "HEARTH_API_KEY": key}}
	vic.must("list")
	if r := vic.run("delete", "x"); r.code != ExitUsage || !strings.Contains(r.err, "vic is a viewer") {
		t.Errorf("a viewer may delete: %d %s", r.code, r.err)
	}
	s.must("users", "role", "vic", "developer")
	created := mustJSON[rest.CreatedKey](t, s.must("keys", "add", "ci", "--user", "vic", "--ttl", "1h", "-o", "json"))
	if created.Secret == "" || created.Key.ExpiresAt == nil {
		t.Errorf("the key is %+v", created)
	}
	wants(t, s.must("keys", "--user", "vic"), created.Key.ID, "ci")
	s.must("keys", "remove", created.Key.ID, "--user", "vic")
	s.must("users", "remove", "vic")
	if r := vic.run("list"); r.code != ExitUsage {
		t.Errorf("a removed user may list: exit code %d", r.code)
	}
}

func TestDelete(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	e.Deploy("b", rest.DeployConfig{})
	s := newShell(t, e)
	wants(t, s.must("delete", "a", "b", "-y"), "deleted a", "deleted b")
	if out := s.must("list", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("there is still %s", out)
	}
}

// Which server is meant: a flag wins over the environment, that over what was
// kept, that over this host.
func TestEndpointOrder(t *testing.T) {
	data := func(url string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{"server.json": `{"url":"` + url + `","pid":1}`, "admin.key": "key-of-" + url + "\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	named, last := data("http://named"), data("http://last")
	kept := contexts{Current: "http://kept", Local: last, Servers: map[string]account{
		"http://kept": {URL: "http://kept", Key: "kept"}, "http://other": {URL: "http://other", Key: "other"},
	}}
	for _, c := range []struct {
		name     string
		flagURL  string
		flagKey  string
		env      map[string]string
		kept     contexts
		url, key string
	}{
		{"flags win", "http://flag", "fk", map[string]string{"HEARTH_URL": "http://env", "HEARTH_API_KEY": "ek", "HEARTH_DATA": named}, kept, "http://flag", "fk"},
		{"environment over what is kept", "", "", map[string]string{"HEARTH_URL": "http://env", "HEARTH_API_KEY": "ek"}, kept, "http://env", "ek"},
		{"key of a kept server", "http://other/", "", nil, kept, "http://other", "other"},
		{"key of the server on this host", "http://named", "", map[string]string{"HEARTH_DATA": named}, kept, "http://named", "key-of-http://named"},
		{"folder over what is kept", "", "", map[string]string{"HEARTH_DATA": named}, kept, "http://named", "key-of-http://named"},
		{"kept over this host", "", "", nil, kept, "http://kept", "kept"},
		{"key over the kept one", "", "fk", nil, kept, "http://kept", "fk"},
		{"the last on this host", "", "", nil, contexts{Local: last}, "http://last", "key-of-http://last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &App{Home: t.TempDir(), Env: func(k string) string { return c.env[k] }, url: c.flagURL, key: c.flagKey}
			if err := a.writeContexts(c.kept); err != nil {
				t.Fatal(err)
			}
			url, key, err := a.endpoint()
			if err != nil || url != c.url || key != c.key {
				t.Errorf("it is %s with %s (%v), want %s with %s", url, key, err, c.url, c.key)
			}
		})
	}
	// A folder that was named and has no server is an error, not a reason to
	// speak to another server.
	a := &App{Home: t.TempDir(), Env: func(k string) string { return map[string]string{"HEARTH_DATA": t.TempDir()}[k] }}
	if err := a.writeContexts(kept); err != nil {
		t.Fatal(err)
	}
	if url, _, err := a.endpoint(); hearth.ErrorCode(err) != hearth.CodeUnavailable {
		t.Errorf("it speaks to %s (%v)", url, err)
	}
}

// What was kept is said where it leads nowhere.
func TestContextThatLeadsNowhere(t *testing.T) {
	s := &shell{t: t, home: t.TempDir(), env: map[string]string{}}
	a := &App{Home: s.home}
	if err := a.writeContexts(contexts{Current: "http://127.0.0.1:1", Servers: map[string]account{"http://127.0.0.1:1": {URL: "http://127.0.0.1:1"}}}); err != nil {
		t.Fatal(err)
	}
	r := s.run("list")
	if r.code != ExitPlatform {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, r.err, "you are logged in to http://127.0.0.1:1", "hearth login local")
	if _, err := os.Stat(filepath.Join(s.home, "hearth", "contexts.json.new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a temporary file is left (%v)", err)
	}
}
