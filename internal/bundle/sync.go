package bundle

import (
	"os"
	"path/filepath"
)

// fewFiles is up to how many files are synced one by one; for more, one sync
// of the whole file system is quicker.
const fewFiles = 32

// syncTree makes sure that a tree would survive a power cut.
func syncTree(root string, entries []*entry) error {
	if len(entries) > fewFiles {
		if done, err := syncFS(root); done || err != nil {
			return err
		}
	}
	for _, e := range entries {
		if e.kind == symlink {
			continue // part of its folder
		}
		if err := syncDir(filepath.Join(root, filepath.FromSlash(e.path))); err != nil {
			return err
		}
	}
	return syncDir(root)
}

// syncDir syncs a folder, or a file, by name.
func syncDir(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
