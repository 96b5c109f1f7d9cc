package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"hearth"
)

// Limits bounds what an upload may hold; zero fields mean the default.
type Limits struct {
	MaxUpload   int64 // bytes of the archive
	MaxUnpacked int64 // bytes of all files
	MaxFiles    int   // files, folders and links
	MaxRatio    int   // unpacked bytes per byte of the archive, once more than 1 MiB is unpacked
}

// DefaultLimits is 64 MiB, 250 MiB, 10 000 files and a ratio of 200.
func DefaultLimits() Limits {
	return Limits{MaxUpload: 64 << 20, MaxUnpacked: 250 << 20, MaxFiles: 10_000, MaxRatio: 200}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.MaxUpload <= 0 {
		l.MaxUpload = d.MaxUpload
	}
	if l.MaxUnpacked <= 0 {
		l.MaxUnpacked = d.MaxUnpacked
	}
	if l.MaxFiles <= 0 {
		l.MaxFiles = d.MaxFiles
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = d.MaxRatio
	}
	return l
}

// Bundle is code that is kept.
type Bundle struct {
	Digest string // "sha256:…" of the content, the same for every archive that unpacks to it
	Bytes  int64  // of all files
	Files  int    // regular files
}

// Store keeps bundles in a folder, each once. All methods may be called
// concurrently; only one process may use a folder.
//
// Bundles are in sha256/, ready to be used as they are; tmp/ holds uploads on
// their way in and bundles on their way out.
type Store struct {
	bundles, tmp string
	limits       Limits

	mu     sync.Mutex // held while a bundle appears or disappears
	active map[string]bool
}

// Open opens the store in dir, and makes the folder if it isn't there.
func Open(dir string, l Limits) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open bundles: %w", err)
	}
	s := &Store{
		bundles: filepath.Join(dir, "sha256"), tmp: filepath.Join(dir, "tmp"),
		limits: l.withDefaults(), active: map[string]bool{},
	}
	for _, d := range []string{dir, s.bundles, s.tmp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("open bundles: %w", err)
		}
	}
	return s, nil
}

// Add reads an upload and keeps its content: a .zip, a .tar.gz, a .tar, or a
// single .py, .js, .mjs or .cjs file, which is kept under its base name. What
// it is, is told by its first bytes; filename decides where they don't.
//
// Nothing is taken off the paths: if all is in one folder, so it is in the
// bundle. When Add returns, the content would survive a power cut. A refused
// upload is a [hearth.Error] with code CodeInvalid or CodeTooLarge that names
// the entry at fault; an error of r comes back wrapped.
func (s *Store) Add(ctx context.Context, r io.Reader, filename string) (Bundle, error) {
	work, err := s.workDir()
	if err != nil {
		return Bundle{}, fmt.Errorf("keep upload: %w", err)
	}
	defer s.dropWork(work)
	up, err := spool(ctx, r, filepath.Join(work, "upload"), s.limits.MaxUpload)
	if err != nil {
		return Bundle{}, err
	}
	defer up.Close()
	tree := filepath.Join(work, "tree")
	entries, err := s.unpack(ctx, up, filename, tree)
	if err != nil {
		return Bundle{}, err
	}
	if err := syncTree(tree, entries); err != nil {
		return Bundle{}, fmt.Errorf("keep upload: %w", err)
	}
	b := describe(entries)
	if err := s.commit(tree, b.Digest); err != nil {
		return Bundle{}, fmt.Errorf("keep upload: %w", err)
	}
	return b, nil
}

// workDir makes a folder in tmp that Sweep leaves alone.
func (s *Store) workDir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, err := os.MkdirTemp(s.tmp, "upload-")
	if err == nil {
		s.active[filepath.Base(dir)] = true
	}
	return dir, err
}

func (s *Store) dropWork(dir string) {
	// What can't be removed now is removed by Sweep.
	_ = os.RemoveAll(dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.active, filepath.Base(dir))
}

// spool copies an upload to a file, because zip archives are read from their end.
func spool(ctx context.Context, r io.Reader, path string, limit int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep upload: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(ctxReader{ctx, r}, limit+1))
	switch {
	case err != nil:
		err = fmt.Errorf("read upload: %w", err)
	case n > limit:
		err = hearth.Errorf(hearth.CodeTooLarge, "the upload is over the limit of %s", formatBytes(limit)).
			WithHint("leave out what the function doesn't need, for example by a .hearthignore file")
	case n == 0:
		err = hearth.Errorf(hearth.CodeInvalid, "the upload is empty").WithHint("send a .zip, a .tar.gz or a source file")
	default:
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close() // it is removed with its folder
		return nil, err
	}
	return f, nil
}

