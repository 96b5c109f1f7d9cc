package sqlstore

import (
	"encoding/base64"
	"fmt"
	"strings"

	"hearth"
	"hearth/internal/store"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// pageLimit returns how many rows a page has.
func pageLimit(p store.Page) (int, error) {
	switch {
	case p.Limit == 0:
		return defaultLimit, nil
	case p.Limit < 0 || p.Limit > maxLimit:
		return 0, hearth.Errorf(hearth.CodeInvalid, "limit is %d, out of range", p.Limit).
			WithHint("give limit a value from 1 to %d", maxLimit).WithField("limit")
	}
	return p.Limit, nil
}

// A cursor is the key of the last row that was given out, with the kind of
// list it belongs to in front: a list goes on behind it whatever was added or
// removed meanwhile.

func formatCursor(kind string, key ...any) string {
	parts := []string{kind}
	for _, k := range key {
		parts = append(parts, fmt.Sprint(k))
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\x00")))
}

// parseCursor fills key from a cursor of the kind. It reports whether there
// is one.
func parseCursor(cursor, kind string, key ...any) (bool, error) {
	if cursor == "" {
		return false, nil
	}
	bad := hearth.Errorf(hearth.CodeInvalid, "the cursor is not one of this list").
		WithHint("use the cursor of the page before as it is, or none for the first page").WithField("cursor")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return false, bad
	}
	parts := strings.Split(string(raw), "\x00")
	if parts[0] != kind || len(parts) != len(key)+1 {
		return false, bad
	}
	for i, k := range key {
		if !parseKey(parts[i+1], k) {
			return false, bad
		}
	}
	return true, nil
}

func parseKey(s string, dst any) bool {
	switch d := dst.(type) {
	case *string:
		*d = s
		return s != "" && strings.ToValidUTF8(s, "") == s
	case *int64:
		// Sscan would accept "7 and more"; the text must be the number's own.
		_, err := fmt.Sscan(s, d)
		return err == nil && fmt.Sprint(*d) == s
	}
	return false
}

// cut drops the row that was read to learn whether there is more, and returns
// the cursor of the last one that stays if there is.
func cut[T any](rows []T, limit int, cursor func(T) string) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, cursor(rows[limit-1])
}

// conditions is the WHERE of a query under construction.
type conditions struct {
	terms []string
	args  []any
}

// arg adds a value and returns its placeholder.
func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

// and adds a condition; each ? stands for the next value.
func (c *conditions) and(term string, values ...any) {
	for _, v := range values {
		term = strings.Replace(term, "?", c.arg(v), 1)
	}
	c.terms = append(c.terms, term)
}

// String returns " WHERE …" or "".
func (c *conditions) String() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}
