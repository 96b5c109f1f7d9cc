package node

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"hearth"
	"hearth/internal/runtime"
)

//go:embed shim/*.cjs shim/rehearsal
var embedded embed.FS

// minMajor is the oldest Node whose features the shim relies on.
const minMajor = 18

// minMemory is what a sandbox needs for Node to start, rehearse and answer, in
// MiB. In the memory cgroup a stem cell of Node 20 takes 23.
const minMemory = 32

// flags start Node for a function. Measured on Node 20, two cores:
//   - v8-pool-size: 4 threads instead of 7, which a limit of processes counts;
//     start time and latency are the same.
//   - max-semi-space-size: the peak of an allocating loop with 20 MB alive falls
//     from 230 to 105 MB together with what memory.cjs sets, and it runs no slower.
//   - no-global-search-paths: $HOME/.node_modules is /tmp, which a function writes.
var flags = []string{"--v8-pool-size=1", "--max-semi-space-size=4", "--no-global-search-paths"}

// Node is the language. The zero value is not usable; see [New].
type Node struct{}

var _ runtime.Language = (*Node)(nil)

// New returns the language.
func New() *Node { return &Node{} }

// Name returns "nodejs".
func (*Node) Name() string { return "nodejs" }

// Aliases returns the other names of the language.
func (*Node) Aliases() []string { return []string{"javascript", "js", "node"} }

// Detect finds every Node of this host that is new enough, the newest first,
// one of each major version.
func (n *Node) Detect(ctx context.Context, dir string) ([]hearth.Runtime, string, error) {
	shim, err := shimFiles()
	if err != nil {
		return nil, "", err
	}
	found, old, broken := interpreters(ctx, candidates())
	if len(found) == 0 {
		return nil, absence(old, broken), nil
	}
	shimDir, err := runtime.WriteShim(dir, n.Name(), shim)
	if err != nil {
		return nil, "", err
	}
	var out []hearth.Runtime
	for _, i := range found {
		rt, err := i.runtime(shimDir)
		if err != nil {
			return nil, "", err
		}
		out = append(out, rt)
	}
	return out, "", nil
}

func absence(old []interpreter, broken error) string {
	switch {
	case broken != nil:
		return fmt.Sprintf("there is a Node, but it doesn't work: %v", broken)
	case len(old) > 0:
		return fmt.Sprintf("Node %s at %s is older than %d; install a newer one to run JavaScript", old[0].version, old[0].path, minMajor)
	}
	return fmt.Sprintf("no Node found; install it to run JavaScript (Debian: apt-get install nodejs; %d or newer)", minMajor)
}

func shimFiles() (fs.FS, error) { return fs.Sub(embedded, "shim") }

// interpreter is one Node of this host.
type interpreter struct {
	path    string // the binary itself, links resolved
	version string // "20.20.2"
	major   int
	builtin []string // files outside the binary that its own library is read from
}

func (i interpreter) runtime(shimDir string) (hearth.Runtime, error) {
	files, err := i.files()
	if err != nil {
		return hearth.Runtime{}, err
	}
	return hearth.Runtime{
		Name:        fmt.Sprintf("nodejs%d", i.major),
		Language:    "nodejs",
		Version:     i.version,
		Interpreter: i.path,
		Files:       files,
		ShimDir:     shimDir,
		Command:     append(append([]string{i.path}, flags...), hearth.ShimMount+"/shim.cjs"),
		Env: []string{
			"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8", "TZ=UTC",
		},
		MinMemory: minMemory,
	}, nil
}

// files are the host paths that the interpreter and a small userland need.
func (i interpreter) files() ([]string, error) {
	programs := append([]string{i.path}, runtime.BaseTools()...)
	libraries, err := runtime.Closure(programs...)
	if err != nil {
		return nil, err
	}
	all := append(programs, runtime.Fold(libraries)...)
	all = append(all, i.builtin...)
	return runtime.Compact(append(all, runtime.SystemFiles()...)), nil
}

// interpreters asks each of the paths that there is for its version and returns
// the usable ones, newest first, the ones that are too old, and why others don't
// tell.
func interpreters(ctx context.Context, paths []string) (usable, old []interpreter, broken error) {
	seen := map[string]bool{}
	majors := map[int]bool{}
	var real []string
	for _, p := range paths {
		if path, err := filepath.EvalSymlinks(p); err == nil && !seen[path] {
			seen[path] = true
			real = append(real, path)
		}
	}
	all := make([]interpreter, len(real)) // the zero value where there is no answer
	errs := make([]error, len(real))
	var wg sync.WaitGroup
	for n, path := range real {
		wg.Go(func() {
			all[n], errs[n] = ask(ctx, path)
		})
	}
	wg.Wait()
	all = slices.DeleteFunc(all, func(i interpreter) bool { return i.path == "" })
	sort.SliceStable(all, func(a, b int) bool { return all[a].major > all[b].major })
	for _, i := range all {
		switch {
		case i.major < minMajor:
			old = append(old, i)
		case !majors[i.major]:
			majors[i.major] = true
			usable = append(usable, i)
		}
	}
	return usable, old, errors.Join(errs...)
}

// candidates lists where a node may be: the system's places first, then PATH,
// which holds the folder of a version manager where one is active.
func candidates() []string {
	dirs := []string{"/usr/bin", "/usr/local/bin"}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	var out []string
	for _, dir := range dirs {
		for _, name := range []string{"node", "nodejs"} {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

// question prints the version, and the files outside the binary that parts of
// Node's library were configured to be read from.
const question = `const shared = process.config.variables.node_builtin_shareable_builtins ?? [];
console.log(JSON.stringify({version: process.versions.node,
	builtin: shared.filter((p) => typeof p === "string" && require("path").isAbsolute(p) && require("fs").existsSync(p))}))`

func ask(ctx context.Context, path string) (interpreter, error) {
	out, err := runtime.Ask(ctx, []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent"}, path, "-e", question)
	if err != nil {
		return interpreter{}, err
	}
	var answer struct {
		Version string
		Builtin []string
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return interpreter{}, fmt.Errorf("read the version that %s printed: %w", path, err)
	}
	major, _, _ := strings.Cut(answer.Version, ".")
	number, err := strconv.Atoi(major)
	if err != nil {
		return interpreter{}, fmt.Errorf("read the version that %s printed: %w", path, err)
	}
	return interpreter{path: path, version: answer.Version, major: number, builtin: builtinFiles(answer.Builtin)}, nil
}

// debianModules are the folders that Debian's Node reads parts of its own
// library from, without saying so in its configuration.
var debianModules = []string{"acorn", "acorn-walk", "cjs-module-lexer", "undici"}

// builtinFiles completes the files that a Node says it reads with those that
// Debian's reads.
func builtinFiles(listed []string) []string {
	var out []string
	for _, p := range listed {
		out = append(out, runtime.Canonical(p))
	}
	for _, name := range debianModules {
		dir := filepath.Join("/usr/share/nodejs", name)
		if _, err := os.Stat(dir); err == nil {
			out = append(out, runtime.Canonical(dir))
		}
	}
	return out
}
