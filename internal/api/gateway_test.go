package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
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

var public = ptr(true)

func TestTheMostSpecificRouteWins(t *testing.T) {
	e := servertest.Start(t)
	for name, specs := range map[string][]string{
		"exact": {"/shop/cart"}, "exact-get": {"GET /shop/cart"}, "short": {"/shop/*"}, "long": {"/shop/books/*"},
		"long-post": {"POST /shop/books/*"}, "only-post": {"POST /only"}, "all": {"GET /*"}, "root": {"GET /"},
	} {
		e.Deploy(name, rest.DeployConfig{Public: public, Routes: routes(t, specs...), Env: map[string]string{"WHO": name}})
	}
	who := func(method, path string) string {
		a := e.Do(method, path, `{"env":"WHO"}`)
		if a.StatusCode != 200 {
			return fmt.Sprint(a.StatusCode)
		}
		return strings.Trim(a.Text, `"`)
	}
	for _, tt := range []struct{ method, path, want string }{
		{"GET", "/shop/cart", "exact-get"}, {"POST", "/shop/cart", "exact"},
		{"GET", "/shop/cart/", "short"}, {"GET", "/shop/x", "short"}, {"GET", "/shop", "short"}, {"GET", "/shop/", "short"},
		{"GET", "/shop/books/1", "long"}, {"POST", "/shop/books/1", "long-post"}, {"PUT", "/shop/books", "long"},
		{"GET", "/shopping", "all"}, {"POST", "/shopping", "405"}, {"POST", "/only", "only-post"}, {"GET", "/only", "all"},
		{"PUT", "/only", "405"}, {"GET", "/", "root"}, {"GET", "/a/b/c", "all"}, {"GET", "/fn/exact/shop/cart", "exact"},
		{"GET", "/api/v1/whoami", "401"}, {"GET", "/ui/nothing", "404"}, {"GET", "/fn/nobody/", "404"}, {"GET", "/fn/", "404"},
	} {
		if got := who(tt.method, tt.path); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
	if a := e.Do("PUT", "/only", ""); a.Header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %s", a.Header.Get("Allow"))
	}
}

func TestRoutesNeedAKeyUnlessPublic(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("closed", rest.DeployConfig{Routes: routes(t, "/closed")})
	e.Deploy("open", rest.DeployConfig{Routes: routes(t, "/open"), Public: public})
	_, dev := e.User("dev", hearth.RoleDeveloper)
	_, viewer := e.User("v", hearth.RoleViewer)
	for _, tt := range []struct {
		path, key string
		want      int
	}{
		{"/closed", "", 401}, {"/closed", "hk_wrong", 401}, {"/closed", "another-token", 401}, {"/closed", viewer, 403}, {"/closed", dev, 200}, {"/fn/closed/", "", 401},
		{"/open", "", 200}, {"/open", "hk_wrong", 200}, {"/open", "another-token", 200}, {"/open", viewer, 200}, {"/fn/open/", "", 200},
	} {
		var headers []string
		if tt.key != "" {
			headers = append(headers, servertest.Auth(tt.key))
		}
		if a := e.Do("GET", tt.path, "", headers...); a.StatusCode != tt.want {
			t.Errorf("%s with %.8q: %s", tt.path, tt.key, a.Status)
		}
	}
	if _, err := e.Admin.UpdateFunction(t.Context(), "open", rest.FunctionUpdate{Public: ptr(false)}, 0); err != nil {
		t.Fatal(err)
	}
	if a := e.Do("GET", "/open", ""); a.StatusCode != 401 {
		t.Errorf("after it was closed: %s", a.Status)
	}
}

