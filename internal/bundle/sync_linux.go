package bundle

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFS syncs the file system of a folder. It reports whether it could.
func syncFS(root string) (bool, error) {
	f, err := os.Open(root)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return false, os.NewSyscallError("syncfs", err)
	}
	return true, nil
}
