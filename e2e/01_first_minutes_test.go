package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"hearth"
)

// A newcomer starts a server, deploys a function in each language, calls them,
// and reads what they printed.
func Test01FirstMinutes(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	for _, f := range []struct{ name, language, file, code string }{
		{"py", "python", "main.py", "def handler(event, context):\n    print('seen', event)\n    return {'hello': event.get('name')}\n"},
		{"js", "javascript", "index.mjs", "export const handler = async (event) => { console.log('seen', event); return { hello: event.name } }\n"},
	} {
		out := MustWrite(t, map[string]string{f.file: f.code})
		deployed := s.MustRun("deploy", out, "--name", f.name, "--language", f.language, "--route", "/hi-"+f.name, "--public")
		for _, want := range []string{f.name + "@1 live in", "sealed", s.URL + "/hi-" + f.name, "(public)"} {
			if !strings.Contains(deployed, want) {
				t.Errorf("deploy doesn't say %q:\n%s", want, deployed)
			}
		}
		if out := s.MustRun("invoke", f.name, "-d", `{"name":"Ada"}`); strings.TrimSpace(out) != `{"hello":"Ada"}` {
			t.Errorf("invoke printed %q", out)
		}
		r := s.MustCall("POST", "/fn/"+f.name, "{}")
		if r.Header.Get("X-Hearth-Version") != "1" || r.Header.Get("X-Hearth-Invocation-Id") == "" || r.Header.Get("X-Hearth-Start") != "warm" {
			t.Errorf("reply headers are %v", r.Header)
		}
		if !strings.Contains(s.MustRun("logs", f.name), "seen") {
			t.Errorf("logs of %s lack what it printed", f.name)
		}
	}
	var calls []hearth.Invocation
	if err := json.Unmarshal([]byte(s.MustRun("invocations", "-o", "json")), &calls); err != nil || len(calls) != 4 {
		t.Errorf("%d invocations are recorded, want 4 (%v)", len(calls), err)
	}
	if list := s.MustRun("list"); !strings.Contains(list, "py") || !strings.Contains(list, "js") {
		t.Errorf("list prints:\n%s", list)
	}
}

// Nothing is served without a key but what was made public.
func Test01NothingWithoutKey(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	s.MustDeploy("closed", map[string]string{"main.py": "def handler(e, c): return 1\n"})
	for _, path := range []string{"/fn/closed", "/api/v1/functions", "/api/v1/functions/closed/invoke", "/metrics", "/openapi.json"} {
		if r := s.MustCall("GET", path, ""); r.Status != 401 && r.Status != 405 {
			t.Errorf("GET %s without a key is %d", path, r.Status)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := s.MustCall("GET", path, ""); r.Status != 200 {
			t.Errorf("GET %s is %d", path, r.Status)
		}
	}
	if r := s.MustCall("GET", "/fn/closed", "", "Authorization", "Bearer "+s.Key); r.Status != 200 || r.Body != "1" {
		t.Errorf("with the key: %d %s", r.Status, r.Body)
	}
}
