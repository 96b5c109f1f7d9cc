package e2e

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hearth"
	"hearth/client/rest"
)

// mistake is something that people do. Words in braces are put in: {dir} is the
// folder with the files, {url} and {data} are the server's.
type mistake struct {
	name  string
	files map[string]string
	env   []string
	args  string   // of hearth; `invoke` rows deploy the files first, under the name "f"
	code  int      // exit code
	cause []string // what "error:" (with the trace below it) must name
	next  []string // what "next:" must say
}

const (
	usage    = 2
	function = 1
	platform = 3
)

var (
	fine   = map[string]string{"main.py": "def handler(event, context):\n    return event\n"}
	fineJS = map[string]string{"index.mjs": "export const handler = async (event) => event\n"}
)

func python(code string) map[string]string     { return map[string]string{"main.py": code} }
func javascript(code string) map[string]string { return map[string]string{"index.mjs": code} }
func slow(file, code string) map[string]string {
	return map[string]string{file: code, "hearth.yaml": "timeout: 1s\n"}
}
func withYAML(text string) map[string]string {
	return map[string]string{"main.py": fine["main.py"], "hearth.yaml": text}
}

var mistakes = []mistake{
	// Handlers.
	{"wrong handler name", fine, nil, "deploy {dir} --handler main.handlr", usage, []string{"main.py has no function handlr"}, []string{"--handler main.handler"}},
	{"wrong handler name in JavaScript", fineJS, nil, "deploy {dir} --handler index.handlr", function, []string{"index.mjs exports no handlr", "it exports handler"}, []string{"--handler"}},
	{"no handler in the module", python("def hander(event, context): return 1\n"), nil, "deploy {dir}", usage, []string{"no handler was found in main.py"}, []string{"--handler", "main.hander"}},
	{"module that isn't there", fine, nil, "deploy {dir} --handler app.handler", usage, []string{"no module app"}, []string{"app.py", "main.py"}},
	{"module that isn't there in JavaScript", fineJS, nil, "deploy {dir} --handler app.handler", usage, []string{`"app.handler"`, "module"}, []string{"--handler index.handler"}},
	{"handler without a module", fine, nil, "deploy {dir} --handler handler", usage, []string{`"handler" can't be a handler`}, []string{"module.function", "main.handler"}},
	{"handler without arguments", python("def handler(): return 1\n"), nil, "invoke f", function, []string{"handler() takes 0 positional arguments"}, []string{"def handler(event, context)"}},

	// Runtimes and sandboxes.
	{"unknown runtime", fine, nil, "deploy {dir} --runtime ruby", usage, []string{`"ruby"`}, []string{"python3", "nodejs"}},
	{"unknown language", fine, nil, "deploy {dir} --language java", usage, []string{`"java"`}, []string{"python3", "nodejs"}},
	{"runtime that the host lacks", fine, nil, "deploy {dir} --runtime python2.7", usage, []string{"no python2.7"}, []string{"this host has python3"}},
	{"runtime of another language", fine, nil, "deploy {dir} --runtime nodejs", usage, []string{"the code is python, not nodejs"}, []string{"--runtime python"}},
	{"runtime and language", fine, nil, "deploy {dir} --runtime python --language javascript", usage, []string{"runtime (python)", "language (javascript)"}, []string{"leave one of them out"}},
	{"sandbox that isn't there", fine, nil, "deploy {dir} --sandbox docker", usage, []string{`"docker"`}, []string{"native", "--sandbox"}},

	// hearth.yaml.
	{"bad YAML", withYAML("name: x\n  memory: [1\n"), nil, "deploy {dir}", usage, []string{"hearth.yaml", "line 2"}, []string{"memory: 256"}},
	{"misspelt setting", withYAML("name: x\n\nmemroy: 128\n"), nil, "deploy {dir}", usage, []string{"hearth.yaml, line 3", `"memroy"`}, []string{"did you mean memory?"}},
	{"text for a number", withYAML("name: x\nconcurrency: many\n"), nil, "deploy {dir}", usage, []string{"hearth.yaml, line 2", "concurrency", `"many"`, "whole number"}, []string{"write it like 2"}},
	{"duration without a unit", withYAML("name: x\ntimeout: 3\n"), nil, "deploy {dir}", usage, []string{"hearth.yaml, line 2", "timeout", "duration"}, []string{"3s"}},
	{"list for settings", withYAML("- name: x\n"), nil, "deploy {dir}", usage, []string{"hearth.yaml, line 1"}, []string{"memory: 256"}},
	{"setting twice", withYAML("min-warm: 1\nmin_warm: 2\n"), nil, "deploy {dir}", usage, []string{"hearth.yaml, line 2", "twice"}, []string{"keep one"}},

	// Names, routes, limits, variables.
	{"name with capitals", fine, nil, "deploy {dir} --name My_Function", usage, []string{`"My_Function"`}, []string{"lower-case", `"my-function"`}},
	{"route without a slash", fine, nil, "deploy {dir} --route hello", usage, []string{`"hello" is not a path`}, []string{"start with /"}},
	{"route with an unknown method", fine, nil, "deploy {dir} --route FETCH~/x", usage, []string{`"FETCH /x"`, "method"}, []string{"GET", "POST"}},
	{"reserved route", fine, nil, "deploy {dir} --route /api/x", usage, []string{`"/api/x" is reserved`}, []string{"choose a path", "/api"}},
	{"route of another function", fine, nil, "deploy {dir} --name other --route /taken", usage, []string{`"/taken"`, `"owner"`}, []string{"another route"}},
	{"too little memory", fine, nil, "deploy {dir} --memory 1", usage, []string{"memory is 1 MiB"}, []string{"from 32 to"}},
	{"too much memory", fine, nil, "deploy {dir} --memory 9999999", usage, []string{"memory is 9999999 MiB"}, []string{"to 65536"}},
	{"memory that is no number", fine, nil, "deploy {dir} --memory lots", usage, []string{"--memory", `"lots"`}, []string{"128MiB"}},
	{"time-out without a unit", fine, nil, "deploy {dir} --timeout 3", usage, []string{"--timeout", `"3"`, "duration"}, []string{"3s"}},
	{"time-out that is too long", fine, nil, "deploy {dir} --timeout 100h", usage, []string{"timeout is 100h"}, []string{"to 1h"}},
	{"no CPU", fine, nil, "deploy {dir} --cpu 0", usage, []string{"cpu must be more than 0"}, []string{"leave it out"}},
	{"CPU that is no number", fine, nil, "deploy {dir} --cpu fast", usage, []string{"--cpu", `"fast"`, "number"}, []string{"0.5"}},
	{"variable without a value", fine, nil, "deploy {dir} --env NOT_SET_ANYWHERE", usage, []string{"--env NOT_SET_ANYWHERE has no value"}, []string{"--env NOT_SET_ANYWHERE=VALUE"}},
	{"variable of the platform", fine, nil, "deploy {dir} --env HEARTH_X=1", usage, []string{"HEARTH_X"}, []string{"doesn't start with HEARTH_"}},
	{"variable with a bad name", fine, nil, "deploy {dir} --env 1X=1", usage, []string{`"1X"`}, []string{"letters, digits and underscores"}},
	{"network that isn't known", fine, nil, "deploy {dir} --network internet", usage, []string{`network "internet"`}, []string{"none or egress"}},
	{"batches", fine, nil, "deploy {dir} --batch-size 5", usage, []string{"batch"}, []string{"leave --batch-size out"}},

	// Code.
	{"syntax error", python("import os\n\ndef handler(event, context)\n    return 1\n"), nil, "deploy {dir}", function, []string{"SyntaxError", "main.py", "line 3"}, []string{"mend that line"}},
	{"syntax error in JavaScript", javascript("const a = 1\n\nexport const handler = async () => { return a b }\n"), nil, "deploy {dir}", function, []string{"SyntaxError", "/code/index.mjs:3"}, []string{"mend that line"}},
	{"bracket left open in JavaScript", javascript("const a = 1\n\nexport const handler = async () => {{ return 1 }\n"), nil, "deploy {dir}", function, []string{"SyntaxError", "/code/index.mjs:"}, []string{"mend that line"}},
	{"package that isn't there", python("import requests\ndef handler(event, context): return 1\n"), nil, "deploy {dir}", function, []string{"No module named 'requests'", "line 1"}, []string{"aren't installed", "folder", "pip install --target . requests"}},
	{"package that isn't there in JavaScript", javascript("import _ from 'lodash'\nexport const handler = () => 1\n"), nil, "deploy {dir}", function, []string{"'lodash'", "/code/index.mjs"}, []string{"aren't installed", "npm install lodash"}},
	{"package that isn't there in CommonJS", map[string]string{"index.js": "const _ = require('lodash/fp')\nexports.handler = () => 1\n"}, nil, "deploy {dir}", function, []string{"'lodash/fp'", "/code/index.js"}, []string{"aren't installed", "npm install lodash`"}},
	{"variable that the module needs", python("import os\nKEY = os.environ['API_KEY']\ndef handler(event, context): return 1\n"), nil, "deploy {dir}", function, []string{"KeyError", "API_KEY"}, []string{"--env API_KEY=VALUE"}},
	{"TypeScript", map[string]string{"main.ts": "export const handler = async (e: any) => 1\n"}, nil, "deploy {dir}", usage, []string{"main.ts is TypeScript"}, []string{"compile it"}},
	{"empty folder", nil, nil, "deploy {dir}", usage, []string{"no files to pack"}, []string{"folder with the function's source"}},
	{"path that isn't there", nil, nil, "deploy {dir}/nothing", usage, []string{"there is nothing at", "/nothing"}, []string{"name a folder"}},
	{"code of no language", map[string]string{"README.md": "hello\n"}, nil, "deploy {dir}", usage, []string{"doesn't look like any language"}, []string{"main.py", "--runtime"}},
	{"archive that climbs out", map[string]string{"evil.zip": zipOf("main.py", fine["main.py"], "../x.py", "1")}, nil, "deploy {dir}/evil.zip --name evil", usage, []string{`"../x.py"`, `".."`}, []string{"make the archive anew"}},
	{"archive that is none", map[string]string{"code.zip": "this is no archive"}, nil, "deploy {dir}/code.zip --name broken", usage, []string{"archive"}, []string{"anew"}},

	// Calls.
	{"function that isn't there", nil, nil, "invoke zebra", usage, []string{`no function "zebra"`}, []string{"hearth list"}},
	{"name that is nearly right", nil, nil, "invoke onwer", usage, []string{`no function "onwer"`}, []string{"did you mean owner?"}},
	{"event that isn't JSON", nil, nil, `invoke owner -d {"a":`, usage, []string{"isn't JSON", "line 1, column 6"}, []string{"double quotes"}},
	{"event that is a bare word", nil, nil, `invoke owner -d hello`, usage, []string{"isn't JSON", "'h'", "column 1"}, []string{"double quotes"}},
	{"event file that isn't there", nil, nil, "invoke owner -d @{dir}/nothing.json", usage, []string{"nothing.json", "no such file"}, []string{"-d @event.json"}},
	{"version that isn't there", nil, nil, "rollback owner 99", usage, []string{"no version 99"}, []string{"hearth versions owner"}},
	{"nothing to roll back to", nil, nil, "rollback owner", usage, []string{"no version before 1"}, []string{"hearth versions owner"}},
	{"version that is no number", nil, nil, "rollback owner latest", usage, []string{`"latest"`}, []string{"hearth versions owner"}},
	{"delete of nothing", nil, nil, "delete onwer", usage, []string{`no function "onwer"`}, []string{"did you mean owner?"}},
	{"logs of nothing", nil, nil, "logs onwer", usage, []string{`no function "onwer"`}, []string{"did you mean owner?"}},
	{"no network", python("import urllib.request\ndef handler(event, context):\n    return urllib.request.urlopen('http://example.com').status\n"), nil, "invoke f", function, []string{"URLError", "main.py\", line 3"}, []string{"--network egress"}},
	{"no network in JavaScript", javascript("export const handler = async () => (await fetch('http://example.com')).status\n"), nil, "invoke f", function, []string{"fetch failed", "/code/index.mjs:1"}, []string{"--network egress"}},
	{"no network for a plain socket", python("import socket\ndef handler(event, context):\n    socket.create_connection(('192.0.2.1', 80), 3)\n"), nil, "invoke f", function, []string{"unreachable"}, []string{"--network egress"}},
	{"exception", python("def handler(event, context):\n    return event['name']\n"), nil, "invoke f -d {}", function, []string{"KeyError: 'name'", "line 2"}, []string{"hearth invocations 01"}},
	{"result that JSON can't hold", python("def handler(event, context): return {1, 2}\n"), nil, "invoke f", function, []string{"type set"}, []string{"JSON"}},
	{"result that JSON can't hold in JavaScript", javascript("export const handler = () => 10n\n"), nil, "invoke f", function, []string{"BigInt"}, []string{"JSON"}},
	{"sys.exit", python("import sys\ndef handler(event, context): sys.exit(3)\n"), nil, "invoke f", function, []string{"sys.exit(3)"}, []string{"return from the handler"}},
	{"process.exit", javascript("export const handler = () => process.exit(3)\n"), nil, "invoke f", function, []string{"process.exit(3)"}, []string{"return from the handler"}},
	{"endless loop", slow("main.py", "def handler(event, context):\n    while True: pass\n"), nil, "invoke f", function, []string{"limit of 1s"}, []string{"--timeout"}},
	{"endless loop in JavaScript", slow("index.mjs", "export const handler = () => { for (;;); }\n"), nil, "invoke f", function, []string{"limit of 1s"}, []string{"--timeout"}},
	{"memory bomb", python("def handler(event, context):\n    x = []\n    while True: x.append(bytearray(b'x' * (1 << 20)))\n"), nil, "invoke f", function, []string{"128 MiB"}, []string{"--memory 256"}},
	{"memory bomb in JavaScript", javascript("export const handler = () => { const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1)) }\n"), nil, "invoke f", function, []string{"128 MiB"}, []string{"--memory 256"}},

	// Servers and keys.
	{"no server", nil, []string{"HEARTH_DATA={dir}"}, "list", platform, []string{"no server runs on {dir}"}, []string{"hearth serve --data {dir}"}},
	{"wrong key", nil, []string{"HEARTH_API_KEY=hk_wrong"}, "list", usage, []string{"key"}, []string{"HEARTH_API_KEY"}},
	{"viewer who deploys", fine, []string{"HEARTH_API_KEY={viewer}"}, "deploy {dir}", usage, []string{"vic is a viewer"}, []string{"developer"}},
	{"nobody at the address", nil, []string{"HEARTH_URL=http://127.0.0.1:1"}, "list", platform, []string{"no answer from http://127.0.0.1:1", "refused"}, []string{"hearth serve", "HEARTH_URL"}},
	{"address that is none", nil, nil, "list --url localhost:8080", usage, []string{`"localhost:8080"`}, []string{"http://127.0.0.1:8080"}},
	{"HTTPS to a plain server", nil, nil, "list --url https://{host}", usage, []string{"plain HTTP"}, []string{"http://{host}"}},
	{"second server on a folder", nil, nil, "serve --data {data} --listen 127.0.0.1:0", usage, []string{"runs on {data} already"}, []string{"--data"}},
	{"port in use", nil, nil, "serve --data {dir} --listen {host}", usage, []string{"in use"}, []string{"--listen 127.0.0.1:0"}},
	{"listen address that is none", nil, nil, "serve --data {dir} --listen nonsense", usage, []string{`"nonsense"`}, []string{"127.0.0.1:8080"}},
	{"unknown role", nil, nil, "users add bob --role boss", usage, []string{`"boss"`}, []string{"admin, developer or viewer"}},
	{"user that isn't there", nil, nil, "users remove nobody", usage, []string{`"nobody"`}, []string{"hearth users"}},

	// The command line itself.
	{"misspelt command", nil, nil, "deplyo {dir} --memory 3", usage, []string{`"deplyo"`}, []string{"hearth deploy?"}},
	{"unknown command", nil, nil, "frobnicate", usage, []string{`"frobnicate"`}, []string{"hearth --help"}},
	{"misspelt command below users", nil, nil, "users ad", usage, []string{`"ad"`}, []string{"hearth users add?"}},
	{"misspelt flag", fine, nil, "deploy {dir} --memry 128", usage, []string{"--memry"}, []string{"--memory?"}},
	{"missing argument", nil, nil, "invoke", usage, []string{"NAME is missing"}, []string{"hearth invoke NAME"}},
	{"argument too many", nil, nil, "invoke owner extra", usage, []string{`"extra"`}, []string{"hearth invoke NAME"}},
	{"unknown form of output", nil, nil, "list -o xml", usage, []string{`"xml"`}, []string{"table, plain or json"}},
}

