package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// lambda is a handler that was written for AWS Lambda, as it stands in
// testdata/lambda.
type lambda struct {
	file    string // or folder
	handler string
	flags   []string
	check   func(*testing.T, *Server, string)
}

const (
	s3Event = `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-central-1","eventTime":"2024-02-29T23:59:59.000Z",
		"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"photos","arn":"arn:aws:s3:::photos"},
		"object":{"key":"summer+2024/d%C3%BCne.JPG","size":1024,"eTag":"d41d8cd98f00b204e9800998ecf8427e"}}}]}`
	sqsEvent = `{"Records":[
		{"messageId":"m1","body":"{\"id\":1,\"quantity\":2}","md5OfBody":"43d5f2f712c65373bda7e7225c54fa6c","messageAttributes":{"kind":{"stringValue":"express","dataType":"String"}}},
		{"messageId":"m2","body":"{\"id\":2,\"quantity\":0}","md5OfBody":"8751c6b3d1998c760b273939ab3eb925","messageAttributes":{}},
		{"messageId":"m3","body":"{}","md5OfBody":"0","messageAttributes":{}}]}`
	cognitoEvent = `{"version":"1","triggerSource":"PreSignUp_SignUp","region":"eu-central-1","userPoolId":"p","userName":"ada",
		"request":{"userAttributes":{"email":"ada@example.com"}},"response":{}}`
	kinesisEvent = `{"Records":[{"kinesis":{"sequenceNumber":"1","data":"eyJzZW5zb3IiOiJhIiwidmFsdWUiOjJ9"}},
		{"kinesis":{"sequenceNumber":"2","data":"eyJzZW5zb3IiOiJiIiwidmFsdWUiOjF9"}},
		{"kinesis":{"sequenceNumber":"3","data":"eyJzZW5zb3IiOiJhIiwidmFsdWUiOjN9"}}]}`
	badKinesisEvent = `{"Records":[{"kinesis":{"sequenceNumber":"7","data":"bm90IGpzb24="}}]}`
)

var lambdas = []lambda{
	{"python/api_router.py", "api_router.lambda_handler", nil, checkRouter("Learn Python")},
	{"python/s3_event.py", "s3_event.lambda_handler", nil, replies(s3Event,
		`{"manifest":"/tmp","objects":[{"uri":"s3://photos/summer 2024/düne.JPG","size":1024,"day":"2024/02/29","extension":".JPG"}]}`,
		"Loading function", "Received ObjectCreated:Put for s3://photos/summer 2024/düne.JPG")},
	{"python/sqs_batch.py", "sqs_batch.lambda_handler", nil, replies(sqsEvent,
		`{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m3"}]}`,
		"order 1 (express)", "failed: m2", "PoisonMessage: quantity must be positive")},
	{"python/cognito_presignup.py", "cognito_presignup.lambda_handler", nil, replies(cognitoEvent, cognitoReply)},
	{"python/form_post.py", "form_post.handler", []string{"--env", "GREETING=Hello"}, checkForm},
	{"python/shop", "shop.services.orders.place", []string{"--env", "ORDERS_TABLE=orders-test"}, checkState(`"19.80"`)},
	{"python/context_methods.py", "context_methods.lambda_handler", []string{"--env", "STAGE=test", "--memory", "192"}, checkContext},
	{"python/parallel_work.py", "parallel_work.lambda_handler", nil, replies(`{"numbers":[1,2,3]}`,
		`{"threads":[1,4,9],"processes":[1,4,9],"subprocess":[1,4,9],"asyncio":[1,4,9],"sqlite":14}`)},
	{"python/signed_download.py", "signed_download.lambda_handler", []string{"--env", "SECRET=s3cret"}, checkDownload("n,crc\r\n0,4108050209\r\n1,2212294583\r\n", "/2")},
	{"python/kinesis_records.py", "kinesis_records.lambda_handler", nil, checkKinesis},
	{"python/lines_stream.py", "lines_stream.handler", nil, streams},
	{"python/eventbridge_async.py", "eventbridge_async.handler", nil, replies(
		`{"source":"aws.events","time":"2024-12-31T23:57:00Z","resources":["eu","us"]}`,
		`{"next":"2025-01-01T00:02:00+00:00","checked":["eu","us"]}`)},

	{"node/api-router.mjs", "api-router.handler", nil, checkRouter("Learn JavaScript")},
	{"node/s3-event.js", "s3-event.handler", nil, replies(s3Event,
		`{"manifest":"/tmp","objects":[{"uri":"s3://photos/summer 2024/düne.JPG","size":1024,"extension":".JPG"}]}`,
		"Loading function", "Received ObjectCreated:Put for s3://photos/summer 2024/düne.JPG")},
	{"node/sqs-batch.mjs", "sqs-batch.handler", nil, replies(sqsEvent,
		`{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m3"}]}`,
		"order 1 express", "failed: m2", "RangeError: quantity must be positive")},
	{"node/cognito-presignup.cjs", "cognito-presignup.handler", nil, replies(cognitoEvent, cognitoReply)},
	{"node/form-post.mjs", "form-post.handler", []string{"--env", "GREETING=Hello"}, checkForm},
	{"node/shop", "shop/orders.orders.place", []string{"--env", "ORDERS_TABLE=orders-test"}, checkState(`"19.80"`)},
	{"node/context-methods.mjs", "context-methods.handler", []string{"--env", "STAGE=test", "--memory", "192"}, checkContext},
	{"node/parallel-work.mjs", "parallel-work.handler", nil, replies(`{"numbers":[1,2,3]}`,
		`{"threads":[1,4,9],"children":[1,4,9],"exec":[1,4,9],"files":["n.txt"],"squares":[1,4,9]}`)},
	{"node/signed-download.js", "signed-download.handler", []string{"--env", "SECRET=s3cret"}, checkDownload("n,sha\r\n0,5feceb66\r\n1,6b86b273", "/2?eol=crlf")},
	{"node/kinesis-records.mjs", "kinesis-records.handler", nil, checkKinesis},
	{"node/lines-stream.mjs", "lines-stream.handler", nil, streams},
	{"node/legacy-context.js", "legacy-context.handler", nil, checkLegacy},
}

