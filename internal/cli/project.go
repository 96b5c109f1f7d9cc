package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hearth"
	"hearth/client/rest"
)

// projectFile is what a folder may hold.
const projectFile = "hearth.yaml"

// mib is a size in MiB, written as 128, "128MiB", "128M" or "1GiB".
type mib int

func (m *mib) Set(s string) error {
	t, factor := strings.TrimSpace(s), 1
	for _, u := range []struct {
		suffix string
		factor int
	}{{"MiB", 1}, {"Mi", 1}, {"MB", 1}, {"M", 1}, {"GiB", 1024}, {"Gi", 1024}, {"GB", 1024}, {"G", 1024}} {
		if b, ok := strings.CutSuffix(t, u.suffix); ok {
			t, factor = strings.TrimSpace(b), u.factor
			break
		}
	}
	n, err := strconv.Atoi(t)
	if err != nil || n < 0 || n > 1<<30 {
		return fmt.Errorf("%q is not a size in MiB: write 128, 128MiB or 1GiB", s)
	}
	*m = mib(n * factor)
	return nil
}

func (m *mib) String() string { return strconv.Itoa(int(*m)) }

// Type names the value in help texts.
func (m *mib) Type() string { return "MiB" }

// UnmarshalYAML reads a number or a text.
func (m *mib) UnmarshalYAML(n *yaml.Node) error { return m.Set(n.Value) }

// routes is one route or a list of them.
type routes []hearth.Route

func (r *routes) Set(s string) error {
	route, err := hearth.ParseRoute(s)
	if err != nil {
		return err
	}
	*r = append(*r, route)
	return nil
}

func (r *routes) String() string {
	var ss []string
	for _, x := range *r {
		ss = append(ss, x.String())
	}
	return strings.Join(ss, ", ")
}

// Type names the value in help texts.
func (r *routes) Type() string { return "route" }

// UnmarshalYAML reads a text or a list of texts.
func (r *routes) UnmarshalYAML(n *yaml.Node) error {
	var many []string
	if n.Kind == yaml.ScalarNode {
		many = []string{n.Value}
	} else if err := n.Decode(&many); err != nil {
		return errors.New("route: write a text or a list of texts")
	}
	for _, s := range many {
		if err := r.Set(s); err != nil {
			return err
		}
	}
	return nil
}

// settings is what flags and hearth.yaml can say of a function, under the same
// names. The zero value of a field says nothing.
type settings struct {
	Name         string            `yaml:"name"`
	Runtime      string            `yaml:"runtime"`
	Language     string            `yaml:"language"`
	Handler      string            `yaml:"handler"`
	Sandbox      string            `yaml:"sandbox"`
	Memory       mib               `yaml:"memory"`
	Timeout      time.Duration     `yaml:"timeout"`
	CPU          float64           `yaml:"cpu"`
	PIDs         int               `yaml:"pids"`
	Tmp          mib               `yaml:"tmp"`
	Concurrency  int               `yaml:"concurrency"`
	MaxScale     int               `yaml:"max-scale"`
	MinWarm      int               `yaml:"min-warm"`
	KeepAlive    time.Duration     `yaml:"keep-alive"`
	Route        routes            `yaml:"route"`
	Public       bool              `yaml:"public"`
	Network      string            `yaml:"network"`
	Env          map[string]string `yaml:"env"`
	BatchSize    int               `yaml:"batch-size"`
	BatchWait    time.Duration     `yaml:"batch-wait"`
	OnDisconnect string            `yaml:"on-disconnect"`
	CORS         *cors             `yaml:"cors"`

	changed func(flag string) bool // which were said, where the zero value is a word too
}

// cors is hearth.CORS as it is written in hearth.yaml.
type cors struct {
	Origins     []string      `yaml:"origins"`
	Methods     []string      `yaml:"methods"`
	Headers     []string      `yaml:"headers"`
	Credentials bool          `yaml:"credentials"`
	MaxAge      time.Duration `yaml:"max-age"`
}

// readProject reads hearth.yaml in dir, if there is one.
func readProject(dir string) (settings, error) {
	var s settings
	file := filepath.Join(dir, projectFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, usage("read %s: %w", file, err)
	}
	return parseProject(file, b)
}

