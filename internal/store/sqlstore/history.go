package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"hearth"
	"hearth/internal/store"
)

func scanInvocation(r scanner) (hearth.Invocation, error) {
	var (
		i      hearth.Invocation
		record string
	)
	if err := r.Scan(&record); err != nil {
		return i, err
	}
	if err := json.Unmarshal([]byte(record), &i); err != nil {
		return i, fmt.Errorf("read invocation: %w", err)
	}
	i.At = i.At.UTC()
	return i, nil
}

// Invocation returns one invocation.
func (s *Store) Invocation(ctx context.Context, id string) (hearth.Invocation, error) {
	i, err := scanInvocation(s.c.Read.QueryRowContext(ctx, `SELECT record FROM invocations WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return i, hearth.Errorf(hearth.CodeNotFound, "there is no invocation %q", id).
			WithHint("`hearth invocations` shows the ones that are kept; older ones are deleted after a while")
	}
	return i, wrap("find invocation", err)
}

// Invocations lists newest first.
func (s *Store) Invocations(ctx context.Context, q store.InvocationQuery, p store.Page) (is []hearth.Invocation, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	var c conditions
	if q.Function != "" {
		c.and("function = ?", q.Function)
	}
	if q.Version != 0 {
		c.and("version = ?", q.Version)
	}
	if q.Outcome != "" {
		c.and("outcome = ?", string(q.Outcome))
		if q.Outcome != hearth.OutcomeOK {
			c.and("outcome <> 'ok'") // in so many words, for the index of what failed
		}
	}
	c.between("at", q.From, q.To)
	var (
		at int64
		id string
	)
	if ok, err := parseCursor(p.Cursor, "invocations", &at, &id); err != nil {
		return nil, "", err
	} else if ok {
		a := c.arg(at)
		c.and("(at < "+a+" OR (at = "+a+" AND id < ?))", id)
		c.and("at <= " + a) // the same once more, in a form that an index serves
	}
	is, err = collect(ctx, s.c.Read, scanInvocation,
		`SELECT record FROM invocations`+c.String()+` ORDER BY at DESC, id DESC LIMIT `+fmt.Sprint(limit+1), c.args...)
	is, next = cut(is, limit, func(i hearth.Invocation) string { return formatCursor("invocations", micros(i.At), i.ID) })
	return is, next, wrap("list invocations", err)
}

// between adds from <= column < to for the ends that are set.
func (c *conditions) between(column string, from, to time.Time) {
	if !from.IsZero() {
		c.and(column+" >= ?", micros(from))
	}
	if !to.IsZero() {
		c.and(column+" < ?", micros(to))
	}
}

func scanLog(r scanner) (hearth.LogLine, error) {
	var (
		l  hearth.LogLine
		at int64
	)
	err := r.Scan(&l.Seq, &at, &l.Function, &l.Version, &l.Invocation, &l.Stream, &l.Level, &l.Text)
	l.At = fromMicros(at)
	return l, err
}

// maxSearch is the longest text that can be searched for, in bytes.
const maxSearch = 1024

// Logs lists lines by number.
func (s *Store) Logs(ctx context.Context, q store.LogQuery, p store.Page) (ls []hearth.LogLine, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	if len(q.Text) > maxSearch {
		return nil, "", hearth.Errorf(hearth.CodeInvalid, "the text to search for is %d bytes, over the limit of %d", len(q.Text), maxSearch).
			WithHint("search for a shorter part of it").WithField("text")
	}
	kind, order := "logs", "ASC"
	if q.Newest {
		kind, order = "logs-newest", "DESC"
	}
	var last int64
	more, err := parseCursor(p.Cursor, kind, &last)
	if err != nil {
		return nil, "", err
	}
	// A search for letters that the database doesn't fold finds too much; what
	// is too much is left out here, and the search goes on until the page is full.
	for {
		c := s.logConditions(q)
		if more && q.Newest {
			c.and("seq < ?", last)
		} else if more {
			c.and("seq > ?", last)
		}
		rows, err := collect(ctx, s.c.Read, scanLog, `SELECT seq, at, function, version, invocation, stream, level, text FROM logs`+
			c.String()+` ORDER BY seq `+order+` LIMIT `+fmt.Sprint(limit+1), c.args...)
		if err != nil {
			return nil, "", wrap("list logs", err)
		}
		for _, l := range rows {
			if matches(l.Text, q.Text) {
				ls = append(ls, l)
			}
		}
		if len(rows) <= limit || len(ls) > limit {
			break
		}
		more, last = true, rows[len(rows)-1].Seq
	}
	ls, next = cut(ls, limit, func(l hearth.LogLine) string { return formatCursor(kind, l.Seq) })
	return ls, next, nil
}

func (s *Store) logConditions(q store.LogQuery) conditions {
	var c conditions
	if q.Invocation != "" {
		c.and("invocation = ? AND invocation <> ''", q.Invocation) // in so many words, for the index that leaves '' out
	}
	switch {
	case q.Function == "":
	case q.Invocation != "":
		c.and("function || '' = ?", q.Function) // not by the index of functions: the one of invocations is narrower
	default:
		c.and("function = ?", q.Function)
	}
	if q.Version != 0 {
		c.and("version = ?", q.Version)
	}
	if q.Stream != "" {
		c.and("stream = ?", q.Stream)
	}
	if q.AfterSeq != 0 {
		c.and("seq > ?", q.AfterSeq)
	}
	c.between("at", q.From, q.To)
	if q.Text != "" {
		c.and("text "+s.c.Dialect.Like+" ? ESCAPE '!'", likePattern(q.Text))
	}
	return c
}

// likePattern matches what contains s, and more where s has letters beyond
// ASCII, whose case databases fold differently.
func likePattern(s string) string {
	var b strings.Builder
	b.WriteByte('%')
	for _, r := range s {
		switch {
		case r == '%' || r == '_' || r == '!':
			b.WriteByte('!')
			b.WriteRune(r)
		case r >= utf8.RuneSelf:
			b.WriteByte('%')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('%')
	return b.String()
}

// matches reports whether text contains part, whatever their case.
func matches(text, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// LastLogSeq returns the highest number ever stored.
func (s *Store) LastLogSeq(ctx context.Context) (int64, error) {
	var n int64
	err := s.c.Read.QueryRowContext(ctx, `SELECT value FROM counters WHERE name = $1`, lastLogSeq).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, wrap("find last log line", err)
}

// pruneStep is how many rows one transaction deletes: few enough that others
// who write hardly wait.
const pruneStep = 1000

// Prune deletes old invocations and logs.
func (s *Store) Prune(ctx context.Context, before time.Time) (deleted int64, err error) {
	for _, q := range []string{
		`DELETE FROM invocations WHERE id IN (SELECT id FROM invocations WHERE at < $1 ORDER BY at LIMIT $2)`,
		`DELETE FROM logs WHERE seq IN (SELECT seq FROM logs WHERE at < $1 ORDER BY at LIMIT $2)`,
	} {
		for {
			n, err := s.pruneOnce(ctx, q, before)
			deleted += n
			if err != nil {
				return deleted, err
			}
			if n < pruneStep {
				break
			}
		}
	}
	if deleted == 0 || s.c.Dialect.Reclaim == "" {
		return deleted, nil
	}
	unlock, err := s.lockWriter(ctx)
	if err != nil {
		return deleted, err
	}
	defer unlock()
	_, err = s.c.Telemetry.ExecContext(ctx, s.c.Dialect.Reclaim)
	return deleted, wrap("reclaim space", err)
}

func (s *Store) pruneOnce(ctx context.Context, query string, before time.Time) (n int64, err error) {
	err = s.writeTo(ctx, s.c.Telemetry, "prune", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, micros(before), pruneStep)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}
