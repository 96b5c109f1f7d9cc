package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/examples"
)

// An ordinary user who owns nothing on the host but a home gets a server whose
// examples work, and is told what is weaker.
func Test08OrdinaryUser(t *testing.T) {
	u := mustOrdinaryUser(t)
	s := MustServeAs(t, u, filepath.Join(u.home, "data"), "up")
	awaitLog(t, s, "Ctrl-C here stops the server")
	for _, want := range []string{"not held   memory limit, cpu limit, process limit", "weaker     privileges, user ids", "hearth doctor", "--allow-unenforced"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("it doesn't say %q", want)
		}
	}
	names, err := examples.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { mustPassChecks(t, s, name) })
	}

	// What can't be limited is refused to others than the examples.
	dir := MustWrite(t, map[string]string{"main.py": echo})
	r := s.Run("deploy", dir, "--name", "own")
	if r.Code == 0 {
		t.Errorf("a function without limits was deployed:\n%s", r.Out)
	}
	for _, want := range []string{"can't enforce the memory limit", "next:", "run as root", "Delegate=yes", "--allow-unenforced"} {
		if !strings.Contains(r.Err, want) {
			t.Errorf("the refusal doesn't say %q:\n%s", want, r.Err)
		}
	}

	// Ctrl-C: calls in flight end as they should.
	reply, err := http.Get(s.URL + "/fn/stream-python/?from=3&pause=0.5")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body := bufio.NewScanner(reply.Body)
	if !body.Scan() {
		t.Fatal("the reply has no line")
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	last := ""
	for body.Scan() {
		last = body.Text()
	}
	if last != "lift-off" || body.Err() != nil {
		t.Errorf("the call that was in flight ended with %q, %v", last, body.Err())
	}
	wantExit(t, s, 0)
	awaitNone(t, 10*time.Second, u.processes)
}

// wantExit waits for the end of a server and wants its exit code.
func wantExit(t *testing.T, s *Server, code int) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(startLimit):
		t.Fatal("the server doesn't end")
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("the server's exit code is %d, want %d", got, code)
	}
}

// The doctor tells an ordinary user what is missing, and what to do.
func Test08Doctor(t *testing.T) {
	u := mustOrdinaryUser(t)
	r := u.run(t, "doctor")
	if r.Code != 0 {
		t.Errorf("exit code %d\n%s", r.Code, r.Err)
	}
	for _, want := range []string{"rootless", "shared uid", "memory limit", "fix:", "--add-subuids", "systemd-run --user", "network: egress"} {
		if !strings.Contains(r.Out, want) {
			t.Errorf("it doesn't say %q:\n%s", want, r.Out)
		}
	}
	awaitNone(t, 10*time.Second, u.processes)
}

// spies look around in a sandbox, in both languages alike.
var spies = map[string]map[string]string{
	"python": {"main.py": `
import os, socket

def attempt(f):
    try:
        f()
        return "worked"
    except OSError as e:
        return "refused"

def connect(address):
    socket.create_connection(address, 2).close()

def handler(event, context):
    with open("/proc/self/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    return {
        "root": sorted(os.listdir("/")), "processes": [p for p in os.listdir("/proc") if p.isdigit()],
        "status": {k: status[k] for k in ("CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")},
        "files": {p: attempt(lambda: open(p).close()) for p in event["files"]},
        "network": attempt(lambda: connect(("127.0.0.1", event["port"]))),
        "signal": attempt(lambda: os.kill(event["pid"], 0)),
        "code": attempt(lambda: open("/code/main.py", "a").close()),
        "environment": sorted(k for k in os.environ if k in ("HOME", "HEARTH_API_KEY") and os.environ[k] == event["home"]),
    }
`},
	"nodejs": {"index.mjs": `
import fs from 'node:fs'
import net from 'node:net'

const attempt = (f) => { try { f(); return 'worked' } catch { return 'refused' } }
const open = (p, mode) => fs.closeSync(fs.openSync(p, mode))
const connect = (port) => new Promise((done) => {
  const s = net.connect({ host: '127.0.0.1', port, timeout: 2000 })
  for (const [event, outcome] of [['connect', 'worked'], ['error', 'refused'], ['timeout', 'refused']]) s.on(event, () => { s.destroy(); done(outcome) })
})

export const handler = async (event) => {
  const status = Object.fromEntries(fs.readFileSync('/proc/self/status', 'utf8').split('\n').map((l) => l.split(':\t')))
  return {
    root: fs.readdirSync('/').sort(), processes: fs.readdirSync('/proc').filter((p) => /^\d+$/.test(p)),
    status: Object.fromEntries(['CapPrm', 'CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp'].map((k) => [k, status[k]])),
    files: Object.fromEntries(event.files.map((p) => [p, attempt(() => open(p, 'r'))])),
    network: await connect(event.port),
    signal: attempt(() => process.kill(event.pid, 0)),
    code: attempt(() => open('/code/index.mjs', 'a')),
    environment: Object.keys(process.env).filter((k) => process.env[k] === event.home),
  }
}
`},
}

