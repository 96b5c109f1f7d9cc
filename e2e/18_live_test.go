package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/client"
	"hearth/client/rest"
)

// proxy passes connections on to an address that may change, until it is cut.
type proxy struct {
	l  net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	to    string // "" refuses
	conns map[net.Conn]bool
}

func mustProxy(t *testing.T, url string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, conns: map[net.Conn]bool{}}
	p.point(url)
	p.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.pass(in) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.point("")
		p.wg.Wait()
	})
	return p
}

// point cuts all connections; new ones go to url, or nowhere.
func (p *proxy) point(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = strings.TrimPrefix(url, "http://")
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) pass(in net.Conn) {
	defer in.Close()
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	if to == "" {
		return
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	p.conns[in], p.conns[out] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, in)
		delete(p.conns, out)
		p.mu.Unlock()
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, in)
		out.Close()
	}()
	_, _ = io.Copy(in, out)
	in.Close()
	<-done
}

// A stream that is cut goes on where it was; one whose server was killed begins
// anew and says so. Nothing comes twice.
func Test18AStreamSurvives(t *testing.T) {
	needsRoot(t)
	data := t.TempDir()
	s := MustServe(t, data)
	s.MustDeploy("say", map[string]string{"main.py": "def handler(event, context):\n    print(event['queryStringParameters']['text'])\n    return 1\n"}, "--public")
	p := mustProxy(t, s.URL)
	c, err := client.New("http://"+p.l.Addr().String(), s.Key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan client.StreamEvent, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for e, err := range c.Stream(ctx, client.StreamQuery{Topics: []string{"logs:say", "invocations:say", "metrics"}}) {
			if err != nil {
				t.Error(err)
				return
			}
			events <- e
		}
	})
	defer wg.Wait()
	defer cancel()
	var lines, calls, hellos []string
	next := func() {
		t.Helper()
		select {
		case e := <-events:
			switch e.Kind {
			case rest.EventHello:
				hellos = append(hellos, fmt.Sprint(e.Hello.Resumed))
			case rest.EventLog:
				lines = append(lines, e.Log.Text)
			case rest.EventInvocation:
				calls = append(calls, e.Invocation.ID)
			case rest.EventLost:
				t.Errorf("lost %+v", e.Lost)
			}
		case <-time.After(startLimit):
			t.Fatalf("nothing more came after hellos %v, lines %v, %d calls", hellos, lines, len(calls))
		}
	}
	until := func(n int) {
		t.Helper()
		for len(lines) < n || len(calls) < n {
			next()
		}
	}
	say := func(text string) {
		t.Helper()
		if r := s.MustCall("GET", "/fn/say?text="+text, ""); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	next() // the hello: what comes from now on is told
	say("one")
	until(1)
	p.point("")
	say("two")
	say("three")
	p.point(s.URL)
	until(3)

	p.point("")
	s.Kill()
	s = MustServe(t, data)
	p.point(s.URL)
	for len(hellos) < 3 {
		next()
	}
	say("four")
	until(4)
	if fmt.Sprint(lines) != "[one two three four]" || fmt.Sprint(hellos) != "[false true false]" {
		t.Errorf("lines %v, hellos %v", lines, hellos)
	}
	seen := map[string]bool{}
	for _, id := range calls {
		if seen[id] {
			t.Errorf("%s came twice", id)
		}
		seen[id] = true
	}
	s.Stop()
}

// Failures of real languages are told apart by where they come from, not by what
// they say, across deploys; what they were asked is kept and can be tried again.
func Test18FailuresOfBothLanguages(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	python := func(above string) map[string]string {
		return map[string]string{
			"main.py":        above + "from shop.orders import find\n\ndef handler(event, context):\n    try:\n        return find(event['id'])\n    except KeyError as e:\n        raise LookupError(f\"no order {event['id']}\") from e\n",
			"shop/orders.py": "orders = {}\n\ndef find(id):\n    return orders[id]\n",
		}
	}
	node := map[string]string{
		"index.mjs": "import { find } from './orders.mjs'\nexport const handler = async (event) => find(event.id)\n",
		"orders.mjs": "export function find(id) {\n  if (typeof id !== 'number') throw new TypeError(`an order's id can't be ${id}`)\n" +
			"  throw new Error(`no order ${id}`)\n}\n",
	}
	s.MustDeploy("py", python(""))
	s.MustDeploy("js", node)
	fail := func(name, event string) {
		t.Helper()
		if r := s.Run("invoke", name, "-d", event); r.Code != 1 {
			t.Fatalf("%s: exit code %d, %s%s", name, r.Code, r.Out, r.Err)
		}
	}
	fail("py", `{"id":"a17"}`)
	fail("js", `{"id":1,"password":"hunter2"}`)
	fail("js", `{"id":2}`)
	fail("js", `{"id":"x9"}`)
	s.MustDeploy("py", python("\n\n\n")) // the lines have moved
	fail("py", `{"id":"b18"}`)

	var groups []rest.ErrorGroup
	if err := json.Unmarshal([]byte(s.MustRun("errors", "-o", "json")), &groups); err != nil {
		t.Fatal(err)
	}
	got := map[string]rest.ErrorGroup{}
	for _, g := range groups {
		got[g.Function+" "+g.Type] = g
	}
	for what, want := range map[string]struct {
		frame       string
		count       int64
		first, last int
	}{
		"py LookupError": {"main.py:10 in handler", 2, 1, 2},
		"js Error":       {"orders.mjs:3 in find", 2, 1, 1},
		"js TypeError":   {"orders.mjs:2 in find", 1, 1, 1},
	} {
		g := got[what]
		if g.Frame != want.frame || g.Count != want.count || g.FirstVersion != want.first || g.LastVersion != want.last {
			t.Errorf("%s: %+v", what, g)
		}
	}
	if len(groups) != 3 {
		t.Errorf("%d groups: %+v", len(groups), groups)
	}
	id := got["js Error"].Samples[1]
	shown := s.MustRun("invocations", "get", id)
	for _, want := range []string{"no order 1", "orders.mjs:3", `"password":"[redacted]"`, "handler"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "hunter2") {
		t.Errorf("the secret is in\n%s", shown)
	}
	if r := s.Run("replay", id); r.Code != 2 || !strings.Contains(r.Err, "--force") {
		t.Errorf("without its secret: %d, %s", r.Code, r.Err)
	}
	if r := s.Run("replay", "--force", id); r.Code != 1 || !strings.Contains(r.Err, "no order 1") {
		t.Errorf("forced: %d, %s", r.Code, r.Err)
	}
	s.Stop()
}
