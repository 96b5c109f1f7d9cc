package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// The helpers wait for a line on standard input, so that they are in their
// group before they do anything.

func awaitGo() { _, _ = bufio.NewReader(os.Stdin).ReadString('\n') }

// spinHelper burns as much CPU as it gets, for one second.
func spinHelper() error {
	awaitGo()
	for start, n := time.Now(), 0; time.Since(start) < time.Second; n++ {
	}
	return nil
}

// eatHelper takes memory until it is killed.
func eatHelper() error {
	awaitGo()
	for {
		b, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
		if err != nil {
			return err
		}
		fmt.Println(len(b))
	}
}

// forkHelper starts processes until it can't, says how many, and waits.
func forkHelper() error {
	awaitGo()
	n := 0
	for ; n < 200; n++ {
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			break
		}
	}
	fmt.Println(n)
	select {}
}

// tickHelper prints a line every few milliseconds.
func tickHelper() error {
	awaitGo()
	for range time.Tick(2 * time.Millisecond) {
		fmt.Println("tick")
	}
	return nil
}

var testLimits = hearth.Limits{MemoryMiB: 96, CPU: 0.2, PIDs: 24}

// mustGroups opens cgroups of a new instance and removes all it made.
func mustGroups(t *testing.T) *cgroups {
	t.Helper()
	c, err := openCgroups(instanceOf(t))
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, c)
	return c
}

func instanceOf(t *testing.T) string {
	return fmt.Sprintf("test-%d-%s", os.Getpid(), strings.ToLower(strings.NewReplacer("/", "-", " ", "-", "_", "-").Replace(t.Name())))
}

func closeLater(t *testing.T, c *cgroups) {
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Errorf("close cgroups: %v", err)
		}
	})
}

// mustGroup makes a group and destroys it when the test ends.
func mustGroup(t *testing.T, c *cgroups, id string) *cgroup {
	t.Helper()
	g, err := c.create(id, testLimits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.kill(), g.remove()); err != nil {
			t.Errorf("destroy group: %v", err)
		}
	})
	return g
}

// need skips a test of a limit that this host doesn't enforce.
func need(t *testing.T, e sandbox.Enforcement) {
	t.Helper()
	if !e.OK {
		skip(t, e.Why)
	}
}

