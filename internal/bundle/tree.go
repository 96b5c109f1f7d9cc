package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"

	"hearth"
)

// kind is what an entry of a bundle is.
type kind byte

const (
	file    kind = 'f'
	dir     kind = 'd'
	symlink kind = 'l'
)

func (k kind) String() string {
	switch k {
	case dir:
		return "a folder"
	case symlink:
		return "a link"
	}
	return "a file"
}

// entry is a file, folder or link of a bundle.
type entry struct {
	path   string // relative, clean, with slashes
	kind   kind
	exec   bool // file: may be run
	size   int64
	sum    [sha256.Size]byte // file
	target string            // link: relative
}

// tree is entries by their paths.
type tree map[string]*entry

// sorted returns the entries by path.
func (t tree) sorted() []*entry {
	out := make([]*entry, 0, len(t))
	for _, e := range t {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].path < out[j].path })
	return out
}

// describe returns the bundle that sorted entries make. The digest is that of
// a text with a line for each entry, so it depends on paths, content and who
// may run a file, and on nothing else: no times, owners, or order.
func describe(entries []*entry) Bundle {
	var b Bundle
	h := sha256.New()
	fmt.Fprintln(h, "hearth bundle 1")
	for _, e := range entries {
		switch e.kind {
		case file:
			mode := "-"
			if e.exec {
				mode = "x"
			}
			fmt.Fprintf(h, "f %s %x %q\n", mode, e.sum, e.path)
			b.Files++
			b.Bytes += e.size
		case dir:
			fmt.Fprintf(h, "d %q\n", e.path)
		case symlink:
			fmt.Fprintf(h, "l %q %q\n", e.path, e.target)
		}
	}
	b.Digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return b
}

const (
	maxPath = 1024 // bytes of a path
	maxName = 255  // bytes of a part of it, as file systems have it
	maxHops = 40   // links behind links, as Linux has it
)

// cleanName returns the path of an archive's entry as bundles have it, "." for
// the root itself, or why it can't be one.
func cleanName(name string) (string, error) {
	bad := func(what, hint string) error {
		return hearth.Errorf(hearth.CodeInvalid, "the archive's entry %s %s", quote(name), what).WithHint("%s", hint)
	}
	const again = "make the archive anew from within the function's folder, with plain relative paths"
	switch {
	case name == "":
		return "", bad("has no name", again)
	case len(name) > maxPath:
		return "", bad(fmt.Sprintf("has a path of %d bytes, over the limit of %d", len(name), maxPath), "shorten the names of its folders")
	case !utf8.ValidString(name):
		return "", bad("has a name that is not UTF-8", "rename it, or make the archive with UTF-8 names")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", bad("has a control character in its name", "rename it")
	case strings.Contains(name, `\`):
		return "", bad("has a backslash in its name", "use / between folders, and no backslash in names")
	case strings.HasPrefix(name, "/"):
		return "", bad("has an absolute path", again)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", bad(`has ".." in its path`, again)
		}
		if len(part) > maxName {
			return "", bad(fmt.Sprintf("has a name of %d bytes, over the limit of %d", len(part), maxName), "rename it")
		}
	}
	return path.Clean(name), nil
}

// quote shows a name from outside: escaped and not too long.
func quote(name string) string {
	if len(name) > 120 {
		name = name[:120] + "…"
	}
	return fmt.Sprintf("%q", name)
}

// checkLinks fails if a link leads out of the tree, by itself or by way of
// others, or in circles. One that leads to nothing is harmless.
func (t tree) checkLinks() error {
	for _, e := range t.sorted() {
		if e.kind != symlink {
			continue
		}
		if why := t.follow(e); why != "" {
			return hearth.Errorf(hearth.CodeInvalid, "the link %s to %s %s", quote(e.path), quote(e.target), why).
				WithHint("replace it by the file that is meant, or by a relative link within the folder")
		}
	}
	return nil
}

// follow walks where a link leads, as the kernel would, and returns what is
// wrong with it.
func (t tree) follow(link *entry) (why string) {
	at := strings.Split(link.path, "/")
	at = at[:len(at)-1]
	todo := strings.Split(link.target, "/")
	if strings.HasPrefix(link.target, "/") {
		return "is absolute"
	}
	for hops := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return "leads out of the folder"
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at[:len(at):len(at)], part)
		e := t[strings.Join(at, "/")]
		if e == nil || e.kind != symlink {
			continue
		}
		if hops++; hops > maxHops {
			return "leads in circles"
		}
		if strings.HasPrefix(e.target, "/") {
			return "leads out of the folder"
		}
		at = at[:len(at)-1]
		todo = append(strings.Split(e.target, "/"), todo...)
	}
	return ""
}

// scan lists what is in a folder, sorted, without sums.
func scan(root string) ([]*entry, error) {
	t := tree{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		e := &entry{path: filepath.ToSlash(rel)}
		switch {
		case d.IsDir():
			e.kind = dir
		case d.Type()&fs.ModeSymlink != 0:
			e.kind = symlink
			if e.target, err = os.Readlink(name); err != nil {
				return err
			}
		case d.Type().IsRegular():
			fi, err := d.Info()
			if err != nil {
				return err
			}
			e.kind, e.size, e.exec = file, fi.Size(), fi.Mode()&0o111 != 0
		default:
			return fmt.Errorf("%s is no file, folder or link", name)
		}
		t[e.path] = e
		return nil
	})
	return t.sorted(), err
}
