package node

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"hearth"
)

// extensions of modules, in the order in which the shim looks for them.
var extensions = []string{".js", ".mjs", ".cjs"}

// entryNames are the modules that a function usually starts in, likeliest first.
var entryNames = []string{"index", "main", "app", "handler", "lambda_function"}

// Owns reports whether code looks like JavaScript: a package.json, or a module
// at the top, TypeScript included so that Check can say what to do about it.
func (n *Node) Owns(code fs.FS) bool {
	entries, err := fs.ReadDir(code, ".")
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if e.Name() == "package.json" || isJavaScript(e.Name()) || isTypeScript(e.Name()) {
			return true
		}
	}
	return false
}

func isJavaScript(name string) bool {
	switch path.Ext(name) {
	case ".js", ".mjs", ".cjs":
		return true
	}
	return false
}

func isTypeScript(name string) bool {
	switch path.Ext(name) {
	case ".ts", ".mts", ".cts", ".tsx":
		return !strings.HasSuffix(name, ".d.ts")
	}
	return false
}

// Handler guesses the handler: the export named handler, or the default one,
// of the module that package.json names as main or that has a usual name.
func (n *Node) Handler(code fs.FS) (string, error) {
	if err := refuseTypeScript(code); err != nil {
		return "", err
	}
	modules := entryModules(code)
	for _, m := range modules {
		text, err := fs.ReadFile(code, m)
		if err != nil {
			continue
		}
		if export := exportOf(string(text)); export != "" {
			return stem(m) + "." + export, nil
		}
	}
	err := hearth.Errorf(hearth.CodeInvalid, "no handler was found in the code").WithField("handler")
	if len(modules) == 0 {
		return "", err.WithHint("put an index.mjs with `export const handler = async (event) => …` at the top, or name the handler with --handler FILE.EXPORT")
	}
	return "", err.WithHint("export a function named handler from %s, or name another with --handler, for example %s.myFunction", modules[0], stem(modules[0]))
}

func stem(file string) string { return strings.TrimSuffix(file, path.Ext(file)) }

// entryModules lists the modules that may hold the handler, likeliest first.
func entryModules(code fs.FS) []string {
	var out []string
	add := func(file string) {
		for _, have := range out {
			if have == file {
				return
			}
		}
		if info, err := fs.Stat(code, file); err == nil && info.Mode().IsRegular() {
			out = append(out, file)
		}
	}
	if main := manifestOf(code).Main; main != "" {
		main = path.Clean(main)
		if isJavaScript(main) {
			add(main)
		} else {
			for _, ext := range extensions {
				add(main + ext)
				add(path.Join(main, "index"+ext))
			}
		}
	}
	for _, name := range entryNames {
		for _, ext := range extensions {
			add(name + ext)
		}
	}
	if single := onlyModule(code); single != "" {
		add(single)
	}
	return out
}

// onlyModule is the one module at the top of code, if there is exactly one.
func onlyModule(code fs.FS) string {
	entries, err := fs.ReadDir(code, ".")
	if err != nil {
		return ""
	}
	found := ""
	for _, e := range entries {
		if e.IsDir() || !isJavaScript(e.Name()) {
			continue
		}
		if found != "" {
			return ""
		}
		found = e.Name()
	}
	return found
}

// manifest is the part of package.json that matters here.
type manifest struct {
	Main string `json:"main"`
	Type string `json:"type"`
}

// manifestOf reads package.json; one that is absent or broken is empty.
func manifestOf(code fs.FS) manifest {
	var m manifest
	if text, err := fs.ReadFile(code, "package.json"); err == nil {
		if json.Unmarshal(text, &m) != nil {
			return manifest{}
		}
	}
	return m
}

