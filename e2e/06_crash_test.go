package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

const echo = "def handler(event, context):\n    return event\n"

// deploySource deploys one Python file by the API.
func deploySource(c *client.Client, name, code string, cfg rest.DeployConfig) (rest.Deployed, error) {
	cfg.Runtime = "python"
	return c.Deploy(context.Background(), client.DeployRequest{Name: name, Config: cfg, Code: strings.NewReader(code), Filename: "main.py"})
}

// A server that is killed under load leaves nothing behind after the next
// start, and has every function and key that it acknowledged.
func Test06KillUnderLoad(t *testing.T) {
	needsRoot(t)
	data := t.TempDir()
	s := MustServe(t, data)
	s.MustDeploy("busy", map[string]string{"main.py": "import time\ndef handler(e, c):\n    time.sleep(0.05)\n    return 1\n"}, "--public")
	s.MustDeploy("busyjs", map[string]string{"index.mjs": "export const handler = async () => { await new Promise((r) => setTimeout(r, 50)); return 1 }\n"}, "--public")
	c := s.Client()

	stop := make(chan struct{})
	var wg sync.WaitGroup
	var calls atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Call("GET", []string{"/fn/busy", "/fn/busyjs"}[i%2], ""); err == nil {
					calls.Add(1)
				}
			}
		})
	}
	// Acknowledged is what the server said yes to before it was killed.
	var mu sync.Mutex
	var functions, keys []string
	wg.Go(func() {
		for i := 0; ; i++ {
			name := fmt.Sprintf("kept-%d", i)
			if _, err := deploySource(c, name, echo, rest.DeployConfig{}); err != nil {
				return
			}
			k, err := c.AddKey(context.Background(), rest.NewKey{Name: name})
			mu.Lock()
			functions = append(functions, name)
			if err == nil {
				keys = append(keys, k.Secret)
			}
			mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	for deadline := time.Now().Add(startLimit); ; time.Sleep(10 * time.Millisecond) { // waits for load, not for time
		mu.Lock()
		enough := len(functions) >= 5 && calls.Load() >= 50
		mu.Unlock()
		if enough || time.Now().After(deadline) {
			break
		}
	}
	if sandboxProcesses(t, data) == 0 {
		t.Error("the load had no sandboxes: this scenario would prove nothing")
	}
	s.Kill()
	close(stop)
	wg.Wait()
	if len(functions) < 5 {
		t.Fatalf("only %d functions were deployed before the kill", len(functions))
	}

	s = MustServe(t, data)
	have := map[string]bool{}
	fs, err := client.Collect(func(p client.Page) (rest.List[rest.FunctionInfo], error) {
		return s.Client().Functions(context.Background(), "", p)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fs {
		have[f.Name] = true
	}
	for _, name := range append(functions, "busy", "busyjs") {
		if !have[name] {
			t.Errorf("%s was acknowledged and is gone", name)
		}
	}
	for _, secret := range keys {
		if r := s.MustCall("GET", "/api/v1/whoami", "", "Authorization", "Bearer "+secret); r.Status != 200 {
			t.Errorf("a key that was acknowledged answers %d", r.Status)
		}
	}
	if r := s.MustCall("GET", "/fn/busy", ""); r.Status != 200 {
		t.Errorf("after the crash a call answers %d: %s", r.Status, r.Body)
	}
	if r := s.MustCall("POST", "/fn/"+functions[0], `{"a":1}`, "Authorization", "Bearer "+s.Key, "Content-Type", "application/json"); r.Status != 200 {
		t.Errorf("a function deployed before the crash answers %d: %s", r.Status, r.Body)
	}
	s.Stop()
	awaitNone(t, 10*time.Second, func() []string { return leftovers(t, data) })
}

// A killed server's sandboxes end although nobody starts it again: they see the
// end of their stream.
func Test06OrphansEnd(t *testing.T) {
	needsRoot(t)
	data := t.TempDir()
	s := MustServe(t, data)
	s.MustDeploy("idle", map[string]string{"main.py": echo})
	s.MustDeploy("idlejs", map[string]string{"index.mjs": "export const handler = async (e) => e\n"})
	s.Kill()
	awaitNone(t, 20*time.Second, func() []string {
		var ps []string
		for _, l := range leftovers(t, data) {
			if strings.HasPrefix(l, "process ") {
				ps = append(ps, l)
			}
		}
		return ps
	})
	MustServe(t, data).Stop()
	awaitNone(t, 10*time.Second, func() []string { return leftovers(t, data) })
}

// Five hundred rounds of deploy, call and delete leave nothing.
func Test06Rounds(t *testing.T) {
	needsRoot(t)
	data := t.TempDir()
	s := MustServe(t, data)
	c := s.Client()
	const rounds = 500
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range jobs {
				if err := round(c, fmt.Sprintf("round-%d", i), i); err != nil {
					t.Errorf("round %d: %v", i, err)
				}
			}
		})
	}
	for i := range rounds {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	l, err := c.Functions(context.Background(), "", client.Page{})
	if err != nil || len(l.Items) != 0 {
		t.Errorf("%d functions are left (%v)", len(l.Items), err)
	}
	awaitNone(t, 20*time.Second, func() []string {
		var left []string
		boxes, err := c.Sandboxes(context.Background())
		if err != nil {
			return []string{err.Error()}
		}
		for _, b := range boxes.Items {
			if b.Function != "" {
				left = append(left, "sandbox of "+b.Function)
			}
		}
		return left
	})
	s.Stop()
	awaitNone(t, 10*time.Second, func() []string { return leftovers(t, data) })
}

func round(c *client.Client, name string, i int) error {
	ctx := context.Background()
	if _, err := deploySource(c, name, fmt.Sprintf("def handler(e, c):\n    return %d\n", i), rest.DeployConfig{}); err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	r, err := c.Invoke(ctx, client.InvokeRequest{Name: name})
	if err != nil {
		return fmt.Errorf("call: %w", err)
	}
	defer r.Body.Close()
	buf := make([]byte, 16)
	n, _ := r.Body.Read(buf)
	if got := string(buf[:n]); got != fmt.Sprint(i) {
		return fmt.Errorf("call returned %q", got)
	}
	if err := c.DeleteFunction(ctx, name, 0); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if _, err := c.Invoke(ctx, client.InvokeRequest{Name: name}); hearth.ErrorCode(err) != hearth.CodeNotFound {
		return fmt.Errorf("a deleted function answers %v", err)
	}
	return nil
}
