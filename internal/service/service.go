package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Service runs in the background from Start to Stop. All of them keep these
// promises, and servicetest.Stress tries to break them:
//
//   - Start returns when the service does its work, or fails and leaves nothing
//     running. Its context is for the whole run: when it ends the service stops
//     by itself, but only Stop waits for that.
//   - Start works once. After that, and after Stop, it fails with ErrStarted or
//     ErrStopped.
//   - Stop returns when nothing of the service runs any more. It may be called
//     before Start, while Start runs, any number of times, and concurrently;
//     every call waits.
type Service interface {
	Start(ctx context.Context) error
	Stop()
}

// Why Start can't.
var (
	ErrStarted = errors.New("the service was started before")
	ErrStopped = errors.New("the service is stopped")
)

// Loops is a Service made of functions that run until their context ends. The
// zero value is ready; embed it or keep it as a field.
type Loops struct {
	mu      sync.Mutex
	started bool
	stopped bool
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// Run starts every loop in its own goroutine. It fails with ErrStarted or
// ErrStopped, and then starts none.
func (l *Loops) Run(ctx context.Context, loops ...func(context.Context)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped:
		return ErrStopped
	case l.started:
		return ErrStarted
	}
	l.started = true
	ctx, l.cancel = context.WithCancel(ctx)
	for _, loop := range loops {
		l.wg.Go(func() { loop(ctx) })
	}
	return nil
}

// Go runs one more goroutine that Stop waits for. It reports false, and runs
// nothing, unless the service is between Run and Stop.
func (l *Loops) Go(ctx context.Context, f func(context.Context)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started || l.stopped {
		return false
	}
	l.wg.Go(func() { f(ctx) })
	return true
}

// Stop ends the context of the loops and waits for them. See [Service].
func (l *Loops) Stop() {
	l.mu.Lock()
	l.stopped = true
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// Stack is a Service of services. Start starts them in order; Stop stops them
// in the opposite order, so that each may rely on those before it.
func Stack(services ...Service) Service { return &stack{services: services} }

type stack struct {
	services []Service

	mu      sync.Mutex // held by Start and Stop for all they do
	started bool
	stopped bool
}

func (s *stack) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return ErrStopped
	case s.started:
		return ErrStarted
	}
	s.started = true
	for i, v := range s.services {
		if err := v.Start(ctx); err != nil {
			stopAll(s.services[:i])
			return fmt.Errorf("start %T: %w", v, err)
		}
	}
	return nil
}

func (s *stack) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	stopAll(s.services)
}

func stopAll(services []Service) {
	for _, v := range slices.Backward(services) {
		v.Stop()
	}
}
