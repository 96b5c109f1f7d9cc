package api_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/server"
	"hearth/internal/server/servertest"
)

// events connects to a stream and returns a function that reads the next event
// as its lines.
func events(t *testing.T, e *servertest.Env, path string, headers ...string) (next func() map[string]string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", e.URL()+path, nil)
	req.Header.Set("Authorization", "Bearer "+e.Key)
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %s %v", resp.Status, resp.Header)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() })
	sc := bufio.NewScanner(resp.Body)
	next = func() map[string]string {
		t.Helper()
		ev := map[string]string{}
		for sc.Scan() {
			k, v, _ := strings.Cut(sc.Text(), ": ")
			if k == "" && ev["data"] != "" {
				return ev
			}
			ev[k] = v
		}
		t.Fatalf("the stream ended: %v", sc.Err())
		return nil
	}
	return next, cancel
}

func TestLogsCanBeSearched(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	e.Deploy("b", rest.DeployConfig{})
	a := e.Do("POST", "/fn/a/", `{"log":["First line","second line"]}`, servertest.Auth(e.Key))
	e.Do("POST", "/fn/b/", `{"log":"third line"}`, servertest.Auth(e.Key))
	for _, tt := range []struct {
		q    client.LogsQuery
		want string
	}{
		{client.LogsQuery{}, "First line,second line,third line"},
		{client.LogsQuery{Newest: true}, "third line,second line,First line"},
		{client.LogsQuery{Function: "b"}, "third line"},
		{client.LogsQuery{Invocation: a.Header.Get(rest.HeaderInvocation)}, "First line,second line"},
		{client.LogsQuery{Text: "first"}, "First line"},
		{client.LogsQuery{Stream: "stderr"}, ""},
	} {
		ls, err := e.Admin.Logs(t.Context(), tt.q, client.Page{})
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, l := range ls.Items {
			texts = append(texts, l.Text)
		}
		if got := strings.Join(texts, ","); got != tt.want {
			t.Errorf("%+v: %q", tt.q, got)
		}
	}
}

func TestATailGoesOnWhereItWasCut(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	say := func(text string) { e.Do("POST", "/fn/a/", `{"log":"`+text+`"}`, servertest.Auth(e.Key)) }
	next, end := events(t, e, "/api/v1/logs/tail?function=a")
	say("one")
	first := next()
	if !strings.Contains(first["data"], `"text":"one"`) || first["id"] == "" {
		t.Fatalf("got %v", first)
	}
	end()
	say("two")
	say("three")
	next, _ = events(t, e, "/api/v1/logs/tail?function=a", "Last-Event-ID: "+first["id"])
	for _, want := range []string{"two", "three"} {
		if got := next(); !strings.Contains(got["data"], `"text":"`+want+`"`) {
			t.Errorf("want %s, got %v", want, got)
		}
	}
	say("four")
	if got := next(); !strings.Contains(got["data"], `"text":"four"`) {
		t.Errorf("live again: %v", got)
	}
	if a := e.Do("GET", "/api/v1/logs/tail", "", servertest.Auth(e.Key), "Last-Event-ID: x"); a.StatusCode != 422 {
		t.Errorf("a wrong id: %s", a.Status)
	}
}

