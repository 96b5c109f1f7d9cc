package e2e

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

// The functions that the pictures of the dashboard show at work.
var (
	parcels = map[string]string{
		"main.py": `import json
import random
import time

import rates


def handler(event, context):
    weight = event.get("weight", random.randint(1, 30))
    print(json.dumps({"level": "info", "msg": "quoting", "weight": weight}))
    time.sleep(random.lognormvariate(-4.6, 0.6))
    return {"weight": weight, "price": rates.price(event.get("zone", "home"), weight)}
`,
		"rates.py": `ZONES = {"home": 2, "near": 3, "far": 7}


def price(zone, weight):
    return ZONES[zone] * weight
`,
	}
	parcelsBefore = map[string]string{
		"main.py": `import json
import time

import rates


def handler(event, context):
    weight = event.get("weight", 1)
    print(json.dumps({"level": "info", "msg": "quoting", "weight": weight}))
    time.sleep(0.01)
    return {"price": rates.price(event.get("zone", "home"), weight)}
`,
		"rates.py": parcels["rates.py"],
	}
	report = map[string]string{"index.mjs": `const pause = ms => new Promise(done => setTimeout(done, ms));

export const handler = async event => {
  console.log('reading %d rows', event.rows ?? 100);
  await pause(event.rows > 1000 ? 60_000 : 20 + Math.random() * 60);
  console.warn('the cache is cold');
  return { rows: event.rows ?? 100, ok: true };
};
`}
)

// mustTraffic deploys what the screens show and calls it: most calls go well,
// some fail, one runs out of time. For pictures it goes on for some minutes, so
// that the charts have something to show.
func mustTraffic(t *testing.T, s *Server) {
	t.Helper()
	s.MustDeploy("parcels", parcelsBefore, "--message", "Quote by weight", "--route", "POST /quote", "--env", "CURRENCY=EUR")
	s.MustDeploy("report", report, "--timeout", "600ms", "--message", "Count the rows")
	s.MustDeploy("thumbnails", map[string]string{
		"main.py": "def handler(event, context):\n    held = bytearray(24 << 20)\n    return len(held)\n",
	}, "--memory", "512", "--public")
	calls, long := "2s", os.Getenv(screenshotsEnv) != ""
	if long {
		calls = "150s"
	}
	load := func(name, rps, event string) func() {
		return func() { s.Run("load", name, "--rps", rps, "--for", calls, "-d", event) } // some of its calls fail, as they should
	}
	for round := range 2 {
		var wg sync.WaitGroup
		wg.Go(load("parcels", "9", `{"zone":"near"}`))
		wg.Go(load("parcels", "0.6", `{"zone":"moon"}`))
		wg.Go(load("report", "3", `{}`))
		wg.Go(load("report", "0.5", `{"rows":5000}`))
		wg.Go(load("thumbnails", "1.5", `{}`))
		wg.Wait()
		if round == 0 {
			s.MustDeploy("parcels", parcels, "--message", "Quote by zone, too")
			if !long {
				break
			}
		}
	}
	if r := s.Run("invoke", "parcels", "-d", `{"zone":"moon"}`); r.Code != 1 {
		t.Fatalf("a failing call ends with %d: %s", r.Code, r.Err)
	}
}

// Every screen of the dashboard, as somebody sees it who opens its address: in
// both themes, on a phone, and read aloud.
func Test20EveryScreen(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	mustTraffic(t, s)
	failed, err := s.Client().Invocations(t.Context(), client.InvocationsQuery{
		Function: "parcels", Outcomes: []hearth.Outcome{rest.OutcomeFailed},
	}, client.Page{Limit: 1})
	if err != nil || len(failed.Items) == 0 {
		t.Fatalf("no call of parcels failed: %v", err)
	}
	p := s.signedIn(b)
	for _, screen := range []struct{ name, path, selector, text string }{
		{"overview", "/overview?range=15m", "main", "Request volume"},
		{"functions", "/functions?range=15m", "#functions", "parcels"},
		{"new-function", "/new", "main", "REST API"},
		{"function", "/functions/parcels?range=15m", "main", "/fn/parcels/"},
		{"code", "/functions/parcels/code", "[aria-label='Code of main.py']", "rates"},
		{"metrics", "/functions/parcels/metrics?range=15m", "main", "Memory"},
		{"function-invocations", "/functions/parcels/invocations?range=15m", "#invocations", "ok"},
		{"invocations", "/invocations?range=15m", "#invocations", "parcels"},
		{"invocation", "/invocations/" + failed.Items[0].ID, "#invocation", "KeyError"},
		{"errors", "/errors?range=15m", "main", "KeyError"},
		{"logs", "/logs?range=15m", "main", "quoting"},
		{"sandboxes", "/sandboxes", "main", "Prewarmed"},
		{"usage", "/usage?range=15m", "main", "parcels"},
		{"versions", "/functions/parcels/versions", "#versions", "Quote by weight"},
		{"compare", "/functions/parcels/versions?left=1&right=2", "[data-file='main.py']", "lognormvariate"},
		{"configuration", "/functions/parcels/configuration", `[data-field="limits.memory"]`, ""},
		{"users", "/settings/users", "main", "admin"},
		{"keys", "/settings/keys", "main", "first"},
		{"server", "/settings/server", "main", "native"},
		{"api-reference", "/api-reference?op=deploy-function", "#operation h2", "Deploy"},
	} {
		p.MustShow(1440, 900, "light")
		p.MustOpen(s.URL + "/ui" + screen.path)
		p.MustSee(screen.selector, screen.text)
		p.CheckAccessible(screen.name)
		p.MustShow(1440, 900, "dark")
		p.Shoot(screen.name + "-dark")
		p.MustShow(1440, 900, "light")
		p.Shoot(screen.name)
		p.MustShow(360, 740, "light")
		if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
			t.Errorf("at 360 px, %s is %v wide", screen.name, wide)
		}
		p.Shoot(screen.name + "-phone")
	}
	p.MustShow(1440, 900, "light")
	p.MustOpen(s.URL + "/ui/nowhere")
	p.MustSee("main", "")
	if title := fmt.Sprint(p.MustEval("document.title")); title == "" {
		t.Error("an address that leads nowhere has no title")
	}
	p.CheckClean(s.URL)
}
