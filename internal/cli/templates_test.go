package cli

import (
	"encoding/base64"
	"strings"
	"testing"

	"hearth/examples"
)

func TestATemplateIsTheCodeAndNoMore(t *testing.T) {
	ts, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, x := range ts {
		var names []string
		for _, f := range x.Files {
			names = append(names, f.Path)
			if (f.Text == nil) == (f.Base64 == nil) {
				t.Errorf("%s: %s is text and bytes, or neither", x.Name, f.Path)
			}
		}
		files[x.Name] = strings.Join(names, " ")
		if x.Config.Routes != nil {
			t.Errorf("%s takes the example's routes: %v", x.Name, *x.Config.Routes)
		}
		if !strings.HasPrefix(x.Event.Path, "/") || x.Event.Name == "" || x.Event.Method == "" {
			t.Errorf("%s: the event is %+v", x.Name, x.Event)
		}
		module, _, _ := strings.Cut(x.Handler, ".")
		if !strings.Contains(files[x.Name], module+".") {
			t.Errorf("%s: there is no file for %s in %s", x.Name, x.Handler, files[x.Name])
		}
	}
	for name, want := range map[string]string{"hello-python": "main.py", "markdown": "index.mjs markdown.mjs", "thumbnail": "main.py png.py"} {
		if files[name] != want {
			t.Errorf("%s has %s, want %s", name, files[name], want)
		}
	}
}

func TestAnEventOfBytesIsBase64(t *testing.T) {
	checks, err := examples.Checks("thumbnail")
	if err != nil {
		t.Fatal(err)
	}
	e, err := eventOf("thumbnail", checks[0])
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil || !e.Base64 || !strings.HasPrefix(string(b), "\x89PNG") {
		t.Errorf("the picture became %+v (%v)", e, err)
	}
}