var (
	namedExport = regexp.MustCompile(`(?m)^\s*export\s+(?:const|let|var|async\s+function\s*\*?|function\s*\*?)\s*handler\b` +
		`|^\s*export\s*\{[^}]*\bhandler\b[^}]*\}|\bexports\.handler\s*=|\bmodule\.exports\s*=\s*\{[^}]*\bhandler\b`)
	defaultExport = regexp.MustCompile(`(?m)^\s*export\s+default\b|\bmodule\.exports\s*=\s*(?:async\b|function\b|\()`)
)

// exportOf scans a module for what is likely its handler: "handler", "default"
// or "". It doesn't parse: the shim has the last word.
func exportOf(text string) string {
	switch {
	case namedExport.MatchString(text):
		return "handler"
	case defaultExport.MatchString(text):
		return "default"
	}
	return ""
}

var handlerRE = regexp.MustCompile(`^(?:[\w@-][\w@.-]*/)*[\w$@-]+(?:\.[\w$-]+)+$`)

// Check says what is certainly wrong with code and its handler: a name that
// can't be one, no module it could mean, TypeScript, a broken package.json.
func (n *Node) Check(code fs.FS, handler string) error {
	bad := func(format string, args ...any) *hearth.Error {
		return hearth.Errorf(hearth.CodeInvalid, format, args...).WithField("handler")
	}
	if !handlerRE.MatchString(handler) || !fs.ValidPath(path.Dir(handler)) {
		return bad("%q is not a handler", handler).WithHint("write FILE.EXPORT without the file's extension, for example index.handler or src/index.handler")
	}
	if text, err := fs.ReadFile(code, "package.json"); err == nil && !json.Valid(text) {
		return hearth.Errorf(hearth.CodeInvalid, "package.json is not JSON").WithHint("mend package.json, or leave it out: a function without dependencies needs none")
	}
	names := moduleNames(handler)
	for _, name := range names {
		if moduleFile(code, name, extensions) != "" {
			return nil
		}
	}
	for _, name := range names {
		if file := moduleFile(code, name, []string{".ts", ".mts", ".cts", ".tsx"}); file != "" {
			return typeScript(file)
		}
	}
	err := bad("the handler %q names a module that the code doesn't hold", handler)
	if guess, e := n.Handler(code); e == nil {
		return err.WithHint("there is no %s.js, .mjs or .cjs; did you mean --handler %s?", names[0], guess)
	}
	return err.WithHint("there is no %s.js, .mjs or .cjs in the code; name the file as it is below the folder that you deploy", names[0])
}

// moduleNames lists the modules that a handler may mean, as the shim tries them.
func moduleNames(handler string) []string {
	dir, base := path.Split(handler)
	parts := strings.Split(base, ".")
	var out []string
	for i := len(parts) - 1; i > 0; i-- {
		out = append(out, dir+strings.Join(parts[:i], "/"))
		if i > 1 {
			out = append(out, dir+strings.Join(parts[:i], "."))
		}
	}
	return out
}

func moduleFile(code fs.FS, name string, extensions []string) string {
	for _, base := range []string{name, path.Join(name, "index")} {
		for _, ext := range extensions {
			if info, err := fs.Stat(code, base+ext); err == nil && info.Mode().IsRegular() {
				return base + ext
			}
		}
	}
	return ""
}

// refuseTypeScript fails where TypeScript is all there is at the top.
func refuseTypeScript(code fs.FS) error {
	if len(entryModules(code)) > 0 {
		return nil
	}
	entries, err := fs.ReadDir(code, ".")
	if err != nil {
		return fmt.Errorf("read the code: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() && isTypeScript(e.Name()) {
			return typeScript(e.Name())
		}
	}
	return nil
}

func typeScript(file string) error {
	return hearth.Errorf(hearth.CodeUnsupported, "%s is TypeScript, which Hearth can't run yet", file).
		WithHint("deploy JavaScript: compile it first, for example with `npx tsc` or `npx esbuild %s --bundle --platform=node --outfile=index.js`", file).
		WithField("handler")
}
