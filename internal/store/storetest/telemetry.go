package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"hearth"
	"hearth/internal/store"
)

// Invocation returns the record of a call that went well.
func Invocation(function string, at time.Time) hearth.Invocation {
	return hearth.Invocation{
		ID: ulid.Make().String(), Function: function, Version: 1, Trigger: hearth.TriggerAPI, At: hearth.Moment(at),
		Outcome: hearth.OutcomeOK, Status: 200, Start: hearth.StartWarm, Duration: hearth.Duration(1500 * time.Microsecond),
	}
}

func testInvocationRoundTrip(t *testing.T, s store.Store) {
	i := Invocation("hello", time.Now())
	i.Caller, i.Sandbox = "ada", "sb1"
	i.Outcome, i.Status = hearth.OutcomeError, 502
	i.Error = &hearth.Error{Code: hearth.CodeFunctionError, Message: "no\x00way\xff", Type: "ValueError", Trace: "line 1\nline 2",
		Cause: context.Canceled}
	i.Phases = hearth.Phases{Queue: 1, Sandbox: 2, Load: 3, Import: 4, Handler: 5, Reply: 6}
	i.RequestBytes, i.ReplyBytes = 10, 1<<40
	i.Usage = &hearth.Usage{CPU: 7, Memory: 8, MemoryPeak: 9, PIDs: 10}
	s.RecordInvocation(i)
	mustFlush(t, s)
	got := must[hearth.Invocation](t)(s.Invocation(t.Context(), i.ID))
	want := i
	e := *i.Error
	e.Cause, e.Message = nil, "no\x00way\ufffd"
	want.Error = &e
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("invocation (-recorded +read):\n%s", d)
	}
	if i.Error.Cause == nil {
		t.Error("recording changed the caller's own error")
	}
}

