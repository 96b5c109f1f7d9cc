package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hearth"
	"hearth/internal/store"
)

func testHistory(t *testing.T, s store.Store) {
	before := time.Now()
	MustDeploy(t, s, Function("hello"))
	v2 := MustAdd(t, s, Function("hello"))
	must[hearth.Function](t)(s.Activate(t.Context(), hearth.Deploy{
		ID: "mine", At: time.Unix(1, 0), FromVersion: 9, // for the store to say
		Function: "hello", Version: v2.Number, Kind: hearth.DeployNew, By: "ada", Message: "Louder",
	}, store.FunctionUpdate{}, 0))
	must[hearth.Function](t)(s.Activate(t.Context(), hearth.Deploy{
		Function: "hello", Version: 1, Kind: hearth.DeployActivate, By: "bob", Message: "Too loud",
	}, store.FunctionUpdate{}, 0))
	if err := s.DeleteFunction(t.Context(), "hello", "eve", 0); err != nil {
		t.Fatal(err)
	}
	got, next, err := s.Deploys(t.Context(), store.DeployQuery{Function: "hello"}, store.Page{})
	if err != nil || next != "" {
		t.Fatalf("next is %q, %v", next, err)
	}
	want := []hearth.Deploy{
		{Function: "hello", Kind: hearth.DeployDelete, FromVersion: 1, By: "eve"},
		{Function: "hello", Version: 1, Kind: hearth.DeployActivate, FromVersion: 2, By: "bob", Message: "Too loud"},
		{Function: "hello", Version: 2, Kind: hearth.DeployNew, FromVersion: 1, By: "ada", Message: "Louder"},
		{Function: "hello", Version: 1, Kind: hearth.DeployNew, By: "ada"},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(hearth.Deploy{}, "ID", "At")); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	ids := map[string]bool{}
	for _, d := range got {
		ids[d.ID] = len(d.ID) == 26
		if d.At.Before(before.Add(-time.Second)) || d.At.After(time.Now().Add(time.Second)) || d.At.Location() != time.UTC {
			t.Errorf("it was at %v", d.At)
		}
	}
	if len(ids) != 4 {
		t.Errorf("the ids are %v", ids)
	}
}

func testHistoryPages(t *testing.T, s store.Store) {
	for i := range 5 {
		MustDeploy(t, s, Function(fmt.Sprintf("f%d", i)))
		MustDeploy(t, s, Function("busy"))
	}
	var seen []string
	for _, d := range all(t, 3, func(p store.Page) ([]hearth.Deploy, string, error) {
		return s.Deploys(t.Context(), store.DeployQuery{}, p)
	}) {
		seen = append(seen, fmt.Sprintf("%s@%d", d.Function, d.Version))
	}
	if len(seen) != 10 || seen[9] != "f0@1" {
		t.Errorf("all: %v", seen)
	}
	q := store.DeployQuery{Function: "busy"}
	busy := all(t, 2, func(p store.Page) ([]hearth.Deploy, string, error) { return s.Deploys(t.Context(), q, p) })
	if len(busy) != 5 || busy[0].Version != 5 {
		t.Fatalf("of one function: %+v", busy)
	}
	q.From, q.To = busy[3].At, busy[1].At
	some := all(t, 2, func(p store.Page) ([]hearth.Deploy, string, error) { return s.Deploys(t.Context(), q, p) })
	for _, d := range some {
		if d.At.Before(q.From) || !d.At.Before(q.To) {
			t.Errorf("%v is not from %v to before %v", d.At, q.From, q.To)
		}
	}
	wantCode(t, second(s.Deploys(t.Context(), q, store.Page{Cursor: "x"})), hearth.CodeInvalid)
}

func second[A, B any](_ A, _ B, err error) error { return err }