// Every mistake gets an error that names its cause, and the next step.
func Test03Mistakes(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	s.MustDeploy("owner", fine, "--route", "/taken")
	ctx := t.Context()
	if _, err := s.Client().AddUser(ctx, rest.NewUser{Name: "vic", Role: hearth.RoleViewer}); err != nil {
		t.Fatal(err)
	}
	viewer, err := s.Client().AddKey(ctx, rest.NewKey{Name: "test", User: "vic"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			s := s.For(t)
			dir := filepath.Join(t.TempDir(), "f")
			if err := os.Rename(MustWrite(t, m.files), dir); err != nil {
				t.Fatal(err)
			}
			fill := strings.NewReplacer("{dir}", dir, "{data}", s.Data, "{url}", s.URL,
				"{host}", strings.TrimPrefix(s.URL, "http://"), "{viewer}", viewer.Secret).Replace
			if strings.HasPrefix(m.args, "invoke f") {
				s.MustRun("deploy", dir, "--name", "f")
			}
			var args, env []string
			for _, a := range strings.Fields(m.args) {
				args = append(args, strings.ReplaceAll(fill(a), "~", " "))
			}
			for _, e := range m.env {
				env = append(env, fill(e))
			}
			checkMistake(t, m, fill, s.RunWith(env, "", args...))
		})
	}
}

