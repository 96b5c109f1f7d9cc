package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
)

func TestDeployIsReadyBeforeTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		v := version("f", 1, func(c *hearth.Config) { c.Env = map[string]string{"FAKE_LOAD_SLEEP": "2s"} })
		r, err := h.e.Deploy(t.Context(), v)
		if err != nil || r.Took.Std() != 2*time.Second || r.Import.Std() != 2*time.Second || r.Shape != "sync" || r.Sealed == "" || r.Start != hearth.StartSpawned {
			t.Errorf("readiness: %+v, %v", r, err)
		}
		h.fails("f", "", `1`, hearth.CodeNotFound)
		if _, _, ok := h.e.Function("f"); ok || len(h.e.Functions()) != 0 {
			t.Error("listed before it is active")
		}
		changed := h.e.Changed()
		h.activate(v)
		<-changed
		f, got, ok := h.e.Function("f")
		if !ok || f.Active != 1 || got.Number != 1 {
			t.Errorf("function: %+v", f)
		}
		if s := h.mustCall("f", "", `1`, "1"); s != hearth.StartPrewarmed || h.driver.Created() != 1 {
			t.Errorf("start: %s, %d made", s, h.driver.Created())
		}
		h.e.Discard(v) // of an active version: nothing
		h.mustCall("f", "", `1`, "1")
		h.e.Update(hearth.Function{Name: "f", Public: true})
		if f, _, _ := h.e.Function("f"); !f.Public || f.Active != 1 {
			t.Errorf("updated: %+v", f)
		}
	})
}

func TestDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		v := version("f", 1)
		if _, err := h.e.Deploy(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		h.e.Discard(v)
		synctest.Wait()
		if n := len(h.driver.Alive()); n != 0 {
			t.Errorf("%d alive", n)
		}
		h.e.Discard(v)
	})
}

func TestDeployIsRefused(t *testing.T) {
	weak := sandbox.Capabilities{CodeMount: true, Memory: sandbox.Enforcement{OK: true}, CPU: sandbox.Enforcement{Why: "there is no cpu controller", Fix: "boot with cgroup v2"},
		PIDs: sandbox.Enforcement{OK: true}, Tmp: sandbox.Enforcement{OK: true}, Network: sandbox.Enforcement{OK: true}}
	for name, c := range map[string]struct {
		fake    fake.Options
		config  Config
		change  func(*hearth.Version)
		code    hearth.Code
		field   string
		message string
		hint    string
		warning string
	}{
		"batch":           {change: func(v *hearth.Version) { v.Config.Batch.Size = 2 }, code: hearth.CodeUnsupported, field: "batch.size"},
		"unknown driver":  {change: func(v *hearth.Version) { v.Sandbox = "vault" }, code: hearth.CodeUnsupported, field: "sandbox", message: "vault"},
		"unknown runtime": {change: func(v *hearth.Version) { v.Runtime = "cobol" }, code: hearth.CodeUnsupported, field: "runtime", message: "cobol"},
		"handler":         {change: func(v *hearth.Version) { v.Handler = "main.missing" }, code: hearth.CodeFunctionError, message: "main.missing", hint: "--handler"},
		"host":            {fake: fake.Options{ProbeErr: errors.New("no kernel here")}, code: hearth.CodeUnsupported, field: "sandbox", message: "no kernel here"},
		"weak host": {fake: fake.Options{Capabilities: &weak}, code: hearth.CodeUnsupported, field: "cpu",
			message: "CPU limit of 1 cores: there is no cpu controller", hint: "boot with cgroup v2; or, if you trust the function, start the server with --allow-unenforced"},
		"weak host, allowed":       {fake: fake.Options{Capabilities: &weak}, config: Config{AllowUnenforced: true}, warning: "there is no cpu controller"},
		"weak host, allowed by us": {fake: fake.Options{Capabilities: &weak}, config: Config{AllowUnenforcedFor: func(v hearth.Version) bool { return v.Function == "f" }}, warning: "no cpu controller"},
		"no egress": {fake: fake.Options{Capabilities: &weak}, config: Config{AllowUnenforced: true},
			change: func(v *hearth.Version) { v.Config.Network = hearth.NetworkEgress }, code: hearth.CodeUnsupported, field: "network"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, c.fake, c.config)
				defer h.close()
				v := version("f", 1)
				if c.change != nil {
					c.change(&v)
				}
				r, err := h.e.Deploy(t.Context(), v)
				if c.warning != "" {
					if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], c.warning) {
						t.Errorf("%+v, %v", r, err)
					}
					return
				}
				e := hearth.AsError(err)
				if e == nil || e.Code != c.code || e.Field != c.field || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) || e.Hint == "" {
					t.Errorf("%#v", e)
				}
				synctest.Wait()
				if n := len(h.driver.Alive()); n != 0 {
					t.Errorf("%d alive", n)
				}
			})
		})
	}
}

