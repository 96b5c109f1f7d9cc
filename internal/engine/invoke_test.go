package engine

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
)

// The record may come later than the reply: what is left to read of the sandbox
// is no reason to let the caller wait.
func TestWhoCallsAndLooksFindsTheCall(t *testing.T) {
	h := build(t, fake.Options{}, Config{})
	defer h.close()
	h.activate(version("f", 1))
	h.mu.Lock() // no record can be written
	reply, err := h.e.Invoke(t.Context(), Call{ID: "I", Function: "f", Event: hearth.Event{Body: []byte("1")}})
	if err == nil {
		_, err = io.Copy(io.Discard, reply.Body)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	early := h.e.Settled(gone)
	h.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if early == nil {
		t.Error("settled before the record was written")
	}
	if err := h.e.Settled(t.Context()); err != nil {
		t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.records) != 1 || h.records[0].ID != "I" {
		t.Errorf("records: %+v", h.records)
	}
}

func TestHowCallsEnd(t *testing.T) {
	seconds := func(c *hearth.Config) { c.Limits.Timeout = hearth.Duration(3 * time.Second) }
	for _, c := range []struct {
		script  string
		code    hearth.Code
		message string
		hint    string
		took    time.Duration
		killed  bool
	}{
		{script: `{"fail":"ValueError: no"}`, code: hearth.CodeFunctionError, message: "no"},
		{script: `{"fail":"OSError: [Errno 101] Network is unreachable"}`, code: hearth.CodeFunctionError, hint: "--network egress"},
		{script: `{"fail":"TypeError: fetch failed"}`, code: hearth.CodeFunctionError, hint: "--network egress"},
		{script: `{"sleep":"1h"}`, code: hearth.CodeFunctionTimeout, message: "3s", hint: "--timeout", took: 3 * time.Second, killed: true},
		{script: `{"hang":true}`, code: hearth.CodeFunctionTimeout, message: "3s", hint: "--timeout", took: 3 * time.Second, killed: true},
		{script: `{"oom":true}`, code: hearth.CodeFunctionOOM, message: "128 MiB", hint: "--memory", killed: true},
		{script: `{"memory":200000000}`, code: hearth.CodeFunctionOOM, message: "128 MiB", hint: "--memory 256", killed: true},
		{script: `{"signal":"SIGSEGV"}`, code: hearth.CodeFunctionCrashed, message: "SIGSEGV", killed: true},
		{script: `{"signal":"SIGSYS"}`, code: hearth.CodeFunctionCrashed, message: "SIGSYS", hint: "system call", killed: true},
		{script: `{"exit":3}`, code: hearth.CodeFunctionCrashed, message: "status 3", killed: true},
		{script: `{"quit":4}`, code: hearth.CodeFunctionCrashed, message: "4", killed: true},
		{script: `{"garbage":true}`, code: hearth.CodeFunctionCrashed, message: "must not", killed: true},
		{script: `{"size":7000000}`, code: hearth.CodeFunctionReply, message: "over the limit", hint: "stream"},
	} {
		t.Run(c.script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, fake.Options{}, Config{})
				defer h.close()
				h.activate(version("f", 1, seconds))
				h.mustCall("f", "", `1`, "1")
				synctest.Wait()
				began := time.Now()
				err := h.fails("f", "x", c.script, c.code)
				if !strings.Contains(err.Message, c.message) || !strings.Contains(err.Hint, c.hint) {
					t.Errorf("message %q, hint %q", err.Message, err.Hint)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("took %s", took)
				}
				synctest.Wait()
				r := h.record("x")
				if r.Outcome != c.code.Outcome() || r.Error == nil || r.Status < 500 || r.Usage == nil {
					t.Errorf("record: %+v", r)
				}
				if !strings.Contains(h.log("x"), "platform:"+string(c.code)) {
					t.Errorf("log: %q", h.log("x"))
				}
				if alive := len(h.driver.Alive()) == 1; alive == c.killed {
					t.Errorf("sandbox alive: %v", alive)
				}
				h.mustCall("f", "", `2`, "2") // and life goes on
			})
		})
	}
}

