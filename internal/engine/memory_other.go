//go:build !linux

package engine

import "errors"

// HostAvailableMiB is not known on this system.
func HostAvailableMiB() (int, error) {
	return 0, errors.ErrUnsupported
}
