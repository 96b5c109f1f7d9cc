//go:build noui

package web

import "io/fs"

// Files returns the dashboard, nil in a build without it.
func Files() fs.FS { return nil }
