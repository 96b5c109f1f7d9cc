//go:build !linux

package native

import (
	"context"

	"hearth"
	"hearth/internal/sandbox"
)

// Driver seals functions with what the Linux kernel offers; on other systems
// it can only say so.
type Driver struct{}

var _ sandbox.Driver = (*Driver)(nil)

var errSystem = hearth.Errorf(hearth.CodeUnsupported, "the native sandbox needs Linux: %w", sandbox.ErrUnsupported).
	WithHint("run the server on Linux, or choose another driver with --sandbox")

// New returns a driver whose every call says that this system can't do it.
func New(Config) (*Driver, error) { return &Driver{}, nil }

// IsInit reports whether this process was started to be the init of a sandbox.
func IsInit() bool { return false }

// Init is never called here.
func Init() int { return 1 }

// Name returns "native".
func (d *Driver) Name() string { return "native" }

// Probe says that this system lacks all of it.
func (d *Driver) Probe(context.Context) (sandbox.Capabilities, error) {
	return sandbox.Capabilities{}, errSystem
}

// Create fails.
func (d *Driver) Create(context.Context, sandbox.Spec) (sandbox.Sandbox, error) {
	return nil, errSystem
}

// Warm fails.
func (d *Driver) Warm(context.Context, hearth.Runtime) error { return errSystem }

// Leftovers finds nothing.
func (d *Driver) Leftovers(context.Context) ([]sandbox.Sandbox, error) { return nil, nil }

// Close does nothing.
func (d *Driver) Close() error { return nil }
