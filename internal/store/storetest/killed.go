package storetest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/store"
)

// killedDir tells the process that is going to be killed where to write.
const killedDir = "HEARTH_STORETEST_KILLED_DIR"

// RunKilled tests that what a store has acknowledged is there after the
// process was killed. It runs the calling test again in a process of its own,
// so it must be called from a test function, not from a subtest. Open opens
// the store in a folder; called again, it opens the same one.
func RunKilled(t *testing.T, open func(dir string) (store.Store, error)) {
	if dir := os.Getenv(killedDir); dir != "" {
		writeUntilKilled(open, dir)
		return
	}
	dir := t.TempDir()
	for round := range 3 {
		acknowledged := killWriter(t, dir, 40+17*round)
		s, err := open(dir)
		if err != nil {
			t.Fatalf("open after a kill: %v", err)
		}
		checkAcknowledged(t, s, acknowledged)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killWriter starts a process that writes, kills it after n acknowledgements
// and returns all that it gave.
func killWriter(t *testing.T, dir string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), killedDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acks []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		ack, ok := strings.CutPrefix(lines.Text(), "ack ")
		if !ok {
			continue
		}
		acks = append(acks, ack)
		if len(acks) == n {
			if err := cmd.Process.Kill(); err != nil { // it may have written more by then; the rest is read below
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if len(acks) < n {
		t.Fatalf("the writer ended after %d acknowledgements", len(acks))
	}
	return acks
}

func writeUntilKilled(open func(dir string) (store.Store, error), dir string) {
	ctx := context.Background()
	s, err := open(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "open:", err)
		os.Exit(1)
	}
	for n := 0; ; n++ {
		// Telemetry keeps the other writer busy meanwhile.
		s.RecordInvocation(Invocation("noise", time.Now()))
		name := fmt.Sprintf("f-%d-%d", os.Getpid(), n)
		v, err := s.AddVersion(ctx, Function(name, "/"+name), Version())
		if err == nil {
			_, err = s.Activate(ctx, Activation(name, v.Number), store.FunctionUpdate{}, 0)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "write:", err)
			os.Exit(1)
		}
		fmt.Println("ack", name)
	}
}

func checkAcknowledged(t *testing.T, s store.Store, names []string) {
	t.Helper()
	for _, name := range names {
		f, err := s.Function(t.Context(), name)
		if err != nil {
			t.Errorf("acknowledged, then killed: %v", err)
			continue
		}
		if f.Active != 1 || len(f.Routes) != 1 {
			t.Errorf("%s came back as %+v", name, f)
		}
		if _, err := s.Version(t.Context(), name, 1); err != nil {
			t.Errorf("its version: %v", err)
		}
		if ds, _, err := s.Deploys(t.Context(), store.DeployQuery{Function: name}, store.Page{}); err != nil || len(ds) != 1 || ds[0].Version != 1 {
			t.Errorf("its history is %+v, %v", ds, err)
		}
	}
	MustDeploy(t, s, hearth.Function{Name: "after-" + names[0]})
}
