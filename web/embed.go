//go:build !noui

package web

import (
	"embed"
	"io/fs"
)

//go:embed static
var files embed.FS

// Files returns the dashboard, nil in a build without it.
func Files() fs.FS {
	sub, err := fs.Sub(files, "static")
	if err != nil { // only for a path that isn't valid
		return nil
	}
	return sub
}
