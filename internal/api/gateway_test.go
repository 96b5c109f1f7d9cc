package api_test

import (
	"bufio"
	"context"
	"encoding/json"
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
		{"GET", "/api/v1/whoami", "401"}, {"GET", "/ui/assets/nothing", "404"}, {"GET", "/fn/nobody/", "404"}, {"GET", "/fn/", "404"},
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
	e.Deploy("f", rest.DeployConfig{Public: public})
	e.Deploy("short", rest.DeployConfig{Public: public, Limits: hearth.Limits{Timeout: hearth.Duration(150 * time.Millisecond)}})
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
			name := "f"
			if tt.outcome == hearth.OutcomeTimeout {
				name = "short"
			}
			a := e.Do("POST", "/fn/"+name+"/", tt.event)
			id := a.Header.Get(rest.HeaderInvocation)
			if a.StatusCode != tt.status || id == "" {
				t.Fatalf("got %s %s", a.Status, a.Text)
			}
			if tt.code != "" {
				p := mustProblem(t, a)
				if p.Code != tt.code || p.Invocation != id || p.ErrorType != "" || p.Trace != "" || strings.Contains(a.Text, "secret") {
					t.Errorf("a stranger sees %s", a.Text)
				}
				p = mustProblem(t, e.Do("POST", "/fn/"+name+"/", tt.event, servertest.Auth(e.Key)))
				if p.Code != tt.code || (p.Code == hearth.CodeFunctionError && (p.ErrorType != "ValueError" || p.Detail != "secret detail")) {
					t.Errorf("with a key: %+v", p)
				}
				// The invoke operation says the same.
				if _, err := e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: name, Body: strings.NewReader(tt.event)}); hearth.ErrorCode(err) != tt.code {
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
			e.Deploy("f", rest.DeployConfig{Public: public, CORS: &hearth.CORS{Origins: []string{"*"}}})
			statuses := make(chan int)
			for range 6 {
				go func() {
					req, err := http.NewRequestWithContext(t.Context(), "POST", e.URL()+"/fn/f/", strings.NewReader(`{"sleep":"400ms"}`))
					if err != nil {
						t.Error(err)
						statuses <- 0
						return
					}
					req.Header.Set("Origin", "https://page.example")
					resp, err := http.DefaultClient.Do(req)
					if err != nil {
						t.Error(err)
						statuses <- 0
						return
					}
					resp.Body.Close()
					if resp.StatusCode == 429 && resp.Header.Get("Retry-After") == "" {
						t.Error("429 without Retry-After")
					}
					if resp.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(resp.Header.Get("Access-Control-Expose-Headers"), "Retry-After") {
						t.Errorf("%s that pages can't read: %v", resp.Status, resp.Header)
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

// ask is a request of a page at origin: a preflight for method, or the request
// itself.
func ask(e *servertest.Env, preflight bool, method, path, origin string, headers ...string) servertest.Answer {
	headers = append(headers, "Origin: "+origin)
	if preflight {
		return e.Do("OPTIONS", path, "", append(headers, "Access-Control-Request-Method: "+method)...)
	}
	return e.Do(method, path, `{"echo":1}`, headers...)
}

func TestEachRouteHasItsOwnCORS(t *testing.T) {
	e := servertest.Start(t)
	const app, shop, evil = "https://app.example", "https://shop.example", "https://evil.example"
	rs := *routes(t, "/inherits", "GET /item", "PUT /item", "/item", "HEAD /seen", "GET /seen", "/files/*", "/files/own/*", "POST /none", "OPTIONS /options")
	cors := func(origins ...string) *hearth.CORS { return &hearth.CORS{Origins: origins} }
	rs[1].CORS = cors("*")
	rs[2].CORS = &hearth.CORS{Origins: []string{shop}, Credentials: true, Headers: []string{"X-Price"}}
	rs[4].CORS = cors(shop)
	rs[7].CORS = cors(shop)
	rs[8].CORS = cors()
	rs[9].CORS = cors(shop)
	e.Deploy("f", rest.DeployConfig{Public: public, Routes: &rs, CORS: cors(app)})

	for _, tt := range []struct {
		method, path, origin, want string
	}{
		{"GET", "/fn/f/", app, app}, {"PUT", "/fn/f/item", app, app}, {"PUT", "/fn/f/item", shop, ""}, {"GET", "/fn/f", app, app},
		{"GET", "/inherits", app, app}, {"GET", "/inherits", shop, ""},
		{"GET", "/item", evil, "*"}, {"HEAD", "/item", evil, "*"}, {"PUT", "/item", shop, shop}, {"PUT", "/item", app, ""}, {"PUT", "/item", evil, ""},
		{"DELETE", "/item", app, app}, {"DELETE", "/item", shop, ""},
		{"HEAD", "/seen", shop, shop}, {"HEAD", "/seen", app, ""}, {"GET", "/seen", app, app}, {"GET", "/seen", shop, ""},
		{"GET", "/files/x", app, app}, {"GET", "/files/own/x", app, ""}, {"GET", "/files/own", shop, shop}, {"POST", "/files/own/a/b", shop, shop},
		{"POST", "/none", app, ""}, {"POST", "/none", evil, ""}, {"OPTIONS", "/options", shop, shop}, {"OPTIONS", "/options", app, ""},
	} {
		for _, pre := range []bool{false, true} {
			a := ask(e, pre, tt.method, tt.path, tt.origin)
			if got := a.Header.Values("Access-Control-Allow-Origin"); strings.Join(got, ",") != tt.want {
				t.Errorf("%s %s for %s, preflight %v: %s allows %q, want %q", tt.method, tt.path, tt.origin, pre, a.Status, got, tt.want)
			}
			if pre && tt.path != "/none" && (a.StatusCode != 204 || a.Header.Get(rest.HeaderInvocation) != "") {
				t.Errorf("preflight for %s %s: %s %v", tt.method, tt.path, a.Status, a.Header)
			}
			if pre && tt.want != "" && !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), tt.method) {
				t.Errorf("preflight for %s %s allows %q", tt.method, tt.path, a.Header.Get("Access-Control-Allow-Methods"))
			}
			if vary := strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin"); tt.path != "/none" && vary != (tt.want != "*") {
				t.Errorf("%s %s for %s, preflight %v: Vary %v", tt.method, tt.path, tt.origin, pre, a.Header.Values("Vary"))
			}
		}
	}
	put := ask(e, true, "PUT", "/item", shop).Header
	if put.Get("Access-Control-Allow-Credentials") != "true" || put.Get("Access-Control-Allow-Headers") != "X-Price" {
		t.Errorf("the rest of the route's CORS: %v", put)
	}
	if get := ask(e, true, "GET", "/item", shop).Header; get.Get("Access-Control-Allow-Credentials") != "" || strings.Contains(get.Get("Access-Control-Allow-Headers"), "X-Price") {
		t.Errorf("one route's CORS is mixed into another's: %v", get)
	}
	// Without CORS the function answers itself, and may set what it likes.
	a := e.Do("OPTIONS", "/none", `{"status":299,"headers":{"Access-Control-Allow-Origin":["https://own.example"]}}`, "Origin: "+app, "Access-Control-Request-Method: POST")
	if a.StatusCode != 299 || a.Header.Get("Access-Control-Allow-Origin") != "https://own.example" {
		t.Errorf("a route without CORS: %s %v", a.Status, a.Header)
	}
}

// Browsers keep what a preflight allows by address and not by method, so one
// route's answer must not speak for another's methods.
func TestAPreflightSpeaksForItsOwnRouteOnly(t *testing.T) {
	e := servertest.Start(t)
	kept := hearth.Duration(time.Hour)
	all, some := &hearth.CORS{Origins: []string{"*"}, MaxAge: kept}, &hearth.CORS{Origins: []string{"https://a.example"}, MaxAge: kept}
	rs := *routes(t, "/mixed", "PUT /mixed", "/alone", "GET /twins", "POST /twins", "OPTIONS /own", "PUT /said", "DELETE /said")
	rs[1].CORS = some
	rs[3].CORS, rs[4].CORS = some, &hearth.CORS{Origins: []string{"https://a.example"}, MaxAge: kept}
	rs[6].CORS = &hearth.CORS{Origins: []string{"*"}, Methods: []string{"DELETE", "PUT", "PURGE"}, MaxAge: kept}
	e.Deploy("f", rest.DeployConfig{Public: public, Routes: &rs, CORS: all})
	for _, tt := range []struct{ method, path, methods, maxAge string }{
		{"GET", "/mixed", "GET, HEAD, POST, PATCH, DELETE", "0"},
		{"PUT", "/mixed", "PUT", "0"},
		{"GET", "/alone", "GET, HEAD, POST, PUT, PATCH, DELETE", "3600"},
		{"POST", "/twins", "GET, HEAD, POST", "3600"},
		{"OPTIONS", "/own", "OPTIONS", "3600"},
		{"PUT", "/said", "PUT", "0"},
		{"GET", "/fn/f/mixed", "GET, HEAD, POST, PUT, PATCH, DELETE", "3600"},
	} {
		h := ask(e, true, tt.method, tt.path, "https://a.example").Header
		if h.Get("Access-Control-Allow-Methods") != tt.methods || h.Get("Access-Control-Max-Age") != tt.maxAge {
			t.Errorf("%s %s: %q for %q, want %q for %s", tt.method, tt.path,
				h.Get("Access-Control-Allow-Methods"), h.Get("Access-Control-Max-Age"), tt.methods, tt.maxAge)
		}
	}
}

func TestPagesCanReadWhatThePlatformAnswers(t *testing.T) {
	e := servertest.Start(t, func(c *config.Config, _ *server.Options) { c.MaxRequestMiB = 1 })
	const page, other = "https://page.example", "https://other.example"
	rs := *routes(t, "POST /f", "PUT /f")
	rs[0].CORS = &hearth.CORS{Origins: []string{page}, Credentials: true}
	rs[1].CORS = &hearth.CORS{Origins: []string{other}}
	e.Deploy("closed", rest.DeployConfig{Routes: &rs, Limits: hearth.Limits{Timeout: hearth.Duration(100 * time.Millisecond)}})
	_, viewer := e.User("v", hearth.RoleViewer)
	for _, tt := range []struct {
		name, method, body, key string
		status                  int
	}{
		{"no key", "POST", "1", "", 401},
		{"a viewer's key", "POST", "1", viewer, 403},
		{"too much", "POST", strings.Repeat("x", 1<<20+1), e.Key, 413},
		{"a failure", "POST", `{"fail":"ValueError: no"}`, e.Key, 502},
		{"a crash", "POST", `{"exit":3}`, e.Key, 502},
		{"a time-out", "POST", `{"hang":true}`, e.Key, 504},
		{"a method no route has", "GET", "", e.Key, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			headers := []string{"Origin: " + page}
			if tt.key != "" {
				headers = append(headers, servertest.Auth(tt.key))
			}
			a := e.Do(tt.method, "/f", tt.body, headers...)
			h := a.Header
			if a.StatusCode != tt.status || h.Get("Access-Control-Allow-Origin") != page || h.Get("Access-Control-Allow-Credentials") != "true" ||
				!strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
				t.Errorf("%s %v", a.Status, h)
			}
			mustProblem(t, a)
			headers[0] = "Origin: https://evil.example"
			if a := e.Do(tt.method, "/f", tt.body, headers...); a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("another origin reads it too: %v", a.Header)
			}
		})
	}
	pre := ask(e, true, "DELETE", "/f", other)
	if pre.StatusCode != 405 || pre.Header.Get("Allow") != "POST, PUT" || pre.Header.Get("Access-Control-Allow-Origin") != other ||
		pre.Header.Get("Access-Control-Allow-Methods") != "" || pre.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight for a method no route has: %s %v", pre.Status, pre.Header)
	}
	if a := ask(e, false, "GET", "/nothing", page); a.StatusCode != 404 || a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("where no function is: %s %v", a.Status, a.Header)
	}
}

