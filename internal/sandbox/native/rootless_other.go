//go:build !linux

package native

import "context"

// EnterUserNamespace does nothing on systems without user namespaces.
func EnterUserNamespace(context.Context) (entered bool, exitCode int, err error) {
	return true, 0, nil
}