// startIn starts a helper in a group and lets it go.
func startIn(t *testing.T, g *cgroup, name string) (cmd *exec.Cmd, out *bufio.Scanner) {
	t.Helper()
	cmd = helper(name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() { _ = g.thaw(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if err := g.join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, "\n"); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(r)
}

func TestMemoryBombIsKilledAndCounted(t *testing.T) {
	c := mustGroups(t)
	need(t, c.memory)
	g := mustGroup(t, c, "a")
	if g.oomKilled() {
		t.Error("killed before anything ran")
	}
	cmd, out := startIn(t, g, "eat")
	blocks := 0
	for out.Scan() {
		blocks++
	}
	_ = cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != unix.SIGKILL {
		t.Errorf("the bomb ended with %v, want SIGKILL", cmd.ProcessState)
	}
	if blocks < 1 || blocks*16 > testLimits.MemoryMiB {
		t.Errorf("the bomb got %d MiB of %d", blocks*16, testLimits.MemoryMiB)
	}
	if !g.oomKilled() {
		t.Error("the group doesn't know that it ran out of memory")
	}
	u, err := g.usage()
	if err != nil || u.MemoryPeak < 64<<20 || u.MemoryPeak > int64(testLimits.MemoryMiB)<<20 {
		t.Errorf("peak %d bytes, %v", u.MemoryPeak, err)
	}
}

func TestCPUQuotaHolds(t *testing.T) {
	c := mustGroups(t)
	need(t, c.cpu)
	g := mustGroup(t, c, "a")
	start := time.Now()
	cmd, _ := startIn(t, g, "spin")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	// A second or so at a fifth of a core; some periods more, for the start.
	share := time.Duration(testLimits.CPU * float64(time.Since(start)))
	u, err := g.usage()
	if err != nil || u.CPU.Std() > share+150*time.Millisecond || u.CPU.Std() < 10*time.Millisecond {
		t.Errorf("used %v of %v, %v", u.CPU, share, err)
	}
	t.Logf("used %v of %v", u.CPU, share)
}

func TestForkBombStopsAndDies(t *testing.T) {
	c := mustGroups(t)
	need(t, c.pids)
	g := mustGroup(t, c, "a")
	cmd, out := startIn(t, g, "fork")
	if !out.Scan() {
		t.Fatal("the bomb ended")
	}
	u, err := g.usage()
	if err != nil || u.PIDs > testLimits.PIDs || u.PIDs < 2 {
		t.Errorf("%d processes, %v, limit %d", u.PIDs, err, testLimits.PIDs)
	}
	if err := g.kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := g.remove(); err != nil {
		t.Errorf("remove the group after the kill: %v", err)
	}
	if _, err := g.usage(); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("usage of a removed group: %v, want gone", err)
	}
}

func TestLimitsChangeBothWays(t *testing.T) {
	c := mustGroups(t)
	need(t, c.memory)
	g := mustGroup(t, c, "a")
	for _, mib := range []int{256, 64, 1024, 96} {
		l := testLimits
		l.MemoryMiB = mib
		if err := g.set(l); err != nil {
			t.Fatalf("set %d MiB: %v", mib, err)
		}
		if got := limitFiles(t, c, "a")["memory"]; got != fmt.Sprint(mib<<20) {
			t.Errorf("the kernel has %s, want %d", got, mib<<20)
		}
	}
	want := map[string]string{"memory": fmt.Sprint(96 << 20), "cpu": "20000", "pids": "24"}
	for ctl, got := range limitFiles(t, c, "a") {
		if got != want[ctl] {
			t.Errorf("%s limit is %s, want %s", ctl, got, want[ctl])
		}
	}
}

// limitFiles reads the limits of a group as the kernel shows them.
func limitFiles(t *testing.T, c *cgroups, id string) map[string]string {
	t.Helper()
	files := map[string]string{}
	switch h := c.hierarchy.(type) {
	case *v1:
		names := map[string]string{"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us", "pids": "pids.max"}
		for ctl, file := range names {
			if p, ok := h.parents[ctl]; ok {
				files[ctl] = words(filepath.Join(p.dir, id, file))[0]
			}
		}
	case *v2:
		names := map[string]string{"memory": "memory.max", "cpu": "cpu.max", "pids": "pids.max"}
		for ctl, file := range names {
			if h.on[ctl] {
				files[ctl] = words(filepath.Join(h.dir, id, file))[0]
			}
		}
	}
	return files
}

// bothVersions runs a test on the cgroups that this host has and, where those
// are version 1, on its version 2 tree too: it has no controllers then, but all that
// isn't a limit works.
func bothVersions(t *testing.T, test func(t *testing.T, open func() *cgroups)) {
	first := mustGroups(t)
	if first.version == 0 {
		skip(t, first.memory.Why)
	}
	t.Run(fmt.Sprint("version ", first.version), func(t *testing.T) {
		test(t, func() *cgroups { return mustGroups(t) })
	})
	if first.version == 2 {
		return
	}
	host := cgroupHost{root: "/"}
	mounts, err := host.mounts()
	if err != nil {
		t.Fatal(err)
	}
	own, err := host.own()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mounts, func(m cgroupMount) bool { return m.v2 })
	if i < 0 {
		return
	}
	t.Run("version 2", func(t *testing.T) {
		test(t, func() *cgroups {
			c := openV2(mounts[i], own[""], "hearth-"+instanceOf(t))
			if c.version != 2 {
				t.Fatalf("version 2 isn't usable: %s", c.memory.Why)
			}
			closeLater(t, c)
			return c
		})
	})
}

func TestFrozenProcessesStandStill(t *testing.T) {
	bothVersions(t, func(t *testing.T, open func() *cgroups) {
		g := mustGroup(t, open(), "a")
		_, out := startIn(t, g, "tick")
		if !out.Scan() {
			t.Fatal("no tick")
		}
		if err := g.freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		ticks := make(chan bool)
		go func() {
			defer close(ticks)
			for out.Scan() {
				ticks <- true
			}
		}()
		// What was written before the freeze is in the pipe; then silence.
		for quiet := false; !quiet; {
			select {
			case <-ticks:
			case <-time.After(200 * time.Millisecond):
				quiet = true
			}
		}
		if err := g.thaw(); err != nil {
			t.Fatal(err)
		}
		if !<-ticks {
			t.Error("no tick after the thaw")
		}
		// Frozen processes can be killed.
		if err := errors.Join(g.freeze(t.Context()), g.kill()); err != nil {
			t.Fatal(err)
		}
		for range ticks { // ends with the process
		}
	})
}

