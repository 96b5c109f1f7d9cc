package hearth_test

import (
	"strings"
	"testing"

	"hearth"
)

func TestTraceID(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for s, want := range map[string]string{
		"00-" + trace + "-" + span + "-01":                    trace,
		"00-" + trace + "-" + span + "-00":                    trace,
		"cc-" + trace + "-" + span + "-01-what-may-come":      trace,
		"cc-" + trace + "-" + span + "-01.what":               "",
		"00-" + trace + "-" + span + "-01-more":               "",
		"ff-" + trace + "-" + span + "-01":                    "",
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   "",
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  "",
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": "",
		"00-" + trace + "-" + span + "-0g":                    "",
		"00_" + trace + "-" + span + "-01":                    "",
		"00-" + trace + "-" + span + "-1":                     "",
		"":                                                    "",
		"00-" + strings.Repeat("é", 16) + "-" + span + "-01":  "",
	} {
		if got := hearth.TraceID(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
