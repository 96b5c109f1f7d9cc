package runtime

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"hearth"
)

// tongue is a language of the tests: what it finds is what it was given.
type tongue struct {
	name    string
	aliases []string
	found   []string
	note    string
	suffix  string
	err     error
}

func (t tongue) Name() string      { return t.name }
func (t tongue) Aliases() []string { return t.aliases }
func (t tongue) Detect(context.Context, string) ([]hearth.Runtime, string, error) {
	var out []hearth.Runtime
	for _, name := range t.found {
		out = append(out, hearth.Runtime{Name: name, Language: t.name})
	}
	return out, t.note, t.err
}
func (t tongue) Owns(code fs.FS) bool {
	hits, _ := fs.Glob(code, "*"+t.suffix)
	return len(hits) > 0
}
func (t tongue) Handler(fs.FS) (string, error) { return "main.handler", nil }
func (t tongue) Check(fs.FS, string) error     { return nil }

var (
	python = tongue{name: "python", aliases: []string{"py"}, found: []string{"python3.13", "python3.11"}, suffix: ".py"}
	nodejs = tongue{name: "nodejs", aliases: []string{"node", "javascript"}, note: "there is no Node here; install it with: apt-get install nodejs", suffix: ".js"}
)

func MustCatalog(t *testing.T, langs ...Language) *Catalog {
	t.Helper()
	c, err := Detect(context.Background(), t.TempDir(), langs...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGetKnowsNamesAliasesAndLanguages(t *testing.T) {
	c := MustCatalog(t, python, nodejs)
	for name, want := range map[string]string{
		"python": "python3.13", "py": "python3.13", " Python ": "python3.13", "python3.11": "python3.11",
	} {
		rt, err := c.Get(name)
		if err != nil || rt.Name != want {
			t.Errorf("Get(%q) = %s, %v; want %s", name, rt.Name, err, want)
		}
		if l := c.Language(rt); l == nil || l.Name() != "python" {
			t.Errorf("Language(%s) = %v", rt.Name, l)
		}
	}
}

func TestGetSaysWhatTheHostHas(t *testing.T) {
	c := MustCatalog(t, python, nodejs)
	for name, want := range map[string]string{
		"javascript": "apt-get install nodejs", "nodejs20": "apt-get install nodejs", "python2.7": "python3.13, python3.11", "cobol": "python3.13", "": "python3.11",
	} {
		_, err := c.Get(name)
		var e *hearth.Error
		if !errors.As(err, &e) || e.Code != hearth.CodeInvalid || e.Field != "runtime" || !strings.Contains(e.Hint, want) {
			t.Errorf("Get(%q) = %#v; want a hint with %q", name, err, want)
		}
	}
	if notes := c.Notes(); len(notes) != 1 || notes[0] != nodejs.note {
		t.Errorf("Notes = %v", notes)
	}
}

func TestGuessWantsOneOwner(t *testing.T) {
	c := MustCatalog(t, python, nodejs)
	py, js := &fstest.MapFile{}, &fstest.MapFile{}
	if l, err := c.Guess(fstest.MapFS{"main.py": py}); err != nil || l.Name() != "python" {
		t.Errorf("Guess of Python = %v, %v", l, err)
	}
	for _, code := range []fstest.MapFS{{}, {"main.py": py, "main.js": js}} {
		if _, err := c.Guess(code); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("Guess(%v) = %v; want CodeInvalid", code, err)
		}
	}
}

func TestAFailingLanguageFailsTheDetection(t *testing.T) {
	broken := tongue{name: "broken", err: errors.New("disk full")}
	if _, err := Detect(context.Background(), t.TempDir(), broken); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("err = %v", err)
	}
}

func TestShimIsWrittenOnceForEachContent(t *testing.T) {
	root := filepath.Join(t.TempDir(), "shims")
	first := fstest.MapFS{"a.py": {Data: []byte("1")}, "sub/b.py": {Data: []byte("2")}}
	second := fstest.MapFS{"a.py": {Data: []byte("12")}, "sub/b.py": {Data: []byte("")}}
	one, err := WriteShim(root, "python", first)
	if err != nil {
		t.Fatal(err)
	}
	again, err := WriteShim(root, "python", first)
	if err != nil || again != one {
		t.Errorf("the same content went to %s and %s, %v", one, again, err)
	}
	other, err := WriteShim(root, "python", second)
	if err != nil || other == one {
		t.Errorf("other content went to %s too, %v", other, err)
	}
	b, err := os.ReadFile(filepath.Join(one, "sub", "b.py"))
	if err != nil || string(b) != "2" {
		t.Errorf("content = %q, %v", b, err)
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 2 {
		t.Errorf("%d entries are left in the folder of shims, %v; want 2", len(entries), err)
	}
}
