package python

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"

	"hearth"
	"hearth/internal/runtime"
)

//go:embed shim/shim.py shim/zygote.py shim/rehearsal
var shimFiles embed.FS

// minMemory is what an interpreter with the shim needs to come up, in MiB.
const minMemory = 24

// language implements [runtime.Language].
type language struct {
	folders []string // where interpreters are looked for, best first
}

// New returns the Python language. It looks for interpreters in /usr/bin, in
// /usr/local/bin and on the PATH of this process.
func New() runtime.Language {
	folders := []string{"/usr/bin", "/usr/local/bin"}
	return language{folders: append(folders, filepath.SplitList(os.Getenv("PATH"))...)}
}

// Name implements [runtime.Language].
func (language) Name() string { return "python" }

// Aliases implements [runtime.Language].
func (language) Aliases() []string { return []string{"python3", "py"} }

// Detect implements [runtime.Language].
func (l language) Detect(ctx context.Context, dir string) ([]hearth.Runtime, string, error) {
	found, broken := l.interpreters(ctx)
	if len(found) == 0 && broken != nil {
		return nil, fmt.Sprintf("there is a Python, but it doesn't work: %v", broken), nil
	}
	if len(found) == 0 {
		return nil, "there is no Python 3.9 or newer on this host; install it with: apt-get install python3", nil
	}
	files, err := fs.Sub(shimFiles, "shim")
	if err != nil {
		return nil, "", fmt.Errorf("read the embedded shim: %w", err)
	}
	shimDir, err := runtime.WriteShim(dir, l.Name(), files)
	if err != nil {
		return nil, "", err
	}
	var out []hearth.Runtime
	var note string
	for _, i := range found {
		rt, err := i.runtime(shimDir)
		if err != nil {
			note = fmt.Sprintf("%s is left out: %v", i.Executable, err)
			continue
		}
		out = append(out, rt)
	}
	return out, note, nil
}

var nameRE = regexp.MustCompile(`^python3(\.\d+)?$`)

// interpreters asks every candidate once, all at the same time, and keeps the
// first of each minor version, so that the distribution's wins; newest first. It
// also returns why others don't answer.
func (l language) interpreters(ctx context.Context) ([]interpreter, error) {
	candidates := l.candidates()
	answers := make([]interpreter, len(candidates)) // the zero value where there is none
	errs := make([]error, len(candidates))
	var wg sync.WaitGroup
	for n, path := range candidates {
		wg.Go(func() {
			if answers[n], errs[n] = ask(ctx, path); errs[n] != nil {
				answers[n] = interpreter{}
			}
		})
	}
	wg.Wait()
	var out []interpreter
	have := map[int]bool{}
	for _, i := range answers {
		if i.Version[0] != 3 || i.Version[1] < 9 || have[i.Version[1]] {
			continue
		}
		have[i.Version[1]] = true
		out = append(out, i)
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Version[1] > out[b].Version[1] })
	return out, errors.Join(errs...)
}

// candidates lists what may be an interpreter, each program once, in the order
// of the folders.
func (l language) candidates() []string {
	var out []string
	seen := map[string]bool{}
	for _, dir := range l.folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			path, err := behind(dir, e.Name())
			if !nameRE.MatchString(e.Name()) || err != nil {
				continue
			}
			real, err := filepath.EvalSymlinks(path)
			key := real + "\x00" + shimName(real, e.Name())
			if err != nil || seen[key] {
				continue
			}
			seen[key] = true
			out = append(out, path)
		}
	}
	return out
}

var errNotChosen = errors.New("stands for no interpreter that was chosen")

// behind returns the program that a name stands for. That is mostly the file
// itself, but pyenv has a script for each name, which takes ten times as long as
// the interpreter to say that it stands for none: the versions that were chosen
// are in a file.
func behind(dir, name string) (string, error) {
	path, root := filepath.Join(dir, name), filepath.Dir(dir)
	if filepath.Base(dir) != "shims" {
		return path, nil
	}
	chosen, err := os.ReadFile(filepath.Join(root, "version"))
	if err != nil {
		return path, nil // another manager's
	}
	for _, version := range strings.Fields(string(chosen)) {
		real := filepath.Join(root, "versions", version, "bin", name)
		if _, err := os.Stat(real); err == nil {
			return real, nil
		}
	}
	return "", errNotChosen
}