// sights are what a spy saw.
type sights struct {
	Root, Processes, Environment []string
	Status, Files                map[string]string
	Network, Signal, Code        string
}

// What takes no privilege holds for an ordinary user's sandboxes too.
func Test08Isolation(t *testing.T) {
	u := mustOrdinaryUser(t)
	s := MustServeAs(t, u, filepath.Join(u.home, "data"), "--allow-unenforced")
	secret := filepath.Join(u.home, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := []string{secret, filepath.Join(s.Data, "admin.key"), "/etc/hostname", "/etc/shadow", "/sys/kernel/notes", "/proc/kallsyms"}
	port := s.URL[strings.LastIndex(s.URL, ":")+1:]
	event := fmt.Sprintf(`{"files":["%s"],"port":%s,"pid":%d,"home":%q}`, strings.Join(files, `","`), port, s.cmd.Process.Pid, u.home)
	for language, code := range spies {
		t.Run(language, func(t *testing.T) {
			out := s.MustRun("deploy", MustWrite(t, code), "--name", "spy-"+language)
			for _, want := range []string{"weaker", "memory limit", "is not enforced", "rootless"} {
				if !strings.Contains(out, want) {
					t.Errorf("deploy doesn't say %q:\n%s", want, out)
				}
			}
			var got sights
			s.MustCall("POST", "/api/v1/functions/spy-"+language+"/invoke", event, "Authorization", "Bearer "+s.Key, "Content-Type", "application/json").JSON(t, &got)
			if !slices.Equal(got.Processes, []string{"1"}) {
				t.Errorf("it sees the processes %q", got.Processes)
			}
			for _, dir := range []string{"home", "var", "sys", "run", "boot"} {
				if slices.Contains(got.Root, dir) {
					t.Errorf("it sees /%s", dir)
				}
			}
			const none = "0000000000000000"
			want := map[string]string{"CapPrm": none, "CapEff": none, "CapBnd": none, "NoNewPrivs": "1", "Seccomp": "2"}
			for k, v := range want {
				if got.Status[k] != v {
					t.Errorf("%s is %q, want %q", k, got.Status[k], v)
				}
			}
			if len(got.Files) != len(files) {
				t.Errorf("it tried %d files of %d", len(got.Files), len(files))
			}
			for p, outcome := range got.Files {
				if outcome != "refused" {
					t.Errorf("it opened %s", p)
				}
			}
			if got.Network != "refused" || got.Signal != "refused" || got.Code != "refused" {
				t.Errorf("the server's port: %s; a signal to the server: %s; its own code: %s", got.Network, got.Signal, got.Code)
			}
			if len(got.Environment) > 0 {
				t.Errorf("it has the server's environment: %q", got.Environment)
			}
		})
	}
}

// A server that is killed, either of its two processes, leaves no process, and
// the next start is as if nothing had been.
func Test08KilledUser(t *testing.T) {
	u := mustOrdinaryUser(t)
	data := filepath.Join(u.home, "data")
	s := MustServeAs(t, u, data, "--allow-unenforced")
	s.MustDeploy("py", map[string]string{"main.py": echo}, "--public")
	s.MustDeploy("js", map[string]string{"index.mjs": "export const handler = async (e) => 1\n"}, "--public")
	mustAnswer := func() {
		t.Helper()
		for _, name := range []string{"py", "js"} {
			if r := s.MustCall("GET", "/fn/"+name, ""); r.Status != 200 {
				t.Errorf("%s answers %d: %s", name, r.Status, r.Body)
			}
		}
	}
	mustAnswer()

	s.Kill() // the outer process, which the user started
	awaitNone(t, 40*time.Second, u.processes)

	s = MustServeAs(t, u, data, "--allow-unenforced")
	mustAnswer()
	inner := childrenOf(s.cmd.Process.Pid)
	if len(inner) != 1 {
		t.Fatalf("the outer process has the children %v", inner)
	}
	if err := syscall.Kill(inner[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantExit(t, s, 128+int(syscall.SIGKILL))
	awaitNone(t, 20*time.Second, u.processes)

	s = MustServeAs(t, u, data, "--allow-unenforced")
	mustAnswer()
	s.Stop()
	wantExit(t, s, 0)
	awaitNone(t, 10*time.Second, u.processes)
	if left := leftovers(t, data); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if pids, err := os.ReadDir(filepath.Join(data, "run", "native", "pids")); err != nil || len(pids) > 0 {
		t.Errorf("%d notes on processes are left, %v", len(pids), err)
	}
}
