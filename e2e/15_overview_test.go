package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// liveLimit is how old a figure on the overview may be: the median of some
// rounds, for the machine may be busy with other things in one of them.
const liveLimit = 2 * time.Second

var overviewFunctions = map[string]struct {
	code  string
	flags []string
}{
	"hello": {"def handler(event, context):\n    return 1 / event.get('by', 1)\n", nil},
	"slow": {"import time\ndef handler(event, context):\n    print('waiting for the stock service', flush=True)\n" +
		"    time.sleep(30)\n", []string{"--timeout", "500ms"}},
	// 80 MiB beside the interpreter, and 200 ms of CPU.
	"burn": {"import time\ndef handler(event, context):\n    start = time.process_time()\n    data = bytearray(80 << 20)\n" +
		"    data[::4096] = b'x' * len(data[::4096])\n    n = 0\n    while time.process_time() < start + 0.2: n += 1\n    return n\n",
		[]string{"--memory", "256", "--timeout", "30s"}},
}

// Figures of the overview follow the calls, and lead to what is behind them.
func Test15Overview(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	for name, f := range overviewFunctions {
		s.MustDeploy(name, map[string]string{"main.py": f.code}, f.flags...)
	}
	p := s.signedIn(b)
	p.MustShow(1440, 900, "light")
	p.MustSee("h1", "Overview")
	p.MustSee("header", "Updated as calls end")
	p.MustSee("#tiles", "0 requests")
	p.MustSee("#charts", "3 deploys")
	for _, title := range []string{"Request volume", "Response times", "Error rate", "Resource utilisation"} {
		p.MustSee("#charts h3", title)
	}

	// The table of the chart holds what its canvas draws.
	const volume = `[aria-label="View as table: Request volume"]`
	p.MustClick(volume)
	p.MustSee("#charts section", "ok")
	var ages []time.Duration
	calls := 0
	for range 5 {
		p.MustEval(fmt.Sprintf(`window.seen = new Promise(done => {
			const sum = () => [...document.querySelectorAll('#charts tbody tr')]
				.reduce((n, row) => n + [...row.cells].slice(1).reduce((n, c) => n + (Number(c.innerText) || 0), 0), 0);
			const look = () => sum() >= %d && done(Date.now());
			new MutationObserver(look).observe(document.querySelector('#charts'), {subtree: true, childList: true, characterData: true});
			look();
		}), 0`, calls+3))
		for range 3 {
			s.MustRun("invoke", "hello", "-d", "{}")
			calls++
		}
		ended := time.Now()
		seen := p.MustEval(`Promise.race([window.seen, new Promise(done => setTimeout(() => done(0), 15000))])`).(float64)
		if seen == 0 {
			t.Fatalf("the chart doesn't move after call %d:\n%s", calls, p.MustEval("document.querySelector('#charts').innerText"))
		}
		ages = append(ages, time.UnixMilli(int64(seen)).Sub(ended))
	}
	slices.Sort(ages)
	t.Logf("the chart moved %s after the calls", ages)
	if ages[len(ages)/2] > liveLimit {
		t.Errorf("the chart moved %s after the calls", ages)
	}
	p.MustClick(`[aria-label="View as chart: Request volume"]`)
	p.MustSee("#charts [role=group]", "")

	// A known load shows exact counts.
	s.MustRun("load", "hello", "--rps", "20", "--for", "2s")
	for range 3 {
		s.Run("invoke", "hello", "-d", `{"by": 0}`)
	}
	if r := s.Run("invoke", "slow", "-d", "{}"); r.Code != 1 {
		t.Fatalf("the slow call ends with %d: %s", r.Code, r.Err)
	}
	for range 10 {
		s.MustRun("invoke", "burn")
	}
	calls += 40 + 3 + 1 + 10
	p.MustSee(`#tiles [data-tile="Requests/s"]`, fmt.Sprintf("%d requests", calls))
	p.MustSee(`#tiles [data-tile="Error rate"]`, "4 failed")
	p.MustSee("#top", fmt.Sprint(calls-11))
	p.MustSee("#feed", "hello")
	p.CheckAccessible("the overview")
	p.Shoot("overview-dark")
	p.MustShow(1440, 900, "light")
	p.Shoot("overview-light")
	p.MustShow(360, 740, "light")
	p.Shoot("overview-narrow")
	p.checkWidth(360)
	p.MustShow(1440, 900, "light")

	// The planted time-out, its cause and its line, in at most four clicks.
	clicks := 0
	click := func(selector, text string) {
		t.Helper()
		clicks++
		p.MustSee(selector, text)
		p.MustEval(fmt.Sprintf("[...document.querySelectorAll(%q)].find(e => e.innerText.includes(%q)).click()", selector, text))
	}
	click(`#tiles [data-tile="Error rate"]`, "4 failed")
	p.MustSee("h1", "Invocations")
	click("#invocations tr", "slow")
	p.MustSee("[role=dialog]", "time-out")
	p.MustSee("[role=dialog]", "longer than its limit of 500ms")
	p.MustSee("[role=dialog]", "waiting for the stock service")
	if clicks > 4 {
		t.Errorf("it took %d clicks", clicks)
	}

	// A point of a chart leads to the calls of its step, a drag to its span.
	p.MustOpen(s.URL + "/ui/overview?range=15m")
	p.MustSee("#charts", "Error rate")
	p.MustSee("#tiles", "requests")
	p.drag("#charts figure:nth-of-type(1) .u-over", 0.5, 0.9)
	p.MustSee("header", "A fixed span of time")
	if search := p.MustEval("location.search").(string); !strings.Contains(search, "from=") || !strings.Contains(search, "to=") {
		t.Errorf("a drag makes the address %q", search)
	}
	p.drag("#charts figure:nth-of-type(3) .u-over", 0.7, 0.7)
	p.MustSee("h1", "Invocations")
	if search := p.MustEval("location.search").(string); !strings.Contains(search, "outcome=failed") || !strings.Contains(search, "from=") {
		t.Errorf("a click on the error rate leads to %q", search)
	}

	p.MustOpen(s.URL + "/ui/overview")
	p.MustSee("header", "Updated as calls end")
	p.MustPress("p")
	p.MustSee("header", "Not live: updates are paused")
	p.CheckClean(s.URL)
}

