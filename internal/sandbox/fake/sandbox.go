package fake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// Sandbox is a sandbox.Sandbox, Outputter and Pauser. What runs inside ends
// with its context.
type Sandbox struct {
	d        *Driver
	id       string
	leftover bool

	life context.Context
	die  context.CancelFunc
	done chan struct{}
	wg   sync.WaitGroup // goroutines inside

	mu        sync.Mutex
	limits    hearth.Limits
	assigned  *sandbox.Assignment
	conn      net.Conn // the engine's end
	dialled   bool
	usage     hearth.Usage
	exit      *sandbox.Exit
	destroyed bool
	sink      func(int, []byte)
	paused    chan struct{} // closed by Resume; nil while running
}

func newSandbox(d *Driver, id string, l hearth.Limits) *Sandbox {
	s := &Sandbox{d: d, id: id, limits: l, done: make(chan struct{})}
	s.usage = hearth.Usage{Memory: 1 << 20, MemoryPeak: 1 << 20, PIDs: 1}
	s.life, s.die = context.WithCancel(context.Background())
	return s
}

// ID returns the Spec's.
func (s *Sandbox) ID() string { return s.id }

// Assign notes the version and its limits.
func (s *Sandbox) Assign(ctx context.Context, a sandbox.Assignment) error {
	if hook := s.d.o.Assign; hook != nil {
		if err := hook(ctx, a); err != nil {
			return fmt.Errorf("assign: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("assign: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.exit != nil || s.destroyed:
		return sandbox.ErrGone
	case s.leftover:
		s.d.violation("Assign of the leftover %s", s.id)
		return sandbox.ErrGone
	case s.assigned != nil:
		s.d.violation("Assign of %s a second time", s.id)
		return sandbox.ErrAssigned
	}
	if a.Version.Function == "" || a.Version.Handler == "" {
		s.d.violation("Assign of %s without a function", s.id)
	}
	if err := a.Limits.Validate(); err != nil {
		s.d.violation("Assign of %s with limits out of range: %v", s.id, err)
	}
	s.assigned, s.limits = &a, a.Limits
	return nil
}

// Dial gives the one stream there is.
func (s *Sandbox) Dial(context.Context) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.exit != nil || s.destroyed:
		return nil, sandbox.ErrGone
	case s.dialled:
		s.d.violation("Dial of %s a second time", s.id)
		return nil, sandbox.ErrStreams
	}
	host, inside := net.Pipe()
	s.dialled, s.conn = true, host
	p := newProcess(s, inside)
	s.wg.Go(p.run)
	return host, nil
}

// Usage returns what the scripts said.
func (s *Sandbox) Usage(context.Context) (hearth.Usage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exit != nil || s.destroyed {
		return hearth.Usage{}, sandbox.ErrGone
	}
	return s.usage, nil
}

// Done is closed when the process has ended.
func (s *Sandbox) Done() <-chan struct{} { return s.done }

// Exit says why.
func (s *Sandbox) Exit() sandbox.Exit {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exit == nil {
		return sandbox.Exit{}
	}
	return *s.exit
}

// Destroy ends what runs inside and waits for it.
func (s *Sandbox) Destroy(ctx context.Context) error {
	if hook := s.d.o.Destroy; hook != nil {
		if err := hook(ctx, s.id); err != nil {
			return fmt.Errorf("destroy: %w", err)
		}
	}
	s.mu.Lock()
	s.destroyed = true
	s.mu.Unlock()
	s.end(sandbox.Exit{Code: -1, Signal: "SIGKILL"})
	s.wg.Wait()
	s.d.forget(s.id)
	return nil
}

// end is the death of the process; the first reason counts. It doesn't wait,
// because the process itself may call it.
func (s *Sandbox) end(e sandbox.Exit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exit != nil {
		return
	}
	e.Usage = s.usage
	s.exit = &e
	s.die()
	close(s.done)
}

// use adds to the usage and reports false if that is more than the limit.
func (s *Sandbox) use(cpu time.Duration, memory int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage.CPU += hearth.Duration(cpu)
	if memory > 0 {
		s.usage.Memory = memory
	}
	s.usage.MemoryPeak = max(s.usage.MemoryPeak, s.usage.Memory)
	return s.usage.Memory <= int64(s.limits.MemoryMiB)<<20
}

// Output takes the sink of raw output.
func (s *Sandbox) Output(sink func(int, []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sink != nil {
		s.d.violation("Output of %s a second time", s.id)
	}
	if s.assigned != nil {
		s.d.violation("Output of %s after Assign", s.id)
	}
	s.sink = sink
}

// FlushOutput has nothing to do: raw output is delivered at once.
func (s *Sandbox) FlushOutput() {}

func (s *Sandbox) raw(text string) {
	s.mu.Lock()
	sink := s.sink
	s.mu.Unlock()
	if sink != nil {
		sink(1, []byte(text))
	}
}

// Pause holds invocations that begin from now on.
func (s *Sandbox) Pause(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.exit != nil:
		return sandbox.ErrGone
	case s.paused != nil:
		return errors.New("pause: it is paused")
	}
	s.paused = make(chan struct{})
	return nil
}

// Resume lets them go.
func (s *Sandbox) Resume(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.exit != nil:
		return sandbox.ErrGone
	case s.paused == nil:
		return errors.New("resume: it isn't paused")
	}
	close(s.paused)
	s.paused = nil
	return nil
}

// running waits while the sandbox is paused.
func (s *Sandbox) running() {
	s.mu.Lock()
	gate := s.paused
	s.mu.Unlock()
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-s.life.Done():
	}
}

func (s *Sandbox) version() *sandbox.Assignment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.assigned
}
