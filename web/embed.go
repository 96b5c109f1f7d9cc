//go:build !noui

package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist placeholder
var files embed.FS

// Files returns the dashboard, nil in a build without it. Where it wasn't built
// (scripts/web.sh does that), it is a page that says so.
func Files() fs.FS {
	dir := "dist"
	if !Built() {
		dir = "placeholder"
	}
	sub, err := fs.Sub(files, dir)
	if err != nil { // only for a path that isn't valid
		return nil
	}
	return sub
}

// Built reports whether the dashboard itself is inside the binary.
func Built() bool {
	_, err := fs.Stat(files, "dist/index.html")
	return err == nil
}
