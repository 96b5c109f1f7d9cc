package python

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"hearth"
)

func code(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestHandlerIsGuessed(t *testing.T) {
	const def = "def handler(event, context):\n    pass\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"main.py":                     {map[string]string{"main.py": def, "util.py": def}, "main.handler"},
		"the only file":               {map[string]string{"hello.py": def}, "hello.handler"},
		"an async handler":            {map[string]string{"app.py": "async def handler(e, c): pass"}, "app.handler"},
		"as AWS names it":             {map[string]string{"lambda_function.py": "def lambda_handler(e, c): pass"}, "lambda_function.lambda_handler"},
		"handler before main":         {map[string]string{"main.py": "def main(e, c): pass\n" + def}, "main.handler"},
		"an assignment":               {map[string]string{"app.py": "handler = App()\n"}, "app.handler"},
		"an annotated assignment":     {map[string]string{"app.py": "handler: Handler = App()\n"}, "app.handler"},
		"an import":                   {map[string]string{"main.py": "from pkg.web import app as handler\n"}, "main.handler"},
		"the next file if none":       {map[string]string{"main.py": "X = 1\n", "handler.py": def}, "handler.handler"},
		"tests and setup don't count": {map[string]string{"test_x.py": def, "setup.py": def, "job.py": def}, "job.handler"},
	} {
		got, err := New().Handler(code(c.files))
		if err != nil || got != c.want {
			t.Errorf("%s: Handler = %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestHandlerNamesTheCandidates(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		hint  string
	}{
		"other functions": {map[string]string{"a.py": "def work(e, c): pass", "b.py": ""}, "a.work"},
		"no functions":    {map[string]string{"main.py": "x = 1"}, "def handler(event, context)"},
		"no files":        {map[string]string{"README.md": ""}, "main.py"},
		"a comparison":    {map[string]string{"main.py": "handler == 5\n"}, "def handler"},
		"inside a class":  {map[string]string{"main.py": "class A:\n    def handler(self): pass"}, "def handler"},
	} {
		_, err := New().Handler(code(c.files))
		var e *hearth.Error
		if !errors.As(err, &e) || e.Code != hearth.CodeInvalid || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: err = %#v; want a hint with %q", name, err, c.hint)
		}
	}
}

func TestCheckSaysWhatIsCertainlyWrong(t *testing.T) {
	files := code(map[string]string{
		"main.py": "def handler(e, c): pass\n", "star.py": "from x import *\n", "pkg/__init__.py": "", "pkg/mod.py": "def fn(e, c): pass\n",
		"dir/mod.py": "fn = make()\n", "cls.py": "class App:\n    def run(self): pass\n",
	})
	for _, good := range []string{"main.handler", "star.anything", "pkg.mod.fn", "pkg/mod.fn", "dir/mod.fn", "cls.App.run"} {
		if err := New().Check(files, good); err != nil {
			t.Errorf("Check(%s) = %v", good, err)
		}
	}
	for handler, want := range map[string]string{
		"other.handler": "main.py", "main.missing": "handler", "pkg.nothing.fn": "pkg/nothing.py", "handler": "module.function", "main.": "module.function",
	} {
		err := New().Check(files, handler)
		var e *hearth.Error
		if !errors.As(err, &e) || e.Code != hearth.CodeInvalid || !strings.Contains(e.Hint, want) || e.Field != "handler" {
			t.Errorf("Check(%s) = %#v; want a hint with %q", handler, err, want)
		}
	}
}

func TestOwns(t *testing.T) {
	if !New().Owns(code(map[string]string{"x.py": ""})) || !New().Owns(code(map[string]string{"requirements.txt": "", "src/a.py": ""})) {
		t.Error("Python code isn't recognised")
	}
	if New().Owns(code(map[string]string{"index.js": "", "package.json": "{}"})) {
		t.Error("JavaScript code is taken for Python")
	}
}