// A function's page tells what it used, its set-up and its failures, and calls it.
func Test15FunctionPage(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	for name, f := range overviewFunctions {
		s.MustDeploy(name, map[string]string{"main.py": f.code}, f.flags...)
	}
	for range 10 {
		s.MustRun("invoke", "burn")
	}
	p := s.signedIn(b)
	p.MustShow(1440, 900, "light")

	p.MustOpen(s.URL + "/ui/functions/burn/metrics")
	p.MustSee(`[data-figure="Requests"]`, "10")
	cpu := p.figure("CPU per call", "ms")
	memory := p.figure("Memory peak", "MiB")
	t.Logf("burn used %g ms of CPU per call and %g MiB", cpu, memory)
	if cpu < 180 || cpu > 220 {
		t.Errorf("the CPU time of burn is %g ms; it burns 200 ms", cpu)
	}
	if memory < 80 || memory > 95 {
		t.Errorf("the memory peak of burn is %g MiB; it takes 80 MiB beside its interpreter", memory)
	}
	p.MustSee("#charts", "Cold start time")
	p.CheckAccessible("the metrics of a function")
	p.Shoot("function-metrics")

	p.MustOpen(s.URL + "/ui/functions/hello")
	p.MustSee("#setup", "128 MiB")
	p.MustSee("#last-errors", "No call has failed")
	p.MustEval("[...document.querySelectorAll('#invoke button')].at(-1).click()")
	p.MustSee("#reply", "1")
	p.MustSee("#reply", "ok")
	s.Run("invoke", "hello", "-d", `{"by": 0}`)
	p.MustSee("#last-errors", "ZeroDivisionError")
	p.MustSee(`[data-figure="Requests"]`, "2")
	p.CheckAccessible("the overview of a function")
	p.Shoot("function-overview")
	p.MustShow(360, 740, "light")
	p.checkWidth(360)
	p.MustShow(1440, 900, "light")

	p.MustOpen(s.URL + "/ui/sandboxes")
	p.MustSee("#pools", "of 2")
	p.MustSee("#sandboxes", "burn")
	p.CheckAccessible("the sandboxes")
	p.MustEval("[...document.querySelectorAll('#sandboxes tr')].find(e => e.innerText.includes('burn')).querySelector('td button').click()")
	p.MustSee("[role=dialog]", "Kill this sandbox?")
	p.MustEval("[...document.querySelectorAll('[role=dialog] button')].find(e => e.innerText === 'Kill').click()")
	if gone := p.MustEval(`new Promise(done => {
		const look = () => !document.querySelector('#sandboxes')?.innerText.includes('burn') && done(true);
		new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true});
		setTimeout(() => done(false), 10000);
		look();
	})`); gone != true {
		t.Error("the sandbox that was killed is still shown")
	}
	p.MustShow(360, 740, "light")
	p.checkWidth(360)
	p.MustShow(1440, 900, "light")

	s.MustRun("load", "hello", "--rps", "20", "--for", "2s")
	p.MustOpen(s.URL + "/ui/usage")
	p.MustSee("#totals", "52") // 10 of burn, 2 and 40 of hello
	p.MustSee("#usage [data-key='hello@1']", "Set 32 MiB")
	p.CheckAccessible("the usage")
	p.MustClick("#usage [data-key='hello@1'] button")
	p.MustSee("[role=dialog]", "From 128 MiB to 32 MiB")
	p.MustEval("[...document.querySelectorAll('[role=dialog] button')].find(e => e.innerText === 'Set 32 MiB').click()")
	p.MustSee("body", "hello v2 serves with 32 MiB")
	v, err := s.Client().Function(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	if v.Active != 2 || v.Version.Config.Limits.MemoryMiB != 32 {
		t.Errorf("version %d serves, with %d MiB", v.Active, v.Version.Config.Limits.MemoryMiB)
	}
	p.MustShow(360, 740, "light")
	p.checkWidth(360)
	p.CheckClean(s.URL)
}

// figure reads a number of a function's metrics in a unit.
func (p *Page) figure(name, unit string) float64 {
	p.b.t.Helper()
	selector := fmt.Sprintf("[data-figure=%q] dd", name)
	p.MustSee(selector, unit)
	text := p.MustEval(fmt.Sprintf("document.querySelector(%q).firstChild.textContent", selector)).(string)
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, " "+unit), 64)
	if err != nil {
		p.b.t.Fatalf("%s is %q, not in %s", name, text, unit)
	}
	return n
}

