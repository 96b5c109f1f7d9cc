package native_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/native"
)

// inEach runs a test with a driver in each language.
func inEach(t *testing.T, c native.Config, test func(t *testing.T, d *native.Driver, rt hearth.Runtime)) {
	for _, language := range slices.Sorted(maps.Keys(languages)) {
		t.Run(language, func(t *testing.T) { test(t, mustDriver(t, c), mustRuntime(t, language)) })
	}
}

// mustLeaveNothing fails if the driver has anything on the host but zygotes.
func mustLeaveNothing(t *testing.T, d *native.Driver) {
	t.Helper()
	traces, err := native.Traces(d)
	if err != nil {
		t.Fatal(err)
	}
	traces = slices.DeleteFunc(traces, func(s string) bool { return strings.Contains(s, " zygote-") })
	if len(traces) > 0 {
		t.Errorf("left behind: %q", traces)
	}
}

// mustEnd fails if the process of a pidfd doesn't end by itself.
func mustEnd(t *testing.T, what string, pidfd int) {
	t.Helper()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 20_000)
	if err != nil || n != 1 {
		t.Errorf("%s goes on (%v)", what, err)
	}
}

func mustPidfd(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func TestDestroyWorksInEveryState(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		spinning := func(t *testing.T) sandbox.Sandbox {
			f := mustAttacker(t, d, rt, hearth.DefaultLimits())
			f.mustCall(t, `{"attack":"processes"}`)
			go func() { _, _ = f.call(context.Background(), `{"attack":"spin"}`) }()
			before := mustUsage(t, f)
			for deadline := time.Now().Add(10 * time.Second); mustUsage(t, f).CPU < before.CPU+hearth.Duration(5*time.Millisecond); {
				if time.Now().After(deadline) {
					t.Fatal("the handler doesn't spin")
				}
				time.Sleep(time.Millisecond) // the kernel tells nobody that a process is busy
			}
			return f.Sandbox
		}
		for name, make := range map[string]func(t *testing.T) sandbox.Sandbox{
			"stem": func(t *testing.T) sandbox.Sandbox { return mustCreate(t, d, rt) },
			"idle": func(t *testing.T) sandbox.Sandbox { return mustAttacker(t, d, rt, hearth.DefaultLimits()).Sandbox },
			"busy": spinning,
			"paused": func(t *testing.T) sandbox.Sandbox {
				s := mustCreate(t, d, rt)
				mustPause(t, s)
				return s
			},
			"dead": func(t *testing.T) sandbox.Sandbox {
				s := mustCreate(t, d, rt)
				if err := unix.Kill(native.PID(s), unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				<-s.Done()
				return s
			},
		} {
			t.Run(name, func(t *testing.T) {
				s := make(t)
				pidfd := -1
				if name != "dead" {
					pidfd = mustPidfd(t, native.PID(s))
				}
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						if err := s.Destroy(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if pidfd >= 0 {
					mustEnd(t, "the sandbox", pidfd)
				}
				mustLeaveNothing(t, d)
				if err := s.Destroy(t.Context()); err != nil {
					t.Errorf("once more: %v", err)
				}
				<-s.Done()
				if _, err := s.Usage(t.Context()); !errors.Is(err, sandbox.ErrGone) {
					t.Errorf("usage of a destroyed sandbox: %v", err)
				}
				if err := s.Assign(t.Context(), sandbox.Assignment{}); !errors.Is(err, sandbox.ErrGone) {
					t.Errorf("assign a destroyed sandbox: %v", err)
				}
				if _, err := s.Dial(t.Context()); !errors.Is(err, sandbox.ErrGone) {
					t.Errorf("dial a destroyed sandbox: %v", err)
				}
			})
		}
	})
}

func mustUsage(t *testing.T, s sandbox.Sandbox) hearth.Usage {
	t.Helper()
	u, err := s.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mustPause(t *testing.T, s sandbox.Sandbox) sandbox.Pauser {
	t.Helper()
	p, ok := sandbox.As[sandbox.Pauser](s)
	if !ok {
		t.Fatal("it can't be paused")
	}
	if err := p.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestManyRoundsLeaveNothing(t *testing.T) {
	inEach(t, native.Config{ZygoteCells: 10}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		mustDestroy(t, mustCreate(t, d, rt))
		before := openFiles(t)
		for range 25 {
			f := mustServe(t, mustCreate(t, d, rt), echo.write(t, rt.Language), hearth.DefaultLimits())
			f.mustCall(t, `1`)
			mustDestroy(t, f)
		}
		mustLeaveNothing(t, d)
		// Some files come and go with the pools and the change of zygotes.
		if after := openFiles(t); after > before+15 {
			t.Errorf("%d open files, %d before", after, before)
		}
	})
}

func TestABurstIsServedAndLeavesNothing(t *testing.T) {
	inEach(t, native.Config{ZygoteCells: 8}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		dir := echo.write(t, rt.Language)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				sp := spec(rt)
				sp.OnDemand = true
				s, err := d.Create(t.Context(), sp)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Destroy(context.Background())
				if err := s.Assign(t.Context(), sandbox.Assignment{Limits: sp.Limits, CodeDir: dir}); err != nil {
					t.Error(err)
					return
				}
				f := mustLoad(t, s, sp.Limits)
				if got, err := f.call(t.Context(), `"x"`); got != `"x"` {
					t.Errorf("got %s, %v", got, err)
				}
			})
		}
		wg.Wait()
		mustLeaveNothing(t, d)
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestACreateThatIsGivenUpLeavesNothing(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		mustDestroy(t, mustCreate(t, d, rt))
		for after := time.Duration(0); after < 40*time.Millisecond; after += 4 * time.Millisecond {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			if s, err := d.Create(ctx, spec(rt)); err == nil {
				mustDestroy(t, s)
			}
			cancel()
		}
		mustLeaveNothing(t, d)
	})
}

