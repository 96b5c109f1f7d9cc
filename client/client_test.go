package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := client.New(s.URL+"/", "hk_key")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustError(t *testing.T, err error) *hearth.Error {
	t.Helper()
	var e *hearth.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	return e
}

func TestAddressesAreChecked(t *testing.T) {
	for _, s := range []string{"", "localhost:8080", "ftp://x", "http://", "://"} {
		if _, err := client.New(s, ""); mustError(t, err).Field != "url" {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestProblemsComeBackAsTheErrorsTheyWere(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hk_key" {
			t.Error("the key wasn't sent")
		}
		w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
		w.WriteHeader(502)
		_, _ = io.WriteString(w, `{"code":"function_error","detail":"no","error_type":"ValueError","trace":"line 1","hint":"mend it","invocation":"01J"}`)
	})
	_, err := c.Invoke(t.Context(), client.InvokeRequest{Name: "x"})
	e := mustError(t, err)
	if e.Code != hearth.CodeFunctionError || e.Code.Fault() != hearth.FaultFunction || e.Message != "no" || e.Type != "ValueError" || e.Trace != "line 1" || e.Hint != "mend it" {
		t.Errorf("got %+v", e)
	}
	var f *client.Failure
	if !errors.As(err, &f) || f.Invocation != "01J" {
		t.Errorf("got %#v", err)
	}
}

func TestOtherServersAreRecognised(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "nginx says no", 404) })
	_, err := c.WhoAmI(t.Context())
	if e := mustError(t, err); e.Code != hearth.CodeNotFound || !strings.Contains(e.Message, "nginx says no") || e.Hint == "" {
		t.Errorf("got %+v", e)
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	_, err = c.WhoAmI(t.Context())
	if e := mustError(t, err); e.Code != hearth.CodePlatform {
		t.Errorf("got %+v", e)
	}
}

func TestNoServerIsSaidSo(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c, err := client.New(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.WhoAmI(t.Context())
	if e := mustError(t, err); e.Code != hearth.CodeUnavailable || !strings.Contains(e.Hint, "hearth serve") {
		t.Errorf("got %+v", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.WhoAmI(ctx)
	if e := mustError(t, err); e.Code != hearth.CodeCancelled {
		t.Errorf("got %+v", e)
	}
}

func TestNamesAreEscaped(t *testing.T) {
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath()
		_, _ = io.WriteString(w, "{}")
	})
	if _, err := c.Function(t.Context(), "a/../b?c"); err != nil {
		t.Fatal(err)
	}
	if got != "/api/v1/functions/a%2F..%2Fb%3Fc" {
		t.Errorf("got %s", got)
	}
}

func TestABrokenStreamIsTakenUpAgain(t *testing.T) {
	var seen []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", "text/event-stream")
		if len(seen) == 1 { // the second event is cut off half-way
			_, _ = io.WriteString(w, ": \n\nid: 7\ndata: {\"seq\":7,\"text\":\"one\"}\n\nid: 8\ndata: {\"seq\":8")
			return
		}
		_, _ = io.WriteString(w, "id: 8\ndata: {\"seq\":8,\ndata: \"text\":\"two\"}\n\n")
	})
	var texts []string
	for l, err := range c.TailLogs(t.Context(), client.LogsQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if texts = append(texts, l.Text); len(texts) == 2 {
			break
		}
	}
	if strings.Join(texts, ",") != "one,two" || strings.Join(seen, ",") != ",7" {
		t.Errorf("got %v after %q", texts, seen)
	}
}

func TestALoopingCursorEnds(t *testing.T) {
	_, err := client.Collect(func(client.Page) (rest.List[int], error) { return rest.List[int]{Items: []int{1}, Next: "same"}, nil })
	if err == nil {
		t.Error("it went on")
	}
}

func TestAnIDAloneMovesTheStream(t *testing.T) {
	var seen []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.RawQuery+" "+r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", "text/event-stream")
		switch len(seen) {
		case 1: // an event, one without id, one of a kind to come, and a position
			_, _ = io.WriteString(w, "event: hello\nid: a-1\ndata: {\"version\":\"1\"}\n\nevent: lost\ndata: {\"topic\":\"logs\",\"count\":3}\n\n"+
				"event: news\nid: a-2\ndata: 1\n\n: \nid: a-7\n\nid: a-9\n")
		default:
			_, _ = io.WriteString(w, "event: log\nid: a-8\ndata: {\"text\":\"hi\"}\n\n")
		}
	})
	var got []string
	for e, err := range c.Stream(t.Context(), client.StreamQuery{Topics: []string{"logs", "metrics:x"}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Kind+e.ID)
		if e.Lost != nil && e.Lost.Count != 3 || e.Hello != nil && e.Hello.Version != "1" {
			t.Errorf("got %+v", e)
		}
		if e.Log != nil {
			break
		}
	}
	if strings.Join(got, ",") != "helloa-1,lost,loga-8" || strings.Join(seen, ",") != "topic=logs&topic=metrics%3Ax ,topic=logs&topic=metrics%3Ax a-7" {
		t.Errorf("got %q after %q", got, seen)
	}
}
