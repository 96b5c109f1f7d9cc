package bundle

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"hearth"
)

// PackInfo says what Pack packed.
type PackInfo struct {
	Files int      // regular files
	Bytes int64    // of the files, before compression
	Names []string // paths of files and links, sorted
}

// IgnoreFile is the file in a folder that says what isn't packed, see [Pack].
const IgnoreFile = ".hearthignore"

// always is what is never packed: what tools leave behind, and what is meant
// for Hearth rather than for the function.
const always = `
.git
.hg
.svn
.DS_Store
.venv
__pycache__
*.pyc
node_modules/.cache
/hearth.yaml
/hearth.yml
/.hearthignore
`

// Pack writes the folder or the single file at name to w as tar.gz; the same
// content gives the same bytes. A file is packed under its base name.
//
// A folder's .hearthignore leaves out more: a line is a pattern as in
// .gitignore, with *, ?, [a-z], ** for any folders, / in front or within for a
// path from the top, / behind for folders only, and ! for what is to stay
// after all. Symbolic links are kept if they stay within the folder; any other
// is a [hearth.Error], as is a device, pipe or socket.
func Pack(w io.Writer, name string) (PackInfo, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return PackInfo{}, hearth.Errorf(hearth.CodeInvalid, "%s can't be read: %w", name, err).
			WithHint("name the function's folder or its source file")
	}
	root, t := name, tree{}
	if fi.IsDir() {
		err = listFolder(name, t)
	} else {
		root = filepath.Dir(name)
		t, err = listFile(filepath.Base(name), fi)
	}
	if err != nil {
		return PackInfo{}, err
	}
	return pack(w, root, t)
}

func pack(w io.Writer, root string, t tree) (PackInfo, error) {
	var info PackInfo
	if err := t.checkLinks(); err != nil {
		return info, err
	}
	entries := t.sorted()
	for _, e := range entries {
		if e.kind != dir {
			info.Names = append(info.Names, e.path)
		}
		if e.kind == file {
			info.Files++
			info.Bytes += e.size
		}
	}
	if info.Files == 0 {
		return info, hearth.Errorf(hearth.CodeInvalid, "there are no files to pack in %s", root).
			WithHint("name the folder with the function's source, and look into its %s", IgnoreFile)
	}
	z := gzip.NewWriter(w)
	if err := writeTar(context.Background(), z, root, entries); err != nil {
		return info, fmt.Errorf("pack %s: %w", root, err)
	}
	if err := z.Close(); err != nil {
		return info, fmt.Errorf("pack %s: %w", root, err)
	}
	return info, nil
}

func listFile(base string, fi fs.FileInfo) (tree, error) {
	if !fi.Mode().IsRegular() {
		return nil, notPackable(base, fi.Mode())
	}
	if _, err := cleanName(base); err != nil {
		return nil, err
	}
	return tree{base: {path: base, kind: file, size: fi.Size(), exec: fi.Mode()&0o111 != 0}}, nil
}

func notPackable(name string, mode fs.FileMode) error {
	return hearth.Errorf(hearth.CodeInvalid, "%s can't be packed: it is %s, not a file, folder or link", name, modeName(mode)).
		WithHint("name it in %s, or move it away", IgnoreFile)
}

// listFolder fills t with what is to be packed of a folder.
func listFolder(root string, t tree) error {
	rules, err := readIgnore(root)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("pack %s: %w", root, err)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		if rules.ignored(rel, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return listEntry(t, name, rel, d)
	})
}

func listEntry(t tree, name, rel string, d fs.DirEntry) error {
	if _, err := cleanName(rel); err != nil {
		return err
	}
	fi, err := d.Info()
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	e := &entry{path: rel}
	switch {
	case fi.IsDir():
		e.kind = dir
	case fi.Mode()&fs.ModeSymlink != 0:
		e.kind = symlink
		target, err := os.Readlink(name)
		if err != nil {
			return fmt.Errorf("pack: %w", err)
		}
		e.target = filepath.ToSlash(target)
	case fi.Mode().IsRegular():
		e.kind, e.size, e.exec = file, fi.Size(), fi.Mode()&0o111 != 0
	default:
		return notPackable(rel, fi.Mode())
	}
	t[rel] = e
	return nil
}

// rule is a line of an ignore file.
type rule struct {
	parts   []string // of the pattern
	negate  bool
	dirOnly bool
}

type rules []rule

func readIgnore(root string) (rules, error) {
	rs := parseIgnore(always)
	b, err := os.ReadFile(filepath.Join(root, IgnoreFile))
	if errors.Is(err, fs.ErrNotExist) {
		return rs, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", root, err)
	}
	own := parseIgnore(string(b))
	for _, r := range own {
		for _, p := range r.parts {
			if _, err := path.Match(p, ""); err != nil {
				return nil, hearth.Errorf(hearth.CodeInvalid, "%s has a pattern that can't be read: %q", IgnoreFile, strings.Join(r.parts, "/")).
					WithHint("close its brackets, or write \\[ for a bracket itself")
			}
		}
	}
	return append(rs, own...), nil
}

func parseIgnore(text string) rules {
	var rs rules
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var r rule
		line, r.negate = strings.CutPrefix(line, "!")
		line, r.dirOnly = strings.CutSuffix(line, "/")
		rooted := strings.Contains(line, "/")
		line = strings.TrimPrefix(line, "/")
		if line == "" {
			continue
		}
		r.parts = strings.Split(line, "/")
		if !rooted {
			r.parts = append([]string{"**"}, r.parts...)
		}
		rs = append(rs, r)
	}
	return rs
}

// ignored reports whether the last rule that matches leaves name out. The
// folders above it must not be ignored themselves.
func (rs rules) ignored(name string, isDir bool) bool {
	out := false
	parts := strings.Split(name, "/")
	for _, r := range rs {
		if (isDir || !r.dirOnly) && matchParts(r.parts, parts) {
			out = !r.negate
		}
	}
	return out
}

func matchParts(pattern, parts []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			if len(pattern) == 1 {
				return len(parts) > 0
			}
			for i := range parts {
				if matchParts(pattern[1:], parts[i:]) {
					return true
				}
			}
			return false
		}
		if len(parts) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], parts[0]); err != nil || !ok {
			return false
		}
		pattern, parts = pattern[1:], parts[1:]
	}
	return len(parts) == 0
}
