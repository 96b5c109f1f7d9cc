package python

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// pyenv's scripts are never run: the versions that it would choose are asked.
func TestPyenvsVersionsAreAskedThemselves(t *testing.T) {
	found := MustDetect(t)
	root := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ran := filepath.Join(root, "ran")
	name := found[0].Name
	for _, n := range []string{"python3", name, "python3.99"} {
		write("shims/"+n, "#!/bin/sh\ntouch "+ran+"\n")
	}
	real := write("versions/"+found[0].Version+"/bin/"+name, "")
	if err := os.Remove(real); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(found[0].Interpreter, real); err != nil {
		t.Fatal(err)
	}
	l := language{folders: []string{filepath.Join(root, "shims")}}

	write("version", "system\n")
	if got, _ := l.interpreters(context.Background()); len(got) != 0 {
		t.Errorf("none was chosen, found %+v", got)
	}
	write("version", "2.7.18\n"+found[0].Version+"\n")
	got, _ := l.interpreters(context.Background())
	if len(got) != 1 || got[0].Executable != found[0].Interpreter {
		t.Errorf("found %+v, want %s", got, name)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a script was run")
	}
}