func TestTroubleWhileLoading(t *testing.T) {
	for name, want := range map[string]struct {
		value string
		code  hearth.Code
	}{
		"FAKE_LOAD_FAIL": {"ImportError: no module named x", hearth.CodeFunctionError},
		"FAKE_LOAD_EXIT": {"3", hearth.CodeFunctionCrashed},
		"FAKE_LOAD_OOM":  {"1", hearth.CodeFunctionOOM},
		"FAKE_LOAD_HANG": {"1", hearth.CodeFunctionTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, fake.Options{}, Config{})
				defer h.close()
				v := version("f", 1, func(c *hearth.Config) { c.Env = map[string]string{name: want.value} })
				if _, err := h.e.Deploy(t.Context(), v); hearth.ErrorCode(err) != want.code {
					t.Errorf("deploy: %v", err)
				}
				synctest.Wait()
				if n := len(h.driver.Alive()); n != 0 {
					t.Errorf("%d sandboxes after a failed deploy", n)
				}
				h.activate(v)
				h.fails("f", "x", `1`, want.code)
				synctest.Wait()
				if r := h.record("x"); r.Outcome != want.code.Outcome() || r.Start != hearth.StartSpawned {
					t.Errorf("record: %+v", r)
				}
			})
		})
	}
}

func TestBrokenLoadsDoNotSpinThroughSandboxes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1, func(c *hearth.Config) {
			c.Env = map[string]string{"FAKE_LOAD_FAIL": "ImportError: no"}
			c.MinWarm = 1
		}))
		for range 1000 {
			h.fails("f", "", `1`, hearth.CodeFunctionError)
			time.Sleep(10 * time.Millisecond)
		}
		if n := h.driver.Created(); n > 20 {
			t.Errorf("%d sandboxes in ten seconds", n)
		}
	})
}

func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{Create: func(ctx context.Context, _ sandbox.Spec) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		}}, Config{})
		defer h.close()
		h.activate(version("f", 1, func(c *hearth.Config) {
			c.Env = map[string]string{"FAKE_LOAD_SLEEP": "70ms"}
			c.MaxScale = 1
			c.Limits.Timeout = hearth.Duration(60 * time.Millisecond) // the import has its own limit
		}))
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(time.Millisecond)
			h.mustCall("f", "b", `2`, "2")
		}()
		h.mustCall("f", "a", `{"sleep":"50ms","echo":1,"cpu":"5ms"}`, "1")
		<-done
		synctest.Wait()
		ms := func(n int) hearth.Duration { return hearth.Duration(time.Duration(n) * time.Millisecond) }
		if p, want := h.record("a").Phases, (hearth.Phases{Sandbox: ms(100), Import: ms(70), Handler: ms(50)}); p != want {
			t.Errorf("cold: %+v, want %+v", p, want)
		}
		if d, u := h.record("a").Duration, h.record("a").Usage; d != ms(220) || u.CPU != ms(5) {
			t.Errorf("duration %s, usage %+v", d, u)
		}
		if p, want := h.record("b").Phases, (hearth.Phases{Queue: ms(219)}); p != want {
			t.Errorf("queued: %+v, want %+v", p, want)
		}
		if u := h.record("b").Usage; u == nil || u.CPU != 0 {
			t.Errorf("usage of the second: %+v", u)
		}
	})
}

func TestOutputBelongsToItsInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1))
		h.mustCall("f", "a", `{"log":["one","two"],"raw":"three\n","echo":1}`, "1")
		synctest.Wait()
		h.mustCall("f", "b", `{"raw":"four\n","echo":1}`, "1")
		synctest.Wait()
		// Two ways lead out of a sandbox; only each by itself keeps the order.
		wire := strings.Replace(h.log("a"), "stdout:three\n", "", 1)
		if a, b := h.log("a"), h.log("b"); wire != "stdout:one\nstdout:two\n" || len(a) == len(wire) || b != "stdout:four\n" {
			t.Errorf("logs %q and %q", a, b)
		}
		h.activate(version("g", 1, func(c *hearth.Config) { c.Concurrency = 8 }))
		h.mustCall("g", "", `1`, "1")
		done := make(chan struct{})
		for _, id := range []string{"c", "d", "e"} {
			go func() {
				defer func() { done <- struct{}{} }()
				h.mustCall("g", id, `{"log":"`+id+`","raw":"raw\n","sleep":"1s","echo":1}`, "1")
			}()
		}
		for range 3 {
			<-done
		}
		synctest.Wait()
		for _, id := range []string{"c", "d", "e"} {
			if h.log(id) != "stdout:"+id+"\n" {
				t.Errorf("log of %s: %q", id, h.log(id))
			}
		}
		if h.log("") != strings.Repeat("stdout:raw\n", 3) {
			t.Errorf("log between: %q", h.log(""))
		}
	})
}

func TestCallerGoesAway(t *testing.T) {
	for _, c := range []struct {
		name      string
		choice    hearth.Disconnect
		script    string
		outcome   hearth.Outcome
		after     time.Duration // of the record
		destroyed bool
	}{
		{"a shim that listens is kept", hearth.DisconnectCancel, `{"sleep":"5s"}`, hearth.OutcomeCancelled, time.Second, false},
		{"one that doesn't is killed", hearth.DisconnectCancel, `{"hang":true}`, hearth.OutcomeCancelled, 2 * time.Second, true},
		{"finish finishes", hearth.DisconnectFinish, `{"sleep":"5s"}`, hearth.OutcomeOK, 5 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, fake.Options{}, Config{})
				defer h.close()
				h.activate(version("f", 1, func(cfg *hearth.Config) { cfg.OnDisconnect = c.choice }))
				h.mustCall("f", "", `1`, "1")
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				_, _, err := h.callCtx(ctx, "f", "x", c.script)
				if c.choice == hearth.DisconnectCancel && hearth.ErrorCode(err) != hearth.CodeCancelled {
					t.Errorf("reply: %v", err)
				}
				time.Sleep(time.Until(began.Add(10 * time.Second)))
				r := h.record("x")
				if r.Outcome != c.outcome || r.Duration.Std() != c.after {
					t.Errorf("%s after %s", r.Outcome, r.Duration)
				}
				if gone := len(h.driver.Alive()) == 0; gone != c.destroyed {
					t.Errorf("destroyed: %v", gone)
				}
			})
		})
	}
}

