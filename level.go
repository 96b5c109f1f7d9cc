package hearth

import "strings"

// Level is how serious a log line is, whatever its logging library calls it.
type Level string

// The levels.
const (
	LevelError Level = "error"
	LevelWarn  Level = "warn"
	LevelInfo  Level = "info"
	LevelDebug Level = "debug"
)

// Names lists what logging libraries call l, in capitals.
func (l Level) Names() []string {
	switch l {
	case LevelError:
		return []string{"ERROR", "ERR", "CRITICAL", "FATAL"}
	case LevelWarn:
		return []string{"WARN", "WARNING"}
	case LevelInfo:
		return []string{"INFO", "NOTICE", "LOG"}
	case LevelDebug:
		return []string{"DEBUG", "TRACE"}
	}
	return nil
}

// LevelOf returns the level that a logging library means by a name, "" for one
// that nobody knows.
func LevelOf(name string) Level {
	name = strings.ToUpper(name)
	for _, l := range []Level{LevelError, LevelWarn, LevelInfo, LevelDebug} {
		for _, n := range l.Names() {
			if n == name {
				return l
			}
		}
	}
	return ""
}
