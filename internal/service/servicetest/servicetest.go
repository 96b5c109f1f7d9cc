// Package servicetest tries to break the promises of service.Service. It is not
// for testing what a service does between Start and Stop.
package servicetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"hearth/internal/service"
)

// Stress runs new services through every order of Start and Stop that the
// contract allows. The race detector sees what the assertions can't.
func Stress(t *testing.T, make func() service.Service) {
	t.Helper()
	t.Run("stop before start", func(t *testing.T) {
		s := make()
		s.Stop()
		if err := s.Start(t.Context()); !errors.Is(err, service.ErrStopped) {
			t.Errorf("start after stop: %v", err)
		}
		s.Stop()
	})
	t.Run("start twice", func(t *testing.T) {
		s := make()
		defer s.Stop()
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); !errors.Is(err, service.ErrStarted) {
			t.Errorf("second start: %v", err)
		}
	})
	t.Run("stop twice", func(t *testing.T) {
		s := make()
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Stop()
		s.Stop()
		if err := s.Start(t.Context()); !errors.Is(err, service.ErrStopped) {
			t.Errorf("start after stop: %v", err)
		}
	})
	t.Run("context ends before stop", func(t *testing.T) {
		s := make()
		ctx, cancel := context.WithCancel(t.Context())
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		s.Stop()
	})
	t.Run("all at once", func(t *testing.T) {
		for range 50 {
			stressOnce(t, make())
		}
	})
}

func stressOnce(t *testing.T, s service.Service) {
	t.Helper()
	var wg sync.WaitGroup
	var started atomic.Int32
	for range 4 {
		wg.Go(func() {
			if s.Start(t.Context()) == nil {
				started.Add(1)
			}
		})
		wg.Go(s.Stop)
	}
	wg.Wait()
	s.Stop()
	if n := started.Load(); n > 1 {
		t.Errorf("%d of 4 starts succeeded", n)
	}
}