func TestStreams(t *testing.T) {
	open := func(t *testing.T, h *house, ctx context.Context, script string) *Reply {
		t.Helper()
		r, err := h.e.Invoke(ctx, Call{ID: "x", Function: "f", Event: hearth.Event{HTTP: &hearth.HTTPRequest{}, Body: []byte(script)}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Length != -1 || r.Status != 200 {
			t.Errorf("reply: %+v", r)
		}
		return r
	}
	limits := func(c *hearth.Config) {
		c.Limits.Timeout = hearth.Duration(20 * time.Second)
		c.Limits.IdleChunk = hearth.Duration(3 * time.Second)
	}
	t.Run("to the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, fake.Options{}, Config{})
			defer h.close()
			h.activate(version("f", 1, limits))
			b, err := io.ReadAll(open(t, h, t.Context(), `{"stream":1000,"size":4000}`).Body)
			if err != nil || len(b) != 4_000_000 {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			synctest.Wait()
			if r := h.record("x"); r.Outcome != hearth.OutcomeOK || r.ReplyBytes != 4_000_000 {
				t.Errorf("record: %+v", r)
			}
		})
	})
	fails := map[string]struct {
		script string
		code   hearth.Code
		n      int
		after  time.Duration
	}{
		"broken":   {`{"stream":3,"size":2,"break":"IOError: cut"}`, hearth.CodeFunctionError, 6, 0},
		"silent":   {`{"stream":3,"size":2,"every":"4s"}`, hearth.CodeFunctionTimeout, 0, 3 * time.Second},
		"for ever": {`{"stream":1000,"size":2,"every":"1900ms"}`, hearth.CodeFunctionTimeout, 20, 20 * time.Second},
		"late":     {`{"stream":3,"every":"1s","size":1,"break":"x"}`, hearth.CodeFunctionError, 3, 3 * time.Second},
	}
	for name, c := range fails {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, fake.Options{}, Config{})
				defer h.close()
				h.activate(version("f", 1, limits))
				began := time.Now()
				r := open(t, h, t.Context(), c.script)
				b, err := io.ReadAll(r.Body)
				if hearth.ErrorCode(err) != c.code || len(b) != c.n || time.Since(began) != c.after {
					t.Errorf("%d bytes, %v, after %s", len(b), err, time.Since(began))
				}
				if _, again := r.Body.Read(make([]byte, 1)); again != err {
					t.Errorf("second read: %v", again)
				}
				r.Body.Close()
				synctest.Wait()
				if r := h.record("x"); r.Outcome != c.code.Outcome() {
					t.Errorf("record: %+v", r)
				}
			})
		})
	}
	t.Run("nobody reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := build(t, fake.Options{}, Config{})
			defer h.close()
			h.activate(version("f", 1, limits))
			r := open(t, h, t.Context(), `{"stream":1000,"size":60000}`)
			time.Sleep(21 * time.Second)
			if rec := h.record("x"); rec.Outcome != hearth.OutcomeTimeout || len(h.driver.Alive()) != 0 {
				t.Errorf("record: %+v", rec)
			}
			r.Body.Close()
		})
	})
	for _, choice := range []hearth.Disconnect{hearth.DisconnectCancel, hearth.DisconnectFinish} {
		for _, how := range []string{"closes", "goes away", "closes while it reads"} {
			t.Run(string(choice)+" when the caller "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := build(t, fake.Options{}, Config{})
					defer h.close()
					h.activate(version("f", 1, limits, func(c *hearth.Config) { c.OnDisconnect = choice }))
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					r := open(t, h, ctx, `{"stream":10,"size":1,"every":"1s"}`)
					if _, err := io.ReadFull(r.Body, make([]byte, 2)); err != nil {
						t.Fatal(err)
					}
					switch how {
					case "closes while it reads":
						read := make(chan error)
						go func() {
							_, err := r.Body.Read(make([]byte, 1))
							read <- err
						}()
						synctest.Wait()
						r.Body.Close()
						if err := <-read; !errors.Is(err, io.ErrClosedPipe) {
							t.Errorf("read after close: %v", err)
						}
					case "closes":
						r.Body.Close()
					default:
						cancel()
						synctest.Wait()
						r.Body.Close()
					}
					time.Sleep(15 * time.Second)
					want := hearth.OutcomeCancelled
					if choice == hearth.DisconnectFinish {
						want = hearth.OutcomeOK
					}
					if rec := h.record("x"); rec.Outcome != want || choice == hearth.DisconnectFinish && rec.ReplyBytes != 10 {
						t.Errorf("record: %+v", rec)
					}
					if len(h.driver.Alive()) != 1 {
						t.Errorf("a shim that answers keeps its sandbox")
					}
				})
			})
		}
	}
}

func TestSharedSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1, func(c *hearth.Config) {
			c.Concurrency = 4
			c.Limits.Timeout = hearth.Duration(10 * time.Second)
		}))
		results := make(chan error)
		for range 4 {
			go func() {
				_, _, err := h.call("f", "", `{"sleep":"8s","echo":1}`)
				results <- err
			}()
		}
		for range 4 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if n := h.driver.Created(); n != 1 {
			t.Errorf("%d sandboxes for four places", n)
		}
		// One overruns and doesn't listen: the other can't be saved.
		go func() {
			_, _, err := h.call("f", "", `{"hang":true}`)
			results <- err
		}()
		time.Sleep(5 * time.Second)
		go func() {
			_, _, err := h.call("f", "", `{"sleep":"9s"}`)
			results <- err
		}()
		if err := <-results; hearth.ErrorCode(err) != hearth.CodeFunctionTimeout {
			t.Errorf("the one that hangs: %v", err)
		}
		if err := <-results; hearth.ErrorCode(err) != hearth.CodeFunctionCrashed {
			t.Errorf("its neighbour: %v", err)
		}
		// One overruns and answers the cancel: its neighbour finishes.
		h.mustCall("f", "", `1`, "1")
		go func() {
			_, _, err := h.call("f", "", `{"sleep":"11s"}`)
			results <- err
		}()
		time.Sleep(5 * time.Second)
		go func() {
			_, _, err := h.call("f", "", `{"sleep":"9s"}`)
			results <- err
		}()
		if err := <-results; hearth.ErrorCode(err) != hearth.CodeFunctionTimeout {
			t.Errorf("the slow one: %v", err)
		}
		if err := <-results; err != nil {
			t.Errorf("its neighbour: %v", err)
		}
		synctest.Wait()
		if n := len(h.driver.Alive()); n != 0 {
			t.Errorf("the sandbox that overran is used again")
		}
	})
}

func TestDeadSandboxIsNoticedBeforeTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1))
		h.mustCall("f", "", `1`, "1")
		synctest.Wait()
		// It dies while idle; the call goes to a fresh one, unseen by its caller.
		id := h.driver.Alive()[0]
		if err := h.driver.Sandbox(id).Destroy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := h.mustCall("f", "x", `{"count":true}`, "1"); s != hearth.StartSpawned {
			t.Errorf("start: %s", s)
		}
		synctest.Wait()
		if r := h.record("x"); r.Outcome != hearth.OutcomeOK || r.Sandbox == id {
			t.Errorf("record: %+v", r)
		}
	})
}

func TestAssignIsTriedAgain(t *testing.T) {
	for _, failures := range []int{2, 99} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			h := build(t, fake.Options{Assign: func(context.Context, sandbox.Assignment) error {
				if n++; n <= failures {
					return errors.New("mount: no space left on device")
				}
				return nil
			}}, Config{})
			defer h.close()
			h.activate(version("f", 1))
			if failures == 2 {
				h.mustCall("f", "x", `1`, "1")
			} else if err := h.fails("f", "x", `1`, hearth.CodeUnavailable); !strings.Contains(err.Message, "no space left on device") {
				t.Errorf("message: %s", err.Message)
			}
			synctest.Wait()
			if r := h.record("x"); (r.Outcome == hearth.OutcomeOK) != (failures == 2) {
				t.Errorf("record: %+v", r)
			}
		})
	}
}

func TestEventTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{MaxRequest: 10})
		defer h.close()
		h.activate(version("f", 1))
		h.fails("f", "x", `"12345678901"`, hearth.CodeTooLarge)
		h.fails("g", "x", `1`, hearth.CodeNotFound)
	})
}

func TestKillSandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1))
		failed := make(chan error)
		go func() {
			_, _, err := h.call("f", "", `{"hang":true}`)
			failed <- err
		}()
		synctest.Wait()
		infos := h.e.Sandboxes(t.Context())
		if len(infos) != 1 || infos[0].State != "busy" || infos[0].InFlight != 1 || infos[0].Function != "f" || infos[0].Usage.PIDs != 1 {
			t.Fatalf("sandboxes: %+v", infos)
		}
		if err := h.e.KillSandbox(t.Context(), infos[0].ID); err != nil {
			t.Error(err)
		}
		if err := <-failed; hearth.ErrorCode(err) != hearth.CodeFunctionCrashed || !strings.Contains(err.Error(), "operator") {
			t.Errorf("its call: %v", err)
		}
		synctest.Wait()
		if err := h.e.KillSandbox(t.Context(), infos[0].ID); hearth.ErrorCode(err) != hearth.CodeNotFound {
			t.Errorf("second kill: %v", err)
		}
	})
}
