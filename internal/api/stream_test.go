package api_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/server"
	"hearth/internal/server/servertest"
)

// follow yields the events of a stream one by one, after its first hello. A
// stream that says nothing for a minute fails the test.
func follow(t *testing.T, c *client.Client, q client.StreamQuery) (hello rest.StreamHello, next func() client.StreamEvent, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events, done := make(chan client.StreamEvent), make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range c.Stream(ctx, q) {
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
	}()
	end = func() { cancel(); <-done }
	t.Cleanup(end)
	next = func() client.StreamEvent {
		t.Helper()
		select {
		case e := <-events:
			return e
		case <-done:
			t.Fatal("the stream ended")
		case <-time.After(time.Minute): // for a host under load
			t.Fatal("nothing came")
		}
		return client.StreamEvent{}
	}
	first := next()
	if first.Kind != rest.EventHello || first.Hello == nil {
		t.Fatalf("the first event is %+v", first)
	}
	return *first.Hello, next, end
}

// until skips events of other kinds.
func until(next func() client.StreamEvent, kind string) client.StreamEvent {
	for {
		if e := next(); e.Kind == kind {
			return e
		}
	}
}

func TestOneStreamTellsOfAll(t *testing.T) {
	e := servertest.Start(t)
	hello, next, _ := follow(t, e.Admin, client.StreamQuery{Topics: []string{"invocations", "logs:a", "changes", "metrics:a", "sandboxes"}})
	if hello.Resumed || hello.Version != "test" || hello.Instance == "" || time.Since(hello.ServerTime) > time.Minute {
		t.Errorf("hello: %+v", hello)
	}
	e.Deploy("a", rest.DeployConfig{})
	e.Deploy("b", rest.DeployConfig{})
	e.Do("POST", "/fn/b/", `{"log":"not this"}`, servertest.Auth(e.Key))
	a := e.Do("POST", "/fn/a/", `{"log":"this","fail":"ValueError: no"}`, servertest.Auth(e.Key))
	seen := map[string]bool{}
	for len(seen) < 5 {
		ev := next()
		switch ev.Kind {
		case rest.EventLog:
			if ev.Log.Function != "a" {
				t.Errorf("a line of %s", ev.Log.Function)
			}
			seen[ev.Kind] = seen[ev.Kind] || ev.Log.Text == "this"
		case rest.EventInvocation:
			i := ev.Invocation
			seen[ev.Kind] = seen[ev.Kind] || (i.ID == a.Header.Get(rest.HeaderInvocation) && i.Outcome == hearth.OutcomeError && i.Error.Type == "ValueError")
		case rest.EventChange:
			seen[ev.Kind] = seen[ev.Kind] || (ev.Change.Function == "b" && ev.Change.Kind == rest.EventDeployed)
		case rest.EventMetrics:
			m := ev.Metrics
			if m.Step != 1 || m.At == 0 || len(m.Series) > 1 {
				t.Errorf("metrics: %+v", m)
			}
			for _, s := range m.Series {
				seen[ev.Kind] = seen[ev.Kind] || (s.Function == "a" && s.Requests == 1 && s.Errors == 1 && s.Outcomes[hearth.OutcomeError] == 1 && s.P50 != nil)
			}
		case rest.EventSandboxStates:
			for _, b := range ev.Sandboxes.Items {
				seen[ev.Kind] = seen[ev.Kind] || b.Function == "b"
			}
			if len(ev.Sandboxes.Pools) == 0 {
				t.Errorf("no pools in %+v", ev.Sandboxes)
			}
		default:
			t.Errorf("got %+v", ev)
		}
	}
}

func TestMetricsOfTheWholeServerComeEverySecond(t *testing.T) {
	e := servertest.Start(t)
	_, next, _ := follow(t, e.Admin, client.StreamQuery{Topics: []string{"metrics"}})
	first, second := next().Metrics, next().Metrics
	if second.At <= first.At || len(first.Series) != 1 || first.Series[0].Function != "" || first.Series[0].P99 != nil {
		t.Errorf("got %+v and %+v", first, second)
	}
	if h := second.Host; h == nil || h.CPU == nil || h.Memory <= 0 || h.MemoryTotal < h.Memory {
		t.Errorf("the host is %+v", second.Host)
	}
}

