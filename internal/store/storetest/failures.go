package storetest

import (
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/store"
)

// failed returns the record of a call that failed.
func failed(function, fingerprint string, version int, at time.Time) hearth.Invocation {
	i := Invocation(function, at)
	i.Version, i.Fingerprint, i.Frame = version, fingerprint, fmt.Sprintf("main.py:%d in handler", version)
	i.Outcome, i.Status = hearth.OutcomeError, 502
	i.Error = &hearth.Error{Code: hearth.CodeFunctionError, Type: "ValueError", Message: fmt.Sprintf("bad\x00 %s", at.Format("05"))}
	return i
}

func testFailures(t *testing.T, s store.Store) {
	t0 := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }
	ids := map[int]string{}
	for n := range 12 {
		i := failed("a", "f1", 3+n/6, at(n))
		ids[n] = i.ID
		s.RecordInvocation(i)
	}
	mustFlush(t, s)
	s.RecordInvocation(failed("a", "f1", 2, at(-100))) // recorded late
	s.RecordInvocation(failed("a", "f2", 4, at(5)))
	s.RecordInvocation(failed("b", "f1", 1, at(50)))
	s.RecordInvocation(Invocation("a", at(6)))
	throttled := Invocation("a", at(6))
	throttled.Outcome = hearth.OutcomeThrottled
	s.RecordInvocation(throttled)
	mustFlush(t, s)

	got, err := s.Failures(t.Context(), store.FailureQuery{Function: "a", From: at(2), To: at(10), Steps: 4})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Failure{
		{
			Function: "a", Fingerprint: "f1", Outcome: hearth.OutcomeError, Type: "ValueError", Message: "bad\ufffd 20", Frame: "main.py:2 in handler",
			First: at(-100), Last: at(11), FirstVersion: 2, LastVersion: 4,
			Count: 8, Counts: []int64{2, 2, 2, 2}, Samples: []string{ids[9], ids[8], ids[7], ids[6], ids[5]},
		},
		{
			Function: "a", Fingerprint: "f2", Outcome: hearth.OutcomeError, Type: "ValueError", Message: "bad\ufffd 05", Frame: "main.py:4 in handler",
			First: at(5), Last: at(5), FirstVersion: 4, LastVersion: 4, Count: 1, Counts: []int64{0, 1, 0, 0},
		},
	}
	want[1].Samples = got[len(got)-1].Samples
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("failures (-want +got):\n%s", d)
	}
	all := must[[]store.Failure](t)(s.Failures(t.Context(), store.FailureQuery{From: at(0), To: at(100), Steps: 1}))
	names := ""
	for _, f := range all {
		names += fmt.Sprintf("%s/%s:%d ", f.Function, f.Fingerprint, f.Count)
	}
	if names != "b/f1:1 a/f1:12 a/f2:1 " {
		t.Errorf("all are %s", names)
	}
	if none := must[[]store.Failure](t)(s.Failures(t.Context(), store.FailureQuery{From: at(200), To: at(300), Steps: 1})); len(none) != 0 {
		t.Errorf("nothing failed then, but %+v", none)
	}
	for _, q := range []store.FailureQuery{{From: at(0), To: at(0), Steps: 1}, {From: at(0), To: at(1)}} {
		if _, err := s.Failures(t.Context(), q); err == nil {
			t.Errorf("%+v was answered", q)
		}
	}
}

func testFailuresEnd(t *testing.T, s store.Store) {
	now := time.Now()
	q := store.FailureQuery{From: now.Add(-time.Hour), To: now.Add(time.Hour), Steps: 1}
	MustDeploy(t, s, Function("a"))
	for _, fn := range []string{"a", "b"} {
		s.RecordInvocation(failed(fn, "old", 1, now.Add(-10*time.Minute)))
		s.RecordInvocation(failed(fn, "new", 1, now))
		for _, age := range []time.Duration{0, 10 * time.Minute} {
			s.RecordCapture(hearth.Capture{Invocation: fmt.Sprint(fn, age), Function: fn, At: now.Add(-age)})
		}
	}
	mustFlush(t, s)
	if err := s.DeleteFunction(t.Context(), "a", "ada", 0); err != nil {
		t.Fatal(err)
	}
	if fs := must[[]store.Failure](t)(s.Failures(t.Context(), q)); len(fs) != 2 || fs[0].Function != "b" || fs[1].Function != "b" {
		t.Errorf("after a is deleted: %+v", fs)
	}
	_, err := s.Capture(t.Context(), "a0s")
	wantCode(t, err, hearth.CodeNotFound)
	if n := must[int64](t)(s.Prune(t.Context(), now.Add(-time.Minute))); n != 4 { // two invocations, a group, a capture
		t.Errorf("pruned %d, want 4", n)
	}
	if fs := must[[]store.Failure](t)(s.Failures(t.Context(), q)); len(fs) != 1 || fs[0].Fingerprint != "new" {
		t.Errorf("after a prune: %+v", fs)
	}
	must[hearth.Capture](t)(s.Capture(t.Context(), "b0s"))
	_, err = s.Capture(t.Context(), "b10m0s")
	wantCode(t, err, hearth.CodeNotFound)
}

