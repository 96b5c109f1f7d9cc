package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// moment is a point in time as people give it: how long ago, or when.
type moment struct {
	time.Time
	text string
}

// spanFlags gives fs --since and --until.
func spanFlags(fs *pflag.FlagSet, since, until *moment, usage string) {
	fs.Var(since, "since", usage+": how long ago (10m, 24h, 7d) or when (15:04, 2006-01-02, RFC 3339)")
	fs.Var(until, "until", "up to then, given as for --since (default now)")
}

// ago sets m to a while ago.
func (m *moment) ago(d time.Duration) *moment {
	m.Time, m.text = time.Now().Add(-d), d.String()
	return m
}

// Set reads a duration, days, a time of the day or a date.
func (m *moment) Set(s string) error {
	t, err := parseMoment(strings.TrimSpace(s), time.Now())
	if err == nil {
		m.Time, m.text = t, s
	}
	return err
}

func (m *moment) String() string { return m.text }

// Type names the value in help texts.
func (m *moment) Type() string { return "time" }

func parseMoment(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 1e5 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		c, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		t := time.Date(now.Year(), now.Month(), now.Day(), c.Hour(), c.Minute(), c.Second(), 0, now.Location())
		if t.After(now) {
			t = t.AddDate(0, 0, -1) // of yesterday: nothing is known of the future
		}
		return t, nil
	}
	return time.Time{}, usage("%q is no time", s).WithHint("write how long ago, like 10m, 24h or 7d, or when, like 15:04, 2006-01-02 or 2006-01-02T15:04:05Z")
}

// checkSpan fails if a span of time ends before it begins.
func checkSpan(since, until moment) error {
	if !since.IsZero() && !until.IsZero() && !since.Before(until.Time) {
		return usage("--since %s is not before --until %s", since.text, until.text).WithField("since").WithHint("swap them, or leave --until out")
	}
	return nil
}
