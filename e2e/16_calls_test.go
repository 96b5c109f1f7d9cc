package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"
)

// callsCode writes to its log, and fails when it is asked for cake.
var callsCode = map[string]string{
	"main.py": `import json, logging
from orders import price

def handler(event, context):
    print("asked for", event["item"])
    logging.getLogger("shop").warning("stock is low")
    print(json.dumps({"level": "info", "msg": "priced", "item": event["item"]}))
    print("\x1b[31m<b>red</b>\x1b[0m")
    return {"price": price(event["item"])}
`,
	"orders.py": `PRICES = {"tea": 3}

def price(item):
    return PRICES[item]
`,
}

// Somebody's call has failed. They find it among the others, read what it wrote
// and where it broke, and watch the next ones come in.
func Test16Calls(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	p := s.signedIn(b)

	p.MustOpen(s.URL + "/ui/invocations")
	p.MustSee("#empty", "No calls in this range of time")
	p.CheckAccessible("the empty list of calls")

	s.MustDeploy("shop", callsCode)
	s.MustRun("invoke", "shop", "-d", `{"item": "tea"}`)
	p.MustSee("#invocations [data-key] td", "shop")

	// A new call appears by itself: the stream brings it, the list isn't asked for again.
	const asked = `performance.getEntriesByType('resource').filter(r => r.name.includes('/api/v1/invocations?')).length`
	before := p.MustEval(asked)
	p.MustEval(`(window.seen = new Promise(done => {
		const look = () => document.querySelector('#invocations')?.innerText.includes('function error') && done(Date.now());
		new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true});
	}), 0)`)
	if r := s.Run("invoke", "shop", "-d", `{"item": "cake"}`); r.Code != 1 {
		t.Fatalf("a failing call ends with %d: %s", r.Code, r.Err)
	}
	ended := time.Now()
	p.MustSee("#invocations [data-key] td", "function error")
	if after := p.MustEval(asked); after != before {
		t.Errorf("the list was read %v times, then %v: the call didn't come by the stream", before, after)
	}
	ms, _ := p.MustEval("window.seen").(float64)
	t.Logf("the call was shown %s after its command had ended", time.UnixMilli(int64(ms)).Sub(ended).Round(time.Millisecond))

	// The view of errors has that one alone, and a reload keeps it.
	p.MustEval(`[...document.querySelectorAll('fieldset button')].find(b => b.innerText === 'Errors').click()`)
	p.MustSee("#invocations", "That is the only call")
	if q := p.MustEval("location.search"); q != "?outcome=failed" {
		t.Errorf("the address keeps %v", q)
	}
	p.MustOpen(s.URL + "/ui/invocations" + "?outcome=failed&min=0.001ms&function=shop")
	p.MustSee("#invocations", "That is the only call")
	for label, want := range map[string]string{"Outcome": "failed (any)", "Shortest duration": "0.001ms", "Function": "shop"} {
		if got := p.MustEval(fmt.Sprintf("document.querySelector('input[aria-label=%q]').value", label)); got != want {
			t.Errorf("after a reload the filter %s says %v, want %q", label, got, want)
		}
	}
	p.CheckAccessible("the list of calls")
	p.Shoot("invocations-dark")
	p.MustShow(1280, 800, "light")
	p.Shoot("invocations-light")

	// Keys alone open it: what broke, where, and what it wrote before.
	p.MustPress("j")
	p.MustSee("[data-key][data-selected]", "shop")
	p.MustEval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))") // the focus follows
	p.MustPress("Enter")
	p.MustSee("#invocation h3", "KeyError: 'cake'")
	p.MustSee("#invocation pre", `File "/code/orders.py", line 4, in price`)
	p.MustSee("#invocation ol li", "asked for cake")
	p.MustSee("#invocation ol li", "stock is low")
	p.MustSee("#invocation ol[aria-label^=Phases] li", "handler")
	p.CheckAccessible("a call over the list")
	p.Shoot("invocation-dark")
	p.MustShow(1280, 800, "light")
	p.Shoot("invocation-light")
	id, _ := p.MustEval("document.querySelector('#invocation').dataset.id").(string)
	if !regexp.MustCompile(`^[0-9A-Z]{26}$`).MatchString(id) {
		t.Fatalf("the call's id is %q", id)
	}

	// What it was asked was kept. With the code mended, the same call works.
	p.MustSee("#invocation section[aria-label=Request] pre", `"item": "cake"`)
	mended := maps.Clone(callsCode)
	mended["orders.py"] = strings.Replace(mended["orders.py"], "}", `, "cake": 5}`, 1)
	s.MustDeploy("shop", mended)
	p.MustEval("[...document.querySelectorAll('#invocation button')].find(b => b.innerText === 'Replay').click()")
	p.MustSee("#replayed pre", `"price": 5`)
	if again := p.MustEval("document.querySelector('#replayed a').getAttribute('href').split(/[/?]/).at(-1).length"); again != 26.0 {
		t.Errorf("the replay leads to %v", p.MustEval("document.querySelector('#replayed a').href"))
	}
	p.CheckAccessible("a replayed call")
	p.Shoot("replay-dark")
	p.MustShow(1280, 800, "light")

	// It becomes a test event of the function.
	p.MustEval("[...document.querySelectorAll('#invocation button')].find(b => b.innerText === 'Save as test event').click()")
	p.MustSee("section[role=dialog]", "Everybody who sees shop")
	p.MustEval("[...document.querySelectorAll('section[role=dialog] button[type=submit]')].at(-1).click()")
	p.MustSee("body", "Kept as “function-error” with shop")
	if events := s.MustCall("GET", "/api/v1/functions/shop/test-events", "", "Authorization", "Bearer "+s.Key); !strings.Contains(events.Body, `{\"item\": \"cake\"}`) {
		t.Errorf("the test events are %s", events.Body)
	}
	p.MustEval("document.querySelector('[aria-label=Close]').focus()")
	p.MustPress("Escape")
	p.MustEval(`new Promise(done => {
		const look = () => !document.querySelector('#invocation') && done(true);
		new MutationObserver(look).observe(document, {subtree: true, childList: true});
		look();
	})`)

	// It has an address of its own.
	p.MustOpen(s.URL + "/ui/invocations/" + id)
	p.MustSee("h1", "shop v1")
	p.MustSee("#invocation h3", "KeyError: 'cake'")

	// A frame of the trace leads to its line, though another version serves by now.
	p.MustEval("[...document.querySelectorAll('#invocation pre a')].at(-1).click()")
	p.MustSee(".cm-activeLine", "return PRICES[item]")
	p.MustSee("main", "The link is to a line of v1. This is the code of v2")
	p.MustOpen(s.URL + "/ui/invocations/" + id)
	p.MustSee("#invocation h3", "KeyError: 'cake'")
	p.MustShow(360, 740, "light")
	p.Shoot("invocation-narrow")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		t.Errorf("at 360 px the page of a call is %v wide", wide)
	}
	p.MustOpen(s.URL + "/ui/invocations")
	p.MustSee("#invocations", "shop")
	p.Shoot("invocations-narrow")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		t.Errorf("at 360 px the list of calls is %v wide", wide)
	}
	p.MustShow(1280, 800, "light")

	p.CheckClean(s.URL)
}

