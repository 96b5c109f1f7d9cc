package node_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"hearth"
	"hearth/internal/runtime/node"
)

// mustDetect returns the runtimes of this host. Without any, the test is
// skipped, but fails where CI promised a Node.
func mustDetect(t *testing.T) []hearth.Runtime {
	t.Helper()
	found, note, err := node.New().Detect(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI has to have Node: %s", note)
		}
		t.Skip(note)
	}
	return found
}

func TestDetectFindsWhatNodeNeeds(t *testing.T) {
	for _, rt := range mustDetect(t) {
		if rt.Language != "nodejs" || !strings.HasPrefix(rt.Name, "nodejs") || !strings.HasPrefix(rt.Version, strings.TrimPrefix(rt.Name, "nodejs")+".") {
			t.Errorf("runtime %s of version %s, language %s", rt.Name, rt.Version, rt.Language)
		}
		for _, f := range rt.Files {
			if _, err := os.Stat(f); err != nil || !filepath.IsAbs(f) {
				t.Errorf("%s needs %s: %v", rt.Name, f, err)
			}
		}
		if len(rt.Zygote) != 0 {
			t.Errorf("%s has a zygote, and Node can't fork", rt.Name)
		}
		if rt.Command[0] != rt.Interpreter || rt.Command[len(rt.Command)-1] != hearth.ShimMount+"/shim.cjs" {
			t.Errorf("command %q", rt.Command)
		}
		for _, name := range []string{"shim.cjs", "rehearsal/module.mjs"} {
			if _, err := os.Stat(filepath.Join(rt.ShimDir, name)); err != nil {
				t.Error(err)
			}
		}
		if _, err := os.Stat(filepath.Join(rt.ShimDir, "test")); err == nil {
			t.Error("the shim's tests are shipped with it")
		}
	}
}

// TestShim runs the shim's own tests, which start it with a socket on
// descriptor 3, with every Node of this host.
func TestShim(t *testing.T) {
	tests, err := filepath.Glob("shim/test/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests of the shim: %v", err)
	}
	for _, rt := range mustDetect(t) {
		t.Run(rt.Name, func(t *testing.T) {
			flags := rt.Command[1 : len(rt.Command)-1]
			cmd := exec.CommandContext(t.Context(), rt.Interpreter, append([]string{"--test", "--test-reporter=tap"}, tests...)...)
			cmd.Env = append(os.Environ(), "HEARTH_NODE_FLAGS="+strings.Join(flags, " "))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, failures(out))
			}
			if !bytes.Contains(out, []byte("\n# fail 0\n")) || bytes.Contains(out, []byte("\n# pass 0\n")) {
				t.Fatalf("no test ran:\n%s", out)
			}
		})
	}
}

// failures keeps of a TAP report what failed.
func failures(tap []byte) string {
	var out []string
	keep := 0
	for _, line := range strings.Split(string(tap), "\n") {
		if strings.Contains(line, "not ok ") {
			keep = 30
		}
		if keep > 0 || strings.HasPrefix(line, "# ") {
			out = append(out, line)
		}
		keep--
	}
	return strings.Join(out, "\n")
}

func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func TestHandlerIsGuessed(t *testing.T) {
	const esm, cjs = "export const handler = async () => 1", "exports.handler = () => 1"
	for _, c := range []struct {
		name string
		code fstest.MapFS
		want string
	}{
		{"an ES module", files("index.mjs", esm), "index.handler"},
		{"CommonJS", files("index.js", cjs), "index.handler"},
		{"an async function", files("app.mjs", "export async function handler(event) {}"), "app.handler"},
		{"a generator", files("main.mjs", "export async function* handler(event) {}"), "main.handler"},
		{"an export list", files("main.mjs", "const handler = 1;\nexport { a, handler };"), "main.handler"},
		{"an object", files("main.cjs", "module.exports = {\n  handler,\n  other }"), "main.handler"},
		{"a default export", files("index.mjs", "export default async () => 1"), "index.default"},
		{"module.exports is the function", files("index.js", "module.exports = async (event) => 1"), "index.default"},
		{"the usual name comes first", files("zeta.js", cjs, "main.js", cjs, "index.js", cjs), "index.handler"},
		{"main of package.json comes before", files("package.json", `{"main":"./src/fn.js"}`, "src/fn.js", cjs, "index.js", cjs), "src/fn.handler"},
		{"main without extension", files("package.json", `{"main":"lib"}`, "lib/index.mjs", esm), "lib/index.handler"},
		{"the only module", files("thumbs.mjs", esm, "README.md", ""), "thumbs.handler"},
		{"lambda_function", files("lambda_function.js", cjs), "lambda_function.handler"},
	} {
		got, err := node.New().Handler(c.code)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
			continue
		}
		if err := node.New().Check(c.code, got); err != nil {
			t.Errorf("%s: the guess doesn't pass the check: %v", c.name, err)
		}
	}
}

func TestHandlerThatCantBeGuessedSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name string
		code fstest.MapFS
		want hearth.Code
		hint string
	}{
		{"no module", files("README.md", ""), hearth.CodeInvalid, "index.mjs"},
		{"no export", files("index.js", "const x = 1"), hearth.CodeInvalid, "--handler"},
		{"TypeScript", files("index.ts", "export const handler = 1"), hearth.CodeUnsupported, "deploy JavaScript"},
	} {
		_, err := node.New().Handler(c.code)
		wantError(t, c.name, err, c.want, c.hint)
	}
}

func TestCheck(t *testing.T) {
	code := files("index.mjs", "", "src/fn.js", "", "a/b.cjs", "", "my.func.js", "", "pkg/index.js", "", "only.ts", "export const handler = 1")
	for _, handler := range []string{"index.handler", "src/fn.go", "a.b.c", "a/b.c", "index.api.v1", "my.func.handler", "pkg.handler", "pkg/index.$x"} {
		if err := node.New().Check(code, handler); err != nil {
			t.Errorf("%s: %v", handler, err)
		}
	}
	for handler, want := range map[string]struct {
		code hearth.Code
		hint string
	}{
		"index":             {hearth.CodeInvalid, "FILE.EXPORT"},
		"":                  {hearth.CodeInvalid, "FILE.EXPORT"},
		"../x.handler":      {hearth.CodeInvalid, "FILE.EXPORT"},
		"/etc/x.handler":    {hearth.CodeInvalid, "FILE.EXPORT"},
		"index..handler":    {hearth.CodeInvalid, "FILE.EXPORT"},
		"index.handler;rm":  {hearth.CodeInvalid, "FILE.EXPORT"},
		"missing.handler":   {hearth.CodeInvalid, "missing.js"},
		"only.handler":      {hearth.CodeUnsupported, "deploy JavaScript"},
		"src/other.handler": {hearth.CodeInvalid, "src/other.js"},
	} {
		wantError(t, handler, node.New().Check(code, handler), want.code, want.hint)
	}
	wantError(t, "broken package.json", node.New().Check(files("index.js", "", "package.json", "{"), "index.handler"), hearth.CodeInvalid, "package.json")
	wantError(t, "a better guess", node.New().Check(files("app.mjs", "export const handler = 1"), "index.handler"), hearth.CodeInvalid, "app.handler")
}

func TestOwns(t *testing.T) {
	for name, want := range map[string]bool{
		"index.js": true, "x.mjs": true, "x.cjs": true, "package.json": true, "index.ts": true, "types.d.ts": false, "main.py": false, "src/index.js": false,
	} {
		if got := node.New().Owns(files(name, "")); got != want {
			t.Errorf("owns %s: %v", name, got)
		}
	}
}

func wantError(t *testing.T, what string, err error, code hearth.Code, hint string) {
	t.Helper()
	var e *hearth.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v, want an *hearth.Error", what, err)
		return
	}
	if e.Code != code || !strings.Contains(e.Hint, hint) {
		t.Errorf("%s: %s %q with hint %q; want %s and %q", what, e.Code, e.Message, e.Hint, code, hint)
	}
}