// ctxReader fails when its context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// commit moves a finished tree to its place, unless the same content is there.
func (s *Store) commit(tree, digest string) error {
	dst := s.path(digest)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Lstat(dst); err == nil {
		now := time.Now()
		return os.Chtimes(dst, now, now) // its grace begins anew
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(tree, dst); err != nil {
		return err
	}
	return syncDir(s.bundles)
}

var digestRE = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// path returns where a bundle is, or would be. The digest must be valid.
func (s *Store) path(digest string) string { return filepath.Join(s.bundles, digest[len("sha256:"):]) }

// Dir returns the absolute folder of a bundle. It must not be written to. All
// users can read it; files have mode 0644 or 0755. A bundle that isn't there
// is CodeNotFound.
func (s *Store) Dir(digest string) (string, error) {
	if !digestRE.MatchString(digest) {
		return "", hearth.Errorf(hearth.CodeInvalid, "%q is not a digest of code", digest).WithHint("digests look like sha256:… with 64 hex digits")
	}
	dir := s.path(digest)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", hearth.Errorf(hearth.CodeNotFound, "the code %s is not kept here", digest).WithHint("deploy it again")
	} else if err != nil {
		return "", fmt.Errorf("find code: %w", err)
	}
	return dir, nil
}

// FS returns a bundle's files.
func (s *Store) FS(digest string) (fs.FS, error) {
	dir, err := s.Dir(digest)
	if err != nil {
		return nil, err
	}
	return os.DirFS(dir), nil // its links were checked to stay within
}

// Verify reads a bundle again and reports whether it still is what its digest says.
func (s *Store) Verify(ctx context.Context, digest string) error {
	dir, err := s.Dir(digest)
	if err != nil {
		return err
	}
	entries, err := scan(dir)
	if err != nil {
		return fmt.Errorf("verify code: %w", err)
	}
	for _, e := range entries {
		if err := sumFile(ctx, dir, e); err != nil {
			return fmt.Errorf("verify code: %w", err)
		}
	}
	if got := describe(entries).Digest; got != digest {
		return hearth.Errorf(hearth.CodePlatform, "the code %s was changed on disk: it is now %s", digest, got).
			WithHint("deploy the function again, and find out who writes to %s", s.bundles)
	}
	return nil
}

// Sweep removes bundles that are not in use and that nobody added within
// grace, and what interrupted uploads of more than grace ago left behind. It
// asks inUse once more right before it removes a bundle. It returns the number
// of bundles and the bytes of their files.
func (s *Store) Sweep(ctx context.Context, inUse func(digest string) bool, grace time.Duration) (removed int, freed int64, err error) {
	before := time.Now().Add(-grace)
	names, err := os.ReadDir(s.bundles)
	if err != nil {
		return 0, 0, fmt.Errorf("sweep bundles: %w", err)
	}
	for _, n := range names {
		if ctx.Err() != nil {
			return removed, freed, fmt.Errorf("sweep bundles: %w", ctx.Err())
		}
		dead, err := s.bury(n.Name(), inUse, before)
		if err != nil {
			return removed, freed, fmt.Errorf("sweep bundles: %w", err)
		}
		if dead == "" {
			continue
		}
		removed++
		freed += treeBytes(dead)
		s.dropWork(dead)
	}
	if err := s.sweepTmp(before); err != nil {
		return removed, freed, fmt.Errorf("sweep uploads: %w", err)
	}
	return removed, freed, nil
}

// bury moves a bundle that nobody needs to tmp and returns where it is, "" if
// it stays.
func (s *Store) bury(name string, inUse func(digest string) bool, before time.Time) (string, error) {
	digest := "sha256:" + name
	if !digestRE.MatchString(digest) || inUse(digest) {
		return "", nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fi, err := os.Lstat(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if fi.ModTime().After(before) || inUse(digest) {
		return "", nil
	}
	dead := filepath.Join(s.tmp, "dead-"+name)
	if err := os.Rename(s.path(digest), dead); err != nil {
		return "", err
	}
	s.active[filepath.Base(dead)] = true
	return dead, nil
}

// sweepTmp removes what no call is busy with.
func (s *Store) sweepTmp(before time.Time) error {
	names, err := os.ReadDir(s.tmp)
	if err != nil {
		return err
	}
	for _, n := range names {
		s.mu.Lock()
		busy := s.active[n.Name()]
		s.mu.Unlock()
		if busy {
			continue
		}
		fi, err := n.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && fi.ModTime().After(before) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(s.tmp, n.Name())); err != nil {
			return err
		}
	}
	return nil
}

// treeBytes sums up the files below dir, as far as they can be read.
func treeBytes(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, unreadable error) error {
		if unreadable == nil && d.Type().IsRegular() {
			if fi, err := d.Info(); err == nil {
				n += fi.Size()
			}
		}
		return nil
	})
	return n
}

// sumFile fills in the sum of a regular file.
func sumFile(ctx context.Context, dir string, e *entry) error {
	if e.kind != file {
		return nil
	}
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(e.path)))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, ctxReader{ctx, f}); err != nil {
		return err
	}
	h.Sum(e.sum[:0])
	return nil
}

func formatBytes(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