func testInvocations(t *testing.T, s store.Store) {
	t0 := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	ids := map[int]string{}
	for n := range 30 {
		i := Invocation([]string{"a", "b", "c"}[n%3], t0.Add(time.Duration(n)*time.Second))
		i.ID = fmt.Sprintf("01J%s%022d", []string{"X", "Y"}[n%2], n)
		i.Version, i.Status = 1+n%2, n
		i.Duration = hearth.Duration(n*7%30) * hearth.Duration(time.Millisecond)
		i.Usage = &hearth.Usage{MemoryPeak: int64(n * 11 % 30)}
		i.MemoryLimit = int64(n*13%30) << 30
		if n%4 == 0 {
			i.Trigger, i.Start = hearth.TriggerHTTP, hearth.StartForked
		}
		if n%5 == 0 {
			i.Outcome = hearth.OutcomeTimeout
			i.Error = &hearth.Error{Code: hearth.CodeFunctionTimeout, Message: fmt.Sprintf("Överran 100%% of %d", n)}
			i.Fingerprint = fmt.Sprint("fp", n%2)
		}
		if n%7 == 1 {
			i.Outcome = hearth.OutcomeThrottled
		}
		ids[n] = i.ID
		s.RecordInvocation(i)
	}
	mustFlush(t, s)
	timeout := func(n int) bool { return n%5 == 0 && n%7 != 1 }
	newest := func(n int) float64 { return -float64(n) }
	for name, c := range map[string]struct {
		q    store.InvocationQuery
		want func(n int) bool
		key  func(n int) float64 // what comes first has the least; newest first if nil
	}{
		"all":      {q: store.InvocationQuery{}, want: func(int) bool { return true }},
		"function": {q: store.InvocationQuery{Function: "b"}, want: func(n int) bool { return n%3 == 1 }},
		"version":  {q: store.InvocationQuery{Function: "b", Version: 2}, want: func(n int) bool { return n%3 == 1 && n%2 == 1 }},
		"timeout":  {q: store.InvocationQuery{Outcomes: []hearth.Outcome{hearth.OutcomeTimeout}}, want: timeout},
		"ok":       {q: store.InvocationQuery{Outcomes: []hearth.Outcome{hearth.OutcomeOK}}, want: func(n int) bool { return n%5 != 0 && n%7 != 1 }},
		"two outcomes": {q: store.InvocationQuery{Outcomes: []hearth.Outcome{hearth.OutcomeTimeout, hearth.OutcomeThrottled}},
			want: func(n int) bool { return n%5 == 0 || n%7 == 1 }},
		"not failed or not": {q: store.InvocationQuery{Outcomes: []hearth.Outcome{hearth.OutcomeTimeout, hearth.OutcomeOK}},
			want: func(n int) bool { return n%7 != 1 }},
		"between": {q: store.InvocationQuery{From: t0.Add(3 * time.Second), To: t0.Add(7 * time.Second)},
			want: func(n int) bool { return n >= 3 && n < 7 }},
		"nobody":  {q: store.InvocationQuery{Function: "z"}, want: func(int) bool { return false }},
		"trigger": {q: store.InvocationQuery{Trigger: hearth.TriggerHTTP}, want: func(n int) bool { return n%4 == 0 }},
		"start":   {q: store.InvocationQuery{Starts: []hearth.Start{hearth.StartForked}}, want: func(n int) bool { return n%4 == 0 }},
		"starts": {q: store.InvocationQuery{Starts: []hearth.Start{hearth.StartForked, hearth.StartWarm}},
			want: func(int) bool { return true }},
		"group":     {q: store.InvocationQuery{Fingerprint: "fp0"}, want: func(n int) bool { return n%10 == 0 }},
		"id":        {q: store.InvocationQuery{ID: "01JY"}, want: func(n int) bool { return n%2 == 1 }},
		"one id":    {q: store.InvocationQuery{ID: ids[17]}, want: func(n int) bool { return n == 17 }},
		"text":      {q: store.InvocationQuery{Text: "överRAN 100%"}, want: func(n int) bool { return n%5 == 0 }},
		"more text": {q: store.InvocationQuery{Text: "of 2"}, want: func(n int) bool { return n == 20 || n == 25 }},
		"no text":   {q: store.InvocationQuery{Text: "overran"}, want: func(int) bool { return false }},
		"long":      {q: store.InvocationQuery{MinDuration: 25 * time.Millisecond}, want: func(n int) bool { return n*7%30 >= 25 }},
		"short": {q: store.InvocationQuery{MinDuration: time.Millisecond, MaxDuration: 5 * time.Millisecond},
			want: func(n int) bool { return n*7%30 >= 1 && n*7%30 <= 5 }},
		"near the limit": {q: store.InvocationQuery{MinMemory: 1e-9}, want: func(n int) bool {
			limit, peak := n*13%30<<30, n*11%30
			return limit > 0 && float64(peak) >= 1e-9*float64(limit)
		}},
		"oldest": {q: store.InvocationQuery{Sort: store.SortOldest, Function: "a"}, want: func(n int) bool { return n%3 == 0 },
			key: func(n int) float64 { return float64(n) }},
		"slowest": {q: store.InvocationQuery{Sort: store.SortSlowest}, want: func(int) bool { return true },
			key: func(n int) float64 { return -float64(n * 7 % 30) }},
		"slowest failed": {q: store.InvocationQuery{Sort: store.SortSlowest, Outcomes: []hearth.Outcome{hearth.OutcomeTimeout}}, want: timeout,
			key: func(n int) float64 { return -float64(n * 7 % 30) }},
		"memory": {q: store.InvocationQuery{Sort: store.SortMemory, Function: "c"}, want: func(n int) bool { return n%3 == 2 },
			key: func(n int) float64 { return -float64(n * 11 % 30) }},
		"cost": {q: store.InvocationQuery{Sort: store.SortCost, MinDuration: 1}, want: func(n int) bool { return n*7%30 > 0 },
			key: func(n int) float64 { return -float64(n*13%30) * float64(n*7%30) }},
	} {
		var want []int
		for n := range 30 {
			if c.want(n) {
				want = append(want, n)
			}
		}
		if c.key == nil {
			c.key = newest
		}
		slices.SortFunc(want, func(a, b int) int {
			byID := cmp.Compare(ids[b], ids[a])
			if c.q.Sort == store.SortOldest {
				byID = -byID
			}
			return cmp.Or(cmp.Compare(c.key(a), c.key(b)), byID)
		})
		for _, limit := range []int{1, 4, 30, 100} {
			var got []int
			for _, i := range all(t, limit, func(p store.Page) ([]hearth.Invocation, string, error) { return s.Invocations(t.Context(), c.q, p) }) {
				got = append(got, i.Status)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s in pages of %d: %v, want %v", name, limit, got, want)
			}
		}
	}
	_, next, err := s.Invocations(t.Context(), store.InvocationQuery{}, store.Page{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.Invocations(t.Context(), store.InvocationQuery{Sort: store.SortCost}, store.Page{Cursor: next})
	wantCode(t, err, hearth.CodeInvalid) // a cursor of another order
	_, _, err = s.Invocations(t.Context(), store.InvocationQuery{Sort: "prettiest"}, store.Page{})
	wantCode(t, err, hearth.CodeInvalid)
}

func testInvocationTies(t *testing.T, s store.Store) {
	at := time.Now()
	for range 10 {
		s.RecordInvocation(Invocation("a", at))
	}
	mustFlush(t, s)
	seen := map[string]bool{}
	is := all(t, 3, func(p store.Page) ([]hearth.Invocation, string, error) {
		return s.Invocations(t.Context(), store.InvocationQuery{Function: "a"}, p)
	})
	for _, i := range is {
		seen[i.ID] = true
	}
	if len(is) != 10 || len(seen) != 10 {
		t.Errorf("listed %d, %d different", len(is), len(seen))
	}
}

func testInvocationAgain(t *testing.T, s store.Store) {
	i := Invocation("a", time.Now())
	s.RecordInvocation(i)
	i.Outcome = hearth.OutcomeCancelled
	s.RecordInvocation(i)
	mustFlush(t, s)
	if got := must[hearth.Invocation](t)(s.Invocation(t.Context(), i.ID)); got.Outcome != hearth.OutcomeCancelled {
		t.Errorf("outcome is %s", got.Outcome)
	}
}

// recordLines records lines numbered from 1.
func recordLines(t *testing.T, s store.Store, lines ...hearth.LogLine) {
	t.Helper()
	for n, l := range lines {
		l.Seq = int64(n + 1)
		if l.At.IsZero() {
			l.At = time.Now()
		}
		if l.Function == "" {
			l.Function = "hello"
		}
		s.RecordLog(l)
	}
	mustFlush(t, s)
}

func seqs(ls []hearth.LogLine) []int64 {
	out := []int64{}
	for _, l := range ls {
		out = append(out, l.Seq)
	}
	return out
}

func logs(t *testing.T, s store.Store, limit int, q store.LogQuery) []hearth.LogLine {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]hearth.LogLine, string, error) { return s.Logs(t.Context(), q, p) })
}

