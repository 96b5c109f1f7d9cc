package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "hearth"

// rule says what the packages that match may import of this module, and what
// they may not import of others. A pattern is a path below the module's root
// ("" is the root itself); "x/..." is x and everything below.
type rule struct {
	packages []string
	own      []string // allowed packages of this module; the root is always allowed
	never    []string // forbidden packages of the standard library and of others
	because  string
}

// io are the packages that touch the world.
var io = []string{"os/...", "net/...", "syscall", "database/sql/...", "log/...", "io/ioutil", "plugin", "golang.org/..."}

// The first rule that matches a package holds for it.
var rules = []rule{
	{
		packages: []string{""}, own: nil, never: io,
		because: "the root is the vocabulary: everybody imports it, so it may depend on nothing and do nothing",
	},
	{
		packages: []string{"client/..."}, own: []string{"client/..."},
		because: "the client is for programs of others: the server's packages would come along with it",
	},
	{
		packages: []string{"cmd/hearth"}, own: []string{"internal/cli", "internal/sandbox/native"},
		because: "main starts the command line, and the init of native sandboxes before anything else; whatever it did more couldn't be tested",
	},
	{
		packages: []string{"internal/service/..."}, own: []string{"internal/service"}, never: []string{"net/..."},
		because: "the contract of background loops is below all who keep it",
	},
	{
		packages: []string{"internal/wire"}, own: []string{"internal/service"}, never: []string{"net/http", "os/exec", "database/sql"},
		because: "the wire carries frames; who is at its ends is for others to know",
	},
	{
		packages: []string{"internal/sandbox"}, own: []string{"internal/service", "internal/wire"}, never: []string{"net/http", "os", "os/exec", "database/sql"},
		because: "the contract of drivers touches no host, or a driver couldn't be anywhere else",
	},
	{
		packages: []string{"internal/sandbox/drivers"}, own: []string{"internal/sandbox", "internal/sandbox/..."},
		because: "the list of drivers is the one place that knows them all",
	},
	{
		packages: []string{"internal/sandbox/guard"}, own: []string{"internal/sandbox"}, never: []string{"net/http", "os", "os/exec"},
		because: "the guard works above every driver, so it may know none",
	},
	{
		packages: []string{"internal/sandbox/fake"}, own: []string{"internal/sandbox", "internal/wire"}, never: []string{"net/http", "os/exec"},
		because: "the fake is a driver and, unlike others, also what runs inside: it speaks the wire",
	},
	{
		packages: []string{"internal/sandbox/sandboxtest"}, own: []string{"internal/sandbox", "internal/wire"}, never: []string{"testing/synctest"},
		because: "the suite judges drivers by the contract alone",
	},
	{
		packages: []string{"internal/sandbox/native/..."}, own: []string{"internal/sandbox"}, never: []string{"net/http", "database/sql"},
		because: "a driver stands alone: another driver, a language or the engine in it would tie them together",
	},
	{
		packages: []string{"internal/sandbox/..."}, own: []string{"internal/sandbox", "internal/vmm/...", "internal/guest/..."}, never: []string{"database/sql"},
		because: "a driver stands alone; those of virtual machines share the machine monitors and the guest",
	},
	{
		packages: []string{"internal/vmm/..."}, own: []string{"internal/vmm/..."},
		because: "a virtual machine and a byte stream to it: what they are for is the drivers' business",
	},
	{
		packages: []string{"internal/guest/..."}, own: []string{"internal/guest/..."},
		because: "the guest's init is a program of its own inside a virtual machine",
	},
	{
		packages: []string{"internal/runtime/..."}, own: []string{"internal/runtime", "internal/wire"}, never: []string{"net/http", "database/sql"},
		because: "a language knows no sandbox: every driver runs every language",
	},
	{
		packages: []string{"internal/store"}, own: []string{"internal/service"}, never: []string{"database/sql", "os", "net"},
		because: "the interface of the store is what the engine and the API see: a database in it would come along",
	},
	{
		packages: []string{"internal/store/..."}, own: []string{"internal/store", "internal/store/sqlstore", "internal/store/storetest", "internal/service"},
		never:   []string{"net/http"},
		because: "a database stands alone: sqlstore is what databases share, and no other may be reached",
	},
	{
		packages: []string{"internal/bundle/...", "internal/capture", "internal/live", "internal/logs", "internal/metrics", "internal/triage"}, own: []string{"internal/wire", "internal/service", "internal/store"},
		never:   []string{"database/sql"},
		because: "they serve the engine and the API alike, so they may know neither",
	},
	{
		packages: []string{"internal/tracing"}, own: nil, never: []string{"database/sql"},
		because: "it makes spans of finished records, wherever they come from",
	},
	{
		packages: []string{"internal/engine/..."},
		own: []string{
			"internal/sandbox", "internal/store", "internal/runtime", "internal/wire", "internal/bundle", "internal/logs",
			"internal/metrics", "internal/service", "internal/engine/...",
		},
		never:   []string{"net/http/...", "database/sql", "os/exec", "modernc.org/...", "github.com/jackc/..."},
		because: "the engine works for every driver, language and database, and doesn't know that calls come by HTTP",
	},
	{
		packages: []string{"internal/api/..."},
		own: []string{
			"internal/api/...", "internal/engine", "internal/store", "internal/metrics", "internal/live", "internal/logs", "internal/bundle",
			"internal/service", "internal/tracing", "client/rest",
		},
		never:   []string{"database/sql", "os/exec", "golang.org/x/sys/..."},
		because: "the API turns HTTP into calls: nothing between it and the kernel but the engine; client/rest are the documents that both sides write",
	},
	{
		packages: []string{"internal/config"}, own: nil, never: []string{"net/http", "database/sql"},
		because: "the configuration is one struct; whoever it configures is handed the values",
	},
	{
		packages: []string{"internal/server/..."}, own: []string{"..."},
		because: "the server is the only wiring, so it sees all",
	},
	{
		packages: []string{"internal/cli/..."},
		own:      []string{"internal/cli/...", "client/...", "internal/bundle", "internal/config", "internal/server", "examples"},
		never:    []string{"database/sql"},
		because:  "the command line is a client; only serve, up and doctor open the server",
	},
	{
		packages: []string{"internal/archtest", "web", "examples"}, own: nil,
		because: "they hold files and tests",
	},
	{
		packages: []string{"e2e/...", "bench/...", "docs/...", "scripts/..."}, own: []string{"..."},
		because: "they use the product from outside, some of it through the server as a value",
	},
}

