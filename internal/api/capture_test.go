package api_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func mustRead(t *testing.T, r *client.Reply, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFailuresAreCaptured(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	ok := e.Do("POST", "/fn/a/x", `{"echo":1}`, servertest.Auth(e.Key)).Header.Get(rest.HeaderInvocation)
	bad := e.Do("POST", "/fn/a/x/y?page=2&token=abc", `{"fail":"ValueError: no","password":"Hunter2"}`,
		servertest.Auth(e.Key), "Cookie: a=Hunter2", "X-Page: 2", "X-Page: 3").Header.Get(rest.HeaderInvocation)
	_, err := e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: "a", Body: strings.NewReader(`{"exit":3}`)})
	plain := servertestFailure(t, err)

	c, err := e.Admin.Capture(t.Context(), bad)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Request
	if c.Invocation != bad || c.Function != "a" || c.Version != 1 || r.Kind != "http" || r.HTTP.Method != "POST" || r.HTTP.Path != "/x/y" ||
		r.HTTP.RawQuery != "page=2&token=%5Bredacted%5D" || !slices.Equal(r.HTTP.Headers["X-Page"], []string{"2", "3"}) ||
		r.Body != `{"fail":"ValueError: no","password":"[redacted]"}` || r.Truncated || c.Reply != nil ||
		!slices.Equal(c.Redacted, []string{"query token", "header cookie", "body password"}) {
		t.Errorf("got %+v, %+v", c, r.HTTP)
	}
	if _, ok := r.HTTP.Headers["Authorization"]; ok {
		t.Error("the platform's own key is in it")
	}
	if c, err := e.Admin.Capture(t.Context(), plain); err != nil || c.Request.Kind != "json" || c.Request.Body != `{"exit":3}` {
		t.Errorf("an event: %+v, %v", c, err)
	}
	if i, err := e.Admin.Invocation(t.Context(), bad); err != nil || !i.Captured {
		t.Errorf("the record doesn't say so: %+v, %v", i, err)
	}
	for id, says := range map[string]string{ok: "was not captured", "01ARZ3NDEKTSV4RRFFQ69G5FAV": "there is no invocation"} {
		_, err := e.Admin.Capture(t.Context(), id)
		if he := servertest.MustError(t, err); he.Code != hearth.CodeNotFound || !strings.Contains(he.Message, says) || he.Hint == "" {
			t.Errorf("%s: %v", id, he)
		}
	}
	viewer, _ := e.User("vera", hearth.RoleViewer)
	if _, err := viewer.Capture(t.Context(), bad); hearth.ErrorCode(err) != hearth.CodeForbidden {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := viewer.Replay(t.Context(), client.ReplayRequest{Invocation: bad}); hearth.ErrorCode(err) != hearth.CodeForbidden {
		t.Errorf("a viewer replays: %v", err)
	}
	if err := e.Admin.DeleteFunction(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Admin.Capture(t.Context(), bad); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("after the function is deleted: %v", err)
	}
}

// servertestFailure returns the id of an invocation that failed.
func servertestFailure(t *testing.T, err error) string {
	t.Helper()
	f, ok := err.(*client.Failure)
	if !ok {
		t.Fatalf("got %v", err)
	}
	return f.Invocation
}

func TestTheModeOfCapture(t *testing.T) {
	e := servertest.Start(t)
	call := func(name, event string) string {
		return e.Do("POST", "/fn/"+name+"/", event, servertest.Auth(e.Key)).Header.Get(rest.HeaderInvocation)
	}
	captured := func(id string) (hearth.Capture, bool) {
		c, err := e.Admin.Capture(t.Context(), id)
		return c, err == nil
	}
	e.Deploy("off", rest.DeployConfig{Capture: hearth.CaptureOff})
	if _, ok := captured(call("off", `{"fail":"x"}`)); ok {
		t.Error("off: a failure was captured")
	}
	e.Deploy("sampled", rest.DeployConfig{Capture: hearth.CaptureSampled})
	c, ok := captured(call("sampled", `{"echo":{"token":"Hunter2","n":1},"status":201,"headers":{"Set-Cookie":["sid=Hunter2"]}}`))
	if !ok || c.Reply == nil || c.Reply.Status != 201 || c.Reply.Body != `{"token":"[redacted]","n":1}` || c.Reply.Bytes != 25 {
		t.Errorf("sampled: %v, %+v", ok, c.Reply)
	}
	for name, v := range c.Reply.Headers {
		if strings.EqualFold(name, "set-cookie") && v[0] != "[redacted]" {
			t.Errorf("reply header %s: %q", name, v)
		}
	}
	c, ok = captured(call("sampled", `{"stream":3,"size":5000}`))
	if !ok || c.Reply == nil || len(c.Reply.Body) != hearth.MaxCapture || !c.Reply.Truncated || c.Reply.Bytes != 15000 {
		t.Errorf("a stream: %v, %+v", ok, c.Reply)
	}
	e.Deploy("errors", rest.DeployConfig{})
	v, err := e.Admin.Version(t.Context(), "errors", 1)
	if err != nil || v.Config.Capture != hearth.CaptureErrors {
		t.Errorf("not the default: %+v, %v", v.Config, err)
	}
	// A stream that breaks is a failure that had a reply.
	r, err := e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: "errors", Body: strings.NewReader(`{"stream":2,"size":10,"break":"ValueError: late"}`)})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	r.Body.Close()
	c, ok = captured(r.Invocation)
	if !ok || c.Reply == nil || c.Reply.Bytes == 0 || int64(len(c.Reply.Body)) != c.Reply.Bytes {
		t.Errorf("a broken stream: %v, %+v", ok, c.Reply)
	}
	_, err = e.Admin.Deploy(t.Context(), client.DeployRequest{Name: "x", Config: rest.DeployConfig{Capture: "always"}, Code: strings.NewReader("#"), Filename: "main.py"})
	if he := servertest.MustError(t, err); he.Field != "capture" || he.Hint == "" {
		t.Errorf("a mode that isn't: %v", he)
	}
}

