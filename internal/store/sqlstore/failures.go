package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hearth"
	"hearth/internal/store"
)

// failureKey is what failures have in common that are taken for the same.
type failureKey struct{ function, fingerprint string }

// maxFailureText is how much of an error's message a group shows, in bytes.
const maxFailureText = 1 << 10

// upsertFailures notes what failed in a batch, once for each group.
func upsertFailures(ctx context.Context, tx *sql.Tx, is []hearth.Invocation) error {
	groups := map[failureKey]*store.Failure{}
	for n := range is {
		i := &is[n]
		if i.Fingerprint == "" {
			continue
		}
		key := failureKey{i.Function, i.Fingerprint}
		g := groups[key]
		if g == nil {
			g = &store.Failure{First: i.At, FirstVersion: i.Version}
			groups[key] = g
		}
		if i.At.Before(g.First) {
			g.First = i.At
		}
		g.FirstVersion, g.LastVersion = min(g.FirstVersion, i.Version), max(g.LastVersion, i.Version)
		if !i.At.Before(g.Last) {
			g.Last, g.Outcome, g.Frame = i.At, i.Outcome, i.Frame
			if i.Error != nil {
				g.Type, g.Message = storable(i.Error.Type, maxFailureText), storable(i.Error.Message, maxFailureText)
			}
		}
	}
	for key, g := range groups {
		_, err := tx.ExecContext(ctx, `INSERT INTO failures
				(function, fingerprint, outcome, type, message, frame, first_at, last_at, first_version, last_version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (function, fingerprint) DO UPDATE SET
				outcome = excluded.outcome, type = excluded.type, message = excluded.message, frame = excluded.frame,
				first_at = CASE WHEN excluded.first_at < failures.first_at THEN excluded.first_at ELSE failures.first_at END,
				last_at = CASE WHEN excluded.last_at > failures.last_at THEN excluded.last_at ELSE failures.last_at END,
				first_version = CASE WHEN excluded.first_version < failures.first_version THEN excluded.first_version ELSE failures.first_version END,
				last_version = CASE WHEN excluded.last_version > failures.last_version THEN excluded.last_version ELSE failures.last_version END`,
			key.function, key.fingerprint, string(g.Outcome), g.Type, g.Message, storable(g.Frame, maxFailureText),
			micros(g.First), micros(g.Last), g.FirstVersion, g.LastVersion)
		if err != nil {
			return fmt.Errorf("note failure of %s: %w", key.function, err)
		}
	}
	return nil
}

// storable cuts a text to so many bytes, and to what databases take.
func storable(s string, limit int) string {
	s = strings.ToValidUTF8(s[:min(len(s), limit)], "\ufffd")
	return strings.ReplaceAll(s, "\x00", "\ufffd")
}

const (
	maxFailures       = 500 // groups in a list
	samplesOfAFailure = 5
)

// Failures lists the groups of failures of a time, the last seen first.
func (s *Store) Failures(ctx context.Context, q store.FailureQuery) (fs []store.Failure, err error) {
	if q.Steps < 1 || !q.To.After(q.From) {
		return nil, fmt.Errorf("list failures: %d steps from %s to %s", q.Steps, q.From, q.To)
	}
	err = s.read(ctx, "list failures", func(tx *sql.Tx) error {
		byKey, err := s.countFailures(ctx, tx, q)
		if err != nil {
			return err
		}
		if err := describeFailures(ctx, tx, q, byKey); err != nil {
			return err
		}
		for _, f := range byKey {
			fs = append(fs, *f)
		}
		// Of too many, those that are frequent count.
		slices.SortFunc(fs, func(a, b store.Failure) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), cmp.Compare(a.Fingerprint, b.Fingerprint))
		})
		fs = fs[:min(len(fs), maxFailures)]
		slices.SortFunc(fs, func(a, b store.Failure) int {
			return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Fingerprint, b.Fingerprint))
		})
		return nil
	})
	return fs, err
}

// failureConditions chooses what the index of failures serves.
func failureConditions(q store.FailureQuery) conditions {
	var c conditions
	c.and("outcome <> 'ok'") // in so many words, for the index of what failed
	c.and("fingerprint <> ''")
	if q.Function != "" {
		c.and("function || '' = ?", q.Function) // not by the index of functions, which doesn't know fingerprints
	}
	c.between("at", q.From, q.To)
	return c
}

