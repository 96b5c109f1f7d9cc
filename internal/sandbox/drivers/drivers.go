package drivers

import (
	"log/slog"
	"path/filepath"

	"hearth/internal/sandbox"
	"hearth/internal/sandbox/native"
)

// Config is what drivers are made with.
type Config struct {
	Dir      string // absolute; each driver has a folder of its own below
	Instance string // tells this server's sandboxes from those of others on the host
	Logger   *slog.Logger
}

// All makes every driver. Whether one works on this host is for its Probe to
// say. The caller closes them.
func All(c Config) ([]sandbox.Driver, error) {
	n, err := native.New(native.Config{
		Dir: filepath.Join(c.Dir, "native"), Instance: c.Instance, Logger: c.Logger,
	})
	if err != nil {
		return nil, err
	}
	return []sandbox.Driver{n}, nil
}
