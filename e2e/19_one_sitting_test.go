package e2e

import (
	"fmt"
	"testing"
)

// One person, in one sitting, with nothing but the browser: makes a function
// from a template, edits it, deploys and tests it, sees the charts move, finds
// the call that fails, reads its trace, and goes back to what worked.
func Test19OneSitting(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	p := s.signedIn(b)

	p.MustPress("g")
	p.MustPress("f")
	p.MustSee("h1", "Functions")
	p.MustOpen(s.URL + "/ui/new?language=python")
	p.MustSee("#templates", "CSV statistics")
	p.MustEval(`[...document.querySelectorAll('#templates button, #templates a, #templates [role=button]')]
		.find(e => e.innerText.includes('Hello')).click()`)
	p.MustSee("[aria-label='Code of main.py']", "def handler")
	p.MustReplace("#function-name", "greeter")
	p.MustPush("Deploy")
	p.MustSee("#code-state", "As deployed in v1")
	p.MustPush("Test")
	p.MustSee("#test-result", "Hello, ")

	// The second version greets nobody who has no name.
	p.MustType("[aria-label='Code of main.py']", "")
	p.MustPress("Control+a")
	p.MustType("[aria-label='Code of main.py']", "def handler(event, context): print('asked by', sorted(event)); return {'hello': event['who'].title()}")
	p.MustSee("#code-state", "1 file changed")
	p.MustPush("Deploy")
	p.MustType("[role=dialog] textarea", "greet by title\n")
	p.MustSee("#code-state", "As deployed in v2: greet by title")

	// Its first call fails, as anybody sees who looks at the overview.
	p.MustPush("Test")
	p.MustSee("#test-result", "KeyError")
	p.MustPress("Escape")
	p.MustEval("document.activeElement.blur()")
	p.MustPress("g")
	p.MustPress("o")
	p.MustSee("h1", "Overview")
	p.MustSee(`#tiles [data-tile="Requests/s"]`, "2 requests")
	p.MustSee(`#tiles [data-tile="Error rate"]`, "1 failed")
	// The page is open, and a call moves its figures without a reload.
	s.Run("invoke", "greeter", "-d", "{}")
	p.MustSee(`#tiles [data-tile="Error rate"]`, "2 failed")

	p.MustClick(`#tiles [data-tile="Error rate"] a, a#tiles [data-tile="Error rate"], a[data-tile="Error rate"]`)
	p.MustSee("h1", "Invocations")
	p.MustSee("#invocations [data-key] td", "function error")
	p.MustClick("#invocations [data-key]")
	p.MustSee("#invocation h3", "KeyError: 'who'")
	p.MustSee("#invocation pre", `File "/code/main.py", line 1, in handler`)
	p.MustSee("#invocation ol li", "asked by")

	// Back to what worked, in one click.
	p.MustOpen(s.URL + "/ui/functions/greeter/versions")
	p.MustSee("#rollback", "version 1")
	p.MustClick("#rollback")
	p.MustSee("#serving", "Version 1 serves")
	if out := s.MustRun("invoke", "greeter", "-d", "{}"); out == "" {
		t.Error("the version before answers nothing")
	}
	if f := s.mustFunction("greeter"); f.Active != 1 {
		t.Errorf("version %d serves", f.Active)
	}
	if title := fmt.Sprint(p.MustEval("document.title")); title == "" {
		t.Error("the page has no title")
	}
	p.CheckClean(s.URL, "/fn/greeter/")
}