func TestOutcomesHaveTheirStatus(t *testing.T) {
	e := servertest.Start(t, func(c *config.Config, _ *server.Options) { c.MaxReplyMiB = 1 })
	e.Deploy("f", rest.DeployConfig{Public: public, Limits: hearth.Limits{Timeout: hearth.Duration(150 * time.Millisecond), IdleChunk: hearth.Duration(150 * time.Millisecond)}})
	for _, tt := range []struct {
		event   string
		status  int
		code    hearth.Code
		outcome hearth.Outcome
	}{
		{`{"status":404,"echo":"no"}`, 404, "", hearth.OutcomeOK},
		{`{"fail":"ValueError: secret detail"}`, 502, hearth.CodeFunctionError, hearth.OutcomeError},
		{`{"hang":true}`, 504, hearth.CodeFunctionTimeout, hearth.OutcomeTimeout},
		{`{"oom":true}`, 502, hearth.CodeFunctionOOM, hearth.OutcomeOOM},
		{`{"signal":"SIGSEGV"}`, 502, hearth.CodeFunctionCrashed, hearth.OutcomeCrashed},
		{`{"exit":3}`, 502, hearth.CodeFunctionCrashed, hearth.OutcomeCrashed},
		{`{"size":2000000}`, 502, hearth.CodeFunctionReply, hearth.OutcomeError},
	} {
		t.Run(tt.event, func(t *testing.T) {
			a := e.Do("POST", "/fn/f/", tt.event)
			id := a.Header.Get(rest.HeaderInvocation)
			if a.StatusCode != tt.status || id == "" {
				t.Fatalf("got %s %s", a.Status, a.Text)
			}
			if tt.code != "" {
				p := mustProblem(t, a)
				if p.Code != tt.code || p.Invocation != id || p.ErrorType != "" || p.Trace != "" || strings.Contains(a.Text, "secret") {
					t.Errorf("a stranger sees %s", a.Text)
				}
				p = mustProblem(t, e.Do("POST", "/fn/f/", tt.event, servertest.Auth(e.Key)))
				if p.Code != tt.code || (p.Code == hearth.CodeFunctionError && (p.ErrorType != "ValueError" || p.Detail != "secret detail")) {
					t.Errorf("with a key: %+v", p)
				}
				// The invoke operation says the same.
				if _, err := e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: "f", Body: strings.NewReader(tt.event)}); hearth.ErrorCode(err) != tt.code {
					t.Errorf("invoke: %v", err)
				}
			}
			i, err := e.Admin.Invocation(t.Context(), id)
			if err != nil || i.Outcome != tt.outcome || i.Status != tt.status {
				t.Errorf("recorded %+v, %v", i, err)
			}
		})
	}
}

func TestFunctionsCannotSpeakForThePlatform(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{Public: public})
	a := e.Do("POST", "/fn/f/", `{"echo":1,"headers":{"X-Hearth-Version":["99"],"x-hearth-start":["fast"],"Set-Cookie":["hearth_session=x","=hearth_session=x","a=b"],
		"Connection":["x-private"],"X-Private":["1"],"Transfer-Encoding":["chunked"],"Service-Worker-Allowed":["/"],"Content-Length":["999"],"X-Own":["1","2"]}}`)
	if a.StatusCode != 200 || a.Text != "1" {
		t.Fatalf("got %s %q", a.Status, a.Text)
	}
	h := a.Header
	if h.Get("X-Hearth-Version") != "1" || h.Get("X-Hearth-Start") == "fast" || h.Get("X-Private") != "" || h.Get("Service-Worker-Allowed") != "" || h.Get("Content-Length") != "1" {
		t.Errorf("got %v", h)
	}
	if c := h.Values("Set-Cookie"); len(c) != 1 || c[0] != "a=b" {
		t.Errorf("cookies %v", c)
	}
	if len(h.Values("X-Own")) != 2 {
		t.Errorf("its own headers: %v", h)
	}
}