// countFailures reads the invocations, the newest first: the first of each group
// are its samples.
func (s *Store) countFailures(ctx context.Context, tx *sql.Tx, q store.FailureQuery) (map[failureKey]*store.Failure, error) {
	c := failureConditions(q)
	rows, err := tx.QueryContext(ctx, `SELECT id, function, fingerprint, at FROM invocations`+c.String()+` ORDER BY at DESC, id DESC`, c.args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has said it already
	out := map[failureKey]*store.Failure{}
	from, span := micros(q.From), micros(q.To)-micros(q.From)
	for rows.Next() {
		var key failureKey
		var id sql.RawBytes // most are only counted
		var at int64
		if err := rows.Scan(&id, &key.function, &key.fingerprint, &at); err != nil {
			return nil, err
		}
		f := out[key]
		if f == nil {
			f = &store.Failure{Function: key.function, Fingerprint: key.fingerprint, Counts: make([]int64, q.Steps)}
			out[key] = f
		}
		f.Count++
		f.Counts[min(int64(q.Steps)-1, (at-from)*int64(q.Steps)/span)]++
		if len(f.Samples) < samplesOfAFailure {
			f.Samples = append(f.Samples, string(id))
		}
	}
	return out, rows.Err()
}

// describeFailures fills in what is known of each group beyond the time.
func describeFailures(ctx context.Context, tx *sql.Tx, q store.FailureQuery, byKey map[failureKey]*store.Failure) error {
	var c conditions
	if q.Function != "" {
		c.and("function = ?", q.Function)
	}
	c.and("last_at >= ?", micros(q.From))
	rows, err := tx.QueryContext(ctx, `SELECT function, fingerprint, outcome, type, message, frame, first_at, last_at, first_version, last_version FROM failures`+
		c.String(), c.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err has said it already
	described := map[failureKey]bool{}
	for rows.Next() {
		var f store.Failure
		var key failureKey
		var first, last int64
		if err := rows.Scan(&key.function, &key.fingerprint, &f.Outcome, &f.Type, &f.Message, &f.Frame, &first, &last, &f.FirstVersion, &f.LastVersion); err != nil {
			return err
		}
		known := byKey[key]
		if known == nil {
			continue
		}
		described[key] = true
		f.Function, f.Fingerprint, f.Count, f.Counts, f.Samples = key.function, key.fingerprint, known.Count, known.Counts, known.Samples
		f.First, f.Last = fromMicros(first), fromMicros(last)
		*known = f
	}
	for key := range byKey {
		if !described[key] { // of a function that was deleted
			delete(byKey, key)
		}
	}
	return rows.Err()
}

// RecordCapture queues what an invocation was asked and answered.
func (s *Store) RecordCapture(c hearth.Capture) {
	c.At = hearth.Moment(c.At)
	size := int64(len(c.Request.Body)) + 1024
	if c.Reply != nil {
		size += int64(len(c.Reply.Body)) + 1024
	}
	s.tel.add(size, func(b *batch) { b.captures = append(b.captures, c) })
}

func insertCaptures(ctx context.Context, tx *sql.Tx, cs []hearth.Capture) error {
	for n := range cs {
		c := &cs[n]
		record, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("write capture of %s: %w", c.Invocation, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO captures (invocation, function, at, record) VALUES ($1, $2, $3, $4)
			ON CONFLICT (invocation) DO UPDATE SET function = excluded.function, at = excluded.at, record = excluded.record`,
			c.Invocation, c.Function, micros(c.At), string(record)); err != nil {
			return fmt.Errorf("insert capture of %s: %w", c.Invocation, err)
		}
	}
	return nil
}

// Capture returns what an invocation was asked and answered.
func (s *Store) Capture(ctx context.Context, invocation string) (hearth.Capture, error) {
	var c hearth.Capture
	var record string
	err := s.c.Read.QueryRowContext(ctx, `SELECT record FROM captures WHERE invocation = $1`, invocation).Scan(&record)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return c, hearth.Errorf(hearth.CodeNotFound, "invocation %q was not captured", invocation).
			WithHint("failures are captured, some hundreds of each function an hour; a function that is deployed with --capture sampled has some successes captured too, with --capture off nothing")
	case err != nil:
		return c, wrap("find capture", err)
	}
	err = json.Unmarshal([]byte(record), &c)
	c.At = c.At.UTC()
	return c, wrap("read capture", err)
}

// maxCaptures is how many are kept of one function.
const maxCaptures = 1000

// pruneCaptures deletes those of a function beyond the newest ones.
func (s *Store) pruneCaptures(ctx context.Context) (deleted int64, err error) {
	type excess struct {
		function string
		n        int64
	}
	many, err := collect(ctx, s.c.Read, func(r scanner) (e excess, err error) {
		return e, r.Scan(&e.function, &e.n)
	}, `SELECT function, COUNT(*) FROM captures GROUP BY function HAVING COUNT(*) > $1`, maxCaptures)
	if err != nil {
		return 0, wrap("count captures", err)
	}
	for _, e := range many {
		for left := e.n - maxCaptures; left > 0; left -= pruneStep {
			err := s.writeTo(ctx, s.c.Telemetry, "prune captures", func(tx *sql.Tx) error {
				res, err := tx.ExecContext(ctx, `DELETE FROM captures WHERE invocation IN
					(SELECT invocation FROM captures WHERE function = $1 ORDER BY at LIMIT $2)`, e.function, min(left, pruneStep))
				if err != nil {
					return err
				}
				n, err := res.RowsAffected()
				deleted += n
				return err
			})
			if err != nil {
				return deleted, err
			}
		}
	}
	return deleted, nil
}

// forgetFailures deletes what is known of a function's failures, and what its
// callers sent.
func forgetFailures(ctx context.Context, tx *sql.Tx, function string) error {
	for _, q := range []string{`DELETE FROM failures WHERE function = $1`, `DELETE FROM captures WHERE function = $1`} {
		if _, err := tx.ExecContext(ctx, q, function); err != nil {
			return err
		}
	}
	return nil
}
