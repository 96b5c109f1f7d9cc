package e2e

import (
	"strings"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

// MustReplace puts a text in the place of what a field holds.
func (p *Page) MustReplace(selector, text string) {
	p.b.t.Helper()
	p.MustSee(selector, "")
	p.MustEval("document.querySelector(`" + selector + "`).select()")
	p.MustType(selector, text)
}

// MustNotSee fails the test if the page shows a text anywhere, fields included
// but for those that hide what they hold.
func (p *Page) MustNotSee(text string) {
	p.b.t.Helper()
	all, _ := p.MustEval("document.body.innerText + [...document.querySelectorAll('input:not([type=password]), textarea')].map(e => e.value).join(' ')").(string)
	if strings.Contains(all, text) {
		p.b.t.Fatalf("the page shows %q:\n%s", text, all)
	}
}

// MustLack fails the test if there is an element of this selector.
func (p *Page) MustLack(selectors ...string) {
	p.b.t.Helper()
	for _, s := range selectors {
		if p.MustEval("document.querySelector(`"+s+"`) !== null") == true {
			p.b.t.Errorf("there is a %s", s)
		}
	}
}

// MustFit fails the test if the page is wider than a small phone, or than its own.
func (p *Page) MustFit(what string) {
	p.b.t.Helper()
	p.MustShow(360, 740, "light")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		p.b.t.Errorf("at 360 px %s is %v wide", what, wide)
	}
	p.MustShow(1280, 800, "light")
}

