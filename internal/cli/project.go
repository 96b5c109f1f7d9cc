package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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

// routeFields is a route that hearth.yaml writes as a mapping.
type routeFields struct {
	Path   string `yaml:"path"`
	Method string `yaml:"method"`
	CORS   *cors  `yaml:"cors"`
}

// decodeRoutes reads one route or a list of them, each a text or a mapping.
func decodeRoutes(file string, n *yaml.Node, into *routes) error {
	n = aliased(n)
	if n.ShortTag() == "!!null" { // said, and none
		return nil
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		route, err := decodeRoute(file, aliased(item))
		if err != nil {
			return err
		}
		*into = append(*into, route)
	}
	return nil
}

func decodeRoute(file string, n *yaml.Node) (hearth.Route, error) {
	var in routeFields
	switch n.Kind {
	case yaml.ScalarNode:
		in.Path = n.Value
	case yaml.MappingNode:
		if err := decodeFields(file, n, reflect.ValueOf(&in).Elem(), map[string]bool{}); err != nil {
			return hearth.Route{}, err
		}
	default:
		return hearth.Route{}, at(file, n, usage("route is not a text, nor a path with its method and cors").
			WithHint("write it like /hello, as {path: /hello, cors: {origins: [\"*\"]}}, or as a list of such"))
	}
	route, err := hearth.ParseRoute(in.Method + " " + in.Path)
	if err == nil && in.CORS != nil {
		route.CORS = in.CORS.document()
		err = route.Validate()
	}
	if err != nil {
		return route, at(file, n, hearth.AsError(err))
	}
	return route, nil
}

// at returns e with the place in the file in front.
func at(file string, n *yaml.Node, e *hearth.Error) *hearth.Error {
	c := *e
	c.Message = fmt.Sprintf("%s, line %d: %s", file, n.Line, e.Message)
	return &c
}

// aliased returns the node that n stands for.
func aliased(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
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
	Capture      string            `yaml:"capture"`
	CORS         *cors             `yaml:"cors"`

	Message string      // by flag only: it is of one deploy
	Origins corsOrigins // the flag --cors-origin; hearth.yaml says it in cors and route

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

// document returns c as the API takes it.
func (c *cors) document() *hearth.CORS {
	return &hearth.CORS{
		Origins: c.Origins, Methods: c.Methods, Headers: c.Headers, Credentials: c.Credentials, MaxAge: hearth.Duration(c.MaxAge),
	}
}

// corsOrigins is what --cors-origin said, in its order.
type corsOrigins []corsOrigin

// corsOrigin is ORIGIN, or ROUTE=ORIGIN.
type corsOrigin struct {
	route  string // as hearth.Route.String; "" for the function
	origin string // noOrigin for none
}

// noOrigin takes CORS away.
const noOrigin = "none"

func (o *corsOrigins) Set(s string) error {
	c := corsOrigin{origin: strings.TrimSpace(s)}
	check := (*hearth.CORS).Validate
	if i := strings.LastIndex(s, "="); i >= 0 { // no origin has one, and paths may
		route, err := hearth.ParseRoute(s[:i])
		if err != nil {
			return err
		}
		c = corsOrigin{route.String(), strings.TrimSpace(s[i+1:])}
		check = func(of *hearth.CORS) error {
			route.CORS = of
			return route.Validate()
		}
	}
	if c.origin != noOrigin {
		if err := check(&hearth.CORS{Origins: []string{c.origin}}); err != nil {
			e := hearth.AsError(err)
			return e.WithHint("%s; none takes it away, and ROUTE= in front makes it that route's", e.Hint)
		}
	}
	*o = append(*o, c)
	return nil
}

func (o *corsOrigins) String() string {
	var ss []string
	for _, c := range *o {
		if c.route != "" {
			c.origin = c.route + "=" + c.origin
		}
		ss = append(ss, c.origin)
	}
	return strings.Join(ss, ", ")
}

// Type names the value in help texts.
func (o *corsOrigins) Type() string { return "origin" }

// of returns the origins given for a route, or for the function with "": nil if
// nothing was, and an empty list for none.
func (o corsOrigins) of(route string) ([]string, error) {
	var origins []string
	none := false
	for _, c := range o {
		switch {
		case c.route != route:
		case c.origin == noOrigin:
			none = true
		default:
			origins = append(origins, c.origin)
		}
	}
	if none && len(origins) > 0 {
		return nil, usage("--cors-origin says both none and %s", strings.Join(origins, ", ")).WithField("cors-origin").
			WithHint("leave one of them out")
	}
	if none {
		origins = []string{}
	}
	return origins, nil
}

// applyOrigins puts what --cors-origin said in the place of what hearth.yaml
// says of origins. The rest of a cors there stays.
func (s *settings) applyOrigins() error {
	if origins, err := s.Origins.of(""); err != nil {
		return err
	} else if origins != nil {
		var c cors
		if s.CORS != nil && len(origins) > 0 {
			c = *s.CORS
		}
		c.Origins = origins
		s.CORS = &c
	}
	known := map[string]bool{"": true}
	s.Route = slices.Clone(s.Route)
	for i, r := range s.Route {
		known[r.String()] = true
		origins, err := s.Origins.of(r.String())
		if err != nil {
			return err
		}
		if origins == nil {
			continue
		}
		var c hearth.CORS
		if r.CORS != nil && len(origins) > 0 {
			c = *r.CORS
		}
		c.Origins = origins
		s.Route[i].CORS = &c
	}
	for _, o := range s.Origins {
		if !known[o.route] {
			return usage("--cors-origin names the route %q, which is not among those of this deploy", o.route).WithField("cors-origin").
				WithHint("add --route %q, or the route to %s", o.route, projectFile)
		}
	}
	return nil
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
	m = aliased(m)
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
	if rs, ok := field.Addr().Interface().(*routes); ok {
		return decodeRoutes(file, value, rs)
	}
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
		return at(file, value, named(name, own))
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
	pick(&s.Capture, flags.Capture, flags.Capture != "")
	pick(&s.Public, flags.Public, byFlag("public"))
	s.Message = flags.Message
	if len(flags.Route) > 0 {
		s.Route = flags.Route
	}
	if len(flags.Origins) > 0 {
		s.Origins = flags.Origins
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
		KeepAlive: hearth.Duration(s.KeepAlive), OnDisconnect: hearth.Disconnect(s.OnDisconnect), Capture: hearth.CaptureMode(s.Capture),
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
		c.CORS = s.CORS.document()
	}
	return c, nil
}
