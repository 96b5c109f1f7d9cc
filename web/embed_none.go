//go:build noui

package web

import "io/fs"

// Files returns the dashboard, nil in a build without it.
func Files() fs.FS { return nil }

// Built reports whether the dashboard itself is inside the binary.
func Built() bool { return false }