func testNoHistory(t *testing.T, s store.Store) {
	MustAdd(t, s, Function("hello"))
	if _, err := s.Activate(t.Context(), Activation("hello", 2), store.FunctionUpdate{}, 0); err == nil {
		t.Error("a version that isn't there was activated")
	}
	if err := s.DeleteFunction(t.Context(), "hello", "ada", 7); err == nil {
		t.Error("a stale delete worked")
	}
	MustDeploy(t, s, Function("rival", "/taken"))
	routes := []hearth.Route{{Path: "/taken"}}
	if _, err := s.Activate(t.Context(), Activation("hello", 1), store.FunctionUpdate{Routes: &routes}, 0); err == nil {
		t.Error("a taken route was taken")
	}
	ds, _, err := s.Deploys(t.Context(), store.DeployQuery{Function: "hello"}, store.Page{})
	if err != nil || len(ds) > 0 {
		t.Errorf("the history has %+v, %v", ds, err)
	}
}

// Event returns a test event with every field set.
func Event(name string) hearth.TestEvent {
	return hearth.TestEvent{
		Name: name, Kind: hearth.TestEventHTTP, Method: "POST", Path: "/items?q=ö", Headers: map[string]string{"x-a": "1"},
		Body: "aGVsbG8=", Base64: true, UpdatedBy: "ada",
	}
}

func testEventRoundTrip(t *testing.T, s store.Store) {
	MustAdd(t, s, Function("hello"))
	var want []hearth.TestEvent
	for _, name := range []string{"an order of two lamps", "b/c ö"} {
		put := must[hearth.TestEvent](t)(s.PutTestEvent(t.Context(), "hello", Event(name), store.EventWas{}))
		if !put.Shared || put.UpdatedAt.IsZero() {
			t.Errorf("kept as %+v", put)
		}
		got := must[hearth.TestEvent](t)(s.TestEvent(t.Context(), "hello", name))
		if d := cmp.Diff(put, got); d != "" {
			t.Errorf("event (-kept +read):\n%s", d)
		}
		want = append(want, put)
	}
	if d := cmp.Diff(want, must[[]hearth.TestEvent](t)(s.TestEvents(t.Context(), "hello"))); d != "" {
		t.Errorf("events (-kept +listed):\n%s", d)
	}
	other := hearth.TestEvent{Name: want[0].Name, Kind: hearth.TestEventJSON, Body: "{}", UpdatedBy: "bob"}
	put := must[hearth.TestEvent](t)(s.PutTestEvent(t.Context(), "hello", other, store.EventWas{}))
	if !put.UpdatedAt.After(want[0].UpdatedAt) {
		t.Errorf("changed at %v, and then at %v", want[0].UpdatedAt, put.UpdatedAt)
	}
	if d := cmp.Diff(put, must[hearth.TestEvent](t)(s.TestEvent(t.Context(), "hello", other.Name))); d != "" {
		t.Errorf("a replaced event keeps something of the old one (-kept +read):\n%s", d)
	}
	if err := s.DeleteTestEvent(t.Context(), "hello", other.Name, store.EventWas{}); err != nil {
		t.Fatal(err)
	}
	if es := must[[]hearth.TestEvent](t)(s.TestEvents(t.Context(), "hello")); len(es) != 1 || es[0].Name != want[1].Name {
		t.Errorf("left are %+v", es)
	}
}

func testEventsOfDeleted(t *testing.T, s store.Store) {
	MustDeploy(t, s, Function("hello"))
	MustDeploy(t, s, Function("other"))
	must[hearth.TestEvent](t)(s.PutTestEvent(t.Context(), "hello", Event("a"), store.EventWas{}))
	must[hearth.TestEvent](t)(s.PutTestEvent(t.Context(), "other", Event("a"), store.EventWas{}))
	if err := s.DeleteFunction(t.Context(), "hello", "ada", 0); err != nil {
		t.Fatal(err)
	}
	MustDeploy(t, s, Function("hello"))
	if es := must[[]hearth.TestEvent](t)(s.TestEvents(t.Context(), "hello")); len(es) > 0 {
		t.Errorf("a new function of the name has %+v", es)
	}
	if es := must[[]hearth.TestEvent](t)(s.TestEvents(t.Context(), "other")); len(es) != 1 {
		t.Errorf("another function has %+v", es)
	}
}

