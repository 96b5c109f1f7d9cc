package runtime

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Closure returns, sorted, the places where the dynamic loader finds every
// shared library that the ELF files at paths need, directly or through another
// library, and the loader itself. The files themselves are not in the result,
// nor is a library that this host lacks (an optional extension module may need
// one). A file that isn't ELF, a script, needs nothing.
//
// The folders are canonical and the last element is the name that the loader
// asks for, which may be a symbolic link: bind what it leads to at that name.
func Closure(paths ...string) ([]string, error) {
	c := closure{cache: readLoaderCache("/etc/ld.so.cache"), found: map[string]bool{}, seen: map[string]bool{}}
	for _, p := range paths {
		if err := c.add(p, nil); err != nil {
			return nil, fmt.Errorf("find the shared libraries of %s: %w", p, err)
		}
	}
	out := make([]string, 0, len(c.found))
	for p := range c.found {
		out = append(out, p)
	}
	sort.Strings(out)
	return out, nil
}

type closure struct {
	cache map[string][]string // soname → candidates
	found map[string]bool
	seen  map[string]bool // real paths whose needs were followed
}

// add follows the needs of the ELF file at path. Rpath is what the files that
// led here said with DT_RPATH, which unlike DT_RUNPATH is inherited.
func (c *closure) add(path string, rpath []string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if c.seen[real] {
		return nil
	}
	c.seen[real] = true
	f, err := elf.Open(real)
	var format *elf.FormatError
	if errors.As(err, &format) || errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()

	if loader := interpreter(f); loader != "" {
		c.found[Canonical(loader)] = true
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return nil // no dynamic section: a static file
	}
	own := expandOrigin(f, elf.DT_RUNPATH, real)
	rpath = append(expandOrigin(f, elf.DT_RPATH, real), rpath...)
	for _, name := range needed {
		lib := c.resolve(f, name, append(append([]string{}, rpath...), own...))
		if lib == "" {
			continue
		}
		c.found[Canonical(lib)] = true
		if err := c.add(lib, rpath); err != nil {
			return err
		}
	}
	return nil
}

// resolve finds the library called name for f in the loader's order.
func (c *closure) resolve(f *elf.File, name string, dirs []string) string {
	var candidates []string
	if strings.Contains(name, "/") {
		candidates = []string{name}
	} else {
		for _, d := range dirs {
			candidates = append(candidates, filepath.Join(d, name))
		}
		candidates = append(candidates, c.cache[name]...)
		for _, d := range standardDirs {
			candidates = append(candidates, filepath.Join(d, name))
		}
	}
	for _, p := range candidates {
		if sameMachine(f, p) {
			return p
		}
	}
	return ""
}

// standardDirs are searched after the cache; musl has no cache and knows the
// second to fourth.
var standardDirs = []string{"/lib64", "/lib", "/usr/local/lib", "/usr/lib", "/usr/lib64"}

func sameMachine(f *elf.File, path string) bool {
	g, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = g.Close() }()
	return g.Class == f.Class && g.Machine == f.Machine
}

func interpreter(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		b, err := io.ReadAll(p.Open())
		if err == nil {
			return string(bytes.TrimRight(b, "\x00"))
		}
	}
	return ""
}

func expandOrigin(f *elf.File, tag elf.DynTag, path string) []string {
	values, err := f.DynString(tag)
	if err != nil {
		return nil
	}
	origin := filepath.Dir(path)
	var out []string
	for _, v := range values {
		for _, d := range strings.Split(v, ":") {
			d = strings.NewReplacer("${ORIGIN}", origin, "$ORIGIN", origin).Replace(d)
			if filepath.IsAbs(d) {
				out = append(out, filepath.Clean(d))
			}
		}
	}
	return out
}

// readLoaderCache reads what ldconfig wrote, in the format that glibc has used
// alone since 2.32 and behind an older one before. A missing or strange file is
// an empty cache: the standard folders remain.
func readLoaderCache(path string) map[string][]string {
	const (
		magic      = "glibc-ld.so.cache1.1"
		headerSize = 48
		entrySize  = 24
	)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	start := bytes.Index(b, []byte(magic))
	if start < 0 || len(b) < start+headerSize {
		return nil
	}
	b = b[start:]
	order := binary.NativeEndian
	text := func(off uint32) string {
		if uint64(off) >= uint64(len(b)) {
			return ""
		}
		s, _, _ := bytes.Cut(b[off:], []byte{0})
		return string(s)
	}
	out := map[string][]string{}
	count := order.Uint32(b[len(magic):])
	for i := uint64(0); i < uint64(count); i++ {
		at := headerSize + i*entrySize
		if at+entrySize > uint64(len(b)) {
			break
		}
		key, value := text(order.Uint32(b[at+4:])), text(order.Uint32(b[at+8:]))
		if key != "" && filepath.IsAbs(value) {
			out[key] = append(out[key], value)
		}
	}
	return out
}