// checkWidth fails the test if the page is wider than the window.
func (p *Page) checkWidth(width float64) {
	p.b.t.Helper()
	// Charts follow the window with the next frames.
	wide := p.MustEval(fmt.Sprintf(`new Promise(done => {
		let frames = 0;
		const look = () => {
			const wide = document.documentElement.scrollWidth;
			if (wide === %g || frames++ === 60) done(wide);
			else requestAnimationFrame(look);
		};
		look();
	})`, width))
	if wide != width {
		p.b.t.Errorf("at %g px, %v is %v wide", width, p.MustEval("location.pathname"), wide)
	}
}

// drag moves the mouse over the first element that a selector names, with its
// button down, between two shares of its width. The same twice is a click.
func (p *Page) drag(selector string, from, to float64) {
	p.b.t.Helper()
	p.MustSee(selector, "")
	at := func(share float64) map[string]any {
		place := p.MustEval(fmt.Sprintf(`(() => {
			const e = document.querySelector(%q);
			e.scrollIntoView({block: 'center'});
			const r = e.getBoundingClientRect();
			return [r.left + r.width * %g, r.top + r.height / 2];
		})()`, selector, share)).([]any)
		return map[string]any{"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
	}
	send := func(kind string, event map[string]any) {
		event["type"] = kind
		p.b.must(p.session, "Input.dispatchMouseEvent", event, nil)
	}
	start := at(from)
	send("mouseMoved", map[string]any{"x": start["x"], "y": start["y"]})
	send("mousePressed", start)
	end := at(to)
	if from != to {
		send("mouseMoved", map[string]any{"x": end["x"], "y": end["y"], "button": "left", "buttons": 1})
	}
	send("mouseReleased", end)
}
