package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/store"
)

// metricRow is a row whose data says its id.
func metricRow(id, step, at int64, function string, version int) store.MetricRow {
	return store.MetricRow{ID: id, Step: step, At: at, Function: function, Version: version, Data: []byte(fmt.Sprint("row ", id, "\x00\xff"))}
}

func mustAddMetrics(t *testing.T, s store.Store, open string, rows ...store.MetricRow) {
	t.Helper()
	if err := s.AddMetrics(t.Context(), rows, []byte(open)); err != nil {
		t.Fatalf("add metrics: %v", err)
	}
}

// metricIDs lists the rows that a query finds, in order.
func metricIDs(t *testing.T, s store.Store, q store.MetricQuery) string {
	t.Helper()
	ids := []int64{}
	if q.To == 0 {
		q.From, q.To = math.MinInt64, math.MaxInt64
	}
	err := s.Metrics(t.Context(), q, func(r store.MetricRow) error {
		ids = append(ids, r.ID)
		return nil
	})
	if err != nil {
		t.Fatalf("read metrics: %v", err)
	}
	return fmt.Sprint(ids)
}

func wantMetrics(t *testing.T, s store.Store, q store.MetricQuery, want string) {
	t.Helper()
	if got := metricIDs(t, s, q); got != want {
		t.Errorf("%+v finds %s, want %s", q, got, want)
	}
}

func testMetricRoundTrip(t *testing.T, s store.Store) {
	last, open, err := s.MetricsState(t.Context())
	if err != nil || last != 0 || len(open) != 0 {
		t.Errorf("an empty store says %d, %q, %v", last, open, err)
	}
	rows := []store.MetricRow{metricRow(3, 1, 100, "", 0), metricRow(5, 1, 100, "héllo", 7), metricRow(6, 1, -5, "a", 1)}
	mustAddMetrics(t, s, "open\x00", rows...)
	var got []store.MetricRow
	err = s.Metrics(t.Context(), store.MetricQuery{Step: 1, From: -10, To: 101}, func(r store.MetricRow) error {
		r.Data = slices.Clone(r.Data)
		got = append(got, r)
		return nil
	})
	if d := cmp.Diff([]store.MetricRow{rows[2], rows[0], rows[1]}, got); d != "" || err != nil {
		t.Errorf("rows (-added +read):\n%s%v", d, err)
	}
	if last, open, err = s.MetricsState(t.Context()); last != 6 || string(open) != "open\x00" || err != nil {
		t.Errorf("the state is %d, %q, %v", last, open, err)
	}
	mustAddMetrics(t, s, "")
	if last, open, err = s.MetricsState(t.Context()); last != 6 || len(open) != 0 || err != nil {
		t.Errorf("then it is %d, %q, %v", last, open, err)
	}
	stop := errors.New("enough")
	if err := s.Metrics(t.Context(), store.MetricQuery{Step: 1, From: 0, To: 200}, func(store.MetricRow) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a reader that stops gets %v", err)
	}
}

func testMetricsAgain(t *testing.T, s store.Store) {
	one, two, three := metricRow(1, 1, 10, "a", 1), metricRow(2, 1, 11, "a", 1), metricRow(3, 1, 10, "a", 1)
	mustAddMetrics(t, s, "x", one, two)
	mustAddMetrics(t, s, "y", one, two)
	mustAddMetrics(t, s, "z", one, two, three)
	wantMetrics(t, s, store.MetricQuery{Step: 1}, "[1 3 2]")
	if _, open, _ := s.MetricsState(t.Context()); string(open) != "z" {
		t.Errorf("open is %q", open)
	}
}

func testMetricQueries(t *testing.T, s store.Store) {
	mustAddMetrics(t, s, "",
		metricRow(1, 1, 10, "", 0), metricRow(2, 1, 10, "a", 1), metricRow(3, 1, 11, "b", 1),
		metricRow(4, 60, 0, "", 0), metricRow(5, 60, 60, "a", 1), metricRow(6, 60, 60, "a", 2), metricRow(7, 60, 120, "b", 1),
		metricRow(8, 3600, 0, "a", 1), metricRow(9, 60, 60, "a", 1))
	for _, c := range []struct {
		q    store.MetricQuery
		want string
	}{
		{store.MetricQuery{Step: 1}, "[1 2 3]"},
		{store.MetricQuery{Step: 2}, "[]"},
		{store.MetricQuery{Step: 60}, "[4 5 6 9 7]"},
		{store.MetricQuery{Step: 60, From: 60, To: 120}, "[5 6 9]"},
		{store.MetricQuery{Step: 60, Functions: []string{"a"}}, "[5 6 9]"},
		{store.MetricQuery{Step: 60, Functions: []string{"b", "", "z"}}, "[7 4]"},
		{store.MetricQuery{Step: 1, Functions: []string{"a", "b"}}, "[2 3]"},
		{store.MetricQuery{Step: 60, Functions: []string{}}, "[]"},
		{store.MetricQuery{Step: 60, LastID: 6}, "[4 5 6]"},
		{store.MetricQuery{Step: 3600, NotRolled: true}, "[8]"},
	} {
		wantMetrics(t, s, c.q, c.want)
	}
}

