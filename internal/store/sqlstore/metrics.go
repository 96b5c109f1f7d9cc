package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"hearth"
	"hearth/internal/store"
)

// MetricsState returns the highest ID and the open windows.
func (s *Store) MetricsState(ctx context.Context) (lastID int64, open []byte, err error) {
	err = s.c.Read.QueryRowContext(ctx, `SELECT last, data FROM metrics_open WHERE id = 1`).Scan(&lastID, &open)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return lastID, open, wrap("read state of metrics", err)
}

// AddMetrics stores rows and the open windows.
func (s *Store) AddMetrics(ctx context.Context, rows []store.MetricRow, open []byte) error {
	return s.writeTo(ctx, s.c.Telemetry, "add metrics", func(tx *sql.Tx) error {
		last, err := lastMetric(ctx, tx)
		if err != nil {
			return err
		}
		fresh := rows // the transaction may be tried again
		for len(fresh) > 0 && fresh[0].ID <= last {
			fresh = fresh[1:]
		}
		if n := len(fresh); n > 0 {
			last = fresh[n-1].ID
		}
		if open == nil {
			open = []byte{}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE metrics_open SET last = $1, data = $2 WHERE id = 1`, last, open); err != nil {
			return err
		}
		return insertMetrics(ctx, tx, fresh)
	})
}

// lastMetric returns the highest ID ever stored, and sees to it that it can be
// updated.
func lastMetric(ctx context.Context, tx *sql.Tx) (last int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT last FROM metrics_open WHERE id = 1`).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `INSERT INTO metrics_open (id, last, data) VALUES (1, 0, $1)`, []byte{})
	}
	return last, err
}

func insertMetrics(ctx context.Context, tx *sql.Tx, rows []store.MetricRow) error {
	if len(rows) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, `INSERT INTO metrics (id, step, at, function, version, rolled, data) VALUES ($1, $2, $3, $4, $5, 0, $6)`)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // it ends with its transaction anyway
	for i := range rows {
		r := &rows[i]
		if _, err := stmt.ExecContext(ctx, r.ID, r.Step, r.At, r.Function, r.Version, r.Data); err != nil {
			return fmt.Errorf("insert metric row %d: %w", r.ID, err)
		}
	}
	return nil
}

// RollUpMetrics marks rows and stores those that hold them.
func (s *Store) RollUpMetrics(ctx context.Context, r store.MetricRange, n int, rows []store.MetricRow) error {
	return s.writeTo(ctx, s.c.Telemetry, "roll up metrics", func(tx *sql.Tx) error {
		last, err := lastMetric(ctx, tx)
		if err != nil {
			return err
		}
		if last >= rows[0].ID {
			return hearth.Errorf(hearth.CodeConflict, "metric row %d is stored already", rows[0].ID)
		}
		res, err := tx.ExecContext(ctx, `UPDATE metrics SET rolled = 1
			WHERE step = $1 AND at >= $2 AND at < $3 AND id <= $4 AND function >= $5 AND function <= $6 AND rolled = 0`,
			r.Step, r.From, r.To, r.LastID, r.First, r.Last)
		if err != nil {
			return err
		}
		marked, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if marked != int64(n) {
			return hearth.Errorf(hearth.CodeConflict, "%d metric rows are to be rolled up, not %d", marked, n)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE metrics_open SET last = $1 WHERE id = 1`, rows[len(rows)-1].ID); err != nil {
			return err
		}
		return insertMetrics(ctx, tx, rows)
	})
}

// Metrics reads rows.
func (s *Store) Metrics(ctx context.Context, q store.MetricQuery, fn func(store.MetricRow) error) error {
	if q.Functions == nil {
		return s.metrics(ctx, q, nil, fn)
	}
	for _, f := range q.Functions {
		if err := s.metrics(ctx, q, &f, fn); err != nil {
			return err
		}
	}
	return nil
}

// metrics reads those of one function, or of all with nil.
func (s *Store) metrics(ctx context.Context, q store.MetricQuery, function *string, fn func(store.MetricRow) error) error {
	var c conditions
	c.and("step = ?", q.Step)
	c.and("at >= ?", q.From)
	c.and("at < ?", q.To)
	if function != nil {
		c.and("function = ?", *function)
	}
	if q.NotRolled {
		c.and("rolled = 0")
	}
	if q.Step > 1 && (q.NotRolled || function != nil) {
		c.and("step > 1") // in so many words, for the indexes that leave the seconds out
	}
	if q.LastID > 0 {
		c.and("id <= ?", q.LastID)
	}
	rows, err := s.c.Read.QueryContext(ctx, `SELECT id, step, at, function, version, data FROM metrics`+c.String()+` ORDER BY at, id`, c.args...)
	if err != nil {
		return wrap("read metrics", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has said it already
	for rows.Next() {
		var r store.MetricRow
		if err := rows.Scan(&r.ID, &r.Step, &r.At, &r.Function, &r.Version, &r.Data); err != nil {
			return wrap("read metrics", err)
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return wrap("read metrics", rows.Err())
}

// PruneMetrics deletes old rows.
func (s *Store) PruneMetrics(ctx context.Context, step, before int64, rolled bool) (deleted int64, err error) {
	what := ""
	if rolled {
		what = " AND rolled = 1"
	}
	for {
		n, end, err := s.pruneMetricsOnce(ctx, step, before, what)
		deleted += n
		if err != nil || end {
			return deleted, err
		}
	}
}

// pruneMetricsOnce deletes about pruneStep rows, whole moments of them, and
// reports whether those were the last.
func (s *Store) pruneMetricsOnce(ctx context.Context, step, before int64, what string) (n int64, end bool, err error) {
	err = s.writeTo(ctx, s.c.Telemetry, "prune metrics", func(tx *sql.Tx) error {
		until := before
		err := tx.QueryRowContext(ctx, `SELECT at + 1 FROM metrics WHERE step = $1 AND at < $2`+what+` ORDER BY at LIMIT 1 OFFSET $3`,
			step, before, pruneStep-1).Scan(&until)
		if end = errors.Is(err, sql.ErrNoRows); err != nil && !end {
			return err
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM metrics WHERE step = $1 AND at < $2`+what, step, until)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, end, err
}
