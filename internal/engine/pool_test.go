package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
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

func two(string) int { return 2 }

func TestStemCells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{Create: func(context.Context, sandbox.Spec) error {
			time.Sleep(20 * time.Millisecond)
			return nil
		}}, Config{StemTarget: two, Prewarm: []string{"fake1", "cobol"}})
		defer h.close()
		time.Sleep(time.Second)
		if p := h.e.Pools(); len(p) != 1 || p[0].Ready != 2 || p[0].Target != 2 || p[0].Network != hearth.NetworkNone {
			t.Fatalf("pools: %+v", p)
		}
		h.activate(version("f", 1))
		began := time.Now()
		if s := h.mustCall("f", "x", `1`, "1"); s != hearth.StartPrewarmed || time.Since(began) != 0 {
			t.Errorf("start %s after %s", s, time.Since(began))
		}
		time.Sleep(time.Second)
		// Three more functions at once: two hits and a miss.
		starts := make(chan hearth.Start, 3)
		for n := range 3 {
			h.activate(version(fmt.Sprint("g", n), 1))
		}
		for n := range 3 {
			go func() { starts <- h.mustCall(fmt.Sprint("g", n), "", `{"sleep":"1s","echo":1}`, "1") }()
		}
		seen := map[hearth.Start]int{}
		for range 3 {
			seen[<-starts]++
		}
		if seen[hearth.StartPrewarmed] != 2 || seen[hearth.StartSpawned] != 1 {
			t.Errorf("starts: %v", seen)
		}
		time.Sleep(time.Second)
		if p := h.e.Pools()[0]; p.Hits != 3 || p.Misses != 1 || p.Ready != 2 {
			t.Errorf("pool: %+v", p)
		}
		// An egress function has stem cells of its own, as long as it is there.
		h.activate(version("net", 1, func(c *hearth.Config) { c.Network = hearth.NetworkEgress }))
		time.Sleep(time.Second)
		if p := h.e.Pools(); len(p) != 2 || p[0].Ready != 2 {
			t.Errorf("pools: %+v", p)
		}
		if err := h.e.Remove(t.Context(), "net"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if p := h.e.Pools(); p[0].Ready != 0 || p[0].Target != 0 {
			t.Errorf("pools: %+v", p)
		}
	})
}

// A virtual machine's memory is set when it is made: its cells stand in only for
// versions of exactly that memory.
func TestStemCellsOfFixedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		made := map[int]int{}
		yes := sandbox.Enforcement{OK: true}
		h := build(t, fake.Options{
			Capabilities: &sandbox.Capabilities{
				Memory: yes, CPU: yes, PIDs: yes, Tmp: yes, Network: yes, Streams: 1, CodeMount: true, MemoryFixed: true,
			},
			Create: func(_ context.Context, s sandbox.Spec) error {
				mu.Lock()
				defer mu.Unlock()
				made[s.Limits.MemoryMiB]++
				return nil
			},
		}, Config{StemTarget: two, Prewarm: []string{"fake1"}})
		defer h.close()
		h.activate(version("big", 1, func(c *hearth.Config) { c.Limits.MemoryMiB = 512 }))
		time.Sleep(time.Second)
		if s := h.mustCall("big", "x", `1`, "1"); s != hearth.StartPrewarmed {
			t.Errorf("start %s", s)
		}
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if made[hearth.DefaultLimits().MemoryMiB] != 2 || made[512] != 3 {
			t.Errorf("cells made, by memory: %v", made)
		}
	})
}

func TestDeadStemCellsAreReplacedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{StemTarget: two, Prewarm: []string{"fake1"}})
		defer h.close()
		for range 1000 {
			for _, id := range h.driver.Alive() {
				if sb := h.driver.Sandbox(id); sb != nil {
					_ = sb.Destroy(t.Context())
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := h.driver.Created(); n < 4 || n > 20 {
			t.Errorf("%d made in ten seconds", n)
		}
		if p := h.e.Pools()[0]; !strings.Contains(p.Error, "died") {
			t.Errorf("pool: %+v", p)
		}
	})
}

func TestCreateFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		h := build(t, fake.Options{Create: func(context.Context, sandbox.Spec) error {
			if !mended.Load() {
				return errors.New("clone: resource temporarily unavailable")
			}
			return nil
		}}, Config{StemTarget: two})
		defer h.close()
		h.activate(version("f", 1))
		err := h.fails("f", "x", `1`, hearth.CodeUnavailable)
		if !strings.Contains(err.Message, "resource temporarily unavailable") || strings.Contains(err.Message, "clone") {
			t.Errorf("message: %s", err.Message)
		}
		synctest.Wait()
		if r := h.record("x"); r.Outcome != hearth.OutcomePlatform || r.Start != "" || r.Status != 503 {
			t.Errorf("record: %+v", r)
		}
		time.Sleep(time.Minute)
		if p := h.e.Pools()[0]; !strings.Contains(p.Error, "clone") || p.Ready != 0 {
			t.Errorf("pool: %+v", p)
		}
		mended.Store(true)
		h.mustCall("f", "", `1`, "1")
		time.Sleep(time.Minute)
		if p := h.e.Pools()[0]; p.Error != "" || p.Ready != 2 {
			t.Errorf("pool: %+v", p)
		}
	})
}

func TestCreateHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{Create: func(ctx context.Context, _ sandbox.Spec) error {
			<-ctx.Done()
			return ctx.Err()
		}}, Config{})
		defer h.close()
		h.activate(version("f", 1))
		began := time.Now()
		err := h.fails("f", "", `1`, hearth.CodeUnavailable)
		if time.Since(began) != 30*time.Second || !strings.Contains(err.Message, "took too long") {
			t.Errorf("%q after %s", err.Message, time.Since(began))
		}
	})
}

// A call that missed is served by whatever comes first, and what was made for
// it is not lost.
func TestMissTakesTheFirstFreePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		h := build(t, fake.Options{Create: func(context.Context, sandbox.Spec) error {
			if slow.Load() {
				time.Sleep(10 * time.Second)
			}
			return nil
		}}, Config{StemTarget: func(string) int { return 1 }})
		defer h.close()
		h.activate(version("f", 1))
		time.Sleep(time.Second)
		slow.Store(true)
		go h.mustCall("f", "a", `{"sleep":"2s","echo":1}`, "1")
		synctest.Wait()
		began := time.Now()
		if s := h.mustCall("f", "b", `1`, "1"); s != hearth.StartWarm || time.Since(began) != 2*time.Second {
			t.Errorf("start %s after %s", s, time.Since(began))
		}
		time.Sleep(time.Minute)
		if p := h.e.Pools()[0]; p.Ready < 1 {
			t.Errorf("pool: %+v", p)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{KeepAlive: time.Minute})
		defer h.close()
		h.activate(version("f", 1))
		h.activate(version("g", 1, func(c *hearth.Config) { c.KeepAlive = hearth.Duration(5 * time.Minute) }))
		h.activate(version("h", 1, func(c *hearth.Config) { c.MinWarm = 2 }))
		for _, f := range []string{"f", "g", "h"} {
			done := make(chan bool)
			for range 3 {
				go func() { h.mustCall(f, "", `{"sleep":"1s","echo":1}`, "1"); done <- true }()
			}
			for range 3 {
				<-done
			}
		}
		alive := func() map[string]int {
			n := map[string]int{}
			for _, i := range h.e.Sandboxes(t.Context()) {
				n[i.Function]++
			}
			return n
		}
		time.Sleep(50 * time.Second)
		h.mustCall("f", "", `1`, "1") // the most recently used lives on
		time.Sleep(20 * time.Second)
		if n := alive(); n["f"] != 1 || n["g"] != 3 || n["h"] != 2 {
			t.Errorf("after a minute: %v", n)
		}
		time.Sleep(6 * time.Minute)
		if n := alive(); n["f"] != 0 || n["g"] != 0 || n["h"] != 2 {
			t.Errorf("after many: %v", n)
		}
		if s := h.mustCall("f", "", `1`, "1"); s != hearth.StartSpawned {
			t.Errorf("start from zero: %s", s)
		}
	})
}

func TestMinWarmComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1, func(c *hearth.Config) { c.MinWarm = 2 }))
		synctest.Wait()
		if n := len(h.driver.Alive()); n != 2 {
			t.Fatalf("%d alive", n)
		}
		if s := h.mustCall("f", "", `1`, "1"); s != hearth.StartPrewarmed {
			t.Errorf("start: %s", s)
		}
		h.fails("f", "", `{"oom":true}`, hearth.CodeFunctionOOM)
		synctest.Wait()
		if n := len(h.driver.Alive()); n != 2 {
			t.Errorf("%d alive after a death", n)
		}
	})
}

func TestQueueAndThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{MaxQueue: 3})
		defer h.close()
		h.activate(version("f", 1, func(c *hearth.Config) { c.MaxScale = 2 }))
		results := make(chan error, 10)
		for range 5 {
			go func() {
				_, _, err := h.call("f", "", `{"sleep":"6s"}`)
				results <- err
			}()
		}
		synctest.Wait()
		if s := h.e.Stats(); s.Running != 2 || s.Waiting != 3 || s.Sandboxes != 2 {
			t.Errorf("stats: %+v", s)
		}
		err := h.fails("f", "full", `1`, hearth.CodeThrottled)
		if err.RetryAfter <= 0 || !strings.Contains(err.Hint, "--max-scale") {
			t.Errorf("throttled: %+v", err)
		}
		if r := h.record("full"); r.Outcome != hearth.OutcomeThrottled || r.Status != 429 {
			t.Errorf("record: %+v", r)
		}
		// The fifth waits 10 s, which is too long; the rest get through.
		ok, throttled := 0, 0
		for range 5 {
			switch err := <-results; hearth.ErrorCode(err) {
			case "":
				ok++
			case hearth.CodeThrottled:
				throttled++
			}
		}
		if ok != 4 || throttled != 1 {
			t.Errorf("%d ok, %d throttled", ok, throttled)
		}
	})
}

func TestNoQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{MaxQueue: NoQueue})
		defer h.close()
		h.activate(version("f", 1, func(c *hearth.Config) { c.MaxScale = 1 }))
		done := make(chan bool)
		go func() { h.mustCall("f", "", `{"sleep":"6s","echo":1}`, "1"); done <- true }()
		synctest.Wait()
		h.fails("f", "", `1`, hearth.CodeThrottled)
		<-done
		h.mustCall("f", "", `1`, "1")
	})
}

func TestLeaveTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 1, func(c *hearth.Config) { c.MaxScale = 1 }))
		go h.mustCall("f", "", `{"sleep":"6s","echo":1}`, "1")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := h.callCtx(ctx, "f", "x", `1`); hearth.ErrorCode(err) != hearth.CodeCancelled {
			t.Errorf("left: %v", err)
		}
		if r := h.record("x"); r.Outcome != hearth.OutcomeCancelled || r.Phases.Queue.Std() != time.Second {
			t.Errorf("record: %+v", r)
		}
		h.mustCall("f", "", `1`, "1")
	})
}

func TestFunctionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{MaxConcurrency: 2, QueueTimeout: time.Hour})
		defer h.close()
		h.activate(version("flood", 1))
		h.activate(version("quiet", 1))
		done := make(chan bool)
		for range 40 {
			go func() { h.mustCall("flood", "", `{"sleep":"1s","echo":1}`, "1"); done <- true }()
		}
		synctest.Wait()
		began := time.Now()
		h.mustCall("quiet", "", `1`, "1")
		if w := time.Since(began); w > 2*time.Second {
			t.Errorf("the quiet function waited %s", w)
		}
		for range 40 {
			<-done
		}
	})
}

func TestEviction(t *testing.T) {
	for name, c := range map[string]Config{
		"by count":  {MaxSandboxes: 3},
		"by memory": {MemoryBudgetMiB: 3 * 128},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := build(t, fake.Options{}, c)
				defer h.close()
				for _, f := range []string{"a", "b", "c", "d"} {
					h.activate(version(f, 1))
				}
				for _, f := range []string{"a", "b", "c", "a"} {
					h.mustCall(f, "", `1`, "1")
					time.Sleep(time.Second)
				}
				h.mustCall("d", "", `1`, "1") // b was used least recently
				synctest.Wait()
				var left []string
				for _, i := range h.e.Sandboxes(t.Context()) {
					left = append(left, i.Function)
				}
				if got := strings.Join(left, " "); got != "a c d" || h.e.Stats().Evicted != 1 {
					t.Errorf("left: %s", got)
				}
				// Busy ones are never evicted: the fourth waits.
				done := make(chan bool)
				for _, f := range []string{"a", "c", "d"} {
					go func() { h.mustCall(f, "", `{"sleep":"3s","echo":1}`, "1"); done <- true }()
				}
				synctest.Wait()
				began := time.Now()
				h.mustCall("b", "", `1`, "1")
				if w := time.Since(began); w != 3*time.Second {
					t.Errorf("waited %s", w)
				}
				for range 3 {
					<-done
				}
			})
		})
	}
}

func TestShortOfMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var free atomic.Int64
		free.Store(1000)
		h := build(t, fake.Options{}, Config{AvailableMiB: func() (int, error) { return int(free.Load()), nil }, MinAvailableMiB: 500})
		defer h.close()
		h.activate(version("f", 1))
		h.mustCall("f", "", `1`, "1")
		time.Sleep(5 * time.Second)
		if len(h.driver.Alive()) != 1 {
			t.Error("evicted without need")
		}
		free.Store(100)
		time.Sleep(5 * time.Second)
		if len(h.driver.Alive()) != 0 {
			t.Error("not evicted")
		}
	})
}

func TestStopDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{StemTarget: two, Prewarm: []string{"fake1"}})
		h.activate(version("f", 1, func(c *hearth.Config) { c.MaxScale = 1 }))
		results := make(chan error, 3)
		for _, s := range []string{`{"sleep":"5s"}`, `{"sleep":"4s"}`, `{"hang":true}`} {
			go func() {
				_, _, err := h.call("f", "", s)
				results <- err
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		go func() {
			time.Sleep(time.Second)
			h.fails("f", "", `1`, hearth.CodeUnavailable)
		}()
		began := time.Now()
		if err := h.e.Stop(ctx); err != nil || time.Since(began) != 12*time.Second {
			t.Errorf("stop: %v after %s", err, time.Since(began))
		}
		want := []hearth.Code{"", "", hearth.CodeUnavailable}
		for _, code := range want {
			if err := <-results; hearth.ErrorCode(err) != code {
				t.Errorf("call: %v, want %q", err, code)
			}
		}
		h.close()
		h.fails("f", "", `1`, hearth.CodeUnavailable)
	})
}

func TestStopWithAStreamThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		h.activate(version("f", 1, func(c *hearth.Config) { c.Limits.Timeout = hearth.Duration(time.Hour) }))
		r, err := h.e.Invoke(t.Context(), Call{ID: "x", Function: "f", Event: hearth.Event{Body: []byte(`{"stream":1000,"size":60000}`)}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		h.close()
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("stop took %s", took)
		}
		if _, err := io.Copy(io.Discard, r.Body); hearth.ErrorCode(err) != hearth.CodeUnavailable {
			t.Errorf("body: %v", err)
		}
		if rec := h.record("x"); rec.Outcome != hearth.OutcomePlatform {
			t.Errorf("record: %+v", rec)
		}
	})
}

func TestBurstOfMissesIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		h := build(t, fake.Options{Create: func(context.Context, sandbox.Spec) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(100 * time.Millisecond)
			now.Add(-1)
			return nil
		}}, Config{StartsInParallel: 3})
		defer h.close()
		h.activate(version("f", 1))
		done := make(chan bool)
		for range 30 {
			go func() { h.mustCall("f", "", `{"sleep":"10ms","echo":1}`, "1"); done <- true }()
		}
		for range 30 {
			<-done
		}
		synctest.Wait()
		if m, n := most.Load(), h.driver.Created(); m != 3 || n > 9 {
			t.Errorf("%d at once, %d in all", m, n)
		}
	})
}

func TestStopInTheMiddleOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{Create: func(ctx context.Context, _ sandbox.Spec) error {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			return ctx.Err()
		}}, Config{StemTarget: two, Prewarm: []string{"fake1"}})
		h.activate(version("f", 1, func(c *hearth.Config) { c.MinWarm = 1 }))
		results := make(chan error, 2)
		go func() {
			_, _, err := h.call("f", "", `1`)
			results <- err
		}()
		go func() {
			_, err := h.e.Deploy(t.Context(), version("g", 1))
			results <- err
		}()
		time.Sleep(500 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.e.Stop(ctx); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-results; hearth.ErrorCode(err) != hearth.CodeUnavailable {
				t.Errorf("result: %v", err)
			}
		}
		h.close()
	})
}

func TestStopBeforeStart(t *testing.T) {
	e, err := New(Config{
		Drivers: map[string]sandbox.Driver{fake.Name: fake.New(fake.Options{})},
		Runtime: func(string) (hearth.Runtime, error) { return fake.Runtime(), nil }, Code: oneDir{},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := e.Start(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{Leftovers: []string{"a", "b"}}, Config{})
		defer h.close()
		if s := h.e.Stats(); s.Recovered != 2 || len(h.driver.Alive()) != 0 {
			t.Errorf("stats: %+v", s)
		}
	})
}
