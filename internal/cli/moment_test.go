package cli

import (
	"testing"
	"time"

	"hearth"
)

func TestParseMoment(t *testing.T) {
	zone := time.FixedZone("here", 2*60*60)
	now := time.Date(2026, 3, 14, 15, 9, 26, 0, zone)
	for s, want := range map[string]string{
		"10m": "2026-03-14T14:59:26+02:00", "0s": "2026-03-14T15:09:26+02:00", "7d": "2026-03-07T15:09:26+02:00", "0.5d": "2026-03-14T03:09:26+02:00",
		"2026-03-01T10:00:00Z": "2026-03-01T10:00:00Z", "2026-03-01": "2026-03-01T00:00:00+02:00", "2026-03-01 10:30": "2026-03-01T10:30:00+02:00",
		"2026-03-01T10:30:05": "2026-03-01T10:30:05+02:00", "09:00": "2026-03-14T09:00:00+02:00", "23:59:30": "2026-03-13T23:59:30+02:00",
	} {
		if got, err := parseMoment(s, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v; want %s", s, got.Format(time.RFC3339), err, want)
		}
	}
	for _, s := range []string{"", "-5m", "yesterday", "d", "-1d", "25:00", "2026-13-01"} {
		if _, err := parseMoment(s, now); hearth.ErrorCode(err) != hearth.CodeInvalid || hearth.AsError(err).Hint == "" {
			t.Errorf("%q: %v", s, err)
		}
	}
}
