package logs

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"hearth"
)

// Recorder keeps lines; store.Telemetry is one. It must not block, and is
// called with the numbers in order.
type Recorder interface {
	RecordLog(l hearth.LogLine)
}

// SeqGap is how far behind the last number that the store knows a new Hub
// begins: lines that were tailed but lost in a crash had numbers too, and a
// tail that comes back must not take new lines for those.
const SeqGap = 1 << 20

// Options of a Hub; zero fields mean the default.
type Options struct {
	MaxLineBytes       int   // a longer line is cut and marked; 8 KiB
	MaxInvocationBytes int64 // what one invocation may print; output between invocations may as much each minute; 1 MiB
	FirstSeq           int64 // number of the first line: the store's LastLogSeq + [SeqGap]; 1
	Buffer             int   // lines a subscriber may be behind; 1024
}

// Hub takes the output of all invocations, numbers its lines, and passes them
// on. All methods may be called concurrently.
type Hub struct {
	o   Options
	rec Recorder

	mu     sync.Mutex // held while a line is passed on, so that all see the same order
	next   int64
	subs   map[*Subscription]struct{}
	closed bool
}

// New returns a hub that hands every line to rec (nil: to nobody).
func New(rec Recorder, o Options) *Hub {
	if o.MaxLineBytes <= 0 {
		o.MaxLineBytes = 8 << 10
	}
	if o.MaxInvocationBytes <= 0 {
		o.MaxInvocationBytes = 1 << 20
	}
	if o.FirstSeq <= 0 {
		o.FirstSeq = 1
	}
	if o.Buffer <= 0 {
		o.Buffer = 1024
	}
	return &Hub{o: o, rec: rec, next: o.FirstSeq, subs: map[*Subscription]struct{}{}}
}

// Writer returns the writer of one invocation; "" is output between
// invocations. It costs nothing until something is written.
func (h *Hub) Writer(function string, version int, invocation string) *Writer {
	return &Writer{hub: h, function: function, version: version, invocation: invocation}
}

// pass numbers a line and hands it to the recorder and the subscribers.
func (h *Hub) pass(l hearth.LogLine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.Seq = h.next
	h.next++
	if h.rec != nil {
		h.rec.RecordLog(l)
	}
	for s := range h.subs {
		s.offer(l)
	}
}

// Close ends all subscriptions, and those that are made later at once. Lines
// are still recorded. It may be called twice.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		h.drop(s)
	}
}

// Filter chooses lines; zero fields don't.
type Filter struct {
	Function   string
	Version    int
	Invocation string
	Stream     string
	Levels     []hearth.Level // any of these
	Text       string         // substring, whatever the case
}

// match reports whether l is chosen. Text must be lower case.
func (f *Filter) match(l *hearth.LogLine) bool {
	return (f.Function == "" || f.Function == l.Function) &&
		(f.Version == 0 || f.Version == l.Version) &&
		(f.Invocation == "" || f.Invocation == l.Invocation) &&
		(f.Stream == "" || f.Stream == l.Stream) &&
		(len(f.Levels) == 0 || slices.Contains(f.Levels, hearth.LevelOf(l.Level))) &&
		(f.Text == "" || strings.Contains(strings.ToLower(l.Text), f.Text))
}

// Subscription receives lines as they are written.
type Subscription struct {
	// C gives the lines in the order of their numbers. It is closed when the
	// subscription or its hub is.
	C <-chan hearth.LogLine

	hub    *Hub
	c      chan hearth.LogLine
	filter Filter
	lost   atomic.Int64
}

// Subscribe starts a tail of the lines from now on. A reader that is too slow
// loses lines, see [Subscription.Lost]; it never makes a function wait.
//
// To show what was before as well, subscribe first, flush and read the store,
// and then leave out what the store has given already: those with a number
// that isn't above the last one.
func (h *Hub) Subscribe(f Filter) *Subscription {
	f.Text = strings.ToLower(f.Text)
	c := make(chan hearth.LogLine, h.o.Buffer)
	s := &Subscription{C: c, hub: h, c: c, filter: f}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(c)
		return s
	}
	h.subs[s] = struct{}{}
	return s
}

// offer is called with the hub's lock held.
func (s *Subscription) offer(l hearth.LogLine) {
	if !s.filter.match(&l) {
		return
	}
	select {
	case s.c <- l:
	default:
		s.lost.Add(1)
	}
}

// drop is called with the hub's lock held.
func (h *Hub) drop(s *Subscription) {
	if _, ok := h.subs[s]; ok {
		delete(h.subs, s)
		close(s.c)
	}
}

// Lost returns how many lines the reader was too slow for since it was last asked.
func (s *Subscription) Lost() int64 { return s.lost.Swap(0) }

// Close ends the subscription and closes C, where lines may still wait. It may
// be called twice.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.drop(s)
}