func TestCloseWhileSandboxesAreMade(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		before := goleak.IgnoreCurrent()
		mustCreate(t, d, rt)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := d.Create(context.Background(), spec(rt)); err != nil {
						return // the driver is closed
					}
				}
			})
		}
		mustCreate(t, d, rt)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		goleak.VerifyNone(t, before)
		mustLeaveNothing(t, d)
		if z := native.Zygotes(d); len(z) > 0 {
			t.Errorf("zygotes left: %v", z)
		}
		if _, err := d.Create(t.Context(), spec(rt)); hearth.ErrorCode(err) != hearth.CodeUnavailable {
			t.Errorf("create after close: %v", err)
		}
	})
}

func TestAnIDIsUsedOnce(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		sp := spec(rt)
		s, err := d.Create(t.Context(), sp)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Create(t.Context(), sp); err == nil {
			t.Error("two sandboxes with one id")
		}
		f := mustServe(t, s, echo.write(t, rt.Language), hearth.DefaultLimits())
		if got := f.mustCall(t, `1`); got != `1` {
			t.Errorf("the first one says %s", got)
		}
	})
}

func TestASandboxIsAssignedAndDialledOnce(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		f := mustServe(t, mustCreate(t, d, rt), echo.write(t, rt.Language), hearth.DefaultLimits())
		if err := f.Assign(t.Context(), sandbox.Assignment{Limits: hearth.DefaultLimits()}); !errors.Is(err, sandbox.ErrAssigned) {
			t.Errorf("second assign: %v", err)
		}
		if _, err := f.Dial(t.Context()); !errors.Is(err, sandbox.ErrStreams) {
			t.Errorf("second dial: %v", err)
		}
	})
}

func TestTheEndOfTheWireEndsTheSandbox(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		f := mustServe(t, mustCreate(t, d, rt), echo.write(t, rt.Language), hearth.DefaultLimits())
		f.mustCall(t, `1`)
		_ = f.wire.Close()
		<-f.Done()
		if e := f.Exit(); e.Signal != "" || e.Err != nil || e.Usage.CPU == 0 {
			t.Errorf("exit %+v", e)
		}
	})
}

func TestAPausedSandboxWaits(t *testing.T) {
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		f := mustServe(t, mustCreate(t, d, rt), echo.write(t, rt.Language), hearth.DefaultLimits())
		f.mustCall(t, `1`)
		p := mustPause(t, f.Sandbox)
		answer := make(chan error, 1)
		go func() {
			_, err := f.call(t.Context(), `2`)
			answer <- err
		}()
		select {
		case err := <-answer:
			t.Fatalf("a paused sandbox answered: %v", err)
		case <-time.After(50 * time.Millisecond): // that nothing happens has no signal
		}
		if err := p.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-answer; err != nil {
			t.Error(err)
		}
	})
}

