package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"hearth"
	"hearth/internal/store"
	"hearth/internal/store/sqlite"
)

// invocations makes records as a busy server does: of twenty functions, one in
// twenty of them failed.
func invocations(n int, from time.Time, apart time.Duration) []hearth.Invocation {
	out := make([]hearth.Invocation, n)
	for k := range out {
		at := from.Add(time.Duration(k) * apart)
		i := hearth.Invocation{
			ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String(), Function: fmt.Sprintf("fn-%d", k%20), Version: 1 + k%3,
			Trigger: hearth.TriggerHTTP, Caller: "ada", At: hearth.Moment(at), Outcome: hearth.OutcomeOK, Status: 200, Start: hearth.StartWarm,
			Sandbox: "sbx-1234567890", Duration: hearth.Duration(rand.ExpFloat64() * 20e6), Phases: hearth.Phases{Queue: 12345, Handler: 2345678},
			RequestBytes: 123, ReplyBytes: 456, Usage: &hearth.Usage{CPU: 1234567, Memory: 34 << 20, MemoryPeak: rand.Int64N(128 << 20), PIDs: 4},
		}
		if k%50 == 7 {
			i.Start = hearth.StartPrewarmed
		}
		if k%20 == rand.IntN(20) {
			i.Outcome, i.Status = hearth.OutcomeError, 502
			i.Error = &hearth.Error{
				Code: hearth.CodeFunctionError, Type: "ValueError", Message: fmt.Sprintf("order %d not found", k),
				Trace: "Traceback (most recent call last):\n  File \"/code/main.py\", line 12, in handler\n    total(event)\nValueError: order not found",
			}
		}
		out[k] = group(i, k)
	}
	return out
}

func BenchmarkRecordInvocations(b *testing.B) {
	db := mustOpenB(b)
	is := invocations(b.N, time.Now().Add(-time.Hour), time.Millisecond)
	b.ResetTimer()
	for n := range is {
		db.RecordInvocation(is[n])
		if n%8000 == 7999 {
			if err := db.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if n := db.Dropped(); n > 0 {
		b.Errorf("%d dropped", n)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func mustOpenB(b *testing.B) *sqlite.DB {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "hearth.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

func group(i hearth.Invocation, k int) hearth.Invocation {
	i.MemoryLimit = 128 << 20
	if i.Error != nil {
		i.Fingerprint, i.Frame = fmt.Sprintf("%016d", k%7), "main.py:12 in handler"
	}
	return i
}

// BenchmarkHistory asks a database of 100,000 invocations, of the last hour,
// what dashboards ask.
func BenchmarkHistory(b *testing.B) {
	db := mustOpenB(b)
	from := time.Now().Add(-time.Hour)
	is := invocations(100_000, from, 36*time.Millisecond)
	for n := range is {
		db.RecordInvocation(is[n])
		if n%8000 == 7999 {
			if err := db.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	failed := []hearth.Outcome{hearth.OutcomeError, hearth.OutcomeTimeout, hearth.OutcomeOOM, hearth.OutcomeCrashed, hearth.OutcomePlatform}
	for _, sort := range []store.Sort{store.SortNewest, store.SortOldest, store.SortSlowest, store.SortMemory, store.SortCost} {
		for _, f := range []struct {
			name string
			q    store.InvocationQuery
		}{
			{"all", store.InvocationQuery{}},
			{"function", store.InvocationQuery{Function: "fn-3"}},
			{"failed", store.InvocationQuery{Outcomes: failed}},
			{"failed of a function", store.InvocationQuery{Function: "fn-3", Outcomes: failed}},
			{"cold", store.InvocationQuery{Starts: []hearth.Start{hearth.StartPrewarmed, hearth.StartForked, hearth.StartSpawned, hearth.StartRestored}}},
			{"slow", store.InvocationQuery{MinDuration: 100 * time.Millisecond}},
			{"none so slow", store.InvocationQuery{MinDuration: time.Hour}},
			{"last minutes", store.InvocationQuery{From: from.Add(55 * time.Minute), To: from.Add(time.Hour)}},
			{"version", store.InvocationQuery{Function: "fn-3", Version: 2}},
			{"trigger", store.InvocationQuery{Trigger: hearth.TriggerAPI}},
			{"group", store.InvocationQuery{Function: "fn-3", Fingerprint: fmt.Sprintf("%016d", 3)}},
			{"text", store.InvocationQuery{Text: "order 99"}},
			{"text nowhere", store.InvocationQuery{Text: "nowhere"}},
			{"id", store.InvocationQuery{ID: is[0].ID[:8]}},
		} {
			q := f.q
			q.Sort = sort
			b.Run(string(sort)+"/"+f.name, func(b *testing.B) {
				for b.Loop() {
					if _, _, err := db.Invocations(b.Context(), q, store.Page{Limit: 100}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	for _, function := range []string{"", "fn-3"} {
		b.Run("errors/"+function, func(b *testing.B) {
			for b.Loop() {
				fs, err := db.Failures(b.Context(), store.FailureQuery{Function: function, From: from, To: from.Add(time.Hour), Steps: 24})
				if err != nil || len(fs) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLogHistory counts and filters a million lines of the last hours, of
// twenty functions.
func BenchmarkLogHistory(b *testing.B) {
	db := mustOpenB(b)
	const lines, apart = 1_000_000, 10 * time.Millisecond
	from := time.Now().Add(-lines * apart)
	for n := range lines {
		level := "INFO"
		if n%500 == 0 {
			level = "ERROR"
		}
		db.RecordLog(hearth.LogLine{
			Seq: int64(n + 1), At: from.Add(time.Duration(n) * apart), Function: fmt.Sprintf("fn-%d", n%20), Version: 1,
			Invocation: fmt.Sprintf("01J%023d", n/4), Stream: "stdout", Level: level, Text: "2024-01-02 a line of the usual length, with a number 12345",
		})
		if n%8000 == 7999 {
			if err := db.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	to := from.Add(lines * apart)
	hour := store.LogQuery{From: to.Add(-time.Hour), To: to}
	for _, c := range []struct {
		name string
		q    store.LogQuery
	}{
		{"all", store.LogQuery{From: from, To: to}},
		{"an hour", hour},
		{"an hour of a function", store.LogQuery{Function: "fn-3", From: hour.From, To: to}},
		{"a function", store.LogQuery{Function: "fn-3", From: from, To: to}},
		{"errors of an hour", store.LogQuery{Levels: []hearth.Level{hearth.LevelError}, From: hour.From, To: to}},
		{"text of an hour", store.LogQuery{Text: "number", From: hour.From, To: to}},
	} {
		b.Run("count/"+c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := db.CountLogs(b.Context(), c.q, 60); err != nil {
					b.Fatal(err)
				}
			}
		})
		c.q.Newest = true
		b.Run("list/"+c.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := db.Logs(b.Context(), c.q, store.Page{Limit: 100}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
