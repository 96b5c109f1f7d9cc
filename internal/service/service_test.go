package service_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth/internal/service"
	"hearth/internal/service/servicetest"
)

// ticker counts the minutes; running says how many of its loops are alive.
type ticker struct {
	service.Loops
	ticks, running *atomic.Int32
}

func (s *ticker) Start(ctx context.Context) error {
	return s.Run(ctx, s.loop, s.loop)
}

func (s *ticker) loop(ctx context.Context) {
	s.running.Add(1)
	defer s.running.Add(-1)
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.ticks.Add(1)
		case <-ctx.Done():
			return
		}
	}
}

func newTicker() *ticker { return &ticker{ticks: new(atomic.Int32), running: new(atomic.Int32)} }

func TestLoopsKeepTheContract(t *testing.T) {
	var all []*ticker
	servicetest.Stress(t, func() service.Service {
		s := newTicker()
		all = append(all, s)
		return s
	})
	for _, s := range all {
		if n := s.running.Load(); n != 0 {
			t.Fatalf("%d loops outlived Stop", n)
		}
	}
}

func TestStackKeepsTheContract(t *testing.T) {
	servicetest.Stress(t, func() service.Service { return service.Stack(newTicker(), newTicker()) })
}

func TestLoopsRunUntilStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTicker()
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		s.Stop()
		if got := s.ticks.Load(); got != 20 {
			t.Errorf("two loops ticked %d times in ten minutes", got)
		}
		if s.Go(t.Context(), func(context.Context) { t.Error("ran after Stop") }) {
			t.Error("Go after Stop says it runs")
		}
	})
}

// named writes down its starts and stops.
type named struct {
	name string
	err  error
	mu   *sync.Mutex
	log  *[]string
}

func (n named) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*n.log = append(*n.log, what+" "+n.name)
}

func (n named) Start(context.Context) error {
	n.note("start")
	return n.err
}

func (n named) Stop() { n.note("stop") }

func TestStackStopsInTheOppositeOrder(t *testing.T) {
	var log []string
	mu := new(sync.Mutex)
	s := service.Stack(named{"a", nil, mu, &log}, named{"b", nil, mu, &log})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if want := []string{"start a", "start b", "stop b", "stop a"}; !slices.Equal(log, want) {
		t.Errorf("order was %q", log)
	}
}

func TestStackThatCannotStartStopsWhatRan(t *testing.T) {
	var log []string
	mu := new(sync.Mutex)
	no := errors.New("no")
	s := service.Stack(named{"a", nil, mu, &log}, named{"b", no, mu, &log}, named{"c", nil, mu, &log})
	if err := s.Start(t.Context()); !errors.Is(err, no) {
		t.Errorf("start: %v", err)
	}
	if want := []string{"start a", "start b", "stop a"}; !slices.Equal(log, want) {
		t.Errorf("order was %q", log)
	}
}
