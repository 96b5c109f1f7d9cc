package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
)

// telemetry collects records and writes them in batches from one goroutine.
// Recording takes a short lock and never waits for the database.
type telemetry struct {
	s       *Store
	dropped atomic.Int64
	wake    chan struct{} // holds a token when there is something to write
	hurry   chan struct{} // holds a token when a batch must not wait for its time
	done    chan struct{} // closed when the writer has ended
	quit    chan struct{} // closed to end the writer

	mu      sync.Mutex
	pending batch
	waiters []chan struct{} // closed when pending is in the database
	closed  bool
}

// batch is what is written in one transaction.
type batch struct {
	invocations []hearth.Invocation
	logs        []hearth.LogLine
	captures    []hearth.Capture
	bytes       int64 // of text
}

func (b *batch) len() int { return len(b.invocations) + len(b.logs) + len(b.captures) }

func startTelemetry(s *Store) *telemetry {
	t := &telemetry{
		s: s, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		done: make(chan struct{}), quit: make(chan struct{}),
	}
	go t.run()
	return t
}

// add queues records by fn if there is room for size more bytes.
func (t *telemetry) add(size int64, fn func(*batch)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.pending.len()
	if t.closed || n >= t.s.c.Queue || t.pending.bytes+size > t.s.c.QueueBytes {
		t.dropped.Add(1)
		return
	}
	fn(&t.pending)
	t.pending.bytes += size
	if n == 0 {
		signal(t.wake)
	}
	if n+1 == t.s.c.Queue/2 {
		signal(t.hurry)
	}
}

// signal leaves a token unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (t *telemetry) run() {
	defer close(t.done)
	for {
		select {
		case <-t.wake:
		case <-t.quit:
			t.writePending()
			return
		}
		timer := time.NewTimer(t.s.c.FlushEvery)
		select {
		case <-timer.C:
		case <-t.hurry:
		case <-t.quit:
		}
		timer.Stop()
		t.writePending()
	}
}

func (t *telemetry) writePending() {
	t.mu.Lock()
	b, waiters := t.pending, t.waiters
	t.pending, t.waiters = batch{}, nil
	t.mu.Unlock()
	if b.len() > 0 {
		t.write(b)
	}
	for _, w := range waiters {
		close(w)
	}
}

// writeTimeout bounds one batch, so that a database that hangs makes losses
// that are counted rather than a server that can't stop.
const writeTimeout = 30 * time.Second

func (t *telemetry) write(b batch) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	var skipped int64
	// A statement with a context that can end costs a goroutine in the driver of
	// SQLite, a quarter of all that a row costs. The transaction has the
	// context: when it ends, the next statement fails.
	each := context.WithoutCancel(ctx)
	err := t.s.writeTo(ctx, t.s.c.Telemetry, "write telemetry", func(tx *sql.Tx) (err error) {
		if err = insertInvocations(each, tx, b.invocations); err != nil {
			return err
		}
		if err = upsertFailures(each, tx, b.invocations); err != nil {
			return err
		}
		if err = insertCaptures(each, tx, b.captures); err != nil {
			return err
		}
		skipped, err = insertLogs(each, tx, b.logs)
		return err
	})
	if err != nil {
		t.dropped.Add(int64(b.len()))
		t.s.c.Logger.Error("telemetry was lost", "invocations", len(b.invocations), "log_lines", len(b.logs), "error", err)
		return
	}
	t.dropped.Add(skipped)
}

// flush waits until what was recorded before is written.
func (t *telemetry) flush(ctx context.Context) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		<-t.done
		return nil
	}
	w := make(chan struct{})
	t.waiters = append(t.waiters, w)
	t.mu.Unlock()
	// The waiter may belong to an empty batch, or to one behind the batch that
	// is being written: both are passed by the writer's next round.
	signal(t.wake)
	signal(t.hurry)
	select {
	case <-w:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush telemetry: %w", ctx.Err())
	}
}

func (t *telemetry) stop() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	close(t.quit)
	<-t.done
}

// RecordInvocation queues the record of an invocation.
func (s *Store) RecordInvocation(i hearth.Invocation) {
	i.At = hearth.Moment(i.At)
	var size int64
	if i.Error != nil {
		e := *i.Error // the caller may go on using its own
		e.Cause = nil
		i.Error = &e
		size = int64(len(e.Message) + len(e.Hint) + len(e.Trace))
	}
	if i.Usage != nil {
		u := *i.Usage
		i.Usage = &u
	}
	s.tel.add(size, func(b *batch) { b.invocations = append(b.invocations, i) })
}

