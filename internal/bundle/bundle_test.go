package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/bundle"
)

func mustOpen(t testing.TB, l bundle.Limits) (*bundle.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "code")
	s, err := bundle.Open(dir, l)
	mustDo(t, err)
	return s, dir
}

func mustAdd(t testing.TB, s *bundle.Store, b []byte, filename string) bundle.Bundle {
	t.Helper()
	out, err := s.Add(t.Context(), bytes.NewReader(b), filename)
	if err != nil {
		t.Fatalf("add %s: %v", filename, err)
	}
	return out
}

func mustDir(t testing.TB, s *bundle.Store, digest string) string {
	t.Helper()
	dir, err := s.Dir(digest)
	mustDo(t, err)
	return dir
}

// wantClean fails if uploads left something behind.
func wantClean(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	mustDo(t, err)
	if len(left) != 0 {
		t.Errorf("%d uploads were left behind", len(left))
	}
}

func TestEveryFormOfTheSameCodeIsTheSameBundle(t *testing.T) {
	s, dir := mustOpen(t, bundle.Limits{})
	items := []item{
		{name: "main.py", body: "def handler(e, c): pass\n"},
		{name: "lib/", mode: fs.ModeDir | 0o700},
		{name: "lib/run.sh", body: "#!/bin/sh\n", mode: 0o4711 | fs.ModeSetuid},
		{name: "lib/latest", mode: fs.ModeSymlink | 0o777, link: "../main.py"},
		{name: "deep/er/x.txt", body: ""},
	}
	reversed := []item{items[4], items[2], items[3], items[0]} // folders unsaid
	var first bundle.Bundle
	for name, b := range map[string][]byte{
		"a.zip": zipOf(t, items...), "b.zip": zipOf(t, reversed...), "c.tar": tarOf(t, items...),
		"d.tar.gz": gzipOf(t, tarOf(t, reversed...)), "e.tgz": gzipOf(t, tarOf(t, items...)),
		"named-wrongly.zip": tarOf(t, items...), "noname": zipOf(t, items...),
	} {
		got := mustAdd(t, s, b, name)
		if first.Digest == "" {
			first = got
		}
		if got != first || got.Files != 3 || got.Bytes != 34 {
			t.Errorf("%s became %+v, another %+v", name, got, first)
		}
	}
	want := map[string]string{
		"main.py": items[0].body, "lib/": "", "lib/run.sh*": items[2].body, "lib/latest": "-> ../main.py",
		"deep/": "", "deep/er/": "", "deep/er/x.txt": "",
	}
	if d := cmp.Diff(want, contents(t, mustDir(t, s, first.Digest))); d != "" {
		t.Errorf("tree (-want +got):\n%s", d)
	}
	kept, err := os.ReadDir(filepath.Join(dir, "sha256"))
	mustDo(t, err)
	if len(kept) != 1 {
		t.Errorf("it is kept %d times", len(kept))
	}
	wantClean(t, dir)
	mustDo(t, s.Verify(t.Context(), first.Digest))
	files, err := s.FS(first.Digest)
	mustDo(t, err)
	if b, err := fs.ReadFile(files, "lib/latest"); err != nil || string(b) != items[0].body {
		t.Errorf("through the link: %q, %v", b, err)
	}
}

func TestTheDigestIsThatOfTheContent(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	seen := map[string]string{}
	for name, items := range map[string][]item{
		"plain":        {{name: "a", body: "x"}},
		"other body":   {{name: "a", body: "y"}},
		"other name":   {{name: "b", body: "x"}},
		"runnable":     {{name: "a", body: "x", mode: 0o755}},
		"one more":     {{name: "a", body: "x"}, {name: "b", body: ""}},
		"empty folder": {{name: "a", body: "x"}, {name: "b", mode: fs.ModeDir | 0o755}},
		"link":         {{name: "a", body: "x"}, {name: "b", mode: fs.ModeSymlink | 0o777, link: "a"}},
		"other link":   {{name: "a", body: "x"}, {name: "b", mode: fs.ModeSymlink | 0o777, link: "./a"}},
		"quoted":       {{name: "a\"", body: "x"}},
	} {
		d := mustAdd(t, s, tarOf(t, items...), "a.tar").Digest
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q have the same digest", name, other)
		}
		seen[d] = name
	}
}

