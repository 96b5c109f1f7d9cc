package metrics_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/metrics"
	"hearth/internal/service"
	"hearth/internal/service/servicetest"
	"hearth/internal/store"
	"hearth/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newStored is newBench on a database.
func newStored(t testing.TB, o metrics.AggregatorOptions) (*bench, *sqlite.DB) {
	t.Helper()
	db := mustDatabase(t, filepath.Join(t.TempDir(), "hearth.db"))
	b := &bench{t: t, clock: newClock()}
	b.begin = b.Now()
	b.open(db, o)
	return b, db
}

func mustDatabase(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// open starts over on what the database has.
func (b *bench) open(db store.Metrics, o metrics.AggregatorOptions) {
	b.t.Helper()
	o.Store, o.Now, o.Elapsed = db, b.Now, b.Elapsed
	a, err := metrics.OpenAggregator(b.t.Context(), metrics.New(metrics.Options{Now: b.Now}), o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Aggregator = a
}

// live lets seconds go by, with one call in each and all that is done in them.
func (b *bench) live(n int) {
	for range n {
		b.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
		b.Advance(time.Second)
		b.Beat(b.t.Context())
	}
}

func rows(t *testing.T, db store.Metrics, step int64) (n int, first int64) {
	t.Helper()
	first = math.MaxInt64
	err := db.Metrics(t.Context(), store.MetricQuery{Step: step, From: math.MinInt64, To: math.MaxInt64}, func(r store.MetricRow) error {
		n, first = n+1, min(first, r.At)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, first
}

func TestAKillCostsNothingThatWasJournaled(t *testing.T) {
	b, db := newStored(t, metrics.AggregatorOptions{})
	b.live(3)
	b.Observe(call("a", hearth.OutcomeTimeout, hearth.StartWarm, time.Second))
	b.Beat(t.Context()) // in the middle of a second
	b.Advance(2 * time.Hour)
	b.open(db, metrics.AggregatorOptions{})
	b.Beat(t.Context())
	r := b.query(metrics.Query{Functions: []string{"a"}, Step: time.Minute})
	if s := r.Series[0]; s.Total.Requests != 4 || s.Total.Errors != 1 || s.Points[0].Requests != 4 || s.Points[1] != nil || r.Seconds[0] != 4 || r.Seconds[1] != 0 {
		t.Errorf("after the kill: %+v, there for %v", s.Total, r.Seconds)
	}
	for range 2 { // what was adopted once isn't adopted again
		b.open(db, metrics.AggregatorOptions{})
	}
	if n := b.query(metrics.Query{}).Series[0].Total.Requests; n != 4 {
		t.Errorf("after more starts there are %d", n)
	}
}

func TestEachWidthIsKeptForItsTime(t *testing.T) {
	b, db := newStored(t, metrics.AggregatorOptions{Retention: metrics.Retention{BySecond: 5 * time.Minute, ByMinute: 2 * time.Hour, ByHour: 24 * time.Hour}})
	b.live(9000)
	b.Prune(t.Context())
	now := b.Now().Unix()
	for step, keep := range map[int64]int64{1: 300, 60: 7200, 3600: 86400} {
		_, first := rows(t, db, step)
		if oldest := max(b.begin.Unix(), now-keep-200); first < oldest-step || first > max(b.begin.Unix(), now-keep) {
			t.Errorf("rows of %d s begin %d s ago, want %d", step, now-first, keep)
		}
	}
	// Nothing is missing for all that, in whatever steps.
	for _, from := range []time.Duration{time.Minute, time.Hour, 150 * time.Minute} {
		r := b.query(metrics.Query{Functions: []string{"a"}, From: b.Now().Add(-from), To: b.Now(), Step: from})
		if n, want := r.Series[0].Total.Requests, min(r.To, now)-max(r.From, b.begin.Unix()); n != want {
			t.Errorf("of the last %s there are %d, want %d", from, n, want)
		}
	}
}

func TestAClockThatWasSetDeletesNothingForAnHour(t *testing.T) {
	b, db := newStored(t, metrics.AggregatorOptions{})
	b.live(300)
	before, _ := rows(t, db, 1)
	b.set(20 * 365 * 24 * time.Hour)
	b.live(3)
	b.Prune(t.Context())
	b.set(-20 * 365 * 24 * time.Hour)
	b.live(3)
	b.Prune(t.Context())
	if after, _ := rows(t, db, 1); after < before {
		t.Errorf("%d rows of %d are left", after, before)
	}
	if n := b.query(metrics.Query{Functions: []string{"a"}, Step: time.Minute}).Series[0].Total.Requests; n != 303 {
		t.Errorf("%d calls are left, want 303", n)
	}
	b.Advance(3 * time.Hour) // by now it is believed
	b.live(120)
	b.Prune(t.Context())
	if after, _ := rows(t, db, 1); after >= before {
		t.Errorf("%d rows are left hours later", after)
	}
}

func TestMemoryIsBoundedAndAnswersTheSame(t *testing.T) {
	b, db := newStored(t, metrics.AggregatorOptions{MaxRecent: 50})
	b.FillMemory(t.Context())
	b.live(400)
	want := fmt.Sprint(b.query(metrics.Query{Functions: []string{"a"}, Step: 10 * time.Second}).Series[0].Total)
	for _, o := range []metrics.AggregatorOptions{{}, {MaxRecent: 10}} {
		b.open(db, o)
		for range 2 {
			r := b.query(metrics.Query{Functions: []string{"a"}, Step: 10 * time.Second})
			if got := fmt.Sprint(r.Series[0].Total); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			b.FillMemory(t.Context())
		}
	}
}

func TestADamagedRowIsAnErrorOfItsQueryAlone(t *testing.T) {
	b, db := newStored(t, metrics.AggregatorOptions{})
	b.live(2)
	if err := db.AddMetrics(t.Context(), []store.MetricRow{{ID: 1000, Step: 1, At: b.begin.Unix(), Function: "broken", Data: []byte{1, 9, 200, 1}}}, nil); err != nil {
		t.Fatal(err)
	}
	b.open(db, metrics.AggregatorOptions{})
	if _, err := b.Query(t.Context(), metrics.Query{Functions: []string{"broken"}, From: b.begin, To: b.Now()}); err == nil {
		t.Error("a damaged row was read")
	}
	if n := b.query(metrics.Query{Functions: []string{"a"}}).Series[0].Total.Requests; n != 2 {
		t.Errorf("the others have %d", n)
	}
	b.live(70) // it doesn't keep the others from being rolled up
	if n, _ := rows(t, db, 60); n == 0 {
		t.Error("nothing was rolled up")
	}
}

func TestLoopsKeepTheContractOfServices(t *testing.T) {
	db := mustDatabase(t, filepath.Join(t.TempDir(), "hearth.db"))
	servicetest.Stress(t, func() service.Service {
		a, err := metrics.OpenAggregator(t.Context(), metrics.New(metrics.Options{}), metrics.AggregatorOptions{Store: db})
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}

// What is stored depends on functions and time, not on how many calls there are.
func TestAMillionCallsAreNoMoreRowsThanAFew(t *testing.T) {
	if testing.Short() {
		t.Skip("a million calls are not short")
	}
	b, db := newStored(t, metrics.AggregatorOptions{Retention: metrics.Retention{BySecond: 5 * time.Minute, ByMinute: 2 * time.Hour, ByHour: 24 * time.Hour}})
	const functions, seconds, calls = 10, 600, 1_000_000
	inv := call("", hearth.OutcomeOK, hearth.StartWarm, 0)
	for i := range calls {
		inv.Function = fmt.Sprint("f", i%functions)
		inv.Duration = hearth.Duration(time.Duration(i%1000+1) * time.Millisecond)
		b.Observe(inv)
		if (i+1)%(calls/seconds) == 0 {
			b.Advance(time.Second)
			b.Beat(t.Context())
		}
	}
	b.Prune(t.Context())
	var bytes int64
	count := 0
	for _, step := range []int64{1, 60, 3600} {
		err := db.Metrics(t.Context(), store.MetricQuery{Step: step, From: math.MinInt64, To: math.MaxInt64}, func(r store.MetricRow) error {
			count, bytes = count+1, bytes+int64(len(r.Data))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if most := (functions + 1) * (300 + 120 + 60 + 20); count > most || bytes > 8<<20 {
		t.Errorf("there are %d rows of %d bytes together", count, bytes)
	}
	total := b.query(metrics.Query{Fields: metrics.FieldDuration, Step: time.Minute}).Series[0].Total
	if total.Requests != calls {
		t.Errorf("%d calls are known", total.Requests)
	}
	near(t, "p95", total.Duration.P95, .95)
}