// RecordLog queues a line.
func (s *Store) RecordLog(l hearth.LogLine) {
	s.tel.add(int64(len(l.Text)), func(b *batch) { b.logs = append(b.logs, l) })
}

// Flush waits until what was recorded before the call can be read.
func (s *Store) Flush(ctx context.Context) error { return s.tel.flush(ctx) }

// Dropped counts the records that were given up since the start.
func (s *Store) Dropped() int64 { return s.tel.dropped.Load() }

// insertInvocation has two forms, because each value that is bound costs time,
// and few invocations fail.
const (
	insertInvocation = `INSERT INTO invocations (id, function, version, at, outcome, trigger, start, duration, memory, cost, record`
	orReplace        = `) ON CONFLICT (id) DO UPDATE SET function = excluded.function, version = excluded.version, at = excluded.at,
		outcome = excluded.outcome, trigger = excluded.trigger, start = excluded.start, duration = excluded.duration,
		memory = excluded.memory, cost = excluded.cost, record = excluded.record, fingerprint = excluded.fingerprint, error = excluded.error`
	insertOK     = insertInvocation + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11` + orReplace
	insertFailed = insertInvocation + `, fingerprint, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13` + orReplace
)

func insertInvocations(ctx context.Context, tx *sql.Tx, is []hearth.Invocation) error {
	var ok, failed *sql.Stmt // prepared when first used; they end with their transaction
	for n := range is {
		i := &is[n]
		record, err := json.Marshal(i)
		if err != nil {
			return fmt.Errorf("write invocation %s: %w", i.ID, err)
		}
		var memory int64
		if i.Usage != nil {
			memory = i.Usage.MemoryPeak
		}
		args := append(make([]any, 0, 13), i.ID, i.Function, i.Version, micros(i.At), string(i.Outcome), string(i.Trigger), string(i.Start),
			int64(i.Duration), memory, int64(math.Round(i.GBSeconds()*1e9)), string(record))
		if i.Error == nil && i.Fingerprint == "" {
			err = exec(ctx, tx, &ok, insertOK, args...)
		} else {
			err = exec(ctx, tx, &failed, insertFailed, append(args, i.Fingerprint, errorText(i.Error))...)
		}
		if err != nil {
			return fmt.Errorf("insert invocation %s: %w", i.ID, err)
		}
	}
	return nil
}

// exec runs a statement that it prepares at the first call.
func exec(ctx context.Context, tx *sql.Tx, stmt **sql.Stmt, query string, args ...any) (err error) {
	if *stmt == nil {
		if *stmt, err = tx.PrepareContext(ctx, query); err != nil { //nolint:sqlclosecheck // it ends with its transaction
			return err
		}
	}
	_, err = (*stmt).ExecContext(ctx, args...)
	return err
}

// maxErrorText is how much of an error's message can be searched for, in bytes.
const maxErrorText = 4 << 10

// errorText is what searches look at.
func errorText(e *hearth.Error) string {
	switch {
	case e == nil:
		return ""
	case e.Type == "":
		return storable(e.Message, maxErrorText)
	}
	return storable(e.Type+": "+e.Message, maxErrorText)
}

// lastLogSeq is the counter that remembers the highest Seq, so that numbers
// aren't given out again after all lines were pruned.
const lastLogSeq = "last_log_seq"

// insertLogs returns how many lines were skipped because their number is taken.
func insertLogs(ctx context.Context, tx *sql.Tx, ls []hearth.LogLine) (skipped int64, err error) {
	if len(ls) == 0 {
		return 0, nil
	}
	stmt, err := tx.PrepareContext(ctx, `INSERT INTO logs (seq, at, function, version, invocation, stream, level, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (seq) DO NOTHING`)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stmt.Close() }() // it ends with its transaction anyway
	var last int64
	for i := range ls {
		l := &ls[i]
		res, err := stmt.ExecContext(ctx, l.Seq, micros(l.At), l.Function, l.Version, l.Invocation, l.Stream, l.Level, l.Text)
		if err != nil {
			return 0, fmt.Errorf("insert log line %d: %w", l.Seq, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return 0, err
		}
		skipped += 1 - n
		last = max(last, l.Seq)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO counters (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > counters.value`, lastLogSeq, last)
	return skipped, err
}
