package e2e

import (
	"strings"
	"testing"
)

// Somebody mends a function in the browser: tests it, breaks it, is shown the
// line, deploys it with a message, and keeps the call that showed the fault.
func Test17Editor(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	s.MustDeploy("greet", map[string]string{
		"main.py":      "from lib import names\n\n\ndef handler(event, context):\n    print('called')\n    return {'hello': names.of(event)}\n",
		"lib/names.py": "def of(event):\n    return event['name']\n",
	})
	p := s.signedIn(b)
	p.MustOpen(s.URL + "/ui/functions/greet/code")
	p.MustSee("#code-state", "As deployed in v1")
	p.MustSee("[aria-label='Code of main.py']", "from lib import names")
	p.CheckAccessible("the editor")
	p.Shoot("editor-dark")
	p.MustShow(1280, 800, "light")

	// A test shows the fault, and where it arose.
	p.MustPush("Test")
	p.MustSee("#test-result", "KeyError")
	p.MustSee("#test-result", "function error")
	p.MustPush("Go to lib/names.py, line 2")
	p.MustSee("[aria-label='Code of lib/names.py']", "return event['name']")
	p.Shoot("editor-fault-light")

	// A mistake in the mending isn't deployed, and is marked in its line.
	p.MustType("[aria-label='Code of lib/names.py']", "")
	p.MustPress("Control+a")
	p.MustType("[aria-label='Code of lib/names.py']", "def of(event)")
	p.MustSee("#code-state", "1 file changed")
	p.MustPush("Deploy")
	p.MustType("[role=dialog] textarea", "greet the world by default\n")
	p.MustSee("#deploy-problem", "SyntaxError")
	p.MustSee(".cm-lintRange-error", "def of(event)")
	p.MustSee(".cm-lint-marker-error", "")
	p.Shoot("editor-mistake-light")

	p.MustType("[aria-label='Code of lib/names.py']", ":")
	p.MustPress("Control+a")
	p.MustType("[aria-label='Code of lib/names.py']", "def of(event): return event.get('name', 'world')")
	p.MustPush("Deploy")
	p.MustType("[role=dialog] textarea", "greet the world by default\n")
	p.MustSee("#code-state", "As deployed in v3: greet the world by default")

	// Ctrl-Enter in the code tests the new version.
	p.MustSee("[aria-label='Code of main.py']", "names.of")
	p.MustType("[aria-label='Code of main.py']", "")
	p.MustPress("Control+Enter")
	p.MustSee("#test-result", `"hello": "world"`)
	p.MustSee("#test-result", "v3")

	// The call over HTTP is kept with the function, and is there after a reload.
	p.MustClick("[aria-label='Kind of event'] input[value=http]")
	p.MustClick("[aria-label='Path and query']")
	p.MustType("[aria-label='Path and query']", "greet?name=Ada")
	p.MustClick("[aria-label='Keep this event']")
	p.MustType("[role=dialog] input", "greet Ada\n")
	p.MustSee("body", "“greet Ada” is kept")
	p.MustPush("Test")
	p.MustSee("#test-result", "HTTP 200")
	p.MustOpen(s.URL + "/ui/functions/greet/code")
	p.MustSee("#test-result", "HTTP 200")
	p.MustSee(`[aria-label="Test event"][value="greet Ada"]`, "")
	if event, err := s.Client().TestEvent(t.Context(), "greet", "greet Ada"); err != nil {
		t.Error(err)
	} else if event.Method != "GET" || event.Path != "/greet?name=Ada" {
		t.Errorf("the server keeps %+v", event)
	}

	// What isn't deployed outlives a reload, and can be thrown away.
	p.MustSee("[aria-label='Code of main.py']", "names.of")
	p.MustType("[aria-label='Code of main.py']", "# thought\n")
	p.MustPress("Control+s")
	p.MustSee("body", "The draft is kept")
	p.MustOpen(s.URL + "/ui/functions/greet/code")
	p.MustSee("#code-state", "1 file changed")
	p.MustSee("[aria-label='Code of main.py']", "# thought")
	p.MustPush("Throw it away")
	p.MustSee("#code-state", "As deployed in v3")

	if code := s.MustRun("get", "greet"); !strings.Contains(code, "greet") {
		t.Errorf("hearth get says %s", code)
	}
	p.MustShow(360, 740, "light")
	p.CheckAccessible("the editor on a phone")
	p.Shoot("editor-narrow")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		t.Errorf("at 360 px the page is %v wide", wide)
	}
	p.CheckClean(s.URL, "/invoke", "/versions")
}
