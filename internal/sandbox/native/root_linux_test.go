package native

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustTree makes files ("a/b"), folders ("a/") and links ("a -> b") below a
// folder that has no link in its own path.
func mustTree(t *testing.T, entries ...string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("/var/lib", "hearth-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, e := range entries {
		name, target, isLink := strings.Cut(e, " -> ")
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		switch {
		case isLink:
			err = os.Symlink(strings.ReplaceAll(target, "DIR", dir), at)
		case strings.HasSuffix(e, "/"):
			err = os.MkdirAll(at, 0o755)
		default:
			err = os.WriteFile(at, []byte(e), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPlanRoot(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "needs root: the folder of the test must not be below /tmp, which a root can't hold")
	}
	for name, c := range map[string]struct {
		tree, files []string
		binds       []string
		links       map[string]string
	}{
		"files and folders": {
			tree: []string{"bin/run", "lib/a", "lib/b"}, files: []string{"bin/run", "lib"},
			binds: []string{"bin/run", "lib"}, links: map[string]string{},
		},
		"what is inside a folder comes with it": {
			tree: []string{"lib/sub/a", "lib/b", "lib-2/c"}, files: []string{"lib/sub/a", "lib", "lib-2/c"},
			binds: []string{"lib", "lib-2/c"}, links: map[string]string{},
		},
		"links on the way are made again": {
			tree:  []string{"usr/lib/libc.so.6", "usr/lib/libc.so -> libc.so.6", "lib -> usr/lib"},
			files: []string{"lib/libc.so"},
			binds: []string{"usr/lib/libc.so.6"},
			links: map[string]string{"lib": "usr/lib", "usr/lib/libc.so": "libc.so.6"},
		},
		"links inside a bound folder are there already": {
			tree: []string{"lib/a", "lib/b -> a"}, files: []string{"lib/b", "lib"},
			binds: []string{"lib"}, links: map[string]string{},
		},
		"absolute links and links upwards": {
			tree:  []string{"opt/py/bin/python", "bin/python -> DIR/opt/py/bin/python", "sbin/py -> ../bin/python"},
			files: []string{"sbin/py"},
			binds: []string{"opt/py/bin/python"},
			links: map[string]string{"bin/python": "DIR/opt/py/bin/python", "sbin/py": "../bin/python"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mustTree(t, c.tree...)
			in := func(p string) string { return filepath.Join(dir, p) }
			var files, binds []string
			for _, f := range c.files {
				files = append(files, in(f))
			}
			for _, f := range c.binds {
				binds = append(binds, in(f))
			}
			links := map[string]string{}
			for link, target := range c.links {
				links[in(link)] = strings.ReplaceAll(target, "DIR", dir)
			}
			plan, err := planRoot(files)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range mergedUsr {
				delete(plan.links, l)
			}
			if diff := cmp.Diff(binds, plan.binds); diff != "" {
				t.Errorf("binds: %s", diff)
			}
			if diff := cmp.Diff(links, plan.links); diff != "" {
				t.Errorf("links: %s", diff)
			}
		})
	}
}

func TestPlanRootRefuses(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"lib":           "is not an absolute path",
		"/":             "is the whole file system",
		"/usr/..":       "is the whole file system",
		"/no/such/file": "no such file",
		"/dev/null":     "lies in /dev, which is private",
		dir:             "lies in /tmp, which is private",
		loop:            "too many levels of symbolic links",
	} {
		if _, err := planRoot([]string{file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}