// The same person looks for words in what functions write.
func Test16Logs(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	p := s.signedIn(b)

	p.MustOpen(s.URL + "/ui/logs")
	p.MustSee("h2", "No output in this range of time")
	p.CheckAccessible("the empty logs")
	s.MustDeploy("shop", callsCode)
	s.MustRun("invoke", "shop", "-d", `{"item": "tea"}`)
	p.MustSee("#lines", "asked for tea") // by itself
	p.MustSee("#lines", "priced item=tea")
	p.MustSee("#lines", "<b>red</b>")
	if n := p.MustEval("document.querySelectorAll('#lines b').length"); n != 0.0 {
		t.Errorf("what a function printed became %v elements of the page", n)
	}

	// A document is opened to see it whole.
	p.MustEval("[...document.querySelectorAll('#lines [data-index]')].find(r => r.innerText.includes('priced')).querySelector('button').click()")
	p.MustSee("#lines pre", `"msg": "priced"`)
	p.CheckAccessible("the logs")
	p.Shoot("logs-dark")
	p.MustShow(1280, 800, "light")
	p.Shoot("logs-light")

	// A search leaves the lines that have the words, marks them, and is in the address.
	p.MustPress("/")
	p.MustType("input[aria-label='Search the text']", "LOW\n")
	p.MustSee("#lines mark", "low")
	if text := p.MustEval("document.querySelector('#lines').innerText").(string); regexp.MustCompile("asked for").MatchString(text) {
		t.Errorf("a search for “low” shows %q", text)
	}
	p.MustOpen(s.URL + "/ui/logs?text=low")
	p.MustSee("#lines mark", "low")
	s.MustRun("invoke", "shop", "-d", `{"item": "tea"}`)
	p.MustSee("main", "2 lines")
	p.MustEval("document.querySelector('#lines a').click()")
	p.MustSee("#invocation ol li", "stock is low")

	// By level, and by the time that a bar of the histogram stands for.
	p.MustOpen(s.URL + "/ui/logs?level=warn")
	p.MustSee("#lines", "stock is low")
	p.MustSee("main", "2 lines")
	if text := p.MustEval("document.querySelector('#lines').innerText").(string); strings.Contains(text, "priced") {
		t.Errorf("warnings show %q", text)
	}
	p.MustSee("[role=slider]", "")
	p.MustEval("document.querySelector('[role=slider]').focus()")
	p.MustPress("ArrowLeft")
	p.MustPress("Enter")
	p.MustSee("main", "Back to the last hour")
	if q, _ := p.MustEval("location.search").(string); !regexp.MustCompile(`level=warn.*from=\d+&to=\d+`).MatchString(q) {
		t.Errorf("a bar narrows the address to %q", q)
	}

	p.MustOpen(s.URL + "/ui/logs?stream=stderr")
	p.MustSee("#lines", "stock is low")
	p.MustShow(360, 740, "light")
	p.Shoot("logs-narrow")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		t.Errorf("at 360 px the logs are %v wide", wide)
	}
	p.CheckClean(s.URL)
}

