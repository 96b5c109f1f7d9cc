package e2e

import (
	"os"
	"regexp"
	"testing"

	"hearth/web"
)

// needsDashboard skips a scenario of the dashboard where it isn't built.
func needsDashboard(t *testing.T) {
	t.Helper()
	needsRoot(t)
	if !web.Built() {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must run this, and the dashboard isn't built: run scripts/web.sh build")
		}
		t.Skip("the dashboard isn't built: run scripts/web.sh build")
	}
}

// signedIn opens the dashboard by a link, as hearth open does.
func (s *Server) signedIn(b *Browser) *Page {
	s.t.Helper()
	p := b.MustPage()
	p.MustShow(1280, 800, "light")
	p.MustOpen(s.signInLink())
	p.MustSee("h1", "")
	return p
}

func (s *Server) signInLink() string {
	s.t.Helper()
	link := regexp.MustCompile(`http://\S+/auth/link\?token=\w+`).FindString(s.MustRun("open"))
	if link == "" {
		s.t.Fatal("hearth open prints no link")
	}
	return link
}

// A newcomer opens the dashboard's link and watches the first calls arrive.
func Test10Dashboard(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	link := s.signInLink()

	stranger := b.MustPage()
	stranger.MustShow(1280, 800, "light")
	stranger.MustOpen(s.URL + "/ui/")
	stranger.MustSee("#sign-in", "hearth open")
	stranger.Shoot("sign-in-light")
	stranger.CheckAccessible("the sign-in")
	stranger.Shoot("sign-in-dark")

	p := b.MustPage()
	p.MustShow(1280, 800, "light")
	p.MustOpen(link)
	p.MustSee("h1", "Overview")
	p.MustSee("#empty", "Nothing runs here yet")
	p.CheckAccessible("the overview of nothing")
	if at := p.MustEval("location.pathname"); at != "/ui/overview" {
		t.Errorf("the link leads to %v", at)
	}
	p.MustClick("#empty a")
	p.MustSee("h1", "Your first function")
	p.MustPush("Functions")
	p.MustSee("h1", "Functions")
	p.MustSee("#empty", "hearth deploy main.py --name hello")
	p.CheckAccessible("the empty list")

	// The link is worth nothing to whoever finds it later.
	stranger.MustOpen(link)
	stranger.MustSee("#trouble", "used already")
	stranger.MustSee("#sign-in", "API key")
	if status := stranger.MustEval("fetch('/auth/session').then(r => r.status)"); status != 204.0 {
		t.Errorf("the link worked twice: the second visitor's session is %v", status)
	}

	// From here on, all appears by itself: a reload would lose the mark.
	p.MustEval("window.mark = 'same page'")
	s.MustDeploy("hello", map[string]string{"main.py": "def handler(event, context):\n    return 1 / event['by']\n"},
		"--route", "GET /hi", "--public")
	p.MustSee("#functions", "hello")
	s.MustRun("invoke", "hello", "-d", `{"by": 1}`)
	p.MustSee("#functions [data-key=hello] td", "0 %")
	if r := s.Run("invoke", "hello", "-d", `{"by": 0}`); r.Code != 1 {
		t.Fatalf("a failing call ends with %d: %s", r.Code, r.Err)
	}
	p.MustSee("#functions [data-key=hello] td", "50 %")
	p.CheckAccessible("the functions")
	p.Shoot("functions-dark")
	p.MustShow(1280, 800, "light")
	p.Shoot("functions-light")
	p.MustShow(360, 740, "light")
	p.Shoot("functions-narrow")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		t.Errorf("at 360 px the page is %v wide", wide)
	}
	p.MustShow(1280, 800, "light")

	// Keys alone.
	p.MustPress("?")
	p.MustSee("[role=dialog]", "Keyboard shortcuts")
	p.CheckAccessible("the shortcuts")
	p.MustPress("Escape")
	p.MustPress("Control+k")
	p.MustSee("[role=dialog]", "Sign out")
	p.CheckAccessible("the palette")
	if mark := p.MustEval("window.mark"); mark != "same page" {
		t.Error("the page was loaded again")
	}
	p.MustEval("[...document.querySelectorAll('[role=dialog] button')].find(b => b.innerText.includes('Sign out')).click()")
	p.MustSee("#sign-in", "API key")

	// A key does as well as a link.
	p.MustType("#key", s.Key+"\n")
	p.MustSee("#functions", "hello")

	p.CheckClean(s.URL)
	stranger.CheckClean(s.URL)
}
