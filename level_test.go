package hearth_test

import (
	"testing"

	"hearth"
)

func TestLevels(t *testing.T) {
	for name, want := range map[string]hearth.Level{
		"ERROR": hearth.LevelError, "Critical": hearth.LevelError, "fatal": hearth.LevelError, "WARNING": hearth.LevelWarn, "warn": hearth.LevelWarn,
		"INFO": hearth.LevelInfo, "notice": hearth.LevelInfo, "TRACE": hearth.LevelDebug, "": "", "loud": "",
	} {
		if got := hearth.LevelOf(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if len(hearth.Level("loud").Names()) != 0 {
		t.Error("a level that isn't has names")
	}
}
