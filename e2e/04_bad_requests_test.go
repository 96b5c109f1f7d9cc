package e2e

import (
	"bufio"
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
)

// Bad requests get a problem document with a stable code.
func Test04BadRequests(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir(), "--max-request", "1")
	s.MustDeploy("echo", fine, "--public", "--route", "POST /only-post")
	s.MustDeploy("closed", fine)
	viewer := mustKey(t, s, "vic", hearth.RoleViewer)
	developer := mustKey(t, s, "dev", hearth.RoleDeveloper)
	const functions, invoke = "/api/v1/functions", "/api/v1/functions/echo/invoke"
	big := `"` + strings.Repeat("x", 1<<20) + `"`
	for _, c := range []struct {
		name         string
		method, path string
		body, key    string
		status       int
		code         hearth.Code
		says         string // in detail or hint
		allow        string
	}{
		{"payload over the limit", "POST", invoke, big, s.Key, 413, hearth.CodeTooLarge, "limit of 1048576 bytes", ""},
		{"payload over the limit of a route", "POST", "/fn/echo/x", big, "", 413, hearth.CodeTooLarge, "--max-request", ""},
		{"broken JSON", "POST", invoke, "{\n  \"a\": 1,\n}", s.Key, 400, hearth.CodeInvalid, "line 3, column 1", ""},
		{"two documents", "POST", invoke, `{} {}`, s.Key, 400, hearth.CodeInvalid, "line 1, column 4", ""},
		{"no key", "GET", functions, "", "", 401, hearth.CodeUnauthenticated, "Authorization: Bearer", ""},
		{"wrong key", "GET", functions, "", "hk_wrong", 401, hearth.CodeUnauthenticated, "key", ""},
		{"wrong key on a route", "POST", "/fn/closed", "{}", "hk_wrong", 401, hearth.CodeUnauthenticated, "key", ""},
		{"no key on a route", "POST", "/fn/closed", "{}", "", 401, hearth.CodeUnauthenticated, "key", ""},
		{"viewer who calls", "POST", invoke, "{}", viewer, 403, hearth.CodeForbidden, "viewer", ""},
		{"viewer who calls a route", "POST", "/fn/closed", "{}", viewer, 403, hearth.CodeForbidden, "viewer", ""},
		{"viewer who deletes", "DELETE", functions + "/echo", "", viewer, 403, hearth.CodeForbidden, "developer", ""},
		{"developer who makes users", "POST", "/api/v1/users", `{"name":"x","role":"admin"}`, developer, 403, hearth.CodeForbidden, "admin", ""},
		{"wrong method", "GET", invoke, "", s.Key, 405, hearth.CodeMethod, "POST", "POST"},
		{"wrong method of a list", "DELETE", functions, "", s.Key, 405, hearth.CodeMethod, "GET", "GET"},
		{"wrong method of a route", "GET", "/only-post", "", "", 405, hearth.CodeMethod, "POST", "POST"},
		{"unknown operation", "GET", "/api/v1/nothing", "", s.Key, 404, hearth.CodeNotFound, "/openapi.json", ""},
		{"unknown version of the API", "GET", "/api/v9/functions", "", s.Key, 404, hearth.CodeNotFound, "", ""},
		{"unknown route", "GET", "/nothing", "", "", 404, hearth.CodeNotFound, "/nothing", ""},
		{"unknown function", "POST", functions + "/nothing/invoke", "{}", s.Key, 404, hearth.CodeNotFound, `"nothing"`, ""},
		{"unknown function's address", "GET", "/fn/nothing/", "", "", 404, hearth.CodeNotFound, `"nothing"`, ""},
		{"path with dots", "GET", "/../api/v1/functions", "", "", 404, hearth.CodeNotFound, "", ""},
		{"unknown version", "POST", invoke + "?version=99", "{}", s.Key, 404, hearth.CodeNotFound, "99", ""},
		{"version that is no number", "POST", invoke + "?version=new", "{}", s.Key, 422, hearth.CodeInvalid, `"new"`, ""},
		{"limit out of range", "GET", functions + "?limit=99999999", "", s.Key, 422, hearth.CodeInvalid, "limit", ""},
		{"foreign cursor", "GET", functions + "?cursor=%21%21", "", s.Key, 422, hearth.CodeInvalid, "cursor", ""},
		{"deploy that is no form", "POST", functions + "/x/versions", "{}", s.Key, 400, hearth.CodeInvalid, "multipart/form-data", ""},
		{"user of no known role", "POST", "/api/v1/users", `{"name":"x","role":"boss"}`, s.Key, 422, hearth.CodeInvalid, "admin, developer or viewer", ""},
		{"unknown member", "POST", "/api/v1/users", `{"name":"x","rolle":"admin"}`, s.Key, 422, hearth.CodeInvalid, "rolle", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.For(t)
			var header []string
			if c.key != "" {
				header = []string{"Authorization", "Bearer " + c.key}
			}
			r := s.MustCall(c.method, c.path, c.body, header...)
			p := problemOf(t, r, c.status, c.code)
			if !strings.Contains(p.Detail+p.Hint, c.says) {
				t.Errorf("it doesn't say %q: %s", c.says, r.Body)
			}
			if c.allow != "" && !strings.Contains(r.Header.Get("Allow"), c.allow) {
				t.Errorf("Allow is %q, lacks %s", r.Header.Get("Allow"), c.allow)
			}
		})
	}
	// What is below a function's address is its own, dots or not.
	if r := s.MustCall("GET", "/fn/echo/../../api/v1/functions", ""); r.Status != 200 || !strings.Contains(r.Body, `"/../../api/v1/functions"`) {
		t.Errorf("dots below a function's address: %d %s", r.Status, r.Body)
	}
	if r := s.MustCall("POST", "/fn/echo", "{}"); r.Status != 200 {
		t.Errorf("afterwards a good request is answered %d %s", r.Status, r.Body)
	}
}

