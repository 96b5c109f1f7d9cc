package engine

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
)

func TestUsageOfSharedSandboxesIsTheVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, fake.Options{}, Config{})
		defer h.close()
		h.activate(version("f", 3, func(c *hearth.Config) { c.Concurrency = 4 }))
		h.activate(version("alone", 1))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { h.mustCall("f", "", `{"cpu":"50ms","sleep":"5s","echo":1}`, "1") })
		}
		h.mustCall("alone", "", `{"cpu":"50ms","echo":1}`, "1")
		time.Sleep(time.Second) // they are in the middle of it
		want := func(what string, vs ...VersionUsage) {
			t.Helper()
			if d := cmp.Diff(vs, h.e.TakeUsage(t.Context())); d != "" {
				t.Errorf("%s (-want +got):\n%s", what, d)
			}
		}
		want("while they run", VersionUsage{"f", 3, 150 * time.Millisecond, 1 << 20})
		wg.Wait()
		want("after nothing more")
		h.mustCall("f", "one", `{"cpu":"7ms","echo":1}`, "1")
		if u := h.record("one").Usage; u != nil {
			t.Errorf("a call that might not be alone is told %+v", u)
		}
		want("after one more", VersionUsage{"f", 3, 7 * time.Millisecond, 1 << 20})
		// What it used when nobody looked isn't lost with the sandbox.
		h.mustCall("f", "", `{"cpu":"11ms","echo":1}`, "1")
		if err := h.e.Remove(t.Context(), "f"); err != nil {
			t.Fatal(err)
		}
		want("after its end", VersionUsage{"f", 3, 11 * time.Millisecond, 1 << 20})
		want("at last")
	})
}

func TestRefillsAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		takes := 20 * time.Millisecond
		told := map[PoolInfo][]time.Duration{}
		h := build(t, fake.Options{Create: func(context.Context, sandbox.Spec) error {
			mu.Lock()
			takes := takes
			mu.Unlock()
			time.Sleep(takes)
			return nil
		}}, Config{StemTarget: two, Prewarm: []string{"fake1"}, Refilled: func(p PoolInfo, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			told[p] = append(told[p], took)
		}})
		defer h.close()
		time.Sleep(time.Second)
		mu.Lock()
		takes = 50 * time.Millisecond
		mu.Unlock()
		h.activate(version("f", 1))
		h.mustCall("f", "", `1`, "1")
		time.Sleep(time.Second)
		if p := h.e.Pools()[0]; p.RefillP50 != hearth.Duration(20*time.Millisecond) || p.RefillLast != hearth.Duration(50*time.Millisecond) {
			t.Errorf("refills: %+v", p)
		}
		mu.Lock()
		defer mu.Unlock()
		want := map[PoolInfo][]time.Duration{
			{Driver: fake.Name, Runtime: "fake1", Network: hearth.NetworkNone}: {20 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond},
		}
		if d := cmp.Diff(want, told); d != "" {
			t.Errorf("told (-want +got):\n%s", d)
		}
	})
}
