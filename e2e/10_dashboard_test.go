package e2e

import (
	"regexp"
	"testing"
)

// A newcomer opens the dashboard's link, deploys what it proposes, and watches
// the first calls arrive.
func Test10Dashboard(t *testing.T) {
	needsRoot(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	link := regexp.MustCompile(`http://\S+/auth/link\?token=\w+`).FindString(s.MustRun("open"))
	if link == "" {
		t.Fatal("hearth open prints no link")
	}

	stranger := b.MustPage()
	stranger.MustOpen(s.URL + "/ui/")
	stranger.MustSee("#sign-in", "hearth open")

	p := b.MustPage()
	p.MustOpen(link)
	p.MustSee("#who", "admin")
	p.MustSee("#empty", "hearth deploy main.py --name hello")
	if at := p.MustEval("location.href"); at != s.URL+"/ui/" {
		t.Errorf("the link leads to %v", at)
	}

	// The link is worth nothing to whoever finds it later.
	stranger.MustOpen(link)
	stranger.MustSee("#trouble", "used already")
	stranger.MustSee("#sign-in", "API key")
	if status := stranger.MustEval("fetch('/auth/session').then(r => r.status)"); status != 204.0 {
		t.Errorf("the link worked twice: the second visitor's session is %v", status)
	}

	// From here on, all appears by itself: a reload would lose the mark.
	p.MustEval("window.mark = 'same page'")
	s.MustDeploy("hello", map[string]string{"main.py": "def handler(event, context):\n    print('greeting')\n    return 1 / event['by']\n"},
		"--route", "GET /hi", "--public")
	p.MustSee("#functions", "hello")
	p.MustSee("#functions a[href='/hi']", "GET /hi")
	p.MustSee("#no-calls", "No calls yet")
	s.MustRun("invoke", "hello", "-d", `{"by": 1}`)
	p.MustSee("#calls tbody .ok", "ok")
	p.MustSee("#calls tbody .tag", "warm")
	p.MustSee("#functions td[data-label=p50]", "ms")
	if r := s.Run("invoke", "hello", "-d", `{"by": 0}`); r.Code != 1 {
		t.Fatalf("a failing call ends with %d: %s", r.Code, r.Err)
	}
	p.MustSee("#calls tbody .failed", "function error")
	p.MustSee("#calls tbody .why", "ZeroDivisionError: division by zero")
	p.MustSee("#functions td[data-label=errors]", "1 (50 %)")
	if phases, _ := p.MustEval("document.querySelector('#calls .bar').ariaLabel").(string); !regexp.MustCompile(`handler [\d.]+ ms`).MatchString(phases) {
		t.Errorf("the phases of the last call are read out as %q", phases)
	}
	p.MustClick("#calls .link")
	p.MustSee("#call", "Traceback")
	p.MustSee("#call", "greeting")
	if mark := p.MustEval("window.mark"); mark != "same page" {
		t.Error("the page was loaded again")
	}
	p.MustClick("#call button")
	p.MustClick("#out")
	p.MustSee("#sign-in", "API key")

	// A key does as well as a link.
	p.MustEval("document.querySelector('#key').value = '" + s.Key + "'")
	p.MustClick("#sign-in button")
	p.MustSee("#functions", "hello")

	p.CheckClean(s.URL)
	stranger.CheckClean(s.URL)
}
