package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
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
		return usage("%q is not a size in MiB", s).WithHint("write 128, 128MiB or 1GiB")
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
		return usage("route is not a text or a list of texts").WithHint("write it like /hello, or as a list")
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

	Message string // by flag only: it is of one deploy

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
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return s, usage("%s is not valid YAML: %s", file, strings.TrimPrefix(err.Error(), "yaml: ")).
			WithHint("mend the line it names; a setting is written like \"memory: 256\"")
	}
	said := map[string]bool{}
	s.changed = func(flag string) bool { return said[flag] }
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return s, nil // empty, or comments only
	}
	if err := decodeFields(file, doc.Content[0], reflect.ValueOf(&s).Elem(), said); err != nil {
		return s, err
	}
	return s, s.unify(file)
}

// decodeFields fills a struct from a mapping, a field at a time, so that an
// error can name its line, its setting and what the setting takes. Both
// spellings of a name are understood: min-warm as the flag, min_warm as the API
// has it.
func decodeFields(file string, m *yaml.Node, into reflect.Value, said map[string]bool) error {
	if m.Kind != yaml.MappingNode {
		return usage("%s, line %d: these are no settings", file, m.Line).WithHint("a setting is written like \"memory: 256\"")
	}
	fields, names := map[string]reflect.Value{}, []string{}
	for i := range into.NumField() {
		if tag := into.Type().Field(i).Tag.Get("yaml"); tag != "" {
			fields[tag] = into.Field(i)
			names = append(names, tag)
		}
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		name := strings.ReplaceAll(key.Value, "_", "-")
		field, ok := fields[name]
		switch {
		case !ok:
			e := usage("%s, line %d: %q is not a setting", file, key.Line, key.Value)
			if near := nearest(name, names); near != "" {
				return e.WithHint("did you mean %s?", near)
			}
			return e.WithHint("the settings are %s", strings.Join(names, ", "))
		case said[name]:
			return usage("%s, line %d: %s is there twice", file, key.Line, key.Value).WithHint("keep one of them")
		}
		said[name] = true
		if err := decodeField(file, value, field, key.Value); err != nil {
			return err
		}
	}
	return nil
}

func decodeField(file string, value *yaml.Node, field reflect.Value, name string) error {
	if field.Type() == reflect.TypeFor[*cors]() {
		c := reflect.New(field.Type().Elem())
		field.Set(c)
		return decodeFields(file, value, c.Elem(), map[string]bool{})
	}
	err := value.Decode(field.Addr().Interface())
	if err == nil && field.Type() == reflect.TypeFor[int]() && value.ShortTag() == "!!float" {
		err = errors.New("the library would cut it to a whole number")
	}
	var own *hearth.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		e := named(name, own)
		e.Message = fmt.Sprintf("%s, line %d: %s", file, value.Line, e.Message)
		return e
	}
	typ := map[reflect.Type]string{
		reflect.TypeFor[time.Duration](): "duration", reflect.TypeFor[int](): "int", reflect.TypeFor[float64](): "float64",
		reflect.TypeFor[bool](): "bool", reflect.TypeFor[mib](): "MiB", reflect.TypeFor[string](): "text",
		reflect.TypeFor[map[string]string](): "list of names and values", reflect.TypeFor[[]string](): "list of texts",
	}[field.Type()]
	is := "this"
	if value.Kind == yaml.ScalarNode {
		is = strconv.Quote(value.Value)
	}
	return usage("%s, line %d: %s is %s, which is not %s", file, value.Line, name, is, kindOf(typ)).WithField(name).
		WithHint("%s", formOf(typ, "it is the same as --"+strings.ReplaceAll(name, "_", "-")+"; see: hearth deploy --help"))
}

// unify puts the two names of the runtime together.
func (s *settings) unify(where string) error {
	if s.Runtime != "" && s.Language != "" && s.Runtime != s.Language {
		return usage("%s: both runtime (%s) and language (%s) are given, which mean the same", where, s.Runtime, s.Language).
			WithHint("leave one of them out").WithField("runtime")
	}
	pick(&s.Runtime, s.Language, s.Language != "")
	return nil
}

// said tells whether a setting was given, be it with the zero value.
func (s settings) said(name string) bool { return s.changed != nil && s.changed(name) }

// overlay returns s with what flags say in its place. Variables are merged.
func (s settings) overlay(flags settings) settings {
	inFile, byFlag := s.said, flags.said
	pick(&s.Name, flags.Name, flags.Name != "")
	pick(&s.Runtime, flags.Runtime, flags.Runtime != "")
	pick(&s.Handler, flags.Handler, flags.Handler != "")
	pick(&s.Sandbox, flags.Sandbox, flags.Sandbox != "")
	pick(&s.Memory, flags.Memory, byFlag("memory"))
	pick(&s.Timeout, flags.Timeout, byFlag("timeout"))
	pick(&s.CPU, flags.CPU, byFlag("cpu"))
	pick(&s.PIDs, flags.PIDs, byFlag("pids"))
	pick(&s.Tmp, flags.Tmp, byFlag("tmp"))
	pick(&s.Concurrency, flags.Concurrency, byFlag("concurrency"))
	pick(&s.MaxScale, flags.MaxScale, byFlag("max-scale"))
	pick(&s.MinWarm, flags.MinWarm, byFlag("min-warm"))
	pick(&s.KeepAlive, flags.KeepAlive, byFlag("keep-alive"))
	pick(&s.Network, flags.Network, flags.Network != "")
	pick(&s.BatchSize, flags.BatchSize, byFlag("batch-size"))
	pick(&s.BatchWait, flags.BatchWait, byFlag("batch-wait"))
	pick(&s.OnDisconnect, flags.OnDisconnect, flags.OnDisconnect != "")
	pick(&s.Public, flags.Public, byFlag("public"))
	s.Message = flags.Message
	if len(flags.Route) > 0 {
		s.Route = flags.Route
	}
	env := maps.Clone(s.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, flags.Env)
	s.Env = env
	s.changed = func(name string) bool { return inFile(name) || byFlag(name) }
	return s
}

func pick[T any](dst *T, v T, said bool) {
	if said {
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
		Batch: hearth.Batch{Size: s.BatchSize, Wait: hearth.Duration(s.BatchWait)}, Message: s.Message,
	}
	for _, x := range []struct {
		name  string
		value float64
	}{
		{"memory", float64(s.Memory)}, {"timeout", float64(s.Timeout)}, {"cpu", s.CPU}, {"pids", float64(s.PIDs)},
		{"tmp", float64(s.Tmp)}, {"concurrency", float64(s.Concurrency)},
	} {
		// Zero would silently mean the default.
		if s.said(x.name) && x.value <= 0 {
			return c, usage("%s must be more than 0", x.name).WithField(x.name).WithHint("leave it out for the default")
		}
	}
	if s.said("public") {
		c.Public = &s.Public
	}
	if s.said("route") {
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
