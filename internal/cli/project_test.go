package cli

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearth"
)

func TestParseProject(t *testing.T) {
	s, err := parseProject("hearth.yaml", []byte(`
# a function
name: shop
language: python
handler: main.handler
memory: 1GiB
tmp: 32M
timeout: 1m30s
cpu: 0.5
pids: 20
min_warm: 1
keep-alive: 5m
route:
  - /shop/*
  - post /hook
env:
  MODE: production
  LEVEL: 3
on-disconnect: finish
cors:
  origins: ["*"]
  max_age: 1h
`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.config()
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "shop" || c.Runtime != "python" || c.Limits.MemoryMiB != 1024 || c.Limits.TmpMiB != 32 || c.Limits.Timeout.Std() != 90*time.Second ||
		c.Limits.CPU != 0.5 || c.MinWarm != 1 || c.KeepAlive.Std() != 5*time.Minute || c.OnDisconnect != hearth.DisconnectFinish {
		t.Errorf("it reads %+v", c)
	}
	if got, want := *c.Routes, []hearth.Route{{Path: "/shop/*"}, {Method: "POST", Path: "/hook"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the routes are %v", got)
	}
	if c.Env["MODE"] != "production" || c.Env["LEVEL"] != "3" || c.Public != nil || c.CORS.MaxAge.Std() != time.Hour {
		t.Errorf("it reads %+v", c)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "null\n"} {
		if s, err := parseProject("hearth.yaml", []byte(empty)); err != nil || s.Name != "" {
			t.Errorf("%q reads as %+v (%v)", empty, s, err)
		}
	}
}

func TestRoutesOfAProject(t *testing.T) {
	shop := func() *hearth.CORS {
		return &hearth.CORS{Origins: []string{"https://shop.example"}, Credentials: true, MaxAge: hearth.Duration(time.Hour)}
	}
	for _, c := range []struct {
		text string
		want []hearth.Route
	}{
		{"route: /a", []hearth.Route{{Path: "/a"}}},
		{"route:", []hearth.Route{}},
		{"route: []", []hearth.Route{}},
		{"route: {path: /a}", []hearth.Route{{Path: "/a"}}},
		{"route: {path: /a, method: post}", []hearth.Route{{Method: "POST", Path: "/a"}}},
		{"route: [/a, {path: POST /b, cors: {origins: []}}]", []hearth.Route{{Path: "/a"}, {Method: "POST", Path: "/b", CORS: &hearth.CORS{Origins: []string{}}}}},
		{`
cors: &shop
  origins: [https://shop.example]
  credentials: true
  max_age: 1h
route:
  - GET /a
  - path: /b/*
    method: PUT
    cors: {origins: ["*"], methods: [PUT], headers: [X-A]}
  - {path: /c, cors: *shop}`, []hearth.Route{
			{Method: "GET", Path: "/a"},
			{Method: "PUT", Path: "/b/*", CORS: &hearth.CORS{Origins: []string{"*"}, Methods: []string{"PUT"}, Headers: []string{"X-A"}}},
			{Path: "/c", CORS: shop()},
		}},
	} {
		s, err := parseProject("hearth.yaml", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		d, err := s.config()
		if err != nil || !reflect.DeepEqual(*d.Routes, c.want) {
			t.Errorf("%s\nreads %+v (%v), want %+v", c.text, *d.Routes, err, c.want)
		}
	}
}

func TestParseProjectMistakes(t *testing.T) {
	for _, c := range []struct{ text, message, hint string }{
		{"name: [1\n", "not valid YAML", "memory: 256"},
		{"\n\nmemroy: 1\n", `line 3: "memroy" is not a setting`, "did you mean memory?"},
		{"colour: red\n", `"colour" is not a setting`, "the settings are name, runtime"},
		{"memory: lots\n", `line 1: memory: "lots" is not a size`, "1GiB"},
		{"memory: -1\n", `"-1" is not a size`, "128"},
		{"cpu: fast\n", `cpu is "fast", which is not a number`, "0.5"},
		{"pids: 1.5\n", `pids is "1.5", which is not a whole number`, "like 2"},
		{"timeout: 3\n", `timeout is "3", which is not a duration`, "3s"},
		{"public: maybe\n", `public is "maybe", which is not true or false`, "--public"},
		{"env: [A=1]\n", "env is this, which is not a list of names and values", "--env"},
		{"name: {a: b}\n", "name is this, which is not a text", "--name"},
		{"route: hello\n", `route "hello" is not a path`, "start with /"},
		{"route: [/ok, [1]]\n", "route is not a text", "/hello"},
		{"- a\n", "line 1: these are no settings", "memory: 256"},
		{"route:\n  - /ok\n  - {path: /pay, method: POST, cors: {origins: [shop.example]}}\n", `line 3: route "POST /pay": cors holds "shop.example", which is not an origin`, "https://app.example.org"},
		{"route: {path: /pay, cors: {methods: [PUT]}}\n", `route "/pay": cors names no origins`, "https://app.example.org"},
		{"route: {path: /pay, cors: {orgins: [a]}}\n", `"orgins" is not a setting`, "did you mean origins?"},
		{"route:\n  - {pth: /pay}\n", `line 2: "pth" is not a setting`, "did you mean path?"},
		{"route: {cors: {origins: []}}\n", `route "" is not a path`, "start with /"},
		{"route: {path: [/a]}\n", "path is this, which is not a text", ""},
		{"route: {path: /a, cors: x}\n", "these are no settings", ""},
		{"name: a\nname: b\n", "line 2: name is there twice", "keep one"},
		{"cors: {origin: x}\n", `"origin" is not a setting`, "origins"},
		{"cors: x\n", "these are no settings", ""},
		{"runtime: python3.11\nlanguage: nodejs\n", "both runtime", "leave one"},
	} {
		_, err := parseProject("x/hearth.yaml", []byte(c.text))
		var e *hearth.Error
		if !errors.As(err, &e) {
			t.Errorf("%q is taken (%v)", c.text, err)
			continue
		}
		if e.Code != hearth.CodeInvalid || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) || !strings.HasPrefix(e.Message, "x/hearth.yaml") {
			t.Errorf("%q: %s / %s\nwant %s / %s", c.text, e.Message, e.Hint, c.message, c.hint)
		}
	}
}

// No text brings the parser down, and each that is refused is told why.
func FuzzParseProject(f *testing.F) {
	for _, seed := range []string{
		"", "name: x\n", "route: [/a, POST /b]\n", "cors: {origins: [a]}\n", "env: {A: 1}\n",
		"route: [/a, {path: /b, method: POST, cors: {origins: [\"*\"], max_age: 1h}}]\n", "cors: &c {origins: [https://a.b]}\nroute: {path: /a, cors: *c}\n", "route: &r [*r]\n", "memory: 1GiB\n", "- 1\n", "a: &a [*a]\n",
		"<<: {a: b}\n", "? [x]\n: y\n", "name: !!binary aGk=\n", "---\na: b\n---\nc: d\n", "cors: null\n", "env: null\n", "route:\n", "timeout: 1e9\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseProject("hearth.yaml", text)
		if err == nil {
			_, err = s.overlay(settings{}).config()
		}
		var e *hearth.Error
		if err != nil && (!errors.As(err, &e) || e.Code != hearth.CodeInvalid || e.Hint == "") {
			t.Errorf("%q is refused with %v", text, err)
		}
	})
}

func TestOriginsByFlag(t *testing.T) {
	file := `
cors: {origins: [https://file.example], methods: [PUT]}
route:
  - /a
  - {method: POST, path: /b, cors: {origins: [https://file.example], credentials: true}}
`
	for _, c := range []struct {
		name     string
		flags    []string
		function *hearth.CORS
		a, b     *hearth.CORS
	}{
		{
			"nothing", nil,
			&hearth.CORS{Origins: []string{"https://file.example"}, Methods: []string{"PUT"}},
			nil, &hearth.CORS{Origins: []string{"https://file.example"}, Credentials: true},
		},
		{
			"the function's", []string{"https://x.example", "https://y.example"},
			&hearth.CORS{Origins: []string{"https://x.example", "https://y.example"}, Methods: []string{"PUT"}},
			nil, &hearth.CORS{Origins: []string{"https://file.example"}, Credentials: true},
		},
		{
			"of routes", []string{"/a=*", "post /b=https://x.example", "POST /b=http://localhost:5173"},
			&hearth.CORS{Origins: []string{"https://file.example"}, Methods: []string{"PUT"}},
			&hearth.CORS{Origins: []string{"*"}}, &hearth.CORS{Origins: []string{"https://x.example", "http://localhost:5173"}, Credentials: true},
		},
		{
			"none", []string{"none", "/a=none", "POST /b=none"},
			&hearth.CORS{Origins: []string{}}, &hearth.CORS{Origins: []string{}}, &hearth.CORS{Origins: []string{}},
		},
	} {
		s, err := parseProject("hearth.yaml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		var flags settings
		for _, f := range c.flags {
			if err := flags.Origins.Set(f); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
		}
		s = s.overlay(flags)
		if err := s.applyOrigins(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		d, err := s.config()
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []*hearth.CORS{c.function, c.a, c.b} {
			if got := []*hearth.CORS{d.CORS, (*d.Routes)[0].CORS, (*d.Routes)[1].CORS}[i]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d is %+v, want %+v", c.name, i, got, want)
			}
		}
	}
}

func TestOverlay(t *testing.T) {
	file := settings{Name: "file", Memory: 256, MinWarm: 3, Public: true, Env: map[string]string{"A": "1"}}
	got := file.overlay(settings{})
	if got.Name != "file" || got.Memory != 256 || got.MinWarm != 3 || !got.Public || got.Env["A"] != "1" {
		t.Errorf("no flags change it to %+v", got)
	}
	said := map[string]bool{"min-warm": true, "public": true}
	got = file.overlay(settings{Name: "flag", Env: map[string]string{"B": "2"}, changed: func(f string) bool { return said[f] }})
	if got.Name != "flag" || got.Memory != 256 || got.MinWarm != 0 || got.Public || len(got.Env) != 2 {
		t.Errorf("flags make it %+v", got)
	}
	if len(file.Env) != 1 {
		t.Error("the file's own variables were changed")
	}
	for _, flag := range []string{"memory", "timeout", "cpu", "pids", "tmp", "concurrency"} {
		_, err := settings{changed: func(f string) bool { return f == flag }}.config()
		if hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%s 0 is taken for the default", flag)
		}
	}
}