// shimName tells apart the names of one script that dispatches on its own name,
// as version managers do: asking python3 says nothing about python3.12.
func shimName(real, name string) string {
	if nameRE.MatchString(filepath.Base(real)) {
		return ""
	}
	return name
}

// interpreter is what an interpreter says of itself.
type interpreter struct {
	Executable string   `json:"executable"` // real path; of the base interpreter where this is a virtual environment's
	Version    [3]int   `json:"version"`
	Library    []string `json:"library"`    // folders of the standard library
	Extensions []string `json:"extensions"` // folders of its extension modules
}

// question makes an interpreter describe itself without touching the site.
const question = `
import json, os, sys, sysconfig
paths = [sysconfig.get_path(n) for n in ("stdlib", "platstdlib")]
ext = [p for p in sys.path if os.path.basename(p) == "lib-dynload"] + [sysconfig.get_config_var("DESTSHARED") or ""]
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "version": list(sys.version_info[:3]),
    "library": sorted({os.path.realpath(p) for p in paths if p and os.path.isdir(p)}),
    "extensions": sorted({os.path.realpath(p) for p in ext if p and os.path.isdir(p)}),
}))`

func ask(ctx context.Context, path string) (interpreter, error) {
	var i interpreter
	out, err := runtime.Ask(ctx, nil, path, "-I", "-S", "-c", question)
	if err != nil {
		return i, err
	}
	if err := json.Unmarshal(out, &i); err != nil {
		return i, fmt.Errorf("understand what %s says of itself: %w", path, err)
	}
	if !filepath.IsAbs(i.Executable) || len(i.Library) == 0 {
		return i, fmt.Errorf("%s doesn't say where its library is", path)
	}
	return i, nil
}

func (i interpreter) runtime(shimDir string) (hearth.Runtime, error) {
	files, err := i.files()
	if err != nil {
		return hearth.Runtime{}, err
	}
	flags := []string{i.Executable, "-I", "-S", "-B"}
	return hearth.Runtime{
		Name:        fmt.Sprintf("python3.%d", i.Version[1]),
		Language:    "python",
		Version:     fmt.Sprintf("%d.%d.%d", i.Version[0], i.Version[1], i.Version[2]),
		Interpreter: i.Executable,
		Files:       files,
		ShimDir:     shimDir,
		Command:     append(append([]string{}, flags...), "-u", hearth.ShimMount+"/shim.py"),
		Zygote:      append(append([]string{}, flags...), hearth.ShimMount+"/zygote.py"),
		Env: []string{
			"HOME=/tmp", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=/tmp", "TZ=UTC",
		},
		MinMemory: minMemory,
	}, nil
}

// files lists what the interpreter needs of the host, see the package comment.
func (i interpreter) files() ([]string, error) {
	binaries := []string{i.Executable}
	for _, dir := range i.Extensions {
		modules, err := filepath.Glob(filepath.Join(dir, "*.so"))
		if err != nil {
			return nil, fmt.Errorf("list the extension modules in %s: %w", dir, err)
		}
		binaries = append(binaries, modules...)
	}
	tools := runtime.BaseTools()
	libraries, err := runtime.Closure(append(binaries, tools...)...)
	if err != nil {
		return nil, err
	}
	files := append([]string{i.Executable}, i.Library...)
	for _, dir := range i.Extensions {
		files = append(files, runtime.Canonical(dir))
	}
	files = append(files, runtime.Fold(libraries)...)
	files = append(files, tools...)
	files = append(files, runtime.SystemFiles()...)
	return runtime.Compact(files), nil
}

// isPython reports whether name is a Python source file.
func isPython(name string) bool { return strings.HasSuffix(name, ".py") }
