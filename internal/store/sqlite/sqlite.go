package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hearth/internal/store"
)

// Options of a database; zero fields mean the default.
type Options struct {
	Logger     *slog.Logger  // where failing batches are reported; discards
	FlushEvery time.Duration // how long telemetry is collected before it is written; 100 ms
	Queue      int           // telemetry records that may wait; 16384
	Readers    int           // connections for reading; 4
}

// DB is an open database.
type DB struct{ store.Store }

// Open opens the file at path, creates it if it isn't there, and brings its
// tables up to date.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	return nil, errors.New("not built yet")
}