// Handlers written for AWS Lambda run unchanged.
func Test05LambdaHandlers(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	for _, l := range lambdas {
		name := strings.NewReplacer("/", "-", "_", "-", ".", "-").Replace(l.file)
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			path := filepath.Join("testdata", "lambda", l.file)
			if filepath.Base(l.file) == "shop" { // the folder is the package
				path = t.TempDir()
				if err := os.CopyFS(filepath.Join(path, "shop"), os.DirFS(filepath.Join("testdata", "lambda", l.file))); err != nil {
					t.Fatal(err)
				}
			}
			s.MustRun(append([]string{"deploy", path, "--name", name, "--handler", l.handler, "--public"}, l.flags...)...)
			l.check(t, s, name)
			if t.Failed() {
				t.Logf("its log:\n%s", s.MustRun("logs", name))
			}
		})
	}
}

const cognitoReply = `{"version":"1","triggerSource":"PreSignUp_SignUp","region":"eu-central-1","userPoolId":"p","userName":"ada",
	"request":{"userAttributes":{"email":"ada@example.com"}},
	"response":{"autoConfirmUser":true,"autoVerifyEmail":true,"autoVerifyPhone":false}}`

// replies checks what an event comes to, and what it leaves in the log.
func replies(event, want string, logged ...string) func(*testing.T, *Server, string) {
	return func(t *testing.T, s *Server, name string) {
		if got := s.MustRun("invoke", name, "-d", event); !sameJSON(t, got, want) {
			t.Errorf("it returned %s\nwant %s", got, want)
		}
		log := s.MustRun("logs", name)
		for _, line := range logged {
			if !strings.Contains(log, line) {
				t.Errorf("its log lacks %q", line)
			}
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("it returned %q, which isn't JSON: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

func checkRouter(first string) func(*testing.T, *Server, string) {
	return func(t *testing.T, s *Server, name string) {
		for _, c := range []struct {
			method, path, body string
			status             int
			want               string
		}{
			{"GET", "/items", "", 200, `[{"id":"1","title":"` + first + `"}]`},
			{"GET", "/items/1", "", 200, `{"id":"1","title":"` + first + `"}`},
			{"POST", "/items", `{"title":"Tanzübung"}`, 201, `{"id":"2","title":"Tanzübung"}`},
			{"GET", "/items?limit=1&x=y", "", 200, `[{"id":"1","title":"` + first + `"}]`},
			{"GET", "/items/9", "", 404, `{"message":"item 9 not found"}`},
			{"PATCH", "/items", "{}", 404, `{"message":"no route for PATCH /items"}`},
		} {
			r := s.MustCall(c.method, "/fn/"+name+c.path, c.body, "Content-Type", "application/json")
			if r.Status != c.status || !sameJSON(t, r.Body, c.want) || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Items") == "" {
				t.Errorf("%s %s: %d %s %v, want %d %s", c.method, c.path, r.Status, r.Body, r.Header, c.status, c.want)
			}
		}
		if r := s.MustCall("DELETE", "/fn/"+name+"/items/2", ""); r.Status != 204 || r.Body != "" || r.Header.Get("X-Items") != "1" {
			t.Errorf("DELETE: %d %q %v", r.Status, r.Body, r.Header)
		}
		if log := s.MustRun("logs", name); !strings.Contains(log, "DELETE /items/2 request=01") {
			t.Errorf("its log lacks the requests:\n%s", log)
		}
	}
}

func checkForm(t *testing.T, s *Server, name string) {
	r := s.MustCall("POST", "/fn/"+name, "name=Ada+%3CLovelace%3E&age=36",
		"Content-Type", "application/x-www-form-urlencoded", "Cookie", "visits=4; theme=dark")
	if r.Status != 200 || !strings.Contains(r.Body, "<h1>Hello, Ada &") || !strings.HasSuffix(r.Body, "<p>visit 5</p>") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if got := r.Header.Values("Set-Cookie"); !reflect.DeepEqual(got, []string{"visits=5; Path=/; HttpOnly", "seen=1; Max-Age=60"}) {
		t.Errorf("the cookies are %q", got)
	}
	if got := r.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("the page is %q", got)
	}
}

func checkState(total string) func(*testing.T, *Server, string) {
	return func(t *testing.T, s *Server, name string) {
		for _, id := range []string{"1", "2", "3"} { // kept in memory by one warm sandbox
			replies(`{"sku":"pen","quantity":2}`,
				`{"table":"orders-test","version":"1","order":{"id":`+id+`,"sku":"pen","quantity":2,"total":`+total+`}}`)(t, s, name)
		}
	}
}

func checkContext(t *testing.T, s *Server, name string) {
	var got map[string]any
	if err := json.Unmarshal([]byte(s.MustRun("invoke", name)), &got); err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]any{
		"name": name, "version": "1", "memory": 192., "request": true, "counts_down": true,
		"arn_kind": "function", "arn_name": name, "client": nil, "user": nil,
	} {
		if got[member] != want {
			t.Errorf("%s is %v, want %v", member, got[member], want)
		}
	}
	env, _ := got["env"].(map[string]any)
	if env["STAGE"] != "test" || env["AWS_LAMBDA_FUNCTION_NAME"] != name {
		t.Errorf("the environment is %v", env)
	}
	if root, ok := got["task_root"]; ok && root != true {
		t.Error("the code isn't at LAMBDA_TASK_ROOT")
	}
}

func checkDownload(want, path string) func(*testing.T, *Server, string) {
	return func(t *testing.T, s *Server, name string) {
		req, err := http.NewRequest("GET", s.URL+"/fn/"+name+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip") // by hand: Go then leaves the bytes as they are
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, []byte("s3cret"))
		mac.Write(body)
		if got := resp.Header.Get("X-Signature"); got != hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("the signature %s isn't that of the body: %d %.200q", got, resp.StatusCode, body)
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(z); err != nil || string(text) != want {
			t.Errorf("the file holds %q (%v), want %q", text, err, want)
		}
	}
}

func checkKinesis(t *testing.T, s *Server, name string) {
	replies(kinesisEvent, `{"a":5,"b":1}`)(t, s, name)
	r := s.Run("invoke", name, "-d", badKinesisEvent)
	for _, want := range []string{"BadRecord: sequence 7", "JSON", "SyntaxError"} {
		if want == "SyntaxError" && strings.HasPrefix(name, "python") {
			want = "JSONDecodeError"
		}
		if r.Code != function || !strings.Contains(r.Err, want) {
			t.Errorf("exit code %d, lacks %q:\n%s", r.Code, want, r.Err)
		}
	}
	replies(kinesisEvent, `{"a":5,"b":1}`)(t, s, name) // it serves on
}

func streams(t *testing.T, s *Server, name string) {
	if got, want := s.MustRun("invoke", name, "-d", `{"count":4}`), "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"; strings.ReplaceAll(got, ": ", ":") != want {
		t.Errorf("it streamed %q, want %q", got, want)
	}
}

func checkLegacy(t *testing.T, s *Server, name string) {
	replies(`{"value":[1]}`, `{"got":[1]}`)(t, s, name)
	if r := s.Run("invoke", name, "-d", `{"fail":true}`); r.Code != function || !strings.Contains(r.Err, "TypeError: asked to fail") {
		t.Errorf("exit code %d:\n%s", r.Code, r.Err)
	}
}
