package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"hearth"
)

// lock keeps other servers off a data folder. It goes with the process, so a
// crash leaves none behind.
type lock struct{ f *os.File }

func takeLock(file string) (*lock, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock the data folder: %w", err)
		}
		b, _ := io.ReadAll(io.LimitReader(f, 32))
		return nil, hearth.Errorf(hearth.CodeConflict, "a server (process %s) runs on %s already", strings.TrimSpace(string(b)), filepath.Dir(file)).
			WithHint("stop it, or give this one a folder of its own with --data").WithField("data")
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), f.Close())
	}
	return &lock{f}, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// release lets others in. The file stays: removing it would let two servers
// hold locks on two files of one name.
func (l *lock) release() error { return l.f.Close() }
