package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
	"go.uber.org/goleak"

	"hearth"
	"hearth/internal/store"
	"hearth/internal/store/sqlite"
	"hearth/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustOpen(t *testing.T, path string, o sqlite.Options) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return mustOpen(t, filepath.Join(t.TempDir(), "hearth.db"), sqlite.Options{})
	})
}

func TestKilled(t *testing.T) {
	storetest.RunKilled(t, func(dir string) (store.Store, error) {
		return sqlite.Open(context.Background(), filepath.Join(dir, "hearth.db"), sqlite.Options{})
	})
}

func TestCloseKeepsTelemetry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	db := mustOpen(t, path, sqlite.Options{FlushEvery: time.Hour})
	i := storetest.Invocation("hello", time.Now())
	db.RecordInvocation(i)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := mustOpen(t, path, sqlite.Options{}).Invocation(t.Context(), i.ID); err != nil {
		t.Error(err)
	}
}

func TestOverflowIsDroppedAndCounted(t *testing.T) {
	db := mustOpen(t, filepath.Join(t.TempDir(), "hearth.db"), sqlite.Options{FlushEvery: time.Hour, Queue: 1})
	for n := range 10 {
		db.RecordLog(hearth.LogLine{Seq: int64(n + 1), At: time.Now()})
	}
	if n := db.Dropped(); n != 9 {
		t.Errorf("%d dropped, want 9", n)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ls, _, err := db.Logs(t.Context(), store.LogQuery{}, store.Page{})
	if err != nil || len(ls) != 1 || ls[0].Seq != 1 {
		t.Errorf("kept %v, %v", ls, err)
	}
}

func TestLineWithATakenNumberIsCounted(t *testing.T) {
	db := mustOpen(t, filepath.Join(t.TempDir(), "hearth.db"), sqlite.Options{})
	for range 2 {
		db.RecordLog(hearth.LogLine{Seq: 1, At: time.Now()})
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.Dropped(); n != 1 {
		t.Errorf("%d dropped, want 1", n)
	}
}

func TestOnlyTheOwnerCanReadTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?%20#.db") // a name that a URI would trip over
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, path, sqlite.Options{})
	storetest.MustDeploy(t, db, storetest.Function("hello"))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		fi, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%q has mode %v", suffix, fi.Mode())
		}
	}
}

func TestPruneGivesSpaceBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	db := mustOpen(t, path, sqlite.Options{})
	text := strings.Repeat("x", 4000)
	for n := range 2000 {
		db.RecordLog(hearth.LogLine{Seq: int64(n + 1), At: time.Unix(1, 0), Text: text})
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Prune(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Size() > 1<<20 {
		t.Errorf("the file still has %d bytes", fi.Size())
	}
}

func TestBackupIsADatabase(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, filepath.Join(dir, "hearth.db"), sqlite.Options{})
	storetest.MustDeploy(t, db, storetest.Function("hello"))
	copied := filepath.Join(dir, "it's a copy.db")
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(t.Context(), copied); err == nil {
		t.Error("a backup overwrote another")
	}
	storetest.MustDeploy(t, db, storetest.Function("later"))
	restored := mustOpen(t, copied, sqlite.Options{})
	if _, err := restored.Version(t.Context(), "hello", 1); err != nil {
		t.Error(err)
	}
	if _, err := restored.Function(t.Context(), "later"); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("the backup has what came later: %v", err)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	if err := mustOpen(t, path, sqlite.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	wantRefused(t, path, "newer Hearth", "9999")
}

// What an earlier Hearth wrote is there after the upgrade.
func TestEarlierDatabaseIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	mustMigrate(t, path, 1)
	mustExec(t, path, `INSERT INTO functions (name, active, last_number, public, cors, revision, created_at, created_by, updated_at)
		VALUES ('hello', 1, 1, 1, '{"origins":["https://a.example"]}', 2, 1000000, 'ada', 2000000)`)
	mustExec(t, path, `INSERT INTO versions (function, number, runtime, handler, sandbox, code_digest, code_bytes, config, created_at, created_by, activated_at)
		VALUES ('hello', 1, 'python3.11', 'main.handler', 'native', 'sha256:00', 1, '{}', 1000000, 'ada', 1000000)`)
	mustExec(t, path, `INSERT INTO routes (method, path, function, position) VALUES ('', '/b/*', 'hello', 0), ('POST', '/a', 'hello', 1)`)
	for range 2 { // the second finds nothing to do
		db := mustOpen(t, path, sqlite.Options{})
		f, err := db.Function(t.Context(), "hello")
		if err != nil {
			t.Fatal(err)
		}
		want := hearth.Function{
			Name: "hello", Active: 1, Public: true, Revision: 2, CreatedBy: "ada",
			Routes: []hearth.Route{{Path: "/b/*"}, {Method: "POST", Path: "/a"}}, CORS: &hearth.CORS{Origins: []string{"https://a.example"}},
			CreatedAt: time.Unix(1, 0).UTC(), UpdatedAt: time.Unix(2, 0).UTC(),
		}
		if d := cmp.Diff(want, f); d != "" {
			t.Errorf("function (-want +got):\n%s", d)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	routes := []hearth.Route{{Path: "/b/*", CORS: &hearth.CORS{Origins: []string{"*"}}}}
	f, err := mustOpen(t, path, sqlite.Options{}).UpdateFunction(t.Context(), "hello", store.FunctionUpdate{Routes: &routes}, 2)
	if err != nil || !cmp.Equal(routes, f.Routes) {
		t.Errorf("after the upgrade: %+v, %v", f, err)
	}
}

// mustMigrate makes a database as it was at a version.
func mustMigrate(t *testing.T, path string, version int64) {
	t.Helper()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, raw, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

func TestFileThatIsNoDatabaseIsRefused(t *testing.T) {
	for name, content := range map[string]string{"text": "hello, this is a plain text file\n", "short": "hi"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hearth.db")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, path, "not a sound database")
			if b, err := os.ReadFile(path); err != nil || string(b) != content {
				t.Errorf("the file was changed: %q, %v", b, err)
			}
		})
	}
}

func TestDamagedDatabaseIsRefused(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
		"overwritten": func(b []byte) []byte {
			for i := 4096; i < len(b); i++ {
				b[i] = byte(i * 7)
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hearth.db")
			db := mustOpen(t, path, sqlite.Options{})
			for i := range 50 {
				storetest.MustDeploy(t, db, storetest.Function(fmt.Sprintf("f%d", i)))
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, path, "not a sound database")
		})
	}
}

func TestFolderThatIsMissingIsNamed(t *testing.T) {
	wantRefused(t, filepath.Join(t.TempDir(), "nowhere", "hearth.db"), "can't be opened", "nowhere")
}

// wantRefused fails unless opening path fails with a message that has all the words and a hint.
func wantRefused(t *testing.T, path string, words ...string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		_ = db.Close()
		t.Fatal("it was opened")
	}
	var e *hearth.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v", err)
	}
	for _, w := range append(words, "hearth.db") {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("%q doesn't say %q", e.Error(), w)
		}
	}
	if e.Hint == "" {
		t.Error("no hint")
	}
}