// CORS of routes goes in and out by all ways there are, and holds at once.
func TestCORSOfRoutesIsKept(t *testing.T) {
	e := servertest.Start(t)
	own := &hearth.CORS{Origins: []string{"https://a.example"}, MaxAge: hearth.Duration(time.Minute)}
	rs := *routes(t, "/a", "/b", "/c")
	rs[0].CORS, rs[1].CORS = own, &hearth.CORS{}
	d := e.Deploy("f", rest.DeployConfig{Public: public, Routes: &rs})
	want := `[{"path":"/a","cors":{"origins":["https://a.example"],"max_age":"1m0s"}},{"path":"/b","cors":{"origins":[]}},{"path":"/c"}]`
	for name, got := range map[string]string{
		"deploy": mustMarshal(t, d.Function.Routes),
		"get":    e.Do("GET", "/api/v1/functions/f", "", servertest.Auth(e.Key)).Text,
		"list":   e.Do("GET", "/api/v1/functions", "", servertest.Auth(e.Key)).Text,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s\ndoesn't have %s", name, got, want)
		}
	}
	// A configuration says nothing of routes and leaves them.
	if a := e.Do("PATCH", "/api/v1/functions/f/config", `{"concurrency":2}`, servertest.Auth(e.Key), "Content-Type: application/merge-patch+json"); a.StatusCode != 201 || !strings.Contains(a.Text, want) {
		t.Errorf("after a new configuration: %s %s", a.Status, a.Text)
	}
	patch := func(body string) servertest.Answer {
		return e.Do("PATCH", "/api/v1/functions/f", body, servertest.Auth(e.Key), "Content-Type: application/json")
	}
	if a := ask(e, false, "GET", "/c", "https://b.example"); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("before: %v", a.Header)
	}
	if a := patch(`{"routes":[{"path":"/a"},{"path":"/c","cors":{"origins":["*"]}}]}`); a.StatusCode != 200 {
		t.Fatalf("patch: %s %s", a.Status, a.Text)
	}
	if a := ask(e, false, "GET", "/c", "https://b.example"); a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("after: %v", a.Header)
	}
	if a := ask(e, false, "GET", "/a", "https://a.example"); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a route that lost its CORS: %v", a.Header)
	}
	p := mustProblem(t, patch(`{"routes":[{"path":"/a","cors":{"origins":["nonsense"]}}]}`))
	if p.Status != 422 || p.Field != "route.cors" || !strings.Contains(p.Detail, `route "/a": cors holds "nonsense"`) || !strings.Contains(p.Hint, "https://") {
		t.Errorf("a bad origin: %+v", p)
	}
}

func mustMarshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