func TestTheDigestNeverChanges(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	// Databases hold digests: if this one changes, their code is lost.
	const want = "sha256:992238e0e2549449cead387ca2b6bb189e1a79ff0124a1ca02d7141fbbe9f1f2"
	got := mustAdd(t, s, tarOf(t, item{name: "d/main.py", body: "x\n", mode: 0o755}, item{name: "l", mode: fs.ModeSymlink | 0o777, link: "d"}), "a.tar")
	if got.Digest != want {
		t.Errorf("digest is %s, was %s", got.Digest, want)
	}
}

func TestASourceFileIsABundle(t *testing.T) {
	s, dir := mustOpen(t, bundle.Limits{})
	for filename, want := range map[string]string{
		"main.py": "main.py", "/home/ada/index.mjs": "index.mjs", `C:\code\app.js`: "app.js", "x/UPPER.PY": "UPPER.PY",
	} {
		b := mustAdd(t, s, []byte("# héllo\n"), filename)
		if d := cmp.Diff(map[string]string{want: "# héllo\n"}, contents(t, mustDir(t, s, b.Digest))); d != "" {
			t.Errorf("%s: %s", filename, d)
		}
	}
	wantClean(t, dir)
}

func TestATreeWithOneFolderOnTopStaysSo(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	b := mustAdd(t, s, zipOf(t, item{name: "project-main/main.py", body: "x"}), "a.zip")
	if d := cmp.Diff(map[string]string{"project-main/": "", "project-main/main.py": "x"}, contents(t, mustDir(t, s, b.Digest))); d != "" {
		t.Error(d)
	}
}