func TestAStreamGoesOnBehindTheLastEvent(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	say := func(text string) { e.Do("POST", "/fn/a/", `{"log":"`+text+`"}`, servertest.Auth(e.Key)) }
	topics := client.StreamQuery{Topics: []string{"logs:a", "invocations:a", "changes"}}
	_, next, end := follow(t, e.Admin, topics)
	say("one")
	var last string
	for n := range 2 { // the line and the call, in any order
		ev := next()
		last = ev.ID
		if ev.Kind != rest.EventLog && ev.Kind != rest.EventInvocation {
			t.Fatalf("event %d is %+v", n, ev)
		}
	}
	end()
	say("two")
	if _, err := e.Admin.UpdateFunction(t.Context(), "a", rest.FunctionUpdate{Public: ptr(true)}, 0); err != nil {
		t.Fatal(err)
	}
	topics.After = last
	hello, next, _ := follow(t, e.Admin, topics)
	if !hello.Resumed {
		t.Error("not resumed")
	}
	say("three")
	var lines, calls, changes []string
	for len(lines) < 2 || len(calls) < 2 || len(changes) < 1 {
		switch ev := next(); ev.Kind {
		case rest.EventLog:
			lines = append(lines, ev.Log.Text)
		case rest.EventInvocation:
			calls = append(calls, ev.Invocation.ID)
		case rest.EventChange:
			changes = append(changes, ev.Change.Kind)
		}
	}
	if fmt.Sprint(lines) != "[two three]" || calls[0] == calls[1] || changes[0] != rest.EventUpdated {
		t.Errorf("got %v, %v, %v", lines, calls, changes)
	}
}

func TestTheStreamRefusesWhatItDoesNotKnow(t *testing.T) {
	e := servertest.Start(t)
	for path, field := range map[string]string{
		"/api/v1/stream": "topic", "/api/v1/stream?topic=news": "topic", "/api/v1/stream?topic=logs:A": "topic",
		"/api/v1/stream?topic=logs&after=17": "Last-Event-ID",
	} {
		a := e.Do("GET", path, "", servertest.Auth(e.Key))
		if p := mustProblem(t, a); a.StatusCode != 422 || p.Field != field || p.Hint == "" {
			t.Errorf("%s: %d %+v", path, a.StatusCode, p)
		}
	}
	if a := e.Do("GET", "/api/v1/stream?topic=logs", ""); a.StatusCode != 401 {
		t.Errorf("a stranger: %s", a.Status)
	}
	hello, _, _ := follow(t, e.Admin, client.StreamQuery{Topics: []string{"logs"}, After: "abcdefgh-12"})
	if hello.Resumed {
		t.Error("an id of another process was taken up")
	}
}

