package e2e

import (
	"net/http"
	"strings"
	"testing"

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