// What was allowed once doesn't run on a server that doesn't allow it.
func TestUnenforcedAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		yes := sandbox.Enforcement{OK: true}
		weak := sandbox.Capabilities{CodeMount: true, Memory: yes, CPU: sandbox.Enforcement{Why: "there is no cpu controller"}, PIDs: yes, Tmp: yes, Network: yes}
		h := build(t, fake.Options{Capabilities: &weak}, Config{})
		defer h.close()
		if err := h.e.Activate(hearth.Function{Name: "f"}, version("f", 1)); hearth.ErrorCode(err) != hearth.CodeUnsupported {
			t.Errorf("activate: %v", err)
		}
		if e := h.fails("f", "", `1`, hearth.CodeUnavailable); !strings.Contains(e.Message, "no cpu controller") {
			t.Errorf("message: %s", e.Message)
		}
		if n := len(h.driver.Alive()); n != 0 {
			t.Errorf("%d alive", n)
		}
	})
}

func TestRuntimeThatIsGoneAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		v := version("f", 1)
		v.Runtime = "cobol"
		if err := h.e.Activate(hearth.Function{Name: "f"}, v); hearth.ErrorCode(err) != hearth.CodeUnsupported {
			t.Errorf("activate: %v", err)
		}
		if e := h.fails("f", "", `1`, hearth.CodeUnavailable); !strings.Contains(e.Message, "cobol") {
			t.Errorf("message: %s", e.Message)
		}
	})
}

func TestRollbackIsWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		env := func(n string) func(*hearth.Config) {
			return func(c *hearth.Config) { c.Env = map[string]string{"V": n} }
		}
		one, two, three := version("f", 1, env("1")), version("f", 2, env("2")), version("f", 3, env("3"))
		h.deploy(one)
		h.mustCall("f", "", `{"env":"V"}`, `"1"`)
		time.Sleep(5 * time.Minute) // idle for longer than it stays warm after a deploy
		old := make(chan bool)
		go func() { h.mustCall("f", "", `{"sleep":"8s","env":"V"}`, `"1"`); old <- true }()
		synctest.Wait()
		h.deploy(two)
		h.mustCall("f", "", `{"env":"V"}`, `"2"`)
		<-old
		h.activate(one)
		if s := h.mustCall("f", "", `{"env":"V"}`, `"1"`); s != hearth.StartWarm {
			t.Errorf("rollback: %s", s)
		}
		if _, err := h.e.Invoke(t.Context(), Call{Function: "f", Version: 2, Event: hearth.Event{}}); err != nil {
			t.Errorf("the version before can be called by number while it is warm: %v", err)
		}
		// The next deploy leaves only one version behind.
		h.deploy(three)
		synctest.Wait()
		if n := len(h.driver.Alive()); n != 2 {
			t.Errorf("%d alive", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(h.driver.Alive()); n != 1 {
			t.Errorf("%d alive after the time of rollbacks", n)
		}
		if _, err := h.e.Invoke(t.Context(), Call{Function: "f", Version: 1, Event: hearth.Event{}}); hearth.ErrorCode(err) != hearth.CodeNotFound {
			t.Errorf("a version that is gone: %v", err)
		}
	})
}

func TestRedeployUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{Create: func(context.Context, sandbox.Spec) error {
			time.Sleep(20 * time.Millisecond)
			return nil
		}}, Config{StemTarget: two})
		h.deploy(version("f", 1))
		var wg sync.WaitGroup
		var failed, done atomic.Int64
		stop := time.Now().Add(20 * time.Second)
		wg.Go(func() {
			for n := 2; time.Now().Before(stop); n++ {
				time.Sleep(2 * time.Second)
				h.deploy(version("f", n))
			}
		})
		for time.Now().Before(stop) {
			time.Sleep(5 * time.Millisecond) // 200 calls/s
			wg.Go(func() {
				if _, _, err := h.call("f", "", `{"sleep":"30ms","echo":1}`); err != nil {
					failed.Add(1)
					t.Error(err)
				}
				done.Add(1)
			})
		}
		wg.Wait()
		if failed.Load() != 0 || done.Load() != 4000 {
			t.Errorf("%d of %d failed", failed.Load(), done.Load())
		}
		h.close()
		if len(h.records) != 4000 {
			t.Errorf("%d records", len(h.records))
		}
	})
}

func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.deploy(version("f", 1, func(c *hearth.Config) { c.MaxScale = 1; c.MinWarm = 1 }))
		finished := make(chan error, 2)
		go func() {
			_, _, err := h.call("f", "", `{"sleep":"5s"}`)
			finished <- err
		}()
		synctest.Wait()
		go func() {
			_, _, err := h.call("f", "", `1`)
			finished <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := h.e.Remove(t.Context(), "f"); err != nil || time.Since(began) != 5*time.Second {
			t.Errorf("remove: %v after %s", err, time.Since(began))
		}
		if err := <-finished; hearth.ErrorCode(err) != hearth.CodeNotFound {
			t.Errorf("queued: %v", err)
		}
		if err := <-finished; err != nil {
			t.Errorf("in flight: %v", err)
		}
		if n := len(h.driver.Alive()); n != 0 {
			t.Errorf("%d alive", n)
		}
		h.fails("f", "", `1`, hearth.CodeNotFound)
		if err := h.e.Remove(t.Context(), "f"); hearth.ErrorCode(err) != hearth.CodeNotFound {
			t.Errorf("again: %v", err)
		}
		h.deploy(version("f", 1))
		h.mustCall("f", "", `1`, "1")
	})
}