func TestAStreamEndsWithItsKey(t *testing.T) {
	e := servertest.Start(t, func(_ *config.Config, o *server.Options) { o.Heartbeat = 20 * time.Millisecond })
	viewer, key := e.User("ada", hearth.RoleViewer)
	next, _ := events(t, e, "/api/v1/stream?topic=changes", "Authorization: Bearer "+key)
	if ev := next(); ev["event"] != "hello" {
		t.Fatalf("got %v", ev)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", e.URL()+"/api/v1/stream?topic=changes", nil)
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := e.Admin.DeleteUser(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if b, err := readAll(resp); err != nil || !strings.Contains(b, "event: hello") {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := viewer.WhoAmI(t.Context()); hearth.ErrorCode(err) != hearth.CodeUnauthenticated {
		t.Errorf("got %v", err)
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	e := servertest.Start(t)
	const many = 20
	var wg sync.WaitGroup
	hellos := make(chan struct{}, many)
	for range many {
		wg.Go(func() {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", e.URL()+"/api/v1/stream?topic=logs&topic=metrics&topic=sandboxes", nil)
			req.Header.Set("Authorization", "Bearer "+e.Key)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			hellos <- struct{}{}
			if _, err := readAll(resp); err != nil {
				t.Errorf("the stream was broken off: %v", err)
			}
		})
	}
	for range many {
		<-hellos
	}
	e.Stop()
	wg.Wait()
	if err := e.Wait(); err != nil {
		t.Error(err)
	}
}

func TestStreamsLeaveNoGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	var ends []func()
	for range 10 {
		_, next, end := follow(t, e.Admin, client.StreamQuery{Topics: []string{"logs", "invocations", "changes", "sandboxes"}})
		e.Do("POST", "/fn/a/", `{"log":"x"}`, servertest.Auth(e.Key))
		until(next, rest.EventInvocation)
		ends = append(ends, end)
	}
	for _, end := range ends[:5] { // the others stay until the server ends
		end()
	}
	e.End()
	for _, end := range ends[5:] {
		end()
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	goleak.VerifyNone(t, before)
}

// A reader that doesn't read must not hold up others, nor calls; once it reads
// again it is told what it has lost.
func TestASlowStreamLosesAndTheOthersDoNot(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /api/v1/stream?topic=logs:a HTTP/1.0\r\nAuthorization: Bearer %s\r\n\r\n", e.Key)
	_, next, _ := follow(t, e.Admin, client.StreamQuery{Topics: []string{"logs:a"}})

	lines := make([]string, 100)
	for n := range lines {
		lines[n] = fmt.Sprintf("%q", strings.Repeat("x", 8000))
	}
	event := `{"log":[` + strings.Join(lines, ",") + `]}`
	quick, slow := 0, 0
	take := func() {
		ev := next()
		if ev.Kind != rest.EventLog {
			t.Fatalf("the reader that reads got %+v", ev)
		}
		quick++
	}
	for range 40 { // 32 MB, more than the hub and the kernel's buffers hold
		e.Do("POST", "/fn/a/", event, servertest.Auth(e.Key))
		for range lines {
			take()
		}
	}
	e.Do("POST", "/fn/a/", `{"log":"the end"}`, servertest.Auth(e.Key))
	take()
	var lost int
	for sc := newScanner(conn); sc.Scan(); {
		line := sc.Text()
		switch {
		case strings.HasPrefix(line, `data: {"topic":"logs"`):
			var n int
			if _, err := fmt.Sscanf(line, `data: {"topic":"logs","count":%d}`, &n); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			lost += n
		case strings.HasPrefix(line, `data: {"seq"`):
			slow++
		}
		if strings.Contains(line, `"the end"`) {
			break
		}
	}
	if lost == 0 || slow+lost != quick {
		t.Errorf("the slow reader got %d and was told that it lost %d, of %d", slow, lost, quick)
	}
}

func TestInvocationsAreFilteredAndSorted(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	ids := map[string]string{}
	for name, event := range map[string]string{"ok": "1", "error": `{"fail":"ValueError: bad größe 17"}`, "slow": `{"sleep":"120ms"}`} {
		a := e.Do("POST", "/fn/a/", event, servertest.Auth(e.Key))
		ids[a.Header.Get(rest.HeaderInvocation)] = name
	}
	reply, err := e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	ids[reply.Invocation] = "api"
	reply.Body.Close()
	for name, c := range map[string]struct {
		q    client.InvocationsQuery
		want string
	}{
		"failed":      {client.InvocationsQuery{Outcomes: []hearth.Outcome{rest.OutcomeFailed}}, "error"},
		"two":         {client.InvocationsQuery{Outcomes: []hearth.Outcome{rest.OutcomeFailed, hearth.OutcomeOK}, Function: "a", Sort: "oldest"}, "4 of them"},
		"trigger":     {client.InvocationsQuery{Trigger: hearth.TriggerAPI}, "api"},
		"text":        {client.InvocationsQuery{Text: "GRÖSSE"}, ""},
		"folded text": {client.InvocationsQuery{Text: "BAD GRÖßE"}, "error"},
		"long":        {client.InvocationsQuery{MinDuration: 100 * time.Millisecond}, "slow"},
		"none":        {client.InvocationsQuery{MinDuration: time.Hour}, ""},
		"nobody":      {client.InvocationsQuery{Fingerprint: "x"}, ""},
		"restored":    {client.InvocationsQuery{Starts: []hearth.Start{hearth.StartRestored}}, ""},
	} {
		l, err := e.Admin.Invocations(t.Context(), c.q, client.Page{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, i := range l.Items {
			got = append(got, ids[i.ID])
		}
		if s := strings.Join(got, ","); s != c.want && (c.want != "4 of them" || len(got) != 4) {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
	l, err := e.Admin.Invocations(t.Context(), client.InvocationsQuery{Sort: "slowest"}, client.Page{Limit: 1})
	if err != nil || len(l.Items) != 1 || ids[l.Items[0].ID] != "slow" || l.Next == "" {
		t.Errorf("slowest: %+v, %v", l, err)
	}
	cold, err := e.Admin.Invocations(t.Context(), client.InvocationsQuery{Starts: []hearth.Start{rest.StartCold}}, client.Page{})
	if err != nil || len(cold.Items) == 0 || len(cold.Items) == 4 {
		t.Errorf("cold: %+v, %v", cold, err)
	}
	id := l.Items[0].ID
	one, err := e.Admin.Invocations(t.Context(), client.InvocationsQuery{ID: strings.ToLower(id)}, client.Page{})
	if err != nil || len(one.Items) != 1 {
		t.Errorf("by id: %+v, %v", one, err)
	}
	if one.Items[0].MemoryLimit != 128<<20 {
		t.Errorf("memory limit is %d", one.Items[0].MemoryLimit)
	}
	for path, field := range map[string]string{
		"outcome=bad": "outcome", "sort=prettiest": "sort", "min_duration=soon": "min_duration", "max_duration=-3s": "max_duration", "start=x": "start",
	} {
		a := e.Do("GET", "/api/v1/invocations?"+path, "", servertest.Auth(e.Key))
		if p := mustProblem(t, a); a.StatusCode != 422 || !strings.HasPrefix(p.Field, field) {
			t.Errorf("%s: %d %+v", path, a.StatusCode, p)
		}
	}
}
