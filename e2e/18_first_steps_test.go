package e2e

import (
	"testing"
)

// A newcomer follows the first page: deploys a template, calls it, watches it
// under traffic; then makes a function of files of their own.
func Test18FirstSteps(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	p := s.signedIn(b)
	p.MustOpen(s.URL + "/ui/functions")
	p.MustSee("#empty", "No functions yet")
	p.MustPush("Make the first one")
	p.MustSee("h1", "Your first function")
	p.MustSee("pre", "def handler")
	p.CheckAccessible("the first page")
	p.Shoot("start-dark")
	p.MustShow(1280, 800, "light")
	p.Shoot("start-light")

	p.MustPush("Deploy")
	p.MustSee("[aria-label^='Step 1']", "hello-python serves")
	p.MustPush("Call it from here")
	p.MustSee("#first-result", "Hello, world!")
	p.MustPush("Send test traffic")
	p.MustSee("#traffic", "answered well")
	p.MustSee("[aria-label^='Calls a second: calls']", "")
	p.MustPush("Stop")
	p.CheckAccessible("the first page at its end")
	p.MustShow(1280, 1400, "light")
	p.Shoot("start-end-light")
	p.MustShow(360, 740, "light")
	p.Shoot("start-narrow")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		t.Errorf("at 360 px the page is %v wide", wide)
	}
	p.MustShow(1280, 800, "light")
	p.MustPush("Change its code")
	p.MustSee("#code-state", "As deployed in v1")
	// The template's call came along.
	p.MustSee(`[aria-label="Test event"][value="greets the world"]`, "")

	// Files of one's own, with a mistake at first.
	p.MustOpen(s.URL + "/ui/new")
	p.MustSee("#templates", "REST API")
	p.CheckAccessible("the templates")
	p.Shoot("new-dark")
	p.MustShow(1280, 800, "light")
	p.MustEval(`(() => {
		const chosen = new DataTransfer();
		chosen.items.add(new File(["export const handler = async () => {\n  return 'mine'\n"], 'index.mjs'));
		const input = document.querySelector('#choose-files');
		input.files = chosen.files;
		input.dispatchEvent(new Event('change', {bubbles: true}));
	})()`)
	p.MustSee("[aria-label='Code of index.mjs']", "return 'mine'")
	p.MustType("#function-name", "")
	p.MustPress("Control+a")
	p.MustType("#function-name", "Mine")
	p.MustSee("form", "Use small letters")
	p.MustPress("Control+a")
	p.MustType("#function-name", "mine")
	p.MustPush("Deploy")
	p.MustSee("#deploy-problem", "SyntaxError")
	p.MustSee(".cm-lint-marker-error", "")
	p.CheckAccessible("a new function")
	p.MustType("[aria-label='Code of index.mjs']", "")
	p.MustPress("Control+End")
	p.MustType("[aria-label='Code of index.mjs']", "}")
	p.MustPush("Deploy")
	p.MustSee("#code-state", "As deployed in v")
	if out := s.MustRun("invoke", "mine"); out != `"mine"` {
		t.Errorf("mine answers %q", out)
	}
	p.CheckClean(s.URL, "/versions")
}