func TestStreamsHaveNoTrailersOfTheirOwn(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{Public: public})
	req, err := http.NewRequestWithContext(t.Context(), "POST", e.URL()+"/fn/f/", strings.NewReader(
		`{"stream":2,"size":4,"every":"1ms","headers":{"Trailer:X-Hearth-Version":["99"],"Trailer:X-Other":["1"],"X-Own":["1"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if len(resp.Trailer) > 0 || resp.Header.Get("X-Own") != "1" {
		t.Errorf("trailers %v of headers %v", resp.Trailer, resp.Header)
	}
}

func TestPagesOfFunctionsCannotActForASignedInPerson(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{Public: public})
	if a := e.Do("GET", "/fn/f/", ""); a.Header.Get("Content-Security-Policy") != "" {
		t.Errorf("strangers get %v", a.Header)
	}
	if a := e.Do("GET", "/fn/f/", "", signIn(t, e)); !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "sandbox ") {
		t.Errorf("signed in: %v", a.Header)
	}
	if a := e.Do("GET", "/fn/f/sw.js", "", "Service-Worker: script"); a.StatusCode != 403 {
		t.Errorf("a service worker: %s", a.Status)
	}
}

func TestHEADIsGETWithoutABody(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{Public: public, Routes: routes(t, "GET /f")})
	a := e.Do("HEAD", "/f", "")
	if a.StatusCode != 200 || a.Text != "" || a.Header.Get("Content-Length") != "4" {
		t.Errorf("got %s %q %v", a.Status, a.Text, a.Header)
	}
}

func TestAStreamArrivesPieceByPiece(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{Public: public})
	for _, path := range []string{"/fn/f/", "/api/v1/functions/f/invoke"} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", e.URL()+path, strings.NewReader(`{"stream":3,"size":4,"every":"80ms"}`))
		req.Header.Set("Authorization", "Bearer "+e.Key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != 200 || resp.ContentLength != -1 {
			t.Fatalf("got %v, %v", resp, err)
		}
		began := time.Now()
		var at []time.Duration
		buf := make([]byte, 4)
		for range 3 {
			if _, err := io.ReadFull(resp.Body, buf); err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Since(began))
		}
		if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
			t.Errorf("after the stream: %q, %v", rest, err)
		}
		resp.Body.Close()
		if at[2]-at[0] < 80*time.Millisecond {
			t.Errorf("%s: the chunks came at %v: together", path, at)
		}
	}
}

func TestAStreamThatBreaksIsSeenToBreak(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{Public: public})
	resp, err := http.Post(e.URL()+"/fn/f/", "application/json", strings.NewReader(`{"stream":2,"size":4,"break":"ValueError: no"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the reply looks whole: %q", b)
	}
}

func TestPayloadsOverTheLimitAreRefused(t *testing.T) {
	e := servertest.Start(t, func(c *config.Config, _ *server.Options) { c.MaxRequestMiB = 1 })
	e.Deploy("f", rest.DeployConfig{Public: public})
	for name, body := range map[string]io.Reader{
		"announced": strings.NewReader(strings.Repeat("x", 1<<20+1)), "chunked": io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1))),
	} {
		for _, path := range []string{"/fn/f/", "/api/v1/functions/f/invoke"} {
			req, _ := http.NewRequestWithContext(t.Context(), "POST", e.URL()+path, body)
			req.Header.Set("Authorization", "Bearer "+e.Key)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 413 {
				t.Errorf("%s to %s: %s", name, path, resp.Status)
			}
			body = io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1)))
		}
	}
	whole := `"` + strings.Repeat("x", 1<<20-2) + `"`
	if a := e.Do("POST", "/fn/f/", whole); a.StatusCode != 200 || a.Text != whole {
		t.Errorf("exactly the limit: %s, %d bytes", a.Status, len(a.Text))
	}
}

