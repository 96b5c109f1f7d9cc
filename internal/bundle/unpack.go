package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"strings"

	"hearth"
)

// unpacker writes a tree. Every name from outside goes through place, which
// refuses whatever isn't plainly inside and new. Links are made last: until
// then nothing that is written can pass through one.
type unpacker struct {
	ctx      context.Context
	root     *os.Root
	limits   Limits
	uploaded int64 // bytes of the archive

	tree  tree
	bytes int64
	buf   []byte
	hash  hash.Hash
}

// unpack writes what an upload holds to the new folder dst, and returns its
// entries, sorted.
func (s *Store) unpack(ctx context.Context, up *os.File, filename, dst string) ([]*entry, error) {
	fi, err := up.Stat()
	if err != nil {
		return nil, fmt.Errorf("unpack upload: %w", err)
	}
	if err := os.Mkdir(dst, 0o755); err != nil {
		return nil, fmt.Errorf("unpack upload: %w", err)
	}
	root, err := os.OpenRoot(dst)
	if err != nil {
		return nil, fmt.Errorf("unpack upload: %w", err)
	}
	defer func() { _ = root.Close() }() // it wrote nothing itself
	u := &unpacker{
		ctx: ctx, root: root, limits: s.limits, uploaded: fi.Size(),
		tree: tree{}, buf: make([]byte, 64<<10), hash: sha256.New(),
	}
	if err := root.Chmod(".", 0o755); err != nil { // whatever the umask
		return nil, fmt.Errorf("unpack upload: %w", err)
	}
	if err := u.archive(up, filename); err != nil {
		return nil, err
	}
	return u.finish()
}

// place checks an entry's name, makes the folders that lead to it, and adds it
// to the tree. It returns nil for a folder that is there already.
func (u *unpacker) place(name string, k kind) (*entry, error) {
	clean, err := cleanName(name)
	if err != nil {
		return nil, err
	}
	if clean == "." {
		if k == dir {
			return nil, nil
		}
		return nil, invalid("make the archive anew from within the function's folder", "the archive's entry %s is %s in place of the root", quote(name), k)
	}
	if parent := path.Dir(clean); parent != "." {
		if _, err := u.folder(parent); err != nil {
			return nil, err
		}
	}
	if k == dir {
		return u.folder(clean)
	}
	if old := u.tree[clean]; old != nil {
		if old.kind == dir {
			return nil, clash(clean, old.kind, k)
		}
		return nil, invalid("make the archive anew: which of them is meant can't be known", "the archive's entry %s is in it twice", quote(clean))
	}
	return u.insert(clean, k)
}

// folder makes a folder and those above it. The path must be clean.
func (u *unpacker) folder(clean string) (*entry, error) {
	if old := u.tree[clean]; old != nil {
		if old.kind != dir {
			return nil, clash(clean, old.kind, dir)
		}
		return nil, nil
	}
	if parent := path.Dir(clean); parent != "." {
		if _, err := u.folder(parent); err != nil {
			return nil, err
		}
	}
	e, err := u.insert(clean, dir)
	if err != nil {
		return nil, err
	}
	if err := u.root.Mkdir(clean, 0o755); err != nil {
		return nil, fmt.Errorf("unpack upload: %w", err)
	}
	if err := u.root.Chmod(clean, 0o755); err != nil {
		return nil, fmt.Errorf("unpack upload: %w", err)
	}
	return e, nil
}

func clash(name string, a, b kind) error {
	return invalid("make the archive anew: which of them is meant can't be known", "the archive's entry %s is %s and %s at once", quote(name), a, b)
}

func invalid(hint, format string, args ...any) error {
	return hearth.Errorf(hearth.CodeInvalid, format, args...).WithHint("%s", hint)
}

func (u *unpacker) insert(clean string, k kind) (*entry, error) {
	if len(u.tree) >= u.limits.MaxFiles {
		return nil, hearth.Errorf(hearth.CodeTooLarge, "the archive holds more than %d files and folders (the next is %s)", u.limits.MaxFiles, quote(clean)).
			WithHint("leave out what the function doesn't need, for example by a .hearthignore file")
	}
	e := &entry{path: clean, kind: k}
	u.tree[clean] = e
	return e, nil
}

