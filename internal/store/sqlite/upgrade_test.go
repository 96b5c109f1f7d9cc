package sqlite_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"hearth"
	"hearth/internal/store"
	"hearth/internal/store/sqlite"
	"hearth/internal/store/storetest"
)

// oldDatabase makes a file as an earlier Hearth left it, whose tables are at
// the version.
func oldDatabase(t *testing.T, version int64) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "hearth.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return path, db
}

func TestOldInvocationsCanBeSortedAndFiltered(t *testing.T) {
	path, old := oldDatabase(t, 1)
	t0 := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	durations := []time.Duration{
		0, 80 * time.Nanosecond, 9500 * time.Nanosecond, 12250 * time.Microsecond, 4500 * time.Millisecond,
		2*time.Minute + 3*time.Second, time.Hour + 2*time.Minute + 3500*time.Millisecond, 3 * time.Hour,
	}
	for n, d := range durations {
		i := storetest.Invocation("a", t0.Add(time.Duration(n)*time.Second))
		i.Status, i.Duration = n, hearth.Duration(d)
		switch n {
		case 1:
			i.Usage = &hearth.Usage{MemoryPeak: 1 << 30}
		case 2:
			i.Trigger, i.Start = hearth.TriggerHTTP, hearth.StartForked
		case 3:
			i.Outcome = hearth.OutcomeError
			i.Error = &hearth.Error{Code: hearth.CodeFunctionError, Type: "ValueError", Message: "no way"}
		case 4:
			i.Outcome = hearth.OutcomeTimeout
			i.Error = &hearth.Error{Code: hearth.CodeFunctionTimeout, Message: "ran too long"}
		}
		record, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := old.ExecContext(t.Context(), `INSERT INTO invocations (id, function, version, at, outcome, record) VALUES ($1, $2, $3, $4, $5, $6)`,
			i.ID, i.Function, i.Version, i.At.UnixMicro(), i.Outcome, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, path, sqlite.Options{})
	for name, c := range map[string]struct {
		q    store.InvocationQuery
		want string
	}{
		"newest":  {store.InvocationQuery{}, "[7 6 5 4 3 2 1 0]"},
		"slowest": {store.InvocationQuery{Sort: store.SortSlowest}, "[7 6 5 4 3 2 1 0]"},
		"exactly": {store.InvocationQuery{MinDuration: durations[6], MaxDuration: durations[6]}, "[6]"},
		"micro":   {store.InvocationQuery{MinDuration: durations[2], MaxDuration: durations[2]}, "[2]"},
		"milli":   {store.InvocationQuery{MinDuration: durations[3], MaxDuration: durations[3]}, "[3]"},
		"minutes": {store.InvocationQuery{MinDuration: durations[5], MaxDuration: durations[5]}, "[5]"},
		"memory":  {store.InvocationQuery{Sort: store.SortMemory, Starts: []hearth.Start{hearth.StartWarm}, MaxDuration: time.Millisecond}, "[1 0]"},
		"trigger": {store.InvocationQuery{Trigger: hearth.TriggerHTTP, Starts: []hearth.Start{hearth.StartForked}}, "[2]"},
		"type":    {store.InvocationQuery{Text: "valueerror: NO"}, "[3]"},
		"message": {store.InvocationQuery{Text: "ran too"}, "[4]"},
	} {
		is, _, err := db.Invocations(t.Context(), c.q, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		got := []int{}
		for _, i := range is {
			got = append(got, i.Status)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}
