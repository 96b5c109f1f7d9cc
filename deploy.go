package hearth

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Deploy is a change of the version that takes a function's traffic, as its
// history tells it.
type Deploy struct {
	ID          string     `json:"id"` // ULID
	At          time.Time  `json:"at"`
	Function    string     `json:"function"`
	Version     int        `json:"version"` // 0 if the function was deleted
	Kind        DeployKind `json:"kind"`
	FromVersion int        `json:"from_version"` // what served before; 0 if none did
	By          string     `json:"by"`           // user's name
	Message     string     `json:"message,omitempty"`
}

// DeployKind is what a [Deploy] was.
type DeployKind string

// The kinds.
const (
	DeployNew      DeployKind = "deployed"  // of new code or a new configuration
	DeployActivate DeployKind = "activated" // of a version that was there: a rollback, or forward again
	DeployDelete   DeployKind = "deleted"   // of the function
)

// MaxMessage is the length of the longest message of a deploy, in characters.
const MaxMessage = 200

// ValidateMessage reports, as an [Error] with code [CodeInvalid], why s can't be
// said of a deploy.
func ValidateMessage(s string) error {
	bad := func(format string, args ...any) *Error {
		return Errorf(CodeInvalid, "message "+format, args...).WithField("message")
	}
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return bad("is not UTF-8").WithHint("write it as UTF-8 text")
	case n > MaxMessage:
		return bad("has %d characters, over the limit of %d", n, MaxMessage).WithHint("say it shorter; the first line of a commit's message is about right")
	case strings.ContainsFunc(s, unicode.IsControl):
		return bad("has a line break or another control character").WithHint("write it on one line")
	}
	return nil
}
