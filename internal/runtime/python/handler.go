package python

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strings"

	"hearth"
)

// entryNames are the modules that hold the handler by custom, best first.
var entryNames = []string{"main.py", "app.py", "handler.py", "index.py", "lambda_function.py", "function.py"}

// entryFunctions are the names of handlers by custom, best first.
var entryFunctions = []string{"handler", "lambda_handler", "main"}

// Owns implements [runtime.Language]: there is a Python file at the top, or a
// list of Python dependencies.
func (language) Owns(code fs.FS) bool {
	if len(modules(code)) > 0 {
		return true
	}
	_, err := fs.Stat(code, "requirements.txt")
	return err == nil
}

// Handler implements [runtime.Language].
func (language) Handler(code fs.FS) (string, error) {
	names := modules(code)
	if len(names) == 0 {
		return "", hearth.Errorf(hearth.CodeInvalid, "there is no Python file at the top of the code").
			WithHint("put the handler in main.py, or name it with --handler, for example --handler package.module.function").WithField("handler")
	}
	candidates := entryModules(names)
	for _, file := range candidates {
		defined := definitions(code, file)
		for _, f := range entryFunctions {
			if defined[f] {
				return strings.TrimSuffix(file, ".py") + "." + f, nil
			}
		}
	}
	var functions []string
	for _, file := range names {
		for f := range definitions(code, file) {
			if !strings.HasPrefix(f, "_") {
				functions = append(functions, strings.TrimSuffix(file, ".py")+"."+f)
			}
		}
	}
	sort.Strings(functions)
	err := hearth.Errorf(hearth.CodeInvalid, "no handler was found in %s", strings.Join(names, ", ")).WithField("handler")
	if len(functions) == 0 {
		return "", err.WithHint("define one in %s: def handler(event, context)", candidates[0])
	}
	return "", err.WithHint("say which function with --handler: %s", strings.Join(firstOf(functions, 8), ", "))
}

// Check implements [runtime.Language].
func (language) Check(code fs.FS, handler string) error {
	if err := hearth.ValidateHandler(handler); err != nil {
		return err
	}
	parts := strings.Split(strings.ReplaceAll(handler, "/", "."), ".")
	for i := len(parts) - 1; i > 0; i-- {
		file, isPackage := locate(code, parts[:i])
		if file == "" && !isPackage {
			continue
		}
		if file == "" {
			return nil // an extension module or a folder: only running tells
		}
		if i < len(parts)-1 {
			if mentions(code, file, parts[i]) {
				return nil // perhaps an attribute of a class
			}
			continue
		}
		return checkFunction(code, file, parts[i])
	}
	err := hearth.Errorf(hearth.CodeInvalid, "there is no module %s in the code", strings.Join(parts[:len(parts)-1], ".")).WithField("handler")
	if names := modules(code); len(names) > 0 {
		return err.WithHint("the handler %s needs the file %s.py; the code holds %s", handler,
			strings.Join(parts[:len(parts)-1], "/"), strings.Join(firstOf(names, 8), ", "))
	}
	return err.WithHint("the handler %s needs the file %s.py; the code holds no Python file at its top", handler,
		strings.Join(parts[:len(parts)-1], "/"))
}

// locate finds the file of a module, or says that it is a folder.
func locate(code fs.FS, module []string) (file string, isPackage bool) {
	base := path.Join(module...)
	for _, name := range []string{base + "/__init__.py", base + ".py"} {
		if info, err := fs.Stat(code, name); err == nil && !info.IsDir() {
			return name, false
		}
	}
	// An extension module or a byte-code file can be a module too.
	if hits, err := fs.Glob(code, base+".*.so"); err == nil && len(hits) > 0 {
		return "", true
	}
	return "", holdsPython(code, base)
}