func TestFreezeKeepsToItsContext(t *testing.T) {
	bothVersions(t, func(t *testing.T, open func() *cgroups) {
		g := mustGroup(t, open(), "a")
		_, out := startIn(t, g, "tick")
		if !out.Scan() {
			t.Fatal("no tick")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.freeze(ctx); err == nil {
			return // it was done at once, which is as good
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if !out.Scan() {
			t.Error("a freeze that was given up left the process frozen")
		}
	})
}

func TestRemoveWaitsForTheLastProcess(t *testing.T) {
	bothVersions(t, func(t *testing.T, open func() *cgroups) {
		g := mustGroup(t, open(), "a")
		cmd, out := startIn(t, g, "tick")
		if !out.Scan() {
			t.Fatal("no tick")
		}
		removed := make(chan error, 1)
		go func() { removed <- g.remove() }()
		if !out.Scan() {
			t.Fatal("no tick")
		}
		select {
		case err := <-removed:
			t.Fatalf("removed a group with a process: %v", err)
		default:
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if err := <-removed; err != nil {
			t.Error(err)
		}
		if err := g.remove(); err != nil {
			t.Errorf("remove again: %v", err)
		}
		if err := g.kill(); err != nil {
			t.Errorf("kill a removed group: %v", err)
		}
	})
}

func TestLeftoversAreFoundAndDie(t *testing.T) {
	bothVersions(t, func(t *testing.T, open func() *cgroups) {
		killed := open()
		var cmds []*exec.Cmd
		for _, id := range []string{"b", "a"} {
			g, err := killed.create(id, testLimits)
			if err != nil {
				t.Fatal(err)
			}
			cmd, out := startIn(t, g, "tick")
			if !out.Scan() {
				t.Fatal("no tick")
			}
			cmds = append(cmds, cmd)
		}
		next := open()
		ids, err := next.leftovers()
		if err != nil || !slices.Equal(ids, []string{"a", "b"}) {
			t.Fatalf("leftovers %v, %v", ids, err)
		}
		for _, id := range ids {
			g := next.open(id)
			if u, err := g.usage(); err != nil || u.CPU < 0 {
				t.Errorf("usage of a leftover: %v, %v", u, err)
			}
			if err := errors.Join(g.kill(), g.remove()); err != nil {
				t.Error(err)
			}
		}
		for _, cmd := range cmds {
			_ = cmd.Wait()
		}
		if ids, err = next.leftovers(); err != nil || len(ids) != 0 {
			t.Errorf("after destroying: %v, %v", ids, err)
		}
	})
}

// TestLeftoversOfAnotherPlace covers a server that was started again in another
// group than the one that was killed.
func TestLeftoversOfAnotherPlace(t *testing.T) {
	bothVersions(t, func(t *testing.T, open func() *cgroups) {
		c := open()
		var parents []string
		switch h := c.hierarchy.(type) {
		case *v1:
			for _, p := range h.parents {
				parents = append(parents, filepath.Join(filepath.Dir(p.dir), "elsewhere-"+instanceOf(t), h.name))
			}
		case *v2:
			parents = append(parents, filepath.Join(filepath.Dir(h.dir), "elsewhere-"+instanceOf(t), h.name))
		}
		for _, p := range parents {
			if err := os.MkdirAll(filepath.Join(p, "old"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Rmdir(filepath.Join(p, "old")); _ = unix.Rmdir(p); _ = unix.Rmdir(filepath.Dir(p)) })
		}
		ids, err := c.leftovers()
		if err != nil || !slices.Equal(ids, []string{"old"}) {
			t.Fatalf("leftovers %v, %v", ids, err)
		}
		if err := c.open("old").remove(); err != nil {
			t.Fatal(err)
		}
		if ids, err = c.leftovers(); err != nil || len(ids) != 0 {
			t.Errorf("after removal: %v, %v", ids, err)
		}
		for _, p := range parents {
			if isDir(p) {
				t.Errorf("%s is still there", p)
			}
		}
	})
}

// fakeHost writes a host with version 2 cgroups as files.
func fakeHost(t *testing.T, files map[string]string) cgroupHost {
	t.Helper()
	root := t.TempDir()
	base := map[string]string{
		"proc/self/mountinfo": "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
	}
	for _, m := range []map[string]string{base, files} {
		for name, text := range m {
			path := filepath.Join(root, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return cgroupHost{root: root}
}

func TestVersion2Files(t *testing.T) {
	const top = "sys/fs/cgroup/"
	h := fakeHost(t, map[string]string{
		"proc/self/cgroup":                       "0::/user.slice/session-1.scope\n",
		top + "cgroup.controllers":               "cpuset cpu io memory pids\n",
		top + "cgroup.subtree_control":           "cpu memory pids\n",
		top + "user.slice/session-1.scope/x":     "",
		top + "hearth-t/cgroup.controllers":      "cpu memory pids\n",
		top + "hearth-t/cgroup.subtree_control":  "cpu memory pids\n",
		top + "hearth-t/cell/memory.max":         "max\n",
		top + "hearth-t/cell/memory.swap.max":    "max\n",
		top + "hearth-t/cell/memory.oom.group":   "0\n",
		top + "hearth-t/cell/cpu.max":            "max 100000\n",
		top + "hearth-t/cell/pids.max":           "max\n",
		top + "hearth-t/cell/cgroup.procs":       "",
		top + "hearth-t/cell/cgroup.kill":        "",
		top + "hearth-t/cell/cpu.stat":           "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n",
		top + "hearth-t/cell/memory.current":     "1000\n",
		top + "hearth-t/cell/memory.peak":        "3000\n",
		top + "hearth-t/cell/pids.current":       "3\n",
		top + "hearth-t/cell/memory.events":      "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 1\n",
		top + "hearth-t/cell/cgroup.subtree_con": "",
	})
	c, err := h.open("t")
	if err != nil {
		t.Fatal(err)
	}
	if c.version != 2 || !c.memory.OK || !c.cpu.OK || !c.pids.OK {
		t.Fatalf("%+v", c)
	}
	g, err := c.create("cell", hearth.Limits{MemoryMiB: 128, CPU: 0.5, PIDs: 64})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.join(77), g.kill()); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"memory.max": "134217728", "memory.swap.max": "0", "memory.oom.group": "1", "cpu.max": "50000 100000", "pids.max": "64",
		"cgroup.procs": "77", "cgroup.kill": "1",
	} {
		// The kernel takes a value whole; an ordinary file keeps the rest of the old one.
		if got, _ := os.ReadFile(filepath.Join(h.root, top, "hearth-t/cell", file)); !strings.HasPrefix(string(got), want) {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	u, err := g.usage()
	if want := (hearth.Usage{CPU: hearth.Duration(1500 * time.Microsecond), Memory: 1000, MemoryPeak: 3000, PIDs: 3}); err != nil || u != want {
		t.Errorf("usage %+v, %v, want %+v", u, err, want)
	}
	if !g.oomKilled() {
		t.Error("oom_kill 1 isn't seen")
	}
}

func TestVersion2SaysWhatIsMissing(t *testing.T) {
	const top, own = "sys/fs/cgroup/", "sys/fs/cgroup/user.slice/app.scope/"
	h := fakeHost(t, map[string]string{
		"proc/self/cgroup":                      "0::/user.slice/app.scope\n",
		top + "cgroup.controllers":              "cpu memory pids\n",
		own + "cgroup.controllers":              "memory pids\n",
		own + "cgroup.subtree_control":          "memory pids\n",
		own + "hearth-t/cgroup.controllers":     "memory pids\n",
		own + "hearth-t/cgroup.subtree_control": "memory pids\n",
	})
	if err := unix.Setxattr(filepath.Join(h.root, own), "user.delegate", []byte("1"), 0); err != nil {
		t.Skipf("the temporary folder takes no extended attributes: %v", err)
	}
	c, err := h.open("t")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(c.where, "user.slice/app.scope/hearth-t") {
		t.Errorf("a delegated group isn't used: %s", c.where)
	}
	if !c.memory.OK || !c.pids.OK || c.cpu.OK {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(c.cpu.Why, "cpu controller") || !strings.Contains(c.cpu.Fix, "Delegate=yes") {
		t.Errorf("cpu: %+v", c.cpu)
	}
}

func TestAServerLeafMeansItsParent(t *testing.T) {
	const top, own = "sys/fs/cgroup/", "sys/fs/cgroup/app.scope/"
	h := fakeHost(t, map[string]string{
		"proc/self/cgroup":                      "0::/app.scope/server\n",
		top + "cgroup.controllers":              "cpu memory pids\n",
		own + "server/cgroup.procs":             "",
		own + "cgroup.controllers":              "cpu memory pids\n",
		own + "cgroup.subtree_control":          "cpu memory pids\n",
		own + "hearth-t/cgroup.controllers":     "cpu memory pids\n",
		own + "hearth-t/cgroup.subtree_control": "cpu memory pids\n",
	})
	if err := unix.Setxattr(filepath.Join(h.root, own), "user.delegate", []byte("1"), 0); err != nil {
		t.Skipf("the temporary folder takes no extended attributes: %v", err)
	}
	c, err := h.open("t")
	if err != nil || !strings.HasSuffix(c.where, "/app.scope/hearth-t") {
		t.Errorf("got %s, %v", c.where, err)
	}
}

func TestNoCgroupsAtAll(t *testing.T) {
	h := fakeHost(t, map[string]string{"proc/self/cgroup": "0::/\n"})
	c, err := h.open("t")
	if err != nil {
		t.Fatal(err)
	}
	if c.version != 0 || c.memory.OK || c.cpu.OK || c.pids.OK || c.memory.Why == "" || c.memory.Fix == "" {
		t.Errorf("%+v", c)
	}
	g, err := c.create("cell", testLimits)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.join(1<<30), g.set(testLimits), g.remove()); err != nil {
		t.Errorf("a host without cgroups isn't harmless: %v", err)
	}
	if err := g.kill(); !errors.Is(err, errNoCgroups) {
		t.Errorf("kill says %v: the driver must know", err)
	}
}

func TestOrdinaryUserWithoutCgroupsIsTold(t *testing.T) {
	needRoot(t)
	out := mustRun(t, asUser(helper("cgroups"), ordinaryUser))
	if !strings.Contains(out, "memory false") || !strings.Contains(out, "systemd-run --user") {
		t.Errorf("got %q", out)
	}
}

// cgroupsHelper prints what an ordinary user is told.
func cgroupsHelper() error {
	c, err := openCgroups("test-ordinary")
	if err != nil {
		return err
	}
	fmt.Printf("memory %v: %s (%s)\n", c.memory.OK, c.memory.Why, c.memory.Fix)
	return c.close()
}

func TestMountsThatShowAPart(t *testing.T) {
	for _, c := range []struct {
		root, path, want string
	}{
		{"/", "/a/b", "/cg/a/b"},
		{"/docker/x", "/docker/x", "/cg"},
		{"/docker/x", "/docker/x/b", "/cg/b"},
		{"/docker/x", "/docker/xy", "/cg/docker/xy"},
		{"/", "/../outside", "/cg/outside"},
	} {
		if got := (cgroupMount{dir: "/cg", root: c.root}).locate(c.path); got != c.want {
			t.Errorf("%s in %s: got %s, want %s", c.path, c.root, got, c.want)
		}
	}
}

func TestGoneGroupsAreNoError(t *testing.T) {
	if err := rmdir(filepath.Join(t.TempDir(), "none"), pause()); err != nil {
		t.Error(err)
	}
	if err := rmdir(t.TempDir()+"/\x00", pause()); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Version 1 counts the buffers of TCP apart: without a limit of their own, a
// sandbox with a way out could fill the host's.
func TestBuffersOfTCPAreLimited(t *testing.T) {
	c := mustGroups(t)
	h, ok := c.hierarchy.(*v1)
	if !ok {
		t.Skip("version 2 counts them as memory")
	}
	g, err := c.create("tcp", testLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer g.remove()
	got := words(filepath.Join(h.parents["memory"].dir, "tcp", "memory.kmem.tcp.limit_in_bytes"))
	if len(got) == 0 {
		t.Skip("this kernel doesn't count them")
	}
	if want := fmt.Sprint(int64(testLimits.MemoryMiB) << 20); got[0] != want {
		t.Errorf("the limit is %s, want %s", got[0], want)
	}
}
