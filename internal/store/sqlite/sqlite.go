package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"hearth"
	"hearth/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options of a database; zero fields mean the default.
type Options struct {
	Logger     *slog.Logger     // where failing batches are reported; discards
	FlushEvery time.Duration    // how long telemetry is collected before it is written; 100 ms
	Queue      int              // telemetry records that may wait; 16384
	Readers    int              // connections for reading; 4
	Now        func() time.Time // time.Now
}

// DB is an open database.
type DB struct {
	*sqlstore.Store
	control *sql.DB
}

// checkBelow is the size up to which a file is read whole at the start to see
// whether it is sound; above it would keep a server from starting for seconds.
const checkBelow = 64 << 20

// Open opens the file at path, creates it if it isn't there, and brings its
// tables up to date. Only one process may have it open. The file can be
// copied while it is closed; see [DB.Backup] for while it is open.
//
// A file that is no database, is damaged or comes from a newer Hearth is
// refused with a [hearth.Error] that says so, and is left as it is.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	if o.Readers <= 0 {
		o.Readers = 4
	}
	// The control plane waits for the disk at each commit. Telemetry leaves
	// that to the next checkpoint: a power cut may cost its last moments, a
	// crash of the process nothing.
	control, err := openPool(path, "immediate", 1, "synchronous(FULL)")
	if err != nil {
		return nil, explain(path, err)
	}
	telemetry, err := openPool(path, "immediate", 1, "synchronous(NORMAL)")
	if err != nil {
		return nil, errors.Join(explain(path, err), control.Close())
	}
	read, err := openPool(path, "deferred", o.Readers, "query_only(1)")
	if err != nil {
		return nil, errors.Join(explain(path, err), control.Close(), telemetry.Close())
	}
	if err := prepare(ctx, control, path); err != nil {
		return nil, errors.Join(explain(path, err), control.Close(), telemetry.Close(), read.Close())
	}
	return &DB{control: control, Store: sqlstore.New(sqlstore.Config{ //nolint:contextcheck // its writer outlives ctx
		Dialect: sqlstore.Dialect{Like: "LIKE", SingleWriter: true, Reclaim: `PRAGMA incremental_vacuum`},
		Control: control, Telemetry: telemetry, Read: read,
		Logger: o.Logger, FlushEvery: o.FlushEvery, Queue: o.Queue, Now: o.Now,
	})}, nil
}

// Backup writes a copy of the database, as it is at this moment, to path,
// which must not exist.
func (db *DB) Backup(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("back up database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("back up database: %w", err)
	}
	if _, err := db.control.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return fmt.Errorf("back up database: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// prepareFile makes sure that there is a file that only its owner can read.
// SQLite gives the files beside it the same permissions.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return hearth.Errorf(hearth.CodePlatform, "the database %s can't be opened: %w", path, err).
			WithHint("check that its folder exists and belongs to the user that runs the server")
	}
	defer f.Close()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("protect database: %w", err)
		}
	}
	header := make([]byte, 16)
	switch _, err := io.ReadFull(f, header); {
	case err == io.EOF: // new
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("read database: %w", err)
	}
	if string(header) != "SQLite format 3\x00" {
		return damaged(path, errors.New("the file doesn't begin like a SQLite database"))
	}
	return nil
}

func damaged(path string, cause error) error {
	return hearth.Errorf(hearth.CodePlatform, "%s is not a sound database: %w", path, cause).
		WithHint("restore it from a backup, or move it and its -wal and -shm files away to begin anew")
}

// openPool returns connections whose transactions begin with the lock txlock.
func openPool(path, txlock string, conns int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_txlock": {txlock}}
	q["_pragma"] = append([]string{
		"busy_timeout(10000)", "auto_vacuum(2)", "journal_mode(WAL)", "foreign_keys(1)",
		"journal_size_limit(67108864)", "temp_store(MEMORY)", "trusted_schema(0)",
	}, pragmas...)
	dsn := (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// prepare checks the file and migrates its tables.
func prepare(ctx context.Context, db *sql.DB, path string) error {
	if err := check(ctx, db, path); err != nil {
		return err
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true),
		goose.WithAllowOutofOrder(true)) // numbers are taken when work begins, and not when it is done
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version of database: %w", err)
	}
	if current > target {
		return hearth.Errorf(hearth.CodePlatform, "the database %s was written by a newer Hearth: its tables are at version %d, this binary knows %d", path, current, target).
			WithHint("start the newer binary, or restore a backup from before the upgrade")
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// check looks for damage: in the whole of a small file, in the schema of a large one.
func check(ctx context.Context, db *sql.DB, path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if fi.Size() > checkBelow {
		var n int
		return db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_schema`).Scan(&n)
	}
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return damaged(path, errors.New(strings.ReplaceAll(verdict, "\n", " ")))
	}
	return nil
}

// explain turns what SQLite says about a file it can't use into words for the operator.
func explain(path string, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged(path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return hearth.Errorf(hearth.CodePlatform, "the database %s is in use by another process: %w", path, err).
			WithHint("stop the other server, or give this one another --data folder")
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return hearth.Errorf(hearth.CodePlatform, "the database %s can't be written: %w", path, err).
			WithHint("check the free space of its disk and the permissions of its folder")
	}
	return fmt.Errorf("open database: %w", err)
}