func testLogs(t *testing.T, s store.Store) {
	at := hearth.Moment(time.Now())
	want := hearth.LogLine{At: at, Function: "hello", Version: 3, Invocation: "I1", Stream: "stderr", Level: "WARNING", Text: "ünï 'quoted' \t%_"}
	recordLines(t, s, want, hearth.LogLine{Stream: "stdout"}, hearth.LogLine{Text: "third"})
	want.Seq = 1
	got := logs(t, s, 2, store.LogQuery{})
	if fmt.Sprint(seqs(got)) != "[1 2 3]" {
		t.Errorf("oldest first: %v", seqs(got))
	}
	if d := gocmp.Diff(want, got[0]); d != "" {
		t.Errorf("line (-recorded +read):\n%s", d)
	}
	if got := seqs(logs(t, s, 2, store.LogQuery{Newest: true})); fmt.Sprint(got) != "[3 2 1]" {
		t.Errorf("newest first: %v", got)
	}
}

func testLogFilters(t *testing.T, s store.Store) {
	t0 := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	recordLines(t, s,
		hearth.LogLine{Function: "a", Version: 1, Invocation: "I1", Stream: "stdout", Level: "CRITICAL", At: t0},
		hearth.LogLine{Function: "a", Version: 2, Invocation: "I2", Stream: "stdout", Level: "error", At: t0.Add(time.Second)},
		hearth.LogLine{Function: "b", Version: 1, Invocation: "I3", Stream: "stderr", Level: "WARN", At: t0.Add(2 * time.Second)},
		hearth.LogLine{Function: "a", Version: 2, Invocation: "I2", Stream: "stderr", Level: "Trace", At: t0.Add(3 * time.Second)},
		hearth.LogLine{Function: "a", Version: 2, Stream: "platform", At: t0.Add(4 * time.Second)},
	)
	for name, c := range map[string]struct {
		q    store.LogQuery
		want string
	}{
		"function":   {store.LogQuery{Function: "a"}, "[1 2 4 5]"},
		"version":    {store.LogQuery{Function: "a", Version: 2}, "[2 4 5]"},
		"invocation": {store.LogQuery{Invocation: "I2"}, "[2 4]"},
		"stream":     {store.LogQuery{Stream: "stderr"}, "[3 4]"},
		"between":    {store.LogQuery{From: t0.Add(time.Second), To: t0.Add(3 * time.Second)}, "[2 3]"},
		"after":      {store.LogQuery{AfterSeq: 3}, "[4 5]"},
		"newest":     {store.LogQuery{Function: "a", Newest: true}, "[5 4 2 1]"},
		"errors":     {store.LogQuery{Levels: []hearth.Level{hearth.LevelError}}, "[1 2]"},
		"two levels": {store.LogQuery{Levels: []hearth.Level{hearth.LevelWarn, hearth.LevelDebug}, Function: "a"}, "[4]"},
		"all":        {store.LogQuery{Function: "a", Version: 2, Invocation: "I2", Stream: "stderr", From: t0, AfterSeq: 1}, "[4]"},
	} {
		for _, limit := range []int{1, 2, 100} {
			if got := fmt.Sprint(seqs(logs(t, s, limit, c.q))); got != c.want {
				t.Errorf("%s in pages of %d: %s, want %s", name, limit, got, c.want)
			}
		}
	}
}