func (s *Server) mustFunction(name string) rest.FunctionInfo {
	s.t.Helper()
	f, err := s.Client().Function(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// greeter deploys two versions of a function with a secret in its environment.
func (s *Server) greeter() {
	s.t.Helper()
	s.MustDeploy("greeter", map[string]string{"main.py": "def handler(event, context):\n    return 'hello'\n"},
		"--env", "TOKEN=sesame", "--message", "Greet")
	s.MustDeploy("greeter", map[string]string{"main.py": "def handler(event, context):\n    return 'bonjour'\n"},
		"--env", "TOKEN=mellon", "--message", "Greet in French")
}

// A developer configures a function, takes that back, and looks at what differs.
func Test17Manage(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	s.greeter()
	p := s.signedIn(b)

	// The form tells what is wrong, shows what will change, and makes a version.
	p.MustOpen(s.URL + "/ui/functions/greeter/configuration")
	p.MustSee(`[data-field="limits.memory"]`, "default")
	p.MustSee(`[data-field="capture"]`, "default")
	p.MustNotSee("mellon")
	p.CheckAccessible("the configuration")
	p.MustFit("the configuration")
	p.Shoot("configuration-light")
	p.MustReplace(`[data-field="limits.memory"] input`, "5")
	p.MustSee(`[data-field="limits.memory"]`, "memory is 5 MiB, out of range")
	p.MustReplace(`[data-field="limits.memory"] input`, "256")
	p.MustSee("#save-bar", "1 change")
	p.MustClick("#review")
	p.MustSee("#review-changes", "128 MiB")
	p.MustSee("#review-changes", "256 MiB")
	p.CheckAccessible("the review of changes")
	p.Shoot("configuration-review")
	p.MustType("#save-message", "More room\n")
	p.MustSee("h1", "v3")
	f := s.mustFunction("greeter")
	before, err := s.Client().Version(t.Context(), "greeter", 2)
	if err != nil {
		t.Fatal(err)
	}
	if v := f.Version; f.Active != 3 || v.Config.Limits.MemoryMiB != 256 || v.Message != "More room" || v.CodeDigest != before.CodeDigest ||
		v.Config.Env["TOKEN"] != "mellon" {
		t.Errorf("version 3 is %+v", v)
	}
	p.MustLack("#save-bar")

	// Back and forth in one click each.
	p.MustOpen(s.URL + "/ui/functions/greeter")
	p.MustSee(`a[href^="/ui/functions/greeter/versions"]`, "Versions")
	p.MustClick(`a[href^="/ui/functions/greeter/versions"]`)
	p.MustSee("#serving", "Version 3 serves")
	p.MustSee("#what-happens", "Version 2 takes all new calls at once")
	p.MustSee("#history", "More room")
	p.CheckAccessible("the versions")
	p.MustFit("the versions")
	p.Shoot("versions-light")
	p.MustSee("#rollback", "version 2")
	p.MustClick("#rollback")
	p.MustSee("#serving", "Version 2 serves")
	if f := s.mustFunction("greeter"); f.Active != 2 {
		t.Errorf("after the rollback, version %d serves", f.Active)
	}
	p.MustSee("[data-undo]", "Undo")
	p.MustClick("[data-undo]")
	p.MustSee("#serving", "Version 3 serves")
	if f := s.mustFunction("greeter"); f.Active != 3 {
		t.Errorf("after the undo, version %d serves", f.Active)
	}

	// What differs between two: settings, names of the environment, code.
	p.MustSee("#versions", "Greet in French")
	p.MustClick(`[aria-label="Compare version 1"]`)
	p.MustSee(`#configuration-diff [data-change="limits.memory"]`, "256 MiB")
	p.MustSee(`#configuration-diff [data-change="env.TOKEN"]`, "changed")
	p.MustNotSee("sesame")
	p.MustSee(`[data-file="main.py"] .cm-merge-a`, "'hello'")
	p.MustSee(`[data-file="main.py"] .cm-merge-b`, "'bonjour'")
	p.CheckAccessible("the comparison")
	p.MustFit("the comparison")
	p.Shoot("versions-compare")
	p.MustOpen(s.URL + "/ui/functions/greeter/versions?left=2&right=3")
	p.MustSee("#code-diff", "the same code")

	// The reference finds an operation, and links to it.
	p.MustOpen(s.URL + "/ui/api-reference")
	p.MustSee("#operation", "How to ask")
	p.CheckAccessible("the API reference")
	p.MustType("#find-operation", "rollback")
	p.MustSee(`[data-op="rollback-function"]`, "Let another version serve")
	p.MustLack(`[data-op="list-functions"]`)
	p.MustClick(`[data-op="rollback-function"]`)
	p.MustSee("#operation h2", "Let another version serve")
	p.MustSee("#operation", s.URL+"/api/v1/functions/hello/rollback")
	p.MustNotSee(s.Key)
	p.CheckAccessible("an operation")
	p.MustFit("an operation")
	p.Shoot("api-reference")
	p.MustOpen(s.URL + "/ui/api-reference?op=add-key")
	p.MustSee("#operation h2", "Make a key")

	p.CheckClean(s.URL) // what follows is asked for by the page once more, and is gone

	// A function goes when its name is typed, and not before.
	p.MustOpen(s.URL + "/ui/functions/greeter/configuration")
	p.MustSee("#delete", "Delete greeter")
	p.MustClick("#delete")
	p.MustSee("[role=dialog]", "Type greeter to go on")
	p.MustType("[role=dialog] input", "greeter\n")
	p.MustSee("h1", "Functions")
	if _, err := s.Client().Function(t.Context(), "greeter"); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("the function is still there: %v", err)
	}
}

// Two people edit one function: the second is told, and loses nothing.
func Test17StaleEdit(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	s.greeter()
	admin := s.Client()
	if _, err := admin.AddUser(t.Context(), rest.NewUser{Name: "bob", Role: hearth.RoleDeveloper}); err != nil {
		t.Fatal(err)
	}
	key, err := admin.AddKey(t.Context(), rest.NewKey{Name: "first", User: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	bob, err := client.New(s.URL, key.Secret)
	if err != nil {
		t.Fatal(err)
	}

	p := s.signedIn(b)
	p.MustOpen(s.URL + "/ui/functions/greeter/configuration")
	p.MustSee(`[data-field="limits.timeout"]`, "default")
	// Nothing is read again by itself while updates are paused, so that only the refusal tells.
	p.MustPress("p")
	p.MustSee("[data-status=paused]", "Paused")
	p.MustReplace(`[data-field="limits.timeout"] input`, "7s")
	p.MustSee("#save-bar", "1 change")
	if _, err := bob.Reconfigure(t.Context(), "greeter", map[string]any{
		"limits": map[string]any{"memory": 512}, "message": "Bob needs room",
	}); err != nil {
		t.Fatal(err)
	}
	p.MustClick("#review")
	p.MustSee("#review-changes", "7s")
	p.MustClick("#save")
	p.MustSee("#stale", "bob changed greeter while you were editing")
	p.MustSee("#stale", "Bob needs room")
	p.MustSee("#stale", "512 MiB")
	p.CheckAccessible("a stale edit")
	p.Shoot("configuration-stale")
	if f := s.mustFunction("greeter"); f.Active != 3 || f.Version.CreatedBy != "bob" {
		t.Errorf("version %d serves, by %s", f.Active, f.Version.CreatedBy)
	}
	p.MustClick("#keep-mine")
	p.MustSee("#save-bar", "1 change")
	p.MustLack("#stale")
	p.MustClick("#review")
	p.MustSee("#review-changes", "7s")
	p.MustClick("#save")
	p.MustSee("h1", "v4")
	if v := s.mustFunction("greeter").Version; v.Config.Limits.MemoryMiB != 512 || v.Config.Limits.Timeout.String() != "7s" {
		t.Errorf("version 4 has %+v", v.Config.Limits)
	}

	// With updates, it is told as it happens.
	p.MustPress("p")
	p.MustReplace(`[data-field="min_warm"] input`, "1")
	p.MustSee("#save-bar", "1 change")
	if _, err := bob.UpdateFunction(t.Context(), "greeter", rest.FunctionUpdate{Public: new(true)}, 0); err != nil {
		t.Fatal(err)
	}
	p.MustSee("#stale", "bob changed greeter while you were editing")
	p.MustSee("#stale", "public: anybody")
	p.MustClick("#take-theirs")
	p.MustLack("#save-bar")
	p.MustSee(`[data-field="min_warm"]`, "default")
}

// An admin gives a program and a colleague their keys, and takes one away.
func Test17Accounts(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	s.greeter()
	p := s.signedIn(b)

	for _, tab := range []string{"", "/keys", "/users", "/server"} {
		p.MustOpen(s.URL + "/ui/settings" + tab)
		p.MustSee("h1", "Settings")
		p.MustSee("[role=tabpanel]", "")
		p.CheckAccessible("the settings" + tab)
		p.MustFit("the settings" + tab)
		p.Shoot("settings" + strings.ReplaceAll(tab, "/", "-"))
	}
	p.MustSee("#drivers", "native")
	p.MustSee("#runtimes", "python3")
	p.MustSee("#settings", "--retention")

	p.MustOpen(s.URL + "/ui/settings/keys")
	p.MustSee("#new-key", "New key")
	p.MustClick("#new-key")
	p.MustSee("[role=dialog]", "What it is for")
	p.MustType("#key-name", "pipeline\n")
	p.MustSee("#secret", "hk_")
	p.CheckAccessible("a new key")
	secret, _ := p.MustEval("document.querySelector('#secret pre').innerText").(string)
	use := func() int { return s.MustCall("GET", "/api/v1/whoami", "", "Authorization", "Bearer "+secret).Status }
	if got := use(); got != 200 {
		t.Errorf("the new key is answered with %d", got)
	}
	p.MustPress("Escape")
	p.MustSee("#keys", "pipeline")
	p.MustNotSee(secret)
	p.MustClick("[data-delete=pipeline]")
	p.MustSee("[role=dialog]", "stops working at once")
	p.MustClick("#confirm")
	p.MustSee("body", "works no more")
	if got := use(); got != 401 {
		t.Errorf("the deleted key is answered with %d", got)
	}

	p.MustOpen(s.URL + "/ui/settings/users")
	p.MustSee("#new-user", "New user")
	p.MustClick("#new-user")
	p.MustSee("[role=dialog]", "Role")
	p.MustType("#user-name", "vera")
	p.MustClick("#role-viewer")
	p.CheckAccessible("a new user")
	p.MustClick("#make-user")
	p.MustSee("#secret", "hk_")
	theirs, _ := p.MustEval("document.querySelector('#secret pre').innerText").(string)
	p.MustPress("Escape")
	p.MustSee("#users", "vera")
	p.CheckClean(s.URL)

	// A viewer sees what there is, and nothing that would be refused.
	v := b.MustPage()
	v.MustShow(1280, 800, "light")
	v.MustOpen(s.URL + "/ui/")
	v.MustSee("#sign-in", "API key")
	v.MustType("#key", theirs+"\n")
	v.MustSee(`[aria-label="Signed in as vera"]`, "")
	v.MustOpen(s.URL + "/ui/functions/greeter/configuration")
	v.MustSee("#environment", "TOKEN")
	v.MustSee("body", "You look, and change nothing")
	v.MustLack("#delete", "#review", "#add-env", "#paste-env", "#add-route")
	v.MustNotSee("mellon")
	v.CheckAccessible("a viewer's configuration")
	v.MustOpen(s.URL + "/ui/functions/greeter/versions?left=1&right=2")
	v.MustSee(`[data-change="env.TOKEN"]`, "changed")
	v.MustSee(`[data-change="env.TOKEN"]`, "hidden")
	v.MustNotSee("mellon")
	v.MustOpen(s.URL + "/ui/functions/greeter/versions")
	v.MustSee("#serving", "Version 2 serves")
	v.MustLack("#rollback", "[data-serve]")
	v.MustOpen(s.URL + "/ui/settings")
	v.MustSee("#identity", "vera")
	v.MustOpen(s.URL + "/ui/settings/users")
	v.MustSee("h2", "Only admins see the users")
	v.CheckClean(s.URL)
}
