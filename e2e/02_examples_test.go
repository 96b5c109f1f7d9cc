package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"hearth/client"
	"hearth/client/rest"
	"hearth/examples"
)

// "hearth up" shows the examples, and each does what its checks say.
func Test02Examples(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir(), "up")
	awaitLog(t, s, "Ctrl-C here stops the server")
	names, err := examples.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { mustPassChecks(t, s, name) })
	}
	// The line that is printed for people works.
	_, line, _ := strings.Cut(s.log.String(), "curl -s '"+s.URL)
	path, _, _ := strings.Cut(line, "'")
	if r := s.MustCall("GET", path, ""); r.Status != 200 {
		t.Errorf("the printed curl line answers %d: %s", r.Status, r.Body)
	}
}

// mustPassChecks makes an example's own checks.
func mustPassChecks(t *testing.T, s *Server, name string) {
	t.Helper()
	checks, err := examples.Checks(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		body, err := c.Request.Payload(name)
		if err != nil {
			t.Fatal(err)
		}
		var header []string
		for k, v := range c.Request.Headers {
			header = append(header, k, v)
		}
		method := c.Request.Method
		if method == "" {
			method = http.MethodGet
		}
		r := s.MustCall(method, "/fn/"+name+c.Request.Path, string(body), header...)
		if err := c.Expect.Verify(r.Status, r.Header, []byte(r.Body)); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// Every template makes a function from its document alone, also where the
// examples have their routes already, and its event works.
func Test02Templates(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir(), "up")
	awaitLog(t, s, "Ctrl-C here stops the server")
	templates, err := s.Client().Templates(t.Context())
	if err != nil || len(templates) < 10 {
		t.Fatalf("there are %d templates, %v", len(templates), err)
	}
	for _, x := range templates {
		t.Run(x.Name, func(t *testing.T) { mustServeTemplate(t, s.For(t), x) })
	}
}

// bytesOf is what a file of a template holds.
func bytesOf(f rest.TemplateFile) ([]byte, error) {
	if f.Text != nil {
		return []byte(*f.Text), nil
	}
	return base64.StdEncoding.DecodeString(*f.Base64)
}

func mustServeTemplate(t *testing.T, s *Server, x rest.Template) {
	if x.Runtime == "" || !strings.HasPrefix(x.Runtime, x.Language) {
		t.Errorf("%s would run on %q", x.Language, x.Runtime)
	}
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	for _, f := range x.Files {
		w, err := z.Create(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bytesOf(f)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(b)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name := "my-" + x.Name
	d, err := s.Client().Deploy(t.Context(), client.DeployRequest{Name: name, Config: x.Config, Code: &code, Filename: "code.zip"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Version.Handler != x.Handler || d.Version.Runtime != x.Runtime {
		t.Errorf("it was made for %s on %s and runs %s on %s", x.Handler, x.Runtime, d.Version.Handler, d.Version.Runtime)
	}
	body := x.Event.Body
	if x.Event.Base64 {
		b, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(b)
	}
	var header []string
	for k, v := range x.Event.Headers {
		header = append(header, k, v)
	}
	r := s.MustCall(x.Event.Method, "/fn/"+name+x.Event.Path, body, header...)
	checks, err := examples.Checks(x.Name)
	if err != nil {
		t.Fatal(err)
	}
	expect := checks[0].Expect
	if says, ok := expect.JSON.(map[string]any); ok && says["from"] == x.Name {
		says["from"] = name // the hellos say their own
	}
	if err := expect.Verify(r.Status, r.Header, []byte(r.Body)); err != nil {
		t.Error(err)
	}
}