// dial opens a raw connection and sends text.
func dial(t *testing.T, e *servertest.Env, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(e.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestARequestThatStopsHalfWayIsLetGo(t *testing.T) {
	e := servertest.Start(t, func(_ *config.Config, o *server.Options) { o.BodyIdle = 50 * time.Millisecond })
	e.Deploy("f", rest.DeployConfig{Public: public})
	for _, path := range []string{"/fn/f/", "/api/v1/functions/f/invoke", "/api/v1/functions/f/versions"} {
		head := "POST " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + e.Key +
			"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100\r\n\r\n--b\r\n"
		resp, err := http.ReadResponse(bufio.NewReader(dial(t, e, head)), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || !strings.Contains(string(b), "half-way") {
			t.Errorf("%s: %s %s", path, resp.Status, b)
		}
	}
}

func TestACallerThatGoesAwayCancelsTheCall(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{Public: public})
	e.Deploy("stays", rest.DeployConfig{Public: public, OnDisconnect: hearth.DisconnectFinish})
	for name, want := range map[string]hearth.Outcome{"f": hearth.OutcomeCancelled, "stays": hearth.OutcomeOK} {
		ctx, cancel := context.WithCancel(t.Context())
		lines := make(chan hearth.LogLine)
		go func() {
			for l, err := range e.Admin.TailLogs(t.Context(), client.LogsQuery{Function: name}) {
				if err != nil {
					return
				}
				lines <- l
				return
			}
		}()
		go func() {
			// The line tells that the handler runs; the first is lost if the
			// tail isn't there yet, so it says it until it is heard.
			for ctx.Err() == nil {
				req, _ := http.NewRequestWithContext(ctx, "POST", e.URL()+"/fn/"+name+"/", strings.NewReader(`{"log":"running","sleep":"300ms"}`))
				if resp, err := http.DefaultClient.Do(req); err == nil {
					resp.Body.Close()
				}
			}
		}()
		line := <-lines
		cancel()
		for deadline := time.Now().Add(5 * time.Second); ; {
			i, err := e.Admin.Invocation(t.Context(), line.Invocation)
			if err == nil {
				if i.Outcome != want {
					t.Errorf("%s: %+v", name, i)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: never recorded: %v", name, err)
			}
		}
	}
}

func TestFullQueuesSayWhenToTryAgain(t *testing.T) {
	for _, queue := range []int{1, 0} {
		t.Run(fmt.Sprintf("queue of %d", queue), func(t *testing.T) {
			e := servertest.Start(t, func(c *config.Config, _ *server.Options) { c.Concurrency, c.Queue = 1, queue })
			e.Deploy("f", rest.DeployConfig{Public: public})
			statuses := make(chan int)
			for range 6 {
				go func() {
					resp, err := http.Post(e.URL()+"/fn/f/", "application/json", strings.NewReader(`{"sleep":"400ms"}`))
					if err != nil {
						t.Error(err)
						statuses <- 0
						return
					}
					resp.Body.Close()
					if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "" {
						t.Error("429 without Retry-After")
					}
					statuses <- resp.StatusCode
				}()
			}
			count := map[int]int{}
			for range 6 {
				count[<-statuses]++
			}
			if ok := 1 + queue; count[200] != ok || count[429] != 6-ok {
				t.Errorf("got %v", count)
			}
		})
	}
}

func TestBrowsersOfOtherOriginsAreAnswered(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("f", rest.DeployConfig{
		Routes: routes(t, "POST /f"), CORS: &hearth.CORS{Origins: []string{"https://app.example"}, Credentials: true, MaxAge: hearth.Duration(time.Minute)},
	})
	e.Deploy("all", rest.DeployConfig{Public: public, CORS: &hearth.CORS{Origins: []string{"*"}}})
	e.Deploy("own", rest.DeployConfig{Public: public})

	pre := e.Do("OPTIONS", "/f", "", "Origin: https://app.example", "Access-Control-Request-Method: POST")
	h := pre.Header
	if pre.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Allow-Credentials") != "true" ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") ||
		h.Get("Access-Control-Max-Age") != "60" || h.Get(rest.HeaderInvocation) != "" {
		t.Errorf("preflight: %s %v", pre.Status, h)
	}
	if a := e.Do("OPTIONS", "/f", "", "Origin: https://evil.example", "Access-Control-Request-Method: POST"); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %v", a.Header)
	}
	a := e.Do("POST", "/f", "", "Origin: https://app.example", servertest.Auth(e.Key))
	if a.StatusCode != 200 || a.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
		t.Errorf("the request itself: %s %v", a.Status, a.Header)
	}
	if a := e.Do("POST", "/f", "", "Origin: https://app.example"); a.StatusCode != 401 || a.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("an error must be readable too: %s %v", a.Status, a.Header)
	}
	if a := e.Do("POST", "/fn/all/", `{"echo":1,"headers":{"access-control-allow-origin":["https://other.example"]}}`, "Origin: https://any.example"); a.Header.Get("Access-Control-Allow-Origin") != "*" || len(a.Header.Values("Access-Control-Allow-Origin")) != 1 {
		t.Errorf("for all: %v", a.Header)
	}
	if a := e.Do("OPTIONS", "/fn/own/", `{"status":299}`, "Origin: https://any.example", "Access-Control-Request-Method: POST"); a.StatusCode != 299 {
		t.Errorf("a function without CORS answers itself: %s", a.Status)
	}
}