func parseProject(file string, b []byte) (settings, error) {
	var s settings
	// Both spellings of a name are understood: min-warm as the flag, min_warm
	// as the API has it.
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return s, usage("%s is not valid YAML: %s", file, trimYAML(err)).WithHint("mend the line it names; names are those of hearth deploy --help")
	}
	keys := map[string]bool{}
	if len(doc.Content) > 0 && doc.Content[0].Kind == yaml.MappingNode {
		m := doc.Content[0]
		for i := 0; i+1 < len(m.Content); i += 2 {
			m.Content[i].Value = strings.ReplaceAll(m.Content[i].Value, "_", "-")
			keys[m.Content[i].Value] = true
		}
		var err error
		if b, err = yaml.Marshal(&doc); err != nil {
			return s, usage("%s can't be read: %w", file, err)
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		var e *hearth.Error
		if errors.As(err, &e) {
			return s, e
		}
		return s, usage("%s: %s", file, trimYAML(err)).WithHint("its names are those of the flags in hearth deploy --help")
	}
	if s.Runtime == "" {
		s.Runtime = s.Language
	}
	s.changed = func(flag string) bool { return keys[flag] }
	return s, nil
}

// trimYAML takes the library's own words off an error.
func trimYAML(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n  ")
	return strings.ReplaceAll(text, " not found in type cli.settings", " is not a setting")
}

// overlay returns s with what flags say in its place. Variables are merged.
func (s settings) overlay(flags settings) settings {
	pick(&s.Name, flags.Name)
	pick(&s.Runtime, flags.Runtime)
	pick(&s.Handler, flags.Handler)
	pick(&s.Sandbox, flags.Sandbox)
	pick(&s.Memory, flags.Memory)
	pick(&s.Timeout, flags.Timeout)
	pick(&s.CPU, flags.CPU)
	pick(&s.PIDs, flags.PIDs)
	pick(&s.Tmp, flags.Tmp)
	pick(&s.Concurrency, flags.Concurrency)
	pick(&s.MaxScale, flags.MaxScale)
	pick(&s.MinWarm, flags.MinWarm)
	pick(&s.KeepAlive, flags.KeepAlive)
	pick(&s.Network, flags.Network)
	pick(&s.BatchSize, flags.BatchSize)
	pick(&s.BatchWait, flags.BatchWait)
	pick(&s.OnDisconnect, flags.OnDisconnect)
	if len(flags.Route) > 0 {
		s.Route = flags.Route
	}
	if len(flags.Env) > 0 && s.Env == nil {
		s.Env = map[string]string{}
	}
	for k, v := range flags.Env {
		s.Env[k] = v
	}
	inFile, byFlag := s.changed, flags.changed
	said := func(ask func(string) bool, name string) bool { return ask != nil && ask(name) }
	if said(byFlag, "public") {
		s.Public = flags.Public
	}
	s.changed = func(name string) bool { return said(inFile, name) || said(byFlag, name) }
	return s
}

func pick[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}

// config turns the settings into what the API takes. What belongs to the
// function (public, routes, cors) is sent only if something was said of it.
func (s settings) config() (rest.DeployConfig, error) {
	c := rest.DeployConfig{
		Runtime: s.Runtime, Handler: s.Handler, Sandbox: s.Sandbox,
		Limits: hearth.Limits{
			MemoryMiB: int(s.Memory), CPU: s.CPU, Timeout: hearth.Duration(s.Timeout), PIDs: s.PIDs, TmpMiB: int(s.Tmp),
		},
		Env: s.Env, Network: hearth.Network(s.Network), Concurrency: s.Concurrency, MaxScale: s.MaxScale, MinWarm: s.MinWarm,
		KeepAlive: hearth.Duration(s.KeepAlive), OnDisconnect: hearth.Disconnect(s.OnDisconnect),
		Batch: hearth.Batch{Size: s.BatchSize, Wait: hearth.Duration(s.BatchWait)},
	}
	for flag, value := range map[string]float64{
		"memory": float64(s.Memory), "timeout": float64(s.Timeout), "cpu": s.CPU, "pids": float64(s.PIDs),
		"tmp": float64(s.Tmp), "concurrency": float64(s.Concurrency),
	} {
		// Zero would silently mean the default.
		if s.changed != nil && s.changed(flag) && value <= 0 {
			return c, usage("%s must be more than 0", flag).WithField(flag).WithHint("leave it out for the default")
		}
	}
	if s.changed != nil && s.changed("public") {
		c.Public = &s.Public
	}
	if s.changed != nil && s.changed("route") {
		rs := []hearth.Route(s.Route)
		if rs == nil {
			rs = []hearth.Route{}
		}
		c.Routes = &rs
	}
	if s.CORS != nil {
		c.CORS = &hearth.CORS{
			Origins: s.CORS.Origins, Methods: s.CORS.Methods, Headers: s.CORS.Headers,
			Credentials: s.CORS.Credentials, MaxAge: hearth.Duration(s.CORS.MaxAge),
		}
	}
	return c, nil
}