func TestHarmlessOdditiesAreTaken(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	long := strings.Repeat("long-name/", 40) + "main.py"
	for name, b := range map[string][]byte{
		"tar made by `tar -C dir .`": tarOf(t, item{name: "./", mode: fs.ModeDir | 0o755}, item{name: "./main.py", body: "x"}),
		"doubled slashes":            tarOf(t, item{name: "a//main.py", body: "x"}),
		"a folder twice":             tarOf(t, item{name: "a/", mode: fs.ModeDir | 0o755}, item{name: "a/", mode: fs.ModeDir | 0o755}, item{name: "a/x", body: "x"}),
		"git archive":                tarOf(t, item{name: "pax_global_header", kind: tar.TypeXGlobalHeader}, item{name: "main.py", body: "x"}),
		"a long path":                tarOf(t, item{name: long, body: "x"}),
		"a hard link":                tarOf(t, item{name: "a", body: "x"}, item{name: "b", link: "a"}),
		"a dangling link":            tarOf(t, item{name: "a", body: "x"}, item{name: "b", mode: fs.ModeSymlink, link: "nothing/../here"}),
		"a link to a folder":         tarOf(t, item{name: "a/x", body: "x"}, item{name: "b", mode: fs.ModeSymlink, link: "a"}, item{name: "c", mode: fs.ModeSymlink, link: "b/x"}),
		"a link to the root":         tarOf(t, item{name: "a/x", body: "x"}, item{name: "a/root", mode: fs.ModeSymlink, link: ".."}),
		"names of other scripts":     zipOf(t, item{name: "käse/日本.py", body: "x"}),
		"dots in names":              zipOf(t, item{name: "..a/b../.c/...", body: "x"}),
		"something in front":         append([]byte("#!/usr/bin/env python3\n"), zipOf(t, item{name: "__main__.py", body: "x"})...),
	} {
		if _, err := s.Add(t.Context(), bytes.NewReader(b), "a.zip"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostileUploadsAreRefused(t *testing.T) {
	limits := bundle.Limits{MaxUpload: 1 << 20, MaxUnpacked: 3 << 20, MaxFiles: 100, MaxRatio: 50}
	link := fs.ModeSymlink | 0o777
	many := make([]item, 101)
	for i := range many {
		many[i] = item{name: fmt.Sprintf("f%d", i)}
	}
	linked := []item{{name: "a", body: strings.Repeat("x", 400<<10)}}
	for i := range 8 {
		linked = append(linked, item{name: fmt.Sprintf("b%d", i), link: "a"})
	}
	zeros := strings.Repeat("\x00", 2<<20)
	noise := strings.Repeat("0123456789abcdef", 25<<10) // 400 KiB
	whole := gzipOf(t, tarOf(t, item{name: "main.py", body: noise}))
	plain := tarOf(t, item{name: "main.py", body: noise}, item{name: "second.py", body: noise})
	for _, c := range []struct {
		name     string
		body     []byte
		filename string
		code     hearth.Code
		says     string
	}{
		{"absolute path", tarOf(t, item{name: "/etc/passwd", body: "x"}), "", hearth.CodeInvalid, `"/etc/passwd" has an absolute path`},
		{"path upwards", tarOf(t, item{name: "a/../../etc", body: "x"}), "", hearth.CodeInvalid, `"a/../../etc" has ".."`},
		{"path upwards within", zipOf(t, item{name: "a/../b", body: "x"}), "", hearth.CodeInvalid, `".."`},
		{"absolute path in zip", zipOf(t, item{name: "/x", body: "x"}), "", hearth.CodeInvalid, "absolute"},
		{"backslashes", zipOf(t, item{name: `..\..\x`, body: "x"}), "", hearth.CodeInvalid, "backslash"},
		{"zero byte", zipOf(t, item{name: "a\x00b", body: "x"}), "", hearth.CodeInvalid, "control character"},
		{"newline", tarOf(t, item{name: "a\nb", body: "x"}), "", hearth.CodeInvalid, "control character"},
		{"name that is no text", zipOf(t, item{name: "a\xff", body: "x"}), "", hearth.CodeInvalid, "UTF-8"},
		{"long name", zipOf(t, item{name: strings.Repeat("n", 256), body: "x"}), "", hearth.CodeInvalid, "256 bytes"},
		{"long path", zipOf(t, item{name: strings.Repeat("n/", 600), body: ""}), "", hearth.CodeInvalid, "1200 bytes"},
		{"deep path", zipOf(t, item{name: strings.Repeat("n/", 200) + "x", body: ""}), "", hearth.CodeTooLarge, "more than 100"},
		{"file for the root", tarOf(t, item{name: ".", body: "x", kind: tar.TypeReg}), "", hearth.CodeInvalid, "root"},

		{"absolute link", tarOf(t, item{name: "a", body: "x"}, item{name: "l", mode: link, link: "/etc/passwd"}), "", hearth.CodeInvalid, `"l" to "/etc/passwd" is absolute`},
		{"link upwards", tarOf(t, item{name: "a", body: "x"}, item{name: "d/l", mode: link, link: "../../x"}), "", hearth.CodeInvalid, `"d/l" to "../../x" leads out`},
		{"link upwards in zip", zipOf(t, item{name: "a", body: "x"}, item{name: "l", mode: link, link: "../x"}), "", hearth.CodeInvalid, "leads out"},
		{"links upwards together", tarOf(t, item{name: "a/b/c/x", body: "x"}, item{name: "l", mode: link, link: "a/b/c"}, item{name: "m", mode: link, link: "l/../../../.."}), "", hearth.CodeInvalid, "leads out"},
		{"links that look inwards", tarOf(t, item{name: "d/x", body: "x"}, item{name: "d/up", mode: link, link: ".."}, item{name: "l", mode: link, link: "d/up/../x"}), "", hearth.CodeInvalid, "leads out"},
		{"links in circles", tarOf(t, item{name: "x", body: "x"}, item{name: "a", mode: link, link: "b"}, item{name: "b", mode: link, link: "a"}), "", hearth.CodeInvalid, "circles"},
		{"file through a link", tarOf(t, item{name: "l", mode: link, link: "."}, item{name: "l/x", body: "x"}), "", hearth.CodeInvalid, `"l" is a link and a folder`},
		{"file over a link", tarOf(t, item{name: "l", mode: link, link: "y"}, item{name: "l", body: "x"}), "", hearth.CodeInvalid, "twice"},
		{"link over a folder", tarOf(t, item{name: "l/x", body: "x"}, item{name: "l", mode: link, link: "y"}), "", hearth.CodeInvalid, `"l" is a folder and a link`},
		{"hard link out", tarOf(t, item{name: "l", link: "/etc/passwd"}), "", hearth.CodeInvalid, "/etc/passwd"},
		{"hard link upwards", tarOf(t, item{name: "l", link: "../x"}), "", hearth.CodeInvalid, `".."`},
		{"hard link to a link", tarOf(t, item{name: "a", mode: link, link: "b"}, item{name: "l", link: "a"}), "", hearth.CodeInvalid, "no file before it"},
		{"hard link to nothing", tarOf(t, item{name: "l", link: "later"}, item{name: "later", body: "x"}), "", hearth.CodeInvalid, "no file before it"},
		{"hard links that add up", tarOf(t, linked...), "", hearth.CodeTooLarge, "unpacks to more than"},

		{"device", tarOf(t, item{name: "null", kind: tar.TypeChar}), "", hearth.CodeInvalid, `"null" is a device`},
		{"block device", tarOf(t, item{name: "sda", kind: tar.TypeBlock}), "", hearth.CodeInvalid, "a device"},
		{"named pipe", tarOf(t, item{name: "pipe", kind: tar.TypeFifo}), "", hearth.CodeInvalid, "a named pipe"},
		{"socket in zip", zipOf(t, item{name: "sock", mode: fs.ModeSocket | 0o644}), "", hearth.CodeInvalid, "a socket"},
		{"device in zip", zipOf(t, item{name: "null", mode: fs.ModeDevice | fs.ModeCharDevice | 0o644}), "", hearth.CodeInvalid, "a device"},

		{"file twice", tarOf(t, item{name: "a", body: "x"}, item{name: "./a", body: "y"}), "", hearth.CodeInvalid, `"a" is in it twice`},
		{"file twice in zip", zipOf(t, item{name: "a", body: "x"}, item{name: "a", body: "y"}), "", hearth.CodeInvalid, "twice"},
		{"file and folder", zipOf(t, item{name: "a", body: "x"}, item{name: "a/b", body: "y"}), "", hearth.CodeInvalid, `"a" is a file and a folder`},
		{"folder and file", zipOf(t, item{name: "a/b", body: "x"}, item{name: "a", body: "y"}), "", hearth.CodeInvalid, `"a" is a folder and a file`},

		{"bomb", gzipOf(t, tarOf(t, item{name: "zeros", body: zeros})), "", hearth.CodeTooLarge, `50 times its size (at its entry "zeros")`},
		{"bomb in zip", zipOf(t, item{name: "zeros", body: zeros}), "", hearth.CodeTooLarge, "50 times"},
		{"bomb behind the end", append(gzipOf(t, tarOf(t, item{name: "a", body: "x"})), gzipOf(t, make([]byte, 8<<20))...), "", hearth.CodeTooLarge, "too much"},
		{"upload too large", tarOf(t, item{name: "a", body: noise}, item{name: "b", body: noise}, item{name: "c", body: noise}), "", hearth.CodeTooLarge, "limit of 1 MiB"},
		{"too many", zipOf(t, many...), "", hearth.CodeTooLarge, "more than 100 files"},
		{"too many in tar", tarOf(t, many...), "", hearth.CodeTooLarge, "more than 100 files"},
		{"far too many in zip", bytes.Repeat(zipOf(t, many...), 15), "", hearth.CodeTooLarge, "more than 100 files"},

		{"cut off", whole[:len(whole)/2], "", hearth.CodeInvalid, `ends early at its entry "main.py"`},
		{"check sum cut off", whole[:len(whole)-4], "", hearth.CodeInvalid, "ends early"},
		{"tar cut off", plain[:len(plain)/3], "", hearth.CodeInvalid, "ends early"},
		{"tar cut off between files", plain[:512+len(noise)], "", hearth.CodeInvalid, "ends early"},
		{"zip cut off", zipOf(t, item{name: "main.py", body: noise})[:900], "", hearth.CodeInvalid, "damaged"},
		{"wrong check sum", corrupt(whole, len(whole)-6), "", hearth.CodeInvalid, "damaged"},
		{"zip with a changed body", corrupt(zipOf(t, item{name: "a", body: "hello, hello, hello"}), 40), "", hearth.CodeInvalid, `"a"`},
		{"zip with two names", renamed(t), "", hearth.CodeInvalid, `"safe.py" is called "evil.py"`},
		{"encrypted zip", encrypted(t), "", hearth.CodeInvalid, `"a.py" is encrypted`},
		{"gzip of no tar", gzipOf(t, []byte(noise)), "", hearth.CodeInvalid, "damaged"},

		{"nothing", nil, "main.py", hearth.CodeInvalid, "empty"},
		{"no files", tarOf(t, item{name: "d/", mode: fs.ModeDir | 0o755}), "", hearth.CodeInvalid, "no files"},
		{"empty zip", zipOf(t), "", hearth.CodeInvalid, "no files"},
		{"text", []byte("hello"), "notes.txt", hearth.CodeInvalid, `"notes.txt" is neither`},
		{"binary under a source's name", []byte("\x7fELF\x02\x01\x01\x00"), "main.py", hearth.CodeInvalid, "not a text"},
		{"source with a bad name", []byte("x"), "a\nb.py", hearth.CodeInvalid, "control character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := mustOpen(t, limits)
			if c.filename == "" {
				c.filename = "upload.zip"
			}
			_, err := s.Add(t.Context(), bytes.NewReader(c.body), c.filename)
			var e *hearth.Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			if e.Code != c.code || !strings.Contains(e.Message, c.says) || e.Hint == "" {
				t.Errorf("got %s: %q (hint %q)\nwant %s: %q", e.Code, e.Message, e.Hint, c.code, c.says)
			}
			kept, err := os.ReadDir(filepath.Join(dir, "sha256"))
			mustDo(t, err)
			if len(kept) != 0 {
				t.Error("it was kept")
			}
			wantClean(t, dir)
		})
	}
}

func corrupt(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x55
	return b
}

// renamed is a zip with another name in the header of the file than in the directory.
func renamed(t *testing.T) []byte {
	b := zipOf(t, item{name: "safe.py", body: "x"})
	copy(b[bytes.Index(b, []byte("safe.py")):], "evil.py")
	return b
}

// encrypted is a zip whose file claims to need a password.
func encrypted(t *testing.T) []byte {
	b := zipOf(t, item{name: "a.py", body: "x"})
	dir := bytes.Index(b, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint16(b[dir+8:], 1|binary.LittleEndian.Uint16(b[dir+8:]))
	return b
}

func TestManyFilesAreKept(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	items := []item{{name: "empty/", mode: fs.ModeDir | 0o755}}
	for i := range 300 {
		items = append(items, item{name: fmt.Sprintf("d%d/f%d", i%7, i), body: fmt.Sprint(i)})
	}
	b := mustAdd(t, s, zipOf(t, items...), "a.zip")
	if got := len(contents(t, mustDir(t, s, b.Digest))); got != 308 || b.Files != 300 {
		t.Errorf("%d entries of %+v", got, b)
	}
	mustDo(t, s.Verify(t.Context(), b.Digest))
}

func TestLimitsAreExact(t *testing.T) {
	body := strings.Repeat("0123456789", 100)
	up := tarOf(t, item{name: "d/a", body: body}, item{name: "d/b", body: body})
	for _, c := range []struct {
		l  bundle.Limits
		ok bool
	}{
		{bundle.Limits{MaxUpload: int64(len(up))}, true},
		{bundle.Limits{MaxUpload: int64(len(up)) - 1}, false},
		{bundle.Limits{MaxUnpacked: 2000}, true},
		{bundle.Limits{MaxUnpacked: 1999}, false},
		{bundle.Limits{MaxFiles: 3}, true},
		{bundle.Limits{MaxFiles: 2}, false},
	} {
		s, _ := mustOpen(t, c.l)
		_, err := s.Add(t.Context(), bytes.NewReader(up), "a.tar")
		if c.ok && err != nil || !c.ok && hearth.ErrorCode(err) != hearth.CodeTooLarge {
			t.Errorf("%+v: %v", c.l, err)
		}
	}
}

func TestAnUploadThatBreaksIsItsSendersFault(t *testing.T) {
	s, dir := mustOpen(t, bundle.Limits{})
	gone := errors.New("client went away")
	_, err := s.Add(t.Context(), io.MultiReader(strings.NewReader("PK\x03\x04"), iotest.ErrReader(gone)), "a.zip")
	if !errors.Is(err, gone) {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Add(ctx, strings.NewReader("x"), "a.py"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	wantClean(t, dir)
}

func TestModesDontDependOnTheUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	s, _ := mustOpen(t, bundle.Limits{})
	b := mustAdd(t, s, tarOf(t, item{name: "d/a", body: "x", mode: 0o100}, item{name: "d/b", mode: 0o200}), "a.tar")
	dir := mustDir(t, s, b.Digest)
	if d := cmp.Diff(map[string]string{"d/": "", "d/a*": "x", "d/b": ""}, contents(t, dir)); d != "" {
		t.Error(d)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o755 {
		t.Errorf("the bundle has mode %v, %v", fi.Mode(), err)
	}
}

func TestUnknownDigests(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	for digest, code := range map[string]hearth.Code{
		"sha256:" + strings.Repeat("0", 64): hearth.CodeNotFound, "": hearth.CodeInvalid, "sha256:..": hearth.CodeInvalid,
		"sha256:../../../../etc/passwd": hearth.CodeInvalid, "md5:" + strings.Repeat("0", 64): hearth.CodeInvalid,
	} {
		_, errDir := s.Dir(digest)
		_, errFS := s.FS(digest)
		for _, err := range []error{errDir, errFS, s.Export(t.Context(), digest, io.Discard), s.Tar(t.Context(), digest, io.Discard), s.Verify(t.Context(), digest)} {
			if hearth.ErrorCode(err) != code {
				t.Errorf("%q: %v, want %s", digest, err, code)
			}
		}
	}
}

func TestExportComesBackAsTheSameBundle(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	b := mustAdd(t, s, zipOf(t, item{name: "main.py", body: "x", mode: 0o755}, item{name: "e/", mode: fs.ModeDir | 0o755}, item{name: "l", mode: fs.ModeSymlink, link: "main.py"}), "a.zip")
	for name, export := range map[string]func(context.Context, string, io.Writer) error{"a.tar.gz": s.Export, "a.tar": s.Tar} {
		var first, second bytes.Buffer
		mustDo(t, export(t.Context(), b.Digest, &first))
		mustDo(t, export(t.Context(), b.Digest, &second))
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s is another each time", name)
		}
		other, _ := mustOpen(t, bundle.Limits{})
		if got := mustAdd(t, other, first.Bytes(), name); got != b {
			t.Errorf("%s became %+v, was %+v", name, got, b)
		}
	}
}

func TestVerifyFindsWhatWasChanged(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"content":  func(dir string) error { return os.WriteFile(filepath.Join(dir, "main.py"), []byte("y"), 0o644) },
		"one more": func(dir string) error { return os.WriteFile(filepath.Join(dir, "evil.py"), nil, 0o644) },
		"one less": func(dir string) error { return os.Remove(filepath.Join(dir, "l")) },
		"mode":     func(dir string) error { return os.Chmod(filepath.Join(dir, "main.py"), 0o755) },
	} {
		s, _ := mustOpen(t, bundle.Limits{})
		b := mustAdd(t, s, tarOf(t, item{name: "main.py", body: "x"}, item{name: "l", mode: fs.ModeSymlink, link: "main.py"}), "a.tar")
		mustDo(t, s.Verify(t.Context(), b.Digest))
		mustDo(t, change(mustDir(t, s, b.Digest)))
		if err := s.Verify(t.Context(), b.Digest); hearth.ErrorCode(err) != hearth.CodePlatform {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSweepKeepsWhatIsNeeded(t *testing.T) {
	s, dir := mustOpen(t, bundle.Limits{})
	used := mustAdd(t, s, []byte("used"), "a.py")
	fresh := mustAdd(t, s, []byte("fresh"), "a.py")
	old := mustAdd(t, s, []byte("old code"), "a.py")
	again := mustAdd(t, s, []byte("old, and deployed again"), "a.py")
	long := time.Now().Add(-2 * time.Hour)
	for _, b := range []bundle.Bundle{used, old, again} {
		mustDo(t, os.Chtimes(mustDir(t, s, b.Digest), long, long))
	}
	mustAdd(t, s, []byte("old, and deployed again"), "a.py")
	// What a killed server left, and what another upload is busy with.
	dead := filepath.Join(dir, "tmp", "upload-1")
	mustWrite(t, dead, map[string]string{"tree/x": "x"})
	mustDo(t, os.Chtimes(dead, long, long))
	mustWrite(t, filepath.Join(dir, "tmp", "upload-2"), map[string]string{"x": "x"})

	removed, freed, err := s.Sweep(t.Context(), func(d string) bool { return d == used.Digest }, time.Hour)
	if err != nil || removed != 1 || freed != 8 {
		t.Errorf("removed %d, freed %d, %v", removed, freed, err)
	}
	for _, b := range []bundle.Bundle{used, fresh, again} {
		mustDo(t, s.Verify(t.Context(), b.Digest))
	}
	if _, err := s.Dir(old.Digest); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("the old one: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	mustDo(t, err)
	if len(left) != 1 || left[0].Name() != "upload-2" {
		t.Errorf("left in tmp: %v", left)
	}
	if b := mustAdd(t, s, []byte("old code"), "a.py"); b != old {
		t.Errorf("it came back as %+v", b)
	}
}

func TestSweepAsksOnceMore(t *testing.T) {
	s, _ := mustOpen(t, bundle.Limits{})
	b := mustAdd(t, s, []byte("x"), "a.py")
	asked := 0
	removed, _, err := s.Sweep(t.Context(), func(string) bool { asked++; return asked > 1 }, -time.Hour)
	if err != nil || removed != 0 {
		t.Errorf("removed %d, %v", removed, err)
	}
	mustDo(t, s.Verify(t.Context(), b.Digest))
}

func TestAddAndSweepAtOnce(t *testing.T) {
	s, dir := mustOpen(t, bundle.Limits{})
	up := zipOf(t, item{name: "a/main.py", body: "x"}, item{name: "b", body: "y"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				b, err := s.Add(t.Context(), bytes.NewReader(up), "a.zip")
				if err == nil {
					_, err = s.Dir(b.Digest)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if n, _, err := s.Sweep(t.Context(), func(string) bool { return false }, time.Hour); n != 0 || err != nil {
				t.Errorf("swept %d, %v", n, err)
			}
		}
	})
	wg.Wait()
	wantClean(t, dir)
}

func FuzzAdd(f *testing.F) {
	link := fs.ModeSymlink | 0o777
	items := []item{{name: "a/b.py", body: "hello"}, {name: "a/l", mode: link, link: "b.py"}, {name: "d/", mode: fs.ModeDir | 0o755}}
	f.Add(zipOf(f, items...), "a.zip")
	f.Add(tarOf(f, items...), "a.tar")
	f.Add(gzipOf(f, tarOf(f, items...)), "a.tgz")
	f.Add(tarOf(f, item{name: "../x", body: "x"}), "a.tar")
	f.Add(tarOf(f, item{name: "l", mode: link, link: "/etc"}, item{name: "l/x", body: "x"}), "a.tar")
	f.Add(zipOf(f, item{name: "l", mode: link, link: ".."}, item{name: "l/x", body: "x"}), "a.zip")
	f.Add([]byte("print(1)"), "../../a.py")
	f.Fuzz(func(t *testing.T, b []byte, filename string) {
		parent := t.TempDir()
		s, err := bundle.Open(filepath.Join(parent, "code"), bundle.Limits{MaxUpload: 1 << 20, MaxUnpacked: 1 << 20, MaxFiles: 50, MaxRatio: 20})
		mustDo(t, err)
		kept, err := s.Add(t.Context(), bytes.NewReader(b), filename)
		if err != nil {
			var e *hearth.Error
			if !errors.As(err, &e) || e.Hint == "" {
				t.Fatalf("refused with %v", err)
			}
		} else {
			mustDo(t, s.Verify(t.Context(), kept.Digest))
			staysWithin(t, mustDir(t, s, kept.Digest))
		}
		wantClean(t, filepath.Join(parent, "code"))
		outside, err := os.ReadDir(parent)
		mustDo(t, err)
		if len(outside) != 1 {
			t.Fatalf("it wrote outside: %v", outside)
		}
	})
}

// staysWithin fails if a link leads out of dir, as the kernel sees it.
func staysWithin(t *testing.T, dir string) {
	t.Helper()
	real, err := filepath.EvalSymlinks(dir)
	mustDo(t, err)
	mustDo(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink == 0 {
			return err
		}
		if to, err := filepath.EvalSymlinks(name); err == nil && to != real && !strings.HasPrefix(to, real+"/") {
			t.Errorf("%s leads to %s", name, to)
		}
		return nil
	}))
}
