package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth/client/rest"
)

// Redeploys every two seconds under 200 calls a second for a minute: no call
// fails, and traffic moves to each new version.
func Test07RedeployUnderLoad(t *testing.T) {
	needsRoot(t)
	const (
		rate = 200
		span = time.Minute
		gap  = 2 * time.Second
	)
	s := MustServe(t, t.TempDir())
	c := s.Client()
	public := true
	deploy := func(i int) error {
		_, err := deploySource(c, "moving", fmt.Sprintf("def handler(e, c):\n    return 'v%d'\n", i), rest.DeployConfig{Public: &public})
		return err
	}
	if err := deploy(1); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var made, failed atomic.Int64
	var first sync.Once
	versions := sync.Map{}
	end := time.Now().Add(span)
	wg.Go(func() {
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		for time.Now().Before(end) {
			<-tick.C
			wg.Go(func() {
				made.Add(1)
				r, err := s.Call("GET", "/fn/moving", "")
				if err != nil || r.Status != 200 || !strings.HasPrefix(r.Body, "v") {
					failed.Add(1)
					first.Do(func() { t.Errorf("a call failed: %v, %d %s", err, r.Status, r.Body) })
					return
				}
				versions.Store(r.Body, true)
			})
		}
	})
	deploys := 1
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for time.Now().Before(end) {
		<-tick.C
		deploys++
		if err := deploy(deploys); err != nil {
			t.Errorf("deploy %d: %v", deploys, err)
		}
	}
	wg.Wait()
	seen := 0
	versions.Range(func(any, any) bool { seen++; return true })
	t.Logf("%d calls, %d failed, %d deploys, %d versions answered", made.Load(), failed.Load(), deploys, seen)
	if failed.Load() > 0 {
		t.Errorf("%d of %d calls failed", failed.Load(), made.Load())
	}
	if seen < deploys-2 {
		t.Errorf("only %d of %d versions took traffic", seen, deploys)
	}
	// Rollback is instant and goes both ways.
	for _, want := range []int{deploys - 1, deploys} {
		s.MustRun("rollback", "moving", fmt.Sprint(want))
		if r := s.MustCall("GET", "/fn/moving", ""); r.Body != fmt.Sprintf("v%d", want) {
			t.Errorf("after the rollback to %d: %s", want, r.Body)
		}
	}
}
