package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"hearth"
	"hearth/internal/store"
)

// Dialect is where databases differ.
type Dialect struct {
	// Like is the operator that matches a pattern without regard to the case
	// of ASCII letters: LIKE in SQLite, ILIKE in PostgreSQL.
	Like string
	// SingleWriter says that the database knows one writer at a time, so that
	// writers queue here, in order, rather than poll a lock of the database.
	SingleWriter bool
	// WriteTx and ReadTx are the options of transactions. A write must be
	// serialisable, a read must see one moment. nil is the database's default.
	WriteTx, ReadTx *sql.TxOptions
	// Retry reports whether a transaction failed only because of another one.
	// nil is never.
	Retry func(error) bool
	// Reclaim is a statement that gives freed space back after a prune, or "".
	Reclaim string
}

// Config is what a store is made of. The store owns the pools and closes them.
type Config struct {
	Dialect Dialect

	Control   *sql.DB // writes that survive a power cut once they return
	Telemetry *sql.DB // writes that may lose the last second
	Read      *sql.DB

	Logger     *slog.Logger     // where failing batches are reported; nil discards
	FlushEvery time.Duration    // how long telemetry is collected; 0 is 100 ms
	Queue      int              // telemetry records that may wait; 0 is 16384
	QueueBytes int64            // bytes of text that may wait; 0 is 32 MiB
	Now        func() time.Time // nil is time.Now
}

// Store implements [store.Store].
type Store struct {
	c       Config
	writing chan struct{} // holds one token while somebody writes; nil if writers don't queue
	tel     *telemetry

	closing sync.Once
	closed  error
}

var _ store.Store = (*Store)(nil)

// New returns a store over databases whose tables are up to date.
func New(c Config) *Store {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.FlushEvery <= 0 {
		c.FlushEvery = 100 * time.Millisecond
	}
	if c.Queue <= 0 {
		c.Queue = 16384
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = 32 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{c: c}
	if c.Dialect.SingleWriter {
		s.writing = make(chan struct{}, 1)
	}
	s.tel = startTelemetry(s)
	return s
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.c.Read.QueryRowContext(ctx, `SELECT 1`).Scan(&one); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Close flushes telemetry and closes the pools. It may be called twice.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.tel.stop()
		s.closed = errors.Join(s.c.Read.Close(), s.c.Telemetry.Close(), s.c.Control.Close())
	})
	return s.closed
}

func (s *Store) now() time.Time { return hearth.Moment(s.c.Now()) }

func newID() string { return ulid.Make().String() }

// lockWriter waits for the turn to write and returns what ends it.
func (s *Store) lockWriter(ctx context.Context) (unlock func(), err error) {
	if s.writing == nil {
		return func() {}, nil
	}
	select {
	case s.writing <- struct{}{}:
		return func() { <-s.writing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// maxTries bounds how often a transaction is tried that others get in the way of.
const maxTries = 10

// write runs fn in a transaction that is durable once write returns nil. fn
// may run more than once.
func (s *Store) write(ctx context.Context, what string, fn func(tx *sql.Tx) error) error {
	return s.writeTo(ctx, s.c.Control, what, fn)
}

func (s *Store) writeTo(ctx context.Context, db *sql.DB, what string, fn func(tx *sql.Tx) error) error {
	unlock, err := s.lockWriter(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer unlock()
	for try := 1; ; try++ {
		err = inTx(ctx, db, s.c.Dialect.WriteTx, fn)
		if err == nil {
			return nil
		}
		if s.c.Dialect.Retry == nil || try == maxTries || !s.c.Dialect.Retry(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// read runs fn in a transaction that sees one moment.
func (s *Store) read(ctx context.Context, what string, fn func(tx *sql.Tx) error) error {
	if err := inTx(ctx, s.c.Read, s.c.Dialect.ReadTx, fn); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func inTx(ctx context.Context, db *sql.DB, o *sql.TxOptions, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing to undo after a commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// querier is what reads: a transaction or a pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has said it already
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// nullMicros keeps nil as NULL.
func nullMicros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return micros(*t)
}

func fromNullMicros(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	t := fromMicros(us.Int64)
	return &t
}
