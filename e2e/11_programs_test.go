package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A function may bring a program along that makes any system call there is:
// what JavaScript itself can't try. Each must be refused for what it is, and not
// for a wrong argument.
func Test11ProgramsOfFunctions(t *testing.T) {
	needsRoot(t)
	dir := MustWrite(t, map[string]string{"index.mjs": `
import { spawnSync } from "node:child_process"
export const handler = async () => {
  const p = spawnSync("/code/attacker")
  if (p.status !== 0) throw new Error("the program ended with " + (p.error ?? p.signal ?? p.status) + ": " + p.stderr)
  return JSON.parse(p.stdout)
}
`, "main.py": `
import json, subprocess
def handler(event, context):
    return json.loads(subprocess.run(["/code/attacker"], check=True, capture_output=True).stdout)
`})
	program := filepath.Join(dir, "attacker")
	build := exec.Command("go", "build", "-o", program, "./testdata/attacker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}

	// Outside, in a namespace that goes with it, most of it works: else the
	// program would prove nothing.
	out, err := exec.CommandContext(t.Context(), "unshare", "--mount", program, "outside").Output()
	if err != nil {
		t.Fatalf("run the program outside: %v", err)
	}
	free := results(t, string(out))
	for _, name := range []string{"socket NETLINK", "socket PACKET", "unshare NEWUTS", "unshare NEWIPC", "mount"} {
		if free[name] != "ok" {
			t.Errorf("outside, %s is %s: the program is wrong, or this host is", name, free[name])
		}
	}

	s := MustServe(t, t.TempDir())
	for name, flags := range map[string][]string{
		"py": {"--runtime", "python", "--handler", "main.handler"},
		"js": {"--runtime", "nodejs", "--handler", "index.handler"},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			s.MustRun(append([]string{"deploy", dir, "--name", name, "--timeout", "1m"}, flags...)...)
			sealed := results(t, s.MustRun("invoke", name))
			if len(sealed) < 44 {
				t.Errorf("only %d calls were tried", len(sealed))
			}
			for call, became := range sealed {
				switch {
				case call == "socket UNIX":
					if became != "ok" {
						t.Errorf("%s: %s", call, became)
					}
				case strings.HasPrefix(call, "socket ") && became == "EAFNOSUPPORT": // as from a kernel without them
				case became != "EPERM" && became != "ENOSYS" && became != "EACCES":
					t.Errorf("%s: %s", call, became)
				}
			}
		})
	}
}

func results(t *testing.T, text string) map[string]string {
	t.Helper()
	m := map[string]string{}
	if err := json.Unmarshal([]byte(strings.TrimSpace(text)), &m); err != nil {
		t.Fatalf("read %q: %v", text, err)
	}
	return m
}
