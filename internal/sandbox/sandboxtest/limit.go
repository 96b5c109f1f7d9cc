package sandboxtest

import (
	"os"
	"testing"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// limitCases try to use more than is allowed.
var limitCases = []testCase{
	{"kills what eats memory, and says so", testMemory, true},
	{"stops a fork bomb", testForks, false},
	{"bounds /tmp", testTmp, false},
	{"slows down what spins", testCPU, false},
	{"counts what is used", testUsage, true},
}

// enforced skips where the driver says that it can't, except where everything
// is meant to work.
func enforced(t *testing.T, e sandbox.Enforcement) {
	t.Helper()
	switch {
	case e.OK:
	case os.Getenv("CI") == "true":
		t.Fatalf("the driver can't hold the limit here: %s", e.Why)
	default:
		t.Skipf("the driver can't hold the limit here: %s", e.Why)
	}
}

func testMemory(t *testing.T, s *suite) {
	enforced(t, s.caps.Memory)
	f := s.serve(t, options{handler: "cases.eat", limits: hearth.Limits{MemoryMiB: 96}})
	if got, err := f.call(t, nil, `{"memory":200000000}`); err == nil {
		t.Errorf("replied %s", got)
	}
	if e := died(t, f); !e.OOM {
		t.Errorf("exit: %+v", e)
	}
	// A neighbour doesn't notice.
	n := s.serve(t, options{handler: "cases.echo"})
	n.mustCall(t, 1, "1")
}

// extent is how far a function came before it was stopped.
type extent struct {
	Children int
	Written  int64
	Error    string
}

func testForks(t *testing.T, s *suite) {
	enforced(t, s.caps.PIDs)
	const pids = 24
	f := s.serve(t, options{handler: "cases.fork", limits: hearth.Limits{PIDs: pids, MemoryMiB: 512}})
	body, err := f.call(t, map[string]int{"most": 200}, "")
	if err != nil {
		// The runtime may not survive that it can't start a thread.
		t.Logf("the bomb ended the sandbox: %v, %+v", err, died(t, f))
	} else if got := reply[extent](t, body); got.Children >= pids || got.Error == "" {
		t.Errorf("the bomb made %d processes where %d may be, and ended with %q", got.Children, pids, got.Error)
	}
	if u, err := f.Usage(ctxFor(t)); err == nil && u.PIDs > pids {
		t.Errorf("%d processes are counted where %d may be", u.PIDs, pids)
	}
	destroy(t, f)
	died(t, f)
}

func testTmp(t *testing.T, s *suite) {
	enforced(t, s.caps.Tmp)
	f := s.serve(t, options{handler: "cases.fill", limits: hearth.Limits{TmpMiB: 16}})
	got := reply[extent](t, f.mustCall(t, map[string]int64{"most": 64 << 20}, ""))
	if got.Written > 16<<20 || got.Written < 8<<20 || got.Error == "" {
		t.Errorf("/tmp of 16 MiB took %d bytes and ended with %q", got.Written, got.Error)
	}
	f.mustCall(t, map[string]int64{"most": 1 << 20}, "") // and it goes on
}

func testCPU(t *testing.T, s *suite) {
	enforced(t, s.caps.CPU)
	f := s.serve(t, options{handler: "cases.spin", limits: hearth.Limits{CPU: 0.2}})
	_, err := f.wire.Ready(ctxFor(t))
	must(t, err)
	before, err := f.Usage(ctxFor(t))
	must(t, err)
	began := time.Now()
	f.mustCall(t, map[string]int{"ms": 2000}, "")
	took := time.Since(began)
	after, err := f.Usage(ctxFor(t))
	must(t, err)
	used := (after.CPU - before.CPU).Std()
	if share := used.Seconds() / took.Seconds(); share > 0.3 {
		t.Errorf("0.2 cores were %.2f: %s in %s", share, used, took)
	}
	if used < 100*time.Millisecond {
		t.Errorf("2 s of spinning count as %s", used)
	}
}

func testUsage(t *testing.T, s *suite) {
	f := s.serve(t, options{handler: "cases.hold"})
	f.mustCall(t, map[string]int{"mib": 1}, `{"memory":2000000,"cpu":"1ms"}`)
	before, err := f.Usage(ctxFor(t))
	must(t, err)
	f.mustCall(t, map[string]int{"mib": 40}, `{"memory":42000000,"cpu":"1ms"}`)
	after, err := f.Usage(ctxFor(t))
	must(t, err)
	if s.caps.Memory.OK {
		if grown := after.Memory - before.Memory; grown < 30<<20 {
			t.Errorf("40 MiB count as %d bytes", grown)
		}
		if after.MemoryPeak < after.Memory || after.PIDs < 1 {
			t.Errorf("usage: %+v", after)
		}
	}
	if after.CPU <= before.CPU {
		t.Errorf("CPU time stood still at %s", after.CPU)
	}
	destroy(t, f)
	if e := died(t, f); s.caps.Memory.OK && e.Usage.MemoryPeak < 30<<20 {
		t.Errorf("the last usage is %+v", e.Usage)
	}
}
