package native_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/native"
)

// A server that is killed can only be tried in a process of its own: this test
// binary, started again with serverEnv set. It makes sandboxes as it is told
// on its input, says on its output what runs, and waits to be killed.
const serverEnv = "HEARTH_NATIVE_TEST_SERVER"

type serverOrder struct {
	Dir, Instance string
	Runtimes      []hearth.Runtime
	Files         [][]string // of the runtimes, which JSON leaves out
	Commands      [][]string
	Zygotes       [][]string
	Envs          [][]string
	Shims         []string
	Code          []string // folders, one per runtime
	Attack        string   // what each function does in the end
}

type serverReport struct {
	Sandboxes []int // processes
	Zygotes   []int
}

// TestServerProcess isn't a test: it is the server.
func TestServerProcess(t *testing.T) {
	if os.Getenv(serverEnv) == "" {
		return
	}
	var o serverOrder
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		t.Fatal(err)
	}
	d := mustDriver(t, native.Config{Dir: o.Dir, Instance: o.Instance})
	var r serverReport
	for i, rt := range o.Runtimes {
		rt.Files, rt.Command, rt.Zygote, rt.Env, rt.ShimDir = o.Files[i], o.Commands[i], o.Zygotes[i], o.Envs[i], o.Shims[i]
		stem := mustCreate(t, d, rt)
		f := mustServe(t, mustCreate(t, d, rt), o.Code[i], hearth.DefaultLimits())
		if o.Attack != "" {
			f.mustCall(t, fmt.Sprintf(`{"attack":%q}`, o.Attack))
			f.mustStart(t, `{"attack":"spin"}`)
		}
		r.Sandboxes = append(r.Sandboxes, native.PID(stem), native.PID(f.Sandbox))
	}
	for _, pid := range native.Zygotes(d) {
		r.Zygotes = append(r.Zygotes, pid)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // the test keeps it open
}

// mustKillServer starts a server, waits until its sandboxes run, and kills it.
func mustKillServer(t *testing.T, o serverOrder) (sandboxes, zygotes []int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestServerProcess$")
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	cmd.Stderr = testWriter{t}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(in).Encode(o); err != nil {
		t.Fatal(err)
	}
	var r serverReport
	var said strings.Builder
	output := io.TeeReader(out, &said)
	err = json.NewDecoder(output).Decode(&r)
	sandboxes, zygotes = r.Sandboxes, r.Zygotes
	if err != nil {
		_, _ = io.Copy(io.Discard, output) // it has failed, so it ends
		t.Errorf("the server failed: %v: %s", err, said.String())
	}
	for _, pid := range slices.Concat(sandboxes, zygotes) {
		mustPidfd(t, pid) // it is there
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return sandboxes, zygotes
}

func order(t *testing.T, attack string) serverOrder {
	t.Helper()
	o := serverOrder{
		Dir: t.TempDir(), Instance: fmt.Sprintf("test-%d-%d", os.Getpid(), instances.Add(1)), Attack: attack,
	}
	for language, file := range map[string]string{"python": "main.py", "nodejs": "main.js"} {
		if attack == "leave_children" && language != "python" {
			continue
		}
		b, err := os.ReadFile(filepath.Join("testdata", "attack", file))
		if err != nil {
			t.Fatal(err)
		}
		rt := mustRuntime(t, language)
		o.Runtimes = append(o.Runtimes, rt)
		o.Files = append(o.Files, rt.Files)
		o.Commands = append(o.Commands, rt.Command)
		o.Zygotes = append(o.Zygotes, rt.Zygote)
		o.Envs = append(o.Envs, rt.Env)
		o.Shims = append(o.Shims, rt.ShimDir)
		o.Code = append(o.Code, code{language: string(b)}.write(t, language))
	}
	return o
}

func TestIdleSandboxesEndWithAKilledServer(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "needs root")
	}
	o := order(t, "")
	sandboxes, zygotes := mustKillServer(t, o)
	for _, pid := range slices.Concat(sandboxes, zygotes) {
		if fd, err := pidfdIfAlive(pid); err == nil {
			mustEnd(t, fmt.Sprintf("process %d", pid), fd)
		}
	}
	mustRecover(t, o, len(sandboxes)+len(zygotes))
}

func TestASandboxThatGoesOnIsFoundAfterAKilledServer(t *testing.T) {
	for _, attack := range []string{"processes", "leave_children"} {
		t.Run(attack, func(t *testing.T) {
			if os.Getuid() != 0 {
				skip(t, "needs root")
			}
			o := order(t, attack)
			sandboxes, zygotes := mustKillServer(t, o)
			mustRecover(t, o, len(sandboxes)+len(zygotes))
			for _, pid := range slices.Concat(sandboxes, zygotes) {
				if fd, err := pidfdIfAlive(pid); err == nil {
					mustEnd(t, fmt.Sprintf("process %d", pid), fd)
				}
			}
		})
	}
}

// mustRecover starts a driver in the place of the killed one and lets it clean
// up.
func mustRecover(t *testing.T, o serverOrder, want int) {
	t.Helper()
	d := mustDriver(t, native.Config{Dir: o.Dir, Instance: o.Instance})
	own := mustCreate(t, d, o.Runtimes[0])
	all, err := d.Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != want {
		t.Errorf("found %d leftovers, not %d", len(all), want)
	}
	for _, s := range all {
		if s.ID() == own.ID() {
			t.Errorf("%s isn't left over", s.ID())
		}
		if err := s.Assign(t.Context(), sandbox.Assignment{}); err == nil {
			t.Error("a leftover was assigned")
		}
		mustDestroy(t, s)
		mustDestroy(t, s)
		<-s.Done()
	}
	if f := mustServe(t, own, o.Code[0], hearth.DefaultLimits()); !strings.Contains(f.mustCall(t, `{"attack":"processes"}`), "1") {
		t.Error("the new server's own sandbox was hurt")
	}
	mustDestroy(t, own)
	mustLeaveNothing(t, d)
	if again, err := d.Leftovers(t.Context()); err != nil || len(again) > 0 {
		t.Errorf("found %d leftovers again (%v)", len(again), err)
	}
}

// pidfdIfAlive opens a process. The ids of this test's processes are not used
// again so soon.
func pidfdIfAlive(pid int) (int, error) { return unix.PidfdOpen(pid, 0) }
