package logs

import (
	"time"

	"hearth"
)

// Recorder keeps lines; store.Telemetry is one. It must not block.
type Recorder interface {
	RecordLog(l hearth.LogLine)
}

// Options of a Hub; zero fields mean the default.
type Options struct {
	MaxLineBytes       int   // a longer line is cut and marked; 8 KiB
	MaxInvocationBytes int64 // what one invocation may print; 1 MiB
	FirstSeq           int64 // number of the first line; pass the store's LastLogSeq + 1
	Buffer             int   // lines a subscriber may be behind; 1024
}

// Hub takes the output of all invocations.
type Hub struct{}

// New returns a hub that hands every line to rec (nil: to nobody).
func New(rec Recorder, o Options) *Hub { return &Hub{} }

// Writer takes the output of one invocation.
type Writer struct{}

// Writer returns the writer of one invocation; "" is output between invocations.
func (h *Hub) Writer(function string, version int, invocation string) *Writer { return &Writer{} }

// Write takes a piece of a stream ("stdout" or "stderr").
func (w *Writer) Write(stream, level string, at time.Time, p []byte) {}

// Platform adds a line of the platform's own.
func (w *Writer) Platform(format string, args ...any) {}

// Close ends the last lines and says what was dropped.
func (w *Writer) Close() {}

// Filter chooses lines; zero fields don't.
type Filter struct {
	Function   string
	Version    int
	Invocation string
	Stream     string
	Text       string // substring, case-insensitive
}

// Subscription receives lines as they are written.
type Subscription struct {
	C <-chan hearth.LogLine // closed by Close
}

// Subscribe starts a tail.
func (h *Hub) Subscribe(f Filter) *Subscription { return &Subscription{} }

// Lost returns and resets how many lines the reader was too slow for.
func (s *Subscription) Lost() int64 { return 0 }

// Close ends the subscription.
func (s *Subscription) Close() {}
