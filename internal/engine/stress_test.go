package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
)

// scripts are what calls may do, and the codes that they may fail with by
// themselves.
var scripts = []struct {
	text  string
	codes []hearth.Code
}{
	{`{"echo":1}`, nil},
	{`{"sleep":"20ms","echo":1}`, nil},
	{`{"sleep":"300ms","log":"a line","echo":1}`, nil},
	{`{"stream":4,"size":70000,"every":"10ms"}`, nil},
	{`{"fail":"ValueError: no"}`, []hearth.Code{hearth.CodeFunctionError}},
	{`{"sleep":"20ms","oom":true}`, []hearth.Code{hearth.CodeFunctionOOM}},
	{`{"signal":"SIGSEGV"}`, []hearth.Code{hearth.CodeFunctionCrashed}},
	{`{"exit":1}`, []hearth.Code{hearth.CodeFunctionCrashed}},
	{`{"garbage":true}`, []hearth.Code{hearth.CodeFunctionCrashed}},
	{`{"hang":true}`, []hearth.Code{hearth.CodeFunctionTimeout}},
	{`{"stream":3,"every":"3s"}`, []hearth.Code{hearth.CodeFunctionTimeout}},
}

// TestWhateverHappens lets callers, deployers and the operator do as they
// please, on a driver that fails now and then. Every call must end once, as it
// said it would or by what was done to it, and nothing may be left.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := struct {
			seed         uint64
			calls        int
			concurrency  int
			maxSandboxes int
			maxCalls     int
			stems        int
			trouble      bool
		}{
			rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 120).Draw(rt, "calls"), rapid.IntRange(1, 3).Draw(rt, "concurrency"),
			rapid.IntRange(2, 12).Draw(rt, "sandboxes"), rapid.IntRange(1, 20).Draw(rt, "max calls"),
			rapid.IntRange(0, 2).Draw(rt, "stems"), rapid.Bool().Draw(rt, "trouble"),
		}
		var problems []string
		var mu sync.Mutex
		complain := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			problems = append(problems, fmt.Sprintf(format, args...))
		}
		synctest.Test(t, func(t *testing.T) {
			var rmu sync.Mutex
			r := rand.New(rand.NewPCG(plan.seed, 1))
			chance := func(n int) int {
				rmu.Lock()
				defer rmu.Unlock()
				return r.IntN(n)
			}
			o := fake.Options{
				Create: func(ctx context.Context, _ sandbox.Spec) error {
					time.Sleep(time.Duration(chance(40)) * time.Millisecond)
					if plan.trouble && chance(10) == 0 {
						return errors.New("create: no luck")
					}
					return nil
				},
				Assign: func(context.Context, sandbox.Assignment) error {
					if plan.trouble && chance(20) == 0 {
						return errors.New("assign: no luck")
					}
					return nil
				},
			}
			h := build(t, o, Config{
				MaxSandboxes: plan.maxSandboxes, MaxConcurrency: plan.maxCalls, KeepAlive: 500 * time.Millisecond,
				RollbackWarm: time.Second, StemTarget: func(string) int { return plan.stems },
			})
			names := []string{"a", "b", "c"}
			deploy := func(name string, n int) {
				v := version(name, n, func(c *hearth.Config) {
					c.Limits.Timeout = hearth.Duration(2 * time.Second)
					c.Limits.IdleChunk = hearth.Duration(time.Second)
					c.Concurrency = 1 + n%plan.concurrency
					c.MinWarm = n % 2
					c.MaxScale = n % 4
				})
				if _, err := h.e.Deploy(context.Background(), v); err == nil || n == 1 {
					_ = h.e.Activate(hearth.Function{Name: name}, v)
				}
			}
			for _, name := range names {
				deploy(name, 1)
			}
			var wg sync.WaitGroup
			for n := range plan.calls {
				wg.Go(func() {
					time.Sleep(time.Duration(chance(3000)) * time.Millisecond)
					name, s := names[chance(len(names))], scripts[chance(len(scripts))]
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					impatient := chance(8) == 0
					if impatient {
						time.AfterFunc(time.Duration(chance(400))*time.Millisecond, cancel)
					}
					id := fmt.Sprint("call", n)
					var err error
					reply, failed := h.e.Invoke(ctx, Call{ID: id, Function: name, Event: hearth.Event{Body: []byte(s.text)}})
					if err = failed; err == nil {
						_, err = io.Copy(io.Discard, reply.Body)
						reply.Body.Close()
					}
					if code := hearth.ErrorCode(err); !explained(code, s.codes, impatient) {
						complain("%s %s: %v", id, s.text, err)
					}
				})
			}
			wg.Go(func() {
				for n := 2; n < 6; n++ {
					time.Sleep(time.Duration(chance(800)) * time.Millisecond)
					deploy(names[chance(len(names))], n)
				}
			})
			wg.Go(func() {
				for range 5 {
					time.Sleep(time.Duration(chance(600)) * time.Millisecond)
					if infos := h.e.Sandboxes(context.Background()); len(infos) > 0 {
						_ = h.e.KillSandbox(context.Background(), infos[chance(len(infos))].ID)
					}
				}
			})
			wg.Go(func() {
				time.Sleep(2 * time.Second)
				if chance(2) == 0 {
					_ = h.e.Remove(context.Background(), "c")
				}
			})
			wg.Wait()
			h.close()
			seen := map[string]int{}
			for _, rec := range h.records {
				seen[rec.ID]++
			}
			for id, n := range seen {
				if n > 1 {
					complain("%s has %d records", id, n)
				}
			}
		})
		if len(problems) > 0 {
			rt.Fatalf("%s", strings.Join(problems, "\n"))
		}
	})
}

// explained reports whether a call may end with code: by its own script, or by
// what others did: a full server, a death in a shared sandbox, an operator's
// kill, a removed function, a driver without luck.
func explained(code hearth.Code, own []hearth.Code, impatient bool) bool {
	switch code {
	case "":
		return len(own) == 0
	case hearth.CodeCancelled:
		return impatient
	case hearth.CodeThrottled, hearth.CodeUnavailable, hearth.CodeNotFound, hearth.CodeFunctionCrashed, hearth.CodePlatform:
		return true
	case hearth.CodeFunctionOOM:
		return true // also of a neighbour
	}
	return slices.Contains(own, code)
}

func BenchmarkWarm(b *testing.B) {
	h := build(b, fake.Options{}, Config{})
	defer h.close()
	h.e.cfg.Recorder, h.e.cfg.Output = nobody{}, func(string, int, string) LogWriter { return nobody{} }
	h.activate(version("f", 1))
	ctx := context.Background()
	c := Call{Function: "f", Trigger: hearth.TriggerAPI, Event: hearth.Event{Body: []byte(`1`)}}
	b.ReportAllocs()
	for b.Loop() {
		r, err := h.e.Invoke(ctx, c)
		if err != nil {
			b.Fatal(err)
		}
		r.Body.Close()
	}
}
