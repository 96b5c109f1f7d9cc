package bundle

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// File is a file or link of a bundle, as people look at it.
type File struct {
	Path       string // relative, with slashes
	Bytes      int64
	Text       *string // nil if it is no text, or more than was asked for
	Executable bool
	Link       string // where a link leads; it has no text
}

// View bounds what [Store.Files] returns.
type View struct {
	Files    int   // at most so many files
	FileText int64 // bytes of a file up to which its text comes along
	Text     int64 // bytes of all texts together
}

// Files returns what is in a bundle, by path, and whether something was left out
// because of v. The files of upper folders go first: those below, which are many,
// are rarely the author's own.
func (s *Store) Files(ctx context.Context, digest string, v View) (files []File, truncated bool, err error) {
	root, err := s.Dir(digest)
	if err != nil {
		return nil, false, err
	}
	entries, err := scan(root)
	if err != nil {
		return nil, false, fmt.Errorf("list code: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e *entry) bool { return e.kind == dir })
	sort.SliceStable(entries, func(i, j int) bool { return depth(entries[i].path) < depth(entries[j].path) })
	if len(entries) > v.Files {
		entries, truncated = entries[:v.Files], true
	}
	left := v.Text
	for _, e := range entries {
		f := File{Path: e.path, Bytes: e.size, Executable: e.exec, Link: e.target}
		if e.kind == file && e.size <= v.FileText {
			if e.size > left {
				truncated = true
			} else if f.Text, err = readText(ctx, filepath.Join(root, filepath.FromSlash(e.path)), e.size); err != nil {
				return nil, false, fmt.Errorf("list code: %w", err)
			} else if f.Text != nil {
				left -= e.size
			}
		}
		files = append(files, f)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files, truncated, nil
}

func depth(p string) int { return strings.Count(p, "/") }

// readText reads a file of at most n bytes, nil if it is no text.
func readText(ctx context.Context, name string, n int64) (*string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(ctxReader{ctx, f}, n))
	if err != nil || !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return nil, err
	}
	text := string(b)
	return &text, nil
}