// file writes a file with the content of r.
func (u *unpacker) file(name string, exec bool, r io.Reader) error {
	e, err := u.place(name, file)
	if err != nil {
		return err
	}
	f, err := u.root.OpenFile(e.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("unpack upload: %w", err)
	}
	err = u.fill(f, e, r)
	mode := os.FileMode(0o644)
	if e.exec = exec; exec {
		mode = 0o755
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	return errors.Join(err, f.Close())
}

// fill copies r to w and counts it.
func (u *unpacker) fill(w io.Writer, e *entry, r io.Reader) error {
	u.hash.Reset()
	for {
		if err := u.ctx.Err(); err != nil {
			return fmt.Errorf("unpack upload: %w", err)
		}
		n, err := r.Read(u.buf)
		if n > 0 {
			if err := u.account(e, int64(n)); err != nil {
				return err
			}
			u.hash.Write(u.buf[:n])
			if _, err := w.Write(u.buf[:n]); err != nil {
				return fmt.Errorf("unpack upload: %w", err)
			}
		}
		if err == io.EOF {
			u.hash.Sum(e.sum[:0])
			return nil
		}
		if err != nil {
			return broken(e.path, err)
		}
	}
}

// ratioFrom is how much an archive may unpack to, whatever its own size.
const ratioFrom = 1 << 20

// account adds n bytes to an entry and to the whole, and refuses what unpacks
// to too much.
func (u *unpacker) account(e *entry, n int64) error {
	e.size += n
	u.bytes += n
	switch {
	case u.bytes > u.limits.MaxUnpacked:
		return hearth.Errorf(hearth.CodeTooLarge, "the archive unpacks to more than %s (at its entry %s)", formatBytes(u.limits.MaxUnpacked), quote(e.path)).
			WithHint("leave out what the function doesn't need")
	case u.bytes > ratioFrom && u.bytes/int64(u.limits.MaxRatio) > u.uploaded:
		return hearth.Errorf(hearth.CodeTooLarge, "the archive unpacks to more than %d times its size (at its entry %s)", u.limits.MaxRatio, quote(e.path)).
			WithHint("leave out files that are nearly empty, or make them when the function starts")
	}
	return nil
}

// broken is the error of an archive that can't be read on.
func broken(name string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("unpack upload: %w", err)
	}
	var e *hearth.Error
	if errors.As(err, &e) {
		return err
	}
	where := ""
	if name != "" {
		where = " at its entry " + quote(name)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return invalid("send it again, or make it anew", "the archive ends early%s", where)
	}
	return invalid("make it anew", "the archive is damaged%s: %v", where, err)
}

// link adds a symbolic link, which finish makes.
func (u *unpacker) link(name, target string) error {
	e, err := u.place(name, symlink)
	if err != nil {
		return err
	}
	switch {
	case target == "" || len(target) > maxPath || strings.ContainsRune(target, 0):
		return invalid("replace the link by the file that is meant", "the link %s has no proper target", quote(name))
	case strings.HasPrefix(target, "/"):
		return invalid("replace it by the file that is meant, or by a relative link within the folder", "the link %s to %s is absolute", quote(name), quote(target))
	}
	e.target = target
	return nil
}

// hardLink adds a second name of a file that has been written.
func (u *unpacker) hardLink(name, target string) error {
	clean, err := cleanName(target)
	if err != nil {
		return err
	}
	old := u.tree[clean]
	if old == nil || old.kind != file {
		return invalid("make the archive anew, without hard links", "the hard link %s names %s, which is no file before it in the archive", quote(name), quote(target))
	}
	e, err := u.place(name, file)
	if err != nil {
		return err
	}
	if err := u.account(e, old.size); err != nil {
		return err
	}
	e.exec, e.sum = old.exec, old.sum
	if err := u.root.Link(old.path, e.path); err != nil {
		return fmt.Errorf("unpack upload: %w", err)
	}
	return nil
}

// finish checks the links, makes them, and returns all entries.
func (u *unpacker) finish() ([]*entry, error) {
	if err := u.tree.checkLinks(); err != nil {
		return nil, err
	}
	entries := u.tree.sorted()
	files := 0
	for _, e := range entries {
		switch e.kind {
		case file:
			files++
		case symlink:
			if err := u.root.Symlink(e.target, e.path); err != nil {
				return nil, fmt.Errorf("unpack upload: %w", err)
			}
		}
	}
	if files == 0 {
		return nil, invalid("put the function's source in it", "the archive holds no files")
	}
	return entries, nil
}
