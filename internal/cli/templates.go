package cli

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"unicode/utf8"

	"hearth"
	"hearth/client/rest"
	"hearth/examples"
)

// templates turns the examples into what the server offers to start from.
func templates() ([]rest.Template, error) {
	list, err := examples.Templates()
	if err != nil {
		return nil, err
	}
	ts := make([]rest.Template, 0, len(list))
	for _, x := range list {
		t, err := templateOf(x)
		if err != nil {
			return nil, fmt.Errorf("make a template of %s: %w", x.Name, err)
		}
		ts = append(ts, t)
	}
	return ts, nil
}

func templateOf(x examples.Template) (rest.Template, error) {
	t := rest.Template{Name: x.Name, Title: x.Title, Description: x.Description}
	folder, err := examples.Folder(x.Name)
	if err != nil {
		return t, err
	}
	checks, err := examples.Checks(x.Name)
	if err != nil {
		return t, err
	}
	text, err := fs.ReadFile(folder, projectFile)
	if err != nil {
		return t, err
	}
	s, err := parseProject(path.Join(x.Name, projectFile), text)
	if err != nil {
		return t, err
	}
	if t.Config, err = s.config(); err != nil {
		return t, err
	}
	t.Config.Routes = nil // where the example is deployed they are taken
	t.Language, t.Handler = t.Config.Runtime, t.Config.Handler
	if t.Event, err = eventOf(x.Name, checks[0]); err != nil {
		return t, err
	}
	t.Files, err = codeOf(folder, checks)
	return t, err
}

// eventOf makes a test event of an example's check.
func eventOf(example string, c examples.Check) (hearth.TestEvent, error) {
	body, err := c.Request.Payload(example)
	if err != nil {
		return hearth.TestEvent{}, err
	}
	e := hearth.TestEvent{
		Name: c.Name, Kind: hearth.TestEventHTTP, Method: c.Request.Method, Path: c.Request.Path, Headers: c.Request.Headers,
		Body: string(body), Shared: true,
	}
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	if !utf8.Valid(body) {
		e.Body, e.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
	return e, nil
}

// codeOf reads the files of an example that its function needs: not what
// describes it, and not what its checks send.
func codeOf(folder fs.FS, checks []examples.Check) ([]rest.TemplateFile, error) {
	aside := map[string]bool{projectFile: true, "check.yaml": true}
	for _, c := range checks {
		aside[c.Request.File] = true
	}
	var files []rest.TemplateFile
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || aside[name] {
			return err
		}
		b, err := fs.ReadFile(folder, name)
		f := rest.TemplateFile{Path: name}
		if text := string(b); utf8.Valid(b) {
			f.Text = &text
		} else {
			text = base64.StdEncoding.EncodeToString(b)
			f.Base64 = &text
		}
		files = append(files, f)
		return err
	})
	return files, err
}
