package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Browser is a headless Chromium, driven by its DevTools protocol over a pair of
// pipes: documents of JSON, each ended by a zero byte.
type Browser struct {
	t   *testing.T
	to  io.WriteCloser
	cmd *exec.Cmd

	mu      sync.Mutex
	next    int
	waiting map[int]chan message
	pages   map[string]*Page // by session
	gone    chan struct{}    // closed when it says nothing any more
}

// Page is a tab with cookies of its own. It notes what a person would find in
// the developer tools.
type Page struct {
	b       *Browser
	session string

	// Under the browser's mutex.
	complaints []string // errors and warnings of the console
	requests   []string // addresses
}

type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// screenshotsEnv names a folder for pictures of what the scenarios see.
const screenshotsEnv = "HEARTH_E2E_SCREENSHOTS"

// browserLimit bounds every wait for the browser.
const browserLimit = 20 * time.Second

// MustBrowse starts a browser that ends with the test.
func MustBrowse(t *testing.T) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must run this, and there is no chromium (scripts/setup_env.sh --test installs it)")
		}
		t.Skip("there is no chromium on this machine; scripts/setup_env.sh --test installs it")
	}
	profile, err := os.MkdirTemp("", "hearth-browser-")
	if err != nil {
		t.Fatal(err)
	}
	commands, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, replies, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t, to: to, waiting: map[int]chan message{}, pages: map[string]*Page{}, gone: make(chan struct{})}
	b.cmd = exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	b.cmd.ExtraFiles = []*os.File{commands, replies} // it reads from 3 and writes to 4
	b.cmd.Env = append(os.Environ(), "HOME="+profile)
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has many children
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	replies.Close()
	go b.listen(from)
	t.Cleanup(func() {
		to.Close() // at which it ends
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
		_ = b.cmd.Wait()
		<-b.gone
		from.Close()
		_ = os.RemoveAll(profile) // its last children may still be at it
	})
	return b
}

func (b *Browser) listen(from io.Reader) {
	defer close(b.gone)
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			b.t.Errorf("the browser says %.200q: %v", line, err)
			return
		}
		b.mu.Lock()
		if m.ID != 0 {
			b.waiting[m.ID] <- m
			delete(b.waiting, m.ID)
		} else if p := b.pages[m.SessionID]; p != nil {
			p.note(m)
		}
		b.mu.Unlock()
	}
}

// note keeps what an event tells; the browser's mutex is held.
func (p *Page) note(m message) {
	var e struct {
		Type  string
		Args  json.RawMessage
		Entry struct{ Level, Text, URL string }

		ExceptionDetails json.RawMessage
		Request          struct{ URL string }
	}
	_ = json.Unmarshal(m.Params, &e)
	switch m.Method {
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			p.complaints = append(p.complaints, e.Type+": "+string(e.Args))
		}
	case "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, "exception: "+string(e.ExceptionDetails))
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.complaints = append(p.complaints, fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case "Network.requestWillBeSent":
		p.requests = append(p.requests, e.Request.URL)
	}
}

// must calls a method of the protocol and reads its result.
func (b *Browser) must(session, method string, params map[string]any, result any) {
	b.t.Helper()
	raw, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	reply := make(chan message, 1)
	b.mu.Lock()
	b.next++
	request, err := json.Marshal(message{ID: b.next, Method: method, Params: raw, SessionID: session})
	b.waiting[b.next] = reply
	b.mu.Unlock()
	if err == nil {
		_, err = b.to.Write(append(request, 0))
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), browserLimit)
	defer cancel()
	select {
	case m := <-reply:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatalf("%s: read %s: %v", method, m.Result, err)
			}
		}
	case <-b.gone:
		b.t.Fatalf("%s: the browser ended", method)
	case <-ctx.Done():
		b.t.Fatalf("%s: no answer within %s", method, browserLimit)
	}
}

