package engine

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"hearth"
	"hearth/internal/sandbox/fake"
)

// captures is a Capturer that remembers.
type captures struct {
	mu  sync.Mutex
	got []string
}

func (c *captures) Capture(i *hearth.Invocation, e hearth.Event, a *hearth.Answer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := fmt.Sprintf("%s %d", i.Outcome, len(e.Body))
	if a != nil {
		s += fmt.Sprintf(" %d of %d", len(a.Body), a.Bytes)
	}
	c.got = append(c.got, s)
	return true
}

// What is captured depends on the mode and on how the call ended, and no more of
// a reply is held than is kept.
func TestWhatIsCaptured(t *testing.T) {
	for _, c := range []struct {
		mode  hearth.CaptureMode
		event string
		want  string
	}{
		{"", `1`, "[]"},
		{hearth.CaptureErrors, `1`, "[]"},
		{hearth.CaptureErrors, `{"stream":2,"size":100}`, "[]"},
		{hearth.CaptureErrors, `{"fail":"E: x"}`, "[function_error 15]"},
		{"", `{"exit":1}`, "[crashed 10]"},
		{hearth.CaptureErrors, `{"size":9000000}`, "[function_error 16 9000000 of 9000000]"},
		{hearth.CaptureErrors, `{"stream":3,"size":5000,"break":"E: x"}`, "[function_error 39 8192 of 15000]"},
		{hearth.CaptureOff, `{"fail":"E: x"}`, "[]"},
		{hearth.CaptureOff, `{"stream":3,"size":5000,"break":"E: x"}`, "[]"},
		{hearth.CaptureSampled, `1`, "[ok 1 1 of 1]"},
		{hearth.CaptureSampled, `{"fail":"E: x"}`, "[function_error 15]"},
		{hearth.CaptureSampled, `{"stream":3,"size":5000}`, "[ok 24 8192 of 15000]"},
	} {
		t.Run(fmt.Sprint(c.mode, c.event), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &captures{}
				h := build(t, fake.Options{}, Config{Capturer: k})
				defer h.close()
				h.activate(version("f", 1, func(cfg *hearth.Config) { cfg.Capture = c.mode }))
				if r, err := h.e.Invoke(t.Context(), Call{Function: "f", Event: hearth.Event{Body: []byte(c.event)}}); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					_ = r.Body.Close()
				}
				if err := h.e.Settled(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := fmt.Sprint(k.got); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				if r := h.records[0]; r.Captured != (c.want != "[]") {
					t.Errorf("the record says %v", r.Captured)
				}
			})
		})
	}
}