func TestTheClientTails(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	e.Do("POST", "/fn/a/", `{"log":["one","two"]}`, servertest.Auth(e.Key))
	ls, err := e.Admin.Logs(t.Context(), client.LogsQuery{}, client.Page{})
	if err != nil || len(ls.Items) != 2 {
		t.Fatalf("got %v, %v", ls, err)
	}
	for l, err := range e.Admin.TailLogs(t.Context(), client.LogsQuery{Function: "a", AfterSeq: ls.Items[0].Seq}) {
		if err != nil || l.Text != "two" {
			t.Errorf("got %+v, %v", l, err)
		}
		break
	}
	stranger, err := client.New(e.URL(), "hk_wrong")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range stranger.TailLogs(t.Context(), client.LogsQuery{}) {
		if hearth.ErrorCode(err) != hearth.CodeUnauthenticated {
			t.Errorf("got %v", err)
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	e := servertest.Start(t)
	next, end := events(t, e, "/api/v1/events")
	e.Deploy("a", rest.DeployConfig{})
	first := next()
	if !strings.Contains(first["data"], rest.EventDeployed) || !strings.Contains(first["data"], `"by":"admin"`) {
		t.Errorf("got %v", first)
	}
	end()
	if _, err := e.Admin.UpdateFunction(t.Context(), "a", rest.FunctionUpdate{Public: ptr(true)}, 0); err != nil {
		t.Fatal(err)
	}
	if err := e.Admin.DeleteFunction(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	next, _ = events(t, e, "/api/v1/events", "Last-Event-ID: "+first["id"])
	for _, want := range []string{rest.EventUpdated, rest.EventDeleted} {
		if got := next(); !strings.Contains(got["data"], want) {
			t.Errorf("want %s, got %v", want, got)
		}
	}
	next, _ = events(t, e, "/api/v1/events", "Last-Event-ID: 999999")
	if got := next(); !strings.Contains(got["data"], rest.EventReset) {
		t.Errorf("an id of another run: %v", got)
	}
}

func TestWhatTheServerSaysOfItself(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	e.Do("POST", "/fn/a/", "", servertest.Auth(e.Key))
	e.Do("POST", "/fn/a/", `{"fail":"E: x"}`, servertest.Auth(e.Key))

	s, err := e.Admin.Server(t.Context())
	if err != nil || s.Version != "test" || s.URL != e.URL() || len(s.Sandboxes) != 1 || s.Sandboxes[0].Name != "fake" || s.Draining {
		t.Errorf("server: %+v, %v", s, err)
	}
	rts, err := e.Admin.Runtimes(t.Context())
	if err != nil || len(rts.Items) != 1 || rts.Items[0].Name != "fake1" {
		t.Errorf("runtimes: %+v, %v", rts, err)
	}
	sbs, err := e.Admin.Sandboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mine := ""
	for _, b := range sbs.Items {
		if b.Function == "a" {
			mine = b.ID
		}
	}
	if mine == "" {
		t.Fatalf("sandboxes: %+v", sbs)
	}
	if err := e.Admin.KillSandbox(t.Context(), mine); err != nil {
		t.Error(err)
	}
	if err := e.Admin.KillSandbox(t.Context(), "nobody"); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("got %v", err)
	}
	ps, err := e.Admin.Pools(t.Context())
	if err != nil || len(ps.Items) == 0 {
		t.Errorf("pools: %+v, %v", ps, err)
	}
	m, err := e.Admin.Metrics(t.Context(), "a", 0)
	if err != nil || len(m.Functions) != 1 || m.Functions[0].Invocations != 2 || m.Functions[0].Errors != 1 {
		t.Errorf("metrics: %+v, %v", m, err)
	}
	if a := e.Do("GET", "/metrics", "", servertest.Auth(e.Key)); !strings.Contains(a.Text, `hearth_invocations_total{function="a",outcome="ok"} 1`) {
		t.Errorf("prometheus: %s", a.Text)
	}
	is, err := e.Admin.Invocations(t.Context(), client.InvocationsQuery{Outcomes: []hearth.Outcome{hearth.OutcomeError}}, client.Page{})
	if err != nil || len(is.Items) != 1 || is.Items[0].Caller != "admin" {
		t.Errorf("invocations: %+v, %v", is, err)
	}
}

func TestTheServerTellsItsDefaults(t *testing.T) {
	e := servertest.Start(t, func(c *config.Config, _ *server.Options) {
		c.KeepAlive, c.Queue, c.MemoryMiB, c.MaxReplyMiB = 90*time.Second, 7, 2048, 3
	})
	viewer, _ := e.User("vera", hearth.RoleViewer)
	s, err := viewer.Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := s.Defaults
	if d.Config.Limits != hearth.DefaultLimits() || d.Config.KeepAlive.Std() != 90*time.Second || d.KeepAlive != d.Config.KeepAlive ||
		d.Queue != 7 || d.MemoryMiB != 2048 || d.MaxReplyMiB != 3 || d.MaxRequestMiB != 6 || d.Sandbox != s.Sandbox || d.Retention.Std() != 7*24*time.Hour {
		t.Errorf("the defaults are %+v", d)
	}
	if s.Bounds.Memory.Max != hearth.MaxMemoryMiB || len(s.Bounds.MinMemory) != 1 {
		t.Errorf("the bounds are %+v", s.Bounds)
	}
	chosen := map[string]string{}
	for _, x := range s.Settings {
		if x.Value != x.Default {
			chosen[x.Name] = x.Value
		}
		if strings.Contains(x.Value, e.Config.Data) {
			t.Errorf("a viewer reads the data folder in %+v", x)
		}
	}
	if chosen["keep_alive"] != "1m30s" || chosen["queue"] != "7" || chosen["memory"] != "2048" || chosen["retention"] != "" {
		t.Errorf("chosen are %v", chosen)
	}
}

func TestLogsAreCounted(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	for range 3 {
		e.Do("POST", "/fn/a/", `{"log":["one","two"]}`, servertest.Auth(e.Key))
	}
	h, err := e.Admin.CountLogs(t.Context(), client.LogsQuery{Function: "a"})
	if err != nil || len(h.At) < 60 || len(h.At) != len(h.Counts) || h.Step < 60 || len(h.Items) != 0 {
		t.Fatalf("got %+v, %v", h, err)
	}
	var sum int64
	for i, n := range h.Counts {
		sum += n
		if h.At[i] != h.At[0]+int64(i)*h.Step {
			t.Errorf("step %d begins at %d", i, h.At[i])
		}
	}
	if sum != 6 || h.Counts[len(h.Counts)-1] != 6 {
		t.Errorf("counted %v", h.Counts)
	}
	from := time.Now().Truncate(time.Second).Add(-5 * time.Second)
	h, err = e.Admin.CountLogs(t.Context(), client.LogsQuery{Text: "ONE", From: from, To: from.Add(10 * time.Second)})
	if err != nil || h.Step != 1 || len(h.At) != 10 || h.At[0] != from.Unix() {
		t.Errorf("got %+v, %v", h, err)
	}
	if _, err := e.Admin.CountLogs(t.Context(), client.LogsQuery{From: from, To: from.Add(-time.Second)}); servertest.MustError(t, err).Field != "from" {
		t.Errorf("backwards: %v", err)
	}
	if a := e.Do("GET", "/api/v1/logs?level=loud", "", servertest.Auth(e.Key)); a.StatusCode != 422 {
		t.Errorf("a level that isn't: %s", a.Status)
	}
	if p := mustProblem(t, e.Do("GET", "/api/v1/logs/tail?level=loud", "", servertest.Auth(e.Key))); p.Field != "level" {
		t.Errorf("a level that isn't: %+v", p)
	}
	if l, err := e.Admin.Logs(t.Context(), client.LogsQuery{Levels: []hearth.Level{hearth.LevelError}}, client.Page{}); err != nil || len(l.Items) != 0 {
		t.Errorf("errors: %+v, %v", l, err)
	}
}
