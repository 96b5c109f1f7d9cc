package cli

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestMetricsOfOneFunction(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	s.must("invoke", "hello", "-d", `{"cpu":"250ms","memory":1048576}`)
	s.run("invoke", "hello", "-d", `{"fail":"ValueError: no"}`)
	out := s.must("metrics", "hello", "-o", "table")
	wants(t, out, "CALLS OVER TIME", "█", "calls", "errors", "p99", "outcomes  function_error 1, ok 1", "starts", "deploys", "version 1 deployed by admin")
	if out := s.must("metrics", "hello"); strings.ContainsAny(out, "█▁") {
		t.Errorf("programs get a drawing: %s", out)
	}
	m := mustJSON[rest.Metrics](t, s.must("metrics", "hello", "-o", "json"))
	if len(m.Functions) != 1 {
		t.Fatalf("there are %+v", m)
	}
	f := m.Functions[0]
	if f.Invocations != 2 || f.Errors != 1 || f.Outcomes[hearth.OutcomeOK] != 1 || f.P99 <= 0 || f.Window <= 0 || f.Rate <= 0 || len(f.Starts) == 0 {
		t.Errorf("the sum is %+v", f)
	}
	d := mustJSON[rest.MetricData](t, s.must("metrics", "hello", "--since", "10m", "--step", "1m", "-o", "json"))
	if d.Step != "1m0s" || len(d.At) < 10 || len(d.Series) != 1 || sum(d.Series[0].Requests) != 2 {
		t.Errorf("the course is %+v", d)
	}
	for _, args := range [][]string{{"metrics", "helo"}, {"metrics", "--since", "soon"}, {"metrics", "--since", "5m", "--until", "10m"}} {
		if r := s.run(args...); r.code != ExitUsage {
			t.Errorf("%v: exit code %d, %s", args, r.code, r.err)
		}
	}
}

func TestDeploysTellTheHistory(t *testing.T) {
	e := servertest.Start(t)
	s := newShell(t, e)
	dir := mustWrite(t, map[string]string{"main.py": "# fake"})
	s.must("deploy", dir, "-m", "First light")
	s.must("deploy", dir, "--message", "Brighter")
	s.must("rollback", "hello", "-m", "Too bright")
	out := s.must("deploys", "hello", "-o", "table")
	wants(t, out, "hello@2", "First light", "activated", "Too bright", "admin", "@2")
	ds := mustJSON[[]hearth.Deploy](t, s.must("deploys", "-o", "json"))
	if len(ds) != 3 || ds[0].Message != "Too bright" || ds[0].FromVersion != 2 || ds[2].Message != "First light" {
		t.Errorf("the history is %+v", ds)
	}
	wants(t, s.must("versions", "hello"), "First light")
	if out := s.must("deploys", "hello", "--until", "1h", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("before it was deployed there is %s", out)
	}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"deploys", "helo"}, "did you mean hello?"},
		{[]string{"deploy", dir, "-m", "512"}, "--memory 512"},
		{[]string{"rollback", "hello", "-m", strings.Repeat("m", 201)}, "201 characters"},
	} {
		if r := s.run(tt.args...); r.code != ExitUsage || !strings.Contains(r.err, tt.says) {
			t.Errorf("%v: exit code %d, %s", tt.args[:2], r.code, r.err)
		}
	}
}

