package native_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox/native"
)

// TestSiblingsShareNoProcessGroup is about signals to a process group, which the
// kernel delivers across pid namespaces: forks of one zygote would be in one group.
func TestSiblingsShareNoProcessGroup(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		sibling := mustServe(t, mustCreate(t, d, rt), echo.write(t, rt.Language), hearth.DefaultLimits())
		sibling.mustCall(t, `1`)
		zygotes := len(native.Zygotes(d))
		f := mustAttacker(t, d, rt, hearth.DefaultLimits())
		// A group or session from outside of the pid namespace would be 0.
		if got := attack[map[string]int](t, f, "groups", nil); got["group"] != 1 || got["session"] != 1 {
			t.Errorf("its group and session: %v", got)
		}
		if got := attack[string](t, f, "kill_group", nil); got != "sent" {
			t.Errorf("got %s", got)
		}
		if got := sibling.mustCall(t, `2`); got != `2` {
			t.Errorf("the sibling says %s", got)
		}
		if now := len(native.Zygotes(d)); now != zygotes {
			t.Errorf("%d zygotes, %d before", now, zygotes)
		}
	})
}

// With a limit of 0 the kernel would start the host's program for core dumps,
// see noCore.
func TestTheLimitOnCoreDumpsCantBeChanged(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		got := attack[results](t, f, "core_limit", nil)
		if now := fmt.Sprint(got["now"]); now != "[1 1]" {
			t.Errorf("the limit is %s", now)
		}
		delete(got, "now")
		if bad := not(got, "EPERM"); len(bad) > 0 {
			t.Errorf("changed %v", bad)
		}
	})
}

// TestPrioritiesCantBeRaised runs with limits that let the server raise its
// own, as systemd's LimitRTPRIO does.
func TestPrioritiesCantBeRaised(t *testing.T) {
	for _, what := range []int{unix.RLIMIT_RTPRIO, unix.RLIMIT_NICE} {
		mustLimit(t, what, 20)
	}
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		s := mustCreate(t, d, rt)
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", native.PID(s)))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{`Max nice priority +0 +0 `, `Max realtime priority +0 +0 `} {
			if !regexp.MustCompile(`(?m)^` + line).Match(limits) {
				t.Errorf("no %q in\n%s", line, limits)
			}
		}
		if rt.Language != "python" {
			return
		}
		f := mustLoadAttacks(t, d, s, rt, hearth.DefaultLimits())
		if bad := not(attack[results](t, f, "priorities", nil), "EPERM", "EACCES"); len(bad) > 0 {
			t.Errorf("raised %v", bad)
		}
	})
}

// mustLimit sets a limit of this process for a test.
func mustLimit(t *testing.T, what int, n uint64) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(what, &before); err != nil {
		t.Fatal(err)
	}
	err := unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: max(n, before.Max)})
	if errors.Is(err, unix.EPERM) {
		// Not for skip: where root has no CAP_SYS_RESOURCE, as in containers and
		// on some machines of CI, no test can do this.
		t.Skip("this host lets nobody raise a limit: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(what, &before); err != nil {
			t.Error(err)
		}
	})
}

// Files of the runtime are the same for all sandboxes and the host: who could
// watch them would see which ones others use.
func TestOthersCantBeWatchedThroughSharedFiles(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		got := attack[results](t, f, "watch", results{"path": filepath.Join(hearth.ShimMount, "shim.py")})
		if bad := not(got, "ENOSYS", "EPERM", "EOPNOTSUPP", "ENOTSUP"); len(bad) > 0 || len(got) != 4 {
			t.Errorf("watches %v of %v", bad, got)
		}
	})
}

func TestEmptyFilesAreBounded(t *testing.T) {
	type made struct {
		Made  int
		Error string
	}
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		l := hearth.DefaultLimits()
		l.TmpMiB = 8 // not that of the stem cell
		f := mustAttacker(t, d, rt, l)
		for path, most := range map[string]int{"/tmp": 8 * 256, "/dev/shm": 2 * 256} {
			if got := attack[made](t, f, "empty_files", results{"path": path}); got.Error != "ENOSPC" || got.Made > most {
				t.Errorf("%s took %+v, want at most %d", path, got, most)
			}
		}
	})
}

func TestDescriptorsCantBeSentToTheServer(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			t.Fatal(err)
		}
		release := unix.ByteSliceToString(u.Release[:])
		var major, minor int
		if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
			t.Fatal(err)
		}
		if major*1000+minor < 6016 {
			t.Skipf("Linux %s can't refuse them; from 6.16 it can", release)
		}
		if got := attack[any](t, f, "send_descriptors", nil); got != "EPERM" {
			t.Errorf("got %v", got)
		}
	})
}

// Data in sockets that nobody reads is memory as any other.
func TestMemoryOfTheKernelCounts(t *testing.T) {
	inPython(t, func(t *testing.T, f *function) {
		if got, err := f.call(t.Context(), `{"attack":"hold_kernel_memory"}`); err == nil {
			t.Fatalf("it came back with %s", got)
		}
		<-f.Done()
		e := f.Exit()
		if !e.OOM {
			t.Errorf("exit %+v", e)
		}
		if most := int64(hearth.DefaultLimits().MemoryMiB) << 20; e.Usage.MemoryPeak > most {
			t.Errorf("it held %d MiB", e.Usage.MemoryPeak>>20)
		}
	})
}

// A function that stops reading must not hold up who speaks to it, nor its end.
func TestADeafSandboxIsDestroyed(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		f := mustServe(t, mustCreate(t, d, rt), echo.write(t, rt.Language), hearth.DefaultLimits())
		f.mustCall(t, `1`)
		mustPause(t, f.Sandbox)
		said := make(chan error, 1)
		go func() {
			_, err := f.call(t.Context(), `"`+strings.Repeat("x", 6<<20)+`"`)
			said <- err
		}()
		mustDestroy(t, f)
		if err := <-said; err == nil {
			t.Error("a destroyed sandbox answered")
		}
		mustLeaveNothing(t, d)
	})
}
