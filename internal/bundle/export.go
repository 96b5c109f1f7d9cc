package bundle

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Export writes a bundle as tar.gz, the same bytes each time.
func (s *Store) Export(ctx context.Context, digest string, w io.Writer) error {
	z := gzip.NewWriter(w)
	if err := s.Tar(ctx, digest, z); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("export code: %w", err)
	}
	return nil
}

// Tar writes a bundle as plain tar, the same bytes each time.
func (s *Store) Tar(ctx context.Context, digest string, w io.Writer) error {
	dir, err := s.Dir(digest)
	if err != nil {
		return err
	}
	entries, err := scan(dir)
	if err != nil {
		return fmt.Errorf("export code: %w", err)
	}
	if err := writeTar(ctx, w, dir, entries); err != nil {
		return fmt.Errorf("export code: %w", err)
	}
	return nil
}

// writeTar writes the entries of a folder without times and owners.
func writeTar(ctx context.Context, w io.Writer, root string, entries []*entry) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{Name: e.path, Mode: 0o644, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg, Size: e.size}
		switch {
		case e.kind == dir:
			h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o755, e.path+"/"
		case e.kind == symlink:
			h.Typeflag, h.Mode, h.Linkname = tar.TypeSymlink, 0o777, e.target
		case e.exec:
			h.Mode = 0o755
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if e.kind == file {
			if err := copyFile(ctx, t, filepath.Join(root, filepath.FromSlash(e.path)), e.size); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

func copyFile(ctx context.Context, w io.Writer, name string, size int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	switch _, err := io.CopyN(w, ctxReader{ctx, f}, size); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s became shorter while it was read", name)
	case err != nil:
		return err
	}
	return nil
}
