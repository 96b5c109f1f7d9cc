// Package examples holds the functions that Hearth comes with, to start from
// and to test with: a folder each, as a user would deploy it. It embeds them, so
// that the binary alone can show them. It doesn't run them.
package examples

import (
	"embed"
	"fmt"
	"io/fs"
	"sort"

	"go.yaml.in/yaml/v3"
)

//go:embed counter csv-stats github-webhook hello-node hello-python markdown shop-api stream-node stream-python thumbnail
var folders embed.FS

//go:embed templates.yaml
var templates []byte

// Template is what is said of an example where it is offered to start from.
type Template struct {
	Name        string `yaml:"name"` // of the example
	Title       string `yaml:"title"`
	Description string `yaml:"description"`
}

// Templates lists all examples in the order in which they are offered.
func Templates() ([]Template, error) {
	var ts []Template
	if err := yaml.Unmarshal(templates, &ts); err != nil {
		return nil, fmt.Errorf("read the templates: %w", err)
	}
	return ts, nil
}

// List names the examples, sorted. A name is that of the folder and of the function.
func List() ([]string, error) {
	entries, err := folders.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list the examples: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	sort.Strings(names)
	return names, nil
}

// Folder returns the files of an example: its code, hearth.yaml and check.yaml.
func Folder(name string) (fs.FS, error) {
	dir, err := fs.Sub(folders, name)
	if err != nil {
		return nil, fmt.Errorf("open the example %s: %w", name, err)
	}
	if _, err := fs.Stat(dir, "hearth.yaml"); err != nil {
		return nil, fmt.Errorf("open the example %s: %w", name, err)
	}
	return dir, nil
}

// Check is one request to an example and what it has to answer, as check.yaml
// lists them; README.md describes the members.
type Check struct {
	Name    string  `yaml:"name"`
	Request Request `yaml:"request"`
	Expect  Expect  `yaml:"expect"`
}

// Request is a request below /fn/NAME.
type Request struct {
	Method  string            `yaml:"method"` // "" is GET
	Path    string            `yaml:"path"`   // with its query
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	File    string            `yaml:"file"` // in the example's folder, in place of Body
}

// Expect is what is compared of the reply; what is absent isn't.
type Expect struct {
	Status    int               `yaml:"status"`
	Headers   map[string]string `yaml:"headers"`
	Body      *string           `yaml:"body"`       // exactly
	Contains  []string          `yaml:"contains"`   // each, somewhere
	JSON      any               `yaml:"json"`       // the same value
	PrefixHex string            `yaml:"prefix_hex"` // the first bytes
}

// Checks reads the check.yaml of an example. They are made in their order, on a
// function that was not called before.
func Checks(name string) ([]Check, error) {
	text, err := folders.ReadFile(name + "/check.yaml")
	if err != nil {
		return nil, fmt.Errorf("read the checks of %s: %w", name, err)
	}
	var checks []Check
	if err := yaml.Unmarshal(text, &checks); err != nil {
		return nil, fmt.Errorf("read the checks of %s: %w", name, err)
	}
	return checks, nil
}