func testCountLogs(t *testing.T, s store.Store) {
	t0 := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	var lines []hearth.LogLine
	for n := range 20 {
		lines = append(lines, hearth.LogLine{
			Function: []string{"a", "b"}[n%2], Stream: "stdout", Level: []string{"INFO", "ERROR"}[n%4/2], At: t0.Add(time.Duration(n) * time.Second),
			Text: []string{"Grösse", "größe", "x"}[n%3],
		})
	}
	recordLines(t, s, lines...)
	q := store.LogQuery{From: t0.Add(2 * time.Second), To: t0.Add(14 * time.Second), AfterSeq: 7, Newest: true}
	for name, c := range map[string]struct {
		change func(q *store.LogQuery)
		want   string
	}{
		"all":       {func(*store.LogQuery) {}, "[3 3 3 3]"},
		"function":  {func(q *store.LogQuery) { q.Function = "b" }, "[1 2 1 2]"},
		"level":     {func(q *store.LogQuery) { q.Levels = []hearth.Level{hearth.LevelError} }, "[2 2 1 1]"},
		"text":      {func(q *store.LogQuery) { q.Text = "X" }, "[1 1 1 1]"},
		"folded":    {func(q *store.LogQuery) { q.Text = "GRÖSSE" }, "[1 1 1 1]"},
		"another ß": {func(q *store.LogQuery) { q.Text = "RÖßE" }, "[1 1 1 1]"},
		"nothing":   {func(q *store.LogQuery) { q.Function = "z" }, "[0 0 0 0]"},
	} {
		q := q
		c.change(&q)
		if got := fmt.Sprint(must[[]int64](t)(s.CountLogs(t.Context(), q, 4))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for _, bad := range []store.LogQuery{{From: t0}, {To: t0}, {From: t0, To: t0}} {
		if _, err := s.CountLogs(t.Context(), bad, 4); err == nil {
			t.Errorf("%+v was answered", bad)
		}
	}
	_, err := s.CountLogs(t.Context(), store.LogQuery{Text: string(make([]byte, 2000)), From: t0, To: t0.Add(1)}, 1)
	wantCode(t, err, hearth.CodeInvalid)
}

func testLogSearch(t *testing.T, s store.Store) {
	recordLines(t, s,
		hearth.LogLine{Text: "Connection REFUSED by peer"},
		hearth.LogLine{Text: "100% of 5_000"},
		hearth.LogLine{Text: "100 of 5x000"},
		hearth.LogLine{Text: "Größe: ÄRGER"},
		hearth.LogLine{Text: "Grösse, ärger"},
		hearth.LogLine{Text: "back\\slash and 'quote' and !bang"},
	)
	for text, want := range map[string]string{
		"refused": "[1]", "REFUSED BY": "[1]", "100%": "[2]", "5_000": "[2]", "%": "[2]", "of 5": "[2 3]",
		"ärger": "[4 5]", "ÄRGER": "[4 5]", "größe": "[4]", "ö": "[4 5]", `K\S`: "[6]", "'quote'": "[6]", "!bang": "[6]", "nothing": "[]",
	} {
		for _, limit := range []int{1, 3, 100} {
			if got := fmt.Sprint(seqs(logs(t, s, limit, store.LogQuery{Text: text}))); got != want {
				t.Errorf("%q in pages of %d: %s, want %s", text, limit, got, want)
			}
		}
	}
	_, _, err := s.Logs(t.Context(), store.LogQuery{Text: string(make([]byte, 2000))}, store.Page{})
	wantCode(t, err, hearth.CodeInvalid)
}

// However far back a time is, its newest lines are found, in pages.
func testNewestOfATime(t *testing.T, s store.Store) {
	t0 := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	const n = 25_000
	for i := range n {
		s.RecordLog(hearth.LogLine{Seq: int64(i + 1), At: t0.Add(time.Duration(i) * time.Second), Function: "a", Text: fmt.Sprint(i % 1000)})
		if i%5000 == 4999 {
			mustFlush(t, s)
		}
	}
	at := func(i int) time.Time { return t0.Add(time.Duration(i) * time.Second) }
	for name, c := range map[string]struct {
		q    store.LogQuery
		want string
	}{
		"old":         {store.LogQuery{From: at(10), To: at(14)}, "[14 13 12 11]"},
		"new":         {store.LogQuery{From: at(n - 3)}, fmt.Sprint([]int{n, n - 1, n - 2})},
		"old and new": {store.LogQuery{From: at(100), Text: "777"}, fmt.Sprint(thousands(n, 778, 100))},
		"all so far":  {store.LogQuery{To: at(2000), Text: "777"}, "[1778 778]"},
		"of a stream": {store.LogQuery{From: at(1), Stream: "stderr"}, "[]"},
	} {
		c.q.Newest = true
		for _, limit := range []int{1, 3, 100} {
			if got := fmt.Sprint(seqs(logs(t, s, limit, c.q))); got != c.want {
				t.Errorf("%s in pages of %d: %s, want %s", name, limit, got, c.want)
			}
		}
	}
}

// thousands lists the numbers below n that end like last, the highest first, as
// long as they are over least.
func thousands(n, last, least int) (out []int) {
	for i := n - n%1000 + last; i > least; i -= 1000 {
		if i <= n {
			out = append(out, i)
		}
	}
	return out
}

func testTail(t *testing.T, s store.Store) {
	var after int64
	for round := range 3 {
		for n := range 5 {
			s.RecordLog(hearth.LogLine{Seq: int64(round*10 + n + 1), At: time.Now(), Function: "a", Text: "x"})
		}
		mustFlush(t, s)
		ls := logs(t, s, 2, store.LogQuery{Function: "a", AfterSeq: after})
		if len(ls) != 5 {
			t.Fatalf("round %d: %v behind %d", round, seqs(ls), after)
		}
		after = ls[4].Seq
	}
}

func testLastLogSeq(t *testing.T, s store.Store) {
	if n := must[int64](t)(s.LastLogSeq(t.Context())); n != 0 {
		t.Errorf("an empty store is at %d", n)
	}
	old := time.Now().Add(-time.Hour)
	for _, seq := range []int64{7, 9, 8} {
		s.RecordLog(hearth.LogLine{Seq: seq, At: old, Function: "a"})
	}
	mustFlush(t, s)
	s.RecordLog(hearth.LogLine{Seq: 2, At: old, Function: "a"})
	mustFlush(t, s)
	if n := must[int64](t)(s.Prune(t.Context(), time.Now())); n != 4 {
		t.Errorf("pruned %d, want 4", n)
	}
	if n := must[int64](t)(s.LastLogSeq(t.Context())); n != 9 {
		t.Errorf("after all are gone it is at %d, want 9", n)
	}
}

func testPrune(t *testing.T, s store.Store) {
	t0 := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	const n = 2500 // more than a step
	for i := range n {
		at := t0.Add(time.Duration(i) * time.Second)
		s.RecordInvocation(Invocation("a", at))
		s.RecordLog(hearth.LogLine{Seq: int64(i + 1), At: at, Function: "a"})
	}
	MustDeploy(t, s, Function("a"))
	mustFlush(t, s)
	if got := must[int64](t)(s.Prune(t.Context(), t0.Add(2200*time.Second))); got != 4400 {
		t.Errorf("pruned %d, want 4400", got)
	}
	is := all(t, 100, func(p store.Page) ([]hearth.Invocation, string, error) {
		return s.Invocations(t.Context(), store.InvocationQuery{}, p)
	})
	if len(is) != 300 || !is[299].At.Equal(t0.Add(2200*time.Second)) {
		t.Errorf("%d invocations left", len(is))
	}
	if ls := logs(t, s, 100, store.LogQuery{}); len(ls) != 300 || ls[0].Seq != 2201 {
		t.Errorf("%d lines left", len(ls))
	}
	if got := must[int64](t)(s.Prune(t.Context(), t0.Add(2200*time.Second))); got != 0 {
		t.Errorf("a second prune deleted %d", got)
	}
	must[hearth.Function](t)(s.Function(t.Context(), "a"))
}

func testFlushUnderLoad(t *testing.T, s store.Store) {
	for _, err := range atOnce(8, func(i int) error {
		for n := range 20 {
			inv := Invocation("a", time.Now())
			s.RecordInvocation(inv)
			if err := s.Flush(t.Context()); err != nil {
				return err
			}
			if _, err := s.Invocation(t.Context(), inv.ID); err != nil {
				return fmt.Errorf("writer %d, record %d: %w", i, n, err)
			}
		}
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := s.Dropped(); n != 0 {
		t.Errorf("%d records were dropped", n)
	}
}

func testClose(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	s.RecordLog(hearth.LogLine{Seq: 1})
	s.RecordInvocation(Invocation("a", time.Now()))
	if n := s.Dropped(); n != 2 {
		t.Errorf("%d records were dropped, want 2", n)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Errorf("flush after close: %v", err)
	}
}
