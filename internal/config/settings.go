package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Setting is a setting as people read it.
type Setting struct {
	Name           string // as in the file
	Value, Default string
	Usage          string
}

// Settings lists what c holds, but for what is private.
func (c Config) Settings() []Setting {
	var out []Setting
	now, def := reflect.ValueOf(c), reflect.ValueOf(Default())
	for i := range now.NumField() {
		tag := now.Type().Field(i).Tag
		if tag.Get("private") == "true" {
			continue
		}
		out = append(out, Setting{
			Name: tag.Get("koanf"), Usage: tag.Get("usage"), Value: text(now.Field(i)), Default: text(def.Field(i)),
		})
	}
	return out
}

func text(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ", ")
	}
	return fmt.Sprint(v.Interface())
}
