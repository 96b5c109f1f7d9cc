package bundle

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"
)

func TestFilesAreListedWithTheirText(t *testing.T) {
	s, err := Open(t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		name, text, link string
		mode             int64
	}{
		{name: "lib/deep/far.py", text: "far = 1\n", mode: 0o644},
		{name: "lib/near.py", text: "near\n", mode: 0o644},
		{name: "main.py", text: "def handler(e, c): pass\n", mode: 0o644},
		{name: "run.sh", text: "#!/bin/sh\n", mode: 0o755},
		{name: "alias.py", link: "main.py"},
		{name: "picture", text: "\x89PNG\xff", mode: 0o644},
		{name: "zeros.txt", text: "a\x00b", mode: 0o644},
		{name: "big.txt", text: strings.Repeat("x", 100), mode: 0o644},
		{name: "empty.txt", mode: 0o644},
	} {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text)), Typeflag: tar.TypeReg}
		if f.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	code, err := s.Add(t.Context(), &b, "code.tar")
	if err != nil {
		t.Fatal(err)
	}
	show := func(v View) (string, bool) {
		files, truncated, err := s.Files(t.Context(), code.Digest, v)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range files {
			line := f.Path
			if f.Text != nil {
				line += "=" + strings.TrimSpace(*f.Text)
			}
			if f.Executable {
				line += "*"
			}
			if f.Link != "" {
				line += "->" + f.Link
			}
			out = append(out, line)
		}
		return strings.Join(out, "|"), truncated
	}
	for _, tt := range []struct {
		name      string
		view      View
		want      string
		truncated bool
	}{
		{
			"all", View{Files: 100, FileText: 50, Text: 1000},
			"alias.py->main.py|big.txt|empty.txt=|lib/deep/far.py=far = 1|lib/near.py=near|main.py=def handler(e, c): pass|picture|run.sh=#!/bin/sh*|zeros.txt", false,
		},
		{
			"few", View{Files: 8, FileText: 50, Text: 1000},
			"alias.py->main.py|big.txt|empty.txt=|lib/near.py=near|main.py=def handler(e, c): pass|picture|run.sh=#!/bin/sh*|zeros.txt", true,
		},
		{
			"little text", View{Files: 100, FileText: 50, Text: 30},
			"alias.py->main.py|big.txt|empty.txt=|lib/deep/far.py|lib/near.py=near|main.py=def handler(e, c): pass|picture|run.sh*|zeros.txt", true,
		},
	} {
		if got, truncated := show(tt.view); got != tt.want || truncated != tt.truncated {
			t.Errorf("%s: %s (truncated %v)\nwant %s", tt.name, got, truncated, tt.want)
		}
	}
	if _, _, err := s.Files(t.Context(), "sha256:"+strings.Repeat("0", 64), View{Files: 1}); err == nil {
		t.Error("the files of a bundle that isn't there were listed")
	}
}