func TestImports(t *testing.T) {
	for pkg, imports := range source(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return matchAny(r.packages, pkg) })
		if i < 0 {
			t.Errorf("package %s has no rule: say here what it may import, and why", pkg)
			continue
		}
		for imp, file := range imports {
			if rules[i].forbids(imp) {
				t.Errorf("%s imports %s, but %s", file, imp, rules[i].because)
			}
		}
	}
}

// TestServerIsOpenedByFew holds the command line to being a client.
func TestServerIsOpenedByFew(t *testing.T) {
	may := []string{"serve.go", "up.go", "doctor.go"}
	for imp, files := range filesOf(t, "internal/cli") {
		if imp != module+"/internal/server" {
			continue
		}
		for _, f := range files {
			if !slices.Contains(may, path.Base(f)) {
				t.Errorf("%s imports the server, but all commands except %s talk to it as everybody does", f, strings.Join(may, ", "))
			}
		}
	}
}

// TestTelemetryIsKnownToOne keeps the SDK where it can be replaced.
func TestTelemetryIsKnownToOne(t *testing.T) {
	for imp, files := range filesOf(t, "") {
		if !match("go.opentelemetry.io/...", imp) {
			continue
		}
		for _, f := range files {
			if !strings.HasPrefix(f, "internal/tracing/") {
				t.Errorf("%s imports %s, but only internal/tracing knows OpenTelemetry", f, imp)
			}
		}
	}
}

// TestRulesBite makes sure that the rules can say no.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct {
		pkg, imp string
		forbid   bool
	}{
		{"", "os", true},
		{"", "net/http", true},
		{"", "time", false},
		{"", "hearth/internal/wire", true},
		{"internal/engine", "net/http", true},
		{"internal/engine", "net/http/httptrace", true},
		{"internal/engine", "hearth/internal/sandbox/native", true},
		{"internal/engine", "hearth/internal/store/sqlite", true},
		{"internal/engine", "hearth/internal/runtime/python", true},
		{"internal/engine", "hearth/internal/sandbox", false},
		{"internal/engine", "hearth", false},
		{"internal/sandbox/native", "hearth/internal/sandbox/fake", true},
		{"internal/sandbox/docker", "hearth/internal/sandbox/native", true},
		{"internal/sandbox/docker", "hearth/internal/engine", true},
		{"internal/api", "hearth/internal/sandbox", true},
		{"internal/cli", "hearth/internal/engine", true},
		{"internal/server", "hearth/internal/sandbox/native", false},
	} {
		i := slices.IndexFunc(rules, func(r rule) bool { return matchAny(r.packages, c.pkg) })
		if got := rules[i].forbids(c.imp); got != c.forbid {
			t.Errorf("%q importing %s: forbidden is %v", c.pkg, c.imp, got)
		}
	}
}

func (r rule) forbids(imp string) bool {
	if imp == module {
		return false
	}
	if own, ok := strings.CutPrefix(imp, module+"/"); ok {
		return !matchAny(r.own, own)
	}
	return matchAny(r.never, imp)
}

func matchAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return match(pattern, p) })
}

func match(pattern, p string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == base || strings.HasPrefix(p, base+"/")
	}
	return pattern == p
}

// source returns, for every package, what its files import, tests excluded, and
// one file that does.
func source(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, f := range goFiles(t, "") {
		pkg := path.Dir(f)
		if pkg == "." {
			pkg = ""
		}
		if all[pkg] == nil {
			all[pkg] = map[string]string{}
		}
		for _, imp := range imports(t, f) {
			all[pkg][imp] = f
		}
	}
	if len(all) < 10 {
		t.Fatalf("found %d packages only", len(all))
	}
	return all
}

// filesOf returns the files below dir by what they import.
func filesOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	by := map[string][]string{}
	for _, f := range goFiles(t, dir) {
		for _, imp := range imports(t, f) {
			by[imp] = append(by[imp], f)
		}
	}
	return by
}

const root = "../.."

// goFiles lists the files below dir, as paths from the module's root.
func goFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, imp)
	}
	return out
}
