package api_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"sync"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/server"
	"hearth/internal/server/servertest"
)

// upload builds the body of a deploy from parts "name=content", in order.
// "code:main.py=…" names the file.
func upload(t *testing.T, parts ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		head, content, _ := strings.Cut(p, "=")
		name, file, isFile := strings.Cut(head, ":")
		var part io.Writer
		var err error
		if isFile {
			part, err = w.CreateFormFile(name, file)
		} else {
			part, err = w.CreateFormField(name)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

func zipOf(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		if _, err := w.Create(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const code = "code:main.py=# fake"

func TestBadDeploysNameWhatIsWrong(t *testing.T) {
	e := servertest.Start(t, func(c *config.Config, _ *server.Options) { c.MaxCodeMiB = 1 })
	e.Deploy("taken", rest.DeployConfig{Routes: routes(t, "/taken", "POST /both")})
	for _, tt := range []struct {
		name   string
		at     string // function, "x" if empty
		parts  []string
		status int
		code   hearth.Code
		field  string
		says   string // in detail or hint
	}{
		{name: "a name that can't be one", at: "My_Function", parts: []string{code}, status: 422, field: "name", says: "my-function"},
		{name: "unknown runtime", parts: []string{`config={"runtime":"cobol"}`, code}, status: 422, field: "runtime", says: "fake1"},
		{name: "handler without a dot", parts: []string{`config={"handler":"main"}`, code}, status: 422, field: "handler", says: "main.handler"},
		{name: "handler of no module", parts: []string{`config={"handler":"nowhere.handler"}`, code}, status: 422, field: "handler"},
		{name: "unknown sandbox", parts: []string{`config={"sandbox":"cage"}`, code}, status: 422, code: hearth.CodeUnsupported, field: "sandbox", says: "fake"},
		{name: "reserved route", parts: []string{`config={"routes":[{"path":"/api/x"}]}`, code}, status: 422, field: "route", says: "reserved"},
		{name: "route that is no path", parts: []string{`config={"routes":[{"path":"hello"}]}`, code}, status: 422, field: "route"},
		{name: "route of an unknown method", parts: []string{`config={"routes":[{"path":"/h","method":"FETCH"}]}`, code}, status: 422, field: "route"},
		{name: "route twice", parts: []string{`config={"routes":[{"path":"/h"},{"path":"/h"}]}`, code}, status: 422, field: "route"},
		{name: "route of another function", parts: []string{`config={"routes":[{"path":"/taken"}]}`, code}, status: 409, code: hearth.CodeConflict, says: "taken"},
		{name: "route of another function, with method", parts: []string{`config={"routes":[{"path":"/both","method":"POST"}]}`, code}, status: 409, code: hearth.CodeConflict},
		{name: "too little memory", parts: []string{`config={"limits":{"memory":1}}`, code}, status: 422, field: "memory", says: "32"},
		{name: "no CPU", parts: []string{`config={"limits":{"cpu":-1}}`, code}, status: 422, field: "cpu"},
		{name: "time without end", parts: []string{`config={"limits":{"timeout":"100h"}}`, code}, status: 422, field: "timeout"},
		{name: "time that is none", parts: []string{`config={"limits":{"timeout":"soon"}}`, code}, status: 400, says: "300ms"},
		{name: "time as a number", parts: []string{`config={"limits":{"timeout":3}}`, code}, status: 400, says: "300ms"},
		{name: "unknown network", parts: []string{`config={"network":"wifi"}`, code}, status: 422, field: "network"},
		{name: "bad environment", parts: []string{`config={"env":{"A B":"1"}}`, code}, status: 422, field: "env"},
		{name: "our own environment", parts: []string{`config={"env":{"HEARTH_X":"1"}}`, code}, status: 422, field: "env"},
		{name: "concurrency out of range", parts: []string{`config={"concurrency":100000}`, code}, status: 422, field: "concurrency"},
		{name: "CORS without scheme", parts: []string{`config={"cors":{"origins":["example.org"]}}`, code}, status: 422, field: "cors"},
		{name: "CORS with credentials for all", parts: []string{`config={"cors":{"origins":["*"],"credentials":true}}`, code}, status: 422, field: "cors"},
		{name: "CORS of a route with a bad origin", parts: []string{`config={"routes":[{"path":"/ok"},{"method":"POST","path":"/pay","cors":{"origins":["https://a.example/x"]}}]}`, code},
			status: 422, field: "route.cors", says: `route "POST /pay": cors holds "https://a.example/x", which is not an origin`},
		{name: "CORS of a route without origins", parts: []string{`config={"routes":[{"path":"/pay","cors":{"methods":["PUT"]}}]}`, code}, status: 422, field: "route.cors", says: "https://app.example.org"},
		{name: "CORS of a route with an unknown member", parts: []string{`config={"routes":[{"path":"/pay","cors":{"origin":"*"}}]}`, code}, status: 400, says: "origin"},
		{name: "route twice, with and without CORS", parts: []string{`config={"routes":[{"path":"/h"},{"path":"/h","cors":{"origins":["*"]}}]}`, code}, status: 422, field: "route"},
		{name: "misspelt setting", parts: []string{`config={"memroy":128}`, code}, status: 400, says: "memroy"},
		{name: "setting of the wrong type", parts: []string{`config={"concurrency":"many"}`, code}, status: 422, field: "concurrency"},
		{name: "bad JSON", parts: []string{`config={`, code}, status: 400},
		{name: "no code", parts: []string{`config={}`}, status: 422, field: "code"},
		{name: "code without a file name", parts: []string{`code=x`}, status: 422, field: "code"},
		{name: "unknown part", parts: []string{`cod:main.py=x`}, status: 400, says: "cod"},
		{name: "code that is no source", parts: []string{`code:song.mp3=x`}},
		{name: "an archive that is none", parts: []string{`code:a.zip=x`}},
		{name: "an archive that climbs out", parts: []string{"code:a.zip=" + zipOf(t, "../evil.py")}, says: "../evil.py"},
		{name: "an archive of another language", parts: []string{"code:a.zip=" + zipOf(t, "main.rb")}, field: "runtime", status: 422},
		{name: "too much code", parts: []string{"code:main.py=" + strings.Repeat("#", 3<<20)}, status: 413, code: hearth.CodeTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := tt.at
			if at == "" {
				at = "x"
			}
			b, ct := upload(t, tt.parts...)
			a := e.Do("POST", "/api/v1/functions/"+at+"/versions", b, servertest.Auth(e.Key), ct)
			p := mustProblem(t, a)
			want := tt.code
			if want == "" {
				want = hearth.CodeInvalid
			}
			if p.Code != want || (tt.status != 0 && p.Status != tt.status) || (tt.field != "" && p.Field != tt.field) {
				t.Errorf("got %+v", p)
			}
			if !strings.Contains(p.Detail+p.Hint, tt.says) {
				t.Errorf("%q, %q doesn't say %q", p.Detail, p.Hint, tt.says)
			}
		})
	}
	fs, err := e.Admin.Functions(t.Context(), "", client.Page{})
	if err != nil || len(fs.Items) != 1 {
		t.Errorf("bad deploys left something behind: %v, %v", fs, err)
	}
}

func TestADeployThatIsNoFormSaysHow(t *testing.T) {
	e := servertest.Start(t)
	p := mustProblem(t, e.Do("POST", "/api/v1/functions/x/versions", "{}", servertest.Auth(e.Key), "Content-Type: application/json"))
	if p.Status != 400 || !strings.Contains(p.Hint, "curl") {
		t.Errorf("got %+v", p)
	}
}

func TestPartsOfADeployComeInAnyOrder(t *testing.T) {
	e := servertest.Start(t)
	b, ct := upload(t, code, `config={"env":{"A":"1"}}`)
	if a := e.Do("POST", "/api/v1/functions/x/versions", b, servertest.Auth(e.Key), ct); a.StatusCode != 201 {
		t.Fatalf("got %s %s", a.Status, a.Text)
	}
	f, err := e.Admin.Function(t.Context(), "x")
	if err != nil || f.Version.Config.Env["A"] != "1" {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestAVersionThatDoesNotLoadChangesNothing(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	_, err := e.Admin.Deploy(t.Context(), client.DeployRequest{
		Name: "hello", Code: strings.NewReader("#"), Filename: "main.py",
		Config: rest.DeployConfig{Env: map[string]string{"FAKE_LOAD_FAIL": "ImportError: no module named numpy"}},
	})
	he := servertest.MustError(t, err)
	if he.Code != hearth.CodeFunctionError || he.Type != "ImportError" || !strings.Contains(he.Message, "numpy") {
		t.Errorf("got %+v", he)
	}
	vs, err := e.Admin.Versions(t.Context(), "hello", client.Page{})
	if err != nil || len(vs.Items) != 1 {
		t.Errorf("got %+v, %v", vs, err)
	}
	if a := e.Do("POST", "/fn/hello/", `{"echo":"still here"}`, servertest.Auth(e.Key)); a.StatusCode != 200 || a.Header.Get(rest.HeaderVersion) != "1" {
		t.Errorf("got %s %s", a.Status, a.Text)
	}
}

func TestAFirstVersionThatDoesNotLoadLeavesNoFunction(t *testing.T) {
	e := servertest.Start(t)
	_, err := e.Admin.Deploy(t.Context(), client.DeployRequest{
		Name: "hello", Code: strings.NewReader("#"), Filename: "main.py", Config: rest.DeployConfig{Handler: "main.missing"},
	})
	if he := servertest.MustError(t, err); he.Code != hearth.CodeFunctionError {
		t.Errorf("got %+v", he)
	}
	if _, err := e.Admin.Function(t.Context(), "hello"); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("got %v", err)
	}
}

func TestDeploysOfOneFunctionFollowEachOther(t *testing.T) {
	e := servertest.Start(t)
	const n = 8
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, err := e.Admin.Deploy(t.Context(), client.DeployRequest{
				Name: "hello", Code: strings.NewReader(fmt.Sprint("# ", i)), Filename: "main.py",
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f, err := e.Admin.Function(t.Context(), "hello")
	if err != nil || f.Active != n {
		t.Fatalf("got %+v, %v", f, err)
	}
	vs, err := client.Collect(func(p client.Page) (rest.List[hearth.Version], error) {
		p.Limit = 3
		return e.Admin.Versions(t.Context(), "hello", p)
	})
	if err != nil || len(vs) != n || vs[0].Number != n || vs[n-1].Number != 1 {
		t.Errorf("got %v, %v", vs, err)
	}
	if a := e.Do("POST", "/fn/hello/", "", servertest.Auth(e.Key)); a.Header.Get(rest.HeaderVersion) != fmt.Sprint(n) {
		t.Errorf("version %s serves", a.Header.Get(rest.HeaderVersion))
	}
}

func TestConfigurationChangesKeepTheCode(t *testing.T) {
	e := servertest.Start(t)
	first := e.Deploy("hello", rest.DeployConfig{Env: map[string]string{"A": "1", "B": "2"}, Limits: hearth.Limits{MemoryMiB: 64}})
	d, err := e.Admin.Reconfigure(t.Context(), "hello", map[string]any{
		"env": map[string]any{"A": nil, "C": "3"}, "limits": map[string]any{"timeout": "2s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := d.Version.Config
	if d.Version.Number != 2 || d.Version.CodeDigest != first.Version.CodeDigest || len(c.Env) != 2 || c.Env["B"] != "2" ||
		c.Env["C"] != "3" || c.Limits.MemoryMiB != 64 || c.Limits.Timeout.String() != "2s" {
		t.Errorf("got %+v", d.Version)
	}
	if _, err := e.Admin.Reconfigure(t.Context(), "hello", map[string]any{"limits": map[string]any{"memory": 1}}); servertest.MustError(t, err).Field != "memory" {
		t.Errorf("got %v", err)
	}
	if _, err := e.Admin.Reconfigure(t.Context(), "nobody", map[string]any{}); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("got %v", err)
	}
	if p := mustProblem(t, e.Do("PATCH", "/api/v1/functions/hello/config", "[]", servertest.Auth(e.Key))); p.Status != 400 {
		t.Errorf("got %+v", p)
	}
}

func TestCodeComesBackAsItWasSent(t *testing.T) {
	e := servertest.Start(t)
	d := e.Deploy("hello", rest.DeployConfig{})
	r, err := e.Admin.VersionCode(t.Context(), "hello", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	again, err := e.Admin.Deploy(t.Context(), client.DeployRequest{Name: "copy", Code: r, Filename: "code.tar.gz"})
	if err != nil || again.Version.CodeDigest != d.Version.CodeDigest {
		t.Errorf("got %+v, %v", again, err)
	}
}
