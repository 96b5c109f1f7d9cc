package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// sorts are the columns that lists of invocations are ordered by.
var sorts = map[store.Sort]struct{ column, order, beyond string }{
	store.SortNewest:  {"at", "DESC", "<"},
	store.SortOldest:  {"at", "ASC", ">"},
	store.SortSlowest: {"duration", "DESC", "<"},
	store.SortMemory:  {"memory", "DESC", "<"},
	store.SortCost:    {"cost", "DESC", "<"},
}

// sorted is a row of a list with what its cursor is made of.
type sorted struct {
	hearth.Invocation
	key  int64
	text string
}

func scanSorted(r scanner) (s sorted, err error) {
	var record string
	if err := r.Scan(&s.key, &s.text, &record); err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(record), &s.Invocation); err != nil {
		return s, fmt.Errorf("read invocation: %w", err)
	}
	s.At = s.At.UTC()
	return s, nil
}

// Invocations lists in the order of q.Sort.
func (s *Store) Invocations(ctx context.Context, q store.InvocationQuery, p store.Page) (is []hearth.Invocation, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	if err := checkSearch(q.Text); err != nil {
		return nil, "", err
	}
	if q.Sort == "" {
		q.Sort = store.SortNewest
	}
	by, ok := sorts[q.Sort]
	if !ok {
		return nil, "", hearth.Errorf(hearth.CodeInvalid, "%q is no order of invocations", q.Sort).
			WithHint("use newest, oldest, slowest, memory or cost").WithField("sort")
	}
	kind := "invocations-" + string(q.Sort)
	var key int64
	var id string
	more, err := parseCursor(p.Cursor, kind, &key, &id)
	if err != nil {
		return nil, "", err
	}
	var rows []sorted
	// As with logs: what the database finds too much of is left out here.
	for {
		c := s.invocationConditions(q)
		if more {
			// (column, id) < (key, id), and the first half once more in a form that an index serves.
			k := c.arg(key)
			c.and(fmt.Sprintf("(%[1]s %[2]s %[3]s OR (%[1]s = %[3]s AND id %[2]s ?))", by.column, by.beyond, k), id)
			c.and(fmt.Sprintf("%s %s= %s", by.column, by.beyond, k))
		}
		order := fmt.Sprintf(" ORDER BY %s %[2]s, id %[2]s", by.column, by.order)
		// The inner query finds the page in an index alone; only its rows are read whole.
		found, err := collect(ctx, s.c.Read, scanSorted, `SELECT `+by.column+`, error, record FROM invocations WHERE id IN (SELECT id FROM invocations`+
			c.String()+order+fmt.Sprintf(` LIMIT %d)`, limit+1)+order, c.args...)
		if err != nil {
			return nil, "", wrap("list invocations", err)
		}
		for _, r := range found {
			if matches(r.text, q.Text) {
				rows = append(rows, r)
			}
		}
		if len(found) <= limit || len(rows) > limit {
			break
		}
		more, key, id = true, found[len(found)-1].key, found[len(found)-1].ID
	}
	rows, next = cut(rows, limit, func(r sorted) string { return formatCursor(kind, r.key, r.ID) })
	for _, r := range rows {
		is = append(is, r.Invocation)
	}
	return is, next, nil
}

func (s *Store) invocationConditions(q store.InvocationQuery) conditions {
	var c conditions
	if q.Function != "" {
		c.and("function = ?", q.Function)
	}
	if q.Version != 0 {
		c.and("version = ?", q.Version)
	}
	if len(q.Outcomes) > 0 {
		in(&c, "outcome", q.Outcomes)
	}
	if (len(q.Outcomes) > 0 && !slices.Contains(q.Outcomes, hearth.OutcomeOK)) || q.Fingerprint != "" || q.Text != "" {
		c.and("outcome <> 'ok'") // in so many words, for the index of what failed
	}
	if q.Trigger != "" {
		c.and("trigger = ?", string(q.Trigger))
	}
	if len(q.Starts) > 0 {
		in(&c, "start", q.Starts)
	}
	if q.Fingerprint != "" {
		c.and("fingerprint = ?", q.Fingerprint)
	}
	if q.ID != "" {
		c.and("id >= ?", q.ID)
		c.and("id < ?", q.ID+"\U0010ffff")
	}
	if q.MinDuration > 0 {
		c.and("duration >= ?", int64(q.MinDuration))
	}
	if q.MaxDuration > 0 {
		c.and("duration <= ?", int64(q.MaxDuration))
	}
	if q.MinMemory > 0 {
		// The limit is in the record alone. What the least limit allows is in the index, and leaves few of those to read.
		c.and("memory >= ?", int64(max(1, q.MinMemory*(hearth.MinMemoryMiB<<20))))
		c.and("memory >= ? * NULLIF(CAST(record ->> 'memory_limit' AS REAL), 0)", q.MinMemory)
	}
	if q.Text != "" {
		c.and("error "+s.c.Dialect.Like+" ? ESCAPE '!'", likePattern(q.Text))
	}
	c.between("at", q.From, q.To)
	return c
}