var nextRE = regexp.MustCompile(`(?m)^next:  (.+)$`)

func checkMistake(t *testing.T, m mistake, fill func(string) string, r Result) {
	t.Helper()
	if r.Code != m.code {
		t.Errorf("exit code %d, want %d", r.Code, m.code)
	}
	if r.Out != "" {
		t.Errorf("printed to standard output: %s", r.Out)
	}
	next := nextRE.FindStringSubmatchIndex(r.Err)
	if !strings.HasPrefix(r.Err, "error: ") || next == nil {
		t.Fatalf("no error with a next step:\n%s", r.Err)
	}
	cause, hint := r.Err[:next[0]], r.Err[next[2]:next[3]]
	for _, want := range m.cause {
		if !strings.Contains(cause, fill(want)) {
			t.Errorf("the cause doesn't name %q", want)
		}
	}
	for _, want := range m.next {
		if !strings.Contains(hint, fill(want)) {
			t.Errorf("the next step doesn't say %q", want)
		}
	}
	if strings.Contains(r.Err, "/hearth/") || strings.Contains(r.Err, "goroutine ") {
		t.Error("it shows the inside of the platform")
	}
	if t.Failed() {
		t.Logf("hearth %s\n%s", m.args, r.Err)
	}
}

// A folder over the limit is refused before all of it was sent.
func Test03TooMuchCode(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir(), "--max-code", "2")
	big := make([]byte, 8<<20)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	dir := MustWrite(t, map[string]string{"main.py": fine["main.py"], "data.bin": string(big)})
	m := mistake{args: "deploy", code: usage, cause: []string{"over the limit"}, next: []string{"leave out"}}
	checkMistake(t, m, strings.NewReplacer().Replace, s.Run("deploy", dir, "--name", "big"))
}

// zipOf makes an archive of names and texts in turn.
func zipOf(files ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			panic(err) // a buffer doesn't fail
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}
