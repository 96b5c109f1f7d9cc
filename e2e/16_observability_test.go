package e2e

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// Every command of the documentation on observability works as it is written.
func Test16ObservabilityCommands(t *testing.T) {
	needsRoot(t)
	text, err := os.ReadFile("../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	s := MustServe(t, t.TempDir())
	s.MustDeploy("hello-python", map[string]string{"main.py": "def handler(event, context):\n    print('an error of no weight')\n    return 1\n"}, "--public")
	s.MustRun("invoke", "hello-python")
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for _, line := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			command, comment, _ := strings.Cut(line, "#")
			if !strings.HasPrefix(command, "hearth ") {
				continue
			}
			commands++
			t.Run(strings.TrimSpace(command), func(t *testing.T) {
				mustRunDocumented(t, s.For(t), command, strings.Contains(comment, "until") && strings.Contains(comment, "Ctrl-C"))
			})
		}
	}
	if commands < 15 {
		t.Errorf("there are %d commands only", commands)
	}
	help := s.MustRun("serve", "--help")
	rows := regexp.MustCompile("(?m)^\\| [^|]* \\| `(--[a-z-]+)` \\| (\\S+) \\|$").FindAllStringSubmatch(string(text), -1)
	if len(rows) < 4 {
		t.Errorf("the documentation tells of %d settings only", len(rows))
	}
	for _, row := range rows {
		if !regexp.MustCompile(row[1] + ` .*\(default ` + row[2] + `\)`).MatchString(help) {
			t.Errorf("hearth serve has no %s whose default is %s", row[1], row[2])
		}
	}
}

// mustRunDocumented runs a command in a shell. One without an end of its own has to
// say something, and to end well when it is interrupted.
func mustRunDocumented(t *testing.T, s *Server, command string, endless bool) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"), "HEARTH_DATA="+s.Data, "XDG_CONFIG_HOME="+s.Home)
	errs := &syncBuffer{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		if n++; n == 1 && endless {
			_ = cmd.Process.Signal(syscall.SIGINT)
		}
	}
	_ = cmd.Wait()
	code := cmd.ProcessState.ExitCode()
	if interrupted := endless && code == 130; code != 0 && !interrupted || errs.String() != "" {
		t.Errorf("exit code %d after %d lines: %s", code, n, errs.String())
	}
}