// What fails alike is one line, however often; it leads to the calls behind it.
func Test16Errors(t *testing.T) {
	needsDashboard(t)
	b := MustBrowse(t)
	s := MustServe(t, t.TempDir())
	p := s.signedIn(b)

	p.MustOpen(s.URL + "/ui/errors")
	p.MustSee("#empty", "Nothing failed")
	p.CheckAccessible("no errors")

	s.MustDeploy("shop", callsCode)
	for _, item := range []string{"tea", "cake", "pie", "cake"} {
		s.Run("invoke", "shop", "-d", fmt.Sprintf(`{"item": %q}`, item))
	}
	s.Run("invoke", "shop", "-d", `{}`) // from another place
	p.MustSee("#errors", "orders.py:4 in price")
	p.MustSee("#errors", "main.py:5 in handler")
	p.MustSee("#errors [data-group]", "3\ncalls")
	if n := p.MustEval("document.querySelectorAll('#errors [data-group]').length"); n != 2.0 {
		t.Errorf("two kinds of error make %v groups", n)
	}
	p.CheckAccessible("the errors")
	p.Shoot("errors-dark")
	p.MustShow(1280, 800, "light")
	p.Shoot("errors-light")
	p.MustShow(360, 740, "light")
	p.Shoot("errors-narrow")
	if wide := p.MustEval("document.documentElement.scrollWidth"); wide != 360.0 {
		t.Errorf("at 360 px the errors are %v wide", wide)
	}
	p.MustShow(1280, 800, "light")

	// From the group to its calls, and from there to one of them.
	p.MustEval(`[...document.querySelectorAll('#errors [data-group]')].find(g => g.innerText.includes('orders.py')).querySelector('a').click()`)
	p.MustSee("#invocations", "These are all 3 calls")
	p.MustEval("history.back()")
	p.MustSee("#errors", "Latest call")
	p.MustEval(`[...document.querySelectorAll('#errors [data-group]')].find(g => g.innerText.includes('orders.py')).querySelector('a[href*="/invocations/"]').click()`)
	p.MustSee("#invocation h3", "KeyError: 'cake'")
	p.MustEval("document.querySelector('#invocation a[href*=fingerprint]').click()")
	p.MustSee("#invocations", "These are all 3 calls")
	p.CheckClean(s.URL)
}
