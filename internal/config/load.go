package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"hearth"
)

const envPrefix = "HEARTH_"

// AddFlags gives fs a flag for each setting, and --config for the file.
func AddFlags(fs *pflag.FlagSet) {
	fs.String("config", "", "configuration file (default DATA/"+ConfigFile+", if there is one)")
	v := reflect.ValueOf(Default())
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, usage := flagName(f.Tag.Get("koanf")), f.Tag.Get("usage")
		switch def := v.Field(i).Interface().(type) {
		case string:
			fs.String(name, def, usage)
		case bool:
			fs.Bool(name, def, usage)
		case int:
			fs.Int(name, def, usage)
		case time.Duration:
			fs.Duration(name, def, usage)
		case []string:
			fs.StringSlice(name, def, usage)
		}
	}
}

func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

// keys returns the names of all settings.
func keys() map[string]reflect.Type {
	t := reflect.TypeFor[Config]()
	ks := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		ks[t.Field(i).Tag.Get("koanf")] = t.Field(i).Type
	}
	return ks
}

// Load puts a configuration together and validates it. flags may be nil; those
// that AddFlags didn't make are ignored. environ is in the form of os.Environ.
func Load(flags *pflag.FlagSet, environ []string) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		return Config{}, hearth.Errorf(hearth.CodePlatform, "read the defaults: %w", err)
	}
	// The file may stand in the data directory, which flags and environment
	// can name: so they are read first for that, and again to win over it.
	over := func() error {
		if err := k.Load(environment(environ), nil); err != nil {
			return hearth.Errorf(hearth.CodeInvalid, "read the environment: %w", err)
		}
		if flags == nil {
			return nil
		}
		return k.Load(posflag.ProviderWithFlag(flags, ".", k, settingOf(flags)), nil)
	}
	if err := over(); err != nil {
		return Config{}, err
	}
	if err := loadFile(k, flags, environ); err != nil {
		return Config{}, err
	}
	if err := over(); err != nil {
		return Config{}, err
	}
	c, err := decode(k)
	if err != nil {
		return Config{}, err
	}
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return Config{}, hearth.Errorf(hearth.CodePlatform, "find the data folder: %w", err)
	}
	return c, c.Validate()
}

func environment(environ []string) koanf.Provider {
	known := keys()
	return env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(k, v string) (string, any) {
			key := strings.ToLower(strings.TrimPrefix(k, envPrefix))
			t, ok := known[key]
			switch {
			case !ok: // HEARTH_URL and the like are the clients'
				return "", nil
			case t.Kind() == reflect.Slice:
				return key, splitList(v)
			}
			return key, v
		},
	})
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func settingOf(flags *pflag.FlagSet) func(*pflag.Flag) (string, any) {
	known := keys()
	return func(f *pflag.Flag) (string, any) {
		key := strings.ReplaceAll(f.Name, "-", "_")
		if _, ok := known[key]; !ok || !f.Changed {
			return "", nil
		}
		return key, posflag.FlagVal(flags, f)
	}
}

// loadFile reads the file that was named, or the one in the data directory if
// it exists.
func loadFile(k *koanf.Koanf, flags *pflag.FlagSet, environ []string) error {
	path, named := namedFile(flags, environ)
	if !named {
		path = filepath.Join(k.String("data"), ConfigFile)
	}
	if _, err := os.Stat(path); err != nil {
		if !named && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return bad("config", "file %s can't be read: %w", path, err).WithHint("check the path after --config")
	}
	fk := koanf.New(".")
	if err := fk.Load(file.Provider(path), yaml.Parser()); err != nil {
		return bad("config", "file %s is not valid YAML (%v)", path, err)
	}
	known := keys()
	for key := range fk.Raw() {
		if _, ok := known[key]; !ok {
			return bad(key, "in %s is not a setting", path).WithHint("the settings are %s", strings.Join(sorted(known), ", "))
		}
	}
	return k.Merge(fk)
}

func namedFile(flags *pflag.FlagSet, environ []string) (string, bool) {
	if flags != nil {
		if f := flags.Lookup("config"); f != nil && f.Changed {
			return f.Value.String(), true
		}
	}
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, envPrefix+"CONFIG="); ok && v != "" {
			return v, true
		}
	}
	return "", false
}

func sorted(m map[string]reflect.Type) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// decode reads each setting by itself, so that the error names it.
func decode(k *koanf.Koanf) (Config, error) {
	var c Config
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("koanf")
		d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
			Result: v.Field(i).Addr().Interface(), WeaklyTypedInput: true,
			DecodeHook: mapstructure.StringToTimeDurationHookFunc(),
		})
		if err != nil {
			return c, hearth.Errorf(hearth.CodePlatform, "prepare %s: %w", key, err)
		}
		if err := d.Decode(k.Get(key)); err != nil {
			return c, bad(key, "can't be %v", k.Get(key)).WithHint("%s", expects(v.Field(i).Type()))
		}
	}
	return c, nil
}

func expects(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return `write a duration like "300ms", "3s" or "2h"`
	case t.Kind() == reflect.Int:
		return "write a whole number"
	case t.Kind() == reflect.Bool:
		return "write true or false"
	}
	return "write a list or a text"
}
