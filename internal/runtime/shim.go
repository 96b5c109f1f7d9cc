package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteShim puts the files of a language's shim below root, in a folder named
// after the language and a digest of the content, and returns it. The folder
// appears whole or not at all, and one that is there is used as it is: another
// process may be running from it. Anybody may read it, only the owner write.
func WriteShim(root, language string, files fs.FS) (string, error) {
	digest, err := digestOf(files)
	if err != nil {
		return "", fmt.Errorf("read the shim of %s: %w", language, err)
	}
	dir := filepath.Join(root, language+"-"+digest)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of shims: %w", err)
	}
	tmp, err := os.MkdirTemp(root, "."+language+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the shim of %s: %w", language, err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := copyShim(tmp, files); err != nil {
		return "", fmt.Errorf("write the shim of %s: %w", language, err)
	}
	err = os.Rename(tmp, dir)
	if errors.Is(err, fs.ErrExist) { // somebody was faster, with the same content
		return dir, nil
	}
	if err != nil {
		return "", fmt.Errorf("put the shim of %s in place: %w", language, err)
	}
	return dir, nil
}

func digestOf(files fs.FS) (string, error) {
	h := sha256.New()
	err := eachFile(files, func(name string, content []byte) error {
		_, err := fmt.Fprintf(h, "%d %s %d\n%s", len(name), name, len(content), content)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func copyShim(dir string, files fs.FS) error {
	err := eachFile(files, func(name string, content []byte) error {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			return err
		}
		return os.Chmod(target, 0o644) // whatever the umask: sandboxes have other users
	})
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}

func eachFile(files fs.FS, do func(name string, content []byte) error) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return do(name, content)
	})
}