// holdsPython reports whether dir is a folder with something to import in it,
// at any depth.
func holdsPython(code fs.FS, dir string) bool {
	found := false
	_ = fs.WalkDir(code, dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(name, ".py") || strings.HasSuffix(name, ".pyc") || strings.HasSuffix(name, ".so")) {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// checkFunction fails if file certainly doesn't define name.
func checkFunction(code fs.FS, file, name string) error {
	if mentions(code, file, name) {
		return nil
	}
	defined := definitions(code, file)
	var functions []string
	for f := range defined {
		if !strings.HasPrefix(f, "_") {
			functions = append(functions, f)
		}
	}
	sort.Strings(functions)
	bad := hearth.Errorf(hearth.CodeInvalid, "%s has no function %s", file, name).WithField("handler")
	if len(functions) == 0 {
		return bad.WithHint("define it: def %s(event, context)", name)
	}
	return bad.WithHint("it defines %s: name one of them with --handler %s.%s", strings.Join(firstOf(functions, 8), ", "),
		strings.TrimSuffix(strings.ReplaceAll(strings.TrimSuffix(file, ".py"), "/", "."), ".__init__"), functions[0])
}

// mentions reports whether file may define name: it spells it somewhere, or
// makes names in ways that a look at the text doesn't show.
func mentions(code fs.FS, file, name string) bool {
	source, err := fs.ReadFile(code, file)
	return err != nil || bytes.Contains(source, []byte(name)) || dynamicRE.Match(source)
}

// dynamicRE matches what may define names that the source doesn't spell.
var dynamicRE = regexp.MustCompile(`import\s*\*|globals\(\)|setattr\(|exec\(|__getattr__|sys\.modules`)

// definitionRE matches a definition at the top level of a module.
var definitionRE = regexp.MustCompile(`(?m)^(?:(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)[ \t]*\(|([A-Za-z_]\w*)[ \t]*(?::[^=\n]+)?=[^=])`)

// importRE matches "from x import a, b as c" on one line.
var importRE = regexp.MustCompile(`(?m)^from[ \t]+\S+[ \t]+import[ \t]+\(?([^#\n)]+)`)

// definitions returns the names that a module defines at its top level, by a
// scan of its lines: functions, assignments, imported names.
func definitions(code fs.FS, file string) map[string]bool {
	out := map[string]bool{}
	source, err := fs.ReadFile(code, file)
	if err != nil {
		return out
	}
	for _, m := range definitionRE.FindAllSubmatch(source, -1) {
		if len(m[1]) > 0 {
			out[string(m[1])] = true
		} else if name := string(m[2]); isEntryFunction(name) {
			out[name] = true // handler = make_handler(): other assignments are rarely functions
		}
	}
	for _, m := range importRE.FindAllSubmatch(source, -1) {
		for _, item := range strings.Split(string(m[1]), ",") {
			words := strings.Fields(item)
			if len(words) > 0 && isEntryFunction(words[len(words)-1]) {
				out[words[len(words)-1]] = true
			}
		}
	}
	return out
}

func isEntryFunction(name string) bool {
	for _, f := range entryFunctions {
		if f == name {
			return true
		}
	}
	return false
}

// modules lists the Python files at the top of the code that may hold a
// handler: no tests, no packaging.
func modules(code fs.FS) []string {
	entries, err := fs.ReadDir(code, ".")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !isPython(name) || name == "setup.py" || name == "conftest.py" ||
			strings.HasPrefix(name, "test_") || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "_test.py") {
			continue
		}
		out = append(out, name)
	}
	return out
}

// entryModules orders the files in which the handler may be guessed: the
// customary names, or the only file there is.
func entryModules(names []string) []string {
	have := map[string]bool{}
	for _, n := range names {
		have[n] = true
	}
	var out []string
	for _, n := range entryNames {
		if have[n] {
			out = append(out, n)
		}
	}
	if len(out) == 0 && len(names) == 1 {
		return names
	}
	if len(out) == 0 {
		return names[:1]
	}
	return out
}

func firstOf(names []string, n int) []string {
	if len(names) > n {
		return append(append([]string{}, names[:n]...), "…")
	}
	return names
}