func testRollUp(t *testing.T, s store.Store) {
	mustAddMetrics(t, s, "kept",
		metricRow(1, 1, 10, "", 0), metricRow(2, 1, 10, "a", 1), metricRow(3, 1, 59, "a", 2), metricRow(4, 1, 60, "a", 1),
		metricRow(5, 1, 10, "b", 1), metricRow(6, 60, 0, "a", 1))
	r := store.MetricRange{Step: 1, From: 0, To: 60, First: "", Last: "a", LastID: 6}
	wrong := metricRow(7, 60, 0, "", 0)
	for _, n := range []int{0, 2, 4} {
		if err := s.RollUpMetrics(t.Context(), r, n, []store.MetricRow{wrong}); hearth.ErrorCode(err) != hearth.CodeConflict {
			t.Errorf("three rows taken for %d: %v", n, err)
		}
	}
	wantMetrics(t, s, store.MetricQuery{Step: 1, NotRolled: true}, "[1 2 5 3 4]")
	if err := s.RollUpMetrics(t.Context(), r, 3, []store.MetricRow{wrong, metricRow(8, 60, 0, "a", 1)}); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, s, store.MetricQuery{Step: 1, NotRolled: true}, "[5 4]")
	wantMetrics(t, s, store.MetricQuery{Step: 1}, "[1 2 5 3 4]")
	wantMetrics(t, s, store.MetricQuery{Step: 60, NotRolled: true}, "[6 7 8]")
	if last, open, _ := s.MetricsState(t.Context()); last != 8 || string(open) != "kept" {
		t.Errorf("the state is %d, %q", last, open)
	}
	// The same once more, with other rows or with none left.
	for _, again := range []store.MetricRow{metricRow(8, 60, 0, "a", 1), metricRow(9, 60, 0, "a", 1)} {
		if err := s.RollUpMetrics(t.Context(), r, 3, []store.MetricRow{again}); hearth.ErrorCode(err) != hearth.CodeConflict {
			t.Errorf("again with row %d: %v", again.ID, err)
		}
	}
	// A row that is new to who rolls up isn't marked.
	mustAddMetrics(t, s, "", metricRow(10, 1, 12, "b", 1))
	if err := s.RollUpMetrics(t.Context(), store.MetricRange{Step: 1, From: 0, To: 60, First: "b", Last: "b", LastID: 9}, 1, []store.MetricRow{metricRow(11, 60, 0, "b", 1)}); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, s, store.MetricQuery{Step: 1, NotRolled: true}, "[10 4]")
}

func testPruneMetrics(t *testing.T, s store.Store) {
	var rows []store.MetricRow
	for i := range int64(3000) {
		rows = append(rows, metricRow(i+1, 1, i/2, []string{"", "a"}[i%2], int(i%2)))
	}
	rows = append(rows, metricRow(3001, 60, 0, "a", 1), metricRow(3002, 3600, 0, "a", 1))
	mustAddMetrics(t, s, "", rows...)
	if n := must[int64](t)(s.PruneMetrics(t.Context(), 1, 1400, true)); n != 0 {
		t.Errorf("%d rows were deleted that no other holds", n)
	}
	if err := s.RollUpMetrics(t.Context(), store.MetricRange{Step: 1, From: 0, To: 1300, First: "", Last: "a", LastID: 3002}, 2600,
		[]store.MetricRow{metricRow(3003, 60, 0, "a", 1)}); err != nil {
		t.Fatal(err)
	}
	if n := must[int64](t)(s.PruneMetrics(t.Context(), 1, 1200, true)); n != 2400 {
		t.Errorf("%d rows were deleted, want 2400", n)
	}
	if n := must[int64](t)(s.PruneMetrics(t.Context(), 1, 1400, true)); n != 200 {
		t.Errorf("then %d rows were deleted, want 200", n)
	}
	if n := must[int64](t)(s.PruneMetrics(t.Context(), 1, 1400, false)); n != 200 {
		t.Errorf("without regard %d rows were deleted, want 200", n)
	}
	wantMetrics(t, s, store.MetricQuery{Step: 1, From: 0, To: 1401}, "[2801 2802]")
	wantMetrics(t, s, store.MetricQuery{Step: 60}, "[3001 3003]")
	wantMetrics(t, s, store.MetricQuery{Step: 3600}, "[3002]")
}