func testManyFailures(t *testing.T, s store.Store) {
	now := time.Now()
	for n := range 600 {
		s.RecordInvocation(failed("a", fmt.Sprint("f", n), 1, now.Add(-time.Duration(n)*time.Second)))
		if n >= 550 { // the oldest are the most frequent
			s.RecordInvocation(failed("a", fmt.Sprint("f", n), 1, now.Add(-time.Duration(n)*time.Second)))
		}
	}
	mustFlush(t, s)
	fs := must[[]store.Failure](t)(s.Failures(t.Context(), store.FailureQuery{From: now.Add(-time.Hour), To: now.Add(time.Second), Steps: 3}))
	if len(fs) != 500 || fs[0].Fingerprint != "f0" || fs[499].Fingerprint != "f599" || fs[499].Count != 2 {
		t.Errorf("%d, the first %s, the last %s", len(fs), fs[0].Fingerprint, fs[len(fs)-1].Fingerprint)
	}
}

func testCaptures(t *testing.T, s store.Store) {
	c := hearth.Capture{
		Invocation: "01J", Function: "a", Version: 3, At: hearth.Moment(time.Now()),
		Request: hearth.CapturedRequest{
			Kind:         "http",
			HTTP:         &hearth.HTTPRequest{Method: "GET", Path: "/ünï", RawQuery: "a=b", Headers: map[string][]string{"X": {"1", "2"}}},
			CapturedBody: hearth.CapturedBody{Body: "{\"a\":\"\u2028\\u0000\"}", Bytes: 1 << 40, Truncated: true},
		},
		Reply:    &hearth.CapturedReply{Status: 500, CapturedBody: hearth.CapturedBody{Body: "AP8=", Base64: true, Bytes: 2}},
		Redacted: []string{"header x"},
	}
	s.RecordCapture(c)
	s.RecordCapture(hearth.Capture{Invocation: "other", Function: "b", At: time.Now()})
	mustFlush(t, s)
	if d := gocmp.Diff(c, must[hearth.Capture](t)(s.Capture(t.Context(), "01J"))); d != "" {
		t.Errorf("capture (-recorded +read):\n%s", d)
	}
	c.Reply = nil
	s.RecordCapture(c)
	mustFlush(t, s)
	if got := must[hearth.Capture](t)(s.Capture(t.Context(), "01J")); got.Reply != nil {
		t.Errorf("the second didn't replace the first: %+v", got)
	}
	_, err := s.Capture(t.Context(), "nobody")
	wantCode(t, err, hearth.CodeNotFound)
}

func testTooManyCaptures(t *testing.T, s store.Store) {
	now := time.Now()
	const n = 2400
	for i := range n {
		s.RecordCapture(hearth.Capture{Invocation: fmt.Sprint("a", i), Function: "a", At: now.Add(time.Duration(i) * time.Millisecond)})
	}
	s.RecordCapture(hearth.Capture{Invocation: "b", Function: "b", At: now.Add(-time.Minute)})
	mustFlush(t, s)
	if got := must[int64](t)(s.Prune(t.Context(), now.Add(-time.Hour))); got != n-1000 {
		t.Errorf("pruned %d", got)
	}
	for _, id := range []string{"b", "a1400", "a2399"} {
		must[hearth.Capture](t)(s.Capture(t.Context(), id))
	}
	_, err := s.Capture(t.Context(), "a1399")
	wantCode(t, err, hearth.CodeNotFound)
}