func testStaleEvent(t *testing.T, s store.Store) {
	ctx := t.Context()
	MustAdd(t, s, Function("hello"))
	first := must[hearth.TestEvent](t)(s.PutTestEvent(ctx, "hello", Event("a"), store.EventWas{Absent: true}))
	second := must[hearth.TestEvent](t)(s.PutTestEvent(ctx, "hello", Event("a"), store.EventWas{UpdatedAt: first.UpdatedAt}))
	for name, w := range map[string]store.EventWas{"absent": {Absent: true}, "older": {UpdatedAt: first.UpdatedAt}} {
		if _, err := s.PutTestEvent(ctx, "hello", Event("a"), w); hearth.ErrorCode(err) != hearth.CodeStale {
			t.Errorf("put, %s: %v", name, err)
		}
	}
	wantCode(t, s.DeleteTestEvent(ctx, "hello", "a", store.EventWas{UpdatedAt: first.UpdatedAt}), hearth.CodeStale)
	if d := cmp.Diff(second, must[hearth.TestEvent](t)(s.TestEvent(ctx, "hello", "a"))); d != "" {
		t.Errorf("a refused change left (-want +got):\n%s", d)
	}
	if err := s.DeleteTestEvent(ctx, "hello", "a", store.EventWas{UpdatedAt: second.UpdatedAt}); err != nil {
		t.Error(err)
	}
	_, err := s.PutTestEvent(ctx, "hello", Event("a"), store.EventWas{UpdatedAt: second.UpdatedAt})
	wantCode(t, err, hearth.CodeStale)

	errs := atOnce(8, func(int) error {
		_, err := s.PutTestEvent(ctx, "hello", Event("race"), store.EventWas{Absent: true})
		return err
	})
	wantOneWinner(t, errs, hearth.CodeStale)
}

func testTooManyEvents(t *testing.T, s store.Store) {
	ctx := t.Context()
	MustAdd(t, s, Function("hello"))
	MustAdd(t, s, Function("other"))
	for i := range hearth.MaxTestEvents {
		must[hearth.TestEvent](t)(s.PutTestEvent(ctx, "hello", Event(fmt.Sprint(i)), store.EventWas{}))
	}
	_, err := s.PutTestEvent(ctx, "hello", Event("one more"), store.EventWas{})
	if says := wantCode(t, err, hearth.CodeConflict); !strings.Contains(says, fmt.Sprint(hearth.MaxTestEvents)) {
		t.Errorf("it says %q", says)
	}
	must[hearth.TestEvent](t)(s.PutTestEvent(ctx, "hello", Event("7"), store.EventWas{}))
	must[hearth.TestEvent](t)(s.PutTestEvent(ctx, "other", Event("one more"), store.EventWas{}))
	if err := s.DeleteTestEvent(ctx, "hello", "7", store.EventWas{}); err != nil {
		t.Fatal(err)
	}
	must[hearth.TestEvent](t)(s.PutTestEvent(ctx, "hello", Event("one more"), store.EventWas{}))
}

func testMissingEvents(t *testing.T, s store.Store) {
	ctx := t.Context()
	MustAdd(t, s, Function("hello"))
	_, err := s.TestEvents(ctx, "nobody")
	wantCode(t, err, hearth.CodeNotFound)
	_, err = s.PutTestEvent(ctx, "nobody", Event("a"), store.EventWas{})
	wantCode(t, err, hearth.CodeNotFound)
	for _, function := range []string{"nobody", "hello"} {
		_, err = s.TestEvent(ctx, function, "a")
		if says := wantCode(t, err, hearth.CodeNotFound); !strings.Contains(says, function) {
			t.Errorf("of %s it says %q", function, says)
		}
		wantCode(t, s.DeleteTestEvent(ctx, function, "a", store.EventWas{}), hearth.CodeNotFound)
	}
}