// problemOf reads a problem document and checks its form.
func problemOf(t *testing.T, r Reply, status int, code hearth.Code) rest.Problem {
	t.Helper()
	if r.Status != status {
		t.Errorf("status %d, want %d: %.300s", r.Status, status, r.Body)
	}
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
		t.Fatalf("it is %q: %.300s", ct, r.Body)
	}
	var p rest.Problem
	r.JSON(t, &p)
	if p.Code != code || p.Status != r.Status || p.Title == "" || p.Detail == "" {
		t.Errorf("want the code %s and every member filled: %s", code, r.Body)
	}
	return p
}

func mustKey(t *testing.T, s *Server, name string, role hearth.Role) (key string) {
	t.Helper()
	if _, err := s.Client().AddUser(t.Context(), rest.NewUser{Name: name, Role: role}); err != nil {
		t.Fatal(err)
	}
	k, err := s.Client().AddKey(t.Context(), rest.NewKey{Name: "test", User: name})
	if err != nil {
		t.Fatal(err)
	}
	return k.Secret
}

// What breaks the rules of HTTP itself is refused, reaches no function, and
// hides no second request.
func Test04BrokenHTTP(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	s.MustDeploy("echo", python(`
def handler(event, context):
    return {"statusCode": 200, "body": "%s %s" % (event["requestContext"]["http"]["method"], event.get("body"))}
`), "--public")
	const hidden = "GET /fn/echo/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
	post := "POST /fn/echo HTTP/1.1\r\nHost: x\r\n"
	for _, c := range []struct {
		name, request string
		statuses      []int
	}{
		{"two different lengths", post + "Content-Length: 4\r\nContent-Length: 60\r\n\r\n{}{}" + hidden, []int{400}},
		{"length with a sign", post + "Content-Length: +4\r\n\r\n{}{}" + hidden, []int{400}},
		{"negative length", post + "Content-Length: -1\r\n\r\n" + hidden, []int{400}},
		{"lengths in a list", post + "Content-Length: 4, 5\r\n\r\n{}{}" + hidden, []int{400}},
		{"unknown transfer coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + hidden, []int{501}},
		{"misspelt transfer coding", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden, []int{501}},
		{"two transfer codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden, []int{400, 501}},
		{"space before a colon", post + "Content-Length : 4\r\n\r\n{}{}" + hidden, []int{400}},
		{"bad chunk size", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + hidden, []int{400}},
		{"huge chunk size", post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n" + hidden, []int{400}},
		{"no host", "GET /fn/echo HTTP/1.1\r\n\r\n", []int{400}},
		{"two hosts", "GET /fn/echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", []int{400}},
		{"zero byte in a header", "GET /fn/echo HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", []int{400}},
		{"no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
		{"oversized headers", "GET /fn/echo HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", []int{431}},
		{"very many headers", "GET /fn/echo HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 100_000) + "\r\n", []int{431}},
		{"unknown version of HTTP", "GET /fn/echo HTTP/9.9\r\nHost: x\r\n\r\n", []int{400, 505}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.For(t)
			replies := exchange(t, s, c.request)
			if len(replies) != 1 {
				t.Fatalf("%d replies to what is one request: %+v", len(replies), replies)
			}
			for _, want := range c.statuses {
				if replies[0].Status == want {
					return
				}
			}
			t.Errorf("status %d, want %v", replies[0].Status, c.statuses)
		})
	}
	// A length beside chunks: chunks win, and all agree on where the request ends.
	replies := exchange(t, s, post+"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
	if len(replies) != 1 || replies[0].Status == 200 && replies[0].Body != "POST hi" {
		t.Errorf("a length beside chunks comes to %+v", replies)
	}
	calls, err := s.Client().Invocations(t.Context(), client.InvocationsQuery{Function: "echo"}, client.Page{})
	if err != nil || len(calls.Items) > 1 {
		t.Errorf("broken requests reached the function: %d calls (%v)", len(calls.Items), err)
	}
}

// exchange sends bytes on a connection of its own, ends its side, and reads
// replies until the server ends the other.
func exchange(t *testing.T, s *Server, request string) []Reply {
	t.Helper()
	conn := mustDial(t, s)
	defer conn.Close()
	go func() {
		_, _ = io.WriteString(conn, request) // the server may refuse to read all of it
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	var out []Reply
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return out
		}
		b, _ := io.ReadAll(resp.Body)
		out = append(out, Reply{Status: resp.StatusCode, Header: resp.Header, Body: string(b)})
	}
}

func mustDial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(startLimit)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A request that stops half-way is told so, and calls nothing.
func Test04HalfARequest(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	s.MustDeploy("echo", fine, "--public")
	for _, body := range []string{"Content-Length: 100\r\n\r\n{\"half\":", "Transfer-Encoding: chunked\r\n\r\n64\r\n{\"half\":"} {
		for _, path := range []string{"/fn/echo", "/api/v1/functions/echo/invoke"} {
			replies := exchange(t, s, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", path, s.Key, body))
			if len(replies) != 1 {
				t.Fatalf("%s: %d replies", path, len(replies))
			}
			p := problemOf(t, replies[0], 400, hearth.CodeInvalid)
			if !strings.Contains(p.Detail, "ended before its announced length") || p.Hint == "" {
				t.Errorf("%s: %s", path, replies[0].Body)
			}
		}
	}
	// A deploy that stops half-way makes nothing.
	replies := exchange(t, s, "POST /api/v1/functions/half/versions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s.Key+
		"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000\r\n\r\n"+
		"--b\r\nContent-Disposition: form-data; name=\"code\"; filename=\"main.py\"\r\n\r\ndef handler(e, c):")
	if len(replies) != 1 || replies[0].Status != 400 {
		t.Errorf("half a deploy is answered %v", replies)
	}
	fs, err := s.Client().Functions(t.Context(), "", client.Page{})
	if err != nil || len(fs.Items) != 1 {
		t.Errorf("there are %d functions, want 1 (%v)", len(fs.Items), err)
	}
	calls, err := s.Client().Invocations(t.Context(), client.InvocationsQuery{}, client.Page{})
	if err != nil || len(calls.Items) != 0 {
		t.Errorf("%d calls are recorded, want none (%v)", len(calls.Items), err)
	}
}

// A call whose caller went away is cancelled, or finishes where its author says
// so; it is recorded either way, and the function serves on.
func Test04CallerGoesAway(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	const py = "import time\ndef handler(event, context):\n    print('begun', flush=True)\n    time.sleep(%s)\n    print('ended', flush=True)\n    return 1\n"
	const js = "export const handler = async () => { console.log('begun'); await new Promise((r) => setTimeout(r, %s)); console.log('ended'); return 1 }\n"
	for _, c := range []struct {
		name    string
		files   map[string]string
		flags   []string
		outcome hearth.Outcome
		ended   bool
	}{
		{"py-cancel", python(fmt.Sprintf(py, "60")), []string{"--timeout", "2m"}, hearth.OutcomeCancelled, false},
		{"py-finish", python(fmt.Sprintf(py, "0.5")), []string{"--on-disconnect", "finish"}, hearth.OutcomeOK, true},
		{"js-cancel", javascript(fmt.Sprintf(js, "60000")), []string{"--timeout", "2m"}, hearth.OutcomeCancelled, false},
		{"js-finish", javascript(fmt.Sprintf(js, "500")), []string{"--on-disconnect", "finish"}, hearth.OutcomeOK, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.For(t)
			s.MustDeploy(c.name, c.files, append(c.flags, "--public")...)
			conn := mustDial(t, s)
			if _, err := io.WriteString(conn, "POST /fn/"+c.name+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
				t.Fatal(err)
			}
			awaitLine(t, s, c.name, "begun")
			conn.Close()
			if got := awaitCall(t, s, c.name); got.Outcome != c.outcome {
				t.Errorf("it is recorded as %s, want %s", got.Outcome, c.outcome)
			}
			if text := s.MustRun("logs", c.name); strings.Contains(text, "ended") != c.ended {
				t.Errorf("the log is:\n%s", text)
			}
		})
	}
}

// awaitLine waits until a function has printed a text. Lines are stored in
// batches: nothing tells when.
func awaitLine(t *testing.T, s *Server, name, text string) {
	t.Helper()
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		l, err := s.Client().Logs(t.Context(), client.LogsQuery{Function: name, Text: text}, client.Page{})
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Items) > 0 {
			return
		}
	}
	t.Fatalf("%s never printed %q", name, text)
}

// awaitCall waits for the record of the only call of a function, which is written
// in batches too.
func awaitCall(t *testing.T, s *Server, name string) hearth.Invocation {
	t.Helper()
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		l, err := s.Client().Invocations(t.Context(), client.InvocationsQuery{Function: name}, client.Page{})
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Items) > 0 {
			return l.Items[0]
		}
	}
	t.Fatalf("no call of %s was recorded", name)
	return hearth.Invocation{}
}