// MustPage opens an empty tab that shares nothing with others.
func (b *Browser) MustPage() *Page {
	b.t.Helper()
	var own struct{ BrowserContextID, TargetID, SessionID string }
	b.must("", "Target.createBrowserContext", nil, &own)
	b.must("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": own.BrowserContextID}, &own)
	b.must("", "Target.attachToTarget", map[string]any{"targetId": own.TargetID, "flatten": true}, &own)
	p := &Page{b: b, session: own.SessionID}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.must(p.session, domain+".enable", nil, nil)
	}
	return p
}

// MustOpen goes to an address and returns when its document is there.
func (p *Page) MustOpen(url string) {
	p.b.t.Helper()
	var r struct{ ErrorText string }
	p.b.must(p.session, "Page.navigate", map[string]any{"url": url}, &r)
	if r.ErrorText != "" {
		p.b.t.Fatalf("open %s: %s", url, r.ErrorText)
	}
}

// MustEval returns the value of an expression in the page, which may be a promise.
func (p *Page) MustEval(expression string) any {
	p.b.t.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	p.b.must(p.session, "Runtime.evaluate",
		map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &r)
	if r.ExceptionDetails != nil {
		p.b.t.Fatalf("evaluate %s: %s", expression, r.ExceptionDetails)
	}
	return r.Result.Value
}

// MustSee waits until the part of the page that a selector names shows a text.
// What is hidden isn't seen.
func (p *Page) MustSee(selector, text string) {
	p.b.t.Helper()
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	seen := p.MustEval(fmt.Sprintf(`new Promise(done => {
		const look = () => [...document.querySelectorAll(%s)].some(e => e.checkVisibility() && e.innerText.includes(%s)) && done(true);
		new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
		setTimeout(() => done(false), %d);
		look();
	})`, quote(selector), quote(text), (browserLimit / 2).Milliseconds()))
	if seen != true {
		p.b.t.Fatalf("%q doesn't show %q; the page says:\n%s", selector, text, p.MustEval("document.body.innerText"))
	}
}

// MustClick clicks the first element that a selector names, once it is there.
func (p *Page) MustClick(selector string) {
	p.b.t.Helper()
	p.MustSee(selector, "")
	p.MustEval(fmt.Sprintf("document.querySelector(%q).click()", selector))
}

// MustPush clicks the first button or link that is seen and says just this, once
// it is there and can be clicked.
func (p *Page) MustPush(text string) {
	p.b.t.Helper()
	pushed := p.MustEval(fmt.Sprintf(`new Promise(done => {
		const look = () => {
			const e = [...document.querySelectorAll('button, a, [role=menuitem], [role=tab], [role=option]')]
				.find(e => e.checkVisibility() && e.innerText.trim() === %q && !e.disabled);
			if (e) { watch.disconnect(); e.click(); done(true); }
		};
		const watch = new MutationObserver(look);
		watch.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
		setTimeout(() => { watch.disconnect(); done(false); }, %d);
		look();
	})`, text, (browserLimit / 2).Milliseconds()))
	if pushed != true {
		p.b.t.Fatalf("there is no %q to push; the page says:\n%s", text, p.MustEval("document.body.innerText"))
	}
}

// MustType types into the first element that a selector names, once it is there,
// key by key as far as the page can tell, after what it holds. "\n" is Enter.
func (p *Page) MustType(selector, text string) {
	p.b.t.Helper()
	p.MustSee(selector, "")
	p.MustEval(fmt.Sprintf("document.querySelector(%q).focus()", selector))
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			p.MustPress("Enter")
		}
		if line != "" {
			p.b.must(p.session, "Input.insertText", map[string]any{"text": line}, nil)
		}
	}
}

