package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
)

// rootlessHelper enters a user namespace and does there what the driver needs.
// Its last word is what it was asked to do.
func rootlessHelper() error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT) // as programs do
	defer stop()
	entered, code, err := EnterUserNamespace(ctx)
	if err != nil {
		return err
	}
	if !entered {
		os.Exit(code)
	}
	runtime.LockOSThread()
	if err := unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	sh := exec.Command("/bin/sh", "-c", "echo $$")
	sh.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	out, err := sh.Output()
	if err != nil {
		return err
	}
	base, count, ok := uidRange()
	fmt.Printf("uid %d rootless %v pid %s ids %d %d %v pgid %v\n", os.Geteuid(), rootless(), strings.TrimSpace(string(out)), base, count, ok,
		os.Getpid() == unix.Getpgrp())
	if ok {
		cmd := exec.Command("/usr/bin/id", "-u")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(base), Gid: uint32(base), Groups: []uint32{}}}
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("run with an own id: %w", err)
		}
		fmt.Printf("own id %s", out)
	}
	switch os.Getenv("THEN") {
	case "exit":
		os.Exit(42)
	case "die":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	case "wait":
		signals := make(chan os.Signal, 4)
		notify(signals)
		fmt.Println("waiting")
		fmt.Println(<-signals)
		// A second one would mean "at once". Nothing tells that none comes.
		select {
		case s := <-signals:
			fmt.Println("and", s)
		case <-time.After(3 * signalLag):
		}
	}
	return nil
}

// asUser makes a command run as an ordinary user without a name.
func asUser(cmd *exec.Cmd, uid uint32) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	cmd.Dir = "/"
	return cmd
}

const ordinaryUser = 54321

func TestOrdinaryUserEntersANamespace(t *testing.T) {
	needRoot(t)
	out := mustRun(t, asUser(helper("rootless"), ordinaryUser))
	if want := "uid 0 rootless true pid 1 ids 0 0 false pgid true\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestExitCodeOfInnerIsReturned(t *testing.T) {
	needRoot(t)
	for then, want := range map[string]int{"exit": 42, "die": 128 + 9} {
		cmd := asUser(helper("rootless", "THEN="+then), ordinaryUser)
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != want {
			t.Errorf("%s: got %v, want exit code %d", then, err, want)
		}
	}
}

// waitingInner starts a helper that waits for a signal inside.
func waitingInner(t *testing.T) (outer *exec.Cmd, out *bufio.Scanner, inner *os.File) {
	t.Helper()
	cmd := asUser(helper("rootless", "THEN=wait"), ordinaryUser)
	// Not StdoutPipe: Wait would close it before the last line is read.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	out = bufio.NewScanner(r)
	for out.Scan() && out.Text() != "waiting" {
	}
	if out.Text() != "waiting" {
		t.Fatal("the inner process ended early")
	}
	return cmd, out, r
}

func TestSignalsAreForwarded(t *testing.T) {
	needRoot(t)
	outer, out, _ := waitingInner(t)
	if err := outer.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if !out.Scan() || out.Text() != "interrupt" {
		t.Errorf("the inner process got %q", out.Text())
	}
	if out.Scan() {
		t.Errorf("one signal became two: %q", out.Text())
	}
	if err := outer.Wait(); err != nil {
		t.Error(err)
	}
}

func TestInnerEndsWithOuter(t *testing.T) {
	needRoot(t)
	outer, out, pipe := waitingInner(t)
	if err := outer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = outer.Wait()
	_ = pipe.SetReadDeadline(time.Now().Add(20 * time.Second))
	if !out.Scan() || out.Text() != "terminated" {
		t.Errorf("the inner process got %q", out.Text())
	}
	if out.Scan() {
		t.Errorf("the inner process goes on: %q", out.Text())
	}
	if err := out.Err(); err != nil {
		t.Errorf("the inner process lives on: %v", err)
	}
}

// TestSubordinateIDsAreMapped gives the user games a range, in files of a mount
// namespace of its own.
func TestSubordinateIDsAreMapped(t *testing.T) {
	needRoot(t)
	for _, program := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(program); err != nil {
			skip(t, program+" isn't installed (Debian: apt install uidmap)")
		}
	}
	dir := t.TempDir()
	ids := filepath.Join(dir, "ids")
	if err := os.WriteFile(ids, []byte("games:700000:65536\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := helper("rootless")
	script := `mount --make-rprivate / && mount --bind ` + ids + ` /etc/subuid && mount --bind ` + ids + ` /etc/subgid &&
		exec setpriv --reuid=games --regid=games --clear-groups "$0" "$@"`
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	open := exec.Command("unshare", append([]string{"-m", "sh", "-c", script, "/proc/self/fd/3"}, cmd.Args[1:]...)...)
	open.Env, open.Dir = cmd.Env, "/"
	exe, err := os.Open(self) // the folder of the test binary is closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	open.ExtraFiles = []*os.File{exe}
	out := mustRun(t, open)
	if want := "uid 0 rootless true pid 1 ids 32769 32768 true pgid true\nown id 32769\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestForbiddenNamespacesAreNamed(t *testing.T) {
	for setting, c := range map[string]struct{ value, line string }{
		"user/max_user_namespaces":                         {"0", "sysctl -w user.max_user_namespaces="},
		"kernel/unprivileged_userns_clone":                 {"0", "sysctl -w kernel.unprivileged_userns_clone=1"},
		"kernel/apparmor_restrict_unprivileged_userns":     {"1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		"kernel/apparmor_restrict_unprivileged_userns_not": {"1", ""},
	} {
		root := t.TempDir()
		path := filepath.Join(root, "proc/sys", setting)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(c.value+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		err := userNamespaceForbidden(root)
		switch {
		case c.line == "":
			if err != nil {
				t.Errorf("%s: got %v, want none", setting, err)
			}
		case err == nil || !strings.Contains(err.Hint, c.line) || err.Code != hearth.CodeUnsupported:
			t.Errorf("%s: got %+v, want a hint with %q", setting, err, c.line)
		}
	}
}

func TestSubordinateRangeIsTheLargest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subuid")
	text := "ann:100000:65536\nbob:165536:1000\n1001:300000:70000\nbob:400000:65536\nbad line\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		names []string
		want  idRange
	}{
		{[]string{"1000", "ann"}, idRange{100000, 65536}},
		{[]string{"1001", "bob"}, idRange{300000, 70000}},
		{[]string{"1002", "bob"}, idRange{400000, 65536}},
		{[]string{"1003"}, idRange{}},
	} {
		got, err := subordinateRange(path, c.names)
		if got != c.want || (err != nil) != (c.want.count == 0) {
			t.Errorf("%v: got %v, %v, want %v", c.names, got, err, c.want)
		}
	}
}