// in adds column IN (values).
func in[T ~string](c *conditions, column string, values []T) {
	var places []string
	for _, v := range values {
		places = append(places, c.arg(string(v)))
	}
	c.terms = append(c.terms, column+" IN ("+strings.Join(places, ", ")+")")
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

func checkSearch(text string) error {
	if len(text) > maxSearch {
		return hearth.Errorf(hearth.CodeInvalid, "the text to search for is %d bytes, over the limit of %d", len(text), maxSearch).
			WithHint("search for a shorter part of it").WithField("text")
	}
	return nil
}

// Logs lists lines by number.
func (s *Store) Logs(ctx context.Context, q store.LogQuery, p store.Page) (ls []hearth.LogLine, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	if err := checkSearch(q.Text); err != nil {
		return nil, "", err
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
		rows, err := s.lastLogs(ctx, q, last, limit)
		if err == nil && len(rows) <= limit {
			rows, err = collect(ctx, s.c.Read, scanLog, selectLogs+c.String()+` ORDER BY seq `+order+` LIMIT `+fmt.Sprint(limit+1), c.args...)
		}
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

const selectLogs = `SELECT seq, at, function, version, invocation, stream, level, text FROM logs`

// logWindow is how many lines lastLogs looks at.
const logWindow = 20_000

// lastLogs looks for a page among the last lines before a number (0 is all), in
// the order of their numbers. A list of the newest lines of some time is nearly
// always there. Otherwise it needs the index of times, which gives another
// order: all lines of the time are read and sorted for one page.
func (s *Store) lastLogs(ctx context.Context, q store.LogQuery, before int64, limit int) ([]hearth.LogLine, error) {
	if !q.Newest || q.Function != "" || q.Invocation != "" || (q.From.IsZero() && q.To.IsZero()) {
		return nil, nil // another index gives the order
	}
	if before == 0 {
		var newest sql.NullInt64
		if err := s.c.Read.QueryRowContext(ctx, `SELECT MAX(seq) FROM logs`).Scan(&newest); err != nil || !newest.Valid {
			return nil, err
		}
		before = newest.Int64 + 1
	}
	from, to := q.From, q.To
	q.From, q.To = time.Time{}, time.Time{}
	c := s.logConditions(q)
	c.between("at + 0", from, to) // not by the index of times
	c.and("seq < ?", before)
	c.and("seq >= ?", before-logWindow)
	return collect(ctx, s.c.Read, scanLog, selectLogs+c.String()+` ORDER BY seq DESC LIMIT `+fmt.Sprint(limit+1), c.args...)
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
	if len(q.Levels) > 0 {
		var names []string
		for _, l := range q.Levels {
			names = append(names, l.Names()...)
		}
		in(&c, "upper(level)", names)
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

// CountLogs counts lines in equal steps of a time.
func (s *Store) CountLogs(ctx context.Context, q store.LogQuery, steps int) ([]int64, error) {
	if err := checkSearch(q.Text); err != nil {
		return nil, err
	}
	from, span := micros(q.From), micros(q.To)-micros(q.From)
	if steps < 1 || q.From.IsZero() || span <= 0 {
		return nil, fmt.Errorf("count log lines: %d steps from %s to %s", steps, q.From, q.To)
	}
	q.AfterSeq = 0
	c := s.logConditions(q)
	step := fmt.Sprintf("(at - %s) * %d / %s", c.arg(from), steps, c.arg(span))
	query, text := `SELECT `+step+`, COUNT(*), '' FROM logs`+c.String()+` GROUP BY 1`, ""
	if strings.IndexFunc(q.Text, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		// The database finds too much; see Logs.
		query, text = `SELECT `+step+`, 1, text FROM logs`+c.String(), q.Text
	}
	rows, err := s.c.Read.QueryContext(ctx, query, c.args...)
	if err != nil {
		return nil, wrap("count log lines", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has said it already
	counts := make([]int64, steps)
	for rows.Next() {
		var at, n int64
		var line string
		if err := rows.Scan(&at, &n, &line); err != nil {
			return nil, wrap("count log lines", err)
		}
		if matches(line, text) {
			counts[min(at, int64(steps)-1)] += n
		}
	}
	return counts, wrap("count log lines", rows.Err())
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

// Prune deletes old invocations, logs, captures and groups of failures, and
// captures that are too many.
func (s *Store) Prune(ctx context.Context, before time.Time) (deleted int64, err error) {
	for _, q := range []string{
		`DELETE FROM invocations WHERE id IN (SELECT id FROM invocations WHERE at < $1 ORDER BY at LIMIT $2)`,
		`DELETE FROM captures WHERE invocation IN (SELECT invocation FROM captures WHERE at < $1 ORDER BY at LIMIT $2)`,
		`DELETE FROM failures WHERE (function, fingerprint) IN (SELECT function, fingerprint FROM failures WHERE last_at < $1 ORDER BY last_at LIMIT $2)`,
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
	n, err := s.pruneCaptures(ctx)
	if deleted += n; err != nil {
		return deleted, err
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