func TestAnInvocationIsReplayed(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{Capture: hearth.CaptureSampled})
	http := e.Do("PUT", "/fn/a/things/7?x=y", `{"echo":"here","status":404}`, servertest.Auth(e.Key), "X-Color: red").Header.Get(rest.HeaderInvocation)
	r, err := e.Admin.Replay(t.Context(), client.ReplayRequest{Invocation: http})
	if got := mustRead(t, r, err); got != `"here"` || r.Status != 404 || r.Invocation == http || r.Invocation == "" || r.Header.Get(rest.HeaderReplayOf) != http ||
		r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %s, %+v", got, r)
	}
	i, err := e.Admin.Invocation(t.Context(), r.Invocation)
	if err != nil || i.ReplayOf != http || i.Trigger != hearth.TriggerReplay || i.Caller != "admin" {
		t.Errorf("the record: %+v, %v", i, err)
	}
	c, err := e.Admin.Capture(t.Context(), r.Invocation)
	if err != nil || c.Request.HTTP.Method != "PUT" || c.Request.HTTP.Path != "/things/7" || c.Request.HTTP.RawQuery != "x=y" || c.Request.HTTP.Headers["X-Color"][0] != "red" {
		t.Errorf("it had another event: %+v, %v", c.Request.HTTP, err)
	}
	l, err := e.Admin.Invocations(t.Context(), client.InvocationsQuery{Trigger: hearth.TriggerReplay}, client.Page{})
	if err != nil || len(l.Items) != 1 {
		t.Errorf("by trigger: %+v, %v", l, err)
	}

	reply, err := e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: "a", Body: strings.NewReader(`{"echo":{"n":1}}`)})
	plain := mustRead(t, reply, err)
	r, err = e.Admin.Replay(t.Context(), client.ReplayRequest{Invocation: reply.Invocation, Version: 1})
	if got := mustRead(t, r, err); got != plain || r.Status != 200 || r.Version != 1 {
		t.Errorf("got %s, want %s", got, plain)
	}
	_, err = e.Admin.Replay(t.Context(), client.ReplayRequest{Invocation: reply.Invocation, Version: 9})
	if hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("a version that isn't: %v", err)
	}

	// A failure fails again.
	bad := e.Do("POST", "/fn/a/", `{"fail":"ValueError: no"}`, servertest.Auth(e.Key)).Header.Get(rest.HeaderInvocation)
	_, err = e.Admin.Replay(t.Context(), client.ReplayRequest{Invocation: bad})
	if id := servertestFailure(t, err); id == bad || hearth.ErrorCode(err) != hearth.CodeFunctionError {
		t.Errorf("got %v", err)
	}

	secret := e.Do("POST", "/fn/a/", `{"echo":{"password":"Hunter2"}}`, servertest.Auth(e.Key), "Cookie: a=b").Header.Get(rest.HeaderInvocation)
	_, err = e.Admin.Replay(t.Context(), client.ReplayRequest{Invocation: secret})
	if he := servertest.MustError(t, err); he.Code != hearth.CodeConflict || !strings.Contains(he.Message, "header cookie, body password") || !strings.Contains(he.Hint, "force") {
		t.Errorf("without its secrets: %v", he)
	}
	r, err = e.Admin.Replay(t.Context(), client.ReplayRequest{Invocation: secret, Force: true})
	if got := mustRead(t, r, err); got != `{"password":"[redacted]"}` {
		t.Errorf("forced: %s", got)
	}

	long := `{"fail":"x","pad":"` + strings.Repeat("p", 9000) + `"}`
	_, err = e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: "a", Body: strings.NewReader(long)})
	cut := servertestFailure(t, err)
	for _, force := range []bool{false, true} { // what is left of it isn't JSON
		_, err = e.Admin.Replay(t.Context(), client.ReplayRequest{Invocation: cut, Force: force})
		if he := servertest.MustError(t, err); he.Code != hearth.CodeConflict {
			t.Errorf("cut off, force %v: %v", force, he)
		}
	}
}