func TestZygotesAreReplaced(t *testing.T) {
	rt := mustRuntime(t, "python")
	d := mustDriver(t, native.Config{ZygoteCells: 2})
	first := mustCreate(t, d, rt)
	old := native.Zygotes(d)
	oldPID := mustPidfd(t, slices.Collect(maps.Values(old))[0])
	// The old one serves until the next is ready.
	for deadline := time.Now().Add(20 * time.Second); maps.Equal(native.Zygotes(d), old); {
		if time.Now().After(deadline) {
			t.Fatal("no new zygote")
		}
		mustDestroy(t, mustCreate(t, d, rt))
	}
	f := mustServe(t, first, echo.write(t, "python"), hearth.DefaultLimits())
	if got := f.mustCall(t, `1`); got != `1` {
		t.Errorf("a sandbox of the old zygote says %s", got)
	}
	mustDestroy(t, first)
	mustEnd(t, "the old zygote", oldPID)
}

func TestADeadZygoteIsReplaced(t *testing.T) {
	rt := mustRuntime(t, "python")
	d := mustDriver(t, native.Config{})
	orphan := mustServe(t, mustCreate(t, d, rt), echo.write(t, "python"), hearth.DefaultLimits())
	if err := native.KillZygotes(d); err != nil {
		t.Fatal(err)
	}
	f := mustServe(t, mustCreate(t, d, rt), echo.write(t, "python"), hearth.DefaultLimits())
	if got := f.mustCall(t, `1`); got != `1` {
		t.Errorf("got %s", got)
	}
	if got := orphan.mustCall(t, `2`); got != `2` {
		t.Errorf("the sandbox of the dead zygote says %s", got)
	}
	mustDestroy(t, orphan)
	<-orphan.Done()
	if e := orphan.Exit(); e.Err == nil {
		t.Errorf("nobody can know how it ended, but it says %+v", e)
	}
	mustDestroy(t, f)
	mustLeaveNothing(t, d)
}

func TestAFailedStartSaysWhy(t *testing.T) {
	d := mustDriver(t, native.Config{})
	rt := mustRuntime(t, "nodejs")
	rt.Command = []string{rt.Interpreter, "-e", `console.error("no shim today"); process.exit(3)`}
	_, err := d.Create(t.Context(), spec(rt))
	if err == nil || !strings.Contains(err.Error(), "no shim today") {
		t.Errorf("got %v", err)
	}
	rt.Command = []string{"/usr/bin/no-such-program"}
	_, err = d.Create(t.Context(), spec(rt))
	if err == nil || !strings.Contains(err.Error(), "start /usr/bin/no-such-program: no such file") {
		t.Errorf("got %v", err)
	}
	py := mustRuntime(t, "python")
	py.Zygote = []string{py.Interpreter, "-c", `raise SystemExit("no zygote today")`}
	_, err = d.Create(t.Context(), spec(py))
	if err == nil || !strings.Contains(err.Error(), "no zygote today") {
		t.Errorf("got %v", err)
	}
	mustLeaveNothing(t, d)
}

func TestTheNumberOfSandboxesIsBounded(t *testing.T) {
	inEach(t, native.Config{Sandboxes: 1}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		s := mustCreate(t, d, rt)
		_, err := d.Create(t.Context(), spec(rt))
		if hearth.ErrorCode(err) != hearth.CodeUnavailable || hearth.AsError(err).Hint == "" {
			t.Errorf("got %v", err)
		}
		mustDestroy(t, s)
		mustDestroy(t, mustCreate(t, d, rt))
	})
}

func TestTheKernelsMemoryKillIsTold(t *testing.T) {
	eat := code{
		"python": "def handler(event, context):\n    return len(b'x' * (1 << 30))\n",
		"nodejs": "exports.handler = async () => Buffer.alloc(1 << 30, 1).length\n",
	}
	inEach(t, native.Config{}, func(t *testing.T, d *native.Driver, rt hearth.Runtime) {
		f := mustServe(t, mustCreate(t, d, rt), eat.write(t, rt.Language), hearth.DefaultLimits())
		if got, err := f.call(t.Context(), `{}`); err == nil {
			t.Fatalf("it ate its memory and said %s", got)
		}
		<-f.Done()
		if e := f.Exit(); !e.OOM || e.Signal != "SIGKILL" {
			t.Errorf("exit %+v", e)
		}
	})
}
