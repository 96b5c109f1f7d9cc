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
		"", "name: x\n", "route: [/a, POST /b]\n", "cors: {origins: [a]}\n", "env: {A: 1}\n", "memory: 1GiB\n", "- 1\n", "a: &a [*a]\n",
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
