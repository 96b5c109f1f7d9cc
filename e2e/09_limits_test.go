package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// bombs take what they can get of memory or processes.
var bombs = map[string]map[string]string{
	"python": {"main.py": `
import os, time

def handler(event, context):
    if event["take"] == "memory":
        held = []
        while True:
            held.append(bytearray(b"x") * (4 << 20))
    if event["take"] == "processes":
        for n in range(200):
            try:
                if os.fork() == 0:
                    time.sleep(1000)
                    os._exit(0)
            except OSError as e:
                return {"processes": n, "error": type(e).__name__}
        return {"processes": 200, "error": ""}
    return "well"
`},
	"javascript": {"index.mjs": `
import { spawn } from 'node:child_process'

export const handler = async (event) => {
  if (event.take === 'memory') for (const held = []; ; ) held.push(Buffer.alloc(4 << 20, 1))
  if (event.take === 'processes') {
    for (let n = 0; n < 200; n++) {
      const error = await new Promise((done) => {
        const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'])
        child.on('spawn', () => done('')).on('error', (e) => done(e.code))
      })
      if (error) return { processes: n, error }
    }
    return { processes: 200, error: '' }
  }
  return 'well'
}
`},
}

// needsLimits skips a scenario where no cgroup can be had.
func needsLimits(t *testing.T) {
	t.Helper()
	if os.Getenv(guestEnv) == "" {
		needsRoot(t)
	}
}

// Limits are held without anybody allowing that they aren't: those who take too
// much are stopped, told so, and nobody else notices.
func Test09Limits(t *testing.T) {
	needsLimits(t)
	data := t.TempDir()
	s := MustServe(t, data)
	const pids = 24
	for language, code := range bombs {
		name := "bomb-" + language
		s.MustDeploy(name, code, "--language", language, "--memory", "96", "--pids", "24", "--timeout", "60s")
		call := func(event string) Reply {
			t.Helper()
			return s.MustCall("POST", "/api/v1/functions/"+name+"/invoke", event, "Authorization", "Bearer "+s.Key, "Content-Type", "application/json")
		}
		if r := call(`{"take":"nothing"}`); r.Status != 200 || r.Body != `"well"` {
			t.Fatalf("%s answers %d: %s", name, r.Status, r.Body)
		}
		var problem struct{ Code string }
		r := call(`{"take":"memory"}`)
		if r.JSON(t, &problem); r.Status != 502 || problem.Code != "function_out_of_memory" {
			t.Errorf("%s took memory and answers %d: %s", name, r.Status, r.Body)
		}
		// A runtime may not survive that it can't start a thread: then the
		// sandbox is gone, which is no harm to others either.
		if r = call(`{"take":"processes"}`); r.Status == 200 {
			var got struct {
				Processes int
				Error     string
			}
			if r.JSON(t, &got); got.Processes >= pids || got.Error == "" {
				t.Errorf("%s has %d processes where %d may be, and ended with %q", name, got.Processes, pids, got.Error)
			}
		} else if r.JSON(t, &problem); !strings.HasPrefix(problem.Code, "function_") {
			t.Errorf("%s took processes and answers %d: %s", name, r.Status, r.Body)
		}
		if r := call(`{"take":"nothing"}`); r.Status != 200 {
			t.Errorf("%s after all that: %d %s", name, r.Status, r.Body)
		}
	}
	if held := s.log.String(); strings.Contains(held, "memory limit") {
		t.Errorf("the server says that it can't hold limits:\n%s", held)
	}
	s.Stop()
	awaitNone(t, 20*time.Second, func() []string { return leftovers(t, data) })
}

// finding is a line of the doctor's.
type finding struct{ Name, Status, Detail, Fix string }

// doctor runs "hearth doctor" and returns what it finds of the native sandbox.
func doctor(t *testing.T) (isolation string, found map[string]finding) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "doctor", "-o", "json").Output()
	if err != nil {
		t.Fatalf("hearth doctor: %v\n%s", err, out)
	}
	var report struct {
		Sandboxes []struct {
			Name, Isolation string
			Findings        []finding
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("read %s: %v", out, err)
	}
	i := slices.IndexFunc(report.Sandboxes, func(s struct {
		Name, Isolation string
		Findings        []finding
	}) bool {
		return s.Name == "native"
	})
	if i < 0 {
		t.Fatalf("the doctor doesn't know the native sandbox:\n%s", out)
	}
	found = map[string]finding{}
	for _, f := range report.Sandboxes[i].Findings {
		found[f.Name] = f
	}
	return report.Sandboxes[i].Isolation, found
}
