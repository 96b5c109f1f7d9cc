package bundle_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// item is an entry of an archive that a test makes.
type item struct {
	name string
	body string
	mode fs.FileMode // with its type; 0 is a file that all can read
	link string      // target; tar: a hard link if mode is a file's
	kind byte        // tar: instead of what mode says
}

func tarOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Mode: 0o644, Size: int64(len(i.body)), Linkname: i.link, ModTime: time.Now()}
		if i.mode != 0 {
			h.Mode = int64(i.mode.Perm())
			if i.mode&fs.ModeSetuid != 0 {
				h.Mode |= 0o4000
			}
		}
		switch {
		case i.kind != 0:
			h.Typeflag = i.kind
		case i.mode.IsDir():
			h.Typeflag = tar.TypeDir
		case i.mode&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
		case i.link != "":
			h.Typeflag = tar.TypeLink
		default:
			h.Typeflag = tar.TypeReg
		}
		if i.kind == tar.TypeXGlobalHeader {
			h = &tar.Header{Name: i.name, Typeflag: i.kind, PAXRecords: map[string]string{"comment": "0011"}}
		}
		mustDo(t, w.WriteHeader(h))
		if _, err := io.WriteString(w, i.body); err != nil {
			t.Fatal(err)
		}
	}
	mustDo(t, w.Close())
	return b.Bytes()
}

func gzipOf(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	mustDo(t, w.Close())
	return out.Bytes()
}

func zipOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate, Modified: time.Now()}
		if i.mode != 0 {
			h.SetMode(i.mode)
		}
		body := i.body
		if i.link != "" {
			body = i.link
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, body); err != nil {
			t.Fatal(err)
		}
	}
	mustDo(t, w.Close())
	return b.Bytes()
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustWrite makes files below dir; a path that ends in / is a folder, a body
// that begins with "-> " a link.
func mustWrite(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, body := range files {
		full := filepath.Join(dir, name)
		if name[len(name)-1] == '/' {
			mustDo(t, os.MkdirAll(full, 0o755))
			continue
		}
		mustDo(t, os.MkdirAll(filepath.Dir(full), 0o755))
		if target, ok := bytes.CutPrefix([]byte(body), []byte("-> ")); ok {
			mustDo(t, os.Symlink(string(target), full))
			continue
		}
		mustDo(t, os.WriteFile(full, []byte(body), 0o644))
	}
}

// contents reads a tree as mustWrite takes it; files that may be run have "*" behind their path.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	mustDo(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			if fi.Mode() != fs.ModeDir|0o755 {
				t.Errorf("%s has mode %v", rel, fi.Mode())
			}
			out[rel+"/"] = ""
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			out[rel] = "-> " + target
			return err
		default:
			if fi.Mode() != 0o644 && fi.Mode() != 0o755 {
				t.Errorf("%s has mode %v", rel, fi.Mode())
			}
			if fi.Mode() == 0o755 {
				rel += "*"
			}
			b, err := os.ReadFile(name)
			out[rel] = string(b)
			return err
		}
		return nil
	}))
	return out
}
