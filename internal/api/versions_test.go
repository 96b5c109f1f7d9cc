package api_test

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestTheCodeOfAVersionCanBeRead(t *testing.T) {
	e := servertest.Start(t)
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	for name, text := range map[string]string{"main.py": "# first\n", "data/x.bin": "\xff\x00"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Admin.Deploy(t.Context(), client.DeployRequest{Name: "hello", Code: &code, Filename: "code.zip"}); err != nil {
		t.Fatal(err)
	}
	e.Deploy("hello", rest.DeployConfig{})
	viewer, _ := e.User("vera", hearth.RoleViewer)
	v, err := viewer.VersionFiles(t.Context(), "hello", 1)
	if err != nil || len(v.Files) != 2 || v.Truncated {
		t.Fatalf("got %+v, %v", v, err)
	}
	if f := v.Files[0]; f.Path != "data/x.bin" || f.Text != nil || f.Bytes != 2 {
		t.Errorf("the bytes are %+v", f)
	}
	if f := v.Files[1]; f.Path != "main.py" || f.Text == nil || *f.Text != "# first\n" {
		t.Errorf("the code is %+v", f)
	}
	for _, at := range []struct {
		name   string
		number int
	}{{"hello", 9}, {"nobody", 1}} {
		if _, err := viewer.VersionFiles(t.Context(), at.name, at.number); hearth.ErrorCode(err) != hearth.CodeNotFound {
			t.Errorf("%s@%d: %v", at.name, at.number, err)
		}
	}
}
