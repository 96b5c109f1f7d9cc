package bundle_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/bundle"
)

func mustPack(t testing.TB, name string) ([]byte, bundle.PackInfo) {
	t.Helper()
	var b bytes.Buffer
	info, err := bundle.Pack(&b, name)
	if err != nil {
		t.Fatalf("pack: %v", err)
	}
	return b.Bytes(), info
}

func TestPackLeavesOutWhatIsNotCode(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, map[string]string{
		"main.py": "code", "lib/util.py": "code", "node_modules/x/index.js": "code", "lib/hearth.yaml": "the function's own", "bin": "-> lib/util.py",
		".git/config": "", "lib/.git/config": "", ".DS_Store": "", "lib/.DS_Store": "", "hearth.yaml": "", ".venv/bin/python": "-> /usr/bin/python3",
		"__pycache__/main.pyc": "", "lib/__pycache__/x": "", "lib/x.pyc": "", "node_modules/.cache/x": "", ".hearthignore": "# nothing\n",
	})
	b, info := mustPack(t, dir)
	want := map[string]string{
		"main.py": "code", "lib/": "", "lib/util.py": "code", "lib/hearth.yaml": "the function's own", "bin": "-> lib/util.py",
		"node_modules/": "", "node_modules/x/": "", "node_modules/x/index.js": "code",
	}
	s, _ := mustOpen(t, bundle.Limits{})
	added := mustAdd(t, s, b, "code.tar.gz")
	if d := cmp.Diff(want, contents(t, mustDir(t, s, added.Digest))); d != "" {
		t.Errorf("packed (-want +got):\n%s", d)
	}
	if info.Files != 4 || info.Bytes != 30 || fmt.Sprint(info.Names) != "[bin lib/hearth.yaml lib/util.py main.py node_modules/x/index.js]" {
		t.Errorf("info is %+v", info)
	}
	if added.Files != info.Files || added.Bytes != info.Bytes {
		t.Errorf("packed %+v, added %+v", info, added)
	}
}

func TestPackHonoursTheIgnoreFile(t *testing.T) {
	all := []string{"a.log", "b.txt", "build/x", "build/keep/y", "deep/build/z", "doc/a.md", "doc/sub/b.md", "src/a.log", "src/main.py", "[x]"}
	for pattern, left := range map[string]string{
		"*.log":               "[x] b.txt build/keep/y build/x deep/build/z doc/a.md doc/sub/b.md src/main.py",
		"/*.log":              "[x] b.txt build/keep/y build/x deep/build/z doc/a.md doc/sub/b.md src/a.log src/main.py",
		"build":               "[x] a.log b.txt doc/a.md doc/sub/b.md src/a.log src/main.py",
		"/build/":             "[x] a.log b.txt deep/build/z doc/a.md doc/sub/b.md src/a.log src/main.py",
		"b.txt/":              strings.Join([]string{"[x]", "a.log", "b.txt", "build/keep/y", "build/x", "deep/build/z", "doc/a.md", "doc/sub/b.md", "src/a.log", "src/main.py"}, " "),
		"doc/**/b.md":         "[x] a.log b.txt build/keep/y build/x deep/build/z doc/a.md src/a.log src/main.py",
		"doc/**":              "[x] a.log b.txt build/keep/y build/x deep/build/z src/a.log src/main.py",
		"**/build":            "[x] a.log b.txt doc/a.md doc/sub/b.md src/a.log src/main.py",
		"*.log\n!src/a.log":   "[x] b.txt build/keep/y build/x deep/build/z doc/a.md doc/sub/b.md src/a.log src/main.py",
		"?.txt\n# x\n\n[ab]*": "[x] src/main.py", // deep/build and what is in doc begin with a or b
		`\[x\]`:               "a.log b.txt build/keep/y build/x deep/build/z doc/a.md doc/sub/b.md src/a.log src/main.py",
	} {
		dir := t.TempDir()
		for _, n := range all {
			mustWrite(t, dir, map[string]string{n: "x"})
		}
		mustWrite(t, dir, map[string]string{".hearthignore": pattern + "\r\n"})
		_, info := mustPack(t, dir)
		if got := strings.Join(info.Names, " "); got != left {
			t.Errorf("%q leaves\n%s, want\n%s", pattern, got, left)
		}
	}
}

func TestPackOfAFileHasItsName(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, dir, map[string]string{"main.py": "x", "other.py": "y"})
	b, info := mustPack(t, filepath.Join(dir, "main.py"))
	if fmt.Sprint(info.Names) != "[main.py]" {
		t.Errorf("info is %+v", info)
	}
	s, _ := mustOpen(t, bundle.Limits{})
	if got, want := mustAdd(t, s, b, "code.tar.gz"), mustAdd(t, s, []byte("x"), "main.py"); got != want {
		t.Errorf("packed it is %+v, sent as it is %+v", got, want)
	}
}

