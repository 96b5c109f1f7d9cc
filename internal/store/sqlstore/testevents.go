package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hearth"
	"hearth/internal/store"
)

const eventColumns = `name, event, updated_at, updated_by`

func scanEvent(r scanner) (hearth.TestEvent, error) {
	var (
		e       hearth.TestEvent
		name    string
		text    string
		updated int64
		by      string
	)
	if err := r.Scan(&name, &text, &updated, &by); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return e, fmt.Errorf("read test event %q: %w", name, err)
	}
	e.Name, e.Shared, e.UpdatedAt, e.UpdatedBy = name, true, fromMicros(updated), by
	return e, nil
}

// eventByName reads an event of a function that is there.
func eventByName(ctx context.Context, q querier, function, name string) (hearth.TestEvent, error) {
	e, err := scanEvent(q.QueryRowContext(ctx, `SELECT `+eventColumns+` FROM test_events WHERE function = $1 AND name = $2`, function, name))
	if !errors.Is(err, sql.ErrNoRows) {
		return e, err
	}
	if _, err := functionByName(ctx, q, function); err != nil {
		return e, err
	}
	return e, hearth.Errorf(hearth.CodeNotFound, "function %q has no test event %q", function, name).
		WithHint("GET /api/v1/functions/%s/test-events lists those that there are", function)
}

// TestEvents lists the events of a function by name.
func (s *Store) TestEvents(ctx context.Context, function string) (es []hearth.TestEvent, err error) {
	err = s.read(ctx, "list test events", func(tx *sql.Tx) error {
		if _, err := functionByName(ctx, tx, function); err != nil {
			return err
		}
		es, err = collect(ctx, tx, scanEvent, `SELECT `+eventColumns+` FROM test_events WHERE function = $1 ORDER BY name`, function)
		return err
	})
	return es, err
}

// TestEvent returns one event.
func (s *Store) TestEvent(ctx context.Context, function, name string) (e hearth.TestEvent, err error) {
	err = s.read(ctx, "find test event", func(tx *sql.Tx) error {
		e, err = eventByName(ctx, tx, function, name)
		return err
	})
	return e, err
}

// PutTestEvent stores an event.
func (s *Store) PutTestEvent(ctx context.Context, function string, e hearth.TestEvent, w store.EventWas) (hearth.TestEvent, error) {
	e.Shared = true
	err := s.write(ctx, "keep test event", func(tx *sql.Tx) error {
		old, err := s.lockEvent(ctx, tx, function, e.Name, w)
		if err != nil {
			return err
		}
		if old.UpdatedAt.IsZero() {
			if err := makeRoom(ctx, tx, function); err != nil {
				return err
			}
		}
		e.UpdatedAt = s.now()
		if next := old.UpdatedAt.Add(time.Millisecond); e.UpdatedAt.Before(next) {
			e.UpdatedAt = next // it tells revisions apart
		}
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO test_events (function, name, event, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (function, name) DO UPDATE SET event = $3, updated_at = $4, updated_by = $5`,
			function, e.Name, string(text), micros(e.UpdatedAt), e.UpdatedBy)
		return err
	})
	return e, err
}

// lockEvent reads an event that is about to change, the zero value if there is
// none, and checks that it is as w says. Its function must be there.
func (s *Store) lockEvent(ctx context.Context, tx *sql.Tx, function, name string, w store.EventWas) (hearth.TestEvent, error) {
	if _, err := functionByName(ctx, tx, function); err != nil {
		return hearth.TestEvent{}, err
	}
	old, err := eventByName(ctx, tx, function, name)
	missing := hearth.ErrorCode(err) == hearth.CodeNotFound
	switch {
	case err != nil && !missing:
		return old, err
	case w.Absent && !missing:
		return old, hearth.Errorf(hearth.CodeStale, "function %q has a test event %q already", function, name).
			WithHint("choose another name, or leave If-None-Match out to replace it").WithField("name")
	case !w.UpdatedAt.IsZero() && missing:
		return old, hearth.Errorf(hearth.CodeStale, "the test event %q was deleted meanwhile", name).
			WithHint("leave If-Match out to keep it again")
	case !w.UpdatedAt.IsZero() && !w.UpdatedAt.Equal(old.UpdatedAt):
		return old, hearth.Errorf(hearth.CodeStale, "the test event %q was changed by %s meanwhile", name, old.UpdatedBy).
			WithHint("read it again, then repeat the change")
	}
	return old, nil
}

// makeRoom fails if a function can't have another event.
func makeRoom(ctx context.Context, tx *sql.Tx, function string) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM test_events WHERE function = $1`, function).Scan(&n); err != nil {
		return err
	}
	if n >= hearth.MaxTestEvents {
		return hearth.Errorf(hearth.CodeConflict, "function %q has %d test events, which is the limit", function, n).
			WithHint("delete one that is no longer needed")
	}
	return nil
}

// DeleteTestEvent forgets an event.
func (s *Store) DeleteTestEvent(ctx context.Context, function, name string, w store.EventWas) error {
	return s.write(ctx, "delete test event", func(tx *sql.Tx) error {
		if _, err := s.lockEvent(ctx, tx, function, name, w); err != nil {
			return err
		}
		if _, err := eventByName(ctx, tx, function, name); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM test_events WHERE function = $1 AND name = $2`, function, name)
		return err
	})
}
