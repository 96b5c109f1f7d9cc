package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
	"hearth/internal/sandbox/guard"
)

// journal keeps the states that were reported.
type journal struct {
	mu     sync.Mutex
	events []sandbox.Event
}

func (j *journal) add(e sandbox.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

func (j *journal) states() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var s []string
	for _, e := range j.events {
		s = append(s, string(e.State))
	}
	return strings.Join(s, " ")
}

func (j *journal) last() sandbox.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events[len(j.events)-1]
}

var spec = sandbox.Spec{ID: "a", Runtime: fake.Runtime(), Limits: hearth.DefaultLimits(), Network: hearth.NetworkNone}

var assignment = sandbox.Assignment{
	Version: hearth.Version{Function: "f", Number: 1, Handler: "main.handler"}, Limits: hearth.DefaultLimits(),
}

func guarded(t *testing.T, o fake.Options) (sandbox.Sandbox, *fake.Driver, *journal) {
	t.Helper()
	j, d := new(journal), fake.New(o)
	sb, err := guard.New(d, j.add).Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if v := d.Violations(); len(v) > 0 {
			t.Errorf("the driver saw %q", v)
		}
		if left := d.Alive(); len(left) > 0 {
			t.Errorf("not destroyed: %q", left)
		}
	})
	return sb, d, j
}

func TestEveryChangeIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb, _, j := guarded(t, fake.Options{})
		ctx := t.Context()
		if err := sb.Assign(ctx, assignment); err != nil {
			t.Fatal(err)
		}
		if _, err := sb.Dial(ctx); err != nil {
			t.Fatal(err)
		}
		if err := sb.Destroy(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := j.states(); got != "starting stem loading dead" {
			t.Errorf("events: %s", got)
		}
		if e := j.last(); e.Sandbox != "a" || e.Driver != fake.Name || e.Err != nil || e.At.IsZero() {
			t.Errorf("last event: %+v", e)
		}
	})
}

func TestCreateThatFailsIsAnEvent(t *testing.T) {
	j, no := new(journal), errors.New("no")
	d := guard.New(fake.New(fake.Options{Create: func(context.Context, sandbox.Spec) error { return no }}), j.add)
	if _, err := d.Create(t.Context(), spec); !errors.Is(err, no) {
		t.Errorf("create: %v", err)
	}
	if got := j.states(); got != "starting dead" || !errors.Is(j.last().Err, no) {
		t.Errorf("events: %s, %v", got, j.last().Err)
	}
}

func TestDeathByItselfIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb, _, j := guarded(t, fake.Options{})
		c, err := sb.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Close() // the shim exits at once
		<-sb.Done()
		synctest.Wait()
		if got := j.states(); got != "starting stem dead" {
			t.Errorf("events: %s", got)
		}
		if err := sb.Destroy(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorDestroys(t *testing.T) {
	no := errors.New("mount failed")
	sb, d, j := guarded(t, fake.Options{Assign: func(context.Context, sandbox.Assignment) error { return no }})
	if err := sb.Assign(t.Context(), assignment); !errors.Is(err, no) {
		t.Errorf("assign: %v", err)
	}
	if left := d.Alive(); len(left) > 0 {
		t.Errorf("lives on: %q", left)
	}
	if e := j.last(); e.State != sandbox.StateDead || !errors.Is(e.Err, no) {
		t.Errorf("last event: %+v", e)
	}
}

func TestErrorDestroysThoughTheCallerIsGone(t *testing.T) {
	sb, d, _ := guarded(t, fake.Options{Assign: func(ctx context.Context, _ sandbox.Assignment) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := sb.Assign(ctx, assignment); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("assign: %v", err)
	}
	if left := d.Alive(); len(left) > 0 {
		t.Errorf("lives on: %q", left)
	}
}

func TestTheDeadAreHarmless(t *testing.T) {
	var reached atomic.Int32
	sb, _, _ := guarded(t, fake.Options{Assign: func(context.Context, sandbox.Assignment) error { reached.Add(1); return nil }})
	ctx := t.Context()
	for range 3 {
		if err := sb.Destroy(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := sb.Assign(ctx, assignment); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("assign: %v", err)
	}
	if _, err := sb.Dial(ctx); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("dial: %v", err)
	}
	if _, err := sb.Usage(ctx); !errors.Is(err, sandbox.ErrGone) {
		t.Errorf("usage: %v", err)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d calls reached the driver", n)
	}
}

func TestRedundantCallsVanish(t *testing.T) {
	var assigns, destroys atomic.Int32
	sb, _, _ := guarded(t, fake.Options{
		Assign:  func(context.Context, sandbox.Assignment) error { assigns.Add(1); return nil },
		Destroy: func(context.Context, string) error { destroys.Add(1); return nil },
	})
	ctx := t.Context()
	if err := sb.Assign(ctx, assignment); err != nil {
		t.Fatal(err)
	}
	if err := sb.Assign(ctx, assignment); !errors.Is(err, sandbox.ErrAssigned) {
		t.Errorf("second assign: %v", err)
	}
	if _, err := sb.Usage(ctx); err != nil {
		t.Errorf("a second assign did harm: %v", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := sb.Destroy(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if assigns.Load() != 1 || destroys.Load() != 1 {
		t.Errorf("the driver saw %d assigns and %d destroys", assigns.Load(), destroys.Load())
	}
}

func TestDestroyThatFailedIsTriedAgain(t *testing.T) {
	var n atomic.Int32
	sb, _, j := guarded(t, fake.Options{Destroy: func(context.Context, string) error {
		if n.Add(1) == 1 {
			return errors.New("busy")
		}
		return nil
	}})
	if err := sb.Destroy(t.Context()); err == nil {
		t.Error("the first destroy hides its failure")
	}
	if j.last().State == sandbox.StateDead {
		t.Error("dead before it is")
	}
	if err := sb.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
	if j.last().State != sandbox.StateDead {
		t.Error("not dead when it is")
	}
}

func TestDestroyInterruptsAStuckCall(t *testing.T) {
	for name, listens := range map[string]bool{"that listens": true, "that doesn't": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stuck, release := make(chan struct{}), make(chan struct{})
				sb, _, _ := guarded(t, fake.Options{Assign: func(ctx context.Context, _ sandbox.Assignment) error {
					close(stuck)
					if listens {
						<-ctx.Done()
						return ctx.Err()
					}
					<-release
					return nil
				}})
				result := make(chan error, 1)
				go func() { result <- sb.Assign(context.Background(), assignment) }()
				<-stuck
				began := time.Now()
				if err := sb.Destroy(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("destroy took %s", took)
				}
				close(release)
				if err := <-result; !errors.Is(err, sandbox.ErrGone) {
					t.Errorf("assign: %v", err)
				}
			})
		})
	}
}

// overlap is a sandbox that notices two life-cycle calls at once.
type overlap struct {
	sandbox.Sandbox
	inside, seen atomic.Int32
}

func (o *overlap) enter() func() {
	if o.inside.Add(1) > 1 {
		o.seen.Add(1)
	}
	time.Sleep(time.Millisecond) // of a bubble: lets the others in
	return func() { o.inside.Add(-1) }
}

func (o *overlap) Assign(ctx context.Context, a sandbox.Assignment) error {
	defer o.enter()()
	return o.Sandbox.Assign(ctx, a)
}

func (o *overlap) Dial(context.Context) (net.Conn, error) {
	defer o.enter()()
	a, b := net.Pipe()
	b.Close()
	return a, nil
}

func (o *overlap) Destroy(ctx context.Context) error {
	defer o.enter()()
	return o.Sandbox.Destroy(ctx)
}

type overlapDriver struct {
	*fake.Driver
	made *overlap
}

func (d *overlapDriver) Create(ctx context.Context, s sandbox.Spec) (sandbox.Sandbox, error) {
	sb, err := d.Driver.Create(ctx, s)
	d.made = &overlap{Sandbox: sb}
	return d.made, err
}

func TestLifeCycleCallsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &overlapDriver{Driver: fake.New(fake.Options{})}
		sb, err := guard.New(d, nil).Create(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { _ = sb.Assign(t.Context(), assignment) })
			wg.Go(func() { _, _ = sb.Dial(t.Context()) })
		}
		time.Sleep(3 * time.Millisecond)
		wg.Go(func() { _ = sb.Destroy(t.Context()) })
		wg.Wait()
		if n := d.made.seen.Load(); n > 0 {
			t.Errorf("%d calls overlapped", n)
		}
	})
}

func TestPowersAreSeenThroughTheGuard(t *testing.T) {
	sb, _, _ := guarded(t, fake.Options{})
	if _, ok := sandbox.As[sandbox.Pauser](sb); !ok {
		t.Error("the fake's Pauser is hidden")
	}
	if err := sb.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLeftoversAreGuarded(t *testing.T) {
	j, d := new(journal), fake.New(fake.Options{Leftovers: []string{"x", "y"}})
	left, err := guard.New(d, j.add).Leftovers(t.Context())
	if err != nil || len(left) != 2 {
		t.Fatalf("leftovers: %d, %v", len(left), err)
	}
	for _, sb := range left {
		if err := sb.Destroy(t.Context()); err != nil {
			t.Error(err)
		}
	}
	var ids []string
	for _, e := range j.events {
		ids = append(ids, fmt.Sprint(e.Sandbox, " ", e.State))
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"x dead", "y dead"}) {
		t.Errorf("events: %q", ids)
	}
}
