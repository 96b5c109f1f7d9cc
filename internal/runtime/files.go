package runtime

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Canonical returns path with the symbolic links of its folder resolved and its
// last element kept: /bin/sh is /usr/bin/sh where /bin is a link to usr/bin,
// whatever sh itself is a link to. A path that isn't there is returned as it is.
func Canonical(path string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(dir, filepath.Base(path))
}

// toolNames is the POSIX userland that functions find for subprocess and
// child_process. It is short because each is a mount of its own in every
// sandbox: no compilers, no network tools, nothing with the set-uid bit.
var toolNames = []string{
	"sh", "awk", "basename", "cat", "cp", "cut", "date", "dirname", "echo", "env", "find", "grep", "gzip",
	"head", "id", "ls", "mkdir", "mv", "rm", "sed", "sleep", "sort", "tail", "tar", "tr", "true", "uname", "wc", "xargs",
}

// BaseTools returns the canonical paths of the small userland that this host
// has: a shell and the usual filters. Their libraries are not included.
func BaseTools() []string {
	var out []string
	for _, name := range toolNames {
		for _, dir := range []string{"/usr/bin", "/bin"} {
			p := filepath.Join(dir, name)
			if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) == 0 {
				out = append(out, Canonical(p))
				break
			}
		}
	}
	return out
}

// SystemFiles returns the data that every language's library looks for at fixed
// places, as far as this host has it: time zones, certificate authorities, the
// loader's cache, the C.UTF-8 locale.
func SystemFiles() []string {
	var out []string
	for _, p := range []string{
		"/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted",
		"/usr/lib/ssl", "/usr/lib/locale/C.utf8", "/usr/share/ca-certificates", "/usr/share/zoneinfo",
	} {
		if _, err := os.Stat(p); err == nil {
			out = append(out, Canonical(p))
		}
	}
	return out
}

// maxLibraries is how many libraries of one folder are listed one by one. A
// mount costs every sandbox time, a folder of libraries gives nothing away but
// which ones the host has.
const maxLibraries = 8

// Fold puts the folder in place of the libraries in it where there are many.
func Fold(libraries []string) []string {
	count := map[string]int{}
	for _, p := range libraries {
		count[filepath.Dir(p)]++
	}
	var out []string
	for _, p := range libraries {
		if dir := filepath.Dir(p); count[dir] > maxLibraries {
			p = dir
		}
		out = append(out, p)
	}
	return Compact(out)
}

// Compact sorts paths and leaves out those that appear twice or are inside
// another. Every path must be canonical, see [Canonical].
func Compact(paths []string) []string {
	sorted := append([]string{}, paths...)
	sort.Strings(sorted)
	kept := map[string]bool{}
	var out []string
	for _, p := range sorted {
		if !kept[p] && !insideAny(p, kept) {
			kept[p] = true
			out = append(out, p)
		}
	}
	return out
}

func insideAny(path string, folders map[string]bool) bool {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if folders[dir] {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// Inside reports whether path is dir or below it; both are clean and absolute.
func Inside(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
