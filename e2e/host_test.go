package e2e

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// leftovers lists what a server has on the host outside of its data folder:
// processes in its cgroups, the cgroups themselves, mounts, named network
// namespaces and interfaces, all told by the instance's name or the folder.
func leftovers(t *testing.T, data string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "instance"))
	if err != nil {
		t.Fatal(err)
	}
	instance := strings.TrimSpace(string(b))
	if instance == "" {
		t.Fatal("the server has no instance name")
	}
	var found []string
	processes, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, file := range processes {
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), instance) {
			continue // gone meanwhile, or somebody else's
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		found = append(found, "process "+filepath.Base(filepath.Dir(file))+" "+strings.ReplaceAll(string(command), "\x00", " "))
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(d.Name(), instance) {
			found = append(found, "cgroup "+path)
		}
		return nil // a cgroup may vanish while it is listed
	})
	found = append(found, lines(t, "/proc/self/mountinfo", "mount ", instance, data)...)
	found = append(found, lines(t, "/proc/net/dev", "interface ", instance)...)
	for _, dir := range []string{"/run/netns", "/var/run/netns"} {
		names, _ := os.ReadDir(dir)
		for _, n := range names {
			if strings.Contains(n.Name(), instance) {
				found = append(found, "network namespace "+n.Name())
			}
		}
	}
	return found
}

// lines returns the lines of a file that hold one of the words.
func lines(t *testing.T, file, what string, words ...string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var found []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		for _, w := range words {
			if strings.Contains(sc.Text(), w) {
				found = append(found, what+sc.Text())
				break
			}
		}
	}
	return found
}

// sandboxProcesses counts the processes in the server's cgroups.
func sandboxProcesses(t *testing.T, data string) int {
	n := 0
	for _, l := range leftovers(t, data) {
		if strings.HasPrefix(l, "process ") {
			n++
		}
	}
	return n
}

// awaitNone waits until f finds nothing: the kernel gives no signal when the
// last process of a cgroup is reaped.
func awaitNone(t *testing.T, within time.Duration, f func() []string) {
	t.Helper()
	var last []string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if last = f(); len(last) == 0 {
			return
		}
	}
	t.Errorf("left behind after %s:\n%s", within, strings.Join(last, "\n"))
}