func TestCallsAreFiltered(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	s.must("invoke", "hello", "-d", "1")
	s.must("invoke", "hello", "-d", `{"sleep":"30ms"}`)
	s.run("invoke", "hello", "-d", `{"fail":"ValueError: no oil"}`)
	for _, tt := range []struct {
		args string
		want int
	}{
		{"", 3}, {"--failed", 1}, {"--outcome ok", 2}, {"--outcome ok --outcome function_error", 3}, {"--outcome ok,timeout", 2},
		{"--slower 30ms", 1}, {"--min-duration 30ms", 1}, {"--max-duration 25ms --outcome ok", 1}, {"--text OIL", 1}, {"--outcome failed", 1}, {"--cold", 1},
		{"--fingerprint 0123456789abcdef", 0}, {"--faster 25ms --outcome ok", 1}, {"--grep OIL", 1}, {"--grep water", 0}, {"--start warm --outcome throttled", 0},
		{"--until 1h", 0}, {"--since 1h", 3}, {"-n 2", 2},
	} {
		is := mustJSON[[]hearth.Invocation](t, s.must(append([]string{"invocations", "hello", "-o", "json"}, strings.Fields(tt.args)...)...))
		if len(is) != tt.want {
			t.Errorf("%s: %d calls, want %d", tt.args, len(is), tt.want)
		}
	}
	slowest := mustJSON[[]hearth.Invocation](t, s.must("invocations", "--sort", "slowest", "-o", "json"))
	if len(slowest) != 3 || slowest[0].Duration < slowest[1].Duration {
		t.Errorf("sorted are %+v", slowest)
	}
	if again := mustJSON[[]hearth.Invocation](t, s.must("invocations", "--slowest", "-o", "json")); len(again) != 3 || again[0].ID != slowest[0].ID {
		t.Errorf("the slowest are %+v", again)
	}
	if r := s.run("invocations", "--sort", "cost", "--slowest"); r.code != ExitUsage {
		t.Errorf("two orders: exit code %d, %s", r.code, r.err)
	}
	if r := s.run("invocations", "--sort", "colour"); r.code != ExitUsage {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

// What a function writes while the tail connects is shown, too, and none of it
// twice.
func TestFollowingLogsMissesNothing(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	s.must("invoke", "hello", "-d", `{"log":"line 0"}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	s.out = w
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.runContext(ctx, "logs", "-f", "hello", "-o", "json")
	}()
	go func() { // all the while that it connects
		for n := 1; n <= 20; n++ {
			if _, err := call(ctx, e, `{"log":"line `+string(rune('0'+n%10))+`"}`); err != nil {
				return
			}
		}
	}()
	lines := json.NewDecoder(r)
	var last int64
	for n := range 21 {
		var l hearth.LogLine
		if err := lines.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if want := "line " + string(rune('0'+n%10)); l.Text != want || l.Seq <= last {
			t.Fatalf("line %d after %d is %+v, want %s", n, last, l, want)
		}
		last = l.Seq
	}
	cancel()
	<-done
	if r := s.run("logs", "-f", "--until", "5m"); r.code != ExitUsage {
		t.Errorf("a tail with an end: exit code %d", r.code)
	}
}

func call(ctx context.Context, e *servertest.Env, event string) (string, error) {
	r, err := e.Admin.Invoke(ctx, client.InvokeRequest{Name: "hello", Body: strings.NewReader(event)})
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

func TestLevelsHaveColours(t *testing.T) {
	for _, tt := range []struct {
		line hearth.LogLine
		want string // the escape before the text
	}{
		{hearth.LogLine{Level: "ERROR", Text: "text"}, "\x1b[1;31mtext"},
		{hearth.LogLine{Level: "critical", Text: "text"}, "\x1b[1;31mtext"},
		{hearth.LogLine{Level: "WARNING", Text: "text"}, "\x1b[33mtext"},
		{hearth.LogLine{Stream: "platform", Text: "text"}, "\x1b[33mtext"},
		{hearth.LogLine{Level: "DEBUG", Text: "text"}, "\x1b[2mtext"},
		{hearth.LogLine{Level: "INFO", Text: "text"}, " text"},
		{hearth.LogLine{Level: "ERROR", Text: "\x1b[2J"}, `\x1b[2J`},
	} {
		var b strings.Builder
		tt.line.At = time.Now()
		printLine(&printer{w: &b, color: true, form: formatTable}, tt.line, false)
		if !strings.Contains(b.String(), tt.want) {
			t.Errorf("%+v is shown as %q", tt.line, b.String())
		}
		b.Reset()
		printLine(&printer{w: &b, form: formatPlain}, tt.line, true)
		if strings.Contains(b.String(), "\x1b") {
			t.Errorf("without colours it is %q", b.String())
		}
	}
}

// Programs get a line of JSON each time, until they have enough.
func TestTopForPrograms(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	s.must("invoke", "hello", "-d", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	s.out = w
	done := make(chan result, 1)
	go func() { done <- s.runContext(ctx, "top", "-o", "json", "--every", "100ms") }()
	lines := json.NewDecoder(r)
	for range 3 {
		var v topState
		if err := lines.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if len(v.Metrics.Functions) != 1 || v.Metrics.Functions[0].Invocations != 1 || len(v.Sandboxes) == 0 || v.At.IsZero() {
			t.Errorf("it tells %+v", v)
		}
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if res := <-done; res.code != ExitOK && res.code != ExitInterrupted {
		t.Errorf("the end has exit code %d: %s", res.code, res.err)
	}
	s.out = nil
	if n := strings.Count(s.must("top", "--once", "-o", "json"), "\n"); n != 1 {
		t.Errorf("once are %d lines", n)
	}
	for _, args := range [][]string{{"--sort", "colour"}, {"--every", "1ms"}} {
		if r := s.run(append([]string{"top"}, args...)...); r.code != ExitUsage {
			t.Errorf("%v: exit code %d", args, r.code)
		}
	}
	wants(t, s.must("top"), "FUNCTION", "SANDBOX", "hello") // not a terminal: once
}

func TestErrorsAreShownInGroups(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	if out := s.must("errors", "-o", "table"); !strings.Contains(out, "nothing failed") {
		t.Errorf("without any: %s", out)
	}
	for _, event := range []string{`{"fail":"ValueError: no oil for 17"}`, `{"fail":"ValueError: no oil for 18"}`, `{"exit":3}`} {
		s.run("invoke", "hello", "-d", event)
	}
	for _, form := range []string{"table", "plain"} {
		wants(t, s.must("errors", "hello", "-o", form), "COUNT", "2 ", "ValueError: no oil for 18", "crashed: ", "hello", "@1", "█")
	}
	gs := mustJSON[[]rest.ErrorGroup](t, s.must("errors", "-o", "json"))
	if len(gs) != 2 {
		t.Fatalf("groups are %+v", gs)
	}
	for _, g := range gs {
		is := mustJSON[[]hearth.Invocation](t, s.must("invocations", "--fingerprint", g.Fingerprint, "-o", "json"))
		if int64(len(is)) != g.Count {
			t.Errorf("%d calls of %+v", len(is), g)
		}
	}
	if r := s.run("errors", "helo"); r.code != ExitUsage || !strings.Contains(r.err, "did you mean hello?") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
}

func TestKeptCallsCanBeMade(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	for _, ev := range []hearth.TestEvent{
		{Name: "plain", Kind: hearth.TestEventJSON, Body: `{"echo":"json"}`},
		{Name: "over HTTP", Kind: hearth.TestEventHTTP, Method: "POST", Path: "/a?b=1", Body: `{"echo":"http"}`},
		{Name: "bytes", Kind: hearth.TestEventHTTP, Method: "POST", Path: "/", Body: "eyJlY2hvIjoiYnl0ZXMifQ==", Base64: true},
		{Name: "refused", Kind: hearth.TestEventHTTP, Method: "POST", Path: "/", Body: `{"status":404,"echo":"not here"}`},
		{Name: "broken", Kind: hearth.TestEventHTTP, Method: "POST", Path: "/", Body: `{"fail":"ValueError: no"}`},
	} {
		if _, err := e.Admin.PutTestEvent(t.Context(), "hello", ev); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, s.must("test-events", "hello"), "over HTTP", "POST /a?b=1", "admin")
	for _, tt := range []struct {
		event string
		code  int
		says  string
	}{
		{"plain", ExitOK, "json"}, {"over HTTP", ExitOK, "http"}, {"bytes", ExitOK, "bytes"}, {"refused", ExitOK, "not here"},
		{"broken", ExitFunction, "ValueError"}, {"none", ExitUsage, "no test event"},
	} {
		if r := s.run("invoke", "hello", "--event", tt.event); r.code != tt.code || !strings.Contains(r.out+r.err, tt.says) {
			t.Errorf("%s: exit code %d, %s%s", tt.event, r.code, r.out, r.err)
		}
	}
	if r := s.run("invoke", "hello", "--event", "plain", "-d", "1"); r.code != ExitUsage {
		t.Errorf("with data besides: exit code %d", r.code)
	}
}

func TestUsageGivesAdvice(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Limits: hearth.Limits{MemoryMiB: 512}})
	for range 20 { // below that nothing is said
		if _, err := call(t.Context(), e, `{"cpu":"500ms","memory":42000000}`); err != nil {
			t.Fatal(err)
		}
	}
	s := newShell(t, e)
	out := s.must("usage", "-o", "table")
	wants(t, out, "hello@1", "10.00 s", "512.0 MiB", "set 96", "20 calls")
	u := mustJSON[rest.UsageReport](t, s.must("usage", "-o", "json"))
	if len(u.Functions) != 1 || u.Functions[0].Suggestion == nil || u.Functions[0].Suggestion.MemoryMiB != 96 || u.Total.Requests != 20 {
		t.Errorf("it tells %+v", u)
	}
	if out := s.must("usage", "--since", "30d", "--until", "1d", "-o", "json"); !strings.Contains(out, `"functions": []`) {
		t.Errorf("of a time before there is %s", out)
	}
	if r := s.run("usage", "--since", "1d", "--until", "2d"); r.code != ExitUsage {
		t.Errorf("exit code %d", r.code)
	}
}

func TestACallIsShownWhole(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	a := e.Do("POST", "/fn/hello/shop?page=2&token=abc", `{"log":"a line","fail":"ValueError: no oil","pin":"1234"}`, servertest.Auth(e.Key), "Cookie: a=b")
	id := a.Header.Get(rest.HeaderInvocation)
	for _, args := range [][]string{{"invocations", id}, {"invocations", "get", strings.ToLower(id)}} {
		wants(t, s.must(args...), id, "handler", "█", "ValueError: no oil", "request POST /shop?page=2&token=%5Bredacted%5D", "Cookie: [redacted]",
			`"pin":"[redacted]"`, "taken out: query token, header cookie, body pin", "a line")
	}
	v := mustJSON[struct {
		ID      string
		Capture *hearth.Capture
		Log     []hearth.LogLine
	}](t, s.must("invocations", "get", id, "-o", "json"))
	if v.ID != id || v.Capture == nil || v.Capture.Request.HTTP.Path != "/shop" || len(v.Log) == 0 || v.Log[0].Text != "a line" {
		t.Errorf("got %+v", v)
	}
	if r := s.run("invocations", "get", "nothing"); r.code != ExitUsage || !strings.Contains(r.err, "not the id of a call") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
	_, key := e.User("vera", hearth.RoleViewer)
	s.env["HEARTH_API_KEY"] = key
	out := s.must("invocations", "get", id)
	wants(t, out, "for developers", "a line")
	if strings.Contains(out, "page=2") {
		t.Errorf("a viewer sees %s", out)
	}
}

func TestWaterfall(t *testing.T) {
	for want, got := range map[string]string{
		"":           waterfall(0, 0, 10, 10),
		"█":          waterfall(0, 1, 1000, 10),
		"██████████": waterfall(0, 10, 10, 10),
		"     █████": waterfall(5, 5, 10, 10),
		"         █": waterfall(10, 1, 10, 10), // phases that are measured apart may come to more than the whole
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestReplay(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Capture: hearth.CaptureSampled})
	s := newShell(t, e)
	id := func(body string, headers ...string) string {
		return e.Do("POST", "/fn/hello/", body, append(headers, servertest.Auth(e.Key))...).Header.Get(rest.HeaderInvocation)
	}
	if out := s.must("replay", id(`{"echo":{"n":1}}`)); strings.TrimSpace(out) != `{"n":1}` {
		t.Errorf("got %q", out)
	}
	r := s.run("replay", "-v", id(`{"fail":"ValueError: no oil"}`))
	if r.code != ExitFunction || !strings.Contains(r.err, "error: ValueError: no oil") || !strings.Contains(r.err, "phases") {
		t.Errorf("a failure: %d, %s", r.code, r.err)
	}
	if r := s.run("replay", id(`{"echo":1,"status":404}`)); r.code != ExitOK || strings.TrimSpace(r.out) != "1" || !strings.Contains(r.err, "404") {
		t.Errorf("a status of its own: %d, %s, %s", r.code, r.out, r.err)
	}
	secret := id(`{"echo":{"token":"abc"}}`)
	if r := s.run("replay", secret); r.code != ExitUsage || !strings.Contains(r.err, "--force") {
		t.Errorf("without its secret: %d, %s", r.code, r.err)
	}
	wants(t, s.must("replay", "--force", secret), "[redacted]")
	for _, args := range [][]string{{"replay", "hello"}, {"replay", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}} {
		if r := s.run(args...); r.code != ExitUsage || !strings.Contains(r.err, "next:") {
			t.Errorf("%v: %d, %s", args, r.code, r.err)
		}
	}
}