// MustPress presses a key, as in "Enter", "Escape", "j" or "Control+s".
func (p *Page) MustPress(keys string) {
	p.b.t.Helper()
	key, modifiers := keys, 0
	for name, bit := range map[string]int{"Alt": 1, "Control": 2, "Shift": 8} {
		if rest, ok := strings.CutPrefix(key, name+"+"); ok {
			key, modifiers = rest, modifiers|bit
		}
	}
	event := map[string]any{"key": key, "modifiers": modifiers}
	if code := map[string]int{"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38, "Backspace": 8}[key]; code != 0 {
		event["windowsVirtualKeyCode"], event["code"] = code, key
	} else if len(key) == 1 {
		event["windowsVirtualKeyCode"], event["code"] = int(strings.ToUpper(key)[0]), "Key"+strings.ToUpper(key)
	}
	down := maps.Clone(event)
	down["type"] = "rawKeyDown"
	if modifiers&^8 == 0 {
		if text := map[string]string{"Enter": "\r"}[key]; text != "" {
			down["type"], down["text"] = "keyDown", text
		} else if len(key) == 1 {
			down["type"], down["text"] = "keyDown", key
		}
	}
	p.b.must(p.session, "Input.dispatchKeyEvent", down, nil)
	event["type"] = "keyUp"
	p.b.must(p.session, "Input.dispatchKeyEvent", event, nil)
}

// MustShow sets the size of the window and the colours that the system prefers.
func (p *Page) MustShow(width, height int, scheme string) {
	p.b.t.Helper()
	p.b.must(p.session, "Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	p.b.must(p.session, "Emulation.setEmulatedMedia",
		map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	p.settle()
}

// settle waits until nothing moves any more but what never ends.
func (p *Page) settle() {
	p.b.t.Helper()
	p.MustEval(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => Promise.allSettled(
		document.getAnimations().filter(a => a.effect.getComputedTiming().endTime !== Infinity).map(a => a.finished)))`)
}

// Shoot writes a picture of the page into the folder that screenshotsEnv names;
// without it, there is nothing to do.
func (p *Page) Shoot(name string) {
	p.b.t.Helper()
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		return
	}
	p.settle()
	var r struct{ Data []byte }
	p.b.must(p.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &r)
	if err := os.WriteFile(filepath.Join(dir, name+".png"), r.Data, 0o644); err != nil {
		p.b.t.Error(err)
	}
}

// CheckAccessible fails the test for what axe finds that keeps people out, in
// the light and in the dark.
func (p *Page) CheckAccessible(what string) {
	p.b.t.Helper()
	axe, err := os.ReadFile("../web/node_modules/axe-core/axe.min.js")
	if err != nil {
		if os.Getenv("CI") != "" {
			p.b.t.Fatalf("CI must run this: %v", err)
		}
		p.b.t.Logf("%s isn't looked at by axe: scripts/web.sh check installs it", what)
		return
	}
	p.MustEval("window.axe ? 0 : (0, " + "() => {" + string(axe) + "\n})() || 0")
	for _, scheme := range []string{"light", "dark"} {
		p.b.must(p.session, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
			{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
		}}, nil)
		found, _ := p.MustEval(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
			.then(() => axe.run(document, {resultTypes: ['violations']}))
			.then(r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
				.map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join('; ')).join('\n'))`).(string)
		if found != "" {
			p.b.t.Errorf("%s in the %s: %s", what, scheme, found)
		}
	}
}

// CheckClean fails the test for complaints in the console, and for requests to
// others than the server at this address. Browsers complain of each answer with
// an error's status: those to addresses that hold one of the parts were meant.
func (p *Page) CheckClean(own string, failing ...string) {
	p.b.t.Helper()
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	for _, c := range p.complaints {
		meant := func(part string) bool {
			return strings.Contains(c, "Failed to load resource") && strings.Contains(c, part)
		}
		if !slices.ContainsFunc(failing, meant) {
			p.b.t.Errorf("the console shows %s", c)
		}
	}
	for _, r := range p.requests {
		if !strings.HasPrefix(r, own+"/") && !strings.HasPrefix(r, "data:") && !strings.HasPrefix(r, "blob:"+own+"/") {
			p.b.t.Errorf("the page asks for %s", r)
		}
	}
	if len(p.requests) == 0 {
		p.b.t.Error("the page asked for nothing: its requests aren't seen")
	}
}
