package sandboxtest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth"
)

// killEnv holds, in the process that will be killed, what it is to do.
const killEnv = "HEARTH_SANDBOXTEST_KILLED"

// killOrder is what it is to do.
type killOrder struct {
	Place   Place
	Runtime hearth.Runtime
	Code    string
}

// The order travels as gob, because a Runtime keeps most of itself out of JSON.
func (o killOrder) encode(t testing.TB) string {
	var b bytes.Buffer
	must(t, gob.NewEncoder(&b).Encode(o))
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func decodeOrder(t testing.TB, s string) (o killOrder) {
	must(t, gob.NewDecoder(base64.NewDecoder(base64.StdEncoding, strings.NewReader(s))).Decode(&o))
	return o
}

const killReady = "sandboxes are up"

// testKilled kills a process that has sandboxes in several states, and lets a
// new driver in its place find and destroy what is left.
func testKilled(t *testing.T, s *suite) {
	if !s.cfg.Killable {
		t.Skip("this driver's sandboxes can't outlive its process")
	}
	o := killOrder{Place: newPlace(t), Runtime: s.rt, Code: s.code}
	for range 2 { // a crash while the first was cleaned up
		runAndKill(t, s.cfg, o)
	}
	d := s.cfg.New(t, o.Place)
	left, err := d.Leftovers(ctxFor(t))
	if err != nil {
		t.Fatalf("leftovers: %v", err)
	}
	for _, sb := range left {
		destroy(t, sb)
		died(t, sb)
	}
	if again, err := d.Leftovers(ctxFor(t)); err != nil || len(again) > 0 {
		t.Errorf("%d leftovers are found again, %v", len(again), err)
	}
	s.wantHostState(t, d, nil)
}

func runAndKill(t *testing.T, cfg Config, o killOrder) {
	t.Helper()
	top, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+regexp.QuoteMeta(top)+"$", "-test.timeout="+(2*patience()).String())
	cmd.Env = append(append(os.Environ(), killEnv+"="+o.encode(t)), cfg.KillEnv...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	timer := time.AfterFunc(patience(), func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	ready := false
	var said []string
	for in := bufio.NewScanner(out); !ready && in.Scan(); {
		ready = strings.Contains(in.Text(), killReady)
		said = append(said, in.Text())
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	if !ready {
		t.Fatalf("the process that was to be killed failed first:\n%s", strings.Join(said, "\n"))
	}
}

// serveUntilKilled is what runs in that process.
func serveUntilKilled(t *testing.T, cfg Config, order string) {
	o := decodeOrder(t, order)
	s := &suite{cfg: cfg, place: o.Place, rt: o.Runtime, code: o.Code, driver: cfg.New(t, o.Place)}
	var err error
	s.caps, err = s.driver.Probe(ctxFor(t))
	must(t, err)
	s.create(t, hearth.DefaultLimits())
	s.serve(t, options{handler: "cases.echo"}).mustCall(t, 1, "")
	loop := s.serve(t, options{handler: "cases.loop"})
	loop.begin(t, nil, "")
	if !eventually(func() bool { return loop.printed(1) != "" }) {
		t.Fatal("it doesn't loop")
	}
	fmt.Println(killReady)
	select {}
}