func mustExec(t *testing.T, path, query string) {
	t.Helper()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// A database from before the history gets what can be told of it.
func TestHistoryOfTheTimeBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	db := mustOpen(t, path, sqlite.Options{})
	storetest.MustDeploy(t, db, storetest.Function("hello"))
	storetest.MustAdd(t, db, storetest.Function("hello")) // never served
	storetest.MustDeploy(t, db, storetest.Function("hello"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, path, `DROP TABLE test_events; DROP TABLE deploys; ALTER TABLE versions DROP COLUMN message;
		DELETE FROM goose_db_version WHERE version_id = 5`)
	ds, _, err := mustOpen(t, path, sqlite.Options{}).Deploys(t.Context(), store.DeployQuery{Function: "hello"}, store.Page{})
	if err != nil || len(ds) != 2 {
		t.Fatalf("the history has %+v, %v", ds, err)
	}
	last, first := ds[0], ds[1]
	if last.Version != 3 || last.FromVersion != 1 || last.Kind != hearth.DeployNew || last.By != "ada" || len(last.ID) != 26 ||
		first.Version != 1 || first.FromVersion != 0 || first.ID == last.ID {
		t.Errorf("the history has %+v", ds)
	}
}

// A migration that comes later under a lower number is done all the same.
func TestMigrationsMayComeLate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	if err := mustOpen(t, path, sqlite.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, path, `ALTER TABLE routes DROP COLUMN cors; DELETE FROM goose_db_version WHERE version_id = 2`)
	db := mustOpen(t, path, sqlite.Options{})
	storetest.MustDeploy(t, db, storetest.Function("hello", "/hello"))
}

// Each list has an index that gives it in order: no page sorts, and none reads
// the whole table.
func TestListsUseIndexes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hearth.db")
	mustOpen(t, path, sqlite.Options{})
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for query, index := range map[string]string{
		`SELECT record FROM invocations WHERE function = 'a' AND (at < 5 OR (at = 5 AND id < 'x')) AND at <= 5 ORDER BY at DESC, id DESC LIMIT 9`: "invocations_by_function",
		`SELECT record FROM invocations ORDER BY at DESC, id DESC LIMIT 9`:                                                                        "invocations_by_time",
		`SELECT record FROM invocations WHERE outcome = $1 AND outcome <> 'ok' ORDER BY at DESC, id DESC LIMIT 9`:                                 "invocations_failed",
		`SELECT text FROM logs WHERE function = 'a' AND seq > 5 ORDER BY seq LIMIT 9`:                                                             "logs_by_function",
		`SELECT text FROM logs WHERE invocation = $1 AND invocation <> '' AND function || '' = $2 ORDER BY seq DESC LIMIT 9`:                      "logs_by_invocation",
		`SELECT text FROM logs WHERE seq > 5 ORDER BY seq LIMIT 9`:                                                                                "INTEGER PRIMARY KEY",
		`SELECT data FROM metrics WHERE step = $1 AND at >= 1 AND at < 2 ORDER BY at, id`:                                                         "metrics_by_time (step=? AND at>? AND at<?)",
		`SELECT data FROM metrics WHERE step = $1 AND at >= 1 AND at < 2 AND function = 'a' AND step > 1 ORDER BY at, id`:                         "metrics_by_function (function=? AND step=? AND at>? AND at<?)",
		`SELECT data FROM metrics WHERE step = $1 AND at >= 1 AND at < 2 AND rolled = 0 AND step > 1 ORDER BY at, id`:                             "metrics_not_rolled (step=? AND at>? AND at<?)",
		`DELETE FROM metrics WHERE step = $1 AND at < 5 AND rolled = 1`:                                                                           "metrics_by_time",
		`UPDATE metrics SET rolled = 1 WHERE step = $1 AND at >= 1 AND at < 2 AND id <= 5 AND function >= 'a' AND function <= 'b' AND rolled = 0`: "metrics_by_time",
		`DELETE FROM logs WHERE seq IN (SELECT seq FROM logs WHERE at < 5 ORDER BY at LIMIT 9)`:                                                   "logs_by_time",
		`SELECT id FROM deploys WHERE (at < $1 OR (at = $1 AND id < $2)) AND at <= $1 ORDER BY at DESC, id DESC LIMIT 9`:                          "deploys_by_time",
		`SELECT id FROM deploys WHERE function = 'a' AND at >= 5 AND at < 9 ORDER BY at DESC, id DESC LIMIT 9`:                                    "deploys_by_function",
	} {
		plan := explainPlan(t, raw, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nis done by\n%s\nwant %s", query, plan, index)
		}
	}
}

func explainPlan(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "$"))
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	return plan.String()
}
