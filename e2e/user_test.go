package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ordinary is a user of this host who has nothing: no name, no subordinate
// ids, no delegated cgroup, an empty home.
type ordinary struct {
	id   int
	home string
}

// mustOrdinaryUser makes one. It needs nothing but an id that nobody has.
func mustOrdinaryUser(t *testing.T) ordinary {
	t.Helper()
	needsRoot(t)
	for id := 61_000 + os.Getpid()%500; id < 62_000; id++ {
		if _, err := user.LookupId(strconv.Itoa(id)); err == nil || len(processesOf(id)) > 0 {
			continue
		}
		home, err := os.MkdirTemp("", "hearth-home-") // that of testing can't be entered by others
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			os.RemoveAll(home)
			for _, p := range processesOf(id) {
				t.Errorf("left behind: %s", p)
			}
		})
		if err := os.Chown(home, id, id); err != nil {
			t.Fatal(err)
		}
		return ordinary{id: id, home: home}
	}
	t.Fatal("all user ids are taken")
	return ordinary{}
}

// become makes a command one of the user's.
func (u ordinary) become(c *exec.Cmd) {
	c.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + u.home, "LANG=C.UTF-8"}
	c.Dir = u.home
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.id), Gid: uint32(u.id)}}
}

// run runs hearth as the user.
func (u ordinary) run(t *testing.T, args ...string) Result {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, args...)
	u.become(c)
	var out, errOut syncBuffer
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return Result{Out: out.String(), Err: errOut.String(), Code: c.ProcessState.ExitCode()}
}

func (u ordinary) processes() []string { return processesOf(u.id) }

// processesOf lists the processes of a user, with their numbers first. What a
// process is, its status says: the owner of its folder is root for many.
func processesOf(uid int) []string {
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	var found []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), fmt.Sprintf("\nUid:\t%d\t", uid)) || strings.Contains(string(b), "\nState:\tZ") {
			continue // gone meanwhile, or somebody else's
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		found = append(found, filepath.Base(filepath.Dir(file))+" "+strings.ReplaceAll(string(command), "\x00", " "))
	}
	return found
}

// childrenOf lists the direct children of a process.
func childrenOf(pid int) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/status")
	var found []int
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), fmt.Sprintf("\nPPid:\t%d\n", pid)) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			found = append(found, child)
		}
	}
	return found
}
