package runtime

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The dynamic loader itself is the oracle: what it lists for a binary must be
// in the closure.
func TestClosureHoldsWhatTheLoaderLists(t *testing.T) {
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		cannot(t, "this host has no /bin/sh")
	}
	libs, err := Closure(shell)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ldd", shell).Output()
	if err != nil {
		cannot(t, fmt.Sprintf("ldd can't list %s (a static shell, or no ldd): %v", shell, err))
	}
	have := map[string]bool{}
	for _, l := range libs {
		have[filepath.Base(l)] = true
		if _, err := os.Stat(l); err != nil {
			t.Errorf("%s is in the closure but not on the host", l)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		if !have[filepath.Base(m[1])] {
			t.Errorf("%s is missing from %v", m[1], libs)
		}
	}
}

func TestClosureOfAScriptIsEmpty(t *testing.T) {
	p := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	libs, err := Closure(p)
	if err != nil || len(libs) != 0 {
		t.Fatalf("Closure = %v, %v; want nothing", libs, err)
	}
}

func TestClosureOfAMissingFileFails(t *testing.T) {
	if _, err := Closure("/no/such/file"); err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Fatalf("err = %v; want one that names the file", err)
	}
}

func TestCompactLeavesOutWhatIsInside(t *testing.T) {
	got := strings.Join(Compact([]string{"/a/b", "/a/b/c", "/a/bc", "/a/b", "/d", "/a/b-x"}), " ")
	if want := "/a/b /a/b-x /a/bc /d"; got != want {
		t.Errorf("Compact = %s; want %s", got, want)
	}
}

func TestFoldPutsTheFolderForManyLibraries(t *testing.T) {
	libs := []string{"/lone/libz.so"}
	for _, c := range "abcdefghijkl" {
		libs = append(libs, "/many/lib"+string(c)+".so")
	}
	if got := strings.Join(Fold(libs), " "); got != "/lone/libz.so /many" {
		t.Errorf("Fold = %s", got)
	}
}

// cannot skips a test where the host lacks what it needs, and fails it in CI,
// whose hosts have it.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("CI must run this: " + why)
	}
	t.Skip(why)
}