func TestPackIsTheSameForTheSameContent(t *testing.T) {
	var packed [][]byte
	for i := range 2 {
		dir := t.TempDir()
		mustWrite(t, dir, map[string]string{"b.py": "b", "a/x": "x", "c": "-> b.py"})
		at := time.Unix(int64(i)*1e6, 0)
		mustDo(t, os.Chtimes(filepath.Join(dir, "b.py"), at, at))
		mustDo(t, os.Chmod(filepath.Join(dir, "a/x"), 0o600+os.FileMode(i)*0o40))
		b, _ := mustPack(t, dir)
		packed = append(packed, b)
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("times or permissions make a difference")
	}
}

func TestPackRefusesWhatCantTravel(t *testing.T) {
	outside := t.TempDir()
	mustWrite(t, outside, map[string]string{"secret": "x"})
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"link out":          {map[string]string{"main.py": "x", "d/l": "-> ../../up"}, `"d/l"`},
		"absolute link":     {map[string]string{"main.py": "x", "l": "-> " + outside + "/secret"}, `"l"`},
		"link to left out":  {map[string]string{"main.py": "x", "l": "-> .venv/../../x", ".venv/y": ""}, `"l"`},
		"control character": {map[string]string{"a\nb": "x"}, "control character"},
		"backslash":         {map[string]string{`a\b`: "x"}, "backslash"},
		"no files":          {map[string]string{"d/": ""}, "no files"},
		"all left out":      {map[string]string{"main.py": "x", ".hearthignore": "*"}, "no files"},
		"bad pattern":       {map[string]string{"main.py": "x", ".hearthignore": "[a"}, "[a"},
	} {
		dir := t.TempDir()
		mustWrite(t, dir, c.files)
		_, err := bundle.Pack(io.Discard, dir)
		wantInvalid(t, name, err, c.says)
	}
	dir := t.TempDir()
	mustWrite(t, dir, map[string]string{"main.py": "x"})
	l, err := net.Listen("unix", filepath.Join(dir, "s.sock"))
	mustDo(t, err)
	defer l.Close()
	_, err = bundle.Pack(io.Discard, dir)
	wantInvalid(t, "socket", err, "s.sock can't be packed: it is a socket")
	_, err = bundle.Pack(io.Discard, filepath.Join(dir, "nothing"))
	wantInvalid(t, "missing", err, "nothing")
}

func wantInvalid(t *testing.T, name string, err error, says string) {
	t.Helper()
	e := hearth.AsError(err)
	if e == nil || e.Code != hearth.CodeInvalid || !strings.Contains(e.Message, says) || e.Hint == "" {
		t.Errorf("%s: %#v, want one that says %q", name, e, says)
	}
}

// Whatever is in a folder, it is the same after packing and adding.
func TestRoundTrip(t *testing.T) {
	base := t.TempDir()
	s, err := bundle.Open(filepath.Join(base, "code"), bundle.Limits{})
	mustDo(t, err)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := filepath.Join(base, fmt.Sprint(n))
		mustDo(t, os.Mkdir(dir, 0o755))
		part := rapid.SampledFrom([]string{"a", "b", "ü", "x y", "日本", "..z", "-", "'\"", "%s"})
		want := map[string]string{"main.py": ""}
		paths := rapid.SliceOfN(rapid.SliceOfN(part, 1, 3), 0, 6).Draw(rt, "paths")
		for _, p := range paths {
			// Files and folders have different endings, so that they don't clash.
			name := strings.Join(p, ".d/")
			want[name+".f"] = string(rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(rt, "body"))
			if strings.HasPrefix(want[name+".f"], "-> ") {
				want[name+".f"] = ""
			}
			for i := range len(p) - 1 {
				want[strings.Join(p[:i+1], ".d/")+".d/"] = ""
			}
		}
		mustWrite(t, dir, want)
		b, _ := mustPack(t, dir)
		added := mustAdd(t, s, b, "code.tar.gz")
		if d := cmp.Diff(want, contents(t, mustDir(t, s, added.Digest))); d != "" {
			rt.Fatalf("tree (-want +got):\n%s", d)
		}
		var export bytes.Buffer
		mustDo(t, s.Export(t.Context(), added.Digest, &export))
		if !bytes.Equal(export.Bytes(), b) {
			rt.Fatal("what is exported isn't what was packed")
		}
	})
}
