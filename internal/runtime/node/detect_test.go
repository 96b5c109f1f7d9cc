package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who has a Node isn't told to install one: not where it is too old, nor where
// it fails.
func TestANodeThatCantBeUsedIsNamed(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"fails", "echo no space left >&2; exit 1", "no space left"},
		{"dies", "kill -KILL $$", "signal: killed"},
		{"speaks otherwise", "echo v20", "read the version"},
		{"is old", `echo '{"version":"12.22.0"}'`, "older than 18"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "node")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			found, old, broken := interpreters(t.Context(), []string{path, filepath.Join(t.TempDir(), "absent")})
			if len(found) != 0 {
				t.Errorf("it is taken: %+v", found)
			}
			if note := absence(old, broken); !strings.Contains(note, path) || !strings.Contains(note, c.want) {
				t.Errorf("the note is %q, want the path and %q", note, c.want)
			}
		})
	}
	if note := absence(nil, nil); !strings.Contains(note, "apt-get install nodejs") {
		t.Errorf("without any, the note is %q", note)
	}
}
