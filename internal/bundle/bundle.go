package bundle

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"
)

var errSkeleton = errors.New("not built yet")

// Limits bounds what an upload may hold.
type Limits struct {
	MaxUpload   int64 // bytes of the archive
	MaxUnpacked int64 // bytes of all files
	MaxFiles    int   // files, folders and links
	MaxRatio    int   // unpacked bytes per archived byte, for archives that unpack to more than 1 MiB
}

// DefaultLimits is 64 MiB, 250 MiB, 10 000 files and a ratio of 200.
func DefaultLimits() Limits {
	return Limits{MaxUpload: 64 << 20, MaxUnpacked: 250 << 20, MaxFiles: 10_000, MaxRatio: 200}
}

// Bundle is code that is kept.
type Bundle struct {
	Digest string // "sha256:…" of the content, the same for every archive that unpacks to it
	Bytes  int64  // of all files
	Files  int    // regular files
}

// Store keeps bundles in a folder, each once.
type Store struct{}

// Open opens or creates the store in dir.
func Open(dir string, l Limits) (*Store, error) { return nil, errSkeleton }

// Add reads an upload and keeps its content.
func (s *Store) Add(ctx context.Context, r io.Reader, filename string) (Bundle, error) {
	return Bundle{}, errSkeleton
}

// Dir returns the absolute folder of a bundle.
func (s *Store) Dir(digest string) (string, error) { return "", errSkeleton }

// FS returns a bundle's files.
func (s *Store) FS(digest string) (fs.FS, error) { return nil, errSkeleton }

// Export writes a bundle as tar.gz, the same bytes each time.
func (s *Store) Export(ctx context.Context, digest string, w io.Writer) error { return errSkeleton }

// Tar writes a bundle as plain tar, the same bytes each time.
func (s *Store) Tar(ctx context.Context, digest string, w io.Writer) error { return errSkeleton }

// Verify reads a bundle again and reports whether it still is what its digest says.
func (s *Store) Verify(ctx context.Context, digest string) error { return errSkeleton }

// Sweep removes bundles that are not in use and older than grace, and what
// interrupted uploads left behind.
func (s *Store) Sweep(ctx context.Context, inUse func(digest string) bool, grace time.Duration) (removed int, freed int64, err error) {
	return 0, 0, errSkeleton
}

// PackInfo says what Pack packed.
type PackInfo struct {
	Filename string   // what to send as the upload's name
	Files    int      // regular files and links
	Bytes    int64    // of the files, before compression
	Names    []string // their paths, sorted
}

// Pack writes the folder or single file at path as tar.gz.
func Pack(w io.Writer, path string) (PackInfo, error) { return PackInfo{}, errSkeleton }
