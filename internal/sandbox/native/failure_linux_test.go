package native_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox/native"
)

// TestACreateThatFailsHalfwayLeavesNothing lets each step fail that opens a
// file, one after the other: the process may have a few more open files each time.
func TestACreateThatFailsHalfwayLeavesNothing(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		mustDestroy(t, mustCreate(t, d, rt))
		var usual unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &usual); err != nil {
			t.Fatal(err)
		}
		limit := func(n uint64) {
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: usual.Max}); err != nil {
				t.Fatal(err)
			}
		}
		defer limit(usual.Cur)
		before := openFiles(t)
		failed, made := 0, 0
		// Lower than what is open, because numbers below may be free.
		for n := max(before-20, 3); made < 3 && n < before+80; n++ {
			sp := spec(rt)
			limit(uint64(n))
			s, err := d.Create(t.Context(), sp)
			limit(usual.Cur)
			if err != nil {
				failed++
				continue
			}
			made++
			mustDestroy(t, s)
		}
		t.Logf("%d failed, then %d were made", failed, made)
		if failed < 5 || made < 3 {
			t.Errorf("%d failed and %d were made: the limit doesn't do what the test wants", failed, made)
		}
		mustLeaveNothing(t, d)
		if after := openFiles(t); after > before+15 { // pools come and go
			t.Errorf("%d open files, %d before", after, before)
		}
		mustDestroy(t, mustCreate(t, d, rt))
	})
}

func TestAZygoteThatHangsIsReplaced(t *testing.T) {
	rt := mustRuntime(t, "python")
	d := mustDriver(t, native.Config{})
	native.SetPatience(d, 500*time.Millisecond)
	orphan := mustServe(t, mustCreate(t, d, rt), echo.write(t, "python"), hearth.DefaultLimits())
	for _, pid := range native.Zygotes(d) {
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	f := mustServe(t, mustCreate(t, d, rt), echo.write(t, "python"), hearth.DefaultLimits())
	if got := f.mustCall(t, `1`); got != `1` {
		t.Errorf("got %s", got)
	}
	if got := orphan.mustCall(t, `2`); got != `2` {
		t.Errorf("the sandbox of the hanging zygote says %s", got)
	}
}

// Many ask at the moment when the zygote dies: each gets a sandbox from the next.
func TestAZygoteThatDiesWithQuestionsOpenIsReplaced(t *testing.T) {
	rt := mustRuntime(t, "python")
	d := mustDriver(t, native.Config{})
	mustDestroy(t, mustCreate(t, d, rt))
	for _, pid := range native.Zygotes(d) {
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	made := make(chan error, 4)
	for range cap(made) {
		go func() {
			s, err := d.Create(t.Context(), spec(rt))
			if err == nil {
				err = s.Destroy(t.Context())
			}
			made <- err
		}()
	}
	native.AwaitSpawns(d, cap(made))
	if err := native.KillZygotes(d); err != nil {
		t.Fatal(err)
	}
	for range cap(made) {
		if err := <-made; err != nil {
			t.Error(err)
		}
	}
	mustLeaveNothing(t, d)
}

func TestZygotesAreReplacedByAge(t *testing.T) {
	rt := mustRuntime(t, "python")
	d := mustDriver(t, native.Config{ZygoteAge: time.Millisecond})
	mustDestroy(t, mustCreate(t, d, rt))
	old := native.Zygotes(d)
	oldPID := mustPidfd(t, slices.Collect(maps.Values(old))[0])
	for deadline := time.Now().Add(20 * time.Second); maps.Equal(native.Zygotes(d), old); {
		if time.Now().After(deadline) {
			t.Fatal("no new zygote")
		}
		mustDestroy(t, mustCreate(t, d, rt))
	}
	mustEnd(t, "the old zygote", oldPID)
}

// A zygote that gets ready while the driver is closed is ended by nobody but
// whoever started it.
func TestAZygoteThatComesTooLateIsEnded(t *testing.T) {
	rt := mustRuntime(t, "python")
	d := mustDriver(t, native.Config{})
	warm := make(chan error)
	go func() { warm <- d.Warm(t.Context(), rt) }()
	native.AwaitBirth(d)
	native.SetClosed(d, true)
	if err := <-warm; hearth.ErrorCode(err) != hearth.CodeUnavailable {
		t.Errorf("warm: %v", err)
	}
	traces, err := native.Traces(d)
	if err != nil || len(traces) > 0 || len(native.Zygotes(d)) > 0 {
		t.Errorf("left behind: %q, %v (%v)", traces, native.Zygotes(d), err)
	}
	native.SetClosed(d, false)
}

// The server may stop before its first zygote is ready.
func TestCloseWhileAZygoteStarts(t *testing.T) {
	rt := mustRuntime(t, "python")
	d := mustDriver(t, native.Config{})
	warm := make(chan error)
	go func() { warm <- d.Warm(t.Context(), rt) }()
	native.AwaitBirth(d)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-warm; err == nil {
		t.Error("it is warm")
	}
	if traces, err := native.Traces(d); err != nil || len(traces) > 0 {
		t.Errorf("left behind: %q (%v)", traces, err)
	}
}

// Two looks at the host at once don't disturb each other.
func TestProbesAtTheSameTime(t *testing.T) {
	d := mustDriver(t, native.Config{})
	want, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			got, err := d.Probe(t.Context())
			if err == nil && (got.Memory != want.Memory || got.CPU != want.CPU || got.PIDs != want.PIDs) {
				err = errors.New(strings.Join([]string{got.Memory.Why, got.CPU.Why, got.PIDs.Why}, "; "))
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
