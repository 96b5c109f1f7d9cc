package native_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hearth/internal/sandbox/native"
)

// TestTheThreatModelNamesTests keeps docs/threat-model.md honest: each test that it
// claims as a proof exists.
func TestTheThreatModelNamesTests(t *testing.T) {
	const top = "../../.."
	text, err := os.ReadFile(filepath.Join(top, "docs/threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	exist := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, dir := range []string{"internal", "e2e"} {
		err = filepath.WalkDir(filepath.Join(top, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, m := range declared.FindAllSubmatch(source, -1) {
				exist[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(text, -1)
	if len(named) < 30 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !exist[string(m[1])] {
			t.Errorf("%s doesn't exist", m[1])
		}
	}
}

// TestCoreDumpsGoNowhere looks at the limit that the kernel reads before it
// starts the host's program for core dumps: only 1 stops that.
func TestCoreDumpsGoNowhere(t *testing.T) {
	for language := range languages {
		s := mustCreate(t, mustDriver(t, native.Config{}), mustRuntime(t, language))
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", native.PID(s)))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^Max core file size +1 +1 `).Match(limits) {
			t.Errorf("%s:\n%s", language, limits)
		}
	}
}
