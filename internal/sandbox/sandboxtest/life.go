package sandboxtest

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

// lifeCases are about the ways to die.
var lifeCases = []testCase{
	{"ends when the function ends it", testQuit, true},
	{"ends when the function crashes", testCrash, true},
	{"ends with its wire", testWireCloses, true},
	{"is destroyed in an endless loop", testLoop, true},
	{"is destroyed in every state", testDestroyStates, true},
	{"is destroyed once by many", testDestroyTogether, true},
	{"is assigned once", testAssignOnce, false},
	{"stands still while paused", testPause, true},
	{"refuses a context that has ended", testEndedContext, true},
	{"is found after its driver was killed", testKilled, false},
}

func testQuit(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.quit"})
	wantError(t, f, 3, `{"quit":3}`, wire.ErrorExit)
	if e := died(t, f); e.Code != 3 || e.OOM {
		t.Errorf("exit: %+v", e)
	}
	wantGone(t, f)
}

func testCrash(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.crash"})
	var e *wire.Error
	if got, err := f.call(t, nil, `{"signal":"SIGSEGV"}`); err == nil || errors.As(err, &e) || errors.Is(err, wire.ErrProtocol) {
		t.Errorf("replied %s, %v", got, err)
	}
	// As first process of a namespace abort may come out as another signal.
	if e := died(t, f); e.Signal == "" || e.Code != -1 || e.OOM {
		t.Errorf("exit: %+v", e)
	}
	wantGone(t, f)
}

// wantGone wants a dead sandbox to say so.
func wantGone(t *testing.T, sb sandbox.Sandbox) {
	t.Helper()
	destroy(t, sb)
	if err := sb.Assign(ctxFor(t), sandbox.Assignment{}); err == nil {
		t.Error("the dead was assigned")
	}
	if c, err := sb.Dial(ctxFor(t)); err == nil {
		c.Close()
		t.Error("the dead was dialled")
	}
	if _, err := sb.Usage(ctxFor(t)); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("usage of the dead: %v", err)
	}
}

func testWireCloses(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.echo"})
	f.mustCall(t, 1, "1")
	f.wire.Close()
	died(t, f)
}

func testLoop(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.loop"})
	_, err := f.wire.Ready(ctxFor(t))
	must(t, err)
	st := f.begin(t, nil, `{"log":"looping","hang":true}`)
	if !eventually(func() bool { return f.printed(1) != "" }) {
		t.Fatal("it doesn't loop")
	}
	must(t, st.Cancel("timeout"))
	began := time.Now()
	destroy(t, f)
	if took := time.Since(began); took > scaled(5*time.Second) {
		t.Errorf("destroy took %s", took)
	}
	died(t, f)
	if _, _, _, err := st.Result(ctxFor(t)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended with %v", err)
	}
}

func testDestroyStates(t *testing.T, s *suite) {
	o := options{handler: "cases.nap"}.withDefaults()
	long := map[string]int{"ms": 600_000}
	for name, prepare := range map[string]func(t *testing.T) sandbox.Sandbox{
		"stem":    func(t *testing.T) sandbox.Sandbox { return s.create(t, o.limits) },
		"loading": func(t *testing.T) sandbox.Sandbox { return s.serve(t, o) },
		"idle": func(t *testing.T) sandbox.Sandbox {
			f := s.serve(t, o)
			_, err := f.wire.Ready(ctxFor(t))
			must(t, err)
			return f
		},
		"busy": func(t *testing.T) sandbox.Sandbox {
			f := s.serve(t, o)
			f.begin(t, long, `{"sleep":"10m"}`)
			return f
		},
		"dead": func(t *testing.T) sandbox.Sandbox {
			f := s.serve(t, o)
			f.wire.Close()
			died(t, f)
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			sb := prepare(t)
			destroy(t, sb)
			died(t, sb)
			destroy(t, sb)
			wantGone(t, sb)
		})
	}
}

func testDestroyTogether(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.nap"})
	f.begin(t, map[string]int{"ms": 600_000}, `{"sleep":"10m"}`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { destroy(t, f) })
		wg.Go(func() { _, _ = f.Usage(ctxFor(t)) })
		wg.Go(func() {
			if c, err := f.Dial(ctxFor(t)); err == nil && s.caps.Streams == 1 {
				c.Close()
				t.Error("a second stream where there is one")
			}
		})
	}
	wg.Wait()
	died(t, f)
	f.s.wantGoneFromWire(t, f)
}

func (s *suite) wantGoneFromWire(t *testing.T, f *function) {
	t.Helper()
	select {
	case <-f.wire.Done():
	case <-time.After(patience()):
		t.Fatal("the wire of the dead is open")
	}
	if err := f.wire.Err(); err == nil || (errors.Is(err, wire.ErrProtocol) && !errors.Is(err, io.EOF)) {
		t.Errorf("the wire ended with %v", err)
	}
}

func testAssignOnce(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.echo"})
	o := options{handler: "cases.count"}.withDefaults()
	err := f.Assign(ctxFor(t), sandbox.Assignment{Version: o.version(), Limits: o.limits, CodeDir: s.code})
	if !errors.Is(err, sandbox.ErrAssigned) {
		t.Errorf("second assign: %v", err)
	}
}

func testPause(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.echo"})
	p, ok := sandbox.As[sandbox.Pauser](f.Sandbox)
	if !ok {
		t.Skip("this driver can't pause")
	}
	_, err := f.wire.Ready(ctxFor(t))
	must(t, err)
	must(t, p.Pause(ctxFor(t)))
	st := f.begin(t, 1, "1")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, _, err := st.Result(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused function answered: %v", err)
	}
	must(t, p.Resume(ctxFor(t)))
	if _, body, _, err := st.Result(ctxFor(t)); err != nil || string(body) != "1" {
		t.Errorf("after the pause: %s, %v", body, err)
	}
	must(t, p.Pause(ctxFor(t)))
	destroy(t, f)
	died(t, f)
}

func testEndedContext(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	sb, err := s.driver.Create(ctx, s.spec(options{}.withDefaults().limits))
	if err == nil {
		destroy(t, sb)
		t.Error("create went on after its caller had gone")
	}
}
